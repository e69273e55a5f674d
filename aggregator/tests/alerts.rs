//! Rules over metrics, and those who are told, of a running program.

use std::time::{Duration, Instant};

use edgetally_proto::frame;
use edgetally_proto::sign;
use serde_json::{Value, json};

use crate::support;
use crate::support::events::{Event, batch, now_ms};
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server};

const SECRET: &str = "a secret of the receiver";
/// More than a rule needs that looks once a second.
const SOON: Duration = Duration::from_secs(10);

fn settings(url: &str, rules: Value) -> Value {
    json!({
        "timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "alerts": rules,
        "webhooks": [{"name": "ops", "url": url, "secret_env": "EDGETALLY_HOOK_OPS"}],
    })
}

/// Orders pile up: more than three within eight seconds, for a second.
fn piling_up() -> Value {
    json!([{"name": "too many orders", "metric": "orders", "window": "8s", "above": 3,
        "for": "1s", "cooldown": "0s", "severity": "critical", "to": ["ops"]}])
}

fn start(data: &std::path::Path) -> Server {
    Server::start_with(data, &[("EDGETALLY_HOOK_OPS", SECRET)])
}

fn put(server: &Server, settings: Value) {
    let (status, answer) = server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings));
    assert_eq!(status, 200, "{answer}");
}

/// So many orders of now, in one frame.
fn sell(server: &Server, number: u64, count: usize) {
    let at = now_ms();
    let order = |n: usize| {
        let id = format!("p{number}-{n}");
        Event::new(&id, &format!("c{number}-{n}"), "purchase", at).order(&id, 1_000)
    };
    let events: Vec<Event> = (0..count).map(order).collect();
    assert_eq!(server.frames(number, &[frame::encode(&batch(&events, at))]).0, 200);
}

fn alerts(server: &Server) -> Vec<Value> {
    let (status, answer) = server.call("GET", "/v1/alerts?site=demo", ADMIN, None);
    assert_eq!(status, 200, "{answer}");
    answer["results"].as_array().unwrap().clone()
}

fn until<T>(what: &str, find: impl Fn() -> Option<T>) -> T {
    support::until(what, SOON, find)
}

#[test]
fn a_rule_is_told_once_within_five_seconds_signed_and_its_end_follows() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let receiver = Receiver::start();
    put(&server, settings(&receiver.url(), piling_up()));
    let crossed = Instant::now();
    sell(&server, 1, 4);
    let told = receiver.wait(1, SOON);
    let took = crossed.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(6)).contains(&took), "{took:?}");
    let message = &told[0];
    let firing = message.json();
    assert_eq!((&firing["rule"], &firing["state"]), (&json!("too many orders"), &json!("firing")));
    assert_eq!((&firing["severity"], &firing["site"]), (&json!("critical"), &json!("demo")));
    assert_eq!(firing["evidence"]["value"], "4");
    assert_eq!(firing["delivery"], message.header("edgetally-delivery"));
    // The receiver works out the signature by itself.
    let at: i64 = message.header("edgetally-timestamp").parse().unwrap();
    let signature = sign::webhook(SECRET, at, message.body.as_bytes());
    assert_eq!(message.header("edgetally-signature"), format!("t={at},v1={signature}"));
    let told = receiver.wait(2, Duration::from_secs(20));
    let over = told[1].json();
    assert_eq!((&over["state"], &over["id"]), (&json!("resolved"), &firing["id"]));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.taken().len(), 2, "nothing is told twice");
    let listed = &alerts(&server)[0];
    assert_eq!((&listed["id"], &listed["state"]), (&firing["id"], &json!("resolved")));
    assert!(listed["resolved_at"].as_str() > listed["at"].as_str());
}

/// How long the receiver is away.
const AWAY: Duration = Duration::from_secs(60);

