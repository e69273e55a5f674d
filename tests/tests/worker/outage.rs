//! The real aggregator is down for the length of a hundred thousand events.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use edgetally_tests::aggregator::Aggregator;
use edgetally_tests::dev::within;
use edgetally_tests::edge::{Edge, Options};
use edgetally_tests::http;
use serde_json::{Value, json};

/// The soak sends ten times as many.
fn requests() -> usize {
    if std::env::var_os("EDGETALLY_SOAK").is_some() { 1_000 } else { 100 }
}

const EVENTS: usize = 1_000;
const SENDERS: usize = 4;
/// Answers come as fast as without an outage: a commit and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(10);
const ARRIVAL_LIMIT: Duration = Duration::from_secs(300);

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 584554051")
}

/// A thousand events of one request: two hundred clients, each with its own shard, and one order.
fn batch(request: usize) -> Value {
    let event = |at: usize| {
        let id = format!("e-{request}-{at}");
        let client = format!("client-{}", (request * 31 + at) % 200);
        let mut event = json!({"id": id, "name": "page_view", "client_id": client, "ts": now_ms()});
        if at == 0 {
            event["name"] = json!("purchase");
            event["params"] = json!({"transaction_id": format!("T-{request}"), "value": 7});
        }
        event
    };
    let events: Vec<Value> = (0..EVENTS).map(event).collect();
    json!({"site": "shop", "sent_at": now_ms(), "events": events})
}

/// Sends all requests by several senders; gives the longest wait for an answer.
fn send_all(url: &str, key: &str) -> Duration {
    let next = AtomicUsize::new(0);
    let sender = || {
        let mut slowest = Duration::ZERO;
        loop {
            let request = next.fetch_add(1, Ordering::Relaxed);
            if request >= requests() {
                return slowest;
            }
            let started = Instant::now();
            let answer = http::post_json(url, Some(key), &batch(request)).expect("an answer");
            slowest = slowest.max(started.elapsed());
            assert_eq!(answer.status, 202, "{}", answer.text());
            let counts = answer.json().expect("counts");
            assert_eq!(counts["accepted"], json!(EVENTS), "{}", counts["rejected"]);
        }
    };
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(sender)).collect();
        let waits = senders.into_iter().map(|sender| sender.join().expect("all were taken"));
        waits.max().unwrap_or_default()
    })
}

/// The clients notice nothing, all of it arrives once, and each shard tells it in order.
#[test]
fn an_outage_of_a_hundred_thousand_events_costs_nothing_but_delay() {
    let data = tempfile::tempdir().expect("a folder");
    let mut aggregator = Aggregator::start(&data.path().join("aggregator")).expect("ready");
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
    let nothing = json!({"site": "shop", "events": []});
    within("the worker to know the site", Duration::from_secs(5), || {
        Ok((edge.collect(&key, &nothing)?.status == 202).then_some(()))
    })
    .expect("known");

    aggregator.kill().expect("killed");
    let slowest = send_all(&edge.url("/v1/events"), &key);
    assert!(slowest < PATIENCE, "an answer took {slowest:?}");
    aggregator.start_again().expect("ready again");

    let revenue = json!([{"currency": "VND", "amount": (7 * requests()).to_string()}]);
    let expected = json!([requests() * EVENTS, requests(), revenue, 200, 0]);
    let metrics = ["events", "orders", "revenue", "visitors", "duplicates"];
    let mut last = Value::Null;
    let arrived = within("everything to arrive", ARRIVAL_LIMIT, || {
        last = aggregator.totals("shop", &metrics)?;
        Ok((last == expected).then_some(()))
    });
    assert!(arrived.is_ok(), "{last}, not {expected}");
    let edges = aggregator.edges().expect("a report");
    let shards = edges["shards"].as_array().expect("shards");
    assert_eq!(shards.len(), 4, "{edges}");
    for shard in shards {
        assert_eq!((&shard["gaps"], &shard["forks"]), (&json!(0), &json!(0)), "{edges}");
    }
    let of = |name: &str| edges["totals"][name].as_i64();
    assert_eq!([of("accepted"), of("applied")], [Some((requests() * EVENTS) as i64); 2], "{edges}");
    assert_eq!([of("in_flight"), of("dead"), of("late_duplicates")], [Some(0); 3], "{edges}");
}
