//! Sums over sessions, events and orders, row by row: whatever is broken down or filtered by what
//! one of them says.

mod cell;
mod events;
mod hits;
pub mod lens;
mod lines;
mod quick;
pub(super) mod whose;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::QueryError;
use super::buckets::ROWS_MAX;
use super::costs;
use super::metric::{Dimension, Metric};
use super::range::Range;
use super::request::Plan;
use super::run::Row;
use super::symbols::{Sieve, Symbol, Symbols};
use super::visit::Reader;
use crate::people::SessionRow;
use crate::presence::CONCURRENT_MS;
use crate::site::credits::OrderRow;
use crate::texts::TextId;
use crate::view::SiteView;

use cell::Role;
pub use cell::{Cell, share};
use whose::{Exposures, Whose};

/// The values of the dimensions beside time.
type Key = SmallVec<[Symbol; 3]>;

/// The sums by bucket and values of the dimensions beside time.
pub type Cells = FxHashMap<(usize, Key), Cell>;

/// Which rows have to be looked at.
#[derive(Debug, Clone, Copy)]
struct Wants {
    /// Sessions, and persons with their first.
    sessions: bool,
    /// Persons with activity.
    visitors: bool,
    /// Events one by one.
    events: bool,
    orders: bool,
    concurrent: bool,
    costs: bool,
    /// Whether single events tell the row.
    by_event: bool,
    /// Whether their products do.
    by_item: bool,
    /// Whether experiments do.
    by_exposure: bool,
    /// Whether the visit of an event does.
    by_visit: bool,
}

impl Wants {
    fn of(plan: &Plan) -> Self {
        let any = |wanted: fn(&Metric) -> bool| plan.metrics.iter().any(wanted);
        let asked = plan.asked();
        let by = |wanted: fn(&Dimension) -> bool| asked.iter().any(wanted);
        let is_new = |metric: &Metric| {
            metric.is_of_sessions()
                || matches!(metric, Metric::NewVisitors | Metric::ReturningVisitors)
        };
        Self {
            sessions: any(is_new),
            // Without a row to look at they are counted by the second.
            visitors: plan.is_scan()
                && any(|metric| matches!(metric, Metric::Visitors | Metric::ReturningVisitors)),
            events: plan.is_scan() && any(|metric| metric.is_of_events()),
            orders: (plan.is_scan() && any(|metric| metric.is_of_orders()))
                || any(|metric| *metric == Metric::Roas),
            costs: any(|metric| metric.is_of_costs()),
            concurrent: plan.is_scan() && any(|metric| *metric == Metric::ConcurrentVisitors),
            by_event: by(|by| by.is_of_event()),
            by_item: by(|by| matches!(by, Dimension::Item(_))),
            by_exposure: by(|by| by.is_of_exposure()),
            by_visit: by(|by| matches!(by, Dimension::Visit(_))),
        }
    }
}

/// One look at everything that a plan needs row by row.
struct Scan<'a> {
    plan: &'a Plan,
    site: &'a SiteView,
    reader: &'a Reader<'a>,
    sieve: Sieve<'a>,
    keys: Vec<Dimension>,
    wants: Wants,
    cells: Cells,
    roles: RefCell<FxHashMap<TextId, Role>>,
}

/// The sums of a plan that are worked out row by row, and what the values stand for.
#[must_use]
pub fn cells(plan: &Plan, site: &SiteView) -> (Cells, Symbols) {
    let reader = Reader::new(site, &plan.shop);
    let wants = Wants::of(plan);
    let keys = plan.dimensions.iter().copied().filter(|by| !matches!(by, Dimension::Time(_)));
    let mut scan = Scan {
        plan,
        site,
        reader: &reader,
        sieve: Sieve::new(plan.filter.as_ref(), &reader.symbols),
        keys: keys.collect(),
        wants,
        cells: Cells::default(),
        roles: RefCell::default(),
    };
    scan.look();
    let cells = scan.cells;
    (cells, reader.symbols)
}

