//! Erasing a person: what is left is what it would be without him, but for the money; and nothing
//! brings him back.

use std::collections::HashMap;

use aggregator::apply::{Changed, World};
use aggregator::local::{Answer, Ask};
use aggregator::site::Report;
use aggregator::tombstones::{Person, is_money};
use edgetally_proto::batch::Batch;
use edgetally_proto::error::RejectCode;
use edgetally_proto::frame;
use edgetally_proto::ids::UserId;
use edgetally_proto::record::Letter;
use edgetally_proto::time::{DAY_MS, HOUR_MS};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::laws::{self, Numbers, START, computed, event, plain, plain_orders, source};
use crate::support::events::{Event, batch, demo, share};
use crate::support::server::{ADMIN, Server};

/// When persons are erased in the law.
const LATER: i64 = START + 30 * DAY_MS;

fn erase(world: &mut World, user: &str) -> Report {
    let person = Person::User(UserId::parse(user).unwrap());
    let ask = Ask::Erase { site: demo(), person, salt: [9; 16] };
    match world.take_in(ask, LATER, &mut Changed::default()).1 {
        Answer::Erased(report) => report,
        other => panic!("{other:?}"),
    }
}

fn deliver(world: &mut World, epoch: u8, deliveries: &[Event]) {
    for (sequence, events) in (1..).zip(deliveries.chunks(7)) {
        laws::send(world, &source(epoch), sequence, &frame::encode(&batch(events, 1)));
    }
}

/// Whether an event was the user's: it names him, or nobody else signed in or out since he did.
fn is_his(event: &Event, all: &[Event], user: &str) -> bool {
    if let Some(named) = event.user.as_ref().filter(|_| event.name != "logout") {
        return named == user;
    }
    let mut before: Vec<&Event> = all
        .iter()
        .filter(|other| other.client == event.client && laws::key(other) < laws::key(event))
        .collect();
    before.sort_by_key(|other| laws::key(other));
    let mut signed_in = None;
    for other in before {
        match (laws::login(other), other.name.as_str()) {
            (Some(user), _) => signed_in = Some(user),
            (None, "logout") => signed_in = None,
            _ => {}
        }
    }
    signed_in.is_some_and(|of| of == user)
}

/// Events with times of their own, and copies that say the same.
fn deliveries(drawn: Vec<Event>) -> Vec<Event> {
    let mut first: HashMap<(String, String), Event> = HashMap::new();
    let of_order = |(n, event): (i64, Event)| {
        // The edge drops the user id of a logout.
        let user = event.user.filter(|_| event.name != "logout");
        let event = Event { at_ms: event.at_ms + n, user, ..event };
        let (key, received_ms) = ((event.client.clone(), event.id.clone()), event.received_ms);
        Event { received_ms, ..first.entry(key).or_insert(event).clone() }
    };
    (0i64..).zip(drawn).map(of_order).collect()
}

/// Each event once.
fn distinct(deliveries: &[Event]) -> Vec<Event> {
    let mut set: HashMap<(String, String), Event> = HashMap::new();
    for event in deliveries {
        set.entry((event.client.clone(), event.id.clone())).or_insert_with(|| event.clone());
    }
    set.into_values().collect()
}

/// What is left without a user: the others' events, and the money of his orders.
fn without(all: &[Event], user: &str) -> Numbers {
    let (his, left): (Vec<Event>, Vec<Event>) =
        all.iter().cloned().partition(|event| is_his(event, all, user));
    let mut numbers = plain(&left);
    let is_kept = |event: &&Event| {
        let fact = share(&[(*event).clone()]).facts.pop();
        is_money(&event.name, fact.as_ref())
    };
    let kept: Vec<&Event> = his.iter().filter(is_kept).collect();
    for event in &kept {
        let key = (event.at_ms.div_euclid(HOUR_MS), event.name.clone());
        *numbers.events.entry(key).or_default() += 1;
    }
    (numbers.orders, numbers.revenue) = (0, 0);
    plain_orders(left.iter().chain(kept).collect(), &mut numbers);
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_is_what_it_would_be_without_him(
        drawn in prop::collection::vec(event(), 1..80),
    ) {
        let deliveries = deliveries(drawn);
        let mut world = World::default();
        deliver(&mut world, 1, &deliveries);
        let report = erase(&mut world, "u1");
        let expected = without(&distinct(&deliveries), "u1");
        prop_assert_eq!(&computed(&world), &expected);
        let site = &world.sites[&demo()];
        prop_assert_eq!(site.texts.find("u1"), None);
        let events = distinct(&deliveries);
        let his = events.iter().filter(|event| is_his(event, &events, "u1"));
        let gone = his.filter(|event| event.order.is_none()).count();
        prop_assert_eq!(report.events, gone);

        // Sent again under another life of the shard, nothing of it comes back.
        let before: Vec<String> = site.texts.iter().map(ToString::to_string).collect();
        let duplicates = |world: &World| {
            let mut count = 0;
            let site = &world.sites[&demo()];
            site.counters.visit(START, START + 60 * DAY_MS, |measure, n| {
                if measure == aggregator::merge::Measure::LateDuplicates {
                    count += n;
                }
            });
            count
        };
        let counted = duplicates(&world);
        deliver(&mut world, 2, &distinct(&deliveries));
        prop_assert_eq!(computed(&world), expected);
        let site = &world.sites[&demo()];
        let after: Vec<String> = site.texts.iter().map(ToString::to_string).collect();
        prop_assert!(after.iter().all(|text| before.contains(text)), "{:?}", after);
        // What the same frame says twice is nobody's repeat, where no copy came before it.
        if distinct(&deliveries).len() == deliveries.len() {
            prop_assert_eq!(duplicates(&world), counted);
        }
        let again = erase(&mut world, "u1");
        let nothing = Report { persons: vec!["u:u1".to_owned()], ..Report::default() };
        prop_assert_eq!(again, nothing);
    }
}

