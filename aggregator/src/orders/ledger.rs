//! The ledger: the events of every order, and what each order is now.

use std::sync::Arc;

use edgetally_proto::record::Fact;
use rustc_hash::FxHashMap;

use super::returns::Refund;
use super::sales::Sales;
use super::settle::{Kind, Order, Trace, settle, settle_in_full};
use crate::records::Stored;

/// The order platform of events that name none.
pub const DEFAULT_PLATFORM: &str = "web";

/// What names an order within its site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// `web`, or what the events say.
    pub platform: Box<str>,
    /// The shop's own number.
    pub transaction: Box<str>,
}

impl OrderKey {
    /// The order that a fact is about.
    #[must_use]
    pub fn of(fact: &Fact) -> Option<Self> {
        let transaction = fact.transaction.as_ref()?.as_str().into();
        let platform = fact.order_platform.as_deref().unwrap_or(DEFAULT_PLATFORM).into();
        Some(Self { platform, transaction })
    }
}

/// The order an event changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderChange {
    /// Which order.
    pub key: OrderKey,
    /// What its events made of it before, booked or not.
    pub was: Option<Order>,
    /// What its events make of it, booked or not.
    pub order: Option<Order>,
    /// Whether that is news.
    pub is_changed: bool,
    /// What counted before; booked orders only.
    pub before: Option<Order>,
    /// What counts now; booked orders only.
    pub after: Option<Order>,
    /// What the event that gives the money says.
    pub fact: Option<Arc<Fact>>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    traces: Vec<Trace>,
    order: Option<Order>,
}

/// All orders of a site.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    orders: FxHashMap<OrderKey, Entry>,
    /// Sums over the booked ones.
    pub sales: Sales,
}

/// The trace that a record leaves in the ledger, if its name concerns orders.
#[must_use]
pub fn trace(number: u32, record: &Stored, name: &str) -> Option<(OrderKey, Trace)> {
    let fact = record.fact.as_ref()?;
    let key = OrderKey::of(fact)?;
    let trace = Trace {
        record: number,
        kind: if fact.told.is_some() { Kind::Told } else { Kind::of(name)? },
        occurred_at_ms: record.occurred_at_ms,
        id: record.id.clone(),
        is_server: record.platform == edgetally_proto::event::Platform::Server,
        is_bot: record.flags.has(edgetally_proto::record::Flags::BOT),
        fact: fact.clone(),
    };
    Some((key, trace))
}

impl Ledger {
    /// What the events of an order say of it, refunds included.
    #[must_use]
    pub fn order(&self, key: &OrderKey) -> Option<(Order, Vec<Refund>)> {
        settle_in_full(&self.orders.get(key)?.traces)
    }

    /// The record of what the back office said of an order, if it has spoken.
    #[must_use]
    pub fn told(&self, key: &OrderKey) -> Option<u32> {
        let mut traces = self.orders.get(key)?.traces.iter();
        traces.find(|trace| trace.kind == Kind::Told).map(|trace| trace.record)
    }

    /// Puts what the back office says of an order in the place of what it said before.
    pub fn tell(&mut self, key: OrderKey, trace: Trace) -> OrderChange {
        let entry = self.orders.entry(key.clone()).or_default();
        entry.traces.retain(|known| known.kind != Kind::Told);
        entry.traces.push(trace);
        self.settle(key)
    }

    /// Adds an event to its order.
    pub fn insert(&mut self, key: OrderKey, trace: Trace) -> OrderChange {
        let entry = self.orders.entry(key.clone()).or_default();
        entry.traces.push(trace);
        self.settle(key)
    }

    /// Takes an event out of its order, because another copy of it stands.
    pub fn remove(&mut self, key: OrderKey, record: u32) -> OrderChange {
        if let Some(entry) = self.orders.get_mut(&key) {
            entry.traces.retain(|trace| trace.record != record);
        }
        self.settle(key)
    }

    fn settle(&mut self, key: OrderKey) -> OrderChange {
        let Some(entry) = self.orders.get_mut(&key) else {
            let (was, order, before, after, fact) = (None, None, None, None, None);
            return OrderChange { key, was, order, is_changed: false, before, after, fact };
        };
        let after = settle(&entry.traces);
        let before = std::mem::replace(&mut entry.order, after);
        if before != after {
            before.iter().for_each(|order| self.sales.change(order, false));
            after.iter().for_each(|order| self.sales.change(order, true));
        }
        let booked = |order: Option<Order>| order.filter(|order| order.is_booked);
        let is_changed = before != after;
        let (was, order) = (before, after);
        let (before, after) = (booked(was), booked(order));
        OrderChange { key, was, order, is_changed, before, after, fact: None }
    }
}
