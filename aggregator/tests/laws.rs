//! However events are delivered, the state equals a plain computation over the set of them.

use std::collections::{BTreeMap, BTreeSet};

use aggregator::apply::{Changed, Outcome, World};
use aggregator::dedup::Source;
use aggregator::intake;
use aggregator::merge::Measure;
use edgetally_proto::event::{Platform, is_activity, rank};
use edgetally_proto::frame;
use edgetally_proto::ids::{Epoch, EventName, ShardName};
use edgetally_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use proptest::prelude::*;

use crate::support::events::{Event, batch, demo};

pub const START: i64 = 1_772_409_600_000;
const NAMES: [&str; 7] =
    ["page_view", "login", "logout", "purchase", "payment_success", "web_vital", "order_created"];

/// What a plain computation gives.
#[derive(Debug, Default, PartialEq)]
pub struct Numbers {
    /// By hour and name.
    pub events: BTreeMap<(i64, String), i64>,
    /// Distinct persons by hour.
    visitors: BTreeMap<i64, usize>,
    visitors_in_all: usize,
    pub orders: i64,
    pub revenue: i128,
    owners: BTreeMap<(String, String), String>,
}

pub fn key(event: &Event) -> (i64, u8, String) {
    (event.at_ms, rank(&EventName::parse(&event.name).unwrap()), event.id.clone())
}

pub fn activity(event: &Event) -> bool {
    is_activity(&EventName::parse(&event.name).unwrap(), event.platform, event.is_bot, false)
}

pub fn login(event: &Event) -> Option<&String> {
    let named = event.name == "login";
    event.user.as_ref().filter(|_| event.name != "logout" && (named || activity(event)))
}

/// The table of owners, read for one event with the whole timeline at hand.
fn owner(at: usize, line: &[&Event]) -> String {
    let event = line[at];
    if let Some(user) = event.user.as_ref().filter(|_| event.name != "logout") {
        return format!("u:{user}");
    }
    // The facts before it: a logout counts only after a login.
    let (mut user, mut logout): (Option<&String>, Option<(&String, &Event)>) = (None, None);
    for earlier in &line[..at] {
        match (login(earlier), earlier.name == "logout", user) {
            (Some(new), _, _) => (user, logout) = (Some(new), None),
            (None, true, Some(of)) => (user, logout) = (None, Some((of, *earlier))),
            _ => {}
        }
    }
    if let Some(user) = user {
        return format!("u:{user}");
    }
    let next = line[at + 1..].iter().position(|later| login(later).is_some()).map(|n| at + 1 + n);
    let near = next.filter(|next| line[*next].at_ms - event.at_ms <= 7 * DAY_MS);
    match (logout, near) {
        (None, None) => format!("c:{}", event.client),
        (None, Some(next)) => format!("u:{}", login(line[next]).unwrap()),
        (Some((of, logout)), Some(next)) => {
            let user = login(line[next]).unwrap();
            let mut times = vec![event.at_ms];
            times.extend(line[at + 1..next].iter().filter(|e| activity(e)).map(|e| e.at_ms));
            times.push(line[next].at_ms);
            let is_chain = times.windows(2).all(|pair| pair[1] - pair[0] <= 30 * MINUTE_MS);
            if user == of || is_chain {
                format!("u:{user}")
            } else {
                format!("c:{}#{}", event.client, logout.id)
            }
        }
        (Some((_, logout)), None) => format!("c:{}#{}", event.client, logout.id),
    }
}

pub fn plain(deliveries: &[Event]) -> Numbers {
    let mut set: BTreeMap<(String, String), &Event> = BTreeMap::new();
    for event in deliveries {
        let held = set.entry((event.client.clone(), event.id.clone())).or_insert(event);
        if (event.received_ms, event.hash()) < (held.received_ms, held.hash()) {
            *held = event;
        }
    }
    let mut numbers = Numbers::default();
    let mut lines: BTreeMap<&String, Vec<&Event>> = BTreeMap::new();
    for event in set.values() {
        let hour = event.at_ms.div_euclid(HOUR_MS);
        *numbers.events.entry((hour, event.name.clone())).or_default() += 1;
        if activity(event) || login(event).is_some() || event.name == "logout" {
            lines.entry(&event.client).or_default().push(event);
        }
    }
    let mut persons: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for line in lines.values_mut() {
        line.sort_by_key(|event| key(event));
        for (at, event) in line.iter().enumerate() {
            let owner = owner(at, line);
            let id = (event.client.clone(), event.id.clone());
            numbers.owners.insert(id, owner.clone());
            if activity(event) {
                persons.entry(event.at_ms.div_euclid(HOUR_MS)).or_default().insert(owner);
            }
        }
    }
    numbers.visitors = persons.iter().map(|(hour, persons)| (*hour, persons.len())).collect();
    numbers.visitors_in_all = persons.values().flatten().collect::<BTreeSet<_>>().len();
    plain_orders(set.values().copied().collect(), &mut numbers);
    numbers
}

