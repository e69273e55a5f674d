//! What the simulator says it sent is what the aggregator answers.

use serde_json::json;

use super::system::{
    Site, assert_no_panic, expect_as_simulated, finish_simulate, is_soak, shared, start_simulate,
};

fn vietnamese_shop() -> serde_json::Value {
    json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "origins": ["*"], "bots": "off"})
}

/// A busy shop's events, orders, đồng, payments and visitors agree to the last one.
#[test]
fn the_simulators_count_is_the_aggregators() {
    let dev = shared();
    let site = Site::create(&dev, "simulated", &vietnamese_shop());
    let seconds = if is_soak() { 30 } else { 10 };
    let duration = format!("{seconds}s");
    let flags = ["--rate", "500", "--duration", &duration, "--seed", "1"];
    let sent = finish_simulate(start_simulate(&dev, &site, &flags));
    assert_eq!(sent["events"], json!(500 * seconds), "{sent}");
    assert_eq!(sent["rejected"], json!({}));
    assert!(sent["orders"].as_i64() > Some(20), "{sent}");
    assert!(
        sent["suspicious"]["velocity_orders"].as_i64() > Some(10),
        "{sent}"
    );
    expect_as_simulated(&dev, &site, &sent);
    assert_no_panic(&dev);
}

/// A run that is repeated with its run id changes nothing.
#[test]
fn a_repeated_run_is_all_duplicates() {
    let dev = shared();
    let site = Site::create(&dev, "simulated-twice", &vietnamese_shop());
    let flags = [
        "--rate",
        "200",
        "--duration",
        "2s",
        "--seed",
        "7",
        "--run-id",
        "again",
    ];
    let first = finish_simulate(start_simulate(&dev, &site, &flags));
    assert_eq!(
        (&first["accepted"], &first["duplicates"]),
        (&json!(400), &json!(0))
    );
    let second = finish_simulate(start_simulate(&dev, &site, &flags));
    assert_eq!(
        (&second["accepted"], &second["duplicates"]),
        (&json!(0), &json!(400))
    );
    expect_as_simulated(&dev, &site, &first);
}