#[test]
fn who_was_away_is_told_once_and_a_start_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let receiver = Receiver::start();
    let (address, url) = (receiver.address, receiver.url());
    receiver.answer_with(503);
    put(&server, settings(&url, piling_up()));
    sell(&server, 1, 4);
    until("a refused message", || receiver.taken().first().cloned());
    let id = alerts(&server)[0]["id"].clone();
    drop(receiver);
    server.kill();
    let server = start(dir.path());
    // Nobody is there for a minute, in which it is over; who was away hears both, in their order.
    std::thread::sleep(AWAY);
    until("the end", || alerts(&server).iter().any(|row| row["state"] == "resolved").then_some(()));
    let receiver = Receiver::at(address);
    let told = receiver.wait(2, Duration::from_secs(40));
    let states: Vec<Value> = told.iter().map(|message| message.json()["state"].clone()).collect();
    assert_eq!(states, ["firing", "resolved"]);
    assert!(told.iter().all(|message| message.json()["id"] == id));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((receiver.taken().len(), alerts(&server).len()), (2, 1));
    let path = "/v1/alerts/deliveries?site=demo";
    let until_noted = || {
        let (_, log) = server.call("GET", path, ADMIN, None);
        let rows = log["results"].as_array().unwrap().clone();
        rows.iter().all(|row| row["state"] == "delivered").then_some(rows)
    };
    let rows = until("the log of deliveries", until_noted);
    assert_eq!((rows.len(), &rows[1]["said"]), (2, &json!("HTTP 200")));
    assert!(rows[0]["tries"].as_u64().unwrap() >= 2);
    // Neither answers nor logs tell where messages go, or by what they are signed.
    for secret in ["token=of-nobody-else", SECRET] {
        assert!(!server.log().contains(secret) && !json!(rows).to_string().contains(secret));
    }
}

#[test]
fn a_test_arrives_in_every_format_and_is_seen_live() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let receiver = Receiver::start();
    let hook = |format: &str| json!({"name": format, "url": receiver.url(), "format": format});
    let hooks = ["generic", "slack", "teams", "discord"].map(hook);
    put(&server, json!({"webhooks": hooks}));
    let mut live = crate::live::Listener::open(&server, None);
    live.next_of("now", |_| true);
    let (status, sent) =
        server.call("POST", "/v1/alerts/test", ADMIN, Some(json!({"site": "demo"})));
    assert_eq!((status, sent["deliveries"].as_array().unwrap().len()), (200, 4), "{sent}");
    let (event, alert) = live.next_of("alert", |_| true);
    assert_eq!((&alert["id"], &alert["rule"]), (&sent["id"], &json!("test")));
    assert_eq!(alert["state"], "firing");
    // Who comes back after the message before it hears it again.
    let before = (event.parse::<u64>().unwrap() - 1).to_string();
    let mut again = crate::live::Listener::open(&server, Some(&before));
    assert_eq!(again.next_of("alert", |_| true), (event, alert));
    let bodies = receiver.wait(4, SOON);
    let has = |member: &str| bodies.iter().filter(|m| m.json()[member] != Value::Null).count();
    assert_eq!([has("delivery"), has("blocks"), has("attachments"), has("embeds")], [1; 4]);
}

#[test]
fn rules_are_put_one_by_one_and_somebody_takes_note_of_an_alert() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    server.make_site();
    let rule = json!({"metric": "events", "no_data": true, "window": "5s", "for": "0s"});
    let path = "/v1/alerts/rules/silence?site=demo";
    assert_eq!(server.call("PUT", path, ADMIN, Some(rule)).0, 200);
    let wrong = json!({"metric": "nonsense", "above": 1});
    let (status, answer) = server.call("PUT", path, ADMIN, Some(wrong));
    assert_eq!((status, &answer["field"]), (400, &json!("alerts[0].metric")), "{answer}");
    let alert = until("an alert of silence", || alerts(&server).first().cloned());
    assert_eq!((&alert["rule"], &alert["state"]), (&json!("silence"), &json!("firing")));
    let (_, listed) = server.call("GET", "/v1/alerts/rules?site=demo", ADMIN, None);
    assert_eq!(listed["results"][0]["is_firing"], true);
    let id = alert["id"].as_str().unwrap();
    let take = format!("/v1/alerts/{id}/acknowledge");
    let (status, taken) = server.call("POST", &take, ADMIN, None);
    assert_eq!((status, taken["acknowledged_at"].is_string()), (200, true), "{taken}");
    assert_eq!(server.call("POST", "/v1/alerts/demo-1-9/acknowledge", ADMIN, None).0, 404);
    assert_eq!(server.call("DELETE", path, ADMIN, None).0, 204);
    assert_eq!(server.call("DELETE", path, ADMIN, None).0, 404);
    until("its end", || (alerts(&server)[0]["state"] == "resolved").then_some(()));
}
