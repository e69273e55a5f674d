//! What the worker answers while it cannot make events durable.

use std::fs;
use std::time::Duration;

use edgetally_tests::dev::{Dev, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::refusals::assert_problem;
use super::system::{Site, assert_no_panic};

const RETURN_LIMIT: Duration = Duration::from_secs(30);

fn signal(dev: &Dev, part: &str, signal: Signal) {
    let pid = dev.pid(part).expect("a running part");
    kill(Pid::from_raw(pid), signal).expect("it is ours");
}

/// A worker that never heard the settings, beside an aggregator that hangs, refuses everything for
/// now: the sender keeps its events, and they are taken as soon as the settings are there.
#[test]
fn without_settings_senders_are_told_to_come_back() {
    let dev = Dev::start().expect("ready");
    let site = Site::create(&dev, "overloaded", &json!({"bots": "off"}));
    signal(&dev, "aggregator", Signal::SIGSTOP);
    // As on a place that the worker was never deployed to before: nothing of its own is kept.
    fs::remove_dir_all(dev.data().join("worker")).expect("the worker's data");
    let old = dev.kill("workerd").expect("killed");
    within("a new worker", RETURN_LIMIT, || Ok((dev.pid("workerd")? != old).then_some(())))
        .expect("back in time");

    let events = [json!({"id": "e-1", "name": "page_view", "client_id": "c-1"})];
    let batch = json!({"site": site.id, "events": events});
    let answer = dev.collect(Some(&site.server_key), &batch).expect("an answer");
    let problem = assert_problem(&answer, 503, "overloaded", "no settings");
    let wait_ms = problem["retry_after_ms"].as_u64().expect("a wait");
    let wait_s: u64 = answer.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert!(wait_s >= 1 && wait_s * 1_000 >= wait_ms, "{wait_ms} ms, {wait_s} s");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "a page may read it");

    signal(&dev, "aggregator", Signal::SIGCONT);
    within("the same events to be taken", RETURN_LIMIT, || {
        let answer = dev.collect(Some(&site.server_key), &batch)?;
        Ok((answer.status == 202).then_some(()))
    })
    .expect("taken in time");
    site.expect_totals(&dev, &["events"], &json!([1]));
    assert_no_panic(&dev);
}
