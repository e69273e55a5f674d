//! An administrator's merge and its undoing: whatever a person had is another's at once.

use std::collections::{BTreeSet, HashSet};

use edgetally_proto::ids::UserId;

use super::{Effects, Site};
use crate::merges::{Change, Name, Refusal};
use crate::people::{Person, Shift};
use crate::presence::PersonId;
use crate::sessionize::Entry;
use crate::texts::TextId;
use crate::tombstones::Person as Whom;

/// What a merge, or its undoing, moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Activity that has another person now.
    pub events: usize,
    /// Clients on which it was.
    pub clients: usize,
    /// Whether anything was to be done: a merge that is in force already changes nothing.
    pub is_new: bool,
}

impl Site {
    /// The change that an administrator asks for; none if it is in force already.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn plan_merge(
        &self,
        from: Whom,
        into: UserId,
        is_undo: bool,
        now_ms: i64,
    ) -> Result<Option<Change>, Refusal> {
        let changes = self.merges.judge(&from, &into, is_undo)?;
        let after = self.records.len();
        Ok(changes.then_some(Change { from, into, at_ms: now_ms, is_undo, after }))
    }

    /// Carries out a change and keeps it on the list.
    pub fn merge(&mut self, change: &Change, effects: &mut Effects) -> Moved {
        self.merges.push(change);
        self.watch_sealed(change.at_ms);
        let moved = self.put_merge(change, effects);
        self.raise_generations();
        moved
    }

    /// Carries out a change that is on the list: what is owned by somebody, or by those who are
    /// merged into him, goes over to the other line.
    pub(super) fn put_merge(&mut self, change: &Change, effects: &mut Effects) -> Moved {
        let name = Name::read(&change.from, &mut self.texts);
        let into = Person::User(self.texts.intern(change.into.as_str()));
        let (own, host) = (self.person_named(&name), self.merges.root(into, &self.records));
        let (old, new) = if change.is_undo { (Some(host), own) } else { (own, Some(host)) };
        let old = old.and_then(|person| self.people.known(person));
        let (Some(old), Some(new)) = (old, new) else {
            self.merges.set(change, &mut self.texts);
            // What came too late may have taken all that they had; credits leave it out.
            let known = old.into_iter().chain(new.and_then(|person| self.people.known(person)));
            self.credit_all_of(&known.collect::<Vec<_>>());
            return Moved { is_new: true, ..Moved::default() };
        };
        let new = self.people.number(new);
        let (shifts, clients) = self.shifts(name, old, new);
        self.merges.set(change, &mut self.texts);
        for Shift { entry, from, to } in &shifts {
            self.change_presence(entry.record, *from, *to, effects);
        }
        self.shift(&shifts);
        self.credit_all_of(&[old, new]);
        Moved { events: shifts.len(), clients, is_new: true }
    }

    /// The person of a name; none where his logout is not known.
    pub(super) fn person_named(&self, name: &Name) -> Option<Person> {
        Some(match name {
            Name::User(user) => Person::User(*user),
            Name::Client(client) => Person::Client(*client),
            Name::AfterLogout(client, logout) => {
                let record = self.records.standing_for(*client, logout)?;
                Person::AfterLogout(*client, record)
            }
        })
    }

    /// What is on a line because of somebody, or of those who are merged into him; and on how many
    /// clients it was.
    fn shifts(&self, name: Name, from: PersonId, to: PersonId) -> (Vec<Shift>, usize) {
        let members: HashSet<Name> = self.merges.members(name).into_iter().collect();
        let line = self.line(from);
        let client = |entry: &Entry| self.records.client(entry.record);
        let clients: BTreeSet<TextId> = line.entries().iter().filter_map(client).collect();
        let (mut shifts, mut count) = (Vec::new(), 0);
        for client in clients {
            let before = shifts.len();
            let timeline = self.timeline(client);
            let steps = timeline.iter().flat_map(|timeline| timeline.iter());
            for (step, place) in steps.filter(|(step, _)| step.is_activity) {
                let person = Person::of(client, place.owner);
                let base = Name::of(person, &self.records);
                if base.is_some_and(|name| members.contains(&name)) {
                    let (occurred_at_ms, record) = (step.occurred_at_ms, step.record);
                    let class = place.class;
                    let entry = Entry { occurred_at_ms, record, rank: step.rank, class };
                    shifts.push(Shift { entry, from: Some(from), to: Some(to) });
                }
            }
            count += usize::from(shifts.len() > before);
        }
        (shifts, count)
    }

    /// Takes merges off the list for good, because somebody whom they name was erased.
    pub fn forget_merges(&mut self, places: &[u32], effects: &mut Effects) {
        let mut texts = HashSet::new();
        self.watch_sealed(0);
        let history = self.merges.history().clone();
        let named = places.iter().filter_map(|place| history.get(usize::try_from(*place).ok()?));
        for change in named {
            texts.insert(Name::read(&change.from, &mut self.texts).text());
            texts.insert(self.texts.intern(change.into.as_str()));
            let undo = Change { is_undo: true, ..change.clone() };
            if self.merges.judge(&undo.from, &undo.into, true).is_ok() {
                self.put_merge(&undo, effects);
            }
        }
        self.raise_generations();
        self.merges.forget(places);
        self.forget_unused(texts);
    }
}
