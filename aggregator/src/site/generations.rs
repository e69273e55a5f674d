//! How often the sessions of a sealed day were told anew.
//!
//! Whether a day was sealed when something came is a matter of the log and of no clock: by the
//! newest time of receipt in it up to there. So a start that reads the log again counts the same.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::Site;
use crate::presence::Days;
use crate::sealing::sealed_before;

/// The generations of a site's days.
#[derive(Debug, Clone, Default)]
pub struct Generations {
    newest_ms: i64,
    /// All days were told anew so often, because the settings of the site changed.
    all: u32,
    /// How often else, by local day.
    days: OrdMap<i64, u32>,
    is_dirty: bool,
}

/// What a checkpoint holds of them: the newest time of receipt, all days, single days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept(i64, u32, Vec<(i64, u32)>);

impl Generations {
    /// The generation of a sealed day, from 1.
    #[must_use]
    pub fn of(&self, day: i64) -> u32 {
        let more = self.days.get(&day).copied().unwrap_or_default();
        1u32.saturating_add(self.all).saturating_add(more)
    }

    fn raise(&mut self, day: i64) {
        let more = self.days.entry(day).or_default();
        *more = more.saturating_add(1);
        self.is_dirty = true;
    }

    /// What the next checkpoint has to hold, if it changed.
    pub fn take_dirty(&mut self) -> Option<Kept> {
        let days = || self.days.iter().map(|(day, more)| (*day, *more)).collect();
        std::mem::take(&mut self.is_dirty).then(|| Kept(self.newest_ms, self.all, days()))
    }

    /// Puts back what a checkpoint held.
    pub fn restore(&mut self, Kept(newest_ms, all, days): Kept) {
        let days = days.into_iter().collect();
        *self = Self { newest_ms, all, days, is_dirty: false };
    }
}

impl Site {
    /// Seals the days that are over for good; says whether anything was told of them that now is
    /// told otherwise.
    pub fn seal(&mut self, now_ms: i64) -> bool {
        let before = sealed_before(now_ms, self.lateness_ms, &self.zone);
        self.presence.seal(before, &self.zone)
    }

    /// Sees to it that sessions of sealed days which are told from now on are noticed;
    /// `newest_ms` is when the newest of what is to be told was received.
    pub(super) fn watch_sealed(&mut self, newest_ms: i64) {
        let known = &mut self.generations;
        if newest_ms > known.newest_ms {
            (known.newest_ms, known.is_dirty) = (newest_ms, true);
        }
        let before = sealed_before(known.newest_ms, self.lateness_ms, &self.zone);
        self.people.watch_before(Some(self.zone.start_of(before)));
    }

    /// Raises the generations of the sealed days of which something was told meanwhile. Nothing of
    /// that waits any more.
    pub(super) fn raise_generations(&mut self) {
        self.settle();
        let starts = self.people.watch_before(None).into_iter();
        let mut days: Vec<i64> = starts.map(|start_ms| self.zone.day_of(start_ms)).collect();
        days.sort_unstable();
        days.dedup();
        days.into_iter().for_each(|day| self.generations.raise(day));
    }

    /// Raises the generations of all days.
    pub(super) fn raise_all_generations(&mut self) {
        self.generations.all = self.generations.all.saturating_add(1);
        self.generations.is_dirty = true;
    }
}
