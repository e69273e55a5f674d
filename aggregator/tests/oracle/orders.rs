//! Orders: which there are, when, whose, and which touch has the credit (section 9).

use std::collections::{BTreeMap, BTreeSet};

use edgetally_proto::event::Platform;

use super::daily::entry;
use super::model::{Config, Event, EventKey, OrderFact};
use super::money::money;
use super::outcome::{Order, OrderKey, Session, Touch};
use super::owners::owner;
use super::touches::class;

/// An event of an order, with what it says of it.
pub type Spoken<'a> = (&'a Event, &'a OrderFact);

/// All orders, pending ones too.
pub fn orders(
    events: &[Event],
    standing: &[&Event],
    sessions: &BTreeMap<EventKey, Session>,
    config: &Config,
) -> BTreeMap<OrderKey, Order> {
    let facts = standing.iter().filter_map(|event| event.order.as_ref());
    let keys: BTreeSet<OrderKey> = facts.map(order_key).collect();
    let settle = |key: OrderKey| {
        let spoken = spoken(&key, standing);
        let timing = timing(&spoken)?;
        let order = settle(timing, &spoken, standing, sessions, config)?;
        let is_paid = order.is_booked || is_ever_paid(&key, events);
        Some((key, Order { is_booked: is_paid, ..order }))
    };
    keys.into_iter().filter_map(settle).collect()
}

/// Whether any version of an order says that it was paid, or accepted as cash on delivery: an order
/// that came so far stays booked, whatever becomes of it, and whichever version arrives first.
fn is_ever_paid(key: &OrderKey, events: &[Event]) -> bool {
    let paid = ["ready_to_ship", "shipped", "delivered", "completed", "returned", "failed"];
    let facts = events.iter().filter_map(|event| event.order.as_ref());
    let mut versions =
        facts.filter(|fact| order_key(fact) == *key).filter_map(|f| f.version.as_ref());
    versions.any(|version| paid.contains(&version.state))
}

pub fn order_key(fact: &OrderFact) -> OrderKey {
    let platform = fact.order_platform.clone().unwrap_or_else(|| "web".to_owned());
    (platform, fact.transaction.clone())
}

/// What is said of an order, in order. What bots say counts if the shop's server confirms it by a
/// purchase, a created order or a payment of its own, or if its back office knows the order.
fn spoken<'a>(key: &OrderKey, standing: &[&'a Event]) -> Vec<Spoken<'a>> {
    let all = standing.iter().filter_map(|event| Some((*event, event.order.as_ref()?)));
    let of_order: Vec<Spoken<'a>> = all.filter(|(_, fact)| order_key(fact) == *key).collect();
    let is_confirmed = of_order.iter().any(|(event, _)| confirms(event));
    of_order.into_iter().filter(|(event, _)| is_confirmed || !event.is_bot).collect()
}

fn confirms(event: &Event) -> bool {
    let name = event.name.as_str();
    let is_named = ["purchase", "order_created", "payment_success"].contains(&name);
    event.version().is_some() || is_named && event.platform == Platform::Server && !event.is_bot
}

/// The event that gives t_o: the earliest activity purchase or created order, else the first of
/// the server, else of a confirmed bot, else what the back office says. Without one there is no
/// order.
fn timing<'a>(spoken: &[Spoken<'a>]) -> Option<&'a Event> {
    let is_maker = |event: &Event| event.name == "purchase" || event.name == "order_created";
    let makers = || spoken.iter().map(|(event, _)| *event).filter(|event| is_maker(event));
    makers()
        .find(|event| event.is_activity())
        .or_else(|| makers().find(|event| event.platform == Platform::Server))
        .or_else(|| makers().next())
        .or_else(|| spoken.iter().map(|(event, _)| *event).find(|event| event.version().is_some()))
}

fn settle(
    timing: &Event,
    spoken: &[Spoken<'_>],
    standing: &[&Event],
    sessions: &BTreeMap<EventKey, Session>,
    config: &Config,
) -> Option<Order> {
    let books = |event: &Event| event.name == "purchase" || event.name == "payment_success";
    let person = owner(timing, standing, config);
    let session = session_of(timing, person.as_deref(), standing, sessions);
    let credited = credit(timing, standing, config);
    let brought = session.and_then(|(_, session)| session.attributed.as_ref());
    let is_old = brought.is_some_and(|touch| timing.at_ms - touch.at_ms > config.window_ms);
    Some(Order {
        is_booked: spoken.iter().any(|(event, _)| books(event)),
        at_ms: timing.at_ms,
        event: timing.key(),
        session: session.map(|(key, _)| key.clone()),
        person,
        aged_out: is_old && credited.is_none(),
        credited,
        money: money(spoken)?,
        entry: entry(timing, spoken)?,
    })
}

/// The session that holds an activity event; of another event the person's session that contains
/// its time, and where two meet in that millisecond the later one.
fn session_of<'a>(
    timing: &Event,
    person: Option<&str>,
    standing: &[&Event],
    sessions: &'a BTreeMap<EventKey, Session>,
) -> Option<(&'a EventKey, &'a Session)> {
    if timing.is_activity() {
        return sessions.iter().find(|(_, session)| session.events.contains(&timing.key()));
    }
    let contains = |session: &Session| {
        Some(session.person.as_str()) == person
            && (session.start_ms..=session.end_ms).contains(&timing.at_ms)
    };
    let latest_first = standing.iter().rev();
    let mut begun = latest_first.filter_map(|event| sessions.get_key_value(&event.key()));
    begun.find(|(_, session)| contains(session))
}

/// The last touch of the person at or before an order and within the window, over the records that
/// were known when the credit froze.
fn credit(timing: &Event, standing: &[&Event], config: &Config) -> Option<Touch> {
    let freeze_ms = timing.at_ms.saturating_add(config.freeze_ms);
    let is_known = |event: &&&Event| event.server_key || event.received_ms <= freeze_ms;
    let known: Vec<&Event> = standing.iter().filter(is_known).copied().collect();
    let person = owner(timing, &known, config)?;
    let is_in_time = |event: &&&Event| {
        !timing.is_before(event) && timing.at_ms - event.at_ms <= config.window_ms
    };
    let of_person = |event: &&&Event| {
        event.is_activity() && owner(event, &known, config).as_ref() == Some(&person)
    };
    let mut latest_first = known.iter().filter(is_in_time).filter(of_person).rev();
    latest_first.find_map(|event| class(event, &known, config).touch(event))
}
