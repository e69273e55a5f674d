//! Metrics by local day and in all (section 12).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::model::{Config, Event, EventKey, date_of};
use super::outcome::{Order, Outcome, Sums};

/// The sums of a local date; of all of them without one.
fn sums(of: Option<Date>, outcome: &Outcome, standing: &[&Event], config: &Config) -> Sums {
    let zone = config.time_zone();
    let is_in = |date: Date| of.is_none_or(|of| of == date);
    let mut sums = Sums::default();
    for session in outcome.sessions.values().filter(|session| is_in(session.local_date)) {
        sums.sessions += 1;
        sums.bounces += usize::from(session.events.len() == 1);
        sums.converted += usize::from(!session.orders.is_empty());
    }
    for order in outcome.orders.values().filter(|order| is_in(date_of(&zone, order.at_ms))) {
        add(&mut sums, order);
    }
    let first = first_dates(&outcome.owners, standing, config);
    sums.new_users = first.values().filter(|date| is_in(**date)).count();
    let active = present(&outcome.owners, standing, config).into_iter();
    let persons: BTreeSet<&String> = active.filter(|(date, _)| is_in(*date)).map(|p| p.1).collect();
    sums.users = persons.len();
    sums
}

/// Only booked orders count; the others are pending.
fn add(sums: &mut Sums, order: &Order) {
    if !order.is_booked {
        sums.pending += 1;
        return;
    }
    let money = &order.money;
    sums.orders += 1;
    sums.units += money.units;
    let takings = sums.takings.entry(money.currency.clone()).or_default();
    takings.revenue += money.value;
    takings.refunds += money.refunds.values().sum::<i64>() + money.cancelled;
    takings.gmv += money.gmv;
    takings.nmv += money.nmv;
}

/// Who was active on which local date, in order of the events.
fn present<'a>(
    owners: &'a BTreeMap<EventKey, String>,
    standing: &[&Event],
    config: &Config,
) -> Vec<(Date, &'a String)> {
    let zone = config.time_zone();
    let activity = standing.iter().filter(|event| event.is_activity());
    let person = |event: &&Event| Some((date_of(&zone, event.at_ms), owners.get(&event.key())?));
    activity.filter_map(person).collect()
}

/// The local date of everybody's first activity.
fn first_dates<'a>(
    owners: &'a BTreeMap<EventKey, String>,
    standing: &[&Event],
    config: &Config,
) -> BTreeMap<&'a String, Date> {
    let mut first = BTreeMap::new();
    for (date, person) in present(owners, standing, config) {
        first.entry(person).or_insert(date);
    }
    first
}

/// Puts the sums of every date with anything on it, and of all time, into an outcome.
pub fn put_sums(outcome: &mut Outcome, standing: &[&Event], config: &Config) {
    let zone = config.time_zone();
    let starts = outcome.sessions.values().map(|session| session.local_date);
    let orders = outcome.orders.values().map(|order| date_of(&zone, order.at_ms));
    let active = present(&outcome.owners, standing, config).into_iter().map(|(date, _)| date);
    let dates: BTreeSet<Date> = starts.chain(orders).chain(active).collect();
    let days = dates.into_iter().map(|date| (date, sums(Some(date), outcome, standing, config)));
    let (days, total) = (days.collect(), sums(None, outcome, standing, config));
    (outcome.days, outcome.total) = (days, total);
}
