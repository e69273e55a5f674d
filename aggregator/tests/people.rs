//! What is told of a person, why his events are his, and which sessions are told no more.

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T09:00:00+07:00
const AT: i64 = 1_772_416_800_000;
const MINUTE: i64 = 60_000;

fn event(id: &str, client: &str, name: &str, minute: i64) -> Event {
    Event::new(id, client, name, AT + minute * MINUTE)
}

fn click(id: &str, client: &str, source: &str, minute: i64) -> Event {
    let campaign = Some([source, "cpc", "sale3"].map(str::to_owned));
    Event { campaign, ..event(id, client, "page_view", minute) }
}

struct Told {
    server: Server,
    sent: u64,
    rev: u64,
    dir: tempfile::TempDir,
}

impl Told {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path());
        server.make_site();
        Self { server, sent: 0, rev: 0, dir }
    }

    fn restarted(self) -> Self {
        let Self { server, sent, rev, dir } = self;
        assert!(server.stop().success());
        Self { server: Server::start(dir.path()), sent, rev, dir }
    }

    fn send(&mut self, events: &[Event]) {
        self.sent += 1;
        let frame = frame::encode(&batch(events, AT));
        assert_eq!(self.server.frames(self.sent, &[frame]).0, 200);
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.server.call("GET", path, ADMIN, None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn person(&self, person: &str) -> Value {
        self.get(&format!("/v1/people/{person}?site=demo"))
    }

    /// What changed since the last call: op, session, and of retractions their reason.
    fn changes(&mut self) -> Vec<Value> {
        let path = format!("/v1/sessions?site=demo&include=events&changes_since={}", self.rev);
        let answer = self.get(&path);
        self.rev = answer["rev"].as_u64().unwrap();
        let row = |row: &Value| match row["op"].as_str() {
            Some("upsert") => json!(["upsert", row["session_id"], row["person"], row["event_ids"]]),
            _ => {
                let reason = ["merged_into", "moved_to", "split", "erased"];
                let reason = reason.into_iter().find(|reason| !row[reason].is_null()).unwrap();
                json!(["retract", row["session_id"], reason, row[reason]])
            }
        };
        answer["results"].as_array().unwrap().iter().map(row).collect()
    }
}

/// Example 13 of the semantics: five steps, the app opened directly.
#[test]
fn the_second_login_merges_the_sessions_and_says_so() {
    let mut told = Told::start();
    assert_eq!(told.changes(), [Value::Null; 0], "all must be read at the beginning");
    told.send(&[click("w1", "W", "facebook", 0), event("w2", "W", "page_view", 5)]);
    assert_eq!(told.changes(), [json!(["upsert", "w1", "c:W", ["w1", "w2"]])]);
    told.send(&[event("d1", "D", "app_open", 10), event("d2", "D", "page_view", 12)]);
    told.send(&[event("d3", "D", "login", 15).user("c1")]);
    assert_eq!(told.changes(), [json!(["upsert", "d1", "u:c1", ["d1", "d2", "d3"]])]);
    told.send(&[event("w3", "W", "login", 20).user("c1")]);
    let all = ["w1", "w2", "d1", "d2", "d3", "w3"];
    assert_eq!(
        told.changes(),
        [json!(["upsert", "w1", "u:c1", all]), json!(["retract", "d1", "merged_into", "w1"]),]
    );
    assert_eq!(told.changes(), [Value::Null; 0]);

    let person = told.person("u:c1");
    assert_eq!(person["clients"], json!(["W", "D"]));
    assert_eq!(person["first_seen"], "2026-03-02T09:00:00.000+07:00");
    assert_eq!((&person["session_count"], &person["events"]), (&json!(1), &json!(6)));
    assert_eq!(person["sessions"][0]["session_id"], "w1");
    let log = person["reassignments"].as_array().unwrap();
    let said: Vec<Value> = log
        .iter()
        .map(|line| {
            let because = &line["because"];
            let why = [&because["kind"], &because["event_id"], &because["user_id"]];
            json!([line["from"], line["to"], line["events"], why])
        })
        .collect();
    assert_eq!(
        said,
        [
            json!(["c:D", "u:c1", 2, ["login", "d3", "c1"]]),
            json!(["c:W", "u:c1", 2, ["login", "w3", "c1"]]),
        ]
    );
    assert_eq!(log[1]["first"], "2026-03-02T09:00:00.000+07:00");
    assert_eq!(log[1]["last"], "2026-03-02T09:05:00.000+07:00");
    let before = told.person("c:W");
    assert_eq!((&before["events"], &before["reassignments"]), (&json!(0), &json!([log[1]])));

    // The same after a start, since it follows from the records.
    let told = told.restarted();
    assert_eq!(told.person("u:c1")["reassignments"], person["reassignments"]);
    let path = format!("/v1/sessions?site=demo&changes_since={}", told.rev);
    let answer = told.get(&path);
    assert_eq!((&answer["reset"], &answer["results"]), (&json!(true), &json!([])));
    let now = told.get("/v1/sessions?site=demo")["results"][0]["rev"].as_u64().unwrap();
    assert!(now > told.rev, "numbers grow over a start");
}

#[test]
fn sessions_that_go_say_where_their_events_are() {
    let mut told = Told::start();
    told.changes();
    // An earlier event takes the session's name.
    told.send(&[event("b", "W", "page_view", 10)]);
    told.send(&[event("a", "W", "page_view", 0)]);
    assert_eq!(
        told.changes(),
        [json!(["upsert", "a", "c:W", ["a", "b"]]), json!(["retract", "b", "merged_into", "a"]),]
    );
    // All of one client's session goes into another person's.
    told.send(&[event("l", "D", "login", 5).user("ann")]);
    told.send(&[event("m", "D", "page_view", 1)]);
    told.changes();
    told.send(&[event("n", "W", "login", 12).user("ann")]);
    assert_eq!(
        told.changes(),
        [
            json!(["upsert", "a", "u:ann", ["a", "m", "l", "b", "n"]]),
            json!(["retract", "m", "merged_into", "a"])
        ]
    );
    // A merge takes a session away from its person.
    told.send(&[event("z", "Z", "page_view", 15).user("bea")]);
    told.changes();
    let merge = json!({"site": "demo", "from": "u:bea", "into": "u:ann"});
    assert_eq!(told.server.call("POST", "/v1/people/merge", ADMIN, Some(merge.clone())).0, 200);
    assert_eq!(
        told.changes(),
        [
            json!(["upsert", "a", "u:ann", ["a", "m", "l", "b", "n", "z"]]),
            json!(["retract", "z", "moved_to", "a"]),
        ]
    );
    assert_eq!(told.server.call("DELETE", "/v1/people/merge", ADMIN, Some(merge)).0, 200);
    assert_eq!(
        told.changes(),
        [
            json!(["upsert", "a", "u:ann", ["a", "m", "l", "b", "n"]]),
            json!(["upsert", "z", "u:bea", ["z"]]),
        ]
    );
    let log = told.person("u:bea")["reassignments"].clone();
    let kinds: Vec<&Value> =
        log.as_array().unwrap().iter().map(|line| &line["because"]["kind"]).collect();
    assert_eq!(kinds, ["merge", "undo_of_merge"]);
    // What is erased is told to be gone.
    assert_eq!(told.server.call("DELETE", "/v1/people/u:bea?site=demo", ADMIN, None).0, 200);
    assert_eq!(told.changes(), [json!(["retract", "z", "erased", true])]);
    assert_eq!(told.server.call("GET", "/v1/people/u:bea?site=demo", ADMIN, None).0, 404);
}

/// A late login in the middle parts a session between two users.
#[test]
fn a_session_whose_events_part_is_split() {
    let mut told = Told::start();
    told.send(&[event("k", "D", "login", 1).user("ann")]);
    told.send(&[
        event("p", "W", "page_view", 3),
        event("q", "W", "page_view", 6),
        event("r", "W", "login", 9).user("bea"),
    ]);
    told.changes();
    told.send(&[event("i", "W", "login", 4).user("ann")]);
    assert_eq!(
        told.changes(),
        [
            json!(["upsert", "k", "u:ann", ["k", "p", "i", "q"]]),
            json!(["upsert", "r", "u:bea", ["r"]]),
            json!(["retract", "p", "split", ["k", "r"]]),
        ]
    );
    let because = &told.person("u:bea")["reassignments"][1]["because"];
    assert_eq!((&because["event_id"], &because["user_id"]), (&json!("i"), &json!("ann")));
}

#[test]
fn persons_orders_and_lists_agree_and_strangers_are_not_found() {
    let mut told = Told::start();
    told.send(&[
        click("w1", "W", "facebook", 0),
        event("w2", "W", "login", 1).user("c1"),
        event("w3", "W", "purchase", 2).order("T-1", 700),
        event("w4", "W", "logout", 3),
        event("w5", "W", "page_view", 4),
        Event { by_server_key: true, ..event("v1", "W", "web_vital", 2) },
    ]);
    let person = told.person("u:c1");
    let sessions = told.get("/v1/sessions?site=demo&person=u%3Ac1");
    assert_eq!(person["sessions"], sessions["results"]);
    for path in ["user=c1", "order=T-1"] {
        assert_eq!(told.get(&format!("/v1/sessions?site=demo&{path}")), sessions, "{path}");
    }
    assert_eq!(told.get("/v1/sessions?site=demo&client=W")["results"][0], person["sessions"][0]);
    assert_eq!(told.get(person["all_sessions"].as_str().unwrap()), sessions);
    let orders = told.get(person["all_orders"].as_str().unwrap());
    assert_eq!(person["orders"], orders["results"]);
    assert_eq!(person["order_count"], 1);
    let after = told.person("c%3AW%23w4");
    assert_eq!((&after["person"], &after["events"]), (&json!("c:W#w4"), &json!(1)));
    for (path, status, code) in [
        ("u:nobody?site=demo", 404, "not_found"),
        ("c:W%23w1?site=demo", 404, "not_found"),
        ("u:nobody/export?site=demo", 404, "not_found"),
        ("u:c1?site=nowhere", 404, "unknown_site"),
        ("ann?site=demo", 400, "invalid_query"),
        ("u:c1", 400, "invalid_query"),
    ] {
        let (said, problem) = told.server.call("GET", &format!("/v1/people/{path}"), ADMIN, None);
        assert_eq!((said, &problem["code"]), (status, &json!(code)), "{path}: {problem}");
    }
    for (query, field) in [
        ("changes_since=x", "changes_since"),
        ("changes_since=1&user=c1", "user"),
        ("changes_since=1&after=1.1", "after"),
    ] {
        let path = format!("/v1/sessions?site=demo&{query}");
        let (status, problem) = told.server.call("GET", &path, ADMIN, None);
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{problem}");
    }
}

#[test]
fn an_export_holds_everything_that_is_known() {
    let mut told = Told::start();
    told.send(&[
        click("w1", "W", "facebook", 0),
        event("w2", "W", "login", 1).user("c1"),
        event("w3", "W", "purchase", 2).order("T-1", 700),
        event("w4", "W", "web_vital", 2),
        event("w5", "W", "logout", 3),
        event("w6", "W", "page_view", 40),
    ]);
    let path = "/v1/people/u:c1/export?site=demo";
    let (status, text) = told.server.call_text("GET", path, ADMIN, None);
    assert_eq!(status, 200);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    let events = ["event"; 5];
    let expected = [&["person"][..], &events, &["session", "order", "reassignment"]].concat();
    assert_eq!(kinds, expected, "{text}");
    let ids: Vec<&Value> = lines[1..6].iter().map(|line| &line["event"]["event_id"]).collect();
    assert_eq!(ids, ["w1", "w2", "w3", "w4", "w5"], "{text}");
    let bought = &lines[3]["event"];
    assert_eq!(bought["params"]["transaction_id"], "T-1");
    assert_eq!(bought["params"]["value"], json!({"currency": "VND", "amount": "700"}));
    assert_eq!(bought["params"]["shipping_city"], "Huế");
    assert_eq!(bought["params"]["items"], json!([{"item_id": "sku-1", "quantity": 2}]));
    assert_eq!(lines[1]["event"]["campaign"]["source"], "facebook");
    assert_eq!(lines[6]["session"]["event_ids"], json!(["w1", "w2", "w3", "w5"]));
    let key = json!({"site": "demo", "kind": "read"});
    let key = told.server.call("POST", "/v1/keys", ADMIN, Some(key)).1["key"].clone();
    let key = key.as_str().unwrap();
    assert_eq!(told.server.call("GET", path, key, None).0, 403);
    assert_eq!(told.server.call("GET", "/v1/people/u:c1?site=demo", key, None).0, 200);
}
