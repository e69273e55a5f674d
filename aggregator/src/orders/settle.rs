//! One order from its events: whether it exists and is booked, when, and for how much.

use edgetally_proto::ids::EventId;
use edgetally_proto::money::Money;

/// What an event is to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `purchase`: makes the order and books it.
    Purchase,
    /// `order_created`: makes the order.
    Created,
    /// `payment_success`: books an order that another event makes.
    Paid,
}

impl Kind {
    /// The kind of events with a name, if they concern an order's existence.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "purchase" => Some(Self::Purchase),
            "order_created" => Some(Self::Created),
            "payment_success" => Some(Self::Paid),
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
    /// The order's value as it says.
    pub value: Option<Money>,
    /// Sum of the quantities of its lines.
    pub units: i64,
}

/// An order as its events have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// Works out an order from all of its events, in whatever order they are given.
///
/// What bots say counts only when the shop's server spoke of the order as well.
#[must_use]
pub fn settle(traces: &[Trace]) -> Option<Order> {
    let is_confirmed = traces.iter().any(|trace| trace.is_server && !trace.is_bot);
    let mut spoken: Vec<&Trace> =
        traces.iter().filter(|trace| is_confirmed || !trace.is_bot).collect();
    spoken.sort_by(|a, b| (a.occurred_at_ms, &a.id).cmp(&(b.occurred_at_ms, &b.id)));
    let makes = |trace: &&&Trace| trace.kind != Kind::Paid;
    let is_activity = |trace: &&&Trace| !trace.is_server && !trace.is_bot;
    let timing = spoken
        .iter()
        .filter(makes)
        .find(is_activity)
        .or_else(|| spoken.iter().filter(makes).find(|trace| trace.is_server))
        .or_else(|| spoken.iter().find(makes))?;
    let first = |kind| spoken.iter().find(|trace| trace.kind == kind);
    let money = first(Kind::Purchase).or_else(|| first(Kind::Created))?;
    // The lines stand where the money does, unless that copy names none.
    let lines = spoken.iter().find(|trace| trace.units > 0).filter(|_| money.units == 0);
    Some(Order {
        record: timing.record,
        money_record: money.record,
        at_ms: timing.occurred_at_ms,
        is_booked: spoken.iter().any(|trace| trace.kind != Kind::Created),
        value: money.value,
        units: lines.unwrap_or(money).units,
    })
}

#[cfg(test)]
mod tests {
    use edgetally_proto::money::Currency;

    use super::*;

    fn trace(record: u32, kind: Kind, at: i64, value: i64) -> Trace {
        Trace {
            record,
            kind,
            occurred_at_ms: at,
            id: EventId::parse(&format!("e{record}")).unwrap(),
            is_server: false,
            is_bot: false,
            value: (kind != Kind::Paid).then_some(Money { minor: value, currency: Currency::USD }),
            units: i64::from(kind != Kind::Paid),
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
}
