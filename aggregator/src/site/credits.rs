//! The orders of a site with their persons, sessions and credits, kept true as things change.

use std::collections::BTreeSet;
use std::sync::Arc;

use edgetally_proto::event::Platform;
use imbl::OrdMap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Site;
use super::frozen::{Frozen, FrozenOrders};
use super::timelines::step_of;
use crate::attribution::{Restricted, has_late, later, touch_of};
use crate::identity::{Role, STITCH_MS, Step};
use crate::merges::Name;
use crate::orders::ledger::OrderKey;
use crate::orders::returns::Refund;
use crate::orders::settle::Order;
use crate::people::{Named, Person, Stretch};
use crate::presence::PersonId;
use crate::sessionize::{Entry, Touch};
use crate::texts::TextId;
use crate::touches::Class;

/// What an order is credited to, and where it belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Credit {
    /// Who ordered.
    pub person: Option<PersonId>,
    /// Record of the first event of the session it was ordered in.
    pub session: Option<u32>,
    /// The touch; none is direct.
    pub touch: Option<Touch>,
    /// Whether there was a touch before it that had grown too old.
    pub is_aged_out: bool,
}

/// An order as it is told, booked or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Which.
    pub key: OrderKey,
    /// What its events make of it.
    pub order: Order,
    /// What came back of it.
    pub refunds: Vec<Refund>,
    /// What it is credited to.
    pub credit: Credit,
    /// The client of the event that gives its time; none if it names none.
    pub client: Option<TextId>,
}

/// Time and record of an order.
pub type OrderPlace = (i64, u32);

/// Places of orders by the number of their client or person.
pub(super) type Places = BTreeSet<(u32, OrderPlace)>;

/// Those of one client or person within two instants, epoch ms, both included.
pub(super) fn places_within(
    places: &Places,
    of: u32,
    from_ms: i64,
    to_ms: i64,
) -> impl Iterator<Item = OrderPlace> {
    // A range that ends before it begins is none.
    let range = (of, (from_ms, 0))..=(of, (to_ms.max(from_ms), u32::MAX));
    let is_within = from_ms <= to_ms;
    places.range(range).filter(move |_| is_within).map(|(_, place)| *place)
}

/// Where an order stands among the rows; `places` are by the hashes of keys.
#[must_use]
pub fn place_in(
    places: &OrdMap<(u64, OrderPlace), ()>,
    rows: &OrdMap<OrderPlace, Arc<OrderRow>>,
    key: &OrderKey,
) -> Option<OrderPlace> {
    let hash = key.hash();
    let same = places.range((hash, (i64::MIN, 0))..=(hash, (i64::MAX, u32::MAX)));
    let mut places = same.map(|((_, place), ())| *place);
    places.find(|place| rows.get(place).is_some_and(|row| row.key == *key))
}

/// The orders of a site.
#[derive(Debug, Clone, Default)]
pub struct Credits {
    rows: OrdMap<OrderPlace, Arc<OrderRow>>,
    places: OrdMap<(u64, OrderPlace), ()>,
    sold: OrdMap<(u32, OrderPlace), ()>,
    by_person: Places,
    clients_of: FxHashMap<TextId, BTreeSet<TextId>>,
    users_of: FxHashMap<TextId, BTreeSet<TextId>>,
    by_client: Places,
    frozen: FrozenOrders,
    /// The newest receipt of any record.
    newest_ms: i64,
}

impl Credits {
    /// All orders by time.
    #[must_use]
    pub fn rows(&self) -> &OrdMap<OrderPlace, Arc<OrderRow>> {
        &self.rows
    }

    /// Where each order stands among the rows, by the hash of its key.
    #[must_use]
    pub fn places(&self) -> &OrdMap<(u64, OrderPlace), ()> {
        &self.places
    }

    /// Where the booked orders of each session stand among the rows.
    #[must_use]
    pub fn sold(&self) -> &OrdMap<(u32, OrderPlace), ()> {
        &self.sold
    }

    /// The order whose time a record gives, which happened at an instant.
    fn order_of(&self, record: u32, occurred_at_ms: i64) -> Option<&OrderKey> {
        self.rows.get(&(occurred_at_ms, record)).map(|row| &row.key)
    }

    /// The clients on which somebody can have been, those who are merged into him left out.
    pub fn clients_named(&self, name: &Name) -> Vec<TextId> {
        match name {
            Name::User(user) => self.clients_of.get(user).into_iter().flatten().copied().collect(),
            Name::Client(client) | Name::AfterLogout(client, _) => vec![*client],
        }
    }

