//! What the simulator says it sent is what the aggregator answers.

use edgetally_tests::dev::Dev;
use serde_json::{Value, json};

use super::system::{
    Site, assert_no_panic, expect_as_simulated, finish_simulate, is_soak, shared, start_simulate,
};

fn vietnamese_shop() -> Value {
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
    assert!(sent["suspicious"]["velocity_orders"].as_i64() > Some(10), "{sent}");
    expect_as_simulated(&dev, &site, &sent);
    for (dimension, range) in [
        ("time:day", "2d"),
        ("time:hour", "2d"),
        ("time:minute", "2d"),
        ("time:second", "realtime"),
    ] {
        assert_adds_up(&dev, &site, dimension, range, &sent);
    }
    assert_no_panic(&dev);
}

/// The rows of a breakdown by time add up to the totals.
fn assert_adds_up(dev: &Dev, site: &Site, dimension: &str, range: &str, sent: &Value) {
    let metrics = ["events", "orders", "revenue"];
    let rows = site.query_range(dev, &metrics, &[dimension], range);
    let sum = |at: usize| json!(rows.iter().map(|row| row.count(at)).sum::<i64>());
    assert_eq!((&sum(0), &sum(1)), (&sent["events"], &sent["orders"]), "{dimension}");
    let revenue = rows.iter().map(|row| row.money(2, "VND")).sum::<i64>();
    assert_eq!(json!(revenue.to_string()), sent["revenue"][0]["amount"], "{dimension}");
}

/// A run that is repeated with its run id changes nothing.
#[test]
fn a_repeated_run_is_all_duplicates() {
    let dev = shared();
    let site = Site::create(&dev, "simulated-twice", &vietnamese_shop());
    let flags = ["--rate", "200", "--duration", "2s", "--seed", "7", "--run-id", "again"];
    let first = finish_simulate(start_simulate(&dev, &site, &flags));
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(400), &json!(0)));
    let second = finish_simulate(start_simulate(&dev, &site, &flags));
    assert_eq!((&second["accepted"], &second["duplicates"]), (&json!(0), &json!(400)));
    expect_as_simulated(&dev, &site, &first);
}
