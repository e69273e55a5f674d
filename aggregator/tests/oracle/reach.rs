//! The generator reaches the cases that are hard for an engine.

use std::collections::BTreeMap;

use edgetally_proto::event::Platform;

use super::copies::standing;
use super::model::{Config, Event};
use super::orders::order_key;
use super::outcome;
use super::outcome::{Order, Outcome};
use super::owners::owner;
use super::streams::{Stream, same_streams};
use super::touches::{Class, class};

/// The events without one of them.
fn without<'a>(standing: &[&'a Event], out: &Event) -> Vec<&'a Event> {
    standing.iter().filter(|event| event.key() != out.key()).copied().collect()
}

/// Whether an event arrives last, though something of its client happened after it.
fn is_late_for(event: &Event, later: &Event) -> bool {
    event.client == later.client && event.is_before(later) && event.received_ms > later.received_ms
}

/// A late event makes a later tagged click an echo.
fn late_echo(standing: &[&Event], config: &Config) -> bool {
    let late = standing.iter().filter(|event| event.is_activity());
    late.into_iter().any(|late| {
        let rest = without(standing, late);
        let mut clicks = rest.iter().filter(|e| e.is_activity() && e.key.is_some());
        clicks.any(|click| {
            is_late_for(late, click)
                && class(click, standing, config) == Class::D
                && class(click, &rest, config) != Class::D
        })
    })
}

/// A late event closes a pause, so that the next user takes over what came before it.
fn late_chain(standing: &[&Event], config: &Config) -> bool {
    let late = standing.iter().filter(|event| event.is_activity() && event.own_user().is_none());
    late.into_iter().any(|late| {
        let rest = without(standing, late);
        let mut earlier = rest.iter().filter(|event| event.is_before(late));
        let is_anonymous = |person: Option<String>| person.is_some_and(|p| p.contains('#'));
        let has_login =
            rest.iter().any(|login| login.login().is_some() && is_late_for(late, login));
        has_login
            && earlier.any(|event| {
                is_anonymous(owner(event, &rest, config))
                    && !is_anonymous(owner(event, standing, config))
            })
    })
}

/// A logout of somebody who is logged out.
fn double_logout(standing: &[&Event]) -> bool {
    let mut state: BTreeMap<&Option<String>, &str> = BTreeMap::new();
    for event in standing {
        let before = state.get(&event.client).copied();
        match (event.name.as_str(), before) {
            ("logout", Some("out")) => return true,
            ("logout", Some("in")) => _ = state.insert(&event.client, "out"),
            _ if event.login().is_some() => _ = state.insert(&event.client, "in"),
            _ => {}
        }
    }
    false
}

/// The server reports a purchase before, or after, the browser does.
fn both_report(standing: &[&Event], server_first: bool) -> bool {
    let bought = || standing.iter().filter(|e| e.name == "purchase" && !e.is_bot);
    let of = |event: &Event| event.order.as_ref().map(|fact| fact.transaction.clone());
    let mut by_server = bought().filter(|e| e.platform == Platform::Server);
    by_server.any(|server| {
        bought().any(|browser| {
            browser.platform != Platform::Server
                && of(browser) == of(server)
                && server.is_before(browser) == server_first
        })
    })
}

/// Whether the freeze kept a credit from changing.
fn frozen(stream: &Stream, outcome_: &Outcome) -> bool {
    let thawed = Config { freeze_ms: i64::MAX, ..stream.config.clone() };
    let thawed = outcome(&stream.events, &thawed);
    outcome_.orders.iter().any(|(key, order)| order.credited != thawed.orders[key].credited)
}

/// A copy received first takes the place of one that came before it and says something else.
fn corrected_copy(events: &[Event]) -> bool {
    events.iter().enumerate().any(|(at, late)| {
        let mut earlier = events[..at].iter().filter(|event| event.key() == late.key());
        earlier.any(|event| event.received_ms > late.received_ms && event.hash != late.hash)
    })
}

