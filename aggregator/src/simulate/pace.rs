//! When events are due: an open loop, which does not slow down when answers do. Pure.

use std::time::Duration;

/// The timetable of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Events a second, above zero.
    pub rate: f64,
    /// How long the run lasts.
    pub duration: Duration,
}

impl Pace {
    /// Events of the whole run.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        (self.rate * self.duration.as_secs_f64()).floor() as u64
    }

    /// When the event at this place is due, after the start.
    #[must_use]
    pub fn due_at(&self, place: u64) -> Duration {
        Duration::try_from_secs_f64(place as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// Events due by then, the first one at the very start.
    #[must_use]
    pub fn due_count(&self, elapsed: Duration) -> u64 {
        let due = (elapsed.as_secs_f64() * self.rate).floor() as u64;
        due.saturating_add(1).min(self.event_count())
    }

    /// Visitors in the shop at a time: each does about four things a second, so that even a run of
    /// seconds sees visits from the landing page to the payment.
    #[must_use]
    pub fn crowd_size(&self) -> usize {
        (self.rate / 4.0).clamp(8.0, 10_000.0) as usize
    }

    /// Connections that keep up, one for each request a second: the worker answers once it has
    /// committed, a few hundred milliseconds later.
    #[must_use]
    pub fn connection_count(&self, batch_events: usize) -> usize {
        (self.rate / batch_events.max(1) as f64).ceil().clamp(4.0, 64.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { rate: 50.0, duration: Duration::from_secs(30) };

    #[test]
    fn every_event_is_due_once_and_in_time() {
        assert_eq!(PACE.event_count(), 1_500);
        assert_eq!(PACE.due_count(Duration::ZERO), 1);
        assert_eq!(PACE.due_count(Duration::from_millis(19)), 1);
        assert_eq!(PACE.due_count(Duration::from_millis(20)), 2);
        assert_eq!(PACE.due_count(Duration::from_secs(3_600)), 1_500);
        assert_eq!(PACE.due_at(1), Duration::from_millis(20));
    }

    #[test]
    fn a_rate_below_one_and_a_short_run_work_too() {
        let pace = Pace { rate: 0.5, duration: Duration::from_secs(1) };
        assert_eq!(pace.event_count(), 0);
        assert_eq!(pace.due_count(Duration::from_secs(9)), 0);
        assert_eq!(pace.due_at(3), Duration::from_secs(6));
        assert_eq!((pace.crowd_size(), pace.connection_count(50)), (8, 4));
    }
}
