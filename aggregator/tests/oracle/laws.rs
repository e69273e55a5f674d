//! What holds for every stream.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::copies::standing;
use super::model::{Config, Event, EventKey};
use super::outcome::{Outcome, Sums};
use super::streams::{same_streams, stream};
use super::{Engine, disagreements, outcome};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Section 11: the result is a function of the set of records.
    #[test]
    fn neither_order_nor_repeats_change_the_outcome(
        (stream, again, order) in stream().prop_flat_map(|stream| {
            let n = stream.events.len();
            let again = prop::collection::vec(0..n, 0..20);
            (Just(stream), again, prop::collection::vec(any::<u32>(), n + 20))
        }),
    ) {
        let repeats = again.iter().map(|at| stream.events[*at].clone());
        let mut shuffled: Vec<(u32, Event)> =
            order.into_iter().zip(stream.events.iter().cloned().chain(repeats)).collect();
        shuffled.sort_by_key(|(place, _)| *place);
        let shuffled: Vec<Event> = shuffled.into_iter().map(|(_, event)| event).collect();
        let expected = outcome(&stream.events, &stream.config);
        let differences = expected.differences(&outcome(&shuffled, &stream.config));
        prop_assert!(differences.is_empty(), "{}", differences.join("\n"));
    }

    /// Section 12: each activity event is in one session, each session has one person and one day.
    #[test]
    fn every_activity_is_in_one_session(stream in stream()) {
        let outcome = outcome(&stream.events, &stream.config);
        let mut sessions: BTreeMap<&EventKey, usize> = BTreeMap::new();
        for (id, session) in &outcome.sessions {
            prop_assert_eq!(&session.events[0], id);
            for key in &session.events {
                *sessions.entry(key).or_default() += 1;
                prop_assert_eq!(&outcome.owners[key], &session.person);
            }
        }
        let standing = standing(&stream.events);
        for event in standing.iter().filter(|event| event.is_activity()) {
            prop_assert_eq!(sessions.remove(&event.key()), Some(1));
        }
        prop_assert!(sessions.is_empty());
    }

    /// Section 12: what days add up to is the total, and no order is lost or counted twice.
    #[test]
    fn days_add_up(stream in stream()) {
        let outcome = outcome(&stream.events, &stream.config);
        let booked = outcome.orders.values().filter(|order| order.is_booked).count();
        prop_assert_eq!(outcome.total.orders, booked);
        prop_assert_eq!(outcome.total.orders + outcome.total.pending, outcome.orders.len());
        prop_assert_eq!(outcome.total.sessions, outcome.sessions.len());
        prop_assert_eq!(added(&outcome), Sums { users: 0, ..outcome.total.clone() });
        for takings in outcome.total.takings.values() {
            prop_assert!(takings.refunds <= takings.revenue && takings.nmv <= takings.gmv);
        }
    }
}

/// The sum over days of what may be added: persons may not.
fn added(outcome: &Outcome) -> Sums {
    let mut sum = Sums::default();
    for day in outcome.days.values() {
        sum.sessions += day.sessions;
        sum.bounces += day.bounces;
        sum.converted += day.converted;
        sum.new_users += day.new_users;
        sum.orders += day.orders;
        sum.pending += day.pending;
        sum.units += day.units;
        for (currency, takings) in &day.takings {
            let all = sum.takings.entry(currency.clone()).or_default();
            all.revenue += takings.revenue;
            all.refunds += takings.refunds;
            all.gmv += takings.gmv;
            all.nmv += takings.nmv;
        }
    }
    sum
}

/// How many of some streams tell an engine from the oracle.
fn told_apart(engine: Engine) -> usize {
    let wrong =
        |events: &[Event], config: &Config| !disagreements(engine, events, config).is_empty();
    same_streams(600).filter(|stream| wrong(&stream.events, &stream.config)).count()
}

/// Every limit is hit to the millisecond, so an engine that has one of them wrong is found out.
#[test]
fn the_streams_tell_engines_apart() {
    assert_eq!(told_apart(outcome), 0);
    let engines: [(&str, Engine); 12] = [
        ("gap is shorter", |e, c| outcome(e, &Config { gap_ms: c.gap_ms - 1, ..c.clone() })),
        ("gap is longer", |e, c| outcome(e, &Config { gap_ms: c.gap_ms + 1, ..c.clone() })),
        ("window is shorter", |e, c| {
            outcome(e, &Config { window_ms: c.window_ms - 1, ..c.clone() })
        }),
        ("window is longer", |e, c| {
            outcome(e, &Config { window_ms: c.window_ms + 1, ..c.clone() })
        }),
        ("stitch is shorter", |e, c| {
            outcome(e, &Config { stitch_ms: c.stitch_ms - 1, ..c.clone() })
        }),
        ("stitch is longer", |e, c| {
            outcome(e, &Config { stitch_ms: c.stitch_ms + 1, ..c.clone() })
        }),
        ("chain is shorter", |e, c| outcome(e, &Config { chain_ms: c.chain_ms - 1, ..c.clone() })),
        ("chain is longer", |e, c| outcome(e, &Config { chain_ms: c.chain_ms + 1, ..c.clone() })),
        ("nothing freezes", |e, c| outcome(e, &Config { freeze_ms: i64::MAX, ..c.clone() })),
        ("no merges", |e, c| outcome(e, &Config { merges: vec![], ..c.clone() })),
        ("no host is inside", |e, c| outcome(e, &Config { inside: vec![], ..c.clone() })),
        ("days of UTC", |e, c| outcome(e, &Config { zone: "UTC".to_owned(), ..c.clone() })),
    ];
    for (name, engine) in engines {
        let found = told_apart(engine);
        println!("{name}: told apart by {found} of 600 streams");
        assert!(found >= 3, "{name}: told apart by {found} streams");
    }
}
