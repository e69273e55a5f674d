//! Statistics of orders by local day: sums of differences, so that an order that changes takes its
//! old numbers out of the day of its order date and puts the new ones in.
//!
//! A day that changed is dirty until it was worked out again from the orders (`rebuild`).

use std::sync::Arc;

use edgetally_proto::back_office::State;
use edgetally_proto::money::Currency;
use edgetally_proto::record::Fact;
use imbl::OrdMap;

use super::cells::Cells;
use super::ledger::{DEFAULT_PLATFORM, OrderKey};
use super::settle::Order;
use crate::presence::Days;
use crate::site::credits::OrderPlace;

/// A local day, in days from 1970-01-01.
pub type Day = i64;

/// What a day's orders are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The local date of the order date.
    pub day: Day,
    /// Order platform.
    pub platform: Arc<str>,
    /// Currency of their money.
    pub currency: Currency,
    /// What kind of goods, if it is known.
    pub category: Option<Arc<str>>,
    /// Where they were sold, if it is known.
    pub region: Option<Arc<str>>,
}

/// Sums over the orders of a cell; money in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// All of them.
    pub orders: i64,
    /// Those that are completed.
    pub completed: i64,
    /// Those that are cancelled.
    pub cancelled: i64,
    /// What all of them came to before discounts.
    pub total: i128,
    /// What the completed ones came to.
    pub revenue: i128,
    /// Discounts of the completed ones.
    pub discount: i128,
}

impl Sums {
    /// Adds other sums, or takes them out with a `sign` of -1.
    pub fn merge(&mut self, other: &Self, sign: i64) {
        let wide = i128::from(sign);
        self.orders += sign * other.orders;
        self.completed += sign * other.completed;
        self.cancelled += sign * other.cancelled;
        self.total += wide * other.total;
        self.revenue += wide * other.revenue;
        self.discount += wide * other.discount;
    }

    /// Those that are neither completed nor cancelled.
    #[must_use]
    pub fn pending(&self) -> i64 {
        self.orders - self.completed - self.cancelled
    }
}

/// Whether an order is cancelled, and else whether it is completed. The shop's own is completed
/// when it is booked, that of a marketplace when the marketplace says so.
fn ended(key: &OrderKey, order: &Order) -> (bool, bool) {
    let is_cancelled = order.worth.cancelled_at_ms.is_some();
    let is_completed = match order.state {
        Some(state) if key.platform.as_ref() != DEFAULT_PLATFORM => state == State::Completed,
        _ => order.is_booked,
    };
    (is_cancelled, is_completed && !is_cancelled)
}

/// Where an order counts and what it adds; none if it has no money yet. `fact` is what gives its
/// money.
#[must_use]
pub fn cell_of(
    key: &OrderKey,
    order: &Order,
    fact: Option<&Fact>,
    days: &impl Days,
) -> Option<(Cell, Sums)> {
    let value = order.value?;
    let version = fact.and_then(|fact| fact.told.as_deref());
    let line = fact.and_then(|fact| fact.items.iter().find_map(|item| item.category.as_deref()));
    let category = version.and_then(|version| version.category.as_deref()).or(line);
    let (is_cancelled, is_completed) = ended(key, order);
    let of_completed = |minor: i64| if is_completed { i128::from(minor) } else { 0 };
    let sums = Sums {
        orders: 1,
        completed: i64::from(is_completed),
        cancelled: i64::from(is_cancelled),
        total: i128::from(order.total),
        revenue: of_completed(value.minor),
        discount: of_completed(order.discount),
    };
    let cell = Cell {
        day: days.day_of(order.dated_ms),
        platform: key.platform.as_ref().into(),
        currency: value.currency,
        category: category.map(Arc::from),
        region: version.and_then(|version| version.region.as_deref()).map(Arc::from),
    };
    Some((cell, sums))
}

