//! The timeline of one client: its events in order, and who owns each.
//!
//! A change works out again only the stretch whose facts it touches, and says what moved.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use edgetally_proto::ids::EventId;

use crate::eras::Eras;
use crate::identity::{self, Before, Next, Owner, Role, Step};
use crate::sessionize::Rules;
use crate::touches::{self, Class};

/// What is known of an event on its client's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Who owns it.
    pub owner: Owner,
    /// How it came to be.
    pub class: Class,
}

/// An event whose place changed; `None` is an event that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The event.
    pub step: Step,
    /// Where it stood.
    pub from: Option<Place>,
    /// Where it stands.
    pub to: Option<Place>,
}

/// Reads the id of a record, which decides between events of the same millisecond and rank.
pub trait Ids {
    /// The id of the record with a number.
    fn id(&self, record: u32) -> Option<EventId>;
}

/// The order of events: time, rank, id.
pub fn compare(ids: &impl Ids, a: &Step, b: &Step) -> Ordering {
    (a.occurred_at_ms, a.rank)
        .cmp(&(b.occurred_at_ms, b.rank))
        .then_with(|| ids.id(a.record).cmp(&ids.id(b.record)))
}

/// Events of one client that are activity or may be facts.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    steps: Vec<Step>,
    places: Vec<Place>,
    /// Logins and logouts among the steps, in the same order, so that neighbours are found fast.
    facts: Vec<Step>,
    /// Tagged activity among the steps, likewise.
    tags: Vec<Step>,
    newest_receipt_ms: i64,
}

/// The places that a change touched, as they were before it.
#[derive(Debug, Default)]
struct Old(BTreeMap<usize, Option<Place>>);

impl Old {
    fn note(&mut self, at: usize, place: Option<Place>) {
        self.0.entry(at).or_insert(place);
    }
}

impl Timeline {
    /// The timeline of a client with some events, in whatever order they are given.
    #[must_use]
    pub fn of(mut steps: Vec<Step>, rules: &Eras<Rules>, ids: &impl Ids) -> Self {
        steps.sort_by(|a, b| compare(ids, a, b));
        let owners = identity::owners(&steps);
        let (mut last_ms, mut last_key) = (None, None);
        let mut class_of = |step: &Step| {
            if !step.is_activity {
                return Class::default();
            }
            let now_ms = step.occurred_at_ms;
            let pause_ms = last_ms.replace(now_ms).map(|last_ms: i64| now_ms - last_ms);
            let class = touches::class(step.clue, pause_ms, last_key, rules.at(now_ms).gap_ms);
            last_key = step.clue.key.or(last_key);
            class
        };
        let place = |(step, owner)| Place { owner, class: class_of(step) };
        let places = steps.iter().zip(owners).map(place).collect();
        let some = |wanted: fn(&Step) -> bool| steps.iter().copied().filter(wanted).collect();
        let (facts, tags) = (some(is_fact), some(is_tag));
        Self { steps, places, facts, tags, newest_receipt_ms: 0 }
    }

    /// Puts an event in its place. After a pause longer than the gap of its time an activity is an
    /// entry.
    pub fn insert(&mut self, step: Step, rules: &Eras<Rules>, ids: &impl Ids) -> Vec<Move> {
        let at = position(&self.steps, &step, ids);
        // Most clients have a few events: their lists grow by little, so that they take little.
        if self.steps.len() == self.steps.capacity() {
            let more = 1 + self.steps.len() / 2;
            self.steps.reserve_exact(more);
            self.places.reserve_exact(more);
        }
        let is_newest = at == self.steps.len();
        let owner = if is_newest { self.newest(&step, ids) } else { None };
        self.steps.insert(at, step);
        self.places.insert(at, Place { owner: Owner::Client, class: Class::Direct });
        for list in self.lists_of(&step) {
            let place = position(list, &step, ids);
            list.insert(place, step);
        }
        if let (Some(owner), Some(place)) = (owner, self.places.get_mut(at)) {
            place.owner = owner;
            return self.come(step, rules, ids);
        }
        let mut old = Old::default();
        old.note(at, None);
        match self.alone(&step, ids) {
            Some(owner) => self.set_owner(at, owner, &mut old),
            None => self.work_out(self.stretch(&step, ids), &mut old),
        }
        self.classify(at, rules, ids, &mut old);
        if let Some(later) = self.activity_after(at + 1) {
            self.classify(later, rules, ids, &mut old);
        }
        self.classify_next_tag(&step, rules, ids, &mut old);
        self.moves(old)
    }

