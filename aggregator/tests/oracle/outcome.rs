//! What the oracle says: sessions, owners, orders and their sums, in plain maps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use jiff::civil::Date;

use super::model::EventKey;

/// What a touch says of where the person came from; a referrer is never the same as a campaign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TouchKey {
    Campaign([String; 6]),
    Referrer(String),
}

/// Why a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    First,
    Gap,
    Day,
    Campaign,
}

/// An event that brought the person here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    pub key: TouchKey,
    pub event: EventKey,
    pub at_ms: i64,
}

/// One run of a person's activity. Its id is the key of its first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub person: String,
    pub clients: BTreeSet<String>,
    /// Activity, in order.
    pub events: Vec<EventKey>,
    pub start_ms: i64,
    pub end_ms: i64,
    pub local_date: Date,
    pub why: BTreeSet<Why>,
    /// None is direct.
    pub entry: Option<TouchKey>,
    pub attributed: Option<Touch>,
    pub pageviews: usize,
    /// Page of its first event.
    pub entry_page: Option<String>,
    /// Page of its last event.
    pub exit_page: Option<String>,
    /// Booked orders.
    pub orders: BTreeSet<OrderKey>,
}

/// Order platform and transaction id.
pub type OrderKey = (String, String);

/// One order. Money is minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whether it was bought or paid; else it is pending.
    pub is_booked: bool,
    /// t_o.
    pub at_ms: i64,
    /// The event that gave it.
    pub event: EventKey,
    /// None if only a server without client and user spoke.
    pub person: Option<String>,
    pub session: Option<EventKey>,
    /// None is direct.
    pub credited: Option<Touch>,
    /// Its session was brought by a touch that is too old for it, and no other has the credit.
    pub aged_out: bool,
    pub money: Money,
    pub entry: Entry,
}

/// What daily statistics say of an order. Money is minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The order date, else t_o.
    pub dated_ms: i64,
    /// Before discounts.
    pub total: i64,
    pub discount: i64,
    /// None if the back office has not spoken.
    pub state: Option<&'static str>,
    pub category: Option<String>,
    pub region: Option<String>,
}

/// Local date of the order date, order platform, currency, category and region.
pub type Cell = (Date, String, String, Option<String>, Option<String>);

/// Daily statistics of a cell; money in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Daily {
    pub orders: i64,
    pub completed: i64,
    pub cancelled: i64,
    pub total: i64,
    pub revenue: i64,
    pub discount: i64,
}

/// The money of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    pub currency: String,
    pub value: i64,
    pub gmv: i64,
    pub nmv: i64,
    pub units: i64,
    /// Amounts booked, by refund id, else event id.
    pub refunds: BTreeMap<String, i64>,
    /// When it was cancelled first.
    pub cancelled_ms: Option<i64>,
    /// What the cancellation took off.
    pub cancelled: i64,
    /// What refunds take off each line before any limit, in the order of the lines.
    pub refunded_by_line: Vec<i64>,
    /// Refunds in another currency, which are not booked.
    pub foreign_refunds: BTreeSet<String>,
    /// Whether refunds asked for more than the order's value.
    pub is_over_refunded: bool,
}

/// Money of booked orders in one currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Takings {
    pub revenue: i64,
    /// Refunds and cancelled remainders.
    pub refunds: i64,
    pub gmv: i64,
    pub nmv: i64,
}

/// Metrics of a day, or of all time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// By local date of the start.
    pub sessions: usize,
    /// With a single event.
    pub bounces: usize,
    /// With a booked order.
    pub converted: usize,
    /// Distinct persons with activity.
    pub users: usize,
    /// Persons whose first activity ever it holds.
    pub new_users: usize,
    /// Booked, by local date of t_o.
    pub orders: usize,
    pub pending: usize,
    pub units: i64,
    pub takings: BTreeMap<String, Takings>,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub sessions: BTreeMap<EventKey, Session>,
    /// The person of every standing event that has one, activity or not.
    pub owners: BTreeMap<EventKey, String>,
    pub orders: BTreeMap<OrderKey, Order>,
    pub days: BTreeMap<Date, Sums>,
    pub total: Sums,
    pub daily: BTreeMap<Cell, Daily>,
}

impl Outcome {
    /// One line for each thing that is not the same in both, ours first.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = different("owner", &self.owners, &other.owners);
        lines.extend(different("session", &self.sessions, &other.sessions));
        lines.extend(different("order", &self.orders, &other.orders));
        lines.extend(different("day", &self.days, &other.days));
        lines.extend(different("daily", &self.daily, &other.daily));
        let total = |outcome: &Self| BTreeMap::from([("all time", outcome.total.clone())]);
        lines.extend(different("total", &total(self), &total(other)));
        lines
    }
}

fn different<K: Debug + Ord, V: Debug + PartialEq>(
    what: &str,
    ours: &BTreeMap<K, V>,
    theirs: &BTreeMap<K, V>,
) -> Vec<String> {
    let keys: BTreeSet<&K> = ours.keys().chain(theirs.keys()).collect();
    let unequal = keys.into_iter().filter(|key| ours.get(key) != theirs.get(key));
    let line = |key| format!("{what} {key:?}:\n  {:?}\n  {:?}", ours.get(key), theirs.get(key));
    unequal.map(line).collect()
}
