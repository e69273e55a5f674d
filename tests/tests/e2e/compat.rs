//! Other systems' calls through the real worker, with payloads as their public documentation
//! shows them: GA4's Measurement Protocol, Plausible's Events API, Segment's HTTP API.

use base64::prelude::{BASE64_STANDARD, Engine};
use edgetally_tests::dev::Dev;
use edgetally_tests::http::{self, Answer};
use serde_json::{Value, json};

use super::refusals::assert_problem;
use super::system::{Site, assert_no_panic, now_ms, shared};

const ORIGIN: &str = "https://shop.example";
const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_6) AppleWebKit/537.36 \
                       (KHTML, like Gecko) Chrome/85.0.4183.121 Safari/537.36 OPR/71.0.3770.284";

fn site(dev: &Dev, id: &str) -> Site {
    let settings = json!({"origins": [ORIGIN], "bots": "off", "currency": "USD"});
    Site::create(dev, id, &settings)
}

fn post(dev: &Dev, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let body = body.to_string();
    http::send("POST", &dev.edge(path), headers, body.as_bytes()).expect("an answer")
}

fn ga4(dev: &Dev, route: &str, site: &str, secret: &str, body: &Value) -> Answer {
    post(dev, &format!("{route}?measurement_id={site}&api_secret={secret}"), &[], body)
}

/// The example of GA4's guide to sending events.
fn ga4_purchase(transaction: &str) -> Value {
    json!({
        "client_id": "123456.7654321", "user_id": "u-1", "timestamp_micros": now_ms() * 1_000,
        "non_personalized_ads": false,
        "events": [{"name": "purchase", "params": {
            "transaction_id": transaction, "value": 72.05, "tax": 3.60, "shipping": 5.99,
            "currency": "USD", "coupon": "SUMMER_SALE", "session_id": "123",
            "engagement_time_msec": "100",
            "items": [{"item_id": "SKU_12345", "item_name": "Stan and Friends Tee",
                "affiliation": "Google Merchandise Store", "coupon": "SUMMER_FUN",
                "discount": 2.22, "index": 0, "item_brand": "Google",
                "item_category": "Apparel", "item_list_id": "related_products",
                "item_variant": "green", "price": 24.0167, "quantity": 3}],
        }}],
    })
}

/// A revenue goal as Plausible's reference shows it.
fn plausible_purchase(site: &Site, transaction: &str) -> Value {
    json!({
        "domain": site.id, "name": "Purchase", "url": "https://shop.example/thanks",
        "referrer": "https://www.google.com/", "props": {"order_id": transaction},
        "revenue": {"currency": "USD", "amount": 72.05},
    })
}

/// `Order Completed` of Segment's e-commerce specification, as its libraries batch it. Its times
/// are in the past: `sentAt` tells how old the event was.
fn segment_purchase(transaction: &str, message_id: &str) -> Value {
    json!({
        "type": "track", "event": "Order Completed", "messageId": message_id,
        "anonymousId": "507f191e810c19729de860ea", "userId": "u-1",
        "timestamp": "2026-03-02T03:00:00.000Z", "sentAt": "2026-03-02T03:00:00.500Z",
        "context": {
            "ip": "24.5.68.47", "userAgent": BROWSER, "locale": "en-US",
            "library": {"name": "analytics.js", "version": "2.11.1"},
            "page": {"path": "/thanks", "referrer": "", "title": "Thanks",
                "url": "https://shop.example/thanks"},
        },
        "properties": {
            "checkout_id": "fksdjfsdjfisjf9sdfjsd9f", "order_id": transaction,
            "affiliation": "Google Store", "total": 81.64, "revenue": 72.05, "shipping": 5.99,
            "tax": 3.60, "coupon": "hasbros", "currency": "USD",
            "products": [{"product_id": "SKU_12345", "sku": "SKU_12345", "brand": "Google",
                "name": "Stan and Friends Tee", "price": 24.0167, "quantity": 3,
                "category": "Apparel", "url": "https://shop.example/p/1"}],
        },
    })
}

