//! Random streams of events, for an engine to be held against the oracle.
//!
//! A stream is a list of gestures, each placed in time by a step from an earlier one. Steps are
//! those at which a rule turns, so that streams hit boundaries to the millisecond, and a stream
//! stays a stream when gestures are taken out of it, so that failures shrink.

use edgetally_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::gestures::{Act, Gesture, Landing, STATES, Said, Speaker, Step, Telling, events};
use super::model::{Config, Event};

/// Events in the order in which they are delivered, and the settings of their site.
#[derive(Debug, Clone)]
pub struct Stream {
    pub events: Vec<Event>,
    pub config: Config,
}

/// Zones, and instants shortly before something happens to their clocks.
const STARTS: [(&str, &str); 8] = [
    ("Asia/Ho_Chi_Minh", "2026-03-02T03:00:00Z"),
    ("Asia/Ho_Chi_Minh", "2026-03-02T16:40:00Z"),
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    // Here the clocks change at midnight: one day begins at 01:00, one ends after 25 hours.
    ("America/Sao_Paulo", "2018-11-03T15:00:00Z"),
    ("America/Sao_Paulo", "2018-02-17T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T02:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T02:00:00Z"),
];

/// Streams of some dozens of events by up to 4 clients and 3 users.
pub fn stream() -> impl Strategy<Value = Stream> {
    let scene = prop_oneof![
        30 => gesture().prop_map(|gesture| vec![gesture]),
        1 => change_of_user(),
        1 => ageing_click(),
    ];
    let gestures = prop::collection::vec(scene, 1..40).prop_map(|scenes| scenes.concat());
    (config(), 1u8..5, 1u8..4, gestures).prop_map(|((config, start), clients, users, gestures)| {
        let events = events(&gestures, clients, users, start.parse().unwrap(), &config);
        Stream { events, config }
    })
}

/// The same streams on every run.
pub fn same_streams(count: usize) -> impl Iterator<Item = Stream> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(move |_| stream().new_tree(&mut runner).unwrap().current())
}

fn config() -> impl Strategy<Value = (Config, &'static str)> {
    let gap = prop_oneof![7 => Just(30 * MINUTE_MS), 1 => Just(10 * MINUTE_MS)];
    let freeze = prop_oneof![6 => Just(7 * DAY_MS), 1 => Just(DAY_MS), 1 => Just(2 * HOUR_MS)];
    let cuts = (prop::bool::weighted(0.9), prop::bool::weighted(0.9));
    let merges = prop_oneof![
        8 => Just(vec![]),
        1 => Just(vec![("u:u0", "u:u1")]),
        1 => Just(vec![("u:u1", "u:u2"), ("u:u0", "u:u1")]),
    ];
    (prop::sample::select(&STARTS[..]), gap, freeze, cuts, merges).prop_map(
        |((zone, start), gap_ms, freeze_ms, (daily_cut, campaign_cut), merges)| {
            let merges = merges.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
            let defaults = Config::new(zone);
            (Config { gap_ms, freeze_ms, daily_cut, campaign_cut, merges, ..defaults }, start)
        },
    )
}

fn gesture() -> impl Strategy<Value = Gesture> {
    let who = (0u8..12, prop::option::weighted(0.08, 0u8..6));
    let carries = prop::option::weighted(0.06, 0u8..3);
    let marks = (prop::bool::weighted(0.04), prop::bool::weighted(0.1));
    (who, act(), landing(), carries, (0u8..5, step()), delay(), marks, any::<u8>()).prop_map(
        |((client, copy), act, landing, carries, (from, step), delay_ms, marks, salt)| Gesture {
            client,
            copy,
            act,
            landing,
            carries,
            from,
            step,
            delay_ms,
            is_bot: marks.0,
            server_key: marks.1,
            salt,
        },
    )
}

/// One user leaves and another comes; what one of them sees between arrives last.
fn change_of_user() -> impl Strategy<Value = Vec<Gesture>> {
    let pause = || {
        let short = prop::sample::select(&[10, 20, 29][..]).prop_map(|m| m * MINUTE_MS);
        prop_oneof![2 => short, 1 => Just(30 * MINUTE_MS), 1 => Just(30 * MINUTE_MS + 1)]
    };
    let gestures = prop::collection::vec(gesture(), 5);
    (gestures, 0u8..3, pause(), pause(), pause()).prop_map(|(mut scene, user, a, b, c)| {
        let other = (user + 1) % 3;
        set(&mut scene[1], Act::Logout, 4 * MINUTE_MS);
        set(&mut scene[2], Act::View, a);
        set(&mut scene[3], Act::View, b);
        set(&mut scene[4], Act::Login("login", other), c);
        scene[0].act = Act::Login("login", user);
        (scene[3].delay_ms, scene[4].delay_ms) = (2 * HOUR_MS, 0);
        on_one_client(scene)
    })
}