pub fn plain_orders(mut events: Vec<&Event>, numbers: &mut Numbers) {
    events.sort_by_key(|event| (event.at_ms, event.id.clone()));
    let ids: BTreeSet<&String> =
        events.iter().filter_map(|event| event.order.as_ref().map(|(id, _)| id)).collect();
    for id in ids {
        let of_order: Vec<&&Event> = events
            .iter()
            .filter(|event| event.order.as_ref().is_some_and(|(order, _)| order == id))
            .collect();
        let named = |name: &str| of_order.iter().find(|event| event.name == name);
        let money = named("purchase").or_else(|| named("order_created"));
        let is_booked = named("purchase").is_some() || named("payment_success").is_some();
        if let (Some(money), true) = (money, is_booked) {
            numbers.orders += 1;
            numbers.revenue += i128::from(money.order.as_ref().unwrap().1);
        }
    }
}

pub fn computed(world: &World) -> Numbers {
    let mut numbers = Numbers::default();
    let Some(site) = world.sites.get(&demo()) else { return numbers };
    let first = START.div_euclid(HOUR_MS);
    for hour in first..first + 24 * 12 {
        let (from, to) = (hour * HOUR_MS, (hour + 1) * HOUR_MS);
        site.counters.visit(from, to, |measure, count| {
            if let Measure::Events { name, .. } = measure {
                let name = site.texts.text(name).to_owned();
                *numbers.events.entry((hour, name)).or_default() += count;
            }
        });
        let visitors = site.presence.distinct(from, to, None, &site.zone);
        if visitors > 0 {
            numbers.visitors.insert(hour, visitors);
        }
    }
    let (from, to) = (first * HOUR_MS, (first + 24 * 12) * HOUR_MS);
    numbers.visitors_in_all = site.presence.distinct(from, to, None, &site.zone);
    let sum = site.ledger.sales.between(from, to);
    numbers.orders = sum.orders;
    numbers.revenue = sum.takings.iter().map(|(_, takings)| takings.minor).sum();
    numbers.owners = site
        .owned()
        .map(|(r, person)| ((site.texts.text(r.client).to_owned(), r.id.to_string()), person))
        .collect();
    numbers
}

pub fn event() -> impl Strategy<Value = Event> {
    let time = prop_oneof![0i64..6 * HOUR_MS, 0i64..10 * DAY_MS];
    let who = (0u8..3, prop::option::weighted(0.15, 0u8..3));
    (0u16..60, who, 0..NAMES.len(), time, 0i64..3, 0u8..8).prop_map(
        |(id, (client, user), name, at, received, order)| {
            let name = NAMES[name];
            let is_login = name == "login";
            let user = user.or(is_login.then_some(client)).map(|user| format!("u{user}"));
            let of_order = ["purchase", "payment_success", "order_created"].contains(&name);
            Event {
                user,
                platform: if order == 7 { Platform::Server } else { Platform::Web },
                received_ms: START + 20 * DAY_MS + received,
                order: of_order.then(|| (format!("T{}", order % 4), i64::from(id) * 10)),
                ..Event::new(
                    &format!("e{id}"),
                    &format!("c{client}"),
                    name,
                    START + at / 1_000 * 1_000,
                )
            }
        },
    )
}

pub fn source(epoch: u8) -> Source {
    Source { shard: ShardName::parse("v1|apac|0").unwrap(), epoch: Epoch([epoch; 16]) }
}

/// Sends a frame as a shard does, and says how it ended.
pub fn send(world: &mut World, source: &Source, sequence: u64, frame: &[u8]) -> Outcome {
    let intake = intake::read(sequence, sequence, frame).unwrap();
    let decision = world.decide(source, intake.frames, 1);
    for frame in &decision.fresh {
        world.apply(source, frame.batch.as_ref(), 1, &mut Changed::default());
    }
    decision.outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Events in any frames, with copies that differ, frames sent again, and two lives of a shard.
    #[test]
    fn delivery_cannot_change_a_result(
        deliveries in prop::collection::vec(event(), 1..80),
        sizes in prop::collection::vec(1usize..9, 1..40),
        again in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut world = World::default();
        let (mut rest, mut sequences) = (deliveries.as_slice(), [0u64; 2]);
        for (n, size) in sizes.iter().cycle().enumerate() {
            if rest.is_empty() {
                break;
            }
            let (events, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            let frame = frame::encode(&batch(events, 1));
            let epoch = n % 2;
            sequences[epoch] += 1;
            let source = source(epoch as u8);
            let sequence = sequences[epoch];
            let gap = send(&mut world, &source, sequence + 1, &frame);
            prop_assert_eq!(gap, Outcome::Gap { expected: sequence });
            prop_assert_eq!(send(&mut world, &source, sequence, &frame), Outcome::Acked);
            if again.get(n).copied().unwrap_or_default() {
                prop_assert_eq!(send(&mut world, &source, sequence, &frame), Outcome::Acked);
            }
        }
        prop_assert_eq!(computed(&world), plain(&deliveries));
        let tallies = world.marks.iter().map(|(_, mark)| mark.tally);
        let (accepted, late) = tallies.fold((0, 0), |(accepted, late), tally| {
            (accepted + tally.accepted, late + tally.late_duplicates)
        });
        prop_assert_eq!(accepted, deliveries.len() as u64);
        let sites = world.sites.values();
        let standing: u64 = sites.map(|site| site.records.standing().count() as u64).sum();
        prop_assert_eq!(standing, accepted - late);
    }
}
