//! Which persons were active when: an exact multiset, so that a person can be taken back.

mod crowd;
pub mod sealed;

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use edgetally_proto::time::{HOUR_MS, SECOND_MS};
use imbl::OrdMap;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::merge::Level;
use crate::texts::TextId;
use crowd::Crowd;
use sealed::Sealed;

/// Number of a person within its site.
pub type PersonId = u32;

/// `concurrent_visitors` looks back this far.
pub const CONCURRENT_MS: i64 = HOUR_MS / 12;
const QUARTER_MS: i64 = Level::Quarter.slot_ms();
/// Width of the slots in which events are kept one by one: wide enough for several events of a
/// small shop, since each slot takes as much as five of them, and narrow enough to be copied.
const SLOT_MS: i64 = 4 * SECOND_MS;

/// So many changes wait at most.
const WAITING_MAX: usize = 1 << 16;

/// One activity event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit {
    /// Milliseconds within its slot.
    pub ms: u16,
    /// Name of the event.
    pub name: TextId,
    /// Who was active.
    pub person: PersonId,
}

/// Presence of all persons of a site. Clones share what did not change since.
#[derive(Debug, Clone)]
pub struct Presence {
    /// By slots of [`SLOT_MS`].
    slots: OrdMap<i64, Arc<Vec<Visit>>>,
    quarters: OrdMap<i64, Crowd>,
    /// By local day, counted from 1970-01-01 in the site's zone.
    days: OrdMap<i64, Crowd>,
    /// The days before [`Self::sealed_before`], which have neither crowds nor quarters.
    sealed: OrdMap<i64, Arc<Sealed>>,
    sealed_before: i64,
    /// Quarters that end up to here are told from their slots.
    sealed_ms: i64,
    /// What came and went and is not seen yet: many at once take less.
    waiting: Vec<Change>,
}

/// An activity event that came or went.
#[derive(Debug, Clone, Copy)]
struct Change {
    slot: i64,
    visit: Visit,
    is_added: bool,
}

impl Change {
    fn at_ms(&self) -> i64 {
        self.slot * SLOT_MS + i64::from(self.visit.ms)
    }

    fn quarter(&self) -> i64 {
        (self.slot * SLOT_MS).div_euclid(QUARTER_MS)
    }
}

impl Default for Presence {
    fn default() -> Self {
        let (slots, quarters, days) = Default::default();
        let (sealed_before, sealed_ms) = (i64::MIN, i64::MIN);
        let (sealed, waiting) = Default::default();
        Self { slots, quarters, days, sealed, sealed_before, sealed_ms, waiting }
    }
}

/// Local days and the instants at which they begin and end, for the site's zone.
pub trait Days {
    /// The local day of an instant, in days from 1970-01-01.
    fn day_of(&self, ms: i64) -> i64;
    /// When a local day begins, in epoch milliseconds.
    fn start_of(&self, day: i64) -> i64;
}

impl Presence {
    /// Adds or takes back one activity event. It is seen after [`Self::settle`].
    pub fn change(
        &mut self,
        at_ms: i64,
        name: TextId,
        person: PersonId,
        is_added: bool,
        days: &impl Days,
    ) {
        let slot = at_ms.div_euclid(SLOT_MS);
        let ms = u16::try_from(at_ms - slot * SLOT_MS).unwrap_or_default();
        let visit = Visit { ms, name, person };
        self.waiting.push(Change { slot, visit, is_added });
        if self.waiting.len() > WAITING_MAX {
            self.settle(days);
        }
    }

