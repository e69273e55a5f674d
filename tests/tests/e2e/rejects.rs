//! Events that the worker refuses one by one, each with its code and field, beside good ones.

use edgetally_tests::dev::Dev;
use edgetally_tests::http;
use serde_json::{Map, Value, json};

use super::system::{Site, assert_no_panic, now_ms, shared};

const DAY_MS: i64 = 86_400_000;

/// A good event of this name and parameters, of a client of its own.
fn event(name: &str, params: Value) -> Value {
    json!({"id": "e-1", "name": name, "client_id": "c-1", "ts": now_ms() - 1_000, "params": params})
}

/// A good page view with a member changed; null takes it away.
fn view(member: &str, value: Value) -> Value {
    let mut event = event("page_view", json!({}));
    let members: &mut Map<String, Value> = event.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(member),
        value => members.insert(member.to_owned(), value),
    };
    event
}

/// A good purchase with a parameter changed; null takes it away.
fn purchase(param: &str, value: Value) -> Value {
    let mut params = json!({
        "transaction_id": "T-1", "value": 500, "currency": "VND",
        "items": [{"item_id": "sku-1", "price": 100, "quantity": 2}, {"item_name": "Áo"}],
    });
    let members = params.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(param),
        value => members.insert(param.to_owned(), value),
    };
    event("purchase", params)
}

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
        assert_eq!(
            (&told["code"], &told["field"]),
            (&json!(code), &json!(field)),
            "{event}"
        );
        assert!(
            told["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{told}"
        );
        assert_eq!(
            told["id"],
            numbered(at, event)["id"],
            "the id is echoed as sent"
        );
    }
    assert_eq!(rejected.len(), cases.len());
}

fn site(dev: &Dev, id: &str) -> Site {
    let settings = json!({"origins": ["*"], "bots": "off", "currency": "VND", "events": {"allow": ["lot_opened"]}});
    Site::create(dev, id, &settings)
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
            (
                view("client_id", long(129)),
                "client_id_invalid",
                "client_id",
            ),
            (
                view("client_id", json!("a\u{7}b")),
                "client_id_invalid",
                "client_id",
            ),
            (view("name", Value::Null), "missing_field", "name"),
            (view("name", json!("")), "missing_field", "name"),
            (view("name", json!("Page View")), "name_invalid", "name"),
            (view("name", json!("1st")), "name_invalid", "name"),
            (view("name", long(41)), "name_invalid", "name"),
            (
                view("name", json!("lot_closed")),
                "name_not_allowed",
                "name",
            ),
            (view("user_id", long(129)), "field_too_long", "user_id"),
            (view("user_id", json!(7)), "value_invalid", "user_id"),
            (
                view("platform", json!("fridge")),
                "value_invalid",
                "platform",
            ),
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
            (
                purchase("value", json!(-1)),
                "value_out_of_bounds",
                "params.value",
            ),
            (
                purchase("value", json!("-0.5")),
                "value_out_of_bounds",
                "params.value",
            ),
            (
                purchase("value", json!("1e16")),
                "value_out_of_bounds",
                "params.value",
            ),
            (
                purchase("value", json!("ten")),
                "value_invalid",
                "params.value",
            ),
            (
                purchase("value", json!(true)),
                "value_invalid",
                "params.value",
            ),
            (
                purchase("tax", json!(-1)),
                "value_out_of_bounds",
                "params.tax",
            ),
            (
                purchase("shipping", json!({})),
                "value_invalid",
                "params.shipping",
            ),
            (
                purchase("discount", json!(-5)),
                "value_out_of_bounds",
                "params.discount",
            ),
            (
                purchase("currency", json!("XXQ")),
                "currency_unknown",
                "params.currency",
            ),
            (
                purchase("currency", json!(704)),
                "value_invalid",
                "params.currency",
            ),
            (
                purchase("items", json!("sku-1")),
                "value_invalid",
                "params.items",
            ),
            (
                purchase("items", json!(many)),
                "too_many_items",
                "params.items",
            ),
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
            (
                purchase("transaction_id", Value::Null),
                "missing_field",
                "params.transaction_id",
            ),
            (
                purchase("transaction_id", json!("  ")),
                "missing_field",
                "params.transaction_id",
            ),
            (
                purchase("transaction_id", json!("x".repeat(129))),
                "field_too_long",
                "params.transaction_id",
            ),
            (
                event("purchase", json!({"transaction_id": "T-2"})),
                "missing_field",
                "params.value",
            ),
            (
                event("order_created", json!({"value": 5})),
                "missing_field",
                "params.transaction_id",
            ),
        ],
    );
}

