//! Statistics of orders by day (those of the marketplaces' back offices).

use std::collections::BTreeMap;

use super::model::{Config, Event, date_of};
use super::money::gmv;
use super::orders::Spoken;
use super::outcome::{Cell, Daily, Entry, Order, OrderKey};

/// What the statistics have to know of an order: what the back office says, else what gives the
/// order its money and its time.
pub fn entry(timing: &Event, spoken: &[Spoken<'_>]) -> Option<Entry> {
    let first = |name: &str| spoken.iter().find(|(event, _)| event.name == name);
    let told = spoken.iter().find(|(_, fact)| fact.version.is_some());
    let (_, fact) = told.or_else(|| first("purchase")).or_else(|| first("order_created"))?;
    let version = fact.version.as_ref();
    Some(Entry {
        dated_ms: told.map_or(timing.at_ms, |(event, _)| event.at_ms),
        total: version.map_or_else(|| gmv(fact), |version| version.total),
        discount: fact.discount,
        state: version.map(|version| version.state),
        category: version.and_then(|version| version.category.map(str::to_owned)),
        region: version.and_then(|version| version.region.map(str::to_owned)),
    })
}

/// The statistics, over booked and pending orders.
pub fn daily(orders: &BTreeMap<OrderKey, Order>, config: &Config) -> BTreeMap<Cell, Daily> {
    let zone = config.time_zone();
    let mut cells: BTreeMap<Cell, Daily> = BTreeMap::new();
    for ((platform, _), order) in orders {
        let Entry { dated_ms, category, region, .. } = order.entry.clone();
        let (date, currency) = (date_of(&zone, dated_ms), order.money.currency.clone());
        let cell = (date, platform.clone(), currency, category, region);
        add(cells.entry(cell).or_default(), platform, order);
    }
    cells
}

/// The shop's own order is completed when it is booked, another one when its marketplace says so.
fn add(daily: &mut Daily, platform: &str, order: &Order) {
    let entry = &order.entry;
    let is_own = platform == "web" || entry.state.is_none();
    let is_done = if is_own { order.is_booked } else { entry.state == Some("completed") };
    daily.orders += 1;
    daily.total += entry.total;
    if order.money.cancelled_ms.is_some() {
        daily.cancelled += 1;
    } else if is_done {
        daily.completed += 1;
        daily.revenue += order.money.value;
        daily.discount += entry.discount;
    }
}