    /// Puts what waits into its places.
    pub fn settle(&mut self, days: &impl Days) {
        let mut changes = std::mem::take(&mut self.waiting);
        changes.sort_unstable_by_key(|change| (change.slot, change.visit));
        for of_slot in changes.chunk_by(|a, b| a.slot == b.slot) {
            self.change_slot(of_slot);
        }
        let event = |change: &Change| (change.visit, change.is_added);
        for changes in changes.chunk_by(|a, b| a.quarter() == b.quarter()) {
            let Some(quarter) = changes.first().map(Change::quarter) else { continue };
            if (quarter + 1) * QUARTER_MS > self.sealed_ms {
                change_crowd(&mut self.quarters, quarter, changes.iter().map(event));
            }
        }
        let day_of = |change: &Change| days.day_of(change.at_ms());
        for changes in changes.chunk_by(|a, b| day_of(a) == day_of(b)) {
            let Some(day) = changes.first().map(day_of) else { continue };
            if day >= self.sealed_before {
                change_crowd(&mut self.days, day, changes.iter().map(event));
            } else {
                self.change_sealed(day, changes);
            }
        }
        changes.clear();
        self.waiting = changes;
    }

    fn change_sealed(&mut self, day: i64, changes: &[Change]) {
        let sealed = self.sealed.entry(day).or_default();
        let added = changes.iter().filter(|change| change.is_added).count();
        *sealed = Arc::new(sealed.changed(added, changes.len() - added));
        if sealed.is_empty() {
            self.sealed.remove(&day);
        }
    }

    /// Seals the days before one, unless they are sealed already; says whether any was not.
    pub fn seal(&mut self, before: i64, days: &impl Days) -> bool {
        if before <= self.sealed_before {
            return false;
        }
        self.settle(days);
        let (sealed_ms, mut is_changed) = (days.start_of(before), false);
        while let Some((day, crowd)) = self.days.get_min().filter(|(day, _)| *day < before) {
            let (day, sealed) = (*day, Sealed::of(crowd));
            self.sealed.insert(day, Arc::new(sealed));
            self.days.remove(&day);
            is_changed = true;
        }
        let is_sealed = |quarter: i64| (quarter + 1) * QUARTER_MS <= sealed_ms;
        while let Some((quarter, _)) = self.quarters.get_min().filter(|(at, _)| is_sealed(*at)) {
            let quarter = *quarter;
            self.quarters.remove(&quarter);
        }
        (self.sealed_before, self.sealed_ms) = (before, sealed_ms);
        is_changed
    }

    /// Changes of one slot.
    fn change_slot(&mut self, changes: &[Change]) {
        let Some(slot) = changes.first().map(|change| change.slot) else { return };
        let visits = Arc::make_mut(self.slots.entry(slot).or_default());
        let added = changes.iter().filter(|change| change.is_added).map(|change| change.visit);
        visits.reserve_exact(added.clone().count() + visits.len() / 4);
        let before = visits.len();
        visits.extend(added);
        // Two runs that are in order each, so this takes one pass.
        if visits.len() > before {
            visits.sort();
        }
        for Change { visit, .. } in changes.iter().filter(|change| !change.is_added) {
            if let Ok(at) = visits.binary_search(visit) {
                visits.remove(at);
            }
        }
        if visits.is_empty() {
            self.slots.remove(&slot);
        }
    }

    /// Distinct persons between two instants (`from_ms` in, `to_ms` not), of events whose name
    /// `wanted` lets pass; all if it is none. Exact, whatever it takes.
    pub fn distinct(
        &self,
        from_ms: i64,
        to_ms: i64,
        wanted: Option<&dyn Fn(TextId) -> bool>,
        days: &impl Days,
    ) -> usize {
        let mut crowds = self.days.range(days.day_of(from_ms)..).take(1);
        let ends = |day: i64| (days.start_of(day), days.start_of(day + 1));
        match (wanted, crowds.next()) {
            (None, Some((day, crowd))) if ends(*day) == (from_ms, to_ms) => crowd.len(),
            _ => self.persons(from_ms, to_ms, wanted, days).len(),
        }
    }

