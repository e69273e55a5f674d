//! Merges and their undoing, asked for over HTTP: everything follows, and everything comes back.

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const AT: i64 = 1_772_420_400_000;
const MINUTE: i64 = 60_000;

fn event(id: &str, client: &str, name: &str, minute: i64) -> Event {
    Event::new(id, client, name, AT + minute * MINUTE)
}

fn click(id: &str, client: &str, source: &str, minute: i64) -> Event {
    let campaign = Some([source, "affiliate", "tet"].map(str::to_owned));
    Event { campaign, ..event(id, client, "page_view", minute) }
}

/// Ann comes by a partner's link and looks round; later somebody signs in as Bea and buys. The
/// browser of the third one never signs in.
fn visits() -> Vec<Event> {
    vec![
        click("a1", "W", "partner", 0).user("ann"),
        event("a2", "W", "page_view", 5),
        event("b1", "D", "login", 10).user("bea"),
        Event { name: "purchase".into(), ..event("b2", "D", "purchase", 20).order("T-1", 5_000) },
        event("x1", "X", "page_view", 25),
    ]
}

fn frame_of(events: &[Event]) -> Vec<u8> {
    frame::encode(&batch(events, AT))
}

fn get(server: &Server, path: &str) -> Value {
    let (status, answer) = server.call("GET", path, ADMIN, None);
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Everything that is told of persons, but for the numbers of tellings.
fn told(server: &Server) -> Value {
    let mut sessions = get(server, "/v1/sessions?site=demo&include=events");
    for row in sessions["results"].as_array_mut().unwrap() {
        // How often a session was told is the only thing that a merge leaves behind.
        for count in ["rev", "generation"] {
            row.as_object_mut().unwrap().remove(count);
        }
    }
    let totals = server.query(&["visitors", "sessions", "orders", "revenue", "events"], &[]);
    let channels = server.query(&["sessions", "orders"], &["visit:source"]);
    json!([sessions, get(server, "/v1/orders?site=demo"), totals, channels])
}

fn change(server: &Server, method: &str, from: &str, into: &str) -> (u16, Value) {
    let body = json!({"site_id": "demo", "from": from, "into": into});
    server.call(method, "/v1/people/merge", ADMIN, Some(body))
}

fn changed(server: &Server, method: &str, from: &str, into: &str) -> Value {
    let (status, answer) = change(server, method, from, into);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn kill(server: Server) {
    let pid = server.pid();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
}

#[test]
fn a_merge_moves_everything_survives_a_kill_and_is_undone_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    assert_eq!(server.frames(1, &[frame_of(&visits())]).0, 200);
    let apart = told(&server);
    assert_eq!(apart[2][0][1], json!([3, 3, 1, [{"currency": "VND", "amount": "5000"}], 5]));
    assert_eq!(apart[1]["results"][0]["credited"], Value::Null);

    let answer = changed(&server, "POST", "u:ann", "u:bea");
    assert_eq!((&answer["events"], &answer["clients"]), (&json!(2), &json!(1)), "{answer}");
    let answer = changed(&server, "POST", "c:X", "u:bea");
    assert_eq!(answer["events"], 1, "{answer}");
    let joined = told(&server);
    assert_eq!(joined[2][0][1][0], 1, "one visitor: {joined}");
    let row = &joined[0]["results"][0];
    assert_eq!(
        (&row["person"], &row["event_ids"]),
        (&json!("u:bea"), &json!(["a1", "a2", "b1", "b2", "x1"]),)
    );
    let order = &joined[1]["results"][0];
    assert_eq!(order["credited"]["event_id"], "a1", "{order}");
    assert_eq!(changed(&server, "POST", "u:ann", "u:bea")["changed"], false);
    assert_eq!(told(&server), joined);

    kill(server);
    let server = Server::start(dir.path());
    assert_eq!(told(&server), joined, "from the log");
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    assert_eq!(told(&server), joined, "from the checkpoint");
    let list = get(&server, "/v1/people/merge?site=demo&limit=1");
    assert_eq!(list["results"][0]["from"], "u:ann", "{list}");
    assert_eq!(list["next"], "1");

    // What comes later goes the same way.
    let late = [event("a3", "V", "page_view", 30).user("ann")];
    assert_eq!(server.frames(2, &[frame_of(&late)]).0, 200);
    assert_eq!(told(&server)[0]["results"][0]["events"], 6);

    assert_eq!(changed(&server, "DELETE", "u:ann", "u:bea")["events"], 3);
    let undo = json!({"from": "c:X", "into": "u:bea"});
    let path = "/v1/people/merge/undo?site=demo";
    assert_eq!(server.call("POST", path, ADMIN, Some(undo)).0, 200);
    let twin_dir = tempfile::tempdir().unwrap();
    let twin = Server::start(twin_dir.path());
    twin.make_site();
    assert_eq!(twin.frames(1, &[frame_of(&visits()), frame_of(&late)]).0, 200);
    assert_eq!(told(&server), told(&twin));
    kill(server);
    let server = Server::start(dir.path());
    assert_eq!(told(&server), told(&twin), "undone for good");
}

#[test]
fn a_person_told_by_his_logout_can_be_merged() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let events = [
        event("l", "W", "login", 0).user("ann"),
        event("o", "W", "logout", 1),
        event("p", "W", "page_view", 2),
    ];
    assert_eq!(server.frames(1, &[frame_of(&events)]).0, 200);
    assert_eq!(changed(&server, "POST", "c:W#o", "u:bea")["events"], 1);
    let sessions = get(&server, "/v1/sessions?site=demo&user=bea&include=events");
    assert_eq!(sessions["results"][0]["event_ids"], json!(["p"]));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    changed(&server, "POST", "u:a", "u:b");
    changed(&server, "POST", "u:b", "u:c");
    for (method, from, into, status, code, field) in [
        ("POST", "u:c", "u:a", 409, "conflict", Value::Null),
        ("POST", "u:a", "u:x", 409, "conflict", Value::Null),
        ("POST", "u:a", "u:a", 400, "invalid_query", json!("into")),
        ("POST", "u:a", "c:a", 400, "invalid_query", json!("into")),
        ("POST", "guest", "u:a", 400, "invalid_query", json!("from")),
        ("POST", "u:undefined", "u:a", 400, "invalid_query", json!("from")),
        ("POST", "u:q", "u:0", 400, "invalid_query", json!("into")),
        ("DELETE", "u:a", "u:c", 404, "not_found", Value::Null),
        ("DELETE", "u:q", "u:c", 404, "not_found", Value::Null),
    ] {
        let (said, problem) = change(&server, method, from, into);
        let what = format!("{method} {from} {into}: {problem}");
        assert_eq!((said, &problem["code"]), (status, &json!(code)), "{what}");
        assert_eq!(problem["field"], field, "{what}");
    }
    for (body, field) in [
        (json!({"from": "u:a", "into": "u:b"}), "site"),
        (json!({"site": "demo", "from": "u:a"}), "body"),
        (json!({"site": "demo", "from": "u:a", "into": "u:b", "why": 1}), "why"),
        (json!({"site": "No Site", "from": "u:a", "into": "u:b"}), "site"),
    ] {
        let (status, problem) = server.call("POST", "/v1/people/merge", ADMIN, Some(body.clone()));
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{body}: {problem}");
    }
    let body = json!({"site": "nowhere", "from": "u:a", "into": "u:b"});
    assert_eq!(server.call("POST", "/v1/people/merge", ADMIN, Some(body.clone())).0, 404);
    let key = json!({"site": "demo", "kind": "read"});
    let key = server.call("POST", "/v1/keys", ADMIN, Some(key)).1["key"].clone();
    let key = key.as_str().unwrap();
    assert_eq!(server.call("POST", "/v1/people/merge", key, Some(body.clone())).0, 403);
    assert_eq!(server.call("POST", "/v1/people/merge", "", Some(body)).0, 401);
    assert_eq!(server.call("GET", "/v1/people/merge?site=demo", key, None).0, 200);
}

