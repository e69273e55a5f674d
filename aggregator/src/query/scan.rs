//! Sums over sessions and orders, row by row: whatever is broken down or filtered by a visit or an
//! order.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::QueryError;
use super::buckets::{Bucket, ROWS_MAX};
use super::costs::{self, Costs};
use super::metric::{Dimension, Metric};
use super::request::Plan;
use super::run::{Row, Value, half_even, mean_of, money_of};
use super::visit::Reader;
use crate::orders::sales::{Sum, Takings};
use crate::people::SessionRow;
use crate::presence::PersonId;
use crate::sessionize::Why;
use crate::view::SiteView;

/// The sums of one row of an answer.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    sessions: i64,
    /// Sessions of one activity.
    bounces: i64,
    duration_ms: i64,
    views: i64,
    /// Sessions in which something was ordered.
    converted: i64,
    /// Persons whose first activity of all it is.
    pub new_visitors: i64,
    visitors: FxHashSet<PersonId>,
    sales: Sum,
    costs: Costs,
}

/// Sums by the values of the dimensions beside time.
pub type Cells = BTreeMap<Vec<String>, Cell>;

impl Cell {
    /// A cell of orders alone.
    #[must_use]
    pub fn of(sales: &Sum) -> Self {
        Self { sales: sales.clone(), ..Self::default() }
    }

    fn add(&mut self, site: &SiteView, row: &SessionRow) {
        self.sessions += 1;
        self.bounces += i64::from(row.events == 1);
        self.duration_ms += row.end_ms - row.start_ms;
        self.views += i64::from(row.pageviews);
        self.converted += i64::from(site.orders_of(row.record).next().is_some());
        self.new_visitors += i64::from(row.why == Why::FIRST);
    }

    /// The number of a metric.
    #[must_use]
    pub fn value(&self, metric: Metric, plan: &Plan) -> Value {
        let mean = |sum: i64, unit: i128| {
            let of = i128::from(self.sessions) * unit;
            (of > 0).then(|| ratio(100 * i128::from(sum), of))
        };
        let visitors = i64::try_from(self.visitors.len()).unwrap_or(i64::MAX);
        let money =
            |of: fn(&Takings) -> i128| Value::Money(Some(money_of(&self.sales, plan.currency, of)));
        match metric {
            Metric::Sessions => Value::Count(self.sessions),
            Metric::BounceRate => Value::Percent(share(self.bounces, self.sessions)),
            Metric::ConversionRate => Value::Percent(share(self.converted, self.sessions)),
            Metric::SessionDuration => Value::Percent(mean(self.duration_ms, 1_000)),
            Metric::ViewsPerSession => Value::Percent(mean(self.views, 1)),
            Metric::Visitors => Value::Count(visitors),
            Metric::NewVisitors => Value::Count(self.new_visitors),
            Metric::ReturningVisitors => Value::Count(visitors - self.new_visitors),
            Metric::Orders => Value::Count(self.sales.orders),
            Metric::OrdersPending => Value::Count(self.sales.pending),
            Metric::Units => Value::Count(self.sales.units),
            Metric::Revenue => money(|takings| takings.minor),
            Metric::Refunds => money(|takings| takings.refunds),
            Metric::NetRevenue => money(|takings| takings.minor - takings.refunds),
            Metric::Gmv => money(|takings| takings.gmv),
            Metric::Nmv => money(|takings| takings.nmv),
            Metric::Cost => Value::Money(Some(self.costs.money(plan.currency))),
            Metric::Roas => {
                let revenue = money_of(&self.sales, plan.currency, |takings| takings.minor);
                Value::Percent(costs::roas(&revenue, &self.costs, &plan.rates))
            }
            Metric::Aov => Value::Money(mean_of(&self.sales, plan.currency)),
            _ => Value::Count(0),
        }
    }
}

/// Hundredths of a percent that a part is of a whole; none of nothing.
#[must_use]
pub fn share(part: i64, of: i64) -> Option<i64> {
    (of > 0).then(|| ratio(10_000 * i128::from(part), i128::from(of)))
}

fn ratio(part: i128, of: i128) -> i64 {
    i64::try_from(half_even(part, of)).unwrap_or(i64::MAX)
}