/// A login reaches back over a change of the clocks, or a session lies on such a day.
fn odd_day(stream: &Stream, outcome: &Outcome) -> bool {
    let zone = stream.config.time_zone();
    let start = |date: jiff::civil::Date| date.to_zoned(zone.clone()).unwrap();
    outcome.sessions.values().any(|session| {
        let (day, next) = (session.local_date, session.local_date.tomorrow().unwrap());
        start(next).timestamp().duration_since(start(day).timestamp()).as_hours() != 24
    })
}

/// The back office knows of an order that events tell of too, or of one that it knows alone.
fn told(standing: &[&Event], outcome: &Outcome, is_alone: bool) -> bool {
    let versions = standing.iter().filter(|event| event.version().is_some());
    let gives_time = |event: &Event| outcome.orders.values().any(|o| o.event == event.key());
    versions.into_iter().any(|event| gives_time(event) == is_alone)
}

/// A version arrives after one that was changed later.
fn stale_version(events: &[Event]) -> bool {
    events.iter().enumerate().any(|(at, late)| {
        let of = |event: &Event| event.order.as_ref().map(order_key);
        let earlier = events[..at].iter().filter(|event| of(event) == of(late));
        let updated = |event: &Event| event.version().map(|version| version.updated_ms);
        earlier.filter_map(updated).any(|known| updated(late).is_some_and(|said| said < known))
    })
}

fn ended(order: &Order, state: &str, is_booked: bool) -> bool {
    order.entry.state == Some(state) && order.is_booked == is_booked
}

/// What a stream reaches.
fn reached(stream: &Stream) -> Vec<&'static str> {
    let standing = standing(&stream.events);
    let outcome = outcome(&stream.events, &stream.config);
    let orders = || outcome.orders.values();
    let is_bot = |name: &str| standing.iter().any(|e| e.is_bot && e.name == name);
    let cases = [
        ("late event makes an echo", late_echo(&standing, &stream.config)),
        ("late event closes a chain", late_chain(&standing, &stream.config)),
        ("double logout", double_logout(&standing)),
        ("server purchase first", both_report(&standing, true)),
        ("server purchase later", both_report(&standing, false)),
        ("frozen credit", frozen(stream, &outcome)),
        ("copy corrected", corrected_copy(&stream.events)),
        ("day of 23 or 25 hours", odd_day(stream, &outcome)),
        ("aged out", orders().any(|order| order.aged_out)),
        ("pending", orders().any(|order| !order.is_booked)),
        ("order in no session", orders().any(|order| order.session.is_none())),
        ("order of nobody", orders().any(|order| order.person.is_none())),
        ("partly refunded", orders().any(|o| o.money.nmv > 0 && !o.money.refunds.is_empty())),
        ("refunds over the value", orders().any(|o| o.money.is_over_refunded)),
        ("refund in another currency", orders().any(|o| !o.money.foreign_refunds.is_empty())),
        ("cancelled", orders().any(|order| order.money.cancelled > 0)),
        ("bought by a bot", is_bot("purchase")),
        ("session of two clients", outcome.sessions.values().any(|s| s.clients.len() > 1)),
        ("known to the back office only", told(&standing, &outcome, true)),
        ("told by back office and events", told(&standing, &outcome, false)),
        ("a version comes too late", stale_version(&stream.events)),
        ("cancelled before it was paid", orders().any(|order| ended(order, "cancelled", false))),
        ("cancelled after it was paid", orders().any(|order| ended(order, "cancelled", true))),
        ("paid once, unknown now", orders().any(|order| ended(order, "unknown", true))),
        ("order of a merged user", !stream.config.merges.is_empty() && orders().next().is_some()),
    ];
    cases.into_iter().filter_map(|(name, is_so)| is_so.then_some(name)).collect()
}

#[test]
fn the_streams_reach_what_is_hard() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for stream in same_streams(2_000) {
        for name in reached(&stream) {
            *counts.entry(name).or_default() += 1;
        }
    }
    println!("of 2,000 streams: {counts:#?}");
    assert_eq!(counts.len(), 25, "{counts:#?}");
    for (name, count) in counts {
        assert!(count >= 20, "{name}: {count} of 2,000 streams");
    }
}
