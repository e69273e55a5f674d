//! Whose every activity is, and what follows where that changes.

use super::{Effects, Site};
use crate::held::Held;
use crate::identity::{Owner, Role, Step};
use crate::people::{Named, Person, Reading, Shift, Stretch};
use crate::presence::PersonId;
use crate::records::Stored;
use crate::sessionize::{Entry, Line};
use crate::texts::TextId;
use crate::timeline::{Move, Place};
use crate::touches::Class;
use edgetally_proto::time::second_of;

impl Site {
    /// Who owns an event of a client, merges applied.
    pub(super) fn whose(&self, client: TextId, owner: Owner) -> Person {
        self.merges.root(Person::of(client, owner), &self.records)
    }

    /// Carries out what a step of a client moved.
    pub(super) fn apply_moves(
        &mut self,
        client: TextId,
        step: &Step,
        moves: &[Move],
        effects: &mut Effects,
    ) {
        let mut shifts = Vec::with_capacity(moves.len());
        for moved in moves.iter().filter(|moved| moved.step.is_activity) {
            let Step { record, occurred_at_ms, rank, .. } = moved.step;
            let mut person = |place: Place| {
                let person = Person::of(client, place.owner);
                self.people.number(self.merges.root(person, &self.records))
            };
            let (from, to) = (moved.from.map(&mut person), moved.to.map(&mut person));
            let class = moved.to.or(moved.from).map_or(Class::Direct, |place| place.class);
            shifts.push(Shift { entry: Entry { occurred_at_ms, record, rank, class }, from, to });
            if from != to {
                self.change_presence(record, from, to, effects);
            }
        }
        let stretches = self.shift(&shifts);
        let records = moves.iter().map(|moved| moved.step.record);
        self.credit_again(client, step, records, &stretches);
    }

    /// The line of a person; empty if he never had one.
    #[must_use]
    pub fn line(&self, person: PersonId) -> Held<'_, Line> {
        self.people.line(person, self.reading())
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            told: Named { records: &self.records, texts: &self.texts },
            zone: &self.zone,
            rules: &self.rules,
            page_view: None,
        }
    }

    /// Lets activities come to persons, leave them, or change their class.
    pub(super) fn shift(&mut self, shifts: &[Shift]) -> Vec<Stretch> {
        let told = Named { records: &self.records, texts: &self.texts };
        let reading = Reading {
            told,
            zone: &self.zone,
            rules: &self.rules,
            page_view: self.texts.find("page_view"),
        };
        self.people.shift(shifts, reading)
    }

    /// Lets an activity leave one person's presence and come to another's.
    pub(super) fn change_presence(
        &mut self,
        record: u32,
        from: Option<PersonId>,
        to: Option<PersonId>,
        effects: &mut Effects,
    ) {
        let Some(record) = self.records.get(record) else { return };
        let (name, at_ms) = (record.name, record.occurred_at_ms);
        for (person, is_added) in [(from, false), (to, true)] {
            if let Some(person) = person {
                self.presence.change(at_ms, name, person, is_added, &self.zone);
            }
        }
        // The second of a new activity is there already, because it was counted.
        if from.is_some() {
            effects.seconds.insert(second_of(at_ms));
        }
    }

    /// Every activity and fact with its person.
    pub fn owned(&self) -> impl Iterator<Item = (Held<'_, Stored>, String)> {
        let timelines = self.records.clients().filter_map(|client| self.timeline(client));
        let steps = timelines.flat_map(|timeline| {
            timeline.iter().map(|(step, place)| (*step, *place)).collect::<Vec<_>>()
        });
        let owned =
            |step: &Step| step.is_activity || matches!(step.role, Role::Login(_) | Role::Logout);
        steps.filter(move |(step, _)| owned(step)).filter_map(|(step, place)| {
            let record = self.records.get(step.record)?;
            let person = self.name_of(self.whose(record.client, place.owner));
            Some((record, person))
        })
    }

    /// A person by number: `u:<user>`, `c:<client>` or `c:<client>#<logout>`.
    #[must_use]
    pub fn person_text(&self, person: PersonId) -> String {
        self.people.person(person).map(|person| self.name_of(person)).unwrap_or_default()
    }

    fn name_of(&self, person: Person) -> String {
        match person {
            Person::User(user) => format!("u:{}", self.texts.text(user)),
            Person::Client(client) => format!("c:{}", self.texts.text(client)),
            Person::AfterLogout(client, logout) => {
                let id = self.records.get(logout).map(|record| record.id.to_string());
                format!("c:{}#{}", self.texts.text(client), id.unwrap_or_default())
            }
        }
    }
}
