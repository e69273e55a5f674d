//! Sums over booked orders, by second and by quarter of an hour of the order time.

use std::sync::Arc;

use edgetally_proto::money::Currency;
use edgetally_proto::time::{SECOND_MS, second_of};
use imbl::OrdMap;

use super::returns::Worth;
use super::settle::Order;
use crate::merge::Level;

/// Orders and money of one currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Takings {
    /// Booked orders.
    pub orders: i64,
    /// Their money in minor units.
    pub minor: i128,
    /// What came back of it.
    pub refunds: i128,
    /// What their lines are worth.
    pub gmv: i128,
    /// Of that, less discounts and what came back.
    pub nmv: i128,
}

impl Takings {
    fn of(order: &Order, sign: i64) -> Self {
        let signed = |minor: i64| i128::from(sign) * i128::from(minor);
        let Worth { refunds, gmv, nmv, .. } = order.worth;
        let minor = order.value.map_or(0, |value| value.minor);
        Self {
            orders: sign,
            minor: signed(minor),
            refunds: signed(refunds),
            gmv: signed(gmv),
            nmv: signed(nmv),
        }
    }

    fn merge(&mut self, other: Self) {
        self.orders += other.orders;
        self.minor += other.minor;
        self.refunds += other.refunds;
        self.gmv += other.gmv;
        self.nmv += other.nmv;
    }
}

/// Sums over some booked orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// Booked orders.
    pub orders: i64,
    /// Orders that are not booked yet.
    pub pending: i64,
    /// Units of the booked ones.
    pub units: i64,
    /// By currency.
    pub takings: Vec<(Currency, Takings)>,
}

impl Sum {
    /// Counts an order once more, or once less.
    pub fn add(&mut self, order: &Order, sign: i64) {
        if !order.is_booked {
            self.pending += sign;
            return;
        }
        self.orders += sign;
        self.units += sign * order.units;
        let Some(value) = order.value else { return };
        self.add_takings(value.currency, Takings::of(order, sign));
        self.takings.retain(|(_, takings)| *takings != Takings::default());
    }

    fn add_takings(&mut self, currency: Currency, more: Takings) {
        let at = match self.takings.binary_search_by_key(&currency, |(held, _)| *held) {
            Ok(at) => at,
            Err(at) => {
                self.takings.insert(at, (currency, Takings::default()));
                at
            }
        };
        if let Some((_, takings)) = self.takings.get_mut(at) {
            takings.merge(more);
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.orders += other.orders;
        self.pending += other.pending;
        self.units += other.units;
        for (currency, takings) in &other.takings {
            self.add_takings(*currency, *takings);
        }
    }
}

/// One booked order with money, which is what nearly every second with orders has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lone {
    currency: Currency,
    units: i64,
    minor: i64,
    worth: [i64; 3],
}

impl Lone {
    fn of(order: &Order) -> Option<Self> {
        let value = order.value.filter(|_| order.is_booked)?;
        let Worth { refunds, gmv, nmv, .. } = order.worth;
        let worth = [refunds, gmv, nmv];
        Some(Self { currency: value.currency, units: order.units, minor: value.minor, worth })
    }

    fn sum(&self) -> Sum {
        let [refunds, gmv, nmv] = self.worth.map(i128::from);
        let takings = Takings { orders: 1, minor: self.minor.into(), refunds, gmv, nmv };
        Sum {
            orders: 1,
            pending: 0,
            units: self.units,
            takings: std::iter::once((self.currency, takings)).collect(),
        }
    }
}

/// The sum of a second or a quarter of an hour.
#[derive(Debug, Clone)]
enum Slot {
    Lone(Lone),
    Sum(Arc<Sum>),
}

impl Slot {
    fn add_to(&self, total: &mut Sum) {
        match self {
            Self::Lone(lone) => total.merge(&lone.sum()),
            Self::Sum(sum) => total.merge(sum),
        }
    }
}

