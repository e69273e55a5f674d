//! Rollups by second and minute are kept for a while; what is asked of before is read off the
//! records.

use std::collections::BTreeSet;

use edgetally_proto::settings::RetentionSettings;

use super::Site;
use crate::merge::Level;
use crate::merge::kept::Kept;

impl Site {
    /// Drops seconds and minutes that are older than they are kept, by the time of their events;
    /// says whether there were any.
    pub fn forget_fine(&mut self, now_ms: i64, settings: &RetentionSettings) -> bool {
        let kept = Kept::under(settings, now_ms);
        let mut is_changed = false;
        for level in [Level::Second, Level::Minute] {
            let from_ms = kept.from_ms(level);
            if from_ms == i64::MIN {
                continue;
            }
            is_changed |= self.counters.forget(level, from_ms, &mut self.dirty);
            // Worked out again at the start, so no block of these is ever stored.
            self.late.forget(level, from_ms, &mut BTreeSet::new());
            self.sketches.forget(level, from_ms);
        }
        is_changed
    }
}
