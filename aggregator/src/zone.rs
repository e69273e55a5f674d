//! The zone of a site: its days, and the offset that reports show.

use std::sync::{Arc, OnceLock};

use edgetally_proto::time::{DAY_MS, EARLIEST_MS, LATEST_MS};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::presence::Days;

/// The rules of an IANA zone, from the table inside the program.
#[derive(Debug, Clone)]
pub struct Zone {
    rules: TimeZone,
    /// The offsets from UTC in milliseconds, each with the instant from which it holds. Every event
    /// asks for its day, so they are looked up once.
    offsets: Arc<OnceLock<Vec<(i64, i64)>>>,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Eq for Zone {}

impl Default for Zone {
    fn default() -> Self {
        Self::of(TimeZone::UTC)
    }
}

/// An instant as the date library counts them; instants beyond its range become its edge.
fn timestamp(ms: i64) -> Timestamp {
    let edge = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(edge)
}

impl Zone {
    fn of(rules: TimeZone) -> Self {
        Self { rules, offsets: Arc::default() }
    }

    /// The offset at an instant, in milliseconds.
    fn offset_ms(&self, ms: i64) -> i64 {
        let plain = |ms: i64| i64::from(self.rules.to_offset(timestamp(ms)).seconds()) * 1_000;
        if !(EARLIEST_MS..LATEST_MS).contains(&ms) {
            return plain(ms);
        }
        let offsets = self.offsets.get_or_init(|| {
            let changes = self.rules.following(timestamp(EARLIEST_MS));
            let at = changes.map(|change| change.timestamp().as_millisecond());
            let from = std::iter::once(EARLIEST_MS).chain(at.take_while(|at| *at < LATEST_MS));
            from.map(|from| (from, plain(from))).collect()
        });
        let place = offsets.partition_point(|(from, _)| *from <= ms);
        place.checked_sub(1).and_then(|at| offsets.get(at)).map_or(0, |(_, offset)| *offset)
    }

    /// The zone with an IANA name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self::of)
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.rules.iana_name().unwrap_or("UTC")
    }

    /// The local date of an instant.
    #[must_use]
    pub fn date_of(&self, ms: i64) -> Date {
        self.rules.to_datetime(timestamp(ms)).date()
    }

    /// When a local date begins: at midnight, or after it where midnight is skipped.
    #[must_use]
    pub fn start_of_date(&self, date: Date) -> i64 {
        let start = date.to_zoned(self.rules.clone()).and_then(|zoned| zoned.start_of_day());
        start.map_or(i64::MAX, |zoned| zoned.timestamp().as_millisecond())
    }

    /// An instant of local wall-clock time; of two the earlier, of none the one after the gap.
    #[must_use]
    pub fn instant(&self, local: jiff::civil::DateTime) -> Option<i64> {
        let zoned = local.to_zoned(self.rules.clone()).ok()?;
        Some(zoned.timestamp().as_millisecond())
    }

    /// The local hour that holds an instant, as the instants at which it begins and ends.
    ///
    /// A change of the clock ends an hour, so a repeated hour is two.
    #[must_use]
    pub fn hour_of(&self, ms: i64) -> (i64, i64) {
        const HOUR: i64 = edgetally_proto::time::HOUR_MS;
        let offset = self.offset_ms(ms);
        let start = (ms + offset).div_euclid(HOUR) * HOUR - offset;
        let before = self.rules.preceding(timestamp(ms + 1)).next();
        let after = self.rules.following(timestamp(ms)).next();
        let at = |change: jiff::tz::TimeZoneTransition<'_>| change.timestamp().as_millisecond();
        let from = before.map_or(start, |change| start.max(at(change)));
        let to = after.map_or(start + HOUR, |change| (start + HOUR).min(at(change)));
        (from, to)
    }

    /// RFC 3339 with three decimals and the zone's offset.
    #[must_use]
    pub fn rfc3339(&self, ms: i64) -> String {
        let offset = self.rules.to_offset(timestamp(ms));
        let local = offset.to_datetime(timestamp(ms));
        let minutes = offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        format!("{local:.3}{sign}{hours:02}:{minutes:02}")
    }
}

fn epoch_date() -> Date {
    jiff::civil::date(1970, 1, 1)
}

impl Days for Zone {
    fn day_of(&self, ms: i64) -> i64 {
        ms.saturating_add(self.offset_ms(ms)).div_euclid(DAY_MS)
    }

    fn start_of(&self, day: i64) -> i64 {
        let span = jiff::Span::new().try_days(day);
        let date = span.and_then(|span| epoch_date().checked_add(span));
        date.map_or(i64::MAX, |date| self.start_of_date(date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = edgetally_proto::time::HOUR_MS;

    fn instant(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn days_follow_the_zone() {
        let zone = Zone::parse("Asia/Ho_Chi_Minh").unwrap();
        assert_eq!(zone.date_of(instant("2026-03-01T17:00:00Z")).to_string(), "2026-03-02");
        assert_eq!(zone.date_of(instant("2026-03-01T16:59:59.999Z")).to_string(), "2026-03-01");
        let day = zone.day_of(instant("2026-03-01T17:00:00Z"));
        assert_eq!(zone.start_of(day), instant("2026-03-01T17:00:00Z"));
        assert_eq!(zone.rfc3339(instant("2026-03-01T17:00:01Z")), "2026-03-02T00:00:01.000+07:00");
    }

    #[test]
    fn days_have_23_or_25_hours_where_clocks_change() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let length =
            |date: Date| zone.start_of_date(date.tomorrow().unwrap()) - zone.start_of_date(date);
        assert_eq!(length(jiff::civil::date(2026, 3, 29)), 23 * HOUR);
        assert_eq!(length(jiff::civil::date(2026, 10, 25)), 25 * HOUR);
    }

    #[test]
    fn a_repeated_hour_is_two_hours() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let first = instant("2026-10-25T00:30:00Z");
        assert_eq!(
            zone.hour_of(first),
            (instant("2026-10-25T00:00:00Z"), instant("2026-10-25T01:00:00Z"))
        );
        assert_eq!(zone.rfc3339(first), "2026-10-25T02:30:00.000+02:00");
        assert_eq!(zone.rfc3339(first + HOUR), "2026-10-25T02:30:00.000+01:00");
        let lord_howe = Zone::parse("Australia/Lord_Howe").unwrap();
        let repeated = instant("2026-04-04T15:10:00Z");
        assert_eq!(
            lord_howe.hour_of(repeated),
            (instant("2026-04-04T15:00:00Z"), instant("2026-04-04T15:30:00Z")),
        );
    }

    #[test]
    fn half_hours_and_negative_offsets_are_shown() {
        let at = instant("2026-07-01T00:00:00Z");
        assert_eq!(
            Zone::parse("Asia/Kolkata").unwrap().rfc3339(at),
            "2026-07-01T05:30:00.000+05:30"
        );
        assert_eq!(
            Zone::parse("America/St_Johns").unwrap().rfc3339(at),
            "2026-06-30T21:30:00.000-02:30"
        );
        assert!(Zone::parse("Mars/Olympus").is_none());
    }
}
