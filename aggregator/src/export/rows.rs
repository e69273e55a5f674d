//! The rows of a list, page by page, from one snapshot.

use std::sync::Arc;

use edgetally_proto::ids::SiteId;
use edgetally_proto::time::HOUR_MS;
use serde_json::{Map, Value, json};

use super::columns::{self, Column};
use crate::calendar::Calendar;
use crate::facts::list::{self, Place};
use crate::facts::{order, session};
use crate::orders::statistics::{self, By, Period};
use crate::presence::Days;
use crate::query::{self, QueryError, request};
use crate::rejects::page as rejects;
use crate::view::{SiteView, View};

/// Rows of a page.
const PAGE: usize = 1_000;
/// Hours are read for so many days at once.
const DAYS_OF_HOURS: i64 = 31;

/// The next page, or none at the end.
pub type Pages = Box<dyn FnMut() -> Result<Option<Vec<Value>>, QueryError> + Send>;

/// Rows with their columns.
pub struct Rows {
    /// What each row has.
    pub columns: &'static [Column],
    /// The rows.
    pub pages: Pages,
}

fn everything(from_ms: i64, to_ms: i64) -> list::Ask {
    list::Ask {
        from_ms,
        to_ms,
        after: None,
        is_newest_first: false,
        limit: PAGE,
        user: None,
        client: None,
        person: None,
        order: None,
        platform: None,
    }
}

/// Rows of a list whose pages say where the next one begins.
fn paged(
    columns: &'static [Column],
    mut ask: list::Ask,
    mut page: impl FnMut(&list::Ask) -> Value + Send + 'static,
) -> Rows {
    let mut is_over = false;
    let pages = move || {
        if is_over {
            return Ok(None);
        }
        let mut answer = page(&ask);
        let next: Option<Place> = answer["next"].as_str().and_then(list::place);
        (ask.after, is_over) = (next, next.is_none());
        Ok(match answer["results"].take() {
            Value::Array(rows) => Some(rows),
            _ => None,
        })
    };
    Rows { columns, pages: Box::new(pages) }
}

/// Sessions that start in a range, by start.
#[must_use]
pub fn sessions(site: Arc<SiteView>, range: (i64, i64), told: session::Told) -> Rows {
    let ask = everything(range.0, range.1);
    paged(columns::SESSIONS, ask, move |ask| list::sessions(&site, ask, &told))
}

/// Orders of a range, by time.
#[must_use]
pub fn orders(site: Arc<SiteView>, range: (i64, i64), told: order::Told) -> Rows {
    let ask = everything(range.0, range.1);
    paged(columns::ORDERS, ask, move |ask| list::orders(&site, ask, &told))
}

/// Daily statistics by order platform, in the order of days. All numbers but counts are texts, so
/// that no reader takes them for binary fractions.
#[must_use]
pub fn daily(site: &SiteView, range: (i64, i64), now_ms: i64) -> Rows {
    let days = &site.zone;
    let span = site.daily.span().unwrap_or((0, 0));
    let first = if range.0 == i64::MIN { span.0 } else { days.day_of(range.0) };
    let last = if range.1 == i64::MAX { span.1 } else { days.day_of(range.1 - 1) };
    let (by, period) = (vec![By::Platform], Period::Day);
    let ask = statistics::Ask { first, last, platform: None, by, period };
    let (rows, _) = statistics::rows(site, &ask, statistics::Page::ALL, now_ms);
    let mut rows: Vec<Value> = rows.iter().map(|row| json!(row)).collect();
    for row in &mut rows {
        let rate = row["cancellation_rate"].take();
        row["cancellation_rate"] = if rate.is_null() { rate } else { rate.to_string().into() };
    }
    let mut rows = rows.into_iter();
    let pages = move || {
        let page: Vec<Value> = rows.by_ref().take(PAGE).collect();
        Ok((!page.is_empty()).then_some(page))
    };
    Rows { columns: columns::DAILY, pages: Box::new(pages) }
}