    /// The owner of an event that would be the newest, if it changes nobody else's.
    fn newest(&self, step: &Step, ids: &impl Ids) -> Option<Owner> {
        let before = self.before(step, ids);
        match (step.role, before) {
            // What is between two logins belongs to the first whatever the second is.
            (Role::Login(user), Before::Login(_)) => Some(Owner::User(user)),
            (Role::Login(_) | Role::Logout, _) => None,
            _ => Some(identity::owner(step, before, None)),
        }
    }

    /// What the newest event moves: itself.
    fn come(&mut self, step: Step, rules: &Eras<Rules>, ids: &impl Ids) -> Vec<Move> {
        let at = self.steps.len().saturating_sub(1);
        let class = self.class_of(at, rules, ids).unwrap_or_default();
        let to = self.places.get_mut(at).map(|place| {
            place.class = class;
            *place
        });
        vec![Move { step, from: None, to }]
    }

    /// Takes an event out, because another copy of it stands.
    pub fn remove(&mut self, step: &Step, rules: &Eras<Rules>, ids: &impl Ids) -> Vec<Move> {
        let at = position(&self.steps, step, ids);
        if self.steps.get(at).is_none_or(|held| held.record != step.record) {
            return Vec::new();
        }
        self.steps.remove(at);
        let from = Some(self.places.remove(at));
        self.facts.retain(|fact| fact.record != step.record);
        self.tags.retain(|tag| tag.record != step.record);
        let mut old = Old::default();
        self.work_out(self.stretch(step, ids), &mut old);
        if let Some(later) = self.activity_after(at) {
            self.classify(later, rules, ids, &mut old);
        }
        self.classify_next_tag(step, rules, ids, &mut old);
        let mut moves = self.moves(old);
        moves.push(Move { step: *step, from, to: None });
        moves
    }

    /// Takes note of when an event was received that is put in its place.
    pub fn note_receipt(&mut self, received_at_ms: i64) {
        self.newest_receipt_ms = self.newest_receipt_ms.max(received_at_ms);
    }

    /// No event here was received later, and none that was taken out.
    #[must_use]
    pub fn newest_receipt_ms(&self) -> i64 {
        self.newest_receipt_ms
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The events, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The place of an event that is there.
    #[must_use]
    pub fn place_of(&self, step: &Step, ids: &impl Ids) -> Option<Place> {
        let at = position(&self.steps, step, ids);
        self.steps.get(at).filter(|held| held.record == step.record)?;
        self.places.get(at).copied()
    }

    /// Events and their places, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Step, &Place)> {
        self.steps.iter().zip(&self.places)
    }

    /// The short lists that a step is kept in beside the long one.
    fn lists_of(&mut self, step: &Step) -> impl Iterator<Item = &mut Vec<Step>> {
        let (fact, tag) = (is_fact(step), is_tag(step));
        let facts = fact.then_some(&mut self.facts);
        facts.into_iter().chain(tag.then_some(&mut self.tags))
    }

    /// What became of the touched places.
    fn moves(&self, old: Old) -> Vec<Move> {
        let moved = old.0.into_iter().filter_map(|(at, from)| {
            let (step, to) = (*self.steps.get(at)?, self.places.get(at).copied());
            (from != to).then_some(Move { step, from, to })
        });
        moved.collect()
    }

    /// The owner of a new event that changes nobody else's, else none.
    fn alone(&self, step: &Step, ids: &impl Ids) -> Option<Owner> {
        if is_fact(step) {
            return None;
        }
        let before = self.before(step, ids);
        let next = self.next_login(step, ids);
        // Only after a logout can it close or open a pause on the way to a login.
        match (before, next) {
            (Before::Logout { .. }, Some(_)) => None,
            _ => {
                let next = next.map(|(user, at_ms)| Next { user, at_ms, is_unbroken: false });
                Some(identity::owner(step, before, next))
            }
        }
    }