/// Counts an order in its slot, or takes it back.
fn change(slots: &mut OrdMap<i64, Slot>, at: i64, order: &Order, sign: i64) {
    let lone = Lone::of(order);
    let held = slots.get_mut(&at);
    match (held, lone) {
        (None, Some(lone)) if sign > 0 => {
            slots.insert(at, Slot::Lone(lone));
        }
        (Some(Slot::Lone(held)), Some(lone)) if sign < 0 && *held == lone => {
            slots.remove(&at);
        }
        (held, _) => {
            let mut sum = match held {
                None => Arc::default(),
                Some(Slot::Lone(held)) => Arc::new(held.sum()),
                // Taken out, so that it need not be copied if nobody reads it.
                Some(Slot::Sum(held)) => std::mem::take(held),
            };
            let changed = Arc::make_mut(&mut sum);
            changed.add(order, sign);
            if *changed == Sum::default() {
                slots.remove(&at);
            } else {
                slots.insert(at, Slot::Sum(sum));
            }
        }
    }
}

/// The sums of a site. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Sales {
    seconds: OrdMap<i64, Slot>,
    quarters: OrdMap<i64, Slot>,
}

impl Sales {
    /// Counts an order, or takes it back.
    pub fn change(&mut self, order: &Order, is_added: bool) {
        let sign = if is_added { 1 } else { -1 };
        let quarter = order.at_ms.div_euclid(Level::Quarter.slot_ms());
        change(&mut self.seconds, second_of(order.at_ms), order, sign);
        change(&mut self.quarters, quarter, order, sign);
    }

    /// The sum between two whole seconds; `from_ms` is in, `to_ms` is not.
    #[must_use]
    pub fn between(&self, from_ms: i64, to_ms: i64) -> Sum {
        let mut total = Sum::default();
        let width = Level::Quarter.slot_ms();
        let (first, end) = ((from_ms + width - 1).div_euclid(width), to_ms.div_euclid(width));
        let mut add = |sums: &OrdMap<i64, Slot>, from: i64, to: i64| {
            if from < to {
                sums.range(from..to).for_each(|(_, slot)| slot.add_to(&mut total));
            }
        };
        if first < end {
            add(&self.seconds, second_of(from_ms), first * width / SECOND_MS);
            add(&self.quarters, first, end);
            add(&self.seconds, end * width / SECOND_MS, second_of(to_ms));
        } else {
            add(&self.seconds, second_of(from_ms), second_of(to_ms));
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::money::Money;
    use proptest::prelude::*;

    use super::*;

    fn order(at_ms: i64, minor: i64, code: &str) -> Order {
        let currency = Currency::parse(code).unwrap();
        let value = Some(Money { minor, currency });
        Order { at_ms, is_booked: true, value, units: 2, ..Order::default() }
    }

    #[test]
    fn currencies_are_never_added() {
        let mut sales = Sales::default();
        sales.change(&order(1_000, 5, "VND"), true);
        sales.change(&order(1_500, 7, "USD"), true);
        let sum = sales.between(0, 2_000);
        assert_eq!(sum.orders, 2);
        assert_eq!(sum.takings.iter().map(|(_, t)| t.minor).collect::<Vec<_>>(), [7, 5]);
        sales.change(&order(1_000, 5, "VND"), false);
        sales.change(&order(1_500, 7, "USD"), false);
        assert_eq!(sales.between(0, 2_000), Sum::default());
    }

    #[test]
    fn a_second_may_have_any_orders_and_lose_them_in_any_order() {
        let pending = Order { is_booked: false, ..order(1_000, 9, "VND") };
        let all = [order(1_000, 5, "VND"), order(1_100, 7, "VND"), pending];
        for first in 0..all.len() {
            let mut sales = Sales::default();
            all.iter().for_each(|order| sales.change(order, true));
            let sum = sales.between(0, 2_000);
            assert_eq!((sum.orders, sum.pending, sum.units), (2, 1, 4));
            for at in 0..all.len() {
                sales.change(&all[(first + at) % all.len()], false);
            }
            assert_eq!(sales.between(0, 2_000), Sum::default());
            assert!(sales.seconds.is_empty() && sales.quarters.is_empty());
        }
    }

    proptest! {
        /// Any range gives the plain sum of the orders in it.
        #[test]
        fn ranges_are_sums_of_their_orders(
            times in prop::collection::vec(0i64..9_000_000, 0..60),
            from in 0i64..9_000, length in 0i64..9_000,
        ) {
            let mut sales = Sales::default();
            times.iter().for_each(|at| sales.change(&order(*at, 3, "VND"), true));
            let (from, to) = (from * 1_000, (from + length) * 1_000);
            let plain = times.iter().filter(|at| (from..to).contains(*at)).count() as i64;
            let sum = sales.between(from, to);
            prop_assert_eq!((sum.orders, sum.units), (plain, plain * 2));
        }
    }
}
