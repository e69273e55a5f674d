//! The ledger: which records tell of each order, and what each order is now.
//!
//! It holds the numbers of records alone. What they say is read from them, so that an order takes
//! eight bytes here for each of its records.

use std::sync::Arc;

use edgetally_proto::record::Fact;
use hashbrown::HashTable;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::returns::Refund;
use super::sales::Sales;
use super::settle::{Kind, Order, Trace, settle, settle_in_full};
use crate::people::Named;
use crate::records::{Indexed, Stored, spread};

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

    /// Whether a fact is about it.
    #[must_use]
    pub fn is_of(&self, fact: &Fact) -> bool {
        let transaction = fact.transaction.as_ref().map(|transaction| transaction.as_str());
        transaction == Some(self.transaction.as_ref())
            && fact.order_platform.as_deref().unwrap_or(DEFAULT_PLATFORM) == self.platform.as_ref()
    }

    /// A hash by which it is sought; the key itself decides.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let platform = xxh3_64(self.platform.as_bytes());
        xxh3_64_with_seed(self.transaction.as_bytes(), platform)
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
    /// What came back of it.
    pub refunds: Vec<Refund>,
    /// What the record that gave the money before says.
    pub was_fact: Option<Arc<Fact>>,
    /// What the record that gives the money says.
    pub fact: Option<Arc<Fact>>,
}

/// Reads what records say of orders.
pub trait Traces {
    /// The trace that a record left in the ledger.
    fn trace(&self, record: u32) -> Option<Trace>;
}

impl Traces for Named<'_> {
    fn trace(&self, record: u32) -> Option<Trace> {
        let stored = self.records.get(record)?;
        of_record(record, &stored, self.texts.text(stored.name))
    }
}

/// All orders of a site.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The records of orders by the hash of their order.
    index: HashTable<Indexed>,
    /// Sums over the booked ones.
    pub sales: Sales,
}

/// The trace that a record leaves in the ledger, if its name concerns orders.
#[must_use]
pub fn trace(number: u32, record: &Stored, name: &str) -> Option<(OrderKey, Trace)> {
    let trace = of_record(number, record, name)?;
    Some((OrderKey::of(&trace.fact)?, trace))
}

fn of_record(number: u32, record: &Stored, name: &str) -> Option<Trace> {
    let fact = record.fact.as_ref()?;
    Some(Trace {
        record: number,
        kind: if fact.told.is_some() { Kind::Told } else { Kind::of(name)? },
        occurred_at_ms: record.occurred_at_ms,
        id: record.id.clone(),
        is_server: record.platform == edgetally_proto::event::Platform::Server,
        is_bot: record.flags.has(edgetally_proto::record::Flags::BOT),
        fact: fact.clone(),
    })
}

fn hash(key: &OrderKey) -> u32 {
    (key.hash() >> 32) as u32
}

impl Ledger {
    /// What is known of an order.
    fn traces(&self, key: &OrderKey, told: &impl Traces) -> Vec<Trace> {
        let hash = hash(key);
        let same = self.index.iter_hash(spread(hash)).filter(|of| of.hash == hash);
        let traces = same.filter_map(|of| told.trace(of.record));
        traces.filter(|trace| key.is_of(&trace.fact)).collect()
    }

    /// Whether the events of an order make one.
    #[must_use]
    pub fn knows(&self, key: &OrderKey, told: &impl Traces) -> bool {
        settle(&self.traces(key, told)).is_some()
    }

    /// The record of what the back office said of an order, if it has spoken.
    #[must_use]
    pub fn told(&self, key: &OrderKey, told: &impl Traces) -> Option<u32> {
        let traces = self.traces(key, told);
        traces.iter().find(|trace| trace.kind == Kind::Told).map(|trace| trace.record)
    }

    /// Puts what the back office says of an order in the place of what it said before, which is
    /// still there to be read.
    pub fn tell(&mut self, key: OrderKey, trace: Trace, told: &impl Traces) -> OrderChange {
        let before = self.traces(&key, told);
        let mut after = Vec::with_capacity(before.len() + 1);
        for known in &before {
            if known.kind == Kind::Told {
                self.forget(hash(&key), known.record);
            } else {
                after.push(known.clone());
            }
        }
        self.note(hash(&key), trace.record);
        after.push(trace);
        self.settle(key, &before, &after)
    }

    /// Adds an event to its order.
    pub fn insert(&mut self, key: OrderKey, trace: Trace, told: &impl Traces) -> OrderChange {
        let before = self.traces(&key, told);
        self.note(hash(&key), trace.record);
        let mut after = before.clone();
        after.push(trace);
        self.settle(key, &before, &after)
    }

    /// Takes an event out of its order, because another copy of it stands; it is still there to be
    /// read.
    pub fn remove(&mut self, key: OrderKey, record: u32, told: &impl Traces) -> OrderChange {
        let before = self.traces(&key, told);
        self.forget(hash(&key), record);
        let mut after = before.clone();
        after.retain(|trace| trace.record != record);
        self.settle(key, &before, &after)
    }

    fn note(&mut self, hash: u32, record: u32) {
        self.index.insert_unique(spread(hash), Indexed { hash, record }, Indexed::spread);
    }

    fn forget(&mut self, hash: u32, record: u32) {
        if let Ok(held) = self.index.find_entry(spread(hash), |of| of.record == record) {
            held.remove();
        }
    }

    fn settle(&mut self, key: OrderKey, before: &[Trace], after: &[Trace]) -> OrderChange {
        let was = settle(before);
        let (order, refunds) =
            settle_in_full(after).map_or((None, Vec::new()), |(order, back)| (Some(order), back));
        let is_changed = was != order;
        if is_changed {
            was.iter().for_each(|order| self.sales.change(order, false));
            order.iter().for_each(|order| self.sales.change(order, true));
        }
        let money = |traces: &[Trace], order: Option<Order>| {
            let record = order?.money_record;
            traces.iter().find(|trace| trace.record == record).map(|trace| trace.fact.clone())
        };
        let (was_fact, fact) = (money(before, was), money(after, order));
        let booked = |order: Option<Order>| order.filter(|order| order.is_booked);
        let (before, after) = (booked(was), booked(order));
        OrderChange { key, was, order, is_changed, before, after, refunds, was_fact, fact }
    }
}
