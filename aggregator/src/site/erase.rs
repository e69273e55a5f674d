//! Erasing a person: what was his goes, what his orders brought stays as money of nobody.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use edgetally_proto::event;
use edgetally_proto::ids::EventName;
use edgetally_proto::record::Flags;
use serde_bytes::ByteArray;

use super::timelines::step_of;
use super::{Effects, Site};
use crate::held::Held;
use crate::identity::{Before, Owner, Role, Step};
use crate::merges::Name;
use crate::orders::ledger::OrderKey;
use crate::records::Stored;
use crate::texts::TextId;
use crate::timeline::Timeline;
use crate::tombstones::{
    Erasure, Person, Stretch, Told, Tombstones, Veiled, is_money, money_fact, money_id,
    veil_client, veil_event,
};
use crate::touches::Clue;

/// What an erasure found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Whom it erased: the person, and whoever was merged with him.
    pub persons: Vec<String>,
    /// Events that are gone.
    pub events: usize,
    /// Orders that stay as money.
    pub orders_kept: usize,
    /// Clients on which there were events.
    pub clients: usize,
    /// Anonymous events that were the user's because he signed in after them, and are the client's
    /// again.
    pub fell_back: usize,
    /// Rejected events that are gone.
    pub letters: usize,
}

impl Report {
    /// Adds what the erasure of another one found.
    pub fn add(&mut self, other: Self) {
        self.persons.extend(other.persons);
        self.events += other.events;
        self.orders_kept += other.orders_kept;
        self.clients += other.clients;
        self.fell_back += other.fell_back;
        self.letters += other.letters;
    }
}

/// What is to be erased: the tombstone, and the numbers of the records.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The tombstone.
    pub erasure: Erasure,
    /// Records, superseded copies too.
    pub numbers: Vec<u32>,
    /// See [`Report::fell_back`].
    pub fell_back: usize,
}

/// What was a person's on one client.
#[derive(Debug, Default)]
struct Share {
    numbers: BTreeSet<u32>,
    /// Times in which events without a user id were his.
    stretches: Vec<(i64, i64)>,
    fell_back: usize,
}

impl Site {
    /// Finds out what an erasure concerns.
    #[must_use]
    pub fn plan_erasure(&self, person: &Person, salt: Veiled, now_ms: i64) -> Plan {
        let salt = self.tombstones.salt().unwrap_or(salt);
        let user = match person {
            Person::User(user) => Some(user.as_str()),
            _ => None,
        };
        let mut erasure = Erasure::new(salt, now_ms, user);
        let shares = self.shares(person, now_ms);
        let (mut numbers, mut fell_back) = (BTreeSet::new(), 0);
        for (client, share) in &shares {
            let veiled = ByteArray::new(veil_client(&salt, self.texts.text(*client)));
            let stretch = |(from_ms, to_ms): &(i64, i64)| Stretch {
                client: veiled,
                from_ms: *from_ms,
                to_ms: *to_ms,
            };
            erasure.stretches.extend(share.stretches.iter().map(stretch));
            numbers.extend(&share.numbers);
            fell_back += share.fell_back;
        }
        numbers.extend(self.beside_timelines(user, &shares));
        self.note_keys(&mut erasure, &mut numbers);
        Plan { erasure, numbers: numbers.into_iter().collect(), fell_back }
    }

    /// What was the person's on the timelines of clients.
    fn shares(&self, person: &Person, now_ms: i64) -> BTreeMap<TextId, Share> {
        let only = match person {
            Person::User(_) => None,
            Person::Client(client) | Person::AfterLogout(client, _) => {
                // A client that nobody knows has no timeline.
                Some(self.texts.find(client.as_str()).unwrap_or(TextId::MAX))
            }
        };
        let user = match person {
            Person::User(user) => self.texts.find(user.as_str()),
            _ => None,
        };
        let mut shares = BTreeMap::new();
        let clients: Vec<TextId> = match (only, user) {
            (Some(client), _) => vec![client],
            // A user was nowhere but where an event names him.
            (None, Some(user)) => self.credits.clients_named(&Name::User(user)),
            (None, None) => Vec::new(),
        };
        for client in clients {
            let Some(timeline) = self.timeline(client) else { continue };
            let timeline = &*timeline;
            let share = match (person, user) {
                (Person::User(_), Some(user)) => of_user(timeline, user, now_ms),
                (Person::User(_), None) => break,
                (Person::Client(_), _) => of_owner(timeline, now_ms, |o| o == Owner::Client),
                (Person::AfterLogout(_, id), _) => of_owner(timeline, now_ms, |owner| {
                    let Owner::AfterLogout(number) = owner else { return false };
                    self.records.get(number).is_some_and(|record| record.id == *id)
                }),
            };
            if !share.numbers.is_empty() {
                shares.insert(client, share);
            }
        }
        if let (Person::Client(_), Some(client)) = (person, only) {
            // Without a timeline nobody ever signed in there.
            shares.entry(client).or_insert_with(|| Share {
                stretches: vec![(i64::MIN, now_ms)],
                ..Share::default()
            });
        }
        shares
    }