    fn persons(
        &self,
        from_ms: i64,
        to_ms: i64,
        wanted: Option<&dyn Fn(TextId) -> bool>,
        days: &impl Days,
    ) -> FxHashSet<PersonId> {
        let mut found = FxHashSet::default();
        let crowds = self.parts(from_ms, to_ms, days, |visit| {
            if wanted.is_none_or(|wanted| wanted(visit.name)) {
                found.insert(visit.person);
            }
        });
        for crowd in crowds {
            crowd.pairs(|person, name| {
                if wanted.is_none_or(|wanted| wanted(name)) {
                    found.insert(person);
                }
            });
        }
        found
    }

    /// Distinct persons by name of event, as pairs.
    pub fn distinct_by_name(
        &self,
        from_ms: i64,
        to_ms: i64,
        days: &impl Days,
    ) -> FxHashSet<(TextId, PersonId)> {
        let mut found = FxHashSet::default();
        let crowds = self.parts(from_ms, to_ms, days, |visit| {
            found.insert((visit.name, visit.person));
        });
        for crowd in crowds {
            crowd.pairs(|person, name| {
                found.insert((name, person));
            });
        }
        found
    }

    /// The coarsest crowds between two instants; what they leave at the edges goes to `visit`.
    fn parts(
        &self,
        from_ms: i64,
        to_ms: i64,
        days: &impl Days,
        mut visit: impl FnMut(&Visit),
    ) -> Vec<&Crowd> {
        let mut crowds = Vec::new();
        // Of what is sealed only the slots are left.
        let open_ms = from_ms.max(self.sealed_ms).min(to_ms.max(from_ms));
        self.visits(from_ms, open_ms, &mut visit);
        let from_ms = open_ms;
        let first_day = days.day_of(from_ms.saturating_sub(1)) + 1;
        let end_day = days.day_of(to_ms);
        let middle = if first_day < end_day {
            crowds.extend(self.days.range(first_day..end_day).map(|(_, crowd)| crowd));
            [(from_ms, days.start_of(first_day)), (days.start_of(end_day), to_ms)]
        } else {
            [(from_ms, to_ms), (to_ms, to_ms)]
        };
        for (from, to) in middle {
            let (first, end) =
                ((from + QUARTER_MS - 1).div_euclid(QUARTER_MS), to.div_euclid(QUARTER_MS));
            if first < end {
                crowds.extend(self.quarters.range(first..end).map(|(_, crowd)| crowd));
                self.visits(from, first * QUARTER_MS, &mut visit);
                self.visits(end * QUARTER_MS, to, &mut visit);
            } else {
                self.visits(from, to, &mut visit);
            }
        }
        crowds
    }

    /// Every activity event between two instants, to the millisecond.
    fn visits(&self, from_ms: i64, to_ms: i64, visit: &mut impl FnMut(&Visit)) {
        if from_ms >= to_ms {
            return;
        }
        let slots = from_ms.div_euclid(SLOT_MS)..=(to_ms - 1).div_euclid(SLOT_MS);
        for (slot, visits) in self.slots.range(slots) {
            let at = |v: &Visit| slot * SLOT_MS + i64::from(v.ms);
            visits.iter().filter(|v| (from_ms..to_ms).contains(&at(v))).for_each(&mut *visit);
        }
    }

    /// Distinct persons active in the five minutes up to and including an instant.
    #[must_use]
    pub fn concurrent(&self, at_ms: i64) -> usize {
        let mut found: HashSet<PersonId, BuildHasherDefault<FxHasher>> = HashSet::default();
        self.visits(at_ms + 1 - CONCURRENT_MS, at_ms + 1, &mut |visit| {
            found.insert(visit.person);
        });
        found.len()
    }

