//! Requests whose answer the sender never saw, sent again: the same events are counted once.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use edgetally_tests::dev::Dev;
use serde_json::{Value, json};

use super::kills::await_return;
use super::system::{Site, now_ms, shared};

const EVENTS: i64 = 20;
/// After this long a request without an answer is committed all the same.
const COMMITTED: Duration = Duration::from_millis(1_500);

fn shop(dev: &Dev, id: &str) -> Site {
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "bots": "off"});
    Site::create(dev, id, &settings)
}

/// Page views of one batch, by five clients, and one order.
fn batch(number: usize) -> Vec<Value> {
    let event = |at: i64| {
        let client = format!("client-{number}-{}", at % 5);
        let id = format!("event-{number}-{at}");
        let mut event = json!({"id": id, "name": "page_view", "client_id": client, "ts": now_ms()});
        if at == 0 {
            event["name"] = json!("purchase");
            event["params"] = json!({"transaction_id": format!("T-{number}"), "value": 1_000});
        }
        event
    };
    (0..EVENTS).map(event).collect()
}

/// Sends a request and hangs up before the answer.
fn send_and_hang_up(dev: &Dev, site: &Site, events: &[Value], patience: Duration) {
    let body = json!({"site": site.id, "sent_at": now_ms(), "events": events}).to_string();
    let address = dev.text("edge").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).expect("the worker listens");
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        site.server_key,
        body.len(),
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body.as_bytes()).expect("sent");
    thread::sleep(patience);
    // The other side may have hung up first.
    let _ = stream.shutdown(Shutdown::Both);
}

fn expect_batches(dev: &Dev, site: &Site, batches: i64) {
    let revenue = json!([{"currency": "VND", "amount": (1_000 * batches).to_string()}]);
    let expected = json!([EVENTS * batches, batches, revenue, 5 * batches]);
    site.expect_totals(dev, &["events", "orders", "revenue", "visitors"], &expected);
}

/// A sender that hangs up at any moment, and sends the same again, is counted once.
#[test]
fn lost_answers_are_no_second_events() {
    let dev = shared();
    let site = shop(&dev, "hangs-up");
    let (mut fresh, mut repeated) = (0, 0);
    for number in 0..24 {
        let events = batch(number);
        let patience = Duration::from_millis(25 * number as u64);
        send_and_hang_up(&dev, &site, &events, patience);
        let answer = site.send(&dev, &events);
        assert_eq!(answer["rejected"], json!([]));
        fresh += answer["accepted"].as_i64().expect("a count");
        repeated += answer["duplicates"].as_i64().expect("a count");
    }
    assert_eq!(fresh + repeated, 24 * EVENTS);
    assert!(repeated > 0, "no answer was lost after its commit: the test tries nothing");
    expect_batches(&dev, &site, 24);
}

/// A killed worker still knows what it committed, answered or not.
#[test]
fn a_killed_worker_knows_what_it_has() {
    let dev = Dev::start().expect("ready");
    let site = shop(&dev, "knows");
    let (answered, unanswered) = (batch(0), batch(1));
    assert_eq!(site.send(&dev, &answered)["accepted"], json!(EVENTS));
    send_and_hang_up(&dev, &site, &unanswered, COMMITTED);
    for _ in 0..2 {
        let old = dev.kill("workerd").expect("killed");
        await_return(&dev, &[("workerd", old)]);
        for events in [&answered, &unanswered] {
            let answer = site.send(&dev, events);
            assert_eq!(answer["duplicates"], json!(EVENTS), "{answer}");
        }
    }
    expect_batches(&dev, &site, 2);
}

/// Events are accepted while the aggregator is away, and arrive when it is back.
#[test]
fn events_are_accepted_while_the_aggregator_is_away() {
    let dev = Dev::start().expect("ready");
    let site = shop(&dev, "away");
    for number in 0..3 {
        let old = dev.kill("aggregator").expect("killed");
        let events = batch(number);
        assert_eq!(site.send(&dev, &events)["accepted"], json!(EVENTS));
        assert_eq!(site.send(&dev, &events)["duplicates"], json!(EVENTS));
        await_return(&dev, &[("aggregator", old)]);
    }
    expect_batches(&dev, &site, 3);
}
