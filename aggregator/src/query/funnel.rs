//! `POST /v1/funnel`: how many sessions, or persons, go through some steps, and where they stop.
//!
//! The steps are activity, in the order of events (time, rank, id). A session counts where it
//! starts, with all of its activity; of a person counts what lies in the range.

mod chunks;
mod path;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use edgetally_proto::event::{Platform, is_activity};
use edgetally_proto::ids::{EventName, SiteId};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use self::path::{Marks, Walk};
use super::QueryError;
use super::buckets::{Bucket, ROWS_MAX};
use super::filter::{self, Filter};
use super::metric::{self, Dimension};
use super::range::{self, DateRange, Range};
use super::report::{json_of, meta};
use super::request::{named, rows_of};
use super::run::Value;
use super::scan::share;
use super::shop::Shop;
use super::visit::Reader;
use crate::people::SessionRow;
use crate::sessionize::{Entry, Line};
use crate::view::{SiteView, View};

/// Most steps of a funnel.
const STEPS_MAX: usize = 20;
/// The steps of a funnel that names none.
const STEPS_DEFAULT: [&str; 4] = ["view_item", "add_to_cart", "begin_checkout", "purchase"];

/// `POST /v1/funnel`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = FunnelQuery)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The site.
    #[schema(value_type = String)]
    pub site_id: SiteId,
    /// When: a word such as `7d`, or `[from, to]`.
    #[schema(value_type = Json)]
    pub date_range: DateRange,
    /// What is to be gone through, 1 to 20 of them: `{event, page}`.
    #[schema(value_type = Vec<Json>)]
    #[serde(default = "default_steps")]
    pub steps: Vec<Step>,
    /// Whether other activity may come between: `sequential` or `strict`.
    #[schema(value_type = String)]
    #[serde(default)]
    pub order: Order,
    /// Who goes through: `session` or `person`.
    #[schema(value_type = String)]
    #[serde(default)]
    pub scope: Scope,
    /// What to break it down by: `visit:*`, and one of `time:*`.
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// Which sessions' activity to look at, by `visit:*`.
    #[serde(default)]
    pub filters: Vec<Json>,
}

/// One step: an activity of a name, on a page if one is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Name of the event.
    pub event: String,
    /// Path of its page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

fn default_steps() -> Vec<Step> {
    STEPS_DEFAULT.map(|event| Step { event: event.to_owned(), page: None }).into()
}

/// Whether other activity may come between two steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// It may.
    #[default]
    Sequential,
    /// It may not.
    Strict,
}

/// Who goes through a funnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Sessions that start in the range.
    #[default]
    Session,
    /// Persons, with their activity in the range.
    Person,
}

/// A funnel that can be answered.
#[derive(Debug)]
struct Plan<'a> {
    query: &'a Request,
    dimensions: Vec<Dimension>,
    filter: Option<Filter>,
    range: Range,
    buckets: Vec<Bucket>,
}

impl Plan<'_> {
    /// The dimensions beside time.
    fn visits(&self) -> impl Iterator<Item = &Dimension> {
        self.dimensions.iter().filter(|by| matches!(by, Dimension::Visit(_)))
    }

    fn bucket_of(&self, at_ms: i64) -> usize {
        self.buckets.partition_point(|bucket| bucket.range.to_ms <= at_ms)
    }
}

/// Where somebody is counted: the bucket, and the values of the dimensions beside time.
type Key = (usize, Vec<String>);

/// For each step, how many got so far.
type Counts = Vec<i64>;

/// Reads a funnel and answers it.
///
/// # Errors
/// If it is wrong or cannot be answered exactly.
pub fn answer(view: &View, query: &Request, now_ms: i64) -> Result<Json, QueryError> {
    let (site, _) = super::site_of(view, &query.site_id)?;
    let plan = plan(query, &site, now_ms)?;
    let counts = count(&plan, &site);
    let groups = rows(&plan, &counts)?;
    let mut totals = vec![0; query.steps.len()];
    counts.values().for_each(|counts| add(&mut totals, counts));
    let mut echo = serde_json::to_value(query).unwrap_or_default();
    let ends = [plan.range.from_ms, plan.range.to_ms];
    echo["date_range"] = json!(ends.map(|ms| site.zone.rfc3339(ms)));
    let mut answer = json!({"steps": steps_json(&plan, &totals), "query": echo});
    if !plan.dimensions.is_empty() {
        answer["results"] = groups.into();
    }
    answer["meta"] = meta(view, &site, now_ms);
    Ok(answer)
}

