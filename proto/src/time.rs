//! Time arithmetic. All times are epoch milliseconds in UTC; nothing here reads a clock.

/// One second in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// One hour in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Twenty-four hours in milliseconds; a local day may have 23 or 25.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Without `sent_at`, a client clock may run ahead by this much before its time is clamped.
pub const FUTURE_TOLERANCE_MS: i64 = 5 * MINUTE_MS;
/// The earliest time an event may claim: 2000-01-01T00:00:00Z.
pub const EARLIEST_MS: i64 = 946_684_800_000;
/// The end (not included) of the times an event may claim: 2100-01-01T00:00:00Z.
pub const LATEST_MS: i64 = 4_102_444_800_000;

/// An event's time after correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrected {
    /// Event time in epoch milliseconds.
    pub occurred_at_ms: i64,
    /// Whether the claimed time lay in the future and was set to the time of receipt.
    pub clamped: bool,
}

/// Event time from the client's clock (semantics, section 3).
///
/// With `sent_at_ms` the difference to the time of receipt cancels a wrong device clock and keeps
/// the waiting time of offline queues; without it the client's clock is believed up to
/// [`FUTURE_TOLERANCE_MS`].
#[must_use]
pub fn corrected(client_ms: i64, sent_at_ms: Option<i64>, received_at_ms: i64) -> Corrected {
    let (occurred_at_ms, latest_ms) = match sent_at_ms {
        Some(sent_at_ms) => {
            (client_ms.saturating_add(received_at_ms.saturating_sub(sent_at_ms)), received_at_ms)
        }
        None => (client_ms, received_at_ms.saturating_add(FUTURE_TOLERANCE_MS)),
    };
    if occurred_at_ms > latest_ms {
        Corrected { occurred_at_ms: received_at_ms, clamped: true }
    } else {
        Corrected { occurred_at_ms, clamped: false }
    }
}

/// The UTC second that holds `ms`, counted from the epoch.
#[must_use]
pub fn second_of(ms: i64) -> i64 {
    ms.div_euclid(SECOND_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: i64, sent: Option<i64>, received: i64, expected: (i64, bool)) {
        let time = corrected(client, sent, received);
        assert_eq!((time.occurred_at_ms, time.clamped), expected);
    }

    #[test]
    fn sent_at_cancels_the_device_clock_and_keeps_the_wait() {
        check(1_000, Some(1_000), 500_000, (500_000, false));
        check(1_000, Some(61_000), 500_000, (440_000, false));
        check(2_000, Some(1_000), 500_000, (500_000, true));
    }

    #[test]
    fn without_sent_at_five_minutes_ahead_are_believed() {
        check(500_000 + FUTURE_TOLERANCE_MS, None, 500_000, (800_000, false));
        check(500_001 + FUTURE_TOLERANCE_MS, None, 500_000, (500_000, true));
        check(10, None, 500_000, (10, false));
    }

    #[test]
    fn seconds_before_the_epoch_round_down() {
        assert_eq!(second_of(-1), -1);
        assert_eq!(second_of(1_999), 1);
    }
}
