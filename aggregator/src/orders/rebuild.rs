//! Days of orders worked out again from the orders, and how they differ from the statistics.

use std::collections::BTreeMap;
use std::sync::Arc;

use edgetally_proto::record::Fact;
use imbl::OrdMap;
use serde_json::{Value, json};

use super::cells::Grain;
use super::daily::{Cell, Daily, Day, Sums, cell_of};
use super::statistics::date_of;
use crate::presence::Days;
use crate::site::credits::{OrderPlace, OrderRow};
use crate::view::SiteView;

/// Days of one batch.
pub const BATCH: usize = 100;

/// Where orders are read from.
pub struct Source<'a, D> {
    /// All orders by time.
    pub rows: &'a OrdMap<OrderPlace, Arc<OrderRow>>,
    /// Knows which of them count on another day than that of their time.
    pub daily: &'a Daily,
    /// The site's days.
    pub days: &'a D,
}

impl<D: Days> Source<'_, D> {
    /// What the orders of a day come to; `fact_of` gives what a record says.
    pub fn cells(
        &self,
        day: Day,
        fact_of: impl Fn(u32) -> Option<Arc<Fact>>,
    ) -> BTreeMap<Cell, Sums> {
        let (from_ms, to_ms) = (self.days.start_of(day), self.days.start_of(day + 1));
        let on_time = self.rows.range((from_ms, 0)..(to_ms, 0)).map(|(_, row)| row);
        let moved = self.daily.moved_to(day).filter_map(|place| self.rows.get(&place));
        let mut cells: BTreeMap<Cell, Sums> = BTreeMap::new();
        for row in on_time.chain(moved) {
            let fact = fact_of(row.order.money_record);
            let Some((cell, sums)) = cell_of(&row.key, &row.order, fact.as_deref(), self.days)
            else {
                continue;
            };
            // One that is told here by its time may count on another day.
            if cell.day == day {
                cells.entry(cell).or_default().merge(&sums, 1);
            }
        }
        cells
    }
}

/// A cell in which statistics and orders are apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub cell: Cell,
    /// What the statistics say.
    pub statistics: Sums,
    /// What the orders say.
    pub orders: Sums,
}

impl Difference {
    /// As JSON, one row for each number that is different; amounts in minor units.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        let (a, b) = (&self.statistics, &self.orders);
        let counts = [
            ("total_orders", i128::from(a.orders), i128::from(b.orders)),
            ("completed_orders", i128::from(a.completed), i128::from(b.completed)),
            ("cancelled_orders", i128::from(a.cancelled), i128::from(b.cancelled)),
            ("gross_merchandise_value", a.total, b.total),
            ("total_revenue", a.revenue, b.revenue),
            ("total_discount", a.discount, b.discount),
        ];
        let row = |(field, statistics, orders): (&str, i128, i128)| {
            json!({
                "stat_date": date_of(self.cell.day).to_string(),
                "platform": self.cell.platform.as_ref(),
                "currency": self.cell.currency.code(),
                "category": self.cell.category.as_deref(),
                "region": self.cell.region.as_deref(),
                "field": field,
                "statistics": statistics.to_string(),
                "orders": orders.to_string(),
            })
        };
        counts.into_iter().filter(|(_, a, b)| a != b).map(row).collect()
    }
}

/// What is different on a day, and how many orders it has.
#[must_use]
pub fn look_at(site: &SiteView, day: Day) -> (Vec<Difference>, i64) {
    let source = Source { rows: &site.orders, daily: &site.daily, days: &site.zone };
    let mut orders = source.cells(day, |record| site.record(record)?.fact.clone());
    let count = orders.values().map(|sums| sums.orders).sum();
    let mut differences = Vec::new();
    for (cell, statistics) in site.daily.between(day, day) {
        let said = orders.remove(&cell).unwrap_or_default();
        if said != *statistics {
            differences.push(Difference { cell, statistics: *statistics, orders: said });
        }
    }
    let missing = |(cell, orders)| Difference { cell, statistics: Sums::default(), orders };
    differences.extend(orders.into_iter().map(missing));
    (differences, count)
}

/// Days between two that have orders or changed.
#[must_use]
pub fn days_between(daily: &Daily, first: Day, last: Day) -> Vec<Day> {
    let cells = daily.cells().days(Grain::default(), first, last);
    let mut days: Vec<Day> = cells.map(|(place, _)| place.day()).collect();
    days.extend(daily.dirty().range(first..=last.max(first)).map(|(day, _)| *day));
    days.sort_unstable();
    days.dedup();
    days
}
