//! What is rising, and which variant is better, over events that came through the worker.

use edgetally_tests::dev::Dev;
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{Site, now_ms, shared};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn shop() -> Value {
    json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "origins": ["*"], "bots": "off"})
}

fn get(dev: &Dev, path: &str) -> (u16, Value) {
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let headers = [("authorization", authorization.as_str())];
    let answer = http::send("GET", &dev.aggregator(path), &headers, &[]).expect("an answer");
    (answer.status, answer.json().expect("an object"))
}

/// The values that rise, of a kind.
fn rising(dev: &Dev, site: &Site, kind: &str) -> Vec<Value> {
    let (status, answer) = get(dev, &format!("/v1/trends?site={}&kind={kind}", site.id));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["meta"]["false_alarm_rate"], 0.01, "{answer}");
    answer["results"].as_array().expect("results").clone()
}

/// A visit that looks at a page with its product, and searches.
fn visit(who: &str, at: i64, product: usize, term: &str) -> [Value; 3] {
    let page = format!("https://shop.vn/p/{product}");
    let event = |kind: &str, name: &str, params: Value| {
        json!({"id": format!("{who}-{kind}"), "client_id": who, "name": name, "ts": at,
            "context": {"page_url": page}, "params": params})
    };
    let item = json!({"item_id": format!("sku-{product}"), "price": 5_000});
    [
        event("p", "page_view", json!({})),
        event("v", "view_item", json!({"items": [item]})),
        event("s", "search", json!({"search_term": term})),
    ]
}

/// Of ten products, pages and terms one is wanted by more visits than before; that there are five
/// times as many visits in the hour as before lets nothing else rise.
#[test]
fn what_rises_is_told_and_nothing_else() {
    let dev = shared();
    let site = Site::create(&dev, "rising", &shop());
    let now = now_ms();
    let mut events = Vec::new();
    for n in 0..240 {
        let at = now - 2 * HOUR - (n as i64 % 20) * HOUR;
        events.extend(visit(&format!("before-{n}"), at, n % 10, &format!("term {}", n % 10)));
    }
    for n in 0..60 {
        let product = if n % 3 == 0 { 7 } else { n % 10 };
        let at = now - 30 * MINUTE + n as i64;
        events.extend(visit(&format!("now-{n}"), at, product, &format!("term {product}")));
    }
    events.chunks(900).for_each(|part| _ = site.send(&dev, part));
    site.expect_totals(&dev, &["sessions"], &json!([300]));
    for (kind, value) in [("products", "sku-7"), ("pages", "/p/7"), ("search_terms", "term 7")] {
        let found = rising(&dev, &site, kind);
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        assert_eq!(found[0]["value"], value);
        assert_eq!((&found[0]["sessions"], &found[0]["sessions_before"]), (&json!(24), &json!(24)));
        assert_eq!(found[0]["lift"], 4.0);
    }
    let (status, problem) = get(&dev, &format!("/v1/trends?site={}&kind=cities", site.id));
    assert_eq!((status, &problem["field"]), (400, &json!("kind")));
}

fn seen(who: &str, at: i64, variant: &str) -> Value {
    json!({"id": format!("{who}-{variant}-seen"), "client_id": who, "name": "experiment_view",
        "ts": at, "params": {"experiment_id": "button", "variant_id": variant}})
}

fn bought(who: &str, at: i64, value: i64) -> Value {
    json!({"id": format!("{who}-{at}"), "client_id": who, "name": "purchase", "ts": at,
        "params": {"transaction_id": format!("{who}-{at}"), "value": value, "currency": "VND"}})
}

fn identified(who: &str, user: &str, at: i64) -> Value {
    json!({"id": format!("{who}-login"), "client_id": who, "name": "login", "ts": at,
        "user_id": user})
}

/// Persons, not devices; orders from the first view on, and no others; those who saw both variants
/// count in none.
#[test]
fn an_experiment_counts_persons_and_what_they_bought_afterwards() {
    let dev = shared();
    let site = Site::create(&dev, "tested", &shop());
    let start = now_ms() - 3 * HOUR;
    let mut events = Vec::new();
    for n in 0..200 {
        let (who, variant) = (format!("p{n}"), if n % 2 == 0 { "blue" } else { "control" });
        events.push(seen(&who, start, variant));
        // Of blue every second person buys, of control every tenth.
        if n % 4 == 0 || n % 20 == 1 {
            events.push(bought(&who, start + MINUTE, 1_000));
        }
        events.push(bought(&who, start - MINUTE, 77));
    }
    // One person on two devices.
    for who in ["phone", "laptop"] {
        events.extend([seen(who, start, "blue"), identified(who, "ann", start + 1)]);
    }
    events.push(bought("laptop", start + MINUTE, 9_000));
    // What a server shows hours after a visit is shown to him who visited; to nobody, to nobody.
    events.extend([seen("both", start, "blue"), seen("both", start + 2 * HOUR, "control")]);
    events.extend([bought("both", start, 5), seen("nobody", start, "blue")]);
    site.send(&dev, &events);
    site.expect_totals(&dev, &["orders"], &json!([262]));
    let path = format!("/v1/experiments/button?site={}", site.id);
    let (status, answer) = get(&dev, &path);
    assert_eq!(status, 200, "{answer}");
    let apart = ["control", "several_variants", "views_of_absent"].map(|name| &answer[name]);
    assert_eq!(apart, [&json!("control"), &json!(1), &json!(1)]);
    let [blue, control] = [0, 1].map(|at| &answer["variants"][at]);
    let of =
        |row: &Value| ["variant", "persons", "converted", "orders"].map(|name| row[name].clone());
    assert_eq!(of(blue), [json!("blue"), json!(101), json!(51), json!(51)]);
    assert_eq!(of(control), [json!("control"), json!(100), json!(10), json!(10)]);
    assert_eq!(blue["revenue"], json!({"currency": "VND", "amount": "59000"}));
    assert_eq!(control["revenue"]["amount"], "10000");
    assert_eq!(blue["versus_control"]["conversion_rate"]["verdict"], "better", "{answer}");
    assert_eq!(answer["sample_ratio"]["is_mismatch"], false);
    for weights in ["blue:3,control:1", "blue:1,control:1,green:1"] {
        let (_, answer) = get(&dev, &format!("{path}&weights={weights}"));
        assert_eq!(answer["sample_ratio"]["is_mismatch"], true, "{weights}: {answer}");
    }
    assert_eq!(get(&dev, &format!("/v1/experiments/nobody?site={}", site.id)).0, 404);
}