    /// Takes note of a step, before anything is worked out from it.
    pub fn note(&mut self, client: TextId, step: &Step, received_at_ms: i64) {
        self.newest_ms = self.newest_ms.max(received_at_ms);
        if let Role::Login(user) | Role::Carries(user) = step.role {
            self.clients_of.entry(user).or_default().insert(client);
            self.users_of.entry(client).or_default().insert(user);
        }
    }

    /// The keys of orders that are there.
    fn keys(&self, places: impl Iterator<Item = OrderPlace>) -> impl Iterator<Item = OrderKey> {
        places.filter_map(|place| self.rows.get(&place)).map(|row| row.key.clone())
    }

    fn within(&self, stretch: Stretch) -> Vec<OrderKey> {
        let Stretch { person, from_ms, to_ms } = stretch;
        self.keys(places_within(&self.by_person, person, from_ms, to_ms)).collect()
    }

    /// Gives the session it was booked in.
    fn take(&mut self, key: &OrderKey) -> Option<u32> {
        let place = place_in(&self.places, &self.rows, key)?;
        self.places.remove(&(key.hash(), place));
        let row = self.rows.remove(&place)?;
        self.frozen.remove(place);
        if let Some(client) = row.client {
            self.by_client.remove(&(client, place));
        }
        if let Some(session) = row.credit.session {
            self.sold.remove(&(session, place));
        }
        if let Some(person) = row.credit.person {
            self.by_person.remove(&(person, place));
        }
        row.credit.session.filter(|_| row.order.is_booked)
    }

    /// Gives the session it is booked in.
    fn put(&mut self, row: OrderRow, frozen: Option<Frozen>) -> Option<u32> {
        let place = (row.order.at_ms, row.order.record);
        self.places.insert((row.key.hash(), place), ());
        let booked_in = row.credit.session.filter(|_| row.order.is_booked);
        if let Some(session) = booked_in {
            self.sold.insert((session, place), ());
        }
        if let Some(person) = row.credit.person {
            self.by_person.insert((person, place));
        }
        if let Some(frozen) = frozen {
            self.frozen.insert(place, frozen);
        }
        if let Some(client) = row.client {
            self.by_client.insert((client, place));
        }
        self.rows.insert(place, Arc::new(row));
        booked_in
    }
}

impl Site {
    /// Tells an order anew after the ledger changed it.
    pub(super) fn place_order(
        &mut self,
        key: &OrderKey,
        order: Option<Order>,
        refunds: Vec<Refund>,
    ) {
        let before = self.credits.take(key);
        let after = order.and_then(|order| {
            let (credit, frozen) = self.credit(&order);
            let client = self.records.client(order.record);
            let client = client.filter(|client| !self.texts.text(*client).is_empty());
            let row = OrderRow { key: key.clone(), order, refunds, credit, client };
            self.credits.put(row, frozen)
        });
        // Whether a session converted is told with it.
        for session in [before, after].into_iter().flatten().filter(|_| before != after) {
            if let Some(start_ms) = self.records.occurred_at_ms(session) {
                self.people.stamps.note(start_ms);
            }
        }
    }

    /// Credits anew what a step and the stretches that it changed may concern.
    pub(super) fn credit_again(
        &mut self,
        client: TextId,
        step: &Step,
        moved: impl Iterator<Item = u32>,
        stretches: &[Stretch],
    ) {
        let mut keys: FxHashSet<OrderKey> = FxHashSet::default();
        keys.extend(moved.filter_map(|record| {
            let occurred_at_ms = self.records.occurred_at_ms(record)?;
            self.credits.order_of(record, occurred_at_ms).cloned()
        }));
        for stretch in stretches {
            keys.extend(self.credits.within(*stretch));
        }
        keys.extend(self.frozen_orders_near(client, step));
        if !self.credits.frozen.is_empty() {
            let user = match step.role {
                Role::Login(user) | Role::Carries(user) => Some(Person::User(user)),
                Role::Logout | Role::Plain => None,
            };
            let person = user.map(|user| self.merges.root(user, &self.records));
            keys.extend(self.credits.keys(self.credits.frozen.concerned(client, person)));
        }
        let mut keys: Vec<OrderKey> = keys.into_iter().collect();
        keys.sort();
        for key in keys {
            self.credit_order(&key);
        }
    }