/// A click whose 72 hours end while the session that it brought goes on.
fn ageing_click() -> impl Strategy<Value = Vec<Gesture>> {
    let gestures = prop::collection::vec(gesture(), 3);
    (gestures, 0usize..4, said(), 0i64..=1).prop_map(|(mut scene, campaign, said, more)| {
        let untagged = Landing::Nothing;
        (scene[0].act, scene[0].landing) = (Act::View, Landing::Tagged(campaign));
        set(&mut scene[1], Act::View, 72 * HOUR_MS - 10 * MINUTE_MS);
        set(&mut scene[2], Act::Purchase(said), 72 * HOUR_MS + more);
        (scene[1].landing, scene[2].landing, scene[2].from) = (untagged.clone(), untagged, 1);
        on_one_client(scene)
    })
}

/// Makes a gesture an act that follows the one before it.
fn set(gesture: &mut Gesture, act: Act, after_ms: i64) {
    (gesture.act, gesture.from, gesture.step) = (act, 0, Step::By(after_ms));
}

fn on_one_client(mut scene: Vec<Gesture>) -> Vec<Gesture> {
    let client = scene[0].client;
    for gesture in &mut scene {
        (gesture.client, gesture.copy, gesture.carries, gesture.is_bot) =
            (client, None, None, false);
    }
    scene
}

fn act() -> impl Strategy<Value = Act> {
    let user = || 0u8..3;
    prop_oneof![
        30 => Just(Act::View),
        8 => Just(Act::Cart),
        12 => user().prop_map(|user| Act::Login("login", user)),
        2 => user().prop_map(|user| Act::Login("sign_up", user)),
        3 => user().prop_map(|user| Act::Login("identify", user)),
        3 => user().prop_map(Act::IdentifyInBackground),
        9 => Just(Act::Logout),
        2 => Just(Act::Vital),
        11 => said().prop_map(Act::Purchase),
        5 => said().prop_map(Act::Created),
        5 => said().prop_map(Act::Paid),
        1 => said().prop_map(Act::Failed),
        7 => said().prop_map(Act::Refund),
        3 => said().prop_map(Act::Cancelled),
        6 => (said(), telling()).prop_map(|(said, telling)| {
            let by_browser = said.speaker == Speaker::Browser;
            let speaker = if by_browser { Speaker::ServerForClient } else { said.speaker };
            Act::Told(Said { speaker, ..said }, telling)
        }),
    ]
}

fn telling() -> impl Strategy<Value = Telling> {
    let after = prop::sample::select(&[0, 1, 10, 60, 24 * 60][..]).prop_map(|m| m * MINUTE_MS);
    (0..STATES.len(), after, any::<bool>(), 0usize..3).prop_map(
        |(state, updated_after_ms, names_cancellation, cell)| Telling {
            state,
            updated_after_ms,
            names_cancellation,
            cell,
        },
    )
}

fn said() -> impl Strategy<Value = Said> {
    let speaker = prop_oneof![
        12 => Just(Speaker::Browser),
        5 => Just(Speaker::ServerForClient),
        3 => Just(Speaker::ServerForUser),
        1 => Just(Speaker::ServerAlone),
    ];
    let order = (0u8..3, prop::bool::weighted(0.1));
    let money = (0usize..6, 0usize..6, prop::bool::weighted(0.1));
    (order, speaker, money, prop::option::weighted(0.6, 0u8..2)).prop_map(
        |((transaction, is_elsewhere), speaker, (value, lines, is_foreign), refund)| Said {
            transaction,
            is_elsewhere,
            speaker,
            value,
            lines,
            is_foreign,
            refund,
        },
    )
}

fn landing() -> impl Strategy<Value = Landing> {
    prop_oneof![
        11 => Just(Landing::Nothing),
        6 => (0usize..4).prop_map(Landing::Tagged),
        1 => (0usize..4).prop_map(Landing::TaggedAndReferred),
        3 => (0usize..4).prop_map(Landing::Referred),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let by = |ms| Just(Step::By(ms));
    prop_oneof![
        2 => by(0),
        2 => prop::sample::select(&[1, -1, SECOND_MS][..]).prop_map(Step::By),
        10 => prop::sample::select(&[4, 10, 15, 20, 29][..]).prop_map(|m| Step::By(m * MINUTE_MS)),
        4 => prop::sample::select(&[-10, -15, -20][..]).prop_map(|m| Step::By(m * MINUTE_MS)),
        3 => by(30 * MINUTE_MS),
        3 => by(30 * MINUTE_MS + 1),
        2 => prop::sample::select(&[35, 45, 120][..]).prop_map(|m| Step::By(m * MINUTE_MS)),
        2 => (-1i64..=1).prop_map(Step::ToMidnight),
        2 => (0i64..=1).prop_map(|more| Step::By(72 * HOUR_MS + more)),
        3 => (0i64..=1).prop_map(|more| Step::By(7 * DAY_MS + more)),
        1 => prop::sample::select(&[1, 2, 3, -3][..]).prop_map(|days| Step::By(days * DAY_MS)),
    ]
}

/// Between an event and its receipt; of browsers it ends after 7 days, when they are refused.
fn delay() -> impl Strategy<Value = i64> {
    let hours = prop::sample::select(&[1, 2, 24, 72, 120, 168, 240, 480][..]);
    let seconds = prop::sample::select(&[1, 2, 600, 1_800][..]);
    prop_oneof![
        5 => Just(0i64),
        3 => seconds.prop_map(|s| s * SECOND_MS),
        3 => hours.prop_map(|h| h * HOUR_MS),
    ]
}
