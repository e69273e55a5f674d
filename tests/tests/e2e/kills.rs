//! Parts that die in the middle of the traffic: nothing accepted is lost or counted twice.

use std::thread;
use std::time::Duration;

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{
    Site, assert_no_panic, expect_as_simulated, finish_simulate, is_soak, start_simulate,
};

const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

/// How hard a test is played.
struct Round {
    rate: &'static str,
    seconds: u64,
    kills: u32,
}

fn round() -> Round {
    if is_soak() {
        Round { rate: "500", seconds: 30, kills: 5 }
    } else {
        Round { rate: "300", seconds: 12, kills: 2 }
    }
}

/// Plays a run while the parts are killed again and again, and then starts everything anew on the
/// same data.
fn check(parts: &[&str]) -> Value {
    let data = tempfile::tempdir().expect("a folder");
    let dev = Dev::start_on(data.path()).expect("ready");
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "bots": "off"});
    let site = Site::create(&dev, "killed", &settings);
    let Round { rate, seconds, kills } = round();
    let duration = format!("{seconds}s");
    let run = start_simulate(&dev, &site, &["--rate", rate, "--duration", &duration]);
    for _ in 0..kills {
        thread::sleep(Duration::from_secs(seconds) / (kills + 1));
        let killed = parts.iter().map(|part| (*part, dev.kill(part).expect("killed")));
        await_return(&dev, &killed.collect::<Vec<_>>());
    }
    let sent = finish_simulate(run);
    assert_eq!(sent["unconfirmed"], json!(0), "{sent}");
    expect_as_simulated(&dev, &site, &sent);
    assert_all_arrived(&dev, &sent);
    assert_no_panic(&dev);

    assert!(dev.stop().expect("it ends").success());
    let dev = Dev::start_on(data.path()).expect("ready again");
    expect_as_simulated(&dev, &site, &sent);
    sent
}

/// Waits until other processes than the killed ones answer.
pub fn await_return(dev: &Dev, killed: &[(&str, i32)]) {
    within("the parts to be back", RECOVERY_LIMIT, || {
        let is_new = |(part, old): &(&str, i32)| dev.pid(part).is_ok_and(|pid| pid != *old);
        let urls = [dev.edge("/healthz"), dev.aggregator("/readyz")];
        let answers = |url: &String| http::get(url).is_ok_and(|answer| answer.status == 200);
        Ok((killed.iter().all(is_new) && urls.iter().all(answers)).then_some(()))
    })
    .expect("back in time");
}

/// The books of the edges balance: nothing on the way, nothing dead, no shard has forked.
fn assert_all_arrived(dev: &Dev, sent: &Value) {
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let headers = [("authorization", authorization.as_str())];
    let answer = http::send("GET", &dev.aggregator("/v1/edges"), &headers, &[]);
    let edges = answer.expect("an answer").json().expect("a report");
    let totals = &edges["totals"];
    let of = |name: &str| totals[name].as_i64().expect("a count");
    assert_eq!(of("accepted"), of("applied") + of("late_duplicates"), "{edges}");
    assert_eq!((of("in_flight"), of("dead")), (0, 0), "{edges}");
    assert_eq!(json!(of("applied")), sent["events"], "{edges}");
    for shard in edges["shards"].as_array().expect("shards") {
        assert_eq!(shard["forks"], json!(0), "{edges}");
    }
}

/// A worker killed in mid-traffic loses nothing it accepted and counts nothing twice.
#[test]
fn a_killed_worker_loses_and_repeats_nothing() {
    let sent = check(&["workerd"]);
    assert!(sent["retries"].as_i64() > Some(0), "no request met the killed worker: {sent}");
}

/// An aggregator killed in mid-traffic is noticed by nobody who sends events.
#[test]
fn a_killed_aggregator_loses_and_repeats_nothing() {
    let sent = check(&["aggregator"]);
    assert_eq!(sent["retries"], json!(0), "{sent}");
}

/// Both killed at the same moment find together again.
#[test]
fn both_killed_at_once_lose_and_repeat_nothing() {
    check(&["workerd", "aggregator"]);
}