    /// [`Self::concurrent`] at the end of each of some seconds, in one pass.
    #[must_use]
    pub fn concurrent_by_second(&self, first: i64, last: i64) -> Vec<usize> {
        let length = usize::try_from(last - first + 1).unwrap_or_default();
        let mut steps = vec![0i64; length + 1];
        let mut covered: FxHashMap<PersonId, i64> = FxHashMap::default();
        let place = |second: i64| usize::try_from(second - first).unwrap_or_default().min(length);
        let slot_of = |second: i64| (second * SECOND_MS).div_euclid(SLOT_MS);
        let from = ((first + 1) * SECOND_MS - CONCURRENT_MS).div_euclid(SLOT_MS);
        for (slot, visits) in self.slots.range(from..=slot_of(last + 1)) {
            for visit in visits.iter() {
                let at_ms = slot * SLOT_MS + i64::from(visit.ms);
                // Present at the ends of seconds that lie in [at, at + 5 min).
                let begin = (at_ms - 1).div_euclid(SECOND_MS).max(first);
                let end = (at_ms + CONCURRENT_MS - 1).div_euclid(SECOND_MS);
                let until = covered.entry(visit.person).or_insert(first);
                let begin = begin.max(*until);
                if begin < end && begin <= last {
                    *until = end;
                    if let Some(step) = steps.get_mut(place(begin)) {
                        *step += 1;
                    }
                    if let Some(step) = steps.get_mut(place(end)) {
                        *step -= 1;
                    }
                }
            }
        }
        let mut present = 0i64;
        let counts = steps.into_iter().take(length).map(|step| {
            present += step;
            usize::try_from(present).unwrap_or_default()
        });
        counts.collect()
    }
}