    /// Records of the person that stand on no timeline, such as those of the shop's server.
    fn beside_timelines(&self, user: Option<&str>, shares: &BTreeMap<TextId, Share>) -> Vec<u32> {
        let user = user.map(|user| self.texts.find(user));
        let is_his = |(number, record): &(u32, Held<'_, Stored>)| match (record.user, user) {
            (Some(carried), Some(user)) => Some(carried) == user,
            (Some(_), None) => false,
            (None, _) if record.client == 0 || step_of(&self.texts, *number, record).is_some() => {
                false
            }
            (None, Some(user)) => self.signed_in(*number, record).is_some_and(|u| Some(u) == user),
            (None, None) => shares.get(&record.client).is_some_and(|share| {
                let at = record.occurred_at_ms;
                share.stretches.iter().any(|(from, to)| (*from..=*to).contains(&at))
            }),
        };
        self.records.standing().filter(is_his).map(|(number, _)| number).collect()
    }

    /// Who was signed in on the client of a record that stands on no timeline.
    fn signed_in(&self, record: u32, of: &Stored) -> Option<TextId> {
        let name = EventName::parse(self.texts.text(of.name)).ok()?;
        let (occurred_at_ms, rank) = (of.occurred_at_ms, event::rank(&name));
        let step = Step {
            record,
            occurred_at_ms,
            rank,
            role: Role::Plain,
            is_activity: false,
            clue: Clue::default(),
        };
        match self.timeline(of.client)?.before(&step, &self.records) {
            Before::Login(user) => Some(user),
            _ => None,
        }
    }

    /// Names the events in the tombstone, and adds the copies that they superseded.
    fn note_keys(&self, erasure: &mut Erasure, numbers: &mut BTreeSet<u32>) {
        let chosen = numbers.iter().filter_map(|number| self.records.get(*number));
        let ids: HashSet<_> = chosen.map(|record| (record.client, record.id.clone())).collect();
        let copies = self.records.all().filter(|(_, record)| {
            record.is_superseded && ids.contains(&(record.client, record.id.clone()))
        });
        numbers.extend(copies.map(|(number, _)| number).collect::<Vec<u32>>());
        let clients: BTreeSet<TextId> = ids.iter().map(|(client, _)| *client).collect();
        for client in clients {
            erasure.clients.extend(veil_client(&erasure.salt, self.texts.text(client)));
        }
        let mut keys: Vec<Veiled> = ids
            .iter()
            .map(|(client, id)| veil_event(&erasure.salt, self.texts.text(*client), id))
            .collect();
        keys.sort_unstable();
        erasure.keys = keys.concat();
    }

    /// Erases what was planned, now or when the log is read again.
    pub fn erase(&mut self, plan: Plan, effects: &mut Effects) -> Report {
        let Plan { erasure, numbers, fell_back } = plan;
        let salt: Veiled = *erasure.salt;
        let mut report = Report { fell_back, ..Report::default() };
        self.watch_sealed(erasure.erased_at_ms);
        let (mut clients, mut orders) = (BTreeSet::new(), BTreeSet::new());
        let mut gone = Vec::new();
        for number in numbers {
            let Some(record) = self.records.get(number).map(Held::into_owned) else { continue };
            clients.insert(record.client);
            if record.is_superseded {
                self.records.wipe(number);
                gone.push(record);
                continue;
            }
            self.change_cells(&record, -1, effects);
            self.unfollow(number, &record, effects);
            self.records.wipe(number);
            match self.money_of(&record, &salt) {
                Some(money) => {
                    orders.extend(money.fact.as_deref().and_then(OrderKey::of));
                    self.change_cells(&money, 1, effects);
                    self.add(money, effects);
                }
                None => report.events += 1,
            }
            gone.push(record);
        }
        self.raise_generations();
        clients.remove(&0);
        (report.clients, report.orders_kept) = (clients.len(), orders.len());
        self.tombstones.push(erasure);
        let tombstones = &self.tombstones;
        report.letters = self.rejects.remove_all(|letter| tombstones.is_letter_erased(letter));
        self.forget_texts(&gone);
        report
    }

    /// What stays of a record as the money of an order, if it is part of one.
    fn money_of(&self, record: &Stored, salt: &Veiled) -> Option<Stored> {
        let fact = record.fact.as_deref();
        if !is_money(self.texts.text(record.name), fact) {
            return None;
        }
        let kept = Flags::BOT.0 | Flags::SERVER_KEY.0;
        Some(Stored {
            id: money_id(salt, self.texts.text(record.client), &record.id),
            name: record.name,
            platform: record.platform,
            occurred_at_ms: record.occurred_at_ms,
            received_at_ms: record.received_at_ms,
            flags: Flags(record.flags.0 & kept).with(Flags::ERASED, true),
            fact: fact.map(|fact| money_fact(fact).into()),
            is_superseded: false,
            ..Stored::blank()
        })
    }

