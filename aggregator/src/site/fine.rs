//! Rollups by second and minute are kept for a while; what is asked of before is read off the
//! records.

use std::collections::BTreeSet;

use edgetally_proto::settings::{Retention, RetentionSettings};

use super::Site;
use crate::merge::Level;

impl Site {
    /// Drops seconds and minutes that are older than they are kept, by the time of their events;
    /// says whether there were any.
    pub fn forget_fine(&mut self, now_ms: i64, kept: &RetentionSettings) -> bool {
        let mut is_changed = false;
        for (level, retention) in [(Level::Second, kept.seconds), (Level::Minute, kept.minutes)] {
            let Retention::For(span) = retention else { continue };
            let from_ms = now_ms.saturating_sub(span.ms);
            is_changed |= self.counters.forget(level, from_ms, &mut self.dirty);
            // Worked out again at the start, so no block of these is ever stored.
            self.late.forget(level, from_ms, &mut BTreeSet::new());
            self.sketches.forget(level, from_ms);
        }
        is_changed
    }
}
