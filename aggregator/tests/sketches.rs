//! Distinct clients and quantiles, asked for as a dashboard does.

use edgetally_proto::batch::Batch;
use edgetally_proto::frame;
use edgetally_proto::record::Fact;
use edgetally_proto::vital::Vital;
use serde_json::{Value, json};

use crate::support::events::{Event, share};
use crate::support::server::{ADMIN, Server};

const START: i64 = 1_772_420_400_000;

fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    (dir, server)
}

/// A frame of these events, each with what its fact says.
fn frame_of(events: Vec<(Event, Option<Fact>)>) -> Vec<u8> {
    let (events, facts): (Vec<Event>, Vec<Option<Fact>>) = events.into_iter().unzip();
    let mut share = share(&events);
    let facts = facts.into_iter().enumerate().filter_map(|(at, fact)| Some((at, fact?)));
    share.facts = facts.map(|(at, fact)| Fact { record: at as u32, ..fact }).collect();
    frame::encode(&Batch { committed_at_ms: START, sites: vec![share] })
}

fn paid(number: i64, latency_ms: u32) -> (Event, Option<Fact>) {
    let client = format!("c{}", number % 7);
    let event = Event::new(&format!("p{number}"), &client, "payment_success", START + number * 700);
    (event, Some(Fact { latency_ms: Some(latency_ms), ..Fact::default() }))
}

fn measured(number: i64, metric: &str, value: &str) -> (Event, Option<Fact>) {
    let event = Event::new(&format!("v{number}"), "c1", "web_vital", START + number * 1_000);
    (event, Some(Fact { vital: Vital::read(metric, value), ..Fact::default() }))
}

fn ask(server: &Server, query: Value) -> (u16, Value) {
    let mut body = json!({"site_id": "demo", "date_range": ["2026-03-02", "2026-03-02"],
        "include": {"bounds": true}});
    for (name, value) in query.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.call("POST", "/v1/query", ADMIN, Some(body))
}

fn check(server: &Server, query: Value, metrics: &str, bounds: &str) {
    let (status, answer) = ask(server, query.clone());
    assert_eq!(status, 200, "{answer}");
    let row = &answer["results"][0];
    let said = (row["metrics"].to_string(), row["bounds"].to_string());
    assert_eq!(said, (metrics.to_owned(), bounds.to_owned()), "{query}");
}

#[test]
fn clients_are_counted_once_and_bots_not() {
    let (_dir, server) = server();
    let at = |seconds: i64| START + seconds * 1_000;
    let bot = Event { is_bot: true, ..Event::new("x", "X", "page_view", at(2)) };
    let events = [("a1", "A", 0), ("a2", "A", 61), ("b1", "B", 3), ("d1", "D", 62)];
    let mut all: Vec<_> =
        events.map(|(id, client, s)| (Event::new(id, client, "page_view", at(s)), None)).into();
    all.push((bot, None));
    assert_eq!(server.frames(1, &[frame_of(all.clone()), frame_of(all)]).0, 200);
    check(&server, json!({"metrics": ["clients", "events"]}), "[3,4]", "[[3,3],null]");
    let (_, answer) = ask(
        &server,
        json!({"metrics": ["clients"], "dimensions": ["time:minute"],
        "date_range": ["2026-03-02T10:00:00+07:00", "2026-03-02T10:03:00+07:00"]}),
    );
    let rows = answer["results"].as_array().unwrap().iter();
    let counts: Vec<String> = rows.map(|row| row["metrics"].to_string()).collect();
    assert_eq!(counts, ["[2]", "[2]", "[0]"]);
    assert!(answer["meta"]["estimates"]["clients"].as_str().unwrap().contains("HyperLogLog"));
    let (status, problem) =
        ask(&server, json!({"metrics": ["clients"], "dimensions": ["order:status"]}));
    assert_eq!((status, &problem["code"]), (422, &json!("unsupported_combination")));
}

#[test]
fn latencies_have_the_quantiles_of_the_nearest_rank() {
    let (_dir, server) = server();
    let latencies: Vec<_> = (1..=100).map(|number| paid(number, number as u32)).collect();
    // Sent again in another frame they count no second time.
    let frames = [frame_of(latencies.clone()), frame_of(latencies)];
    assert_eq!(server.frames(1, &frames).0, 200);
    let asked = json!({"metrics": ["p50", "p75", "p95", "p99"], "measure": "payment_latency_ms"});
    check(&server, asked.clone(), "[50,75,95,99]", "[null,null,null,null]");
    // 2,500 lies in the bin from 2,496 to 2,511.
    let slow = (101..=200).map(|number| paid(number, 2_500)).collect();
    assert_eq!(server.frames(3, &[frame_of(slow)]).0, 200);
    check(&server, asked, "[100,2503,2503,2503]", "[null,[2496,2511],[2496,2511],[2496,2511]]");
}

#[test]
fn web_vitals_have_their_decimals() {
    let (_dir, server) = server();
    let vitals = [("LCP", "2500.3"), ("CLS", "0.0123"), ("TTFB", "12.7"), ("TTI", "5")];
    let vitals = (0..).zip(vitals).map(|(at, (metric, value))| measured(at, metric, value));
    assert_eq!(server.frames(1, &[frame_of(vitals.collect())]).0, 200);
    for (measure, value, bounds) in [
        ("LCP", "[2502.3]", "[[2496.0,2508.7]]"),
        ("CLS", "[0.0123]", "[null]"),
        ("TTFB", "[12.7]", "[null]"),
        ("INP", "[null]", "[null]"),
    ] {
        let measure = format!("web_vital:{measure}");
        check(&server, json!({"metrics": ["p75"], "measure": measure}), value, bounds);
    }
    for query in [
        json!({"metrics": ["p75"], "measure": "web_vital:TTI"}),
        json!({"metrics": ["p75"]}),
        json!({"metrics": ["events"], "measure": "payment_latency_ms"}),
    ] {
        let (status, problem) = ask(&server, query);
        let said = (status, &problem["code"], &problem["field"]);
        assert_eq!(said, (400, &json!("invalid_query"), &json!("measure")));
    }
}
