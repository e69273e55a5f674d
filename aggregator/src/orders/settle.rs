//! One order from its events: whether it exists and is booked, when, and for how much.

use std::sync::Arc;

use edgetally_proto::back_office::{State, Version};
use edgetally_proto::ids::EventId;
use edgetally_proto::money::Money;
use edgetally_proto::record::Fact;

use super::returns::{self, Refund, Sold, Worth};

/// What an event is to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `purchase`: makes the order and books it.
    Purchase,
    /// `order_created`: makes the order.
    Created,
    /// `payment_success`: books an order that another event makes.
    Paid,
    /// `order_cancelled`
    Cancelled,
    /// `refund`
    Refunded,
    /// What the back office says: its newest version, at the order date.
    Told,
}

impl Kind {
    /// The kind of events with a name, if they concern an order's existence.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "purchase" => Some(Self::Purchase),
            "order_created" => Some(Self::Created),
            "payment_success" => Some(Self::Paid),
            "order_cancelled" => Some(Self::Cancelled),
            "refund" => Some(Self::Refunded),
            _ => None,
        }
    }
}

/// One event of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Number of its record.
    pub record: u32,
    /// What it is.
    pub kind: Kind,
    /// Event time; with the id, the order of section "time": all kinds have the same rank.
    pub occurred_at_ms: i64,
    /// Its id.
    pub id: EventId,
    /// Whether it came from the shop's server.
    pub is_server: bool,
    /// Whether a bot sent it.
    pub is_bot: bool,
    /// What it says.
    pub fact: Arc<Fact>,
}

impl Trace {
    /// Sum of the quantities of its lines.
    fn units(&self) -> i64 {
        self.fact.items.iter().map(|item| i64::from(item.quantity)).sum()
    }

    fn sells(&self) -> bool {
        self.makes_order() || self.kind == Kind::Paid
    }

    fn version(&self) -> Option<&Version> {
        self.fact.told.as_deref().filter(|_| self.kind == Kind::Told)
    }

    fn makes_order(&self) -> bool {
        matches!(self.kind, Kind::Purchase | Kind::Created)
    }
}

/// An order as its events have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Record of the event that gave the order its time.
    pub record: u32,
    /// Record of the event that gave it its money.
    pub money_record: u32,
    /// Order time.
    pub at_ms: i64,
    /// Whether it counts: bought or paid.
    pub is_booked: bool,
    /// Its money.
    pub value: Option<Money>,
    /// Its units.
    pub units: i64,
    /// What it is worth, in minor units of its currency.
    pub worth: Worth,
    /// How many events told of it as an order, and the back office.
    pub copies: u32,
    /// What the back office says of how far it has come, if it has spoken.
    pub state: Option<State>,
    /// Its day in daily statistics holds this instant: the order date of the back office, else the
    /// order time. Epoch ms.
    pub dated_ms: i64,
    /// What it came to before discounts, minor units.
    pub total: i64,
    /// Its discount, minor units.
    pub discount: i64,
}

/// What of an order's events counts, in order: what bots say only if the shop's server or its back
/// office spoke of the order as well.
fn spoken(traces: &[Trace]) -> Vec<&Trace> {
    let confirms = |trace: &Trace| trace.sells() && trace.is_server && !trace.is_bot;
    let is_confirmed = traces.iter().any(|trace| confirms(trace) || trace.kind == Kind::Told);
    let mut spoken: Vec<&Trace> =
        traces.iter().filter(|trace| is_confirmed || !trace.is_bot).collect();
    spoken.sort_by(|a, b| (a.occurred_at_ms, &a.id).cmp(&(b.occurred_at_ms, &b.id)));
    spoken
}

/// Works out an order from all of its events, in whatever order they are given.
#[must_use]
pub fn settle(traces: &[Trace]) -> Option<Order> {
    settle_in_full(traces).map(|(order, _)| order)
}

/// When an order was cancelled: the back office's word stands, unless an event came after it.
fn cancelled_at(spoken: &[&Trace], version: Option<&Version>) -> Option<i64> {
    if let Some(version) = version.filter(|version| version.state == State::Cancelled) {
        return Some(version.cancelled_at_ms.unwrap_or(version.updated_at_ms));
    }
    let events = spoken.iter().filter(|trace| trace.kind == Kind::Cancelled);
    let mut times = events.map(|trace| trace.occurred_at_ms);
    times.find(|at_ms| version.is_none_or(|version| *at_ms > version.updated_at_ms))
}

