//! Events that the worker refuses one by one, each with its code and field, beside good ones.

use edgetally_tests::dev::Dev;
use serde_json::{Value, json};

use super::events::{DAY_MS, event, purchase, strict_site as site, view};
use super::system::{Site, assert_no_panic, now_ms, shared};

fn items(item: Value) -> Value {
    purchase("items", json!([{"item_id": "sku-1"}, item]))
}

/// Sends the events of a table, each beside a good one, and compares what is refused of them.
fn check(dev: &Dev, site: &Site, cases: &[(Value, &str, &str)]) {
    let numbered = |at: usize, event: &Value| {
        let mut event = event.clone();
        if event["id"] == json!("e-1") {
            event["id"] = json!(format!("case-{at}"));
        }
        event
    };
    let good = |at: usize| {
        let mut event = event("page_view", json!({}));
        event["id"] = json!(format!("good-{at}"));
        event
    };
    let events: Vec<Value> = cases
        .iter()
        .enumerate()
        .flat_map(|(at, (event, _, _))| [numbered(at, event), good(at)])
        .collect();
    let answer = site.send(dev, &events);
    assert_eq!(answer["accepted"], json!(cases.len()), "{answer}");
    assert_eq!(answer["duplicates"], json!(0));
    let rejected = answer["rejected"].as_array().expect("a list");
    for (at, (event, code, field)) in cases.iter().enumerate() {
        let told = rejected.get(at).unwrap_or(&Value::Null);
        assert_eq!(
            told["index"],
            json!(2 * at),
            "{event} was accepted, or another refused: {told}"
        );
        assert_eq!((&told["code"], &told["field"]), (&json!(code), &json!(field)), "{event}");
        assert!(told["message"].as_str().is_some_and(|text| !text.is_empty()), "{told}");
        assert_eq!(told["id"], numbered(at, event)["id"], "the id is echoed as sent");
    }
    assert_eq!(rejected.len(), cases.len());
}

/// Ids, names, users and platforms.
#[test]
fn members_are_checked() {
    let dev = shared();
    let site = site(&dev, "rejects-members");
    let long = |count: usize| json!("x".repeat(count));
    check(
        &dev,
        &site,
        &[
            (view("id", json!("has space")), "id_invalid", "id"),
            (view("id", long(65)), "id_invalid", "id"),
            (view("id", json!("đ")), "id_invalid", "id"),
            (view("client_id", Value::Null), "missing_field", "client_id"),
            (view("client_id", json!(" ")), "missing_field", "client_id"),
            (view("client_id", long(129)), "client_id_invalid", "client_id"),
            (view("client_id", json!("a\u{7}b")), "client_id_invalid", "client_id"),
            (view("name", Value::Null), "missing_field", "name"),
            (view("name", json!("")), "missing_field", "name"),
            (view("name", json!("Page View")), "name_invalid", "name"),
            (view("name", json!("1st")), "name_invalid", "name"),
            (view("name", long(41)), "name_invalid", "name"),
            (view("name", json!("lot_closed")), "name_not_allowed", "name"),
            (view("user_id", long(129)), "field_too_long", "user_id"),
            (view("user_id", json!(7)), "value_invalid", "user_id"),
            (view("platform", json!("fridge")), "value_invalid", "platform"),
            (view("params", json!([1])), "value_invalid", "params"),
            (view("context", json!("page")), "value_invalid", "context"),
        ],
    );
}

