//! Fraud is found among what the worker took: what was planted, all of it and nothing else.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{
    Site, expect_as_simulated, finish_simulate, is_soak, now_ms, shared, start_simulate,
};

/// From the event to the alert.
const FOUND_LIMIT: Duration = Duration::from_secs(10);
/// What is not found after this long is not found at all: records are looked at each second.
const SETTLING: Duration = Duration::from_secs(4);

fn vietnamese_shop() -> Value {
    json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "origins": ["*"], "bots": "off"})
}

fn list(dev: &Dev, path: &str) -> Vec<Value> {
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let headers = [("authorization", authorization.as_str())];
    let answer = http::send("GET", &dev.aggregator(path), &headers, &[]).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().expect("a list")["results"].as_array().expect("results").clone()
}

fn alerts(dev: &Dev, site: &Site, rule: &str) -> Vec<Value> {
    list(dev, &format!("/v1/alerts?site={}&kind=fraud&rule={rule}&limit=1000", site.id))
}

/// Orders above 50,000,000 đồng, as the list of orders has them.
fn expensive(dev: &Dev, site: &Site) -> BTreeSet<String> {
    let (mut found, mut after) = (BTreeSet::new(), String::new());
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let headers = [("authorization", authorization.as_str())];
    loop {
        let path = format!("/v1/orders?site={}&limit=1000{after}", site.id);
        let answer = http::send("GET", &dev.aggregator(&path), &headers, &[]).expect("an answer");
        let page = answer.json().expect("a list");
        for order in page["results"].as_array().expect("results") {
            let amount = order["value"]["amount"].as_str().and_then(|text| text.parse().ok());
            let is_expensive = amount.is_some_and(|amount: i64| amount > 50_000_000);
            if is_expensive && order["booked"] == true {
                found.insert(order["transaction_id"].as_str().expect("an id").to_owned());
            }
        }
        let Some(next) = page["next"].as_str() else { return found };
        after = format!("&after={next}");
    }
}

/// High values are those of the simulator, order by order, and its rushes are one alert each; the
/// same shop at ten times the traffic without them alerts nobody.
#[test]
fn what_the_simulator_plants_is_found_and_a_flash_sale_is_not() {
    let dev = shared();
    let site = Site::create(&dev, "suspicious", &vietnamese_shop());
    let seconds = if is_soak() { "60s" } else { "10s" };
    let flags = ["--rate", "500", "--duration", seconds, "--seed", "3", "--suspicious", "5%"];
    let sent = finish_simulate(start_simulate(&dev, &site, &flags));
    expect_as_simulated(&dev, &site, &sent);
    let planted = &sent["suspicious"];
    assert!(planted["high_value_orders"].as_i64() > Some(0), "{sent}");
    assert!(planted["velocity_users"].as_i64() > Some(0), "{sent}");
    thread::sleep(SETTLING);
    let id = |alert: &Value| alert["evidence"]["transaction_id"].as_str().map(str::to_owned);
    let high = alerts(&dev, &site, "HIGH_VALUE");
    let told: BTreeSet<String> = high.iter().filter_map(id).collect();
    assert_eq!(told, expensive(&dev, &site));
    assert_eq!(json!(high.len()), planted["high_value_orders"], "each once");
    let rushes = alerts(&dev, &site, "VELOCITY");
    assert_eq!(json!(rushes.len()), planted["velocity_users"], "{rushes:?}");

    let sale = Site::create(&dev, "flash-sale", &vietnamese_shop());
    let seconds = if is_soak() { "60s" } else { "6s" };
    let flags = ["--rate", "5000", "--duration", seconds, "--seed", "4", "--suspicious", "0%"];
    let sent = finish_simulate(start_simulate(&dev, &sale, &flags));
    expect_as_simulated(&dev, &sale, &sent);
    assert!(sent["payments_failed"].as_i64() > Some(10), "{sent}");
    thread::sleep(SETTLING);
    let found = list(&dev, &format!("/v1/alerts?site={}", sale.id));
    assert_eq!(found, [Value::Null; 0], "nobody did anything");
}

/// Cards that are tried from one address by clients that are new each time.
#[test]
fn card_testing_behind_one_address_is_found_within_ten_seconds() {
    let dev = shared();
    let site = Site::create(&dev, "cards", &vietnamese_shop());
    let failed = |who: usize, address: &str| {
        json!({"id": format!("f{who}"), "client_id": format!("thief-{who}"),
            "name": "payment_failed", "ts": now_ms(), "context": {"ip": address},
            "params": {"transaction_id": format!("T{who}"), "reason": "declined"}})
    };
    // As many from as many addresses are a bad day of the bank.
    let apart: Vec<Value> = (0..30).map(|n| failed(n, &format!("10.{n}.0.7"))).collect();
    site.send(&dev, &apart);
    thread::sleep(SETTLING);
    assert_eq!(alerts(&dev, &site, "CARD_TESTING"), [Value::Null; 0]);
    let attack: Vec<Value> = (30..41).map(|n| failed(n, "192.0.2.66")).collect();
    let began = Instant::now();
    site.send(&dev, &attack);
    let found = within("an alert", FOUND_LIMIT, || {
        Ok(alerts(&dev, &site, "CARD_TESTING").into_iter().next())
    });
    let found = found.expect("found in time");
    assert!(began.elapsed() < FOUND_LIMIT);
    assert!(found["evidence"]["by"]["address"].is_string(), "{found}");
    assert!(!found.to_string().contains("192.0.2.66"), "addresses are not kept");
}

/// One device goes on buying as somebody else, with the same coupon.
#[test]
fn one_coupon_for_many_accounts_of_a_device_is_found() {
    let dev = shared();
    let site = Site::create(&dev, "coupons", &vietnamese_shop());
    let order = |n: usize, client: &str| {
        let id = format!("{client}-{n}");
        let params = json!({"transaction_id": id, "value": 1_000, "currency": "VND",
            "coupon": "TET2026"});
        json!({"id": id, "client_id": client, "user_id": format!("u{n}"), "name": "purchase",
            "ts": now_ms(), "params": params})
    };
    let honest: Vec<Value> = (0..20).map(|n| order(n, &format!("phone-{n}"))).collect();
    site.send(&dev, &honest);
    site.send(&dev, &(0..3).map(|n| order(n, "farm")).collect::<Vec<_>>());
    thread::sleep(SETTLING);
    assert_eq!(alerts(&dev, &site, "COUPON_ABUSE"), [Value::Null; 0]);
    site.send(&dev, &[order(3, "farm")]);
    let found = within("an alert", FOUND_LIMIT, || {
        Ok(alerts(&dev, &site, "COUPON_ABUSE").into_iter().next())
    });
    let evidence = &found.expect("found in time")["evidence"];
    assert_eq!((&evidence["coupon"], &evidence["client"]), (&json!("TET2026"), &json!("farm")));
}
