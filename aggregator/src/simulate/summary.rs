//! What a run came to, as it is printed.

use std::collections::BTreeMap;

use serde::Serialize;

/// An amount as reports write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Decimal text with the currency's digits.
    pub amount: String,
}

/// Suspicious orders that were confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Suspicious {
    /// Orders above 50,000,000 đồng.
    pub high_value_orders: u64,
    /// Users with more than ten orders.
    pub velocity_users: u64,
    /// Their orders.
    pub velocity_orders: u64,
}

/// What a run came to. `events`, `by_name`, `orders`, `revenue`, `visitors` and the payments
/// describe what was confirmed with 202, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Events stored, by this run or before: `accepted` + `duplicates`.
    pub events: u64,
    /// Stored by this run. Of an event that was sent more than once for want of an answer,
    /// a duplicate is the trace of an earlier attempt, and counts here.
    pub accepted: u64,
    /// Stored before this run: the same seed and run id on the same data.
    pub duplicates: u64,
    /// Events refused, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Events that nobody confirmed: they may be stored or not.
    pub unconfirmed: u64,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that repeated an earlier one for want of an answer.
    pub retries: u64,
    /// Events stored, by name.
    pub by_name: BTreeMap<&'static str, u64>,
    /// Orders booked.
    pub orders: u64,
    /// Value of the orders booked.
    pub revenue: Vec<Amount>,
    /// Persons with activity.
    pub visitors: u64,
    /// Payments that succeeded.
    pub payments_succeeded: u64,
    /// Payments that failed.
    pub payments_failed: u64,
    /// How many of the orders are suspicious.
    pub suspicious: Suspicious,
    /// Time of the earliest event stored, epoch milliseconds.
    pub first_event_at_ms: Option<i64>,
    /// Time of the latest event stored, epoch milliseconds.
    pub last_event_at_ms: Option<i64>,
}

impl Summary {
    /// Whether the fate of every event is known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unconfirmed == 0
    }
}
