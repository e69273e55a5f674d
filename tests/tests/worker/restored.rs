//! A backup taken under load, made into another aggregator, with the worker pointed at it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use edgetally_tests::aggregator::Aggregator;
use edgetally_tests::dev::within;
use edgetally_tests::edge::{Edge, Options};
use edgetally_tests::http;
use serde_json::{Value, json};

const EVENTS: usize = 100;
const SENDERS: usize = 2;
const ARRIVAL_LIMIT: Duration = Duration::from_secs(120);

/// A hundred events of fifty clients, and one order.
fn batch(request: usize) -> Value {
    let event = |at: usize| {
        let id = format!("e-{request}-{at}");
        let client = format!("client-{}", (request * 31 + at) % 50);
        let mut event = json!({"id": id, "name": "page_view", "client_id": client});
        if at == 0 {
            event["name"] = json!("purchase");
            event["params"] = json!({"transaction_id": format!("T-{request}"), "value": 7});
        }
        event
    };
    let events: Vec<Value> = (0..EVENTS).map(event).collect();
    json!({"site": "shop", "events": events})
}

/// Sends batches until it is told to stop; every one of them is accepted.
fn send(url: &str, key: &str, next: &AtomicUsize, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let request = next.fetch_add(1, Ordering::Relaxed);
        let answer = http::post_json(url, Some(key), &batch(request)).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json().expect("counts")["accepted"], json!(EVENTS));
    }
}

fn expect_all(aggregator: &Aggregator, requests: usize) {
    let revenue = json!([{"currency": "VND", "amount": (7 * requests).to_string()}]);
    let expected = json!([requests * EVENTS, requests, revenue, 50, 0]);
    let metrics = ["events", "orders", "revenue", "visitors", "duplicates"];
    let mut last = Value::Null;
    let arrived = within("everything to arrive", ARRIVAL_LIMIT, || {
        last = aggregator.totals("shop", &metrics)?;
        Ok((last == expected).then_some(()))
    });
    assert!(arrived.is_ok(), "{last}, not {expected}");
    let edges = aggregator.edges().expect("a report");
    let of = |name: &str| edges["totals"][name].as_i64();
    assert_eq!([of("accepted"), of("applied")], [Some((requests * EVENTS) as i64); 2], "{edges}");
    assert_eq!([of("in_flight"), of("dead"), of("late_duplicates")], [Some(0); 3], "{edges}");
}

/// Nothing is lost, nothing counts twice, though the backup is older than what was acknowledged.
#[test]
fn a_backup_restored_elsewhere_catches_up() {
    let data = tempfile::tempdir().expect("a folder");
    let mut aggregator = Aggregator::start(&data.path().join("first")).expect("ready");
    let settings = json!({"currency": "VND", "bots": "off", "spread": 4});
    aggregator.put_site("shop", &settings).expect("a site");
    let key = aggregator.create_key("shop", "server").expect("a key");
    let options = Options {
        data: data.path().join("worker"),
        aggregator: aggregator.url(""),
        cron: true,
        ..Options::default()
    };
    let edge = Edge::start(&options).expect("the worker serves");
    within("the worker to know the site", Duration::from_secs(5), || {
        let nothing = json!({"site": "shop", "events": []});
        Ok((edge.collect(&key, &nothing)?.status == 202).then_some(()))
    })
    .expect("known");

    let url = edge.url("/v1/events");
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let backup = thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| send(&url, &key, &next, &stop));
        }
        thread::sleep(Duration::from_secs(3));
        let backup = aggregator.back_up().expect("a backup");
        let (taken_at, events) =
            (next.load(Ordering::Relaxed), aggregator.totals("shop", &["events"]));
        println!("backup after {taken_at} requests, {:?} events told", events.expect("a total"));
        // What is acknowledged from here on the restored one has never seen.
        thread::sleep(Duration::from_secs(3));
        aggregator.move_to(&data.path().join("second"), &backup).expect("restored");
        thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        backup
    });
    let requests = next.load(Ordering::Relaxed);
    assert!(backup.is_file());
    expect_all(&aggregator, requests);
    aggregator.kill().expect("killed");
    aggregator.start_again().expect("ready again");
    expect_all(&aggregator, requests);
    println!("{requests} requests in all");
}
