//! `GET /v1/rejects`, with real frames: what is shown, to whom, and that it comes back.

use edgetally_proto::batch::Batch;
use edgetally_proto::error::RejectCode;
use edgetally_proto::frame;
use edgetally_proto::record::Letter;
use edgetally_proto::rollup::RejectKey;
use edgetally_proto::time::second_of;
use serde_json::{Value, json};

use crate::support::events::share;
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;
const HOUR_MS: i64 = 3_600_000;

fn letter(at_ms: i64, code: RejectCode, event: &str) -> Letter {
    let (field, message) = ("params.value".to_owned(), "must be a decimal number".to_owned());
    Letter { received_at_ms: at_ms, code, field, message, event: event.to_owned() }
}

/// A frame with these letters, and so many more that were counted only.
fn frame_of(letters: Vec<Letter>, only_counted: &[(i64, RejectCode, u64)]) -> Vec<u8> {
    let mut share = share(&[]);
    let kept = letters.iter().map(|letter| (letter.received_at_ms, letter.code, 1));
    for (at_ms, code, count) in kept.chain(only_counted.iter().copied()) {
        *share.rejects.entry(RejectKey { second: second_of(at_ms), code }).or_default() += count;
    }
    share.letters = letters;
    frame::encode(&Batch { committed_at_ms: START, sites: vec![share] })
}

fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    (dir, server)
}

