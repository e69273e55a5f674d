//! The stretch of time that a query is about.

use jiff::civil::{Date, DateTime};
use serde::Deserialize;

use edgetally_proto::time::{HOUR_MS, SECOND_MS};

use super::QueryError;
use crate::calendar::Calendar;
use crate::view::SiteView;

const FIELD: &str = "date_range";
/// How far back `realtime` looks.
const REALTIME_MS: i64 = 5 * 60 * SECOND_MS;
const MONTHS_MAX: i32 = 1_200;
const DAYS_MAX: i32 = 36_600;
const HOURS_MAX: i64 = 24 * 366;

/// As written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(untagged)]
pub enum DateRange {
    /// `"day"`, `"7d"`, `"24h"`, `"month"`, `"12mo"`, `"realtime"`, `"all"`.
    Named(String),
    /// `[from, to]`: local dates, both in, or instants, half-open.
    Between([String; 2]),
}

/// Half-open, in whole seconds of epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first instant in it.
    pub from_ms: i64,
    /// The first instant after it.
    pub to_ms: i64,
}

fn invalid(detail: impl Into<String>) -> QueryError {
    QueryError::invalid(FIELD, detail)
}

/// Works out what a range means now.
///
/// # Errors
/// If it is none, ends before it begins, or is finer than a second.
pub fn resolve(range: &DateRange, site: &SiteView, now_ms: i64) -> Result<Range, QueryError> {
    let range = match range {
        DateRange::Named(name) => named(name, site, now_ms)?,
        DateRange::Between([from, to]) => between(from, to, &site.zone)?,
    };
    if range.from_ms > range.to_ms {
        return Err(invalid("it ends before it begins"));
    }
    if range.from_ms % SECOND_MS != 0 || range.to_ms % SECOND_MS != 0 {
        return Err(QueryError::TooFine {
            detail: "instants in date_range must be whole seconds".to_owned(),
        });
    }
    Ok(range)
}

fn days(zone: &Calendar, first: Date, last: Date) -> Range {
    let after = last.tomorrow().unwrap_or(last);
    Range { from_ms: zone.start_of_date(first), to_ms: zone.start_of_date(after) }
}

fn ceiling(ms: i64, width: i64) -> i64 {
    ms.div_euclid(width) * width + width
}

fn named(name: &str, site: &SiteView, now_ms: i64) -> Result<Range, QueryError> {
    let zone = &site.zone;
    let today = zone.date_of(now_ms);
    let back = |span: jiff::Span| {
        today.checked_sub(span).map_err(|_| invalid(format!("{name:?} reaches back too far")))
    };
    match name {
        "day" => return Ok(days(zone, today, today)),
        "month" => {
            let from_ms = zone.start_of_date(today.first_of_month());
            return Ok(Range { from_ms, to_ms: ceiling(now_ms, SECOND_MS) });
        }
        "realtime" => {
            let to_ms = ceiling(now_ms, SECOND_MS);
            return Ok(Range { from_ms: to_ms - REALTIME_MS, to_ms });
        }
        "all" => {
            let (first, last) = site.span_ms().unwrap_or((now_ms, now_ms));
            let last = zone.date_of(last.saturating_sub(1).max(now_ms));
            return Ok(days(zone, zone.date_of(first), last));
        }
        _ => {}
    }
    let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    let (count, unit) = name.split_at(end);
    let count: Option<i32> = count.parse().ok().filter(|count| *count > 0);
    match (count, unit) {
        (Some(count), "d") if count <= DAYS_MAX => {
            Ok(days(zone, back(jiff::Span::new().days(count - 1))?, today))
        }
        (Some(count), "mo") if count <= MONTHS_MAX => {
            let first = back(jiff::Span::new().months(count - 1))?.first_of_month();
            Ok(days(zone, first, today.last_of_month()))
        }
        (Some(count), "h") if i64::from(count) <= HOURS_MAX => {
            let (start, end) = zone.hour_of(now_ms);
            Ok(Range { from_ms: start - i64::from(count) * HOUR_MS, to_ms: end })
        }
        _ => Err(invalid(format!(
            "{name:?} is none of day, Nd, 24h, month, 12mo, realtime, all, [from, to]"
        ))),
    }
}

