//! A key of one site sees nothing of another one.

use edgetally_proto::frame;
use edgetally_proto::ids::SiteId;
use edgetally_proto::sign::{Backlog, FramesHead};
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, EPOCH, SECRET, SHARD, Server};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;

/// What a reader of one site may ask of numbers and rows.
const ASKED: &[&str] = &[
    "/v1/edges",
    "/v1/sessions",
    "/v1/orders",
    "/v1/rejects",
    "/v1/people/merge",
    "/v1/export/sessions?format=csv",
    "/v1/export/timeseries?format=csv",
    "/api/stats",
    "/api/stats/cities",
];

/// A frame with so many events of each site.
fn frame_of(number: u64, shares: &[(&str, u64)]) -> Vec<u8> {
    let mut whole = batch(&[], START);
    whole.sites.clear();
    for (site, events) in shares {
        let event = |at| {
            let id = format!("{site}-{number}-{at}");
            Event::new(&id, &format!("c-{site}"), "page_view", START + number as i64)
        };
        let events: Vec<Event> = (0..*events).map(event).collect();
        let mut share = batch(&events, START).sites.remove(0);
        share.site = SiteId::parse(site).unwrap();
        whole.sites.push(share);
    }
    frame::encode(&whole)
}

struct Place {
    server: Server,
    demo: String,
    other: String,
}

fn place(data: &std::path::Path) -> Place {
    let server = Server::start(data);
    server.make_site();
    assert_eq!(server.call("PUT", "/v1/sites/other", ADMIN, Some(json!({}))).0, 200);
    let key = |site: &str| {
        let body = json!({"site": site, "kind": "read"});
        server.call("POST", "/v1/keys", ADMIN, Some(body)).1["key"].as_str().unwrap().to_owned()
    };
    let (demo, other) = (key("demo"), key("other"));
    Place { server, demo, other }
}

fn edges(server: &Server, key: &str) -> Value {
    let (status, answer) = server.call("GET", "/v1/edges", key, None);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn totals(accepted: u64, late: u64, in_flight: Option<u64>) -> Value {
    json!({
        "accepted": accepted + in_flight.unwrap_or(0), "applied": accepted - late,
        "late_duplicates": late, "dead": 0, "in_flight": in_flight,
    })
}

#[test]
fn what_comes_of_another_site_changes_nothing_that_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let Place { server, demo, other } = place(dir.path());
    let mixed = [frame_of(1, &[("demo", 3), ("other", 2)]), frame_of(1, &[("demo", 1)])];
    assert_eq!(server.frames(1, &mixed).0, 200);
    let ask = |path: &str| {
        let path = match path {
            "/v1/edges" => path.to_owned(),
            path if path.contains('?') => format!("{path}&site=demo"),
            path => format!("{path}?site=demo"),
        };
        let (status, text) = server.call_text("GET", &path, &demo, None);
        assert_eq!(status, 200, "{path}: {text}");
        text
    };
    let before: Vec<String> = ASKED.iter().copied().map(ask).collect();
    assert_eq!(edges(&server, &demo)["totals"], totals(4, 1, Some(0)));
    let later: Vec<Vec<u8>> = (3..9).map(|number| frame_of(number, &[("other", 5)])).collect();
    assert_eq!(server.frames(3, &later).0, 200);
    let after: Vec<String> = ASKED.iter().copied().map(ask).collect();
    for ((path, before), after) in ASKED.iter().zip(before).zip(after) {
        assert_eq!(before, after, "{path}");
    }
    assert_eq!(edges(&server, &other)["totals"], totals(32, 0, Some(0)));
    assert_eq!(edges(&server, ADMIN)["totals"], totals(36, 1, Some(0)));
}

#[test]
fn sums_by_site_survive_a_kill_and_whose_waits_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let Place { server, demo, other } = place(dir.path());
    let backlog = Some(Backlog { head: 9, left: 70 });
    let head = FramesHead { shard: SHARD, epoch: EPOCH, first: 1, last: 1, backlog };
    let mixed = frame_of(1, &[("demo", 3), ("other", 2)]);
    assert_eq!(server.signed(&head, &mixed, SECRET).unwrap().0, 200);
    assert_eq!(edges(&server, &demo)["totals"], totals(3, 0, None));
    assert_eq!(edges(&server, ADMIN)["totals"], totals(5, 0, Some(70)));
    server.kill();
    let server = Server::start(dir.path());
    server.await_ready();
    assert_eq!(edges(&server, &demo)["totals"], totals(3, 0, Some(0)));
    assert_eq!(edges(&server, &other)["totals"], totals(2, 0, Some(0)));
    // Stopped in good order it is the checkpoint that is read.
    server.stop();
    let server = Server::start(dir.path());
    server.await_ready();
    assert_eq!(edges(&server, &other)["totals"], totals(2, 0, Some(0)));
    assert_eq!(server.call("DELETE", "/v1/sites/demo", ADMIN, None).0, 204);
    assert_eq!(edges(&server, ADMIN)["totals"], totals(5, 0, Some(0)));
    // A site of the same name later begins with nothing.
    server.make_site();
    let body = json!({"site": "demo", "kind": "read"});
    let (_, key) = server.call("POST", "/v1/keys", ADMIN, Some(body));
    let key = key["key"].as_str().unwrap();
    assert_eq!(edges(&server, key), json!({"shards": [], "totals": totals(0, 0, Some(0))}));
    assert_eq!(edges(&server, &other)["totals"], totals(2, 0, Some(0)));
}
