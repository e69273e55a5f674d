//! What the worker confirmed, counted so that it can be laid beside the aggregator's numbers.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::answer::Answer;
use super::event::Event;
use super::shop::{CURRENCY, ORDINARY_ORDERS_PER_MINUTE, ORDINARY_TOTAL_MAX};
use super::summary::{Amount, Summary, Suspicious};

/// Running count of a run.
#[derive(Debug, Default)]
pub struct Tally {
    accepted: u64,
    duplicates: u64,
    rejected: BTreeMap<String, u64>,
    unconfirmed: u64,
    retries: u64,
    requests: u64,
    by_name: BTreeMap<&'static str, u64>,
    orders: HashMap<String, Order>,
    /// Each client with activity, and the user it signed in as.
    clients: HashMap<String, Option<String>>,
    first_event_at_ms: Option<i64>,
    last_event_at_ms: Option<i64>,
}

#[derive(Debug, Default)]
struct Order {
    value: i64,
    user_id: Option<String>,
    is_created: bool,
    is_purchased: bool,
    is_paid: bool,
}

impl Order {
    /// A purchase books an order; so does a payment, once something else has made the order.
    fn is_booked(&self) -> bool {
        self.is_purchased || (self.is_created && self.is_paid)
    }
}

impl Tally {
    /// Counts an attempt; `is_retry` if the same events were sent before.
    pub fn attempt(&mut self, is_retry: bool) {
        self.requests += 1;
        self.retries += u64::from(is_retry);
    }

    /// Counts a batch by its answer; `is_retry` as at its last attempt.
    pub fn settle(&mut self, events: &[Event], answer: &Answer, is_retry: bool) {
        let mut is_rejected = vec![false; events.len()];
        for rejected in &answer.rejected {
            if let Some(flag) = is_rejected.get_mut(rejected.index) {
                *flag = true;
            }
            *self.rejected.entry(rejected.code.clone()).or_default() += 1;
        }
        for (event, is_rejected) in events.iter().zip(is_rejected) {
            if !is_rejected {
                self.confirm(event);
            }
        }
        self.accepted += answer.accepted as u64;
        let repeats = answer.duplicates as u64;
        *(if is_retry { &mut self.accepted } else { &mut self.duplicates }) += repeats;
    }

    /// Counts events that nobody confirmed: they may be stored or not.
    pub fn give_up(&mut self, events: usize) {
        self.unconfirmed += events as u64;
    }

