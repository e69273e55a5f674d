//! The lines of orders: what each is worth, under the dimensions of products.

use edgetally_proto::money::Money;
use edgetally_proto::record::Item;

use crate::orders::sales::{Sum, Takings};
use crate::orders::settle::Order;
use crate::site::credits::OrderRow;
use crate::view::SiteView;

/// The lines of an order with their worth in minor units; an order without any has one that is
/// nothing.
#[must_use]
pub fn lines(site: &SiteView, row: &OrderRow) -> Vec<(Option<Item>, i128)> {
    let money = site.record(row.order.money_record);
    let items = money.and_then(|record| Some(record.fact.as_deref()?.items.clone()));
    let items = items.unwrap_or_default();
    let value = i128::from(row.order.value.map_or(0, |value| value.minor));
    if items.is_empty() {
        return vec![(None, value)];
    }
    let worth = worth_of(&items, value);
    items.into_iter().map(Some).zip(worth).collect()
}

/// Price times quantity; where no line has a price, the order's value by quantities, what cannot
/// be divided to the first.
fn worth_of(items: &[Item], value: i128) -> Vec<i128> {
    if items.iter().any(|item| item.price.is_some()) {
        let worth = |item: &Item| i128::from(item.price.unwrap_or(0)) * i128::from(item.quantity);
        return items.iter().map(worth).collect();
    }
    let units: i128 = items.iter().map(|item| i128::from(item.quantity)).sum();
    let part = |item: &Item| value * i128::from(item.quantity) / units.max(1);
    let mut parts: Vec<i128> = items.iter().map(part).collect();
    let rest = value - parts.iter().sum::<i128>();
    if let Some(first) = parts.first_mut() {
        *first += rest;
    }
    parts
}

/// What a line adds to a sum; `is_first` says whether it is the order's first line there.
#[must_use]
pub fn sum_of(order: &Order, line: Option<&Item>, worth: i128, is_first: bool) -> Sum {
    let count = i64::from(is_first);
    if !order.is_booked {
        return Sum { pending: count, ..Sum::default() };
    }
    let units = line.map_or(order.units, |line| i64::from(line.quantity));
    let takings = order.value.map(|Money { currency, .. }| {
        (currency, Takings { orders: count, minor: worth, gmv: worth, ..Takings::default() })
    });
    Sum { orders: count, units, takings: takings.into_iter().collect(), ..Sum::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(Option<i64>, u32)], value: i128, expected: &[i128]) {
        let item = |(price, quantity): &(Option<i64>, u32)| Item {
            price: *price,
            quantity: *quantity,
            ..Item::default()
        };
        let items: Vec<Item> = lines.iter().map(item).collect();
        assert_eq!(worth_of(&items, value), expected, "{lines:?}");
    }

    #[test]
    fn lines_are_worth_their_price_or_their_share() {
        check(&[(Some(5), 2), (None, 1), (Some(7), 1)], 100, &[10, 0, 7]);
        check(&[(None, 1), (None, 2)], 100, &[34, 66]);
        check(&[(None, 1)], 99, &[99]);
    }
}
