//! The timeline of one client: its events in order, and who owns each.
//!
//! A change works out again only the stretch whose facts it touches, and says what moved.

use std::cmp::Ordering;
use std::ops::Range;

use edgetally_proto::ids::EventId;

use crate::identity::{self, Before, Next, Owner, Role, Step};

/// An event whose owner changed; `None` is an event that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The event.
    pub step: Step,
    /// Who owned it.
    pub from: Option<Owner>,
    /// Who owns it.
    pub to: Option<Owner>,
}

/// Reads the id of a record, which decides between events of the same millisecond and rank.
pub trait Ids {
    /// The id of the record with a number.
    fn id(&self, record: u32) -> Option<&EventId>;
}

/// The order of events: time, rank, id.
fn compare(ids: &impl Ids, a: &Step, b: &Step) -> Ordering {
    (a.occurred_at_ms, a.rank)
        .cmp(&(b.occurred_at_ms, b.rank))
        .then_with(|| ids.id(a.record).cmp(&ids.id(b.record)))
}

/// Events of one client that are activity or may be facts.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    steps: Vec<Step>,
    owners: Vec<Owner>,
    /// Logins and logouts among the steps, in the same order, so that neighbours are found fast.
    facts: Vec<Step>,
}

impl Timeline {
    /// Puts an event in its place.
    pub fn insert(&mut self, step: Step, ids: &impl Ids) -> Vec<Move> {
        let at = self.position(&step, ids);
        self.steps.insert(at, step);
        self.owners.insert(at, Owner::Client);
        if is_fact(&step) {
            let place = fact_position(&self.facts, &step, ids);
            self.facts.insert(place, step);
        }
        let mut moves = match self.alone(&step, ids) {
            Some(owner) => vec![self.own(at, owner)],
            None => self.work_out(self.stretch(&step, ids), Some(at)),
        };
        for moved in &mut moves {
            if moved.step.record == step.record {
                moved.from = None;
            }
        }
        moves.retain(|moved| moved.from != moved.to);
        moves
    }

    /// Takes an event out, because another copy of it stands.
    pub fn remove(&mut self, step: &Step, ids: &impl Ids) -> Vec<Move> {
        let at = self.position(step, ids);
        if self.steps.get(at).is_none_or(|held| held.record != step.record) {
            return Vec::new();
        }
        self.steps.remove(at);
        let owner = self.owners.remove(at);
        self.facts.retain(|fact| fact.record != step.record);
        let mut moves = self.work_out(self.stretch(step, ids), None);
        moves.push(Move { step: *step, from: Some(owner), to: None });
        moves
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

    /// Events and owners, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Step, &Owner)> {
        self.steps.iter().zip(&self.owners)
    }