fn between(from: &str, to: &str, zone: &Calendar) -> Result<Range, QueryError> {
    if let (Ok(first), Ok(last)) = (date(from), date(to)) {
        if first > last {
            return Err(invalid("it ends before it begins"));
        }
        return Ok(days(zone, first, last));
    }
    let instant = |text: &str| instant(text, zone).map_err(invalid);
    Ok(Range { from_ms: instant(from)?, to_ms: instant(to)? })
}

/// What one end of a range names: a local day from start to end, or an instant as both.
///
/// # Errors
/// If it is neither; the text says so.
pub fn end_of_range(text: &str, zone: &Calendar) -> Result<Range, String> {
    if let Ok(day) = date(text) {
        return Ok(days(zone, day, day));
    }
    let at = instant(text, zone)?;
    Ok(Range { from_ms: at, to_ms: at })
}

/// Whether an end of a range is a local date.
#[must_use]
pub fn is_date(text: &str) -> bool {
    date(text).is_ok()
}

/// A plain date. The library would read a date off a longer text too.
fn date(text: &str) -> Result<Date, ()> {
    if text.len() == "2026-01-01".len() { text.parse().map_err(|_| ()) } else { Err(()) }
}

fn instant(text: &str, zone: &Calendar) -> Result<i64, String> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        // Finer than a millisecond is finer than a second all the more.
        let odd = i64::from(timestamp.subsec_nanosecond() % 1_000_000 != 0);
        return Ok(timestamp.as_millisecond() + odd);
    }
    let local = if date(text).is_ok() { None } else { text.parse::<DateTime>().ok() };
    local
        .and_then(|local| zone.instant(local))
        .ok_or_else(|| format!("{text:?} is neither a date nor an instant of RFC 3339"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn range(json: &str) -> Result<Range, QueryError> {
        let zone = Calendar::from(Zone::parse("Asia/Ho_Chi_Minh").unwrap());
        let site = SiteView { zone, ..SiteView::default() };
        let now = at("2026-03-02T10:20:30.400+07:00");
        resolve(&serde_json::from_str(json).unwrap(), &site, now)
    }

    fn check(json: &str, from: &str, to: &str) {
        let expected = Range { from_ms: at(from), to_ms: at(to) };
        assert_eq!(range(json), Ok(expected), "{json}");
    }

    #[test]
    fn every_documented_form_is_read() {
        let day = ["2026-03-02T00:00:00+07:00", "2026-03-03T00:00:00+07:00"];
        check(r#"["2026-03-02", "2026-03-02"]"#, day[0], day[1]);
        check(r#""day""#, day[0], day[1]);
        check(r#""7d""#, "2026-02-24T00:00:00+07:00", day[1]);
        check(r#""24h""#, "2026-03-01T10:00:00+07:00", "2026-03-02T11:00:00+07:00");
        check(r#""month""#, "2026-03-01T00:00:00+07:00", "2026-03-02T10:20:31+07:00");
        check(r#""12mo""#, "2025-04-01T00:00:00+07:00", "2026-04-01T00:00:00+07:00");
        check(r#""realtime""#, "2026-03-02T10:15:31+07:00", "2026-03-02T10:20:31+07:00");
        check(r#""all""#, day[0], day[1]);
        let instants = ["2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z"];
        check(r#"["2026-03-02T00:00:00Z", "2026-03-02T08:00:00+07:00"]"#, instants[0], instants[1]);
        check(r#"["2026-03-02T07:00:00", "2026-03-02T08:00:00"]"#, instants[0], instants[1]);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for json in [
            r#""week""#,
            r#""0d""#,
            r#"["2026-03-02", "2026-03-01"]"#,
            r#"["x", "y"]"#,
            r#"["2026-03-02", "2026-03-02T01:00:00Z"]"#,
            r#""99999999d""#,
            r#"["2026-03-02T01:00:00Z", "2026-03-02T00:00:00Z"]"#,
        ] {
            assert!(matches!(range(json), Err(QueryError::Invalid { .. })), "{json}");
        }
        let fine = r#"["2026-03-02T00:00:00.500Z", "2026-03-02T01:00:00Z"]"#;
        assert!(matches!(range(fine), Err(QueryError::TooFine { .. })));
    }
}