    /// Credits anew whatever a merge of two persons may concern.
    pub(super) fn credit_all_of(&mut self, persons: &[PersonId]) {
        let always = |person| Stretch { person, from_ms: i64::MIN, to_ms: i64::MAX };
        let orders = persons.iter().flat_map(|person| self.credits.within(always(*person)));
        let mut keys: BTreeSet<OrderKey> = orders.collect();
        keys.extend(self.credits.keys(self.credits.frozen.places()));
        for key in keys {
            self.credit_order(&key);
        }
    }

    fn credit_order(&mut self, key: &OrderKey) {
        let Credits { places, rows, .. } = &self.credits;
        let Some(row) = place_in(places, rows, key).and_then(|place| rows.get(&place)) else {
            return;
        };
        let (order, refunds) = (row.order, row.refunds.clone());
        self.place_order(key, Some(order), refunds);
    }

    /// The orders past their freeze on a client, or of users who were on it, where a step may
    /// decide who owned what came before them, be it only without what came too late. There are
    /// none of them while events come in time.
    fn frozen_orders_near(&self, client: TextId, step: &Step) -> Vec<OrderKey> {
        let from_ms = step.occurred_at_ms.saturating_sub(STITCH_MS);
        let to_ms = self.credits.newest_ms.saturating_sub(self.window.freeze_ms);
        if from_ms > to_ms {
            return Vec::new();
        }
        let users = self.credits.users_of.get(&client).into_iter().flatten();
        let users = users.map(|user| Person::User(*user)).chain(self.merges.users_of(client));
        let roots = users.map(|user| self.merges.root(user, &self.records));
        let persons = roots.filter_map(|root| self.people.known(root));
        let orders = persons.map(|person| self.credits.within(Stretch { person, from_ms, to_ms }));
        let here = places_within(&self.credits.by_client, client, from_ms, to_ms);
        let here = self.credits.keys(here);
        orders.flatten().chain(here).collect()
    }

    /// What an order is credited to; and what that hangs on, if it no longer hangs on everything.
    fn credit(&mut self, order: &Order) -> (Credit, Option<Frozen>) {
        let Some(spot) = self.spot(order) else { return Default::default() };
        // Also of persons of whom nothing else is known yet: their touches may come later.
        let number = self.people.number(spot.person);
        let mut credit = self.credit_on(number, &spot);
        let frozen = self.frozen(&spot);
        if frozen.is_some() {
            credit.touch = self.frozen_touch(&spot);
            let brought = credit.session.and_then(|session| self.attributed(number, session));
            let window_ms = self.rules.at(order.at_ms).window_ms;
            let is_old = |touch: Touch| order.at_ms - touch.occurred_at_ms > window_ms;
            credit.is_aged_out = credit.touch.is_none() && brought.is_some_and(is_old);
        }
        (credit, frozen)
    }

    /// Where an order stands: on the timeline of its client, else on its user's line.
    fn spot(&self, order: &Order) -> Option<Spot> {
        let record = self.records.get(order.record)?;
        if let Some(step) = step_of(&self.texts, order.record, &record) {
            let place = self.timeline(record.client)?.place_of(&step, &self.records)?;
            let (client, person) = (record.client, self.whose(record.client, place.owner));
            return Some(Spot { client: Some(client), person, step, class: place.class });
        }
        let step = Step {
            record: order.record,
            occurred_at_ms: order.at_ms,
            rank: 2,
            role: Role::Plain,
            is_activity: false,
            clue: Default::default(),
        };
        let person = self.merges.root(Person::User(record.user?), &self.records);
        Some(Spot { client: None, person, step, class: Class::Direct })
    }

    /// The credit of an order placed on a person's line.
    fn credit_on(&self, person: PersonId, spot: &Spot) -> Credit {
        let Spot { step, class, .. } = *spot;
        let line = self.line(person);
        let Step { record, occurred_at_ms, rank, .. } = step;
        let entry = Entry { occurred_at_ms, record, rank, class };
        let told = self.named();
        let session = if step.is_activity {
            line.session_of(&entry, &told)
        } else {
            line.session_at(occurred_at_ms)
        };
        let session = session.and_then(|place| line.sessions().get(place));
        let window_ms = self.rules.at(occurred_at_ms).window_ms;
        let touch = line.touch_at(&entry, window_ms, &told);
        let brought = session.and_then(|session| session.attributed);
        let is_old = |touch: Touch| occurred_at_ms - touch.occurred_at_ms > window_ms;
        let is_aged_out = touch.is_none() && brought.is_some_and(is_old);
        let (person, session) = (Some(person), session.map(|session| session.record));
        Credit { person, session, touch, is_aged_out }
    }