/// Erasing a person takes whoever was merged with him, and no merge names them any more.
#[test]
fn an_erasure_takes_all_who_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let third = event("c1", "C", "page_view", 0).user("cleo");
    let events = [visits(), vec![third]].concat();
    assert_eq!(server.frames(1, &[frame_of(&events)]).0, 200);
    changed(&server, "POST", "u:ann", "u:bea");
    changed(&server, "POST", "u:cleo", "u:dora");
    let answer = server.call("DELETE", "/v1/people/u:ann?site=demo", ADMIN, None).1;
    assert_eq!(answer["persons"], json!(["u:bea", "u:ann"]), "{answer}");
    assert_eq!((&answer["events"], &answer["orders_kept"]), (&json!(3), &json!(1)), "{answer}");
    let check = |server: &Server| {
        let sessions = get(server, "/v1/sessions?site=demo");
        let persons: Vec<&Value> =
            sessions["results"].as_array().unwrap().iter().map(|row| &row["person"]).collect();
        assert_eq!(persons, ["u:dora", "c:X"], "{sessions}");
        let list = get(server, "/v1/people/merge?site=demo");
        assert_eq!(list["results"].as_array().unwrap().len(), 1, "{list}");
    };
    check(&server);
    kill(server);
    let server = Server::start(dir.path());
    check(&server);
    assert!(server.stop().success());
    check(&Server::start(dir.path()));
}