    /// The last fact before an event, which need not stand here itself.
    pub fn before(&self, step: &Step, ids: &impl Ids) -> Before {
        let end = position(&self.facts, step, ids);
        let earlier = self.facts.get(..end).unwrap_or_default();
        // Of logouts in a row only the first is a fact, so begin at the last login.
        let start = earlier.iter().rposition(is_login).unwrap_or(end);
        earlier.iter().skip(start).fold(Before::Nothing, Before::then)
    }

    fn next_login(&self, step: &Step, ids: &impl Ids) -> Option<(u32, i64)> {
        let start = position(&self.facts, step, ids);
        self.facts.iter().skip(start).find_map(|fact| match fact.role {
            Role::Login(user) if fact.record != step.record => Some((user, fact.occurred_at_ms)),
            _ => None,
        })
    }

    /// From the login before an event to the login after it, both in.
    fn stretch(&self, step: &Step, ids: &impl Ids) -> Range<usize> {
        let at = position(&self.facts, step, ids);
        let others = |fact: &&Step| fact.record != step.record && is_login(fact);
        let previous = self.facts.iter().take(at).rfind(others);
        let next = self.facts.iter().skip(at).find(others);
        let start = previous.map_or(0, |login| position(&self.steps, login, ids));
        let end = next.map_or(self.steps.len(), |login| position(&self.steps, login, ids) + 1);
        start..end
    }

    /// Works out the owners of a stretch again.
    fn work_out(&mut self, range: Range<usize>, old: &mut Old) {
        let fresh = identity::owners(self.steps.get(range.clone()).unwrap_or_default());
        for (at, owner) in range.zip(fresh) {
            self.set_owner(at, owner, old);
        }
    }

    fn set_owner(&mut self, at: usize, owner: Owner, old: &mut Old) {
        if let Some(place) = self.places.get_mut(at).filter(|place| place.owner != owner) {
            old.note(at, Some(*place));
            place.owner = owner;
        }
    }

    /// The class of an activity by the activity and the tag before it.
    fn class_of(&self, at: usize, rules: &Eras<Rules>, ids: &impl Ids) -> Option<Class> {
        let step = self.steps.get(at).copied().filter(|step| step.is_activity)?;
        let earlier = self.steps.get(..at).unwrap_or_default();
        let before = earlier.iter().rfind(|step| step.is_activity);
        let pause_ms = before.map(|before| step.occurred_at_ms - before.occurred_at_ms);
        let tag = position(&self.tags, &step, ids).checked_sub(1);
        let last_key = tag.and_then(|tag| self.tags.get(tag)?.clue.key);
        let gap_ms = rules.at(step.occurred_at_ms).gap_ms;
        Some(touches::class(step.clue, pause_ms, last_key, gap_ms))
    }

    /// Works out the class of a step again.
    fn classify(&mut self, at: usize, rules: &Eras<Rules>, ids: &impl Ids, old: &mut Old) {
        let Some(class) = self.class_of(at, rules, ids) else { return };
        if let Some(place) = self.places.get_mut(at).filter(|place| place.class != class) {
            old.note(at, Some(*place));
            place.class = class;
        }
    }

    fn activity_after(&self, at: usize) -> Option<usize> {
        let later = self.steps.get(at..)?.iter().position(|step| step.is_activity)?;
        Some(at + later)
    }

    /// A tag that comes or goes may make the next one an echo, or no longer.
    fn classify_next_tag(
        &mut self,
        step: &Step,
        rules: &Eras<Rules>,
        ids: &impl Ids,
        old: &mut Old,
    ) {
        if !is_tag(step) {
            return;
        }
        let place = position(&self.tags, step, ids);
        let mut later = self.tags.iter().skip(place);
        if let Some(next) = later.find(|tag| tag.record != step.record).copied() {
            self.classify(position(&self.steps, &next, ids), rules, ids, old);
        }
    }
}

fn is_login(step: &Step) -> bool {
    matches!(step.role, Role::Login(_))
}

fn is_fact(step: &Step) -> bool {
    matches!(step.role, Role::Login(_) | Role::Logout)
}

fn is_tag(step: &Step) -> bool {
    step.is_activity && step.clue.key.is_some()
}