fn ask(server: &Server, rest: &str) -> Value {
    let (status, answer) = server.call("GET", &format!("/v1/rejects?site=demo{rest}"), ADMIN, None);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn events(answer: &Value) -> Vec<Value> {
    answer["results"].as_array().unwrap().iter().map(|row| row["event"].clone()).collect()
}

/// A morning of mistakes: two codes, one of them far too often, and one without consent.
fn mistakes() -> Vec<u8> {
    let (value, bot) = (RejectCode::ValueInvalid, RejectCode::Bot);
    let letters = vec![
        letter(START, value, r#"{"id":"a","params":{"value":1.50}}"#),
        letter(START + 5, value, "no {json"),
        letter(START + HOUR_MS, bot, r#"{"id":"b"}"#),
    ];
    frame_of(letters, &[(START, value, 40), (START, RejectCode::ConsentDenied, 3)])
}

#[test]
fn rejected_events_are_shown_newest_first_with_their_counts() {
    let (_dir, server) = server();
    assert_eq!(ask(&server, ""), json!({"results": [], "next": null, "hours": []}));
    assert_eq!(server.frames(1, &[mistakes()]).0, 200);
    let row = |at: &str, code: &str, not_kept: u64, event: Value| {
        json!({"received_at": format!("2026-03-02T{at}+07:00"), "code": code,
            "field": "params.value", "message": "must be a decimal number",
            "not_kept": not_kept, "event": event, "now": null})
    };
    let hour = |at: &str, code: &str, counts: [u64; 3]| {
        json!({"hour": format!("2026-03-02T{at}:00:00.000+07:00"), "code": code,
            "rejected": counts[0], "kept": counts[1], "not_kept": counts[2], "replayed": 0})
    };
    let answer = ask(&server, "");
    let number: Value = serde_json::from_str("1.50").unwrap();
    assert_eq!(
        answer["results"],
        json!([
            row("11:00:00.000", "bot", 0, json!({"id": "b"})),
            row("10:00:00.005", "value_invalid", 40, json!("no {json")),
            row(
                "10:00:00.000",
                "value_invalid",
                40,
                json!({"id": "a", "params": {"value": number}})
            ),
        ])
    );
    let hours = json!([
        hour("11", "bot", [1, 1, 0]),
        hour("10", "value_invalid", [42, 2, 40]),
        hour("10", "consent_denied", [3, 0, 3]),
    ]);
    assert_eq!((&answer["hours"], &answer["next"]), (&hours, &Value::Null));
    assert_eq!(server.query(&["rejected"], &[])[0].1, [json!(46)], "the same as the metric");

    let bots = ask(&server, "&code=bot");
    assert_eq!((events(&bots), &bots["hours"]), (vec![json!({"id": "b"})], &json!([hours[0]])));
    let denied = ask(&server, "&code=consent_denied");
    assert_eq!((events(&denied), &denied["hours"]), (vec![], &json!([hours[2]])));
    for (range, count) in [
        ("&from=2026-03-02&to=2026-03-02", 3),
        ("&from=2026-03-03", 0),
        ("&to=2026-03-02T11:00:00%2B07:00", 2),
        ("&from=2026-03-02T03:00:00.005Z&to=2026-03-02T04:00:00Z", 1),
    ] {
        assert_eq!(events(&ask(&server, range)).len(), count, "{range}");
    }
}

#[test]
fn pages_follow_one_another() {
    let (_dir, server) = server();
    let event = |n: i64| json!({"n": n});
    let letters =
        (0..250).map(|n| letter(START + n, RejectCode::Bot, &event(n).to_string())).collect();
    assert_eq!(server.frames(1, &[frame_of(letters, &[])]).0, 200);
    let (mut seen, mut sizes, mut after) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = ask(&server, &after);
        sizes.push(events(&page).len());
        seen.extend(events(&page));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(seen, (0..250).rev().map(event).collect::<Vec<Value>>());
}

#[test]
fn wrong_requests_are_refused_by_name() {
    let (_dir, server) = server();
    for (rest, status, code, field) in [
        ("", 400, "invalid_query", json!("site")),
        ("?site=No%20Site", 400, "invalid_query", json!("site")),
        ("?site=nowhere", 404, "unknown_site", Value::Null),
        ("?site=demo&code=unlucky", 400, "invalid_query", json!("code")),
        ("?site=demo&limit=0", 400, "invalid_query", json!("limit")),
        ("?site=demo&limit=1001", 400, "invalid_query", json!("limit")),
        ("?site=demo&limit=many", 400, "invalid_query", json!("limit")),
        ("?site=demo&from=yesterday", 400, "invalid_query", json!("from")),
        ("?site=demo&to=2026-13-01", 400, "invalid_query", json!("to")),
        ("?site=demo&from=2026-03-03&to=2026-03-02", 400, "invalid_query", json!("to")),
        ("?site=demo&after=7", 400, "invalid_query", json!("after")),
        ("?site=demo&colour=red", 400, "invalid_query", json!("colour")),
    ] {
        let (said, problem) = server.call("GET", &format!("/v1/rejects{rest}"), ADMIN, None);
        assert_eq!((said, &problem["code"]), (status, &json!(code)), "{rest}: {problem}");
        assert_eq!(problem["field"], field, "{rest}: {problem}");
    }
    server.call("PUT", "/v1/sites/other", ADMIN, Some(json!({})));
    let key = |site: &str, kind: &str| {
        let made =
            server.call("POST", "/v1/keys", ADMIN, Some(json!({"site": site, "kind": kind})));
        made.1["key"].as_str().unwrap().to_owned()
    };
    let keys = [
        String::new(),
        "rk_unknown".to_owned(),
        key("demo", "read"),
        key("other", "read"),
        key("demo", "write"),
        key("demo", "server"),
        key("demo", "admin"),
    ];
    let said = keys.map(|key| server.call("GET", "/v1/rejects?site=demo", &key, None).0);
    assert_eq!(said, [401, 401, 200, 403, 403, 403, 200]);
    assert_eq!(server.call("GET", "/v1/rejects?limit=0", "", None).0, 401);
}

#[test]
fn a_letter_of_no_time_makes_its_frame_a_dead_one() {
    let (_dir, server) = server();
    let wrong = frame_of(vec![letter(-5, RejectCode::Bot, "{}")], &[]);
    assert_eq!(server.frames(1, &[wrong]).0, 422);
    assert_eq!(events(&ask(&server, "")), [Value::Null; 0]);
}

/// From the log after a kill, from the checkpoint after a stop, and from both.
#[test]
fn rejected_events_come_back_after_every_end() {
    let (dir, server) = server();
    let many = |from: i64| {
        let event = format!("{{\"text\":\"{}\"}}", "x".repeat(400));
        let at = |n: i64| START + from + n;
        (0..700).map(|n| letter(at(n), RejectCode::Bot, &event)).collect::<Vec<Letter>>()
    };
    assert_eq!(server.frames(1, &[mistakes(), frame_of(many(0), &[])]).0, 200);
    let shown = ask(&server, "&limit=1000");
    assert_eq!(events(&shown).len(), 703);
    server.kill();
    let server = Server::start(dir.path());
    assert_eq!(ask(&server, "&limit=1000"), shown, "from the log");
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    assert_eq!(ask(&server, "&limit=1000"), shown, "from the checkpoint");
    assert_eq!(server.frames(3, &[frame_of(many(1_000), &[])]).0, 200);
    let shown = ask(&server, "&code=bot&limit=1000");
    assert_eq!(shown["hours"][1]["not_kept"], 400);
    server.kill();
    let server = Server::start(dir.path());
    assert_eq!(ask(&server, "&code=bot&limit=1000"), shown, "from both");
    // A site that is made again begins with nothing, on the disk too.
    assert_eq!(server.call("DELETE", "/v1/sites/demo", ADMIN, None).0, 204);
    server.make_site();
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    assert_eq!(ask(&server, ""), json!({"results": [], "next": null, "hours": []}));
}
