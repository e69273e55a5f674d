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

/// The sums of a site. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Sales {
    seconds: OrdMap<i64, Arc<Sum>>,
    quarters: OrdMap<i64, Arc<Sum>>,
}

impl Sales {
    /// Counts an order, or takes it back.
    pub fn change(&mut self, order: &Order, is_added: bool) {
        let sign = if is_added { 1 } else { -1 };
        let quarter = order.at_ms.div_euclid(Level::Quarter.slot_ms());
        for (sums, slot) in
            [(&mut self.seconds, second_of(order.at_ms)), (&mut self.quarters, quarter)]
        {
            let sum = Arc::make_mut(sums.entry(slot).or_default());
            sum.add(order, sign);
            if *sum == Sum::default() {
                sums.remove(&slot);
            }
        }
    }

    /// The sum between two whole seconds; `from_ms` is in, `to_ms` is not.
    #[must_use]
    pub fn between(&self, from_ms: i64, to_ms: i64) -> Sum {
        let mut total = Sum::default();
        let width = Level::Quarter.slot_ms();
        let (first, end) = ((from_ms + width - 1).div_euclid(width), to_ms.div_euclid(width));
        let mut add = |sums: &OrdMap<i64, Arc<Sum>>, from: i64, to: i64| {
            if from < to {
                sums.range(from..to).for_each(|(_, sum)| total.merge(sum));
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

    /// Seconds with orders between two instants, with their sums.
    pub fn seconds(&self, from_ms: i64, to_ms: i64) -> impl Iterator<Item = (i64, &Sum)> {
        let range = second_of(from_ms)..second_of(to_ms).max(second_of(from_ms));
        self.seconds.range(range).map(|(second, sum)| (*second, sum.as_ref()))
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
