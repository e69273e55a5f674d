//! `POST /v1/rejects/replay`: rejected events that pass under new settings come in, once.

use edgetally_proto::batch::Batch;
use edgetally_proto::error::RejectCode;
use edgetally_proto::frame;
use edgetally_proto::record::Letter;
use edgetally_proto::rollup::RejectKey;
use edgetally_proto::time::second_of;
use serde_json::{Value, json};

use crate::support::events::{Event, batch, share};
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;

fn frame_of(letters: Vec<(RejectCode, Value)>) -> Vec<u8> {
    let mut share = share(&[]);
    for (n, (code, event)) in (0i64..).zip(letters) {
        let received_at_ms = START + n;
        let key = RejectKey { second: second_of(received_at_ms), code };
        *share.rejects.entry(key).or_default() += 1;
        let (field, message) = ("name".to_owned(), "is not listed".to_owned());
        let event = event.to_string();
        share.letters.push(Letter { received_at_ms, code, field, message, event });
    }
    frame::encode(&Batch { committed_at_ms: START, sites: vec![share] })
}

fn event(id: &str, name: &str) -> Value {
    json!({"id": id, "client_id": format!("c-{id}"), "name": name, "ts": START - 5_000,
           "params": {"transaction_id": id, "value": 250}})
}

fn put(server: &Server, settings: Value) {
    let base = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND"});
    let mut all = base.as_object().unwrap().clone();
    all.extend(settings.as_object().unwrap().clone());
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(all.into())).0, 200);
}

fn replay(server: &Server, body: Value) -> Value {
    let (status, answer) = server.call("POST", "/v1/rejects/replay", ADMIN, Some(body));
    assert_eq!(status, 200, "{answer}");
    answer
}

fn totals(server: &Server) -> Vec<Value> {
    let metrics = ["events", "bot_events", "visitors", "orders", "rejected", "duplicates"];
    server.query(&metrics, &[])[0].1.clone()
}

fn list(server: &Server) -> Value {
    server.call("GET", "/v1/rejects?site=demo", ADMIN, None).1
}

fn counts(answer: &Value) -> [u64; 3] {
    ["replayed", "accepted", "duplicates"].map(|name| answer[name].as_u64().unwrap())
}

/// Nine mistakes, of which seven pass once `quiz` is listed and bots are counted apart.
fn mistakes() -> Vec<u8> {
    use RejectCode::{Bot, NameNotAllowed, TimestampTooOld, ValueInvalid};
    let mut old = event("old", "page_view");
    old["ts"] = json!(START - 20 * 86_400_000);
    let nameless = json!({"client_id": "c-x", "name": "quiz"});
    let mut worse = event("worse", "quiz");
    worse["params"]["value"] = json!("ten");
    frame_of(vec![
        (NameNotAllowed, event("a", "quiz")),
        (NameNotAllowed, event("a", "quiz")),
        (NameNotAllowed, event("held", "quiz")),
        (NameNotAllowed, nameless.clone()),
        (NameNotAllowed, worse),
        (Bot, event("b", "purchase")),
        (TimestampTooOld, old),
        (ValueInvalid, Value::Null),
        (NameNotAllowed, nameless),
    ])
}