const AT: i64 = 1_772_420_400_000;

/// A visitor looks round, signs in, buys, signs out; another one is there all the time.
fn visit() -> Vec<Event> {
    let event = |id: &str, name: &str, at: i64| Event::new(id, "tablet-of-ann", name, AT + at);
    let other = |id: &str, at: i64| Event::new(id, "c-bob", "page_view", AT + at);
    vec![
        event("a1", "page_view", 0),
        event("a2", "login", 1_000).user("ann@example.org"),
        event("a3", "page_view", 2_000),
        event("a4", "purchase", 3_000).order("T-1", 5_000),
        event("a5", "logout", 4_000),
        event("a6", "page_view", 5_000),
        other("b1", 500),
        other("b2", 4_500).user("bob"),
    ]
}

fn letters() -> Vec<Letter> {
    let letter = |event: Value| Letter {
        received_at_ms: AT + 2_500,
        code: RejectCode::ValueInvalid,
        field: "params.value".to_owned(),
        message: "is no number".to_owned(),
        event: event.to_string(),
    };
    vec![
        letter(json!({"id": "x1", "user_id": "ann@example.org"})),
        letter(json!({"id": "x2", "client_id": "tablet-of-ann"})),
        letter(json!({"id": "x3", "client_id": "c-bob"})),
    ]
}

fn frames() -> Vec<Vec<u8>> {
    let mut share = share(&[]);
    share.letters = letters();
    let rejected = frame::encode(&Batch { committed_at_ms: AT, sites: vec![share] });
    vec![frame::encode(&batch(&visit(), AT)), rejected]
}

fn totals(server: &Server) -> Vec<Value> {
    let metrics = ["events", "visitors", "orders", "revenue", "units", "duplicates"];
    server.query(&metrics, &[])[0].1.clone()
}