fn batch_of(messages: &[Value]) -> Value {
    json!({"batch": messages, "sentAt": "2026-03-02T03:00:00.500Z"})
}

fn basic(key: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")))
}

fn segment(dev: &Dev, call: &str, key: &str, body: &Value) -> Answer {
    post(dev, &format!("/v1/{call}"), &[("authorization", &basic(key))], body)
}

fn assert_segment_success(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json().expect("a body"), json!({"success": true}));
}

/// One order that three systems report is one order, and three purchase events.
#[test]
fn one_order_told_by_three_systems_is_one_order() {
    let dev = shared();
    let site = site(&dev, "compat-order");
    let answer = ga4(&dev, "/mp/collect", &site.id, &site.server_key, &ga4_purchase("T_12345"));
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{}", answer.text());
    let body = plausible_purchase(&site, "T_12345");
    assert_eq!(post(&dev, "/api/event", &[("user-agent", BROWSER)], &body).status, 202);
    let body = batch_of(&[segment_purchase("T_12345", "ajs-next-1720000000000-a1b2")]);
    assert_segment_success(&segment(&dev, "batch", &site.write_key, &body));

    // Two of them name the user, the third is a cookieless client of its own.
    let revenue = json!([{"currency": "USD", "amount": "72.05"}]);
    let expected = json!([3, 1, revenue, 2, 0]);
    let metrics = ["events", "orders", "revenue", "visitors", "rejected"];
    site.expect_totals(&dev, &metrics, &expected);
    assert_eq!(site.events_by_name(&dev), [("purchase".to_owned(), 3)].into());
    assert_no_panic(&dev);
}

/// GA4's own senders get 204 once their call was read, whatever became of its events; only the
/// secret is judged.
#[test]
fn ga4_takes_the_server_key_as_secret() {
    let dev = shared();
    let site = site(&dev, "compat-ga4");
    let other = Site::create(&dev, "compat-ga4-other", &json!({}));
    let good = ga4_purchase("T-ga4");
    let send = |id: &str, secret: &str, body: &Value| ga4(&dev, "/mp/collect", id, secret, body);
    for (what, secret) in [
        ("no secret", ""),
        ("an unknown secret", "sk_unknown"),
        ("a write key", site.write_key.as_str()),
        ("a read key", dev.text("read_key")),
        ("another site's secret", other.server_key.as_str()),
    ] {
        assert_problem(&send(&site.id, secret, &good), 401, "key_invalid", what);
    }
    let nowhere = send("nowhere", &site.server_key, &good);
    assert_problem(&nowhere, 404, "unknown_site", "an unknown measurement id");
    let empty = send(&site.id, &site.server_key, &json!({"client_id": "1.2"}));
    let problem = assert_problem(&empty, 400, "invalid_batch", "no events");
    assert_eq!(problem["field"], json!("events"));

    let refused = json!({"client_id": "1.2", "events": [{"name": "_badEventName"}]});
    assert_eq!(send(&site.id, &site.server_key, &refused).status, 204);
    assert_eq!(send(&site.id, &site.server_key, &good).status, 204);
    let revenue = json!([{"currency": "USD", "amount": "72.05"}]);
    site.expect_totals(&dev, &["events", "rejected", "revenue"], &json!([1, 1, revenue]));
}

