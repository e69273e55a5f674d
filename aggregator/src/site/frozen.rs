//! Orders whose credit is frozen, found by what may still concern them.
//!
//! They are sought at every event, and with time there are many: nothing here looks at all of them.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::credits::{OrderPlace, Places, places_within};
use crate::people::Person;
use crate::texts::TextId;

/// What a credit was worked out from where late records concern it.
#[derive(Debug, Clone, Default)]
pub struct Frozen {
    /// The clients whose records decided.
    pub clients: BTreeSet<TextId>,
    /// The user to whom it was credited, if it was one.
    pub person: Option<Person>,
}

/// Frozen orders by their places.
#[derive(Debug, Clone, Default)]
pub struct FrozenOrders {
    orders: FxHashMap<OrderPlace, Frozen>,
    of_client: Places,
    of_person: FxHashMap<Person, BTreeSet<OrderPlace>>,
}

impl FrozenOrders {
    /// Adds an order that is not here.
    pub fn insert(&mut self, place: OrderPlace, frozen: Frozen) {
        self.of_client.extend(frozen.clients.iter().map(|client| (*client, place)));
        if let Some(person) = frozen.person {
            self.of_person.entry(person).or_default().insert(place);
        }
        self.orders.insert(place, frozen);
    }

    /// Takes an order out, if it is here.
    pub fn remove(&mut self, place: OrderPlace) {
        let Some(frozen) = self.orders.remove(&place) else { return };
        for client in frozen.clients {
            self.of_client.remove(&(client, place));
        }
        let Some(person) = frozen.person else { return };
        if let Some(places) = self.of_person.get_mut(&person) {
            places.remove(&place);
            if places.is_empty() {
                self.of_person.remove(&person);
            }
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// All of them.
    pub fn places(&self) -> impl Iterator<Item = OrderPlace> {
        self.orders.keys().copied()
    }

    /// Those that an event of a client may concern, or one that names a person.
    pub fn concerned(
        &self,
        client: TextId,
        person: Option<Person>,
    ) -> impl Iterator<Item = OrderPlace> {
        let of_client = places_within(&self.of_client, client, i64::MIN, i64::MAX);
        let of_person = person.and_then(|person| self.of_person.get(&person));
        of_client.chain(of_person.into_iter().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen(clients: &[TextId], user: Option<TextId>) -> Frozen {
        Frozen { clients: clients.iter().copied().collect(), person: user.map(Person::User) }
    }

    fn concerned(orders: &FrozenOrders, client: TextId, user: Option<TextId>) -> Vec<OrderPlace> {
        orders.concerned(client, user.map(Person::User)).collect()
    }

    #[test]
    fn orders_are_found_by_client_and_by_person_until_they_go() {
        let mut orders = FrozenOrders::default();
        orders.insert((5, 1), frozen(&[7, 8], Some(3)));
        orders.insert((-5, 2), frozen(&[8], None));
        assert_eq!(concerned(&orders, 7, None), [(5, 1)]);
        assert_eq!(concerned(&orders, 8, Some(4)), [(-5, 2), (5, 1)]);
        assert_eq!(concerned(&orders, 9, Some(3)), [(5, 1)]);
        orders.remove((5, 1));
        orders.remove((5, 1));
        assert_eq!(concerned(&orders, 8, Some(3)), [(-5, 2)]);
        assert!(orders.of_person.is_empty() && !orders.is_empty());
        orders.remove((-5, 2));
        assert!(orders.is_empty() && orders.of_client.is_empty());
    }
}