/// The sums of one bucket.
#[must_use]
pub fn cells(plan: &Plan, site: &SiteView, bucket: &Bucket) -> Cells {
    let reader = Reader::new(site);
    let keys: Vec<Dimension> =
        plan.dimensions.iter().copied().filter(|by| !matches!(by, Dimension::Time(_))).collect();
    let mut cells = Cells::new();
    if plan.metrics.iter().any(|metric| metric.is_of_sessions() || metric.is_of_visitors()) {
        add_sessions(plan, site, bucket, &reader, &keys, &mut cells);
    }
    if plan.metrics.iter().any(|metric| metric.is_of_costs()) {
        costs::add(plan, site, bucket, &mut |key, cost| {
            cells.entry(key).or_default().costs.add(cost);
        });
    }
    let is_of_orders = |metric: &Metric| metric.is_of_orders() || *metric == Metric::Roas;
    if plan.metrics.iter().any(is_of_orders) {
        let (from, to) = ((bucket.range.from_ms, 0), (bucket.range.to_ms, 0));
        for (_, row) in site.orders.range(from..to) {
            let value = |by: Dimension| reader.of_order(row, by);
            if plan.filter.as_ref().is_none_or(|filter| filter.passes(&value)) {
                let key = keys.iter().map(|by| value(*by)).collect();
                cells.entry(key).or_default().sales.add(&row.order, 1);
            }
        }
    }
    cells
}

fn add_sessions(
    plan: &Plan,
    site: &SiteView,
    bucket: &Bucket,
    reader: &Reader<'_>,
    keys: &[Dimension],
    cells: &mut Cells,
) {
    let (from_ms, to_ms) = (bucket.range.from_ms, bucket.range.to_ms);
    let earliest_ms = from_ms.saturating_sub(site.longest_session_ms);
    for (_, row) in site.sessions.range((earliest_ms, 0)..(to_ms, 0)) {
        if row.end_ms < from_ms {
            continue;
        }
        let value = |by: Dimension| reader.of_session(row, by);
        if !plan.filter.as_ref().is_none_or(|filter| filter.passes(&value)) {
            continue;
        }
        let cell = cells.entry(keys.iter().map(|by| value(*by)).collect()).or_default();
        if row.start_ms >= from_ms {
            cell.add(site, row);
        }
        if plan.is_scan() && was_active(site, row, from_ms, to_ms) {
            cell.visitors.insert(row.person);
        }
    }
    if plan.is_scan() {
        cells.retain(|_, cell| cell.sessions > 0 || !cell.visitors.is_empty());
    }
}

/// Whether an activity of a session lies between two instants.
fn was_active(site: &SiteView, row: &SessionRow, from_ms: i64, to_ms: i64) -> bool {
    if row.start_ms >= from_ms || row.end_ms < to_ms {
        return true;
    }
    let line = site.line(row.person);
    let entries = line.entries();
    let first = entries.partition_point(|entry| entry.occurred_at_ms < from_ms);
    entries.get(first).is_some_and(|entry| entry.occurred_at_ms < to_ms)
}

/// The rows of a plan that is answered from sessions and orders alone.
///
/// # Errors
/// If they are too many.
pub fn run(plan: &Plan, site: &SiteView) -> Result<Vec<Row>, QueryError> {
    let all: Vec<Cells> = plan.buckets.iter().map(|bucket| cells(plan, site, bucket)).collect();
    let mut keys: Vec<&Vec<String>> = all.iter().flat_map(BTreeMap::keys).collect();
    let whole = Vec::new();
    if plan.dimensions.iter().all(|by| matches!(by, Dimension::Time(_))) {
        // Of nothing at all there is a row too, as where nothing is filtered.
        keys.push(&whole);
    }
    keys.sort();
    keys.dedup();
    if plan.buckets.len().saturating_mul(keys.len()) > ROWS_MAX {
        let detail = format!("the answer has more than {ROWS_MAX} rows; take a coarser time");
        return Err(QueryError::TooFine { detail });
    }
    let empty = Cell::default();
    let mut rows = Vec::new();
    for (at, (bucket, cells)) in plan.buckets.iter().zip(&all).enumerate() {
        for key in &keys {
            let cell = cells.get(*key).unwrap_or(&empty);
            let mut values = key.iter();
            let dimensions = plan.dimensions.iter().map(|by| match by {
                Dimension::Time(_) => bucket.label.clone(),
                _ => values.next().cloned().unwrap_or_default(),
            });
            let dimensions = dimensions.collect();
            let values = plan.metrics.iter().map(|metric| cell.value(*metric, plan)).collect();
            rows.push(Row { bucket: at, dimensions, values });
        }
    }
    Ok(rows)
}