/// The statistics of a site. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Daily {
    cells: Cells,
    /// Days that changed since they were last worked out from the orders, and when: a number that
    /// grows with every change.
    dirty: OrdMap<Day, u64>,
    changes: u64,
    /// Orders whose order date lies on another day than their order time.
    moved: OrdMap<(Day, OrderPlace), ()>,
}

impl Daily {
    /// Puts what an order adds in the place of what it added before, each with its place among
    /// the orders and the day of its order time.
    pub fn change(&mut self, before: Option<&Share>, after: Option<&Share>) {
        let said = |share: &Share| (share.cell.clone(), share.sums);
        if before.map(said) != after.map(said) {
            for (share, sign) in [(before, -1), (after, 1)] {
                share.iter().for_each(|share| self.add(share, sign));
            }
        }
        for (share, is_added) in [(before, false), (after, true)] {
            let Some(share) = share.filter(|share| share.cell.day != share.day_of_place) else {
                continue;
            };
            if is_added {
                self.moved.insert((share.cell.day, share.place), ());
            } else {
                self.moved.remove(&(share.cell.day, share.place));
            }
        }
    }

    fn add(&mut self, share: &Share, sign: i64) {
        self.changes += 1;
        self.dirty.insert(share.cell.day, self.changes);
        self.cells.add(&share.cell, &share.sums, sign);
    }

    /// The cells, and their sums by what is asked for.
    #[must_use]
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Lets readers see what waits.
    pub fn settle(&mut self) {
        self.cells.settle();
    }

    /// The cells of some days, the last one in.
    pub fn between(&self, first: Day, last: Day) -> impl Iterator<Item = (Cell, &Sums)> {
        self.cells.between(first, last)
    }

    /// The first and the last day with orders.
    #[must_use]
    pub fn span(&self) -> Option<(Day, Day)> {
        self.cells.span()
    }

    /// Days that changed since they were last worked out from the orders, each with the number of
    /// its last change.
    #[must_use]
    pub fn dirty(&self) -> &OrdMap<Day, u64> {
        &self.dirty
    }

    /// Orders that count on a day on which they were not ordered.
    pub fn moved_to(&self, day: Day) -> impl Iterator<Item = OrderPlace> + '_ {
        let range = (day, (i64::MIN, 0))..=(day, (i64::MAX, u32::MAX));
        self.moved.range(range).map(|((_, place), ())| *place)
    }

    /// Days were worked out from the orders: those that did not change since are clean.
    pub fn note_clean(&mut self, days: &[(Day, u64)]) {
        for (day, seen) in days {
            if self.dirty.get(day).is_some_and(|last| last <= seen) {
                self.dirty.remove(day);
            }
        }
    }

    /// Everything was just worked out from the orders.
    pub fn note_all_clean(&mut self) {
        self.dirty.clear();
    }

    /// Puts other cells in the place of a day's.
    pub fn replace(&mut self, day: Day, cells: Vec<(Cell, Sums)>) {
        let old: Vec<(Cell, Sums)> =
            self.between(day, day).map(|(cell, sums)| (cell, *sums)).collect();
        for (cell, sums) in &old {
            self.cells.add(cell, sums, -1);
        }
        for (cell, sums) in &cells {
            self.cells.add(cell, sums, 1);
        }
    }
}

/// What an order adds to its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Where it counts.
    pub cell: Cell,
    /// What it adds.
    pub sums: Sums,
    /// Where the order stands among the orders by time.
    pub place: OrderPlace,
    /// The local day of that time.
    pub day_of_place: Day,
}

impl Share {
    /// What an order adds; `fact` is what gives its money.
    #[must_use]
    pub fn of(
        key: &OrderKey,
        order: &Order,
        fact: Option<&Fact>,
        days: &impl Days,
    ) -> Option<Self> {
        let (cell, sums) = cell_of(key, order, fact, days)?;
        let place = (order.at_ms, order.record);
        Some(Self { cell, sums, place, day_of_place: days.day_of(order.at_ms) })
    }
}
