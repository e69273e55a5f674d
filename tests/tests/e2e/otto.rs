//! Real shop traffic, sent whole and sent again.

use std::collections::BTreeMap;

use edgetally_tests::dev::Dev;
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