/// Where a step stands, or belongs, among steps in order.
fn position(steps: &[Step], step: &Step, ids: &impl Ids) -> usize {
    // Nearly every event is the newest of its client.
    if steps.last().is_none_or(|last| compare(ids, last, step) == Ordering::Less) {
        return steps.len();
    }
    steps.partition_point(|held| compare(ids, held, step) == Ordering::Less)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::touches::Clue;

    const ENTRY_MS: i64 = 1_800_000;

    struct Numbered(Vec<EventId>);

    impl Ids for Numbered {
        fn id(&self, record: u32) -> Option<EventId> {
            self.0.get(record as usize).cloned()
        }
    }

    fn step(record: u32, minute: i64, kind: u8, clue: u8) -> Step {
        let (role, rank) = match kind {
            0 => (Role::Login(1), 1),
            1 => (Role::Login(2), 1),
            2 | 3 => (Role::Logout, 0),
            4 => (Role::Carries(3), 2),
            _ => (Role::Plain, 2),
        };
        let clue = match clue {
            0 | 1 => Clue { key: Some(u32::from(clue)), referrer: None },
            2 => Clue { key: None, referrer: Some(7) },
            _ => Clue::default(),
        };
        Step { record, occurred_at_ms: minute * 60_000, rank, role, is_activity: kind != 5, clue }
    }

    /// The places of a whole timeline, each class worked out from all that comes before it.
    fn whole(steps: &[Step]) -> Vec<Place> {
        let class = |at: usize| {
            let before: Vec<&Step> = steps[..at].iter().filter(|step| step.is_activity).collect();
            let pause = before.last().map(|b| steps[at].occurred_at_ms - b.occurred_at_ms);
            let last_key = before.iter().rev().find_map(|step| step.clue.key);
            touches::class(steps[at].clue, pause, last_key, ENTRY_MS)
        };
        let class = |at: usize| if steps[at].is_activity { class(at) } else { Class::Direct };
        let owners = identity::owners(steps).into_iter();
        owners.enumerate().map(|(at, owner)| Place { owner, class: class(at) }).collect()
    }

    proptest! {
        /// Events arriving and leaving in any order end in the places that the whole timeline
        /// gives, and the moves that were said add up to them.
        #[test]
        fn differences_add_up_to_the_whole(
            events in prop::collection::vec((0i64..200, 0u8..12, 0u8..6, any::<bool>()), 1..60),
        ) {
            let ids = Numbered(
                (0..events.len()).map(|n| EventId::parse(&format!("e{n}")).unwrap()).collect(),
            );
            let mut timeline = Timeline::default();
            let mut said: HashMap<u32, Place> = HashMap::new();
            let mut apply = |moves: Vec<Move>| {
                for moved in moves {
                    assert_eq!(said.get(&moved.step.record).copied(), moved.from);
                    match moved.to {
                        Some(place) => said.insert(moved.step.record, place),
                        None => said.remove(&moved.step.record),
                    };
                }
            };
            let steps: Vec<Step> = (0u32..).zip(&events)
                .map(|(n, (minute, kind, clue, _))| step(n, *minute, *kind, *clue)).collect();
            for step in &steps {
                apply(timeline.insert(*step, &Rules::default().into(), &ids));
            }
            for (step, (_, _, _, leaves)) in steps.iter().zip(&events) {
                if *leaves {
                    apply(timeline.remove(step, &Rules::default().into(), &ids));
                }
            }
            let mut stay: Vec<Step> = steps.iter().zip(&events)
                .filter(|(_, (_, _, _, leaves))| !leaves).map(|(step, _)| *step).collect();
            stay.sort_by(|a, b| compare(&ids, a, b));
            let expected: HashMap<u32, Place> = stay.iter().map(|step| step.record)
                .zip(whole(&stay)).collect();
            prop_assert_eq!(&said, &expected);
            let held: Vec<(Step, Place)> = timeline.iter().map(|(s, o)| (*s, *o)).collect();
            prop_assert_eq!(held.len(), expected.len());
            for (step, place) in held {
                prop_assert_eq!(expected.get(&step.record), Some(&place));
            }
        }
    }
}