/// Money, items and the ids of orders.
#[test]
fn commerce_is_checked() {
    let dev = shared();
    let site = site(&dev, "rejects-commerce");
    let many: Vec<Value> = (0..201).map(|_| json!({"item_id": "sku-1"})).collect();
    check(
        &dev,
        &site,
        &[
            (purchase("value", json!(-1)), "value_out_of_bounds", "params.value"),
            (purchase("value", json!("-0.5")), "value_out_of_bounds", "params.value"),
            (purchase("value", json!("1e16")), "value_out_of_bounds", "params.value"),
            (purchase("value", json!("ten")), "value_invalid", "params.value"),
            (purchase("value", json!(true)), "value_invalid", "params.value"),
            (purchase("tax", json!(-1)), "value_out_of_bounds", "params.tax"),
            (purchase("shipping", json!({})), "value_invalid", "params.shipping"),
            (purchase("discount", json!(-5)), "value_out_of_bounds", "params.discount"),
            (purchase("currency", json!("XXQ")), "currency_unknown", "params.currency"),
            (purchase("currency", json!(704)), "value_invalid", "params.currency"),
            (purchase("items", json!("sku-1")), "value_invalid", "params.items"),
            (purchase("items", json!(many)), "too_many_items", "params.items"),
            (items(json!({})), "missing_field", "params.items[1].item_id"),
            (
                items(json!({"item_id": "a", "quantity": -2})),
                "value_out_of_bounds",
                "params.items[1].quantity",
            ),
            (
                items(json!({"item_id": "a", "quantity": 0})),
                "value_out_of_bounds",
                "params.items[1].quantity",
            ),
            (
                items(json!({"item_id": "a", "quantity": 1_000_001})),
                "value_out_of_bounds",
                "params.items[1].quantity",
            ),
            (
                items(json!({"item_id": "a", "quantity": 1.5})),
                "value_invalid",
                "params.items[1].quantity",
            ),
            (
                items(json!({"item_id": "a", "price": -1})),
                "value_out_of_bounds",
                "params.items[1].price",
            ),
            (
                items(json!({"item_id": "a", "price": "free"})),
                "value_invalid",
                "params.items[1].price",
            ),
            (purchase("transaction_id", Value::Null), "missing_field", "params.transaction_id"),
            (purchase("transaction_id", json!("  ")), "missing_field", "params.transaction_id"),
            (
                purchase("transaction_id", json!("x".repeat(129))),
                "field_too_long",
                "params.transaction_id",
            ),
            (event("purchase", json!({"transaction_id": "T-2"})), "missing_field", "params.value"),
            (event("order_created", json!({"value": 5})), "missing_field", "params.transaction_id"),
        ],
    );
}

/// What other events need, texts that are too long, and times.
#[test]
fn other_events_are_checked() {
    let dev = shared();
    let site = site(&dev, "rejects-others");
    let url = format!("https://shop.example/{}", "x".repeat(2_048));
    let of =
        |name: &str| event(name, json!({"item_id": "a", "experiment_id": "x", "metric": "LCP"}));
    let far = 4_102_444_800_000_i64;
    check(
        &dev,
        &site,
        &[
            (of("refund"), "missing_field", "params.transaction_id"),
            (of("order_cancelled"), "missing_field", "params.transaction_id"),
            (of("payment_success"), "missing_field", "params.transaction_id"),
            (of("payment_failed"), "missing_field", "params.transaction_id"),
            (event("stock_update", json!({"stock": 1})), "missing_field", "params.item_id"),
            (of("stock_update"), "missing_field", "params.stock"),
            (
                event("stock_update", json!({"item_id": "a", "stock": -1})),
                "value_out_of_bounds",
                "params.stock",
            ),
            (
                event("stock_update", json!({"item_id": "a", "stock": 0.5})),
                "value_invalid",
                "params.stock",
            ),
            (of("search"), "missing_field", "params.search_term"),
            (event("experiment_view", json!({})), "missing_field", "params.experiment_id"),
            (of("experiment_view"), "missing_field", "params.variant_id"),
            (event("web_vital", json!({"value": 1})), "missing_field", "params.metric"),
            (of("web_vital"), "missing_field", "params.value"),
            (view("params", json!({"note": "x".repeat(1_025)})), "field_too_long", "params.note"),
            (
                view("params", json!({"a": [{"b": "x".repeat(1_025)}]})),
                "field_too_long",
                "params.a[0].b",
            ),
            (view("context", json!({"page_url": url})), "field_too_long", "context.page_url"),
            (view("ts", json!("yesterday")), "timestamp_invalid", "ts"),
            (view("ts", json!(1.5)), "timestamp_invalid", "ts"),
            (view("ts", json!(5)), "timestamp_invalid", "ts"),
            (view("ts", json!(far)), "timestamp_invalid", "ts"),
            (view("ts", json!(now_ms() - 40 * DAY_MS)), "timestamp_too_old", "ts"),
        ],
    );
    assert_no_panic(&dev);
}

/// Of several faults of one event the first in the order of the table is told.
#[test]
fn the_first_fault_of_an_event_wins() {
    let dev = shared();
    let site = site(&dev, "rejects-order");
    let mut event = items(json!({"item_id": "a", "quantity": -1}));
    event["ts"] = json!("never");
    let mut cases = vec![(event.clone(), "value_out_of_bounds", "params.items[1].quantity")];
    event["params"]["value"] = json!(-1);
    cases.push((event.clone(), "value_out_of_bounds", "params.value"));
    event["name"] = json!("Not A Name");
    cases.push((event.clone(), "name_invalid", "name"));
    event["client_id"] = json!("x".repeat(129));
    cases.push((event.clone(), "client_id_invalid", "client_id"));
    event["id"] = json!("not an id");
    cases.push((event, "id_invalid", "id"));
    check(&dev, &site, &cases);
}