fn plan<'a>(query: &'a Request, site: &SiteView, now_ms: i64) -> Result<Plan<'a>, QueryError> {
    check_steps(&query.steps)?;
    let dimensions = named(&query.dimensions, "dimensions", metric::dimension)?;
    let filter = filter::parse(&query.filters)?;
    let asked = filter.as_ref().map(Filter::dimensions).unwrap_or_default();
    let (by, with) = (dimensions.iter(), asked.iter());
    let by = by.filter(|by| !matches!(by, Dimension::Visit(_) | Dimension::Time(_)));
    let with = with.filter(|by| !matches!(by, Dimension::Visit(_)));
    let wrong = by.map(|by| ("by", by)).chain(with.map(|by| ("with a filter on", by))).next();
    if let Some((how, by)) = wrong {
        let detail = format!("a funnel cannot be had {how} {}", metric::name_of(*by));
        return Err(QueryError::Unsupported { detail });
    }
    let range = range::resolve(&query.date_range, site, now_ms)?;
    let buckets = rows_of(&dimensions, range, &site.zone)?;
    Ok(Plan { query, dimensions, filter, range, buckets })
}

fn check_steps(steps: &[Step]) -> Result<(), QueryError> {
    if steps.is_empty() || steps.len() > STEPS_MAX {
        return Err(QueryError::invalid("steps", format!("name 1 to {STEPS_MAX} steps")));
    }
    for (at, Step { event, .. }) in steps.iter().enumerate() {
        let Ok(name) = EventName::parse(event) else {
            let detail = format!("{event:?} cannot be the name of an event");
            return Err(QueryError::invalid(format!("steps[{at}].event"), detail));
        };
        if !is_activity(&name, Platform::Web, false, false) {
            let detail = format!("a step cannot be {event}, which is nobody's activity");
            return Err(QueryError::Unsupported { detail });
        }
    }
    Ok(())
}

fn add(sum: &mut Counts, more: &Counts) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

fn count(plan: &Plan<'_>, site: &SiteView) -> BTreeMap<Key, Counts> {
    let mut counter = Counter {
        plan,
        site,
        reader: Reader::new(site, &Shop::default()),
        marks: Marks::new(site, &plan.query.steps),
        counts: BTreeMap::new(),
    };
    match plan.query.scope {
        Scope::Session => counter.count_chunks(),
        Scope::Person => counter.count_persons(),
    }
    counter.counts
}

struct Counter<'a> {
    plan: &'a Plan<'a>,
    site: &'a SiteView,
    reader: Reader<'a>,
    marks: Marks<'a>,
    counts: BTreeMap<Key, Counts>,
}

