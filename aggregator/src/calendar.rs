//! The days of a site: those of the zone that held at each instant.
//!
//! A site that moves to another zone does so at its local midnight. The day that begins then is
//! shorter, or the one before it longer, by what the two zones are apart; no day is lost, and none
//! comes twice.

use jiff::civil::{Date, DateTime};

use crate::eras::Eras;
use crate::presence::Days;
use crate::zone::Zone;

/// The zones of a site by the time they held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar(Eras<Zone>);

impl From<Zone> for Calendar {
    fn from(zone: Zone) -> Self {
        Self(zone.into())
    }
}

impl From<Eras<Zone>> for Calendar {
    fn from(zones: Eras<Zone>) -> Self {
        Self(zones)
    }
}

impl Calendar {
    /// The zones.
    #[must_use]
    pub fn zones(&self) -> &Eras<Zone> {
        &self.0
    }

    /// The later of what a zone says of an instant and what was the last before it held: a zone far
    /// behind the one before does not bring days back.
    fn latest<T: Ord>(&self, ms: i64, of: impl Fn(&Zone, i64) -> T) -> T {
        let begun = self.0.spans().filter(|(from_ms, _, _)| *from_ms <= ms);
        let said = begun.map(|(_, to_ms, zone)| of(zone, ms.min(to_ms.saturating_sub(1))));
        said.max().unwrap_or_else(|| of(self.0.at(ms), ms))
    }

    /// The first instant of something that begins in one of the zones.
    fn first(&self, begins: impl Fn(&Zone) -> i64) -> i64 {
        let starts =
            self.0.spans().map(|(from_ms, to_ms, zone)| (begins(zone).max(from_ms), to_ms));
        starts
            .filter(|(start_ms, to_ms)| start_ms < to_ms)
            .map(|(start_ms, _)| start_ms)
            .next()
            .unwrap_or(i64::MAX)
    }

    /// The local date of an instant.
    #[must_use]
    pub fn date_of(&self, ms: i64) -> Date {
        self.latest(ms, Zone::date_of)
    }

    /// When a local date begins: at midnight, or after it where midnight is skipped.
    #[must_use]
    pub fn start_of_date(&self, date: Date) -> i64 {
        self.first(|zone| zone.start_of_date(date))
    }

    /// An instant of local wall-clock time; of two the earlier, of none the one after the gap.
    #[must_use]
    pub fn instant(&self, local: DateTime) -> Option<i64> {
        let mut last = None;
        for (from_ms, to_ms, zone) in self.0.spans() {
            last = zone.instant(local);
            if last.is_some_and(|ms| (from_ms..to_ms).contains(&ms)) {
                return last;
            }
        }
        last
    }

    /// The local hour that holds an instant, as the instants at which it begins and ends. A change
    /// of the zone ends an hour.
    #[must_use]
    pub fn hour_of(&self, ms: i64) -> (i64, i64) {
        let (start_ms, end_ms) = self.0.at(ms).hour_of(ms);
        let mut spans = self.0.spans();
        let span = spans.find(|(from_ms, to_ms, _)| (*from_ms..*to_ms).contains(&ms));
        span.map_or((start_ms, end_ms), |(from_ms, to_ms, _)| {
            (start_ms.max(from_ms), end_ms.min(to_ms))
        })
    }

    /// RFC 3339 with three decimals and the offset of the zone that holds.
    #[must_use]
    pub fn rfc3339(&self, ms: i64) -> String {
        self.0.at(ms).rfc3339(ms)
    }
}

impl Days for Calendar {
    fn day_of(&self, ms: i64) -> i64 {
        self.latest(ms, Zone::day_of)
    }

    fn start_of(&self, day: i64) -> i64 {
        self.first(|zone| zone.start_of(day))
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::time::HOUR_MS;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    /// A calendar that changes at a midnight of its first zone.
    fn moved(from: &str, to: &str, date: &str) -> Calendar {
        let zones = [from, to].map(|name| Zone::parse(name).unwrap());
        let [first, then] = zones;
        let from_ms = first.start_of_date(date.parse().unwrap());
        Eras::from(first).then(from_ms, then).into()
    }

    fn hours(calendar: &Calendar, date: &str) -> i64 {
        let date: Date = date.parse().unwrap();
        let end_ms = calendar.start_of_date(date.tomorrow().unwrap());
        (end_ms - calendar.start_of_date(date)) / HOUR_MS
    }

    #[test]
    fn a_zone_ahead_makes_the_day_of_the_change_shorter() {
        let calendar = moved("Asia/Ho_Chi_Minh", "Asia/Tokyo", "2026-03-05");
        assert_eq!(
            ["2026-03-04", "2026-03-05", "2026-03-06"].map(|d| hours(&calendar, d)),
            [24, 22, 24]
        );
        assert_eq!(calendar.rfc3339(at("2026-03-04T16:59:59Z")), "2026-03-04T23:59:59.000+07:00");
        assert_eq!(calendar.rfc3339(at("2026-03-04T17:00:00Z")), "2026-03-05T02:00:00.000+09:00");
        let noon = |text: &str| calendar.instant(text.parse().unwrap());
        assert_eq!(noon("2026-03-04T12:00:00"), Some(at("2026-03-04T12:00:00+07:00")));
        assert_eq!(noon("2026-03-06T12:00:00"), Some(at("2026-03-06T12:00:00+09:00")));
    }

    #[test]
    fn a_zone_behind_makes_the_day_before_the_change_longer() {
        let calendar = moved("Asia/Ho_Chi_Minh", "Europe/Berlin", "2026-03-05");
        assert_eq!(
            ["2026-03-03", "2026-03-04", "2026-03-05"].map(|d| hours(&calendar, d)),
            [24, 30, 24]
        );
        // From the easternmost to the westernmost clock: no day comes back.
        let calendar = moved("Pacific/Kiritimati", "Etc/GMT+12", "2026-03-05");
        assert_eq!(
            ["2026-03-03", "2026-03-04", "2026-03-05"].map(|d| hours(&calendar, d)),
            [24, 50, 24]
        );
    }

    proptest! {
        /// Days follow one another without gaps, whatever the zones.
        #[test]
        fn every_instant_has_one_day(
            zones in prop::sample::subsequence(
                vec!["Asia/Ho_Chi_Minh", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"], 2,
            ).prop_shuffle(),
            hour in 0i64..24 * 20, minute in 0i64..60,
        ) {
            let calendar = moved(zones[0], zones[1], "2026-03-12");
            let ms = at("2026-03-01T00:00:00Z") + (hour * 60 + minute) * 60_000;
            let day = calendar.day_of(ms);
            let (start, end) = (calendar.start_of(day), calendar.start_of(day + 1));
            prop_assert!((start..end).contains(&ms), "{day}: {start} {ms} {end}");
            prop_assert_eq!((calendar.day_of(start), calendar.day_of(end - 1)), (day, day));
            let date = calendar.date_of(ms);
            prop_assert_eq!(calendar.start_of_date(date), start);
            let (from, to) = calendar.hour_of(ms);
            prop_assert!((from..to).contains(&ms) && to - from <= HOUR_MS);
        }
    }
}