fn erased(server: &Server, person: &str) -> Value {
    let path = format!("/v1/people/{person}?site=demo");
    let (status, answer) = server.call("DELETE", &path, ADMIN, None);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn said(answer: &Value) -> [u64; 5] {
    ["events", "orders_kept", "clients", "fell_back", "rejected_events"]
        .map(|name| answer[name].as_u64().unwrap())
}

fn money(amount: &str) -> Value {
    json!([{"currency": "VND", "amount": amount}])
}

/// Whether a text stands in any file below a folder; sled packs its files, so it is left out.
fn stands_in_a_file(dir: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return !path.ends_with("sled") && stands_in_a_file(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_user_goes_and_his_orders_stay_as_money() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    assert_eq!(server.frames(1, &frames()).0, 200);
    let all = vec![json!(8), json!(3), json!(1), money("5000"), json!(2), json!(0)];
    assert_eq!(totals(&server), all);
    // Login, page view and logout go, the purchase becomes nobody's; a1 and a6 are the client's.
    let answer = erased(&server, "u:ann@example.org");
    assert_eq!(said(&answer), [3, 1, 1, 1, 2], "{answer}");
    let left = vec![json!(5), json!(2), json!(1), money("5000"), json!(2), json!(0)];
    assert_eq!(totals(&server), left);
    let list = server.call("GET", "/v1/rejects?site=demo", ADMIN, None).1;
    assert_eq!(list["results"].as_array().unwrap().len(), 1, "{list}");

    // Log and snapshot are written anew, so that neither names him any more.
    let gone = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        !stands_in_a_file(dir.path(), "ann@example.org")
    });
    assert!(gone, "a file still names the user");

    // The same frames from another life of the shard, and events that were on their way.
    let late = [
        Event::new("a7", "tablet-of-ann", "page_view", AT + 3_500),
        Event::new("a8", "c-phone", "page_view", AT + 3_500).user("ann@example.org"),
        Event::new("a9", "c-phone", "purchase", AT + 3_600).user("ann@example.org").order("T-2", 7),
    ];
    let again = [frames(), vec![frame::encode(&batch(&late, AT))]].concat();
    let other = edgetally_proto::sign::FramesHead {
        shard: "v1|apac|0",
        epoch: "00000000000000000000000000000007",
        first: 1,
        last: 3,
        backlog: None,
    };
    let secret = crate::support::server::SECRET;
    assert_eq!(server.signed(&other, &again.concat(), secret).unwrap().0, 200);
    let with_late = vec![json!(6), json!(2), json!(2), money("5007"), json!(4), json!(0)];
    assert_eq!(totals(&server), with_late);
    let list = server.call("GET", "/v1/rejects?site=demo", ADMIN, None).1;
    assert_eq!(list["results"].as_array().unwrap().len(), 2, "bob's came twice: {list}");
    let edges = server.call("GET", "/v1/edges", ADMIN, None).1["totals"].clone();
    let sum = ["applied", "late_duplicates", "dead"].map(|name| edges[name].as_u64().unwrap());
    assert_eq!(edges["accepted"].as_u64().unwrap(), sum.iter().sum::<u64>(), "{edges}");

    server.kill();
    let server = Server::start(dir.path());
    assert_eq!(totals(&server), with_late, "from the log");
    assert!(server.stop().success());
    assert!(!stands_in_a_file(dir.path(), "ann@example.org"));
    let server = Server::start(dir.path());
    assert_eq!(totals(&server), with_late, "from the checkpoint");

    // Whoever signs in afterwards is somebody new.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64 + 1_000;
    let back = Event::new("n1", "c-phone", "page_view", now).user("ann@example.org");
    assert_eq!(server.frames(3, &[frame::encode(&batch(&[back], now))]).0, 200);
    assert_eq!(totals(&server)[..2], [json!(7), json!(3)]);
}

#[test]
fn a_client_goes_and_what_users_did_on_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let mut events = visit();
    events.push(Event::new("w1", "c-quiet", "web_vital", AT));
    events.push(Event::new("w2", "c-new", "page_view", AT));
    assert_eq!(server.frames(1, &[frame::encode(&batch(&events, AT))]).0, 200);
    // a1 is the user's by his login, a6 that of the person after the logout.
    assert_eq!(said(&erased(&server, "c:tablet-of-ann")), [0, 0, 0, 0, 0]);
    assert_eq!(said(&erased(&server, "c:tablet-of-ann%23a5")), [1, 0, 1, 0, 0]);
    assert_eq!(said(&erased(&server, "c:c-quiet")), [1, 0, 1, 0, 0]);
    assert_eq!(said(&erased(&server, "c:c-new")), [1, 0, 1, 0, 0]);
    assert_eq!(said(&erased(&server, "c:nobody")), [0, 0, 0, 0, 0]);
    assert_eq!(totals(&server)[..3], [json!(7), json!(2), json!(1)]);
}

#[test]
fn wrong_requests_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    for (rest, status, code, field) in [
        ("u:a", 400, "invalid_query", json!("site")),
        ("u:a?site=No%20Site", 400, "invalid_query", json!("site")),
        ("u:a?site=nowhere", 404, "unknown_site", Value::Null),
        ("ann?site=demo", 400, "invalid_query", json!("person")),
        ("u:?site=demo", 400, "invalid_query", json!("person")),
        ("u:a?site=demo&colour=red", 400, "invalid_query", json!("colour")),
    ] {
        let (said, problem) = server.call("DELETE", &format!("/v1/people/{rest}"), ADMIN, None);
        assert_eq!((said, &problem["code"]), (status, &json!(code)), "{rest}: {problem}");
        assert_eq!(problem["field"], field, "{rest}: {problem}");
    }
    let made =
        server.call("POST", "/v1/keys", ADMIN, Some(json!({"site": "demo", "kind": "read"})));
    let key = made.1["key"].as_str().unwrap();
    assert_eq!(server.call("DELETE", "/v1/people/u:a?site=demo", key, None).0, 403);
    assert_eq!(server.call("DELETE", "/v1/people/u:a?site=demo", "", None).0, 401);
}