/// The same, with the order's refunds.
#[must_use]
pub fn settle_in_full(traces: &[Trace]) -> Option<(Order, Vec<Refund>)> {
    let spoken = spoken(traces);
    let makers = || spoken.iter().filter(|trace| trace.makes_order());
    let first = |kind| spoken.iter().find(|trace| trace.kind == kind);
    let told = first(Kind::Told);
    let version = told.and_then(|trace| trace.version());
    let timing = makers()
        .find(|trace| !trace.is_server && !trace.is_bot)
        .or_else(|| makers().find(|trace| trace.is_server))
        .or_else(|| makers().next())
        .or(told)?;
    let money = told.or_else(|| first(Kind::Purchase)).or_else(|| first(Kind::Created))?;
    // Units stand where the money does, unless that copy names no lines.
    let mut named = spoken.iter().filter(|t| (t.sells() || t.kind == Kind::Told) && t.units() > 0);
    let other = named.next().filter(|_| money.units() == 0);
    let units = other.unwrap_or(money).units();
    let discount = money.fact.discount.unwrap_or_default();
    let (worth, refunds) = match money.fact.value {
        None => (Worth::default(), Vec::new()),
        Some(Money { minor, currency }) => {
            let lines = money.fact.items.as_slice();
            let total = version.map_or(minor, |version| version.total);
            let sold = Sold { value: minor, total, currency, lines, discount };
            let end = returns::End {
                cancelled_at_ms: cancelled_at(&spoken, version),
                is_lost: version.is_some_and(|version| version.state.is_lost()),
            };
            returns::worth(&sold, &spoken, end)
        }
    };
    let is_sold = |trace: &&Trace| matches!(trace.kind, Kind::Purchase | Kind::Paid);
    let copies = makers().count() + usize::from(told.is_some());
    let order = Order {
        record: timing.record,
        money_record: money.record,
        at_ms: timing.occurred_at_ms,
        is_booked: spoken.iter().any(is_sold) || version.is_some_and(Version::is_booked),
        value: money.fact.value,
        units,
        worth,
        copies: u32::try_from(copies).unwrap_or(u32::MAX),
        state: version.map(|version| version.state),
        dated_ms: told.unwrap_or(timing).occurred_at_ms,
        total: version.map_or(worth.gmv, |version| version.total),
        discount,
    };
    Some((order, refunds))
}

#[cfg(test)]
mod tests {
    use edgetally_proto::money::Currency;
    use edgetally_proto::record::Item;

    use super::*;
    use crate::orders::returns::RefundFault;

    fn fact(kind: Kind, value: i64) -> Fact {
        let money = Money { minor: value, currency: Currency::USD };
        let makes = matches!(kind, Kind::Purchase | Kind::Created);
        let items = vec![Item { quantity: 1, price: Some(value), ..Item::default() }];
        match kind {
            _ if makes => Fact { value: Some(money), items, ..Fact::default() },
            Kind::Refunded if value > 0 => {
                Fact { value_written: Some(format!("0.{value:02}")), ..Fact::default() }
            }
            _ => Fact::default(),
        }
    }

    fn trace(record: u32, kind: Kind, at: i64, value: i64) -> Trace {
        Trace {
            record,
            kind,
            occurred_at_ms: at,
            id: EventId::parse(&format!("e{record}")).unwrap(),
            is_server: false,
            is_bot: false,
            fact: Arc::new(fact(kind, value)),
        }
    }

    fn server(trace: Trace) -> Trace {
        Trace { is_server: true, ..trace }
    }

    fn bot(trace: Trace) -> Trace {
        Trace { is_bot: true, ..trace }
    }

    /// (time, booked, value) of the order.
    fn check(traces: &[Trace], expected: Option<(i64, bool, i64)>) {
        let mut traces = traces.to_vec();
        for _ in 0..traces.len() {
            traces.rotate_left(1);
            let order = settle(&traces);
            let said = order.map(|o| (o.at_ms, o.is_booked, o.value.map_or(0, |v| v.minor)));
            assert_eq!(said, expected, "{traces:?}");
        }
    }

