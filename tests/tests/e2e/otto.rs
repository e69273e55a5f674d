//! Real shop traffic, sent whole and sent again.

use std::collections::BTreeMap;

use edgetally_tests::dev::Dev;
use edgetally_tests::http;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::system::{Site, shared};

/// The visits of `tests/data/clickstream-otto`: clicks, carts and orders, as our events.
fn events() -> Vec<Value> {
    let path = edgetally_tests::root().join("tests/data/clickstream-otto/train.jsonl");
    let text = std::fs::read_to_string(path).expect("the data");
    let sessions = text.lines().map(|line| serde_json::from_str(line).expect("a session"));
    sessions.flat_map(|session: Value| events_of(&session)).collect()
}

fn events_of(session: &Value) -> Vec<Value> {
    let client = format!("otto-{}", session["session"]);
    let actions = session["events"].as_array().expect("events");
    let event = |(at, action): (usize, &Value)| {
        let item = json!({"item_id": action["aid"].to_string()});
        let mut params = json!({"items": [item]});
        let name = match action["type"].as_str() {
            Some("clicks") => "view_item",
            Some("carts") => "add_to_cart",
            Some("orders") => {
                params["transaction_id"] = json!(format!("{client}-{at}"));
                params["value"] = json!(0);
                "purchase"
            }
            other => panic!("{other:?}"),
        };
        json!({
            "id": format!("{client}-{at}"), "name": name, "ts": action["ts"],
            "client_id": client, "params": params,
        })
    };
    actions.iter().enumerate().map(event).collect()
}

/// Sends events as they are: without `sent_at` the time of each is the one it names.
fn send_as_they_are(dev: &Dev, site: &Site, events: &[Value]) {
    for events in events.chunks(250) {
        let batch = json!({"site": site.id, "events": events});
        let answer = dev.collect(Some(&site.server_key), &batch).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json().expect("a body")["rejected"], json!([]));
    }
}

/// How many sessions began for each reason.
fn reasons(dev: &Dev, site: &Site) -> BTreeMap<String, i64> {
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let url = dev.aggregator(&format!("/v1/sessions?site={}&limit=1000", site.id));
    let answer = http::send("GET", &url, &[("authorization", &authorization)], &[]);
    let answer = answer.expect("an answer").json().expect("a list");
    let mut reasons = BTreeMap::new();
    for session in answer["results"].as_array().expect("sessions") {
        let why = session["start_reason"].as_array().expect("reasons").iter();
        let why: Vec<&str> = why.filter_map(Value::as_str).collect();
        *reasons.entry(why.join("+")).or_default() += 1;
    }
    reasons
}

/// The sessions of a real shop's log depend on the zone of the shop, and not on the order in which
/// its events come or how often they do.
#[test]
fn a_shops_log_has_its_sessions_in_every_order() {
    let dev = shared();
    for (at, (zone, sessions, by_day_alone)) in
        [("UTC", 144, 0), ("Europe/Berlin", 146, 2), ("Asia/Ho_Chi_Minh", 144, 0)]
            .into_iter()
            .enumerate()
    {
        let settings = json!({
            "timezone": zone, "currency": "EUR", "origins": ["*"], "bots": "off",
            "retention": {"facts": "unlimited"},
        });
        let metrics = ["events", "sessions", "visitors", "new_visitors", "orders"];
        let expected = json!([862, sessions, 20, 20, 10]);
        let in_order = Site::create(&dev, &format!("otto-{at}"), &settings);
        send_as_they_are(&dev, &in_order, &events());
        in_order.expect_totals(&dev, &metrics, &expected);
        let shuffled = Site::create(&dev, &format!("otto-{at}-shuffled"), &settings);
        let mut random = StdRng::seed_from_u64(7 + at as u64);
        for _ in 0..2 {
            let mut events = events();
            events.shuffle(&mut random);
            send_as_they_are(&dev, &shuffled, &events);
        }
        shuffled.expect_totals(&dev, &metrics, &expected);
        for site in [&in_order, &shuffled] {
            let reasons = reasons(&dev, site);
            let count = |why: &str| reasons.get(why).copied().unwrap_or(0);
            let by_gap = count("gap") + count("gap+day");
            let said = (count("first"), by_gap, count("day"));
            assert_eq!(said, (20, 124, by_day_alone), "{zone}: {reasons:?}");
            let days = site.query(&dev, &["sessions"], &["time:day"]);
            assert_eq!(days.iter().map(|day| day.count(0)).sum::<i64>(), sessions, "{zone}");
        }
    }
}

fn send_all(dev: &Dev, site: &Site) -> (i64, i64) {
    let (mut accepted, mut duplicates) = (0, 0);
    for batch in events().chunks(250) {
        let answer = site.send(dev, batch);
        assert_eq!(answer["rejected"], json!([]));
        accepted += answer["accepted"].as_i64().expect("a count");
        duplicates += answer["duplicates"].as_i64().expect("a count");
    }
    (accepted, duplicates)
}

/// Every event of a real shop's log is counted once, however often the log is sent.
#[test]
fn a_shops_log_is_counted_once() {
    let dev = shared();
    let settings = json!({
        "timezone": "Europe/Berlin", "currency": "EUR", "origins": ["*"], "bots": "off",
        "retention": {"facts": "unlimited"},
    });
    let site = Site::create(&dev, "otto", &settings);
    let metrics = ["events", "item_views", "add_to_carts", "orders", "revenue", "visitors"];
    let expected = json!([862, 800, 52, 10, [{"currency": "EUR", "amount": "0.00"}], 20]);
    let by_name = BTreeMap::from([
        ("view_item".to_owned(), 800),
        ("add_to_cart".to_owned(), 52),
        ("purchase".to_owned(), 10),
    ]);

    assert_eq!(send_all(&dev, &site), (862, 0));
    site.expect_totals(&dev, &metrics, &expected);
    assert_eq!(site.events_by_name(&dev), by_name);

    assert_eq!(send_all(&dev, &site), (0, 862));
    site.expect_totals(&dev, &metrics, &expected);
    assert_eq!(site.events_by_name(&dev), by_name);

    let days = site.query(&dev, &["events", "orders"], &["time:day"]);
    assert_eq!(days.iter().map(|day| day.count(0)).sum::<i64>(), 862);
    assert_eq!(days.iter().map(|day| day.count(1)).sum::<i64>(), 10);
}