    fn position(&self, step: &Step, ids: &impl Ids) -> usize {
        fact_position(&self.steps, step, ids)
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

    /// The last fact before an event.
    fn before(&self, step: &Step, ids: &impl Ids) -> Before {
        let end = fact_position(&self.facts, step, ids);
        let earlier = self.facts.get(..end).unwrap_or_default();
        // Of logouts in a row only the first is a fact, so begin at the last login.
        let start = earlier.iter().rposition(is_login).unwrap_or(end);
        earlier.iter().skip(start).fold(Before::Nothing, Before::then)
    }

    fn next_login(&self, step: &Step, ids: &impl Ids) -> Option<(u32, i64)> {
        let start = fact_position(&self.facts, step, ids);
        self.facts.iter().skip(start).find_map(|fact| match fact.role {
            Role::Login(user) if fact.record != step.record => Some((user, fact.occurred_at_ms)),
            _ => None,
        })
    }

    /// From the login before an event to the login after it, both in.
    fn stretch(&self, step: &Step, ids: &impl Ids) -> Range<usize> {
        let at = fact_position(&self.facts, step, ids);
        let others = |fact: &&Step| fact.record != step.record && is_login(fact);
        let previous = self.facts.iter().take(at).rfind(others);
        let next = self.facts.iter().skip(at).find(others);
        let start = previous.map_or(0, |login| self.position(login, ids));
        let end = next.map_or(self.steps.len(), |login| self.position(login, ids) + 1);
        start..end
    }

    /// Works out a stretch again; `added` is reported even if its owner is the default one.
    fn work_out(&mut self, range: Range<usize>, added: Option<usize>) -> Vec<Move> {
        let fresh = identity::owners(self.steps.get(range.clone()).unwrap_or_default());
        let mut moves = Vec::new();
        for (at, owner) in range.zip(fresh) {
            if self.owners.get(at) != Some(&owner) || Some(at) == added {
                moves.push(self.own(at, owner));
            }
        }
        moves
    }

    fn own(&mut self, at: usize, owner: Owner) -> Move {
        let step = self.steps.get(at).copied().unwrap_or(NOWHERE);
        let from = self.owners.get_mut(at).map(|held| std::mem::replace(held, owner));
        Move { step, from, to: Some(owner) }
    }
}

/// Stands for no step; never reached, since positions come from the timeline itself.
const NOWHERE: Step =
    Step { record: u32::MAX, occurred_at_ms: 0, rank: 2, role: Role::Plain, is_activity: false };

fn is_login(step: &Step) -> bool {
    matches!(step.role, Role::Login(_))
}

fn is_fact(step: &Step) -> bool {
    matches!(step.role, Role::Login(_) | Role::Logout)
}

/// Where a step stands, or belongs, among steps in order.
fn fact_position(steps: &[Step], step: &Step, ids: &impl Ids) -> usize {
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

    struct Numbered(Vec<EventId>);

    impl Ids for Numbered {
        fn id(&self, record: u32) -> Option<&EventId> {
            self.0.get(record as usize)
        }
    }

    fn step(record: u32, minute: i64, kind: u8) -> Step {
        let (role, rank) = match kind {
            0 => (Role::Login(1), 1),
            1 => (Role::Login(2), 1),
            2 | 3 => (Role::Logout, 0),
            4 => (Role::Carries(3), 2),
            _ => (Role::Plain, 2),
        };
        Step { record, occurred_at_ms: minute * 60_000, rank, role, is_activity: kind != 5 }
    }

    proptest! {
        /// Events arriving and leaving in any order end in the owners that the whole timeline
        /// gives, and the moves that were said add up to them.
        #[test]
        fn differences_add_up_to_the_whole(
            events in prop::collection::vec((0i64..200, 0u8..12, any::<bool>()), 1..60),
        ) {
            let ids = Numbered(
                (0..events.len()).map(|n| EventId::parse(&format!("e{n}")).unwrap()).collect(),
            );
            let mut timeline = Timeline::default();
            let mut said: HashMap<u32, Owner> = HashMap::new();
            let mut apply = |moves: Vec<Move>| {
                for moved in moves {
                    assert_eq!(said.get(&moved.step.record).copied(), moved.from);
                    match moved.to {
                        Some(owner) => said.insert(moved.step.record, owner),
                        None => said.remove(&moved.step.record),
                    };
                }
            };
            let steps: Vec<Step> = (0u32..).zip(&events)
                .map(|(n, (minute, kind, _))| step(n, *minute, *kind)).collect();
            for step in &steps {
                apply(timeline.insert(*step, &ids));
            }
            for (step, (_, _, leaves)) in steps.iter().zip(&events) {
                if *leaves {
                    apply(timeline.remove(step, &ids));
                }
            }
            let mut stay: Vec<Step> = steps.iter().zip(&events)
                .filter(|(_, (_, _, leaves))| !leaves).map(|(step, _)| *step).collect();
            stay.sort_by(|a, b| compare(&ids, a, b));
            let expected: HashMap<u32, Owner> = stay.iter().map(|step| step.record)
                .zip(identity::owners(&stay)).collect();
            prop_assert_eq!(&said, &expected);
            let held: Vec<(Step, Owner)> = timeline.iter().map(|(s, o)| (*s, *o)).collect();
            prop_assert_eq!(held.len(), expected.len());
            for (step, owner) in held {
                prop_assert_eq!(expected.get(&step.record), Some(&owner));
            }
        }
    }
}