    /// A record that arrives, unless its person was erased; of an order its money stays.
    pub(super) fn unless_erased(
        &mut self,
        record: Stored,
        erased: &mut Vec<Stored>,
        effects: &mut Effects,
    ) -> Option<Stored> {
        if self.tombstones.is_empty() || record.flags.has(Flags::ERASED) {
            return Some(record);
        }
        let Some(salt) = self.tombstones.erased_by(&self.told(&record)) else {
            return Some(record);
        };
        let money = self.money_of(&record, &salt);
        match &money {
            Some(money) => {
                self.change_cells(&record, -1, effects);
                self.change_cells(money, 1, effects);
            }
            None => self.count_twice(&record, effects),
        }
        erased.push(record);
        money
    }

    /// What a record says of whose it is.
    fn told<'a>(&'a self, record: &'a Stored) -> Told<'a> {
        Told {
            client: self.texts.text(record.client),
            user: record.user.map(|user| self.texts.text(user)),
            id: Some(&record.id),
            occurred_at_ms: record.occurred_at_ms,
        }
    }

    /// What an erasure concerns that was made in another state of the site; none if it is known.
    #[must_use]
    pub fn plan_known_erasure(&self, erasure: Erasure) -> Option<Plan> {
        if self.tombstones.list().iter().any(|known| **known == erasure) {
            return None;
        }
        let mut alone = Tombstones::default();
        alone.push(erasure.clone());
        let records = self.records.all().filter(|(_, record)| !record.flags.has(Flags::ERASED));
        let numbers = records.filter(|(_, record)| alone.is_erased(&self.told(record)));
        let numbers = numbers.map(|(number, _)| number).collect();
        Some(Plan { erasure, numbers, fell_back: 0 })
    }

    /// Forgets texts that came only with records of which nothing stays; `known` is how many texts
    /// and records there were before.
    pub(super) fn forget_new_texts(&mut self, known: (usize, u32), erased: &[Stored]) {
        let is_new = |text: &TextId| usize::try_from(*text).is_ok_and(|text| text >= known.0);
        let mut texts: HashSet<TextId> =
            erased.iter().flat_map(Stored::personal_texts).filter(is_new).collect();
        let kept = (known.1..self.records.len()).filter_map(|number| self.records.get(number));
        for text in kept.flat_map(|record| record.personal_texts()) {
            texts.remove(&text);
        }
        texts.into_iter().for_each(|text| self.texts.erase(text));
    }

    /// Forgets the texts of records that are gone, as far as nothing else has them.
    fn forget_texts(&mut self, gone: &[Stored]) {
        self.forget_unused(gone.iter().flat_map(Stored::personal_texts).collect());
    }

    /// Forgets texts, as far as neither a record nor a merge has them.
    pub(super) fn forget_unused(&mut self, mut texts: HashSet<TextId>) {
        let kept = self.records.all().flat_map(|(_, record)| record.personal_texts());
        for text in kept.chain(self.merges.texts()) {
            texts.remove(&text);
        }
        texts.into_iter().for_each(|text| self.texts.erase(text));
    }
}

/// What was a user's on one client: his own events, and those without a user id from a login on.
fn of_user(timeline: &Timeline, user: TextId, now_ms: i64) -> Share {
    let mut share = Share::default();
    let (mut before, mut from_ms) = (Before::Nothing, None);
    for (step, place) in timeline.iter() {
        let is_his = match step.role {
            Role::Login(carried) | Role::Carries(carried) => carried == user,
            Role::Plain | Role::Logout => before == Before::Login(user),
        };
        if is_his {
            share.numbers.insert(step.record);
        } else if place.owner == Owner::User(user) {
            share.fell_back += 1;
        }
        before = before.then(step);
        match from_ms {
            None if before == Before::Login(user) => from_ms = Some(step.occurred_at_ms),
            Some(from) if before != Before::Login(user) => {
                // A logout was his, another's login was not.
                let to_ms = step.occurred_at_ms - i64::from(!is_his);
                share.stretches.push((from, to_ms));
                from_ms = None;
            }
            _ => {}
        }
    }
    share.stretches.extend(from_ms.map(|from| (from, now_ms)));
    share
}

/// What was an anonymous person's on its client.
fn of_owner(timeline: &Timeline, now_ms: i64, is_owner: impl Fn(Owner) -> bool) -> Share {
    let mut share = Share::default();
    let mut run: Option<(i64, i64)> = None;
    for (at, (step, place)) in timeline.iter().enumerate() {
        if !is_owner(place.owner) {
            share.stretches.extend(run.take());
            continue;
        }
        share.numbers.insert(step.record);
        let begin = if at == 0 { i64::MIN } else { step.occurred_at_ms };
        let is_last = at + 1 == timeline.len();
        let to_ms = if is_last { now_ms } else { step.occurred_at_ms };
        run = Some((run.map_or(begin, |(from, _)| from), to_ms));
    }
    share.stretches.extend(run);
    share
}