/// What other events need, texts that are too long, and times.
#[test]
fn other_events_are_checked() {
    let dev = shared();
    let site = site(&dev, "rejects-others");
    let url = format!("https://shop.example/{}", "x".repeat(2_048));
    let of = |name: &str| {
        event(
            name,
            json!({"item_id": "a", "experiment_id": "x", "metric": "LCP"}),
        )
    };
    let far = 4_102_444_800_000_i64;
    check(
        &dev,
        &site,
        &[
            (of("refund"), "missing_field", "params.transaction_id"),
            (
                of("order_cancelled"),
                "missing_field",
                "params.transaction_id",
            ),
            (
                of("payment_success"),
                "missing_field",
                "params.transaction_id",
            ),
            (
                of("payment_failed"),
                "missing_field",
                "params.transaction_id",
            ),
            (
                event("stock_update", json!({"stock": 1})),
                "missing_field",
                "params.item_id",
            ),
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
            (
                event("experiment_view", json!({})),
                "missing_field",
                "params.experiment_id",
            ),
            (of("experiment_view"), "missing_field", "params.variant_id"),
            (
                event("web_vital", json!({"value": 1})),
                "missing_field",
                "params.metric",
            ),
            (of("web_vital"), "missing_field", "params.value"),
            (
                view("params", json!({"note": "x".repeat(1_025)})),
                "field_too_long",
                "params.note",
            ),
            (
                view("params", json!({"a": [{"b": "x".repeat(1_025)}]})),
                "field_too_long",
                "params.a[0].b",
            ),
            (
                view("context", json!({"page_url": url})),
                "field_too_long",
                "context.page_url",
            ),
            (view("ts", json!("yesterday")), "timestamp_invalid", "ts"),
            (view("ts", json!(1.5)), "timestamp_invalid", "ts"),
            (view("ts", json!(5)), "timestamp_invalid", "ts"),
            (view("ts", json!(far)), "timestamp_invalid", "ts"),
            (
                view("ts", json!(now_ms() - 40 * DAY_MS)),
                "timestamp_too_old",
                "ts",
            ),
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
    let mut cases = vec![(
        event.clone(),
        "value_out_of_bounds",
        "params.items[1].quantity",
    )];
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

/// What could be read differently than meant is accepted with a warning.
#[test]
fn doubtful_events_are_accepted_with_a_warning() {
    let dev = shared();
    let site = site(&dev, "rejects-warnings");
    let mut anonymous = view("id", Value::Null);
    anonymous.as_object_mut().expect("an object").remove("ts");
    let cases = [
        (
            purchase("value", json!("10.5")),
            "value_rounded",
            "params.value",
        ),
        (view("name", json!("view")), "alias_used", "name"),
        (
            view("user_id", json!("undefined")),
            "user_id_ignored",
            "user_id",
        ),
        (anonymous, "not_idempotent", "id"),
    ];
    for (at, (event, code, field)) in cases.into_iter().enumerate() {
        let mut event = event;
        if event["id"] == json!("e-1") {
            event["id"] = json!(format!("warned-{at}"));
        }
        let answer = site.send(&dev, std::slice::from_ref(&event));
        assert_eq!(answer["accepted"], json!(1), "{answer}");
        let told = &answer["warnings"][0];
        assert_eq!(
            (&told["index"], &told["code"]),
            (&json!(0), &json!(code)),
            "{event}: {answer}"
        );
        assert_eq!(told["field"], json!(field), "{answer}");
    }
    let future = view("ts", json!(now_ms() + DAY_MS));
    let batch = json!({"site": site.id, "events": [future]});
    let answer = dev
        .collect(Some(&site.server_key), &batch)
        .expect("an answer");
    let answer = answer.json().expect("a body");
    assert_eq!(
        answer["warnings"][0]["code"],
        json!("timestamp_clamped"),
        "{answer}"
    );
}

/// A browser may report a week back and no further.
#[test]
fn a_write_key_reaches_a_week_back() {
    let dev = shared();
    let site = site(&dev, "rejects-week");
    let event = |id: &str, age: i64| json!({"id": id, "name": "page_view", "client_id": "c-1", "ts": now_ms() - age * DAY_MS});
    let events = [event("new", 6), event("old", 8)];
    let batch = json!({"site": site.id, "key": site.write_key, "events": events});
    let answer = dev
        .collect(None, &batch)
        .expect("an answer")
        .json()
        .expect("a body");
    assert_eq!(answer["accepted"], json!(1), "{answer}");
    assert_eq!(
        answer["rejected"][0]["code"],
        json!("timestamp_too_old"),
        "{answer}"
    );
    assert_eq!(answer["rejected"][0]["index"], json!(1), "{answer}");
}

/// What a site refuses by its settings: bots, and visitors who did not consent.
#[test]
fn settings_refuse_bots_and_missing_consent() {
    let dev = shared();
    let settings = json!({"origins": ["*"], "bots": "reject", "privacy": {"denied": "reject"}});
    let site = Site::create(&dev, "rejects-policy", &settings);
    let send = |agent: &str, consent: Value| {
        let batch = json!({
            "site": site.id, "key": site.write_key, "client_id": "c-1", "consent": consent,
            "events": [{"name": "page_view", "ts": now_ms()}],
        });
        let headers = [("content-type", "text/plain"), ("user-agent", agent)];
        let url = dev.edge("/v1/events");
        let answer = http::send("POST", &url, &headers, batch.to_string().as_bytes());
        answer.expect("an answer").json().expect("a body")
    };
    let browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                   Chrome/142.0.0.0 Safari/537.36";
    let crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    let granted = json!({"analytics": true, "ads": true});
    let denied = json!({"analytics": false, "ads": false});
    let code = |answer: &Value| answer["rejected"][0]["code"].clone();
    assert_eq!(code(&send(crawler, granted.clone())), json!("bot"));
    assert_eq!(code(&send(browser, denied)), json!("consent_denied"));
    assert_eq!(send(browser, granted)["accepted"], json!(1));
}

/// Events of one batch that repeat each other are counted once, and the answer adds up.
#[test]
fn repeats_within_a_batch_are_duplicates() {
    let dev = shared();
    let site = site(&dev, "rejects-repeats");
    let one =
        json!({"id": "0193A5F0000070008000000000000001", "name": "page_view", "client_id": "c-1"});
    let mut same = one.clone();
    same["id"] = json!("0193a5f0-0000-7000-8000-000000000001");
    let mut other_client = one.clone();
    other_client["client_id"] = json!("c-2");
    let answer = site.send(
        &dev,
        &[one, same, other_client, view("name", json!("No Name"))],
    );
    let counts = [&answer["accepted"], &answer["duplicates"]];
    assert_eq!(counts, [&json!(2), &json!(1)], "{answer}");
    assert_eq!(
        answer["rejected"].as_array().map(Vec::len),
        Some(1),
        "{answer}"
    );
    site.expect_totals(&dev, &["events"], &json!([2]));
}

/// With `?validate=1` the answer is the same and nothing is stored.
#[test]
fn validation_alone_stores_nothing() {
    let dev = shared();
    let site = site(&dev, "rejects-validate");
    let batch = json!({
        "site": site.id, "events": [event("page_view", json!({})), view("name", json!("No Name"))],
    });
    let url = dev.edge("/v1/events?validate=1");
    for _ in 0..2 {
        let answer = http::post_json(&url, Some(&site.server_key), &batch).expect("an answer");
        let answer = answer.json().expect("a body");
        assert_eq!(
            (&answer["accepted"], &answer["duplicates"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(
            answer["rejected"][0]["code"],
            json!("name_invalid"),
            "{answer}"
        );
    }
    site.expect_totals(&dev, &["events", "visitors"], &json!([0, 0]));
}