/// The debug route says what is wrong in GA4's words, and stores nothing, good or bad.
#[test]
fn ga4_debug_tells_what_is_wrong_and_stores_nothing() {
    let dev = shared();
    let site = site(&dev, "compat-ga4-debug");
    let debug = |body: &Value| ga4(&dev, "/debug/mp/collect", &site.id, &site.server_key, body);
    let messages = |body: &Value| {
        let answer = debug(body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().expect("a body")["validationMessages"].clone()
    };
    assert_eq!(messages(&ga4_purchase("T-debug")), json!([]));
    let told = messages(&json!({"client_id": "1.2", "events": [
        {"name": "page_view"},
        {"name": "_badEventName", "params": {}},
        {"name": "purchase", "params": {"currency": "USD", "value": 7.5}},
        {"name": "purchase", "params": {"transaction_id": "T", "value": -1}},
    ]}));
    let in_short = |message: &Value| {
        assert!(message["description"].as_str().is_some_and(|text| !text.is_empty()), "{message}");
        (message["fieldPath"].clone(), message["validationCode"].clone())
    };
    let short: Vec<_> = told.as_array().expect("a list").iter().map(in_short).collect();
    let expected = [
        ("events[1].name", "NAME_INVALID"),
        ("events[2].params.transaction_id", "VALUE_REQUIRED"),
        ("events[3].params.value", "VALUE_OUT_OF_BOUNDS"),
    ];
    assert_eq!(short, expected.map(|(path, code)| (json!(path), json!(code))));
    let answer = ga4(&dev, "/debug/mp/collect", &site.id, "sk_unknown", &ga4_purchase("T-debug"));
    assert_problem(&answer, 401, "key_invalid", "a wrong secret");
    site.expect_totals(&dev, &["events", "orders", "rejected"], &json!([0, 0, 0]));
}

/// Plausible's calls come without a key: the origin is all that is checked, and a dropped event is
/// told in a header.
#[test]
fn plausible_is_let_in_by_its_origin_alone() {
    let dev = shared();
    let site = site(&dev, "compat-plausible");
    let view = json!({"n": "pageview", "u": "https://shop.example/a", "d": site.id, "r": null});
    let send = |headers: &[(&str, &str)], body: &Value| post(&dev, "/api/event", headers, body);
    // Its script sends JSON as text; a stray key is of no meaning here.
    let from_page =
        [("content-type", "text/plain"), ("origin", ORIGIN), ("authorization", "Bearer wk_x")];
    for headers in [&from_page[..], &[("user-agent", BROWSER)]] {
        let answer = send(headers, &view);
        assert_eq!((answer.status, answer.text().as_str()), (202, "ok"));
        assert_eq!(answer.header("x-plausible-dropped"), None);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    for origin in ["https://evil.example", "null"] {
        let answer = send(&[("origin", origin)], &view);
        assert_problem(&answer, 403, "origin_not_allowed", origin);
    }
    let mut nowhere = view.clone();
    nowhere["d"] = json!("nowhere");
    assert_problem(&send(&[], &nowhere), 404, "unknown_site", "an unknown domain");
    for (long, short) in [("domain", "d"), ("name", "n"), ("url", "u")] {
        let mut without = view.clone();
        without[short] = Value::Null;
        let problem = assert_problem(&send(&[], &without), 400, "invalid_batch", long);
        assert_eq!(problem["field"], json!(long));
    }
    let custom = json!({"name": "Sign Up!", "url": "https://shop.example/", "domain": site.id});
    let refused = json!({"name": "404", "url": "https://shop.example/x", "domain": site.id});
    assert_eq!(send(&[], &custom).header("x-plausible-dropped"), None, "sign_up is a known name");
    let answer = send(&[], &refused);
    assert_eq!((answer.status, answer.header("x-plausible-dropped")), (202, Some("1")));
    site.expect_totals(&dev, &["events", "pageviews", "rejected"], &json!([3, 2, 1]));
}

/// Nothing that could tell a visitor again is taken from Plausible's calls: one address with one
/// browser is one visitor of the day.
#[test]
fn plausible_is_cookieless() {
    let dev = shared();
    let site = site(&dev, "compat-cookieless");
    let send = |address: &str, agent: &str, client: &str| {
        let body = json!({
            "name": "pageview", "url": "https://shop.example/", "domain": site.id,
            "client_id": client, "user_id": client, "props": {"client_id": client},
        });
        let headers = [("cf-connecting-ip", address), ("user-agent", agent)];
        assert_eq!(post(&dev, "/api/event", &headers, &body).status, 202);
    };
    send("203.0.113.7", BROWSER, "c-1");
    send("203.0.113.7", BROWSER, "c-2");
    send("203.0.113.8", BROWSER, "c-1");
    send("203.0.113.7", "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Firefox/142.0", "c-1");
    site.expect_totals(&dev, &["events", "visitors"], &json!([4, 3]));
}

/// Segment's libraries send any of the keys as the user of basic authentication, or the write key
/// in the body; nothing else opens.
#[test]
fn segment_takes_either_key() {
    let dev = shared();
    let site = site(&dev, "compat-segment-keys");
    let message = |id: &str| segment_purchase("T-keys", id);
    assert_segment_success(&segment(&dev, "track", &site.write_key, &message("m-1")));
    assert_segment_success(&segment(&dev, "track", &site.server_key, &message("m-2")));
    let with_key = |id: &str, key: &str| {
        let mut body = message(id);
        body["writeKey"] = json!(key);
        body
    };
    let in_body = |headers: &[(&str, &str)], key: &str| {
        post(&dev, "/v1/track", headers, &with_key("m-3", key))
    };
    assert_segment_success(&in_body(&[("origin", ORIGIN)], &site.write_key));
    for (what, answer) in [
        ("no key", post(&dev, "/v1/track", &[], &message("m-4"))),
        ("an unknown key in the body", in_body(&[], "wk_unknown")),
        ("a server key in the body", in_body(&[], &site.server_key)),
        ("an unknown key in the header", segment(&dev, "track", "wk_unknown", &message("m-4"))),
        ("a read key", segment(&dev, "track", dev.text("read_key"), &message("m-4"))),
        (
            "a wrong key in the header beside a good one",
            segment(&dev, "track", "wk_unknown", &with_key("m-4", &site.write_key)),
        ),
    ] {
        assert_problem(&answer, 401, "key_invalid", what);
    }
    let answer = in_body(&[("origin", "https://evil.example")], &site.write_key);
    assert_problem(&answer, 403, "origin_not_allowed", "another page with the write key");
    site.expect_totals(&dev, &["events", "orders"], &json!([3, 1]));
}

/// Every call becomes its event, and `messageId` is its id: what is sent again counts once.
#[test]
fn segment_calls_count_once_by_their_message_id() {
    let dev = shared();
    let site = site(&dev, "compat-segment");
    let anonymous = "507f191e810c19729de860ea";
    let identify = json!({"messageId": "m-identify", "anonymousId": anonymous, "userId": "u-1",
        "traits": {"email": "pgibbons@example.com", "plan": "premium", "logins": 5}});
    let page = json!({"messageId": "m-page", "anonymousId": anonymous, "name": "Home",
        "properties": {"title": "Home", "url": "https://shop.example/", "path": "/"}});
    let typed = |kind: &str, message: &Value, id: &str| {
        let mut message = message.clone();
        message["type"] = json!(kind);
        message["messageId"] = json!(id);
        message
    };
    let batch = batch_of(&[
        segment_purchase("T-seg", "m-track"),
        typed("page", &page, "m-page-2"),
        typed("identify", &identify, "m-identify"),
    ]);
    for _ in 0..2 {
        assert_segment_success(&segment(&dev, "identify", &site.server_key, &identify));
        assert_segment_success(&segment(&dev, "page", &site.write_key, &page));
        let track = segment_purchase("T-seg", "m-track");
        assert_segment_success(&segment(&dev, "track", &site.write_key, &track));
        assert_segment_success(&segment(&dev, "batch", &site.server_key, &batch));
    }
    // Twelve messages of four ids.
    let metrics = ["events", "duplicates", "orders", "pageviews", "visitors"];
    site.expect_totals(&dev, &metrics, &json!([4, 8, 1, 2, 1]));
    let names = [("identify", 1), ("page_view", 2), ("purchase", 1)];
    let names = names.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(site.events_by_name(&dev), names.into());

    let answer = segment(&dev, "batch", &site.server_key, &json!({"batch": {}}));
    let problem = assert_problem(&answer, 400, "invalid_batch", "no list");
    assert_eq!(problem["field"], json!("batch"));
    let many: Vec<Value> = (0..51).map(|at| typed("page", &page, &format!("p-{at}"))).collect();
    let answer = segment(&dev, "batch", &site.write_key, &batch_of(&many));
    assert_problem(&answer, 413, "too_many_events", "51 by a write key");
    assert_no_panic(&dev);
}
