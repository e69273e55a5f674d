//! Sets the rows of an answer beside those of an earlier stretch of time.
//!
//! What runs is compared with the same part of the earlier stretch, so that a morning is not set
//! against a whole day.

use std::collections::HashMap;

use edgetally_proto::money::Currency;
use edgetally_proto::time::SECOND_MS;
use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::QueryError;
use super::buckets::Bucket;
use super::metric::{Dimension, Metric};
use super::range::{self, DateRange, Range};
use super::report::{bounds_of, converted, hundredths, json_of};
use super::request::{self, Plan};
use super::run::{self, Row, Value, half_even};
use crate::calendar::Calendar;
use crate::view::SiteView;

const FIELD: &str = "include.comparison";

/// `include.comparison`, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a comparison is previous_period, year_over_year or [from, to]")]
pub enum Comparison {
    /// A stretch that follows from the range of the query.
    Named(Named),
    /// `[from, to]`, as in `date_range`.
    Between([String; 2]),
}

/// Stretches that follow from the range of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// As long as the range, and right before it.
    PreviousPeriod,
    /// The same dates a year before.
    YearOverYear,
}

/// How far the earlier stretch lies back.
#[derive(Debug, Clone, Copy)]
enum Shift {
    /// In dates; times of day stay, counted from the day's beginning.
    Dates(Span),
    /// In milliseconds.
    Exact(i64),
}

impl Shift {
    fn back(self, ms: i64, zone: &Calendar) -> Option<i64> {
        match self {
            Self::Exact(by) => ms.checked_sub(by),
            Self::Dates(span) => {
                let date = zone.date_of(ms);
                let to = date.checked_sub(span).ok()?;
                let end = zone.start_of_date(to.tomorrow().ok()?);
                Some((zone.start_of_date(to) + ms - zone.start_of_date(date)).min(end))
            }
        }
    }
}

fn out_of_reach() -> QueryError {
    QueryError::invalid(FIELD, "the earlier stretch lies before all calendars")
}

/// How far back the range before a range lies: months for months, days for days, else as long as
/// it is.
fn previous(range: Range, said: &DateRange, zone: &Calendar) -> Shift {
    let exact = Shift::Exact(range.to_ms - range.from_ms);
    let first = zone.date_of(range.from_ms);
    let last = zone.date_of(range.to_ms.saturating_sub(1).max(range.from_ms));
    let days = || Shift::Dates(Span::new().days(day_number(last) - day_number(first) + 1));
    match said {
        DateRange::Named(name) if name == "month" || name.ends_with("mo") => {
            let of = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month());
            Shift::Dates(Span::new().months(of(last) - of(first) + 1))
        }
        DateRange::Named(name) if name == "realtime" || name.ends_with('h') => exact,
        DateRange::Named(_) => days(),
        DateRange::Between([from, _]) if range::is_date(from) => days(),
        DateRange::Between(_) => exact,
    }
}

fn day_number(date: Date) -> i64 {
    let since = date.since(jiff::civil::date(1970, 1, 1));
    since.map_or(0, |span| i64::from(span.get_days()))
}

/// The end of a range at which nothing has happened yet.
fn clock(now_ms: i64) -> i64 {
    now_ms.div_euclid(SECOND_MS) * SECOND_MS + SECOND_MS
}

/// An earlier stretch.
#[derive(Debug, Clone, Copy)]
struct Earlier {
    shift: Shift,
    /// All of it, as if the range of the query were over.
    whole: Range,
    /// The part of it that the range of the query has reached.
    reached: Range,
}

