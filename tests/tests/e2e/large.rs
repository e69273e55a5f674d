//! Requests near the limit of a server key: what they hold must fit the frames that carry it.

use std::thread;

use serde_json::{Value, json};

use super::system::{Site, now_ms, shared};

/// An order of 54 items with long names: about 880 KB, most of it text that is in no other order.
fn large_order(number: usize) -> Value {
    let text = "😀".repeat(1_000);
    let item = |at: usize| {
        json!({"item_id": format!("{at}{text}"), "item_name": text, "item_category": text,
               "item_brand": text, "price": 1})
    };
    let items: Vec<Value> = (0..54).map(item).collect();
    let params = json!({"transaction_id": format!("T-{number}"), "items": items});
    json!({"id": format!("e-{number}"), "name": "purchase", "client_id": "c", "ts": now_ms(),
           "params": params})
}

/// Large orders of one client at the same time meet in one window, and all of them arrive.
#[test]
fn large_orders_at_once_all_arrive() {
    let dev = shared();
    let settings = json!({"origins": ["*"], "bots": "off", "currency": "VND"});
    let site = Site::create(&dev, "large", &settings);
    thread::scope(|scope| {
        for number in 0..12 {
            let (dev, site) = (&dev, &site);
            scope.spawn(move || {
                let answer = site.send(dev, &[large_order(number)]);
                assert_eq!(answer["accepted"], json!(1), "{answer}");
            });
        }
    });
    let revenue = json!([{"currency": "VND", "amount": "648"}]);
    site.expect_totals(&dev, &["events", "orders", "revenue"], &json!([12, 12, revenue]));
}
