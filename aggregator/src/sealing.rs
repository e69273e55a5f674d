//! When a day is over for good: browsers' events are no longer taken for it (semantics, section
//! 10). What a server key sends, or an outage held up, changes it all the same.

use edgetally_proto::time::DAY_MS;

use crate::presence::Days;

/// Longer than this nobody waits; the calendar ends somewhere.
const WHOLE_DAYS_MAX: i64 = 36_500;

/// The first local day that is not sealed. A day is sealed when the midnight has passed that ends
/// the day `lateness_ms` later, and `lateness_ms` itself since its own end, which is longer where
/// a day in between had 23 hours.
#[must_use]
pub fn sealed_before(now_ms: i64, lateness_ms: i64, days: &impl Days) -> i64 {
    let whole_days = lateness_ms.saturating_add(DAY_MS - 1).div_euclid(DAY_MS).min(WHOLE_DAYS_MAX);
    let before = days.day_of(now_ms).saturating_sub(whole_days);
    let is_over = days.start_of(before).saturating_add(lateness_ms) <= now_ms;
    if is_over { before } else { before - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    fn check(zone: &str, lateness_ms: i64, now: &str, first_open: &str) {
        let zone = Zone::parse(zone).unwrap();
        let now_ms = now.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let before = sealed_before(now_ms, lateness_ms, &zone);
        let date = zone.date_of(zone.start_of(before));
        assert_eq!(date.to_string(), first_open, "at {now}");
    }

    #[test]
    fn a_day_is_sealed_at_the_midnight_seven_days_later() {
        let week = 7 * DAY_MS;
        check("Asia/Ho_Chi_Minh", week, "2026-03-09T23:59:59.999+07:00", "2026-03-02");
        check("Asia/Ho_Chi_Minh", week, "2026-03-10T00:00:00.000+07:00", "2026-03-03");
        check("UTC", DAY_MS + 1, "2026-03-10T12:00:00Z", "2026-03-08");
        check("UTC", 0, "2026-03-10T12:00:00Z", "2026-03-10");
    }

    #[test]
    fn no_event_that_browsers_may_still_send_is_of_a_sealed_day() {
        // The week that ends here is an hour short of seven days.
        let week = 7 * DAY_MS;
        check("Europe/Berlin", week, "2026-03-31T00:30:00+02:00", "2026-03-23");
        check("Europe/Berlin", week, "2026-03-31T01:00:00+02:00", "2026-03-24");
        // And here an hour longer.
        check("Europe/Berlin", week, "2026-10-26T23:30:00+01:00", "2026-10-19");
        check("Europe/Berlin", week, "2026-10-27T00:00:00+01:00", "2026-10-20");
    }
}