    /// The clients on which a person can have been.
    fn clients(&self, spot: &Spot, person: Person) -> BTreeSet<TextId> {
        let mut clients: BTreeSet<TextId> = spot.client.into_iter().collect();
        let Person::User(user) = person else { return clients };
        for member in self.merges.members(Name::User(user)) {
            clients.extend(self.credits.clients_named(&member));
        }
        clients
    }

    /// The clients whose late records concern an order, if any does.
    fn frozen(&self, spot: &Spot) -> Option<Frozen> {
        let (at_ms, deadline_ms) = (spot.step.occurred_at_ms, self.deadline(spot));
        if self.credits.newest_ms <= deadline_ms {
            return None;
        }
        let mut clients = self.clients(spot, spot.person);
        let is_late = |client: &TextId| {
            let timeline = self.timeline(*client);
            timeline.is_some_and(|line| has_late(&line, &self.records, at_ms, deadline_ms))
        };
        if !clients.iter().any(is_late) {
            return None;
        }
        let person = self.restricted_person(spot)?;
        clients.extend(self.clients(spot, person));
        let person = Some(person).filter(|person| matches!(person, Person::User(_)));
        Some(Frozen { clients, person })
    }

    pub(super) fn named(&self) -> Named<'_> {
        Named { records: &self.records, texts: &self.texts }
    }

    /// The touch in force when a session of a person began.
    fn attributed(&self, person: PersonId, session: u32) -> Option<Touch> {
        let line = self.line(person);
        line.sessions().iter().find(|known| known.record == session)?.attributed
    }

    fn restricted(&self, client: TextId, deadline_ms: i64) -> Option<Restricted<'_>> {
        let timeline = self.timeline(client)?;
        let told = (&self.records, &self.merges);
        Some(Restricted::of(client, &timeline, told, deadline_ms, &self.rules))
    }

    fn deadline(&self, spot: &Spot) -> i64 {
        spot.step.occurred_at_ms.saturating_add(self.window.freeze_ms)
    }

    /// Whose an order is without what came too late.
    fn restricted_person(&self, spot: &Spot) -> Option<Person> {
        let Some(client) = spot.client else { return Some(spot.person) };
        Some(self.restricted(client, self.deadline(spot))?.person(&spot.step, &self.records))
    }

    /// The touch of an order without what came too late.
    fn frozen_touch(&self, spot: &Spot) -> Option<Touch> {
        let person = self.restricted_person(spot)?;
        let Step { occurred_at_ms, record, rank, .. } = spot.step;
        let order = Entry { occurred_at_ms, record, rank, class: Class::Direct };
        let from_ms = occurred_at_ms - self.rules.at(occurred_at_ms).window_ms;
        let told = self.named();
        let touches = self.clients(spot, person).into_iter().map(|client| {
            self.restricted(client, self.deadline(spot))?.touch(person, &order, from_ms, &told)
        });
        touches.fold(None, |a, b| later(a, b, &told)).map(touch_of)
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy)]
struct Spot {
    /// Its client, if it has one.
    client: Option<TextId>,
    /// Who ordered.
    person: Person,
    /// The event that gives its time.
    step: Step,
    /// How that came to be.
    class: Class,
}

/// Whether an event makes an order without being anybody's activity: its place on the client's
/// timeline tells whose order it is.
pub(super) fn only_places_an_order(name: &str, platform: Platform, is_bot: bool) -> bool {
    let makes = matches!(name, "purchase" | "order_created");
    makes && (is_bot || platform == Platform::Server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_client_are_those_within() {
        let orders = BTreeSet::from([(1, (10, 1)), (1, (20, 0)), (1, (20, 9)), (2, (15, 1))]);
        let found = |from, to| places_within(&orders, 1, from, to).collect::<Vec<_>>();
        assert_eq!(found(10, 20), [(10, 1), (20, 0), (20, 9)]);
        assert_eq!(found(11, 20), [(20, 0), (20, 9)]);
        assert_eq!(found(11, 19), []);
        assert_eq!(found(20, 10), []);
    }
}