fn earlier(
    comparison: &Comparison,
    said: &DateRange,
    plan: &Plan,
    site: &SiteView,
) -> Result<Earlier, QueryError> {
    let (range, zone) = (plan.range, &site.zone);
    let back = |shift: Shift, ms: i64| shift.back(ms, zone).ok_or_else(out_of_reach);
    let (shift, whole) = match comparison {
        Comparison::Between(ends) => {
            let wanted = DateRange::Between(ends.clone());
            let whole = range::resolve(&wanted, site, plan.now_ms).map_err(in_comparison)?;
            let by_dates = range::is_date(&ends[0]) && begins_a_day(range.from_ms, zone);
            let days = |ms: i64| day_number(zone.date_of(ms));
            let shift = if by_dates {
                Shift::Dates(Span::new().days(days(range.from_ms) - days(whole.from_ms)))
            } else {
                Shift::Exact(range.from_ms - whole.from_ms)
            };
            (shift, whole)
        }
        Comparison::Named(named) => {
            let shift = match named {
                Named::PreviousPeriod => previous(range, said, zone),
                Named::YearOverYear => Shift::Dates(Span::new().years(1)),
            };
            let from_ms = back(shift, range.from_ms)?;
            let to_ms = back(shift, range.to_ms)?.max(from_ms);
            // A month is not compared with a part of itself, however short the one before was.
            (shift, Range { from_ms, to_ms: to_ms.min(range.from_ms.max(from_ms)) })
        }
    };
    let now = clock(plan.now_ms);
    let mut reached = whole;
    if (range.from_ms..range.to_ms).contains(&now) {
        reached.to_ms = back(shift, now)?.clamp(whole.from_ms, whole.to_ms);
    }
    Ok(Earlier { shift, whole, reached })
}

fn begins_a_day(ms: i64, zone: &Calendar) -> bool {
    zone.start_of_date(zone.date_of(ms)) == ms
}

fn in_comparison(error: QueryError) -> QueryError {
    match error {
        QueryError::Invalid { detail, .. } => QueryError::invalid(FIELD, detail),
        QueryError::TooFine { .. } => QueryError::TooFine {
            detail: "instants in include.comparison must be whole seconds".to_owned(),
        },
        other => other,
    }
}

/// The rows of time of an earlier stretch, each at the place of the row that it is set beside.
fn rows_beside(earlier: &Earlier, plan: &Plan, zone: &Calendar) -> Result<Vec<Bucket>, QueryError> {
    if !plan.dimensions.iter().any(|by| matches!(by, Dimension::Time(_))) {
        return Ok(vec![Bucket { range: earlier.reached, label: String::new() }]);
    }
    let now = clock(plan.now_ms);
    let mut rows = request::rows_of(&plan.dimensions, earlier.whole, zone)?;
    rows.truncate(plan.buckets.len());
    for (row, beside) in rows.iter_mut().zip(&plan.buckets) {
        if (beside.range.from_ms..beside.range.to_ms).contains(&now) {
            let to_ms = earlier.shift.back(now, zone).ok_or_else(out_of_reach)?;
            row.range.to_ms = to_ms.clamp(row.range.from_ms, row.range.to_ms);
        }
    }
    Ok(rows)
}

/// The rows of an earlier stretch, by their place in time and their other dimensions.
#[derive(Debug)]
pub struct Compared {
    range: Range,
    buckets: Vec<Bucket>,
    rows: HashMap<(usize, Vec<String>), Vec<Value>>,
    now_ms: i64,
}

/// Answers a plan for the earlier stretch.
///
/// # Errors
/// If there is no such stretch, or it has too many rows.
pub fn compare(
    comparison: &Comparison,
    said: &DateRange,
    plan: &Plan,
    site: &SiteView,
) -> Result<Compared, QueryError> {
    let earlier = earlier(comparison, said, plan, site)?;
    let buckets = rows_beside(&earlier, plan, &site.zone)?;
    let range = earlier.reached;
    let then = Plan { range, buckets: buckets.clone(), ..plan.clone() };
    let rows = run::run(&then, site)?.into_iter();
    let rows = rows.map(|row| ((row.bucket, others(plan, &row.dimensions)), row.values)).collect();
    Ok(Compared { range, buckets, rows, now_ms: plan.now_ms })
}

/// The values of a row's dimensions beside time.
fn others(plan: &Plan, values: &[String]) -> Vec<String> {
    let all = plan.dimensions.iter().zip(values);
    all.filter(|(by, _)| !matches!(by, Dimension::Time(_)))
        .map(|(_, value)| value.clone())
        .collect()
}

impl Compared {
    /// The stretch as reports show ranges.
    #[must_use]
    pub fn range(&self, zone: &Calendar) -> Json {
        json!([zone.rfc3339(self.range.from_ms), zone.rfc3339(self.range.to_ms)])
    }

