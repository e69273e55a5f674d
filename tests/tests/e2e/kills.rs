//! Parts that die in the middle of the traffic: nothing accepted is lost or counted twice.

use std::thread;
use std::time::Duration;

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{Site, expect_as_simulated, finish_simulate, is_soak, start_simulate};

const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

/// Plays a run while `part` is killed twice, and then starts everything again on the same data.
fn check(part: &str) -> Value {
    let data = tempfile::tempdir().expect("a folder");
    let dev = Dev::start_on(data.path()).expect("ready");
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "bots": "off"});
    let site = Site::create(&dev, "killed", &settings);
    let (rate, seconds) = if is_soak() { ("500", 30) } else { ("300", 12) };
    let duration = format!("{seconds}s");
    let run = start_simulate(&dev, &site, &["--rate", rate, "--duration", &duration]);
    for _ in 0..2 {
        thread::sleep(Duration::from_secs(seconds / 3));
        let old = dev.kill(part).expect("killed");
        within("the part to be back", RECOVERY_LIMIT, || {
            let is_new = dev.pid(part).is_ok_and(|pid| pid != old);
            let urls = [dev.edge("/healthz"), dev.aggregator("/readyz")];
            let answers = |url: &String| http::get(url).is_ok_and(|answer| answer.status == 200);
            Ok((is_new && urls.iter().all(answers)).then_some(()))
        })
        .expect("back in time");
    }
    let sent = finish_simulate(run);
    assert_eq!(sent["unconfirmed"], json!(0), "{sent}");
    expect_as_simulated(&dev, &site, &sent);

    assert!(dev.stop().expect("it ends").success());
    let dev = Dev::start_on(data.path()).expect("ready again");
    expect_as_simulated(&dev, &site, &sent);
    sent
}

/// A worker killed twice in mid-traffic loses nothing it accepted and counts nothing twice.
#[test]
fn a_killed_worker_loses_and_repeats_nothing() {
    let sent = check("workerd");
    assert!(
        sent["retries"].as_i64() > Some(0),
        "no request met the killed worker: {sent}"
    );
}

/// An aggregator killed twice in mid-traffic is noticed by nobody who sends events.
#[test]
fn a_killed_aggregator_loses_and_repeats_nothing() {
    check("aggregator");
}