/// Rejected events of a range, the newest first.
#[must_use]
pub fn rejected(site: Arc<SiteView>, range: (i64, i64)) -> Rows {
    let (from_ms, to_ms) = range;
    let mut ask = rejects::Ask { code: None, from_ms, to_ms, after: None, limit: PAGE };
    let mut is_over = false;
    let pages = move || {
        if is_over {
            return Ok(None);
        }
        let page = rejects::page(&site.rejects, &ask);
        (ask.after, is_over) = (page.next, page.next.is_none());
        Ok(Some(page.rows.iter().map(|row| row.json(&site.zone)).collect()))
    };
    Rows { columns: columns::REJECTS, pages: Box::new(pages) }
}

/// How long the rows of a time series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// A second of event time.
    Second,
    /// A minute.
    Minute,
    /// A local hour.
    Hour,
    /// A local day.
    Day,
    /// A local week, from Monday.
    Week,
    /// A local month.
    Month,
}

impl Interval {
    const ALL: [(&'static str, Self); 6] = [
        ("second", Self::Second),
        ("minute", Self::Minute),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
    ];

    /// The interval with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, interval)| interval)
    }

    fn dimension(self) -> String {
        let name = Self::ALL.into_iter().find(|(_, known)| *known == self);
        format!("time:{}", name.map_or("", |(name, _)| name))
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Self::Second | Self::Minute | Self::Hour => columns::INSTANTS,
            Self::Day | Self::Week | Self::Month => columns::DATES,
        }
    }

    /// Where the stretch that is read at once ends, a boundary of rows of this length.
    fn end_of_stretch(self, from_ms: i64, zone: &Calendar) -> i64 {
        let midnight = |days: i64| zone.start_of(zone.day_of(from_ms) + days);
        match self {
            Self::Second => (from_ms.div_euclid(HOUR_MS) + 1) * HOUR_MS,
            Self::Minute => midnight(1),
            Self::Hour => midnight(DAYS_OF_HOURS),
            Self::Day | Self::Week | Self::Month => i64::MAX,
        }
    }
}

/// A time series, read by the planner of queries, stretch by stretch.
#[must_use]
pub fn series(
    view: Arc<View>,
    site: SiteId,
    zone: Calendar,
    range: (i64, i64),
    interval: Interval,
    now_ms: i64,
) -> Rows {
    let columns = interval.columns();
    let names: Vec<&str> = columns.iter().skip(1).map(|column| column.name).collect();
    let (mut from_ms, to_ms) = range;
    let pages = move || {
        if from_ms >= to_ms {
            return Ok(None);
        }
        let end_ms = interval.end_of_stretch(from_ms, &zone).min(to_ms);
        let query: request::Request = serde_json::from_value(json!({
            "site_id": site, "metrics": names, "dimensions": [interval.dimension()],
            "date_range": [zone.rfc3339(from_ms), zone.rfc3339(end_ms)],
        }))
        .map_err(|error| QueryError::invalid("query", error.to_string()))?;
        from_ms = end_ms;
        let mut answer = query::answer(&view, &query, now_ms)?;
        let Value::Array(rows) = answer["results"].take() else { return Ok(None) };
        Ok(Some(rows.into_iter().map(|row| named(row, columns)).collect()))
    };
    Rows { columns, pages: Box::new(pages) }
}

/// A row of an answer with its numbers under their names.
fn named(mut row: Value, columns: &[Column]) -> Value {
    let mut members = Map::new();
    let dimensions = row["dimensions"].as_array_mut().into_iter().flatten().map(Value::take);
    let mut values: Vec<Value> = dimensions.collect();
    values.extend(row["metrics"].as_array_mut().into_iter().flatten().map(Value::take));
    for (column, value) in columns.iter().zip(values) {
        members.insert(column.name.to_owned(), value);
    }
    Value::Object(members)
}