    /// The row beside a row: its dimensions and values; none where the earlier stretch has no such
    /// row of time.
    #[must_use]
    pub fn row_beside(&self, row: &Row, plan: &Plan) -> Option<(Vec<String>, Vec<Value>)> {
        let bucket = self.buckets.get(row.bucket)?;
        let found = self.rows.get(&(row.bucket, others(plan, &row.dimensions)));
        let pairs = plan.metrics.iter().zip(&row.values).enumerate();
        let values = pairs.map(|(at, (metric, now))| {
            let then = found.and_then(|values| values.get(at)).cloned();
            then.unwrap_or_else(|| nothing(*metric, now, plan.currency))
        });
        let named = plan.dimensions.iter().zip(&row.dimensions);
        let dimensions = named.map(|(by, value)| match by {
            Dimension::Time(_) => bucket.label.clone(),
            _ => value.clone(),
        });
        Some((dimensions.collect(), values.collect()))
    }

    /// What is set beside a row; null where the earlier stretch has no such row of time.
    #[must_use]
    pub fn beside(&self, row: &Row, plan: &Plan, with_bounds: bool) -> Json {
        let Some((dimensions, values)) = self.row_beside(row, plan) else { return Json::Null };
        let now_row = plan.buckets.get(row.bucket);
        let is_begun = now_row.is_some_and(|now_row| now_row.range.from_ms < clock(self.now_ms));
        let metrics: Vec<Json> = values.iter().map(json_of).collect();
        let pairs = plan.metrics.iter().zip(&row.values).zip(&values);
        let change = pairs.map(
            |((metric, now), then)| {
                if is_begun { change(*metric, now, then) } else { Json::Null }
            },
        );
        let change: Vec<Json> = change.collect();
        let mut beside = json!({"dimensions": dimensions, "metrics": metrics, "change": change});
        if !plan.rates.is_empty() && plan.metrics.iter().any(|by| by.is_money()) {
            beside["converted"] = converted(plan, &values);
        }
        if with_bounds {
            beside["bounds"] = values.iter().map(bounds_of).collect();
        }
        beside
    }
}

/// The value of a row in which nothing happened, of the kind of another value.
fn nothing(metric: Metric, like: &Value, currency: Currency) -> Value {
    match like {
        Value::Count(_) | Value::About(_) => Value::Count(0),
        Value::Percent(_) => Value::Percent(None),
        Value::Quantile(_) => Value::Quantile(None),
        Value::Money(_) if metric == Metric::Aov => Value::Money(None),
        Value::Money(_) => Value::Money(Some(vec![(currency, 0)])),
    }
}

/// How much a number has grown, in percent of what it was, or in points where it is a share.
#[must_use]
pub fn change(metric: Metric, now: &Value, then: &Value) -> Json {
    if let (Value::Money(now), Value::Money(then)) = (now, then) {
        let (Some(now), Some(then)) = (now, then) else { return Json::Null };
        return change_of_money(now, then);
    }
    let (Some(now), Some(then)) = (number(now), number(then)) else { return Json::Null };
    if metric.is_share() {
        return hundredths(now - then);
    }
    growth(now, then)
}

/// Each currency by itself, in the order of the newer amounts.
fn change_of_money(now: &[(Currency, i128)], then: &[(Currency, i128)]) -> Json {
    let gone = then.iter().filter(|(code, _)| now.iter().all(|(known, _)| known != code));
    let all = now.iter().copied().chain(gone.map(|(code, _)| (*code, 0)));
    all.map(|(code, minor)| {
        let before = then.iter().find(|(known, _)| *known == code).map_or(0, |(_, minor)| *minor);
        json!({"currency": code.code(), "change": growth(minor, before)})
    })
    .collect()
}

fn growth(now: i128, then: i128) -> Json {
    if then == 0 { Json::Null } else { hundredths(half_even(10_000 * (now - then), then.abs())) }
}

/// The number that a value tells; none if it is undefined or money.
#[must_use]
pub fn number(value: &Value) -> Option<i128> {
    match value {
        Value::Count(count) => Some(i128::from(*count)),
        Value::Percent(percent) => percent.map(i128::from),
        Value::About(estimate) => Some(i128::from(estimate.value)),
        Value::Quantile(quantile) => quantile.map(|(between, _)| i128::from(between.middle())),
        Value::Money(_) => None,
    }
}