    /// The result so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let booked = || self.orders.values().filter(|order| order.is_booked());
        let revenue: i64 = booked().map(|order| order.value).sum();
        let of = |name: &str| self.by_name.get(name).copied().unwrap_or(0);
        Summary {
            events: self.by_name.values().sum(),
            accepted: self.accepted,
            duplicates: self.duplicates,
            rejected: self.rejected.clone(),
            unconfirmed: self.unconfirmed,
            requests: self.requests,
            retries: self.retries,
            by_name: self.by_name.clone(),
            orders: booked().count() as u64,
            revenue: vec![Amount { currency: CURRENCY, amount: revenue.to_string() }],
            visitors: self.visitors(),
            payments_succeeded: of("payment_success"),
            payments_failed: of("payment_failed"),
            suspicious: self.suspicious(),
            first_event_at_ms: self.first_event_at_ms,
            last_event_at_ms: self.last_event_at_ms,
        }
    }

    fn confirm(&mut self, event: &Event) {
        *self.by_name.entry(event.name).or_default() += 1;
        let first = self.first_event_at_ms.get_or_insert(event.ts);
        *first = event.ts.min(*first);
        let last = self.last_event_at_ms.get_or_insert(event.ts);
        *last = event.ts.max(*last);
        // What the back end reports shows nobody using the shop.
        if event.platform != "server" {
            let user_id = self.clients.entry(event.client_id.clone()).or_default();
            if event.user_id.is_some() {
                user_id.clone_from(&event.user_id);
            }
        }
        if let Some(fact) = &event.order {
            let order = self.orders.entry(fact.transaction_id.clone()).or_default();
            order.value = fact.value;
            order.user_id = order.user_id.take().or_else(|| event.user_id.clone());
            order.is_created |= event.name == "order_created";
            order.is_purchased |= event.name == "purchase";
            order.is_paid |= event.name == "payment_success";
        }
    }

    /// A client that signed in is its user, from its first event on.
    fn visitors(&self) -> u64 {
        let users: HashSet<&String> = self.clients.values().flatten().collect();
        let strangers = self.clients.values().filter(|user_id| user_id.is_none()).count();
        (users.len() + strangers) as u64
    }

    fn suspicious(&self) -> Suspicious {
        let mut by_user: HashMap<&String, u64> = HashMap::new();
        let booked = || self.orders.values().filter(|order| order.is_booked());
        for user_id in booked().filter_map(|order| order.user_id.as_ref()) {
            *by_user.entry(user_id).or_default() += 1;
        }
        let rushes = || by_user.values().filter(|orders| **orders > ORDINARY_ORDERS_PER_MINUTE);
        Suspicious {
            high_value_orders: booked().filter(|o| o.value > ORDINARY_TOTAL_MAX).count() as u64,
            velocity_users: rushes().count() as u64,
            velocity_orders: rushes().sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::simulate::answer::Rejected;
    use crate::simulate::event::OrderFact;

    fn event(name: &'static str, client: &str, user: Option<&str>, order: Option<&str>) -> Event {
        let is_server = name.starts_with("payment") || name == "order_created";
        Event {
            id: "e".into(),
            name,
            ts: 1_000,
            client_id: client.into(),
            user_id: user.map(str::to_owned),
            platform: if is_server { "server" } else { "web" },
            context: None,
            params: Map::new(),
            order: order.map(|id| OrderFact { transaction_id: id.into(), value: 500 }),
        }
    }

    fn stored(accepted: usize, duplicates: usize) -> Answer {
        Answer { accepted, duplicates, rejected: Vec::new() }
    }

    #[test]
    fn orders_are_booked_by_a_purchase_or_by_a_paid_creation() {
        let mut tally = Tally::default();
        let events = [
            event("purchase", "a", None, Some("T-1")),
            event("payment_success", "a", None, Some("T-1")),
            event("order_created", "b", None, Some("T-2")),
            event("payment_success", "b", None, Some("T-2")),
            event("order_created", "c", None, Some("T-3")),
            event("payment_failed", "c", None, Some("T-3")),
            event("payment_success", "d", None, Some("T-4")),
        ];
        tally.settle(&events, &stored(7, 0), false);
        let summary = tally.summary();
        assert_eq!((summary.orders, summary.events), (2, 7));
        assert_eq!(summary.revenue, [Amount { currency: "VND", amount: "1000".into() }]);
        assert_eq!((summary.payments_succeeded, summary.payments_failed), (3, 1));
        assert_eq!(summary.visitors, 1);
    }

    #[test]
    fn a_client_that_signs_in_is_its_user_all_along() {
        let mut tally = Tally::default();
        let events = [
            event("page_view", "a", None, None),
            event("login", "a", Some("u"), None),
            event("page_view", "b", Some("u"), None),
            event("page_view", "c", None, None),
        ];
        tally.settle(&events, &stored(4, 0), false);
        assert_eq!(tally.summary().visitors, 2);
    }

    #[test]
    fn duplicates_of_a_retry_were_stored_by_this_run() {
        let mut tally = Tally::default();
        let events = [event("page_view", "a", None, None), event("page_view", "b", None, None)];
        tally.settle(&events, &stored(1, 1), true);
        tally.settle(&events, &stored(0, 2), false);
        let summary = tally.summary();
        assert_eq!((summary.accepted, summary.duplicates, summary.events), (2, 2, 4));
    }

    #[test]
    fn what_was_rejected_or_never_confirmed_is_not_counted_as_stored() {
        let mut tally = Tally::default();
        let events =
            [event("page_view", "a", None, None), event("purchase", "a", None, Some("T-1"))];
        let rejected = vec![Rejected { index: 1, code: "currency_unknown".into() }];
        tally.settle(&events, &Answer { accepted: 1, duplicates: 0, rejected }, false);
        tally.give_up(5);
        let summary = tally.summary();
        assert_eq!((summary.events, summary.orders, summary.unconfirmed), (1, 0, 5));
        assert_eq!(summary.rejected, BTreeMap::from([("currency_unknown".to_owned(), 1)]));
        assert!(!summary.is_complete());
    }
}