impl Counter<'_> {
    fn text(&self, row: &SessionRow, by: Dimension) -> String {
        self.reader.symbols.text(self.reader.of_session(row, by)).to_string()
    }

    fn passes(&self, row: &SessionRow) -> bool {
        let value = |by: Dimension| self.text(row, by);
        self.plan.filter.as_ref().is_none_or(|filter| filter.passes(&value))
    }

    /// Counts the sessions that start between two instants.
    fn count_rows(&mut self, from_ms: i64, to_ms: i64) {
        let site = self.site;
        for (_, row) in site.sessions.range((from_ms, 0)..(to_ms, 0)) {
            if !self.passes(row) {
                continue;
            }
            let walk = self.walk(site.entries_of(row).iter());
            self.note(walk.depth, row.start_ms, Some(row));
        }
    }

    fn count_persons(&mut self) {
        let Range { from_ms, to_ms } = self.plan.range;
        let site = self.site;
        for line in site.all_lines() {
            let before = |ms: i64| move |entry: &Entry| entry.occurred_at_ms < ms;
            let entries = line.entries();
            let (first, end) =
                (entries.partition_point(before(from_ms)), entries.partition_point(before(to_ms)));
            let mut places: Vec<usize> = (first..end).collect();
            if self.plan.filter.is_some() {
                places.retain(|at| row_of(site, &line, *at).is_some_and(|row| self.passes(row)));
            }
            let walk = self.walk(places.iter().filter_map(|at| entries.get(*at)));
            let entered = walk.entered.and_then(|at| places.get(at).copied());
            if let Some((at, entry)) = entered.and_then(|at| Some((at, entries.get(at)?))) {
                self.note(walk.depth, entry.occurred_at_ms, row_of(site, &line, at));
            }
        }
    }

    fn walk<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> Walk {
        let marks = entries.map(|entry| self.marks.of(entry.record)).collect::<Vec<_>>();
        path::walk(&marks, self.plan.query.steps.len(), self.plan.query.order)
    }

    /// Counts somebody who went so many steps, under the dimensions of a session.
    fn note(&mut self, depth: usize, at_ms: i64, row: Option<&SessionRow>) {
        if depth == 0 {
            return;
        }
        let bucket = self.plan.bucket_of(at_ms);
        let value = |by: &Dimension| row.map(|row| self.text(row, *by));
        let values = self.plan.visits().map(|by| value(by).unwrap_or_default()).collect();
        let steps = self.plan.query.steps.len();
        let counts = self.counts.entry((bucket, values)).or_insert_with(|| vec![0; steps]);
        counts.iter_mut().take(depth).for_each(|count| *count += 1);
    }
}

/// The session of the activity at a place of a person's line.
fn row_of<'a>(site: &'a SiteView, line: &Line, place: usize) -> Option<&'a SessionRow> {
    let session = line.sessions().get(line.session_with(place)?)?;
    let start_ms = line.entries().get(session.first)?.occurred_at_ms;
    site.sessions.get(&(start_ms, session.record)).map(AsRef::as_ref)
}

/// The rows of a breakdown: by time first, then the largest first.
fn rows(plan: &Plan<'_>, counts: &BTreeMap<Key, Counts>) -> Result<Vec<Json>, QueryError> {
    let mut values: BTreeMap<&Vec<String>, i64> = BTreeMap::new();
    for ((_, key), counts) in counts {
        *values.entry(key).or_default() += counts.first().copied().unwrap_or_default();
    }
    let mut keys: Vec<(&Vec<String>, i64)> = values.into_iter().collect();
    keys.sort_by_key(|(_, entered)| std::cmp::Reverse(*entered));
    let nothing = Vec::new();
    if keys.is_empty() && plan.dimensions.iter().all(|by| matches!(by, Dimension::Time(_))) {
        keys.push((&nothing, 0));
    }
    if plan.buckets.len().saturating_mul(keys.len()) > ROWS_MAX {
        let detail = format!("the answer has more than {ROWS_MAX} rows; take a coarser time");
        return Err(QueryError::TooFine { detail });
    }
    let empty = vec![0; plan.query.steps.len()];
    let mut rows = Vec::new();
    for (at, bucket) in plan.buckets.iter().enumerate() {
        for (key, _) in &keys {
            let mut values = key.iter();
            let dimensions = plan.dimensions.iter().map(|by| match by {
                Dimension::Time(_) => bucket.label.clone(),
                _ => values.next().cloned().unwrap_or_default(),
            });
            let dimensions: Vec<String> = dimensions.collect();
            let counts = counts.get(&(at, (*key).clone())).unwrap_or(&empty);
            rows.push(json!({"dimensions": dimensions, "steps": steps_json(plan, counts)}));
        }
    }
    Ok(rows)
}

fn steps_json(plan: &Plan<'_>, counts: &Counts) -> Vec<Json> {
    let percent =
        |part: i64, of: Option<&i64>| json_of(&Value::Percent(of.and_then(|of| share(part, *of))));
    let steps = plan.query.steps.iter().zip(counts).enumerate();
    let step = |(at, (step, count)): (usize, (&Step, &i64))| {
        let before = at.checked_sub(1).and_then(|before| counts.get(before));
        let mut told = json!({
            "event": step.event,
            "count": count,
            "conversion_from_previous": percent(*count, before),
            "conversion_from_first": percent(*count, counts.first()),
        });
        if let Some(page) = &step.page {
            told["page"] = json!(page);
        }
        told
    };
    steps.map(step).collect()
}