impl Scan<'_> {
    fn look(&mut self) {
        let Wants { sessions, visitors, events, by_event, .. } = self.wants;
        let needs_whose = self.wants.by_exposure || (events && self.wants.by_visit);
        let whose = needs_whose.then(|| Whose::new(self.site, self.plan.range));
        let exposures = whose.as_ref().filter(|_| self.wants.by_exposure);
        let exposures = exposures
            .map(|whose| Exposures::new(self.site, self.plan.range, whose, &self.reader.symbols));
        if (sessions || visitors) && !by_event {
            self.add_sessions(exposures.as_ref());
        }
        if events || ((sessions || visitors) && by_event) {
            self.add_activity(exposures.as_ref());
        }
        if events {
            self.add_asides(whose.as_ref());
        }
        if self.wants.orders {
            self.add_orders(exposures.as_ref());
        }
        if self.wants.concurrent {
            self.add_concurrent();
        }
        if self.wants.costs {
            self.add_costs();
        }
    }

    /// The bucket that an instant lies in.
    fn bucket_of(&self, ms: i64) -> Option<usize> {
        let buckets = &self.plan.buckets;
        let at = match buckets.len() {
            1 => 0,
            _ => buckets.partition_point(|bucket| bucket.range.to_ms <= ms),
        };
        let range = buckets.get(at)?.range;
        (range.from_ms <= ms && ms < range.to_ms).then_some(at)
    }

    fn cell(&mut self, bucket: usize, key: &Key) -> &mut Cell {
        self.cells.entry((bucket, key.clone())).or_default()
    }

    /// The values of something under the dimensions beside time, if it passes.
    fn key(&self, value: &impl Fn(Dimension) -> Symbol) -> Option<Key> {
        let passes = self.sieve.passes(value);
        passes.then(|| self.keys.iter().map(|by| value(*by)).collect())
    }

    fn add_sessions(&mut self, exposures: Option<&Exposures>) {
        if exposures.is_none() && self.add_chunks() {
            return;
        }
        let Range { from_ms, to_ms } = self.plan.range;
        self.add_rows(exposures, from_ms.saturating_sub(self.site.longest_session_ms), to_ms);
    }

    /// Adds the sessions that begin between two instants.
    fn add_rows(&mut self, exposures: Option<&Exposures>, from_ms: i64, to_ms: i64) {
        let site = self.site;
        for (_, row) in site.sessions.range((from_ms, 0)..(to_ms, 0)) {
            if row.end_ms < self.plan.range.from_ms {
                continue;
            }
            for shown in seen_by(exposures, Some(row.person), row.end_ms) {
                let reader = self.reader;
                let value = |by: Dimension| {
                    shown_as(shown, by).unwrap_or_else(|| reader.of_session(row, by))
                };
                if let Some(key) = self.key(&value) {
                    self.add_session(row, &key);
                }
            }
        }
    }

    fn add_session(&mut self, row: &SessionRow, key: &Key) {
        let site = self.site;
        let begins = self.bucket_of(row.start_ms);
        if let Some(bucket) = begins {
            self.cell(bucket, key).add_session(site, row);
        }
        if !self.wants.visitors {
            return;
        }
        match begins {
            Some(bucket) if begins == self.bucket_of(row.end_ms) => {
                self.cell(bucket, key).visitors.insert(row.person);
            }
            _ => self.add_presence(row, key),
        }
    }

    /// Adds the person of a session where its events are.
    fn add_presence(&mut self, row: &SessionRow, key: &Key) {
        let (site, range) = (self.site, self.plan.range);
        for entry in site.entries_of(row) {
            let ms = entry.occurred_at_ms;
            if (range.from_ms..range.to_ms).contains(&ms)
                && let Some(bucket) = self.bucket_of(ms)
            {
                self.cell(bucket, key).visitors.insert(row.person);
            }
        }
    }

    fn add_orders(&mut self, exposures: Option<&Exposures>) {
        let (site, range) = (self.site, self.plan.range);
        for (_, row) in site.orders.range((range.from_ms, 0)..(range.to_ms, 0)) {
            let Some(bucket) = self.bucket_of(row.order.at_ms) else { continue };
            for shown in seen_by(exposures, row.credit.person, row.order.at_ms) {
                self.add_order(bucket, row, shown);
            }
        }
    }

    fn add_order(&mut self, bucket: usize, row: &OrderRow, shown: [Symbol; 2]) {
        let reader = self.reader;
        let value = |by: Dimension| shown_as(shown, by).unwrap_or_else(|| reader.of_order(row, by));
        if !self.wants.by_item {
            if let Some(key) = self.key(&value) {
                self.cell(bucket, &key).sales.add(&row.order, 1);
            }
            return;
        }
        let mut seen: SmallVec<[Key; 4]> = SmallVec::new();
        for (line, worth) in lines::lines(self.site, row) {
            let value = |by: Dimension| match by {
                Dimension::Item(by) => reader.of_line(line.as_ref(), by),
                _ => value(by),
            };
            let Some(key) = self.key(&value) else { continue };
            let is_first = !seen.contains(&key);
            let sum = lines::sum_of(&row.order, line.as_ref(), worth, is_first);
            self.cell(bucket, &key).sales.merge(&sum);
            if is_first {
                seen.push(key);
            }
        }
    }

    fn add_costs(&mut self) {
        let (plan, reader, cells) = (self.plan, self.reader, &mut self.cells);
        for (at, bucket) in plan.buckets.iter().enumerate() {
            costs::add(plan, self.site, bucket, &mut |values, cost| {
                let key = values.iter().map(|value| reader.symbols.of(value)).collect();
                cells.entry((at, key)).or_default().costs.add(cost);
            });
        }
    }

    /// Persons active in the five minutes up to the end of each row, or up to now.
    fn add_concurrent(&mut self) {
        let (site, reader, now_ms) = (self.site, self.reader, self.plan.now_ms);
        let ends: Vec<i64> =
            self.plan.buckets.iter().map(|bucket| bucket.range.to_ms.min(now_ms)).collect();
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return };
        let from_ms = first - CONCURRENT_MS + 1;
        let earliest_ms = from_ms.saturating_sub(site.longest_session_ms);
        for (_, row) in site.sessions.range((earliest_ms, 0)..=(*last, u32::MAX)) {
            if row.end_ms < from_ms {
                continue;
            }
            let Some(key) = self.key(&|by| reader.of_session(row, by)) else { continue };
            for entry in site.entries_of(row) {
                let at_ms = entry.occurred_at_ms;
                let begin = ends.partition_point(|end| *end < at_ms);
                let end = ends.partition_point(|end| *end < at_ms + CONCURRENT_MS);
                for bucket in begin..end {
                    self.cell(bucket, &key).concurrent.insert(row.person);
                }
            }
        }
    }
}

