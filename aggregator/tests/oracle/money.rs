//! The money of one order: GMV, refunds, cancellation, NMV (section 9).

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Item, OrderFact, Version};
use super::orders::Spoken;
use super::outcome::Money;

/// What the events of an order, given in order, make of its money; none if no event makes it. The
/// back office's word stands before theirs.
pub fn money(spoken: &[Spoken<'_>]) -> Option<Money> {
    let first = |name: &str| spoken.iter().find(|(event, _)| event.name == name);
    let told = spoken.iter().find(|(_, fact)| fact.version.is_some());
    let (_, fact) = told.or_else(|| first("purchase")).or_else(|| first("order_created"))?;
    let mut money = Money {
        currency: fact.currency.clone().unwrap_or_default(),
        value: fact.value.unwrap_or_default(),
        gmv: gmv(fact),
        nmv: 0,
        units: units(fact, spoken),
        refunds: BTreeMap::new(),
        cancelled_ms: cancelled_ms(spoken, fact.version.as_ref()),
        cancelled: 0,
        refunded_by_line: vec![0; fact.items.len()],
        foreign_refunds: BTreeSet::new(),
        is_over_refunded: false,
    };
    let mut taken = Taken { left: money.value, off: fact.discount, is_whole: false };
    for (key, refund) in refunds(spoken) {
        book(&mut money, &mut taken, fact, key, refund);
    }
    let lost = |version: &Version| ["returned", "failed"].contains(&version.state);
    let is_over = money.cancelled_ms.is_some() || fact.version.as_ref().is_some_and(lost);
    if is_over {
        money.cancelled = taken.left;
    }
    let is_nothing_left = taken.is_whole || is_over;
    money.nmv = if is_nothing_left { 0 } else { (money.gmv - taken.off).max(0) };
    Some(money)
}

/// When an order was cancelled: as the back office says, unless an event says so after that.
fn cancelled_ms(spoken: &[Spoken<'_>], version: Option<&Version>) -> Option<i64> {
    if let Some(version) = version.filter(|version| version.state == "cancelled") {
        return Some(version.cancelled_ms.unwrap_or(version.updated_ms));
    }
    let events = spoken.iter().filter(|(event, _)| event.name == "order_cancelled");
    let mut times = events.map(|(event, _)| event.at_ms);
    times.find(|at_ms| version.is_none_or(|version| *at_ms > version.updated_ms))
}

/// The lines by their prices; where no line has one, what it came to before discounts.
pub fn gmv(fact: &OrderFact) -> i64 {
    let is_priced = fact.items.iter().any(|line| line.price.is_some());
    let total = fact.version.as_ref().map(|version| version.total).or(fact.value);
    if is_priced { fact.items.iter().map(worth).sum() } else { total.unwrap_or_default() }
}

fn worth(line: &Item) -> i64 {
    line.price.unwrap_or_default() * line.quantity
}

/// The quantities of the event that gave the money; if it names no lines, of the first that does.
fn units(fact: &OrderFact, spoken: &[Spoken<'_>]) -> i64 {
    let says = ["purchase", "order_created", "payment_success"];
    let others = spoken.iter().filter(|(event, _)| says.contains(&event.name.as_str()));
    let mut named = std::iter::once(fact)
        .chain(others.map(|(_, fact)| *fact))
        .filter(|fact| !fact.items.is_empty());
    named.next().map_or(0, |fact| fact.items.iter().map(|line| line.quantity).sum())
}

/// Refunds in order, each key once: of copies the first stands.
fn refunds<'a>(spoken: &[Spoken<'a>]) -> Vec<(String, &'a OrderFact)> {
    let mut refunds: Vec<(String, &OrderFact)> = Vec::new();
    for (event, fact) in spoken.iter().filter(|(event, _)| event.name == "refund") {
        let key = fact.refund_id.clone().unwrap_or_else(|| event.id.clone());
        if !refunds.iter().any(|(known, _)| *known == key) {
            refunds.push((key, fact));
        }
    }
    refunds
}

/// What refunds took.
struct Taken {
    /// What is left of the value.
    left: i64,
    /// What NMV is below GMV.
    off: i64,
    /// Whether a refund took the whole remainder.
    is_whole: bool,
}

fn book(money: &mut Money, taken: &mut Taken, order: &OrderFact, key: String, refund: &OrderFact) {
    if refund.currency.as_ref().is_some_and(|currency| *currency != money.currency) {
        money.foreign_refunds.insert(key);
        return;
    }
    let is_of_lines = !refund.items.is_empty();
    let lines: i64 = refund.items.iter().map(|item| price_of(item, order) * item.quantity).sum();
    let asked = match refund.value {
        Some(value) => value,
        None if is_of_lines => lines,
        None => taken.left,
    };
    let booked = asked.min(taken.left);
    let is_unnamed = refund.value.is_none() && !is_of_lines;
    taken.is_whole |= is_unnamed || (taken.left > 0 && booked == taken.left);
    taken.left -= booked;
    taken.off += if is_of_lines { lines } else { booked };
    money.is_over_refunded |= asked > booked;
    if is_of_lines {
        take_from_lines(money, order, refund);
    } else {
        spread(money, order, booked);
    }
    money.refunds.insert(key, booked);
}

/// The line of the order that an item is, by its id.
fn line_of(item: &Item, order: &OrderFact) -> Option<usize> {
    order.items.iter().position(|line| line.id == item.id)
}

fn price_of(item: &Item, order: &OrderFact) -> i64 {
    let of_line = || line_of(item, order).and_then(|at| order.items[at].price);
    item.price.or_else(of_line).unwrap_or_default()
}

fn take_from_lines(money: &mut Money, order: &OrderFact, refund: &OrderFact) {
    for item in &refund.items {
        if let Some(at) = line_of(item, order) {
            money.refunded_by_line[at] += price_of(item, order) * item.quantity;
        }
    }
}

/// An amount over the lines by their worth, rounded down, and the remainder to the first.
fn spread(money: &mut Money, order: &OrderFact, amount: i64) {
    let total: i64 = order.items.iter().map(worth).sum();
    if total == 0 {
        return;
    }
    let shares: Vec<i64> = order.items.iter().map(|line| amount * worth(line) / total).collect();
    for (line, share) in money.refunded_by_line.iter_mut().zip(&shares) {
        *line += share;
    }
    money.refunded_by_line[0] += amount - shares.iter().sum::<i64>();
}
