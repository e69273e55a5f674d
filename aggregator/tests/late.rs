//! Events that come late: the metric that counts them, and days that are sealed when they come.

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;
const HOUR_MS: i64 = 3_600_000;
/// A month later.
const NEWEST: i64 = START + 30 * 24 * HOUR_MS;

fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    (dir, server)
}

fn frame_of(events: &[Event]) -> Vec<u8> {
    frame::encode(&batch(events, START))
}

/// An event that came so long after it happened.
fn aged(id: &str, name: &str, age_ms: i64) -> Event {
    Event { received_ms: START + age_ms, ..Event::new(id, "c", name, START) }
}

#[test]
fn events_are_late_when_they_come_more_than_an_hour_old() {
    let (dir, server) = server();
    let events = [
        aged("e1", "page_view", HOUR_MS),
        aged("e2", "page_view", HOUR_MS + 1),
        aged("e3", "search", 5 * HOUR_MS),
        aged("e4", "search", 0),
        Event { is_bot: true, ..aged("e5", "search", 9 * HOUR_MS) },
        // Money and what a server tells can be late too.
        aged("e6", "refund", 2 * HOUR_MS).order("T1", 5),
    ];
    let again = aged("e3", "search", 6 * HOUR_MS);
    assert_eq!(server.frames(1, &[frame_of(&events), frame_of(&[again])]).0, 200);
    let check = |server: &Server, expected: &[(&str, i64)]| {
        let mut rows: Vec<(String, i64)> = server
            .query(&["late_events"], &["event:name"])
            .into_iter()
            .map(|(name, counts)| (name[0].clone(), counts[0].as_i64().unwrap()))
            .collect();
        rows.sort();
        let expected: Vec<_> = expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        assert_eq!(rows, expected);
        let all: i64 = expected.iter().map(|(_, count)| count).sum();
        assert_eq!(server.query(&["late_events"], &[])[0].1, [json!(all)]);
        let day = json!({"site_id": "demo", "metrics": ["late_events"],
            "date_range": ["2026-03-02", "2026-03-02"],
            "filters": [["is", "event:name", ["page_view"]]]});
        let (_, answer) = server.call("POST", "/v1/query", ADMIN, Some(day));
        assert_eq!(answer["results"][0]["metrics"], json!([1]));
    };
    check(&server, &[("page_view", 1), ("refund", 1), ("search", 1)]);
    // A copy that was received in time takes the late one's place.
    assert_eq!(server.frames(3, &[frame_of(&[aged("e3", "search", 1)])]).0, 200);
    check(&server, &[("page_view", 1), ("refund", 1)]);
    server.kill();
    check(&Server::start(dir.path()), &[("page_view", 1), ("refund", 1)]);
}

fn sessions(server: &Server) -> Vec<Value> {
    let (status, answer) = server.call("GET", "/v1/sessions?site=demo", ADMIN, None);
    assert_eq!(status, 200, "{answer}");
    answer["results"].as_array().unwrap().clone()
}

/// What an outage held up until its day was sealed, or a server key sends, is applied, and shows as
/// a new telling of the session; nothing that was accepted is lost.
#[test]
fn a_sealed_day_takes_what_was_accepted() {
    let (dir, server) = server();
    let events = [aged("e1", "page_view", 1), Event::new("x", "d", "page_view", START)];
    assert_eq!(server.frames(1, &[frame_of(&events)]).0, 200);
    let before = sessions(&server);
    assert_eq!((before.len(), &before[0]["state"]), (2, &json!("final")));
    assert_eq!(before[0]["generation"], 1);
    let held_up = Event::new("e2", "c", "page_view", START + 60_000);
    let by_server = Event { by_server_key: true, received_ms: NEWEST, ..held_up };
    let held_up = Event { id: "e3".to_owned(), received_ms: START + 61_000, ..by_server.clone() };
    let held_up = Event { by_server_key: false, ..held_up };
    for (sequence, event) in [(2, by_server), (3, held_up)] {
        let before = sessions(&server);
        assert_eq!(server.frames(sequence, &[frame_of(&[event])]).0, 200);
        let after = sessions(&server);
        assert_eq!(after[0]["events"], json!(sequence));
        assert!(after[0]["rev"].as_u64() > before[0]["rev"].as_u64());
        // The generation is that of the whole day.
        assert_eq!(after[0]["generation"], json!(sequence));
        let mut other = before[1].clone();
        other["generation"] = json!(sequence);
        assert_eq!(after[1], other, "the other session of the day says what it said");
    }
    // A day that is open when something comes has its first generation when it is sealed.
    let next_day = Event { received_ms: NEWEST, ..Event::new("y", "d", "page_view", NEWEST) };
    assert_eq!(server.frames(4, &[frame_of(&[next_day])]).0, 200);
    let generations = |said: &[Value]| -> Vec<i64> {
        said.iter().map(|session| session["generation"].as_i64().unwrap()).collect()
    };
    assert_eq!(generations(&sessions(&server)), [3, 3, 1]);
    assert_eq!(server.query(&["visitors", "events"], &[])[0].1, [json!(2), json!(5)]);
    let (_, edges) = server.call("GET", "/v1/edges", ADMIN, None);
    let totals = json!({
        "accepted": 5, "applied": 5, "late_duplicates": 0, "dead": 0, "in_flight": 0,
    });
    assert_eq!(edges["totals"], totals);
    // Neither a log that is read again nor a checkpoint takes a generation back.
    server.kill();
    let server = Server::start(dir.path());
    assert_eq!(generations(&sessions(&server)), [3, 3, 1]);
    server.stop();
    let server = Server::start(dir.path());
    assert_eq!(generations(&sessions(&server)), [3, 3, 1]);
    // An erasure tells the days anew on which somebody was; other settings act forwards only.
    let settings = json!({"timezone": "Asia/Tokyo", "session": {"gap": "20m"}});
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    assert_eq!(generations(&sessions(&server)), [3, 3, 1]);
    assert_eq!(server.call("DELETE", "/v1/people/c:c?site=demo", ADMIN, None).0, 200);
    assert_eq!(generations(&sessions(&server)), [4, 1]);
}