/// Experiment and variant of what somebody had seen; one pair of nothing where nobody asks.
fn seen_by(
    exposures: Option<&Exposures>,
    person: Option<u32>,
    until_ms: i64,
) -> SmallVec<[[Symbol; 2]; 2]> {
    match exposures {
        None => SmallVec::from_slice(&[[Symbols::NONE; 2]]),
        Some(exposures) => exposures.of(person, until_ms).collect(),
    }
}

fn shown_as([experiment, variant]: [Symbol; 2], by: Dimension) -> Option<Symbol> {
    match by {
        Dimension::Experiment => Some(experiment),
        Dimension::Variant => Some(variant),
        _ => None,
    }
}

/// The rows of a plan that is answered row by row.
///
/// # Errors
/// If they are too many.
pub fn run(plan: &Plan, site: &SiteView) -> Result<Vec<Row>, QueryError> {
    let (cells, symbols) = cells(plan, site);
    let mut keys: BTreeMap<Vec<Arc<str>>, &Key> = BTreeMap::new();
    for (_, key) in cells.iter().filter(|(_, cell)| cell.is_told(plan)).map(|(place, _)| place) {
        keys.entry(key.iter().map(|symbol| symbols.text(*symbol)).collect()).or_insert(key);
    }
    if plan.buckets.len().saturating_mul(keys.len()) > ROWS_MAX {
        let detail = format!("the answer has more than {ROWS_MAX} rows; take a coarser time");
        return Err(QueryError::TooFine { detail });
    }
    // Rows of time are there however empty, if nothing else tells them apart.
    let nothing = Key::new();
    if keys.is_empty() && plan.dimensions.iter().all(|by| matches!(by, Dimension::Time(_))) {
        keys.insert(Vec::new(), &nothing);
    }
    let empty = Cell::default();
    let mut rows = Vec::new();
    for (at, bucket) in plan.buckets.iter().enumerate() {
        for (texts, key) in &keys {
            let cell = cells.get(&(at, (*key).clone())).unwrap_or(&empty);
            let mut values = texts.iter();
            let dimensions = plan.dimensions.iter().map(|by| match by {
                Dimension::Time(_) => bucket.label.clone(),
                _ => values.next().map(ToString::to_string).unwrap_or_default(),
            });
            let dimensions = dimensions.collect();
            let metrics = plan.metrics.iter().enumerate();
            let values = metrics.map(|(at, metric)| cell.value(at, *metric, plan)).collect();
            rows.push(Row { bucket: at, dimensions, values });
        }
    }
    Ok(rows)
}
