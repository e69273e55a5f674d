//! How far back seconds and minutes are kept. Quarters of an hour are kept for ever.

use edgetally_proto::settings::{Retention, RetentionSettings};
use edgetally_proto::time::{HOUR_MS, MINUTE_MS};

use super::{Level, slots};

/// The first instants whose seconds, and whose minutes, are all there. They never go back: what was
/// dropped does not come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept([i64; 2]);

impl Default for Kept {
    fn default() -> Self {
        Self([i64::MIN; 2])
    }
}

impl Kept {
    /// What a site's settings keep at an instant.
    #[must_use]
    pub fn under(settings: &RetentionSettings, now_ms: i64) -> Self {
        let mut kept = Self::default();
        for (level, retention) in
            [(Level::Second, settings.seconds), (Level::Minute, settings.minutes)]
        {
            if let Retention::For(span) = retention {
                kept.advance(level, now_ms.saturating_sub(span.ms));
            }
        }
        kept
    }

    /// The first instant that is whole at a level.
    #[must_use]
    pub fn from_ms(&self, level: Level) -> i64 {
        match level {
            Level::Second => self.0[0],
            Level::Minute => self.0[1],
            Level::Quarter => i64::MIN,
        }
    }

    /// Keeps a level from the whole minute, or hour, of an instant on; says whether that is later
    /// than before.
    pub fn advance(&mut self, level: Level, from_ms: i64) -> bool {
        let (place, width) = match level {
            Level::Second => (0, MINUTE_MS),
            Level::Minute => (1, HOUR_MS),
            Level::Quarter => return false,
        };
        let from_ms = from_ms.div_euclid(width) * width;
        let Some(kept) = self.0.get_mut(place).filter(|kept| **kept < from_ms) else {
            return false;
        };
        *kept = from_ms;
        true
    }

    /// Whether a slot is kept.
    #[must_use]
    pub fn holds(&self, level: Level, slot: i64) -> bool {
        let from_ms = self.from_ms(level);
        from_ms == i64::MIN || slot.saturating_mul(level.slot_ms()) >= from_ms
    }

    /// Whether a stretch between two whole seconds is made up of slots that are kept.
    #[must_use]
    pub fn covers(&self, from_ms: i64, to_ms: i64) -> bool {
        slots(from_ms, to_ms).into_iter().all(|(level, from, _)| self.holds(level, from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_covered_by_what_is_kept() {
        let mut kept = Kept::default();
        assert!(kept.covers(1_000, 2_000));
        assert!(kept.advance(Level::Second, 2 * HOUR_MS + 61_000));
        assert!(!kept.advance(Level::Second, 2 * HOUR_MS));
        assert!(!kept.advance(Level::Quarter, HOUR_MS));
        for (from, to, covered) in [
            (0, HOUR_MS, true),
            (MINUTE_MS, HOUR_MS, true),
            (1_000, HOUR_MS, false),
            (HOUR_MS, 2 * HOUR_MS + 1_000, false),
            (2 * HOUR_MS + MINUTE_MS, 2 * HOUR_MS + 61_000, true),
            (2 * HOUR_MS + 59_000, 3 * HOUR_MS, false),
        ] {
            assert_eq!(kept.covers(from, to), covered, "{from} to {to}");
        }
        assert!(kept.advance(Level::Minute, 2 * HOUR_MS + 61_000));
        assert!(!kept.covers(MINUTE_MS, HOUR_MS));
        assert!(kept.covers(2 * HOUR_MS + MINUTE_MS, 3 * HOUR_MS));
    }
}
