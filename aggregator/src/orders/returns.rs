//! What comes back of an order: refunds and cancellation (semantics, section 9).

use edgetally_proto::money::{Currency, parse_minor};
use edgetally_proto::record::{Fact, Item};

use super::settle::{Kind, Trace};

/// One refund of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its number, else the id of its event.
    pub refund_id: String,
    /// Record of the event that told of it first.
    pub record: u32,
    /// When.
    pub at_ms: i64,
    /// What was booked, in minor units of the order's currency.
    pub amount: i64,
    /// Why not all that was asked for is booked.
    pub fault: Option<RefundFault>,
}

/// What is wrong with a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundFault {
    /// It is in another currency than its order; nothing is booked.
    Currency,
    /// It asks for more than is left of its order.
    TooMuch,
}

/// What an order is worth once something came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worth {
    /// Unit price times quantity of its lines, or its value.
    pub gmv: i64,
    /// Of that, less discounts and what came back.
    pub nmv: i64,
    /// What was paid back, and the rest of a cancelled order.
    pub refunds: i64,
    /// When it was cancelled.
    pub cancelled_at_ms: Option<i64>,
}

/// An order's money before anything came back.
#[derive(Debug, Clone, Copy)]
pub struct Sold<'a> {
    /// Its value in minor units.
    pub value: i64,
    /// What it comes to where no line has a price, in minor units.
    pub total: i64,
    /// Its currency.
    pub currency: Currency,
    /// Its lines.
    pub lines: &'a [Item],
    /// Discount in minor units.
    pub discount: i64,
}

fn minor(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

fn total(price: i64, quantity: u32) -> i128 {
    i128::from(price) * i128::from(quantity)
}

impl Sold<'_> {
    /// Its gross value: that of its priced lines, or its total where no line has a price.
    fn gmv(&self) -> i128 {
        let priced = self.lines.iter().filter_map(|line| Some(total(line.price?, line.quantity)));
        if self.lines.iter().any(|line| line.price.is_some()) {
            priced.sum()
        } else {
            i128::from(self.total)
        }
    }

    /// What returned items are worth: at their own price, else at that of the order's line.
    fn worth_of(&self, items: &[Item]) -> i128 {
        let same = |a: &Item, b: &Item| match (&a.id, &b.id) {
            (Some(a), Some(b)) => a == b,
            _ => a.name.is_some() && a.name == b.name,
        };
        let price = |item: &Item| {
            let line = || self.lines.iter().find(|line| same(line, item));
            item.price.or_else(|| line().and_then(|line| line.price)).unwrap_or_default()
        };
        items.iter().map(|item| total(price(item), item.quantity)).sum()
    }

    /// What a refund asks for; none if it is in another currency than the order.
    fn asked(&self, fact: &Fact) -> Option<Asked> {
        if fact.currency_written.as_deref().is_some_and(|code| code != self.currency.code()) {
            return None;
        }
        let written = fact.value_written.as_deref();
        let value = written.and_then(|text| parse_minor(text, self.currency.exponent()).ok());
        let items = (!fact.items.is_empty()).then(|| self.worth_of(&fact.items));
        Some(Asked { value: value.map(|parsed| i128::from(parsed.minor)), items })
    }
}

/// What a refund asks for: a value, items, or with neither the whole rest.
struct Asked {
    value: Option<i128>,
    /// What its items are worth.
    items: Option<i128>,
}

/// The refunds of an order in their order, each told of once.
fn refunds<'a>(spoken: &[&'a Trace]) -> Vec<(String, &'a Trace)> {
    let mut all: Vec<(String, &Trace)> = Vec::new();
    for trace in spoken.iter().filter(|trace| trace.kind == Kind::Refunded) {
        let named = trace.fact.refund_id.clone();
        let id = named.unwrap_or_else(|| trace.id.to_string());
        if all.iter().all(|(known, _)| *known != id) {
            all.push((id, trace));
        }
    }
    all
}

/// How an order ended, if nothing is left of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct End {
    /// When it was cancelled.
    pub cancelled_at_ms: Option<i64>,
    /// Whether it came back whole all the same.
    pub is_lost: bool,
}

/// What an order is worth now, and its refunds. `spoken` are its events in order.
#[must_use]
pub fn worth(sold: &Sold<'_>, spoken: &[&Trace], end: End) -> (Worth, Vec<Refund>) {
    let (value, gmv) = (i128::from(sold.value), sold.gmv());
    let mut nmv = gmv - i128::from(sold.discount);
    let (mut refunded, mut is_whole, mut told) = (0i128, false, Vec::new());
    for (refund_id, trace) in refunds(spoken) {
        let rest = value - refunded;
        let (mut amount, mut fault) = (0, Some(RefundFault::Currency));
        if let Some(Asked { value, items }) = sold.asked(&trace.fact) {
            let asked = value.or(items).unwrap_or(rest);
            amount = asked.min(rest);
            fault = (asked > rest).then_some(RefundFault::TooMuch);
            nmv -= items.unwrap_or(amount);
            is_whole |= value.or(items).is_none() || (rest > 0 && amount == rest);
        }
        refunded += amount;
        let (record, at_ms, amount) = (trace.record, trace.occurred_at_ms, minor(amount));
        told.push(Refund { refund_id, record, at_ms, amount, fault });
    }
    let is_over = end.cancelled_at_ms.is_some() || end.is_lost;
    if is_over {
        refunded = value;
    }
    if is_over || is_whole {
        nmv = 0;
    }
    let worth = Worth {
        gmv: minor(gmv),
        nmv: minor(nmv.max(0)),
        refunds: minor(refunded),
        cancelled_at_ms: end.cancelled_at_ms,
    };
    (worth, told)
}