fn change_crowd(
    crowds: &mut OrdMap<i64, Crowd>,
    key: i64,
    changes: impl Iterator<Item = (Visit, bool)>,
) {
    let crowd = crowds.entry(key).or_default();
    crowd.change(changes);
    if crowd.is_empty() {
        crowds.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::time::DAY_MS;
    use proptest::prelude::*;

    use super::*;

    struct Utc;

    impl Days for Utc {
        fn day_of(&self, ms: i64) -> i64 {
            ms.div_euclid(DAY_MS)
        }
        fn start_of(&self, day: i64) -> i64 {
            day * DAY_MS
        }
    }

    #[test]
    fn concurrent_visitors_are_those_of_the_last_five_minutes() {
        let mut presence = Presence::default();
        presence.change(1_000_000, 1, 7, true, &Utc);
        presence.settle(&Utc);
        assert_eq!(presence.concurrent(999_999), 0);
        assert_eq!(presence.concurrent(1_000_000), 1);
        assert_eq!(presence.concurrent(1_299_999), 1);
        assert_eq!(presence.concurrent(1_300_000), 0);
    }

    /// Events that came, of which some went again.
    fn present(events: &[(i64, u32, u32, u8)], seal_at: Option<usize>) -> Presence {
        let mut presence = Presence::default();
        for (at, (ms, name, person, _)) in events.iter().enumerate() {
            if seal_at == Some(at) {
                presence.seal(2, &Utc);
            }
            presence.change(*ms, *name, *person, true, &Utc);
        }
        for (ms, name, person, _) in events.iter().filter(|(.., leaves)| *leaves == 0) {
            presence.change(*ms, *name, *person, false, &Utc);
            if person % 2 == 0 {
                presence.settle(&Utc);
            }
        }
        presence.settle(&Utc);
        presence
    }

    proptest! {
        /// Whatever came and went, any range gives the distinct persons of what is left.
        #[test]
        fn distinct_persons_are_those_of_the_events_left(
            events in prop::collection::vec((0i64..3 * DAY_MS, 1u32..4, 0u32..9, 0u8..3), 0..120),
            from in -1_000i64..3 * DAY_MS, length in 0i64..3 * DAY_MS,
            is_whole in any::<bool>(), seal_at in prop::option::of(0usize..120),
        ) {
            let whole = |ms: i64| if is_whole { ms / DAY_MS * DAY_MS } else { ms };
            let (from, length) = (whole(from), whole(length));
            let presence = present(&events, seal_at);
            let left: Vec<_> = events.iter()
                .filter(|(at, _, _, leaves)| *leaves > 0 && (from..from + length).contains(at))
                .collect();
            let plain: HashSet<u32> = left.iter().map(|(_, _, person, _)| *person).collect();
            let named: HashSet<(u32, u32)> =
                left.iter().map(|(_, name, person, _)| (*name, *person)).collect();
            let second: HashSet<u32> =
                left.iter().filter(|(_, n, _, _)| *n == 2).map(|(_, _, p, _)| *p).collect();
            let to = from + length;
            prop_assert_eq!(presence.distinct(from, to, None, &Utc), plain.len());
            prop_assert_eq!(presence.distinct(from, to, Some(&|n| n == 2), &Utc), second.len());
            prop_assert_eq!(presence.distinct_by_name(from, to, &Utc).len(), named.len());
            // A few are told one by one by a sketch too.
            for exact_visits_max in [0, 3, sealed::EXACT_VISITS_MAX] {
                let range = (from, to);
                let all = presence.visitors(range, None, &Utc, exact_visits_max);
                prop_assert_eq!(all.value(), plain.len() as i64);
                let some = presence.visitors(range, Some(&|n| n == 2), &Utc, exact_visits_max);
                prop_assert_eq!(some.value(), second.len() as i64);
                let by_name = presence.visitors_by_name(range, &Utc, exact_visits_max);
                let sum: i64 = by_name.values().map(|heads| heads.value()).sum();
                prop_assert_eq!(sum, named.len() as i64);
            }
            let second = from / 1_000;
            let one_by_one: Vec<usize> = (second..second + 400)
                .map(|second| presence.concurrent((second + 1) * 1_000)).collect();
            prop_assert_eq!(presence.concurrent_by_second(second, second + 399), one_by_one);
        }
    }
    /// Two of three days are sealed with thousands of persons; half of those of a day are there on
    /// the next one too, and some are taken back after the sealing.
    #[test]
    fn the_truth_about_sealed_days_is_within_the_bounds() {
        use sealed::Heads;
        let mut within = 0;
        for seed in 0..20u32 {
            let mut presence = Presence::default();
            let person = |day: u32, n: u32| seed * 1_000_000 + day * 6_000 + n;
            let at = |day: u32, n: u32| i64::from(day) * DAY_MS + i64::from(n) * 7_000;
            let all = || (0..3).flat_map(|day| (0..12_000).map(move |n| (day, n)));
            for (day, n) in all() {
                presence.change(at(day, n), 1, person(day, n), true, &Utc);
            }
            assert!(presence.seal(2, &Utc) && !presence.seal(2, &Utc));
            for n in 0..500 {
                presence.change(at(1, n), 1, person(1, n), false, &Utc);
                presence.change(at(0, n), 1, person(0, n), false, &Utc);
            }
            presence.settle(&Utc);
            let range = (0, 3 * DAY_MS);
            let truth = presence.distinct(range.0, range.1, None, &Utc) as i64;
            assert_eq!(
                truth,
                24_000 - 500,
                "those who left the second day were there on the first"
            );
            let Heads::About(said) = presence.visitors(range, None, &Utc, 1_000) else {
                panic!("it is not told from sketches");
            };
            assert!((said.value - truth).abs() < truth / 20, "{said:?}");
            within += i32::from((said.low..=said.high).contains(&truth));
            // A sealed day alone is counted, and so are days that are open.
            let one = presence.visitors((DAY_MS, 2 * DAY_MS), None, &Utc, 1_000);
            assert_eq!(one, Heads::Exact(11_500));
            let open = presence.visitors((2 * DAY_MS, 3 * DAY_MS), None, &Utc, 0);
            assert_eq!(open, Heads::Exact(12_000));
            let few = presence.visitors(range, None, &Utc, sealed::EXACT_VISITS_MAX);
            assert_eq!(few, Heads::Exact(truth));
        }
        assert!(within >= 17, "{within} of 20");
    }
}
