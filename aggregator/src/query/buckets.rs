//! Cuts a range into the rows of a time dimension; none is left out, however empty.

use edgetally_proto::time::{MINUTE_MS, SECOND_MS};
use jiff::civil::Date;

use super::QueryError;
use super::metric::Unit;
use super::range::Range;
use crate::calendar::Calendar;

/// Most rows of an answer.
pub const ROWS_MAX: usize = 100_000;

/// One row of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The part of it that lies in the range of the query.
    pub range: Range,
    /// How reports name it.
    pub label: String,
}

/// The rows of a range, in order.
///
/// # Errors
/// If they are too many.
pub fn cut(range: Range, unit: Unit, zone: &Calendar) -> Result<Vec<Bucket>, QueryError> {
    let mut buckets = Vec::new();
    let mut at = range.from_ms;
    while at < range.to_ms {
        if buckets.len() == ROWS_MAX {
            return Err(QueryError::TooFine {
                detail: format!("the range has more than {ROWS_MAX} rows; take a coarser time"),
            });
        }
        let (start, end, label) = around(at, unit, zone);
        // Beyond the calendar's end nothing follows.
        let end = if end > at { end } else { range.to_ms };
        let label = label.unwrap_or_else(|| zone.rfc3339(start));
        buckets.push(Bucket { range: Range { from_ms: at, to_ms: end.min(range.to_ms) }, label });
        at = end;
    }
    Ok(buckets)
}

/// The row around an instant: begin, end, and its name if that is a date.
fn around(ms: i64, unit: Unit, zone: &Calendar) -> (i64, i64, Option<String>) {
    let even = |width: i64| {
        let start = ms.div_euclid(width) * width;
        (start, start + width, None)
    };
    let dates = |first: Date, after: Option<Date>| {
        let end = after.map_or(i64::MAX, |date| zone.start_of_date(date));
        (zone.start_of_date(first), end, Some(first.to_string()))
    };
    let date = zone.date_of(ms);
    let later = |date: Date, span: jiff::Span| date.checked_add(span).ok();
    match unit {
        Unit::Second => even(SECOND_MS),
        Unit::Minute => even(MINUTE_MS),
        Unit::Hour => {
            let (start, end) = zone.hour_of(ms);
            (start, end, None)
        }
        Unit::Day => dates(date, date.tomorrow().ok()),
        Unit::Week => {
            let back = i64::from(date.weekday().to_monday_zero_offset());
            let monday = date.checked_sub(jiff::Span::new().days(back)).unwrap_or(date);
            dates(monday, later(monday, jiff::Span::new().days(7)))
        }
        Unit::Month => {
            let first = date.first_of_month();
            dates(first, later(first, jiff::Span::new().months(1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    fn check(zone: &str, from: &str, to: &str, unit: Unit, expected: &[(&str, i64)]) {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let range = Range { from_ms: at(from), to_ms: at(to) };
        let buckets = cut(range, unit, &Zone::parse(zone).unwrap().into()).unwrap();
        let said: Vec<(&str, i64)> = buckets
            .iter()
            .map(|b| (b.label.as_str(), (b.range.to_ms - b.range.from_ms) / 60_000))
            .collect();
        assert_eq!(said, expected);
        let ends = buckets.windows(2).all(|pair| pair[0].range.to_ms == pair[1].range.from_ms);
        assert!(ends && buckets[0].range.from_ms == range.from_ms);
    }

    #[test]
    fn hours_are_local_and_clipped_to_the_range() {
        check(
            "Asia/Kolkata",
            "2026-03-02T00:00:00Z",
            "2026-03-02T02:00:00Z",
            Unit::Hour,
            &[
                ("2026-03-02T05:00:00.000+05:30", 30),
                ("2026-03-02T06:00:00.000+05:30", 60),
                ("2026-03-02T07:00:00.000+05:30", 30),
            ],
        );
    }

    #[test]
    fn the_day_of_the_change_has_25_hours() {
        let zone = Calendar::from(Zone::parse("Europe/Berlin").unwrap());
        let day: Date = "2026-10-25".parse().unwrap();
        let range = Range {
            from_ms: zone.start_of_date(day),
            to_ms: zone.start_of_date(day.tomorrow().unwrap()),
        };
        let hours = cut(range, Unit::Hour, &zone).unwrap();
        assert_eq!(hours.len(), 25);
        assert_eq!(hours[2].label, "2026-10-25T02:00:00.000+02:00");
        assert_eq!(hours[3].label, "2026-10-25T02:00:00.000+01:00");
        assert_eq!(cut(range, Unit::Day, &zone).unwrap().len(), 1);
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let (from, to) = ("2026-03-01T00:00:00Z", "2026-03-10T00:00:00Z");
        check(
            "UTC",
            from,
            to,
            Unit::Week,
            &[("2026-02-23", 1_440), ("2026-03-02", 7 * 1_440), ("2026-03-09", 1_440)],
        );
        check(
            "UTC",
            "2026-02-27T00:00:00Z",
            "2026-03-02T00:00:00Z",
            Unit::Month,
            &[("2026-02-01", 2 * 1_440), ("2026-03-01", 1_440)],
        );
    }

    #[test]
    fn too_many_rows_are_refused() {
        let range = Range { from_ms: 0, to_ms: 200_000_000_000 };
        assert!(matches!(
            cut(range, Unit::Second, &Calendar::default()),
            Err(QueryError::TooFine { .. })
        ));
    }
}
