//! Fraud found among orders and payments, of a running program.

use std::time::{Duration, Instant};

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch, now_ms};
use crate::support::server::{ADMIN, Server};

fn alerts(server: &Server) -> Vec<Value> {
    let (status, answer) =
        server.call("GET", "/v1/alerts?site=demo&kind=fraud&limit=1000", ADMIN, None);
    assert_eq!(status, 200, "{answer}");
    answer["results"].as_array().unwrap().clone()
}

/// Names of the rules that found something, once `count` did and for a moment longer.
fn found(server: &Server, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while alerts(server).len() < count && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(2_500));
    let mut names: Vec<String> = alerts(server)
        .iter()
        .map(|alert| format!("{} {}", alert["rule"], alert["severity"]).replace('"', ""))
        .collect();
    names.sort();
    names
}

fn send(server: &Server, number: u64, events: &[Event]) {
    assert_eq!(server.frames(number, &[frame::encode(&batch(events, now_ms()))]).0, 200);
}

fn order(id: &str, user: &str, at_ms: i64, value: i64) -> Event {
    Event::new(id, &format!("c-{user}"), "purchase", at_ms).user(user).order(id, value)
}

#[test]
fn a_high_value_is_above_fifty_million_and_is_found_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let at = now_ms();
    let events = [
        order("T1", "a", at, 50_000_000),
        order("T2", "b", at, 50_000_001),
        // Another device tells of the same order.
        Event::new("again", "d", "purchase", at + 5).order("T2", 50_000_001),
    ];
    send(&server, 1, &events);
    assert_eq!(found(&server, 1), ["HIGH_VALUE HIGH"]);
    let alert = &alerts(&server)[0];
    assert_eq!(alert["evidence"]["transaction_id"], "T2");
    assert_eq!(alert["evidence"]["value"], json!({"currency": "VND", "amount": "50000001"}));
    // The same frame under another number, and a start.
    send(&server, 2, &events);
    server.kill();
    let server = Server::start(dir.path());
    send(&server, 3, &[order("T3", "e", at, 60_000_000), order("T1", "a", at, 50_000_000)]);
    assert_eq!(found(&server, 2), ["HIGH_VALUE HIGH"; 2]);
}

#[test]
fn the_eleventh_order_in_a_minute_is_too_fast_also_across_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let at = now_ms() - 30_000;
    let fast = |n: i64| order(&format!("F{n}"), "fast", at + n * 1_000, 1_000);
    let others: Vec<Event> =
        (0..40).map(|n| order(&format!("O{n}"), &format!("u{n}"), at + n * 10, 1_000)).collect();
    send(&server, 1, &(0..10).map(fast).collect::<Vec<_>>());
    send(&server, 2, &others);
    assert_eq!(found(&server, 0), [""; 0]);
    server.kill();
    let server = Server::start(dir.path());
    send(&server, 3, &[fast(10)]);
    assert_eq!(found(&server, 1), ["VELOCITY CRITICAL"]);
    let evidence = &alerts(&server)[0]["evidence"];
    assert_eq!((&evidence["person"], &evidence["orders"][10]), (&json!("u:fast"), &json!("F10")));
    send(&server, 4, &(11..20).map(fast).collect::<Vec<_>>());
    assert_eq!(found(&server, 1), ["VELOCITY CRITICAL"], "one attack is one alert");
}

#[test]
fn a_refund_of_more_than_was_paid_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let at = now_ms();
    let refund = |id: &str, value: i64| {
        let event = Event::new(id, "c", "refund", at + 1_000).order("R1", value);
        Event { refund_id: Some(id.to_owned()), ..event }
    };
    // The first waits for its order.
    send(&server, 1, &[refund("r1", 700)]);
    send(&server, 2, &[order("R1", "c", at, 1_000)]);
    assert_eq!(found(&server, 0), [""; 0]);
    send(&server, 3, &[refund("r2", 400)]);
    assert_eq!(found(&server, 1), ["REFUND_FAULT MEDIUM"]);
    assert_eq!(alerts(&server)[0]["evidence"]["refund_id"], "r2");
}

#[test]
fn card_testing_is_found_within_ten_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let at = now_ms() - 5_000;
    let failed = |n: i64| {
        let id = format!("f{n}");
        Event::new(&id, "thief", "payment_failed", at + n * 100).order(&id, 1_000)
    };
    send(&server, 1, &(0..10).map(failed).collect::<Vec<_>>());
    assert_eq!(found(&server, 0), [""; 0]);
    let began = Instant::now();
    send(&server, 2, &(10..30).map(failed).collect::<Vec<_>>());
    while alerts(&server).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(found(&server, 1), ["CARD_TESTING CRITICAL"]);
    assert_eq!(alerts(&server)[0]["evidence"]["by"]["client"], "thief");
}

fn tell(server: &Server, rows: &[Value]) {
    let (status, answer) = server.call("POST", "/v1/orders?site=demo", ADMIN, Some(json!(rows)));
    assert_eq!((status, &answer["rejected"]), (200, &json!(0)), "{answer}");
}

#[test]
fn orders_of_the_back_office_are_looked_at_once_and_old_ones_are_not() {
    const DAY_MS: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let at = now_ms() - 30_000;
    let told = |code: &str, platform: &str, customer: &str, at_ms: i64, total: i64| {
        json!({"order_code": code, "platform": platform, "customer_id": customer,
            "status": "completed", "total_amount": total, "order_date": at_ms})
    };
    // Years of large orders, and of one buyer who was fast, alarm nobody.
    let old: Vec<Value> = (0..300)
        .map(|n| told(&format!("L{n}"), "shopee", "whale", at - DAY_MS - n * 1_000, 60_000_000))
        .collect();
    tell(&server, &old);
    assert_eq!(found(&server, 0), [""; 0]);
    // A large one of today, and ten of one buyer, of which a browser told two as well.
    send(&server, 1, &[order("F0", "fast", at, 1_000), order("F1", "fast", at + 100, 1_000)]);
    let fast = |n: i64| told(&format!("F{n}"), "web", "fast", at + n * 100, 1_000);
    let mut rows: Vec<Value> = (0..10).map(fast).collect();
    rows.push(told("B1", "shopee", "big", at, 50_000_001));
    tell(&server, &rows);
    assert_eq!(found(&server, 1), ["HIGH_VALUE HIGH"]);
    let value = &alerts(&server)[0]["evidence"];
    assert_eq!((&value["platform"], &value["person"]), (&json!("shopee"), &json!("u:big")));
    server.kill();
    let server = Server::start(dir.path());
    // Told again with another state, and the eleventh order.
    let mut again = told("B1", "shopee", "big", at, 50_000_001);
    again["updated_at"] = json!(at + 20_000);
    tell(&server, &[again, fast(10)]);
    assert_eq!(found(&server, 2), ["HIGH_VALUE HIGH", "VELOCITY CRITICAL"]);
    let velocity = alerts(&server).into_iter().find(|row| row["rule"] == "VELOCITY").unwrap();
    let evidence = &velocity["evidence"];
    assert_eq!(
        (&evidence["person"], evidence["orders"].as_array().unwrap().len()),
        (&json!("u:fast"), 11)
    );
}
