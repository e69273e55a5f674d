//! Days that take no more events of browsers: who was there is kept as sketches.
//!
//! A union of many full days would go through all of their persons; a union of their sketches does
//! not. A sealed day that changes all the same is sketched again from its slots, by whoever asks
//! for it first.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use edgetally_proto::sketch::distinct::Distinct;
use edgetally_proto::sketch::hash::hash;
use rustc_hash::FxHashSet;

use super::{Days, PersonId, Presence};
use crate::estimate::{self, Estimate};
use crate::texts::TextId;

/// Sealed days with at most so many activity events together are counted person by person.
pub const EXACT_VISITS_MAX: u64 = 1 << 20;

/// A number of different persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heads {
    /// So many.
    Exact(i64),
    /// About so many.
    About(Estimate),
}

impl Default for Heads {
    fn default() -> Self {
        Self::Exact(0)
    }
}

impl Heads {
    pub(super) fn counted(count: usize) -> Self {
        Self::Exact(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// The best guess.
    #[must_use]
    pub fn value(self) -> i64 {
        match self {
            Self::Exact(count) => count,
            Self::About(estimate) => estimate.value,
        }
    }

    /// The rest without so many of them.
    #[must_use]
    pub fn without(self, some: i64) -> Self {
        let rest = |count: i64| (count - some).max(0);
        match self {
            Self::Exact(count) => Self::Exact(rest(count)),
            Self::About(Estimate { value, low, high }) => {
                Self::About(Estimate { value: rest(value), low: rest(low), high: rest(high) })
            }
        }
    }
}

/// Different persons, as a number and as a sketch.
#[derive(Debug, Clone, Default)]
struct Face {
    count: usize,
    sketch: Distinct,
}

impl Face {
    fn add(&mut self, person: PersonId) {
        self.count += 1;
        self.sketch.insert(hash_of(person));
    }
}

fn hash_of(person: PersonId) -> u64 {
    hash(&person.to_le_bytes())
}

/// The persons of a day, and those with an event of a name.
#[derive(Debug, Clone, Default)]
struct Faces {
    all: Face,
    by_name: BTreeMap<TextId, Face>,
}

impl Faces {
    /// Of persons and pairs that are all different.
    fn of(
        persons: impl Iterator<Item = PersonId>,
        named: impl Iterator<Item = (TextId, PersonId)>,
    ) -> Self {
        let mut faces = Self::default();
        persons.for_each(|person| faces.all.add(person));
        named.for_each(|(name, person)| faces.by_name.entry(name).or_default().add(person));
        faces
    }
}

/// One sealed day.
#[derive(Debug, Clone, Default)]
pub struct Sealed {
    /// Its activity events.
    visits: u64,
    /// Worked out by whoever asks first, unless it is known from the sealing.
    faces: OnceLock<Faces>,
}

impl Sealed {
    /// The day of a crowd.
    pub(super) fn of(crowd: &super::Crowd) -> Self {
        let mut faces = Faces::default();
        crowd.persons(|person| faces.all.add(person));
        crowd.pairs(|person, name| faces.by_name.entry(name).or_default().add(person));
        let visits = crowd.events();
        Self { visits, faces: faces.into() }
    }

    /// The day after so many events came, and so many went.
    pub(super) fn changed(&self, came: usize, went: usize) -> Self {
        let visits = (self.visits + came as u64).saturating_sub(went as u64);
        Self { visits, faces: OnceLock::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.visits == 0
    }
}

impl Presence {
    /// Distinct persons between two instants (`from_ms` in, `to_ms` not), of events whose name
    /// `wanted` lets pass; all if it is none. Where more than so many activity events of whole
    /// sealed days are in, from the sketches of those days.
    pub fn visitors(
        &self,
        (from_ms, to_ms): (i64, i64),
        wanted: Option<&dyn Fn(TextId) -> bool>,
        days: &impl Days,
        exact_visits_max: u64,
    ) -> Heads {
        let Some((first, end)) = self.sketched((from_ms, to_ms), days, exact_visits_max) else {
            return Heads::counted(self.distinct(from_ms, to_ms, wanted, days));
        };
        let ends = (days.start_of(first), days.start_of(end));
        if wanted.is_none() && first + 1 == end && ends == (from_ms, to_ms) {
            let faces = self.sealed.get(&first).map(|sealed| self.faces(first, sealed, days));
            return Heads::counted(faces.map_or(0, |faces| faces.all.count));
        }
        let mut sketch = Distinct::default();
        for (day, sealed) in self.sealed.range(first..end) {
            let faces = self.faces(*day, sealed, days);
            match wanted {
                None => sketch.merge(&faces.all.sketch),
                Some(wanted) => {
                    let named = faces.by_name.iter().filter(|(name, _)| wanted(**name));
                    named.for_each(|(_, face)| sketch.merge(&face.sketch));
                }
            }
        }
        for (from_ms, to_ms) in [(from_ms, ends.0), (ends.1, to_ms)] {
            for person in self.persons(from_ms, to_ms, wanted, days) {
                sketch.insert(hash_of(person));
            }
        }
        Heads::About(estimate::distinct(&sketch))
    }

    /// [`Self::visitors`] by name of event.
    pub fn visitors_by_name(
        &self,
        (from_ms, to_ms): (i64, i64),
        days: &impl Days,
        exact_visits_max: u64,
    ) -> BTreeMap<TextId, Heads> {
        let Some((first, end)) = self.sketched((from_ms, to_ms), days, exact_visits_max) else {
            let mut counts: BTreeMap<TextId, usize> = BTreeMap::new();
            for (name, _) in self.distinct_by_name(from_ms, to_ms, days) {
                *counts.entry(name).or_default() += 1;
            }
            let counted = counts.into_iter().map(|(name, count)| (name, Heads::counted(count)));
            return counted.collect();
        };
        let mut sketches: BTreeMap<TextId, Distinct> = BTreeMap::new();
        for (day, sealed) in self.sealed.range(first..end) {
            for (name, face) in &self.faces(*day, sealed, days).by_name {
                sketches.entry(*name).or_default().merge(&face.sketch);
            }
        }
        for (from_ms, to_ms) in [(from_ms, days.start_of(first)), (days.start_of(end), to_ms)] {
            for (name, person) in self.distinct_by_name(from_ms, to_ms, days) {
                sketches.entry(name).or_default().insert(hash_of(person));
            }
        }
        let about = |sketch: &Distinct| Heads::About(estimate::distinct(sketch));
        sketches.into_iter().map(|(name, sketch)| (name, about(&sketch))).collect()
    }

    /// The whole sealed days between two instants, if they are to be told from sketches.
    fn sketched(
        &self,
        (from_ms, to_ms): (i64, i64),
        days: &impl Days,
        exact_visits_max: u64,
    ) -> Option<(i64, i64)> {
        let first = days.day_of(from_ms.saturating_sub(1)) + 1;
        let end = days.day_of(to_ms).min(self.sealed_before);
        if first >= end {
            return None;
        }
        let visits: u64 = self.sealed.range(first..end).map(|(_, sealed)| sealed.visits).sum();
        (visits > exact_visits_max).then_some((first, end))
    }

    fn faces<'a>(&self, day: i64, sealed: &'a Sealed, days: &impl Days) -> &'a Faces {
        sealed.faces.get_or_init(|| {
            let (mut persons, mut named) = (FxHashSet::default(), FxHashSet::default());
            self.visits(days.start_of(day), days.start_of(day + 1), &mut |visit| {
                persons.insert(visit.person);
                named.insert((visit.name, visit.person));
            });
            Faces::of(persons.into_iter(), named.into_iter())
        })
    }
}