#[test]
fn what_passes_today_comes_in_and_leaves_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    put(&server, json!({"bots": "reject"}));
    let held = Event::new("held", "c-held", "page_view", START);
    let first = frame::encode(&batch(&[held], START));
    assert_eq!(server.frames(1, &[first, mistakes()]).0, 200);
    let before = totals(&server);
    assert_eq!(before, [1, 0, 1, 0, 9, 0].map(Value::from));

    let answer = replay(&server, json!({"site": "demo", "code": "bot"}));
    assert_eq!(counts(&answer), [1, 0, 0], "bots are refused still: {answer}");
    assert_eq!(totals(&server), before);
    put(&server, json!({"events": {"allow": ["quiz"]}}));
    let answer = replay(&server, json!({"site": "demo"}));
    assert_eq!(counts(&answer), [9, 5, 2], "{answer}");
    let refusal = |at: usize| {
        let row = &answer["rejected"][at];
        (row["id"].clone(), row["code"].clone(), row["field"].clone())
    };
    assert_eq!(refusal(0), (Value::Null, json!("value_invalid"), json!("events[0]")));
    assert_eq!(refusal(1), (json!("worse"), json!("value_invalid"), json!("params.value")));
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 2);
    // The purchase is a bot's, so it is no order; what was rejected stays counted.
    assert_eq!(totals(&server), [5, 1, 4, 0, 9, 0].map(Value::from));

    let rows = list(&server);
    let left: Vec<(&Value, &Value)> =
        rows["results"].as_array().unwrap().iter().map(|row| (&row["code"], &row["now"])).collect();
    let value = json!("value_invalid");
    assert_eq!(left, [(&value, &Value::Null), (&json!("name_not_allowed"), &value)]);
    let hour = rows["hours"].as_array().unwrap().iter().find(|h| h["code"] == "name_not_allowed");
    let said = ["rejected", "kept", "not_kept", "replayed"].map(|name| &hour.unwrap()[name]);
    assert_eq!(said, [6, 1, 0, 5]);

    let again = replay(&server, json!({"site": "demo"}));
    assert_eq!(counts(&again), [2, 0, 0], "{again}");
    let after = (totals(&server), list(&server));
    server.kill();
    let server = Server::start(dir.path());
    assert_eq!((totals(&server), list(&server)), after, "from the log");
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    assert_eq!((totals(&server), list(&server)), after, "from the checkpoint");
    let edges = server.call("GET", "/v1/edges", ADMIN, None).1;
    let own = edges["shards"].as_array().unwrap().iter().find(|s| s["shard"] == "local|rejects");
    assert_eq!(own.unwrap()["accepted"], 5, "{edges}");
}

#[test]
fn a_page_goes_on_where_the_one_before_ended() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    put(&server, json!({"events": {"allow": ["quiz"]}}));
    let letters = (0..25).map(|n| (RejectCode::NameNotAllowed, event(&format!("e{n}"), "quiz")));
    assert_eq!(server.frames(1, &[frame_of(letters.collect())]).0, 200);
    let mut after = Value::Null;
    let mut accepted = Vec::new();
    loop {
        let answer = replay(&server, json!({"site": "demo", "limit": 10, "after": after}));
        accepted.push(answer["accepted"].clone());
        after = answer["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(accepted, [10, 10, 5]);
    assert_eq!(list(&server)["results"], json!([]));
}

#[test]
fn wrong_requests_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    for (body, status, code, field) in [
        (json!({}), 400, "invalid_query", json!("site")),
        (json!({"site": "nowhere"}), 404, "unknown_site", Value::Null),
        (json!({"site": "demo", "code": "unlucky"}), 400, "invalid_query", json!("code")),
        (json!({"site": "demo", "limit": 0}), 400, "invalid_query", json!("limit")),
        (json!({"site": "demo", "limit": 1001}), 400, "invalid_query", json!("limit")),
        (json!({"site": "demo", "limit": "x"}), 400, "invalid_query", json!("limit")),
        (json!({"site": "demo", "from": "soon"}), 400, "invalid_query", json!("from")),
        (json!({"site": "demo", "colour": 1}), 400, "invalid_query", json!("colour")),
        (json!(5), 400, "invalid_query", json!("body")),
    ] {
        let (said, problem) = server.call("POST", "/v1/rejects/replay", ADMIN, Some(body.clone()));
        assert_eq!((said, &problem["code"]), (status, &json!(code)), "{body}: {problem}");
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    let made =
        server.call("POST", "/v1/keys", ADMIN, Some(json!({"site": "demo", "kind": "read"})));
    let key = made.1["key"].as_str().unwrap();
    let body = Some(json!({"site": "demo"}));
    assert_eq!(server.call("POST", "/v1/rejects/replay", key, body.clone()).0, 403);
    assert_eq!(server.call("POST", "/v1/rejects/replay", "", body).0, 401);
}