    #[test]
    fn a_purchase_is_an_order_and_repeats_are_none() {
        let first = trace(1, Kind::Purchase, 10, 100);
        check(std::slice::from_ref(&first), Some((10, true, 100)));
        check(&[first, trace(2, Kind::Purchase, 12, 300)], Some((10, true, 100)));
    }

    #[test]
    fn a_created_order_waits_for_purchase_or_payment() {
        let created = trace(1, Kind::Created, 10, 90);
        check(std::slice::from_ref(&created), Some((10, false, 90)));
        check(&[created.clone(), trace(2, Kind::Paid, 12, 0)], Some((10, true, 90)));
        check(&[created, trace(2, Kind::Purchase, 12, 100)], Some((10, true, 100)));
        check(&[trace(2, Kind::Paid, 12, 0)], None);
    }

    #[test]
    fn activity_gives_the_time_and_the_first_purchase_the_money() {
        let from_server = server(trace(1, Kind::Purchase, 5, 120));
        let from_browser = trace(2, Kind::Purchase, 10, 100);
        check(std::slice::from_ref(&from_server), Some((5, true, 120)));
        check(&[from_server, from_browser], Some((10, true, 120)));
    }

    #[test]
    fn bots_buy_nothing_unless_the_server_confirms() {
        let bought = bot(trace(1, Kind::Purchase, 10, 100));
        check(std::slice::from_ref(&bought), None);
        check(&[bought.clone(), trace(2, Kind::Paid, 12, 0)], None);
        check(&[bought.clone(), server(trace(2, Kind::Paid, 12, 0))], Some((10, true, 100)));
        check(&[bought, server(trace(2, Kind::Purchase, 12, 90))], Some((12, true, 100)));
    }

    /// (GMV, NMV, refunds) of a purchase of 90 cents and what comes after it.
    fn check_worth(later: &[Trace], expected: (i64, i64, i64)) {
        let mut traces = [&[trace(1, Kind::Purchase, 10, 90)], later].concat();
        for _ in 0..traces.len() {
            traces.rotate_left(1);
            let worth = settle(&traces).unwrap().worth;
            assert_eq!((worth.gmv, worth.nmv, worth.refunds), expected, "{traces:?}");
        }
    }

    fn refund(record: u32, at: i64, value: i64, number: &str) -> Trace {
        let trace = trace(record, Kind::Refunded, at, value);
        let fact = Fact { refund_id: Some(number.to_owned()), ..Fact::clone(&trace.fact) };
        Trace { fact: Arc::new(fact), ..trace }
    }

    #[test]
    fn refunds_count_once_and_never_beyond_the_order() {
        check_worth(&[refund(2, 20, 30, "R1"), refund(3, 21, 30, "R1")], (90, 60, 30));
        check_worth(&[refund(2, 20, 30, "R1"), refund(3, 21, 80, "R2")], (90, 0, 90));
        check_worth(&[refund(2, 20, 30, "R1"), refund(3, 21, 0, "R2")], (90, 0, 90));
        check_worth(&[trace(2, Kind::Cancelled, 20, 0)], (90, 0, 90));
        let foreign = refund(2, 20, 30, "R1");
        let fact = Fact { currency_written: Some("EUR".to_owned()), ..Fact::clone(&foreign.fact) };
        let foreign = Trace { fact: Arc::new(fact), ..foreign };
        check_worth(std::slice::from_ref(&foreign), (90, 90, 0));
        let (_, refunds) = settle_in_full(&[trace(1, Kind::Purchase, 10, 90), foreign]).unwrap();
        assert_eq!(refunds[0].fault, Some(RefundFault::Currency));
    }

    #[test]
    fn returned_items_are_worth_what_their_line_says() {
        let item = Item { id: Some("sku".to_owned()), quantity: 2, ..Item::default() };
        let line = Item { price: Some(40), quantity: 3, ..item.clone() };
        let bought = trace(1, Kind::Purchase, 10, 100);
        let fact = Fact { items: vec![line], discount: Some(20), ..Fact::clone(&bought.fact) };
        let bought = Trace { fact: Arc::new(fact), ..bought };
        let back = trace(2, Kind::Refunded, 20, 0);
        let fact = Fact { items: vec![item], ..Fact::clone(&back.fact) };
        let back = Trace { fact: Arc::new(fact), ..back };
        let worth = settle(&[bought, back]).unwrap().worth;
        assert_eq!((worth.gmv, worth.nmv, worth.refunds), (120, 20, 80));
    }
}
