//! Every metric of sessions, persons and orders, and every dimension of visits, counted by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{Site, create_key, shared};

const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);
/// 2026-03-02T00:00:00+07:00
const MIDNIGHT: i64 = 1_772_384_400_000;
const DAY: [&str; 2] = ["2026-03-02", "2026-03-02"];

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
const DESKTOP: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

fn at(clock: &str) -> i64 {
    let parts: Vec<i64> = clock.split(':').map(|part| part.parse().expect("a number")).collect();
    MIDNIGHT + ((parts[0] * 60 + parts[1]) * 60 + parts.get(2).copied().unwrap_or(0)) * 1_000
}

fn line(price: i64, quantity: i64) -> Value {
    json!([{"item_id": "sku-1", "price": price, "quantity": quantity}])
}

/// W comes by an advertisement, buys, gets a part of it back, and signs in in the afternoon. V
/// comes from a search engine, buys and cancels. X has been there the day before, with the app, and
/// orders without paying.
fn events() -> Vec<Value> {
    let event = |id: &str, client: &str, name: &str, clock: &str, params: Value, context: Value| {
        json!({"id": id, "client_id": client, "name": name, "ts": at(clock), "params": params,
            "context": context})
    };
    let of_w = |page: &str| {
        let page_url = format!("https://shop.vn{page}");
        json!({"page_url": page_url, "user_agent": PHONE, "country": "VN", "region": "Hà Nội",
            "city": "Hà Nội"})
    };
    let of_v = |page: &str| {
        let page_url = format!("https://shop.vn{page}");
        json!({"page_url": page_url, "user_agent": DESKTOP, "country": "VN", "city": "Đà Nẵng"})
    };
    let server = |id: &str, name: &str, clock: &str, order: &str, value: Option<i64>| {
        let mut params = json!({"transaction_id": order, "currency": "VND"});
        if let Some(value) = value {
            params["value"] = json!(value);
        }
        let ts = at(clock);
        json!({"id": id, "name": name, "ts": ts, "platform": "server", "params": params})
    };
    let mut clicked = of_w("/");
    clicked["campaign"] = json!({
        "source": "facebook", "medium": "cpc", "name": "sale3", "term": "laptop", "content": "red",
    });
    let mut searched = of_v("/sale");
    searched["referrer"] = json!("https://www.google.com/");
    let bot = json!({"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"});
    let (none, empty) = (json!({}), json!({}));
    let t1 = json!({"transaction_id": "T1", "value": 300_000, "shipping_city": "Huế",
        "items": line(100_000, 3)});
    let t2 = json!({"transaction_id": "T2", "value": 50_000, "items": line(50_000, 1)});
    let t3 = json!({"transaction_id": "T3", "value": 80_000, "items": line(80_000, 1)});
    let mut all = vec![
        event("w1", "w", "page_view", "10:00", none.clone(), clicked),
        event("w2", "w", "page_view", "10:05", none.clone(), of_w("/p/1")),
        event("w3", "w", "purchase", "10:10", t1, of_w("/checkout")),
        event("v1", "v", "page_view", "11:00", none.clone(), searched),
        event("v2", "v", "purchase", "11:10", t3, of_v("/checkout")),
        event("x1", "x", "app_open", "-15:0", none.clone(), empty.clone()),
        event("x2", "x", "page_view", "12:00", none.clone(), empty.clone()),
        event("x3", "x", "order_created", "12:00:30", t2, empty),
        event("b1", "b", "page_view", "12:00", none.clone(), bot),
        event("w4", "w", "login", "14:00", none, of_w("/account")),
        server("r1", "refund", "15:00", "T1", Some(100_000)),
        server("c1", "order_cancelled", "15:00", "T3", None),
    ];
    for event in &mut all {
        match event["client_id"].as_str() {
            Some("w") => event["platform"] = json!("mweb"),
            Some("x") => event["platform"] = json!("android"),
            _ => {}
        }
        if event["id"] == "w4" {
            event["user_id"] = json!("u-1");
        }
    }
    all
}

/// A site with these events, and a key to read it.
fn site(dev: &Dev, id: &str) -> (Site, String) {
    let settings = json!({
        "timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "origins": ["*"],
        "own_hosts": ["shop.vn"], "retention": {"facts": "unlimited"},
    });
    let site = Site::create(dev, id, &settings);
    let batch = json!({"site": site.id, "events": events()});
    let answer = dev.collect(Some(&site.server_key), &batch).expect("an answer");
    let answer = answer.json().expect("a body");
    assert_eq!(answer["accepted"], json!(12), "{answer}");
    within("the events to arrive", ARRIVAL_LIMIT, || {
        let totals = site.totals(dev, &["events", "bot_events"]);
        Ok((totals == json!([11, 1])).then_some(()))
    })
    .expect("they arrive");
    let key = create_key(dev, id, "read");
    (site, key)
}

fn post(dev: &Dev, route: &str, key: &str, body: &Value) -> Value {
    let answer = http::post_json(&dev.aggregator(route), Some(key), body).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().expect("JSON")
}

fn vnd(amount: i64) -> Value {
    json!([{"currency": "VND", "amount": amount.to_string()}])
}

/// The row of each metric over the day, one by one and all in one query.
#[test]
fn every_metric_of_visits_is_as_counted_by_hand() {
    let dev = shared();
    let (site, key) = site(&dev, "visits-metrics");
    let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
    let expected = [
        ("visitors", json!(3)),
        ("new_visitors", json!(2)),
        ("returning_visitors", json!(1)),
        ("sessions", json!(4)),
        ("visits", json!(4)),
        ("bounce_rate", number("25.00")),
        ("session_duration", number("307.50")),
        ("visit_duration", number("307.50")),
        ("views_per_session", number("1.00")),
        ("views_per_visit", number("1.00")),
        ("conversion_rate", number("50.00")),
        ("orders", json!(2)),
        ("orders_pending", json!(1)),
        ("units", json!(4)),
        ("aov", vnd(190_000)),
        ("revenue", vnd(380_000)),
        ("refunds", vnd(180_000)),
        ("net_revenue", vnd(200_000)),
        ("gmv", vnd(380_000)),
        ("nmv", vnd(200_000)),
        ("events", json!(10)),
        ("late_events", json!(10)),
        ("bot_events", json!(1)),
    ];
    let ask = |metrics: &[&str], range: Value| {
        let query = json!({"site_id": site.id, "metrics": metrics, "date_range": range,
            "include": {"bounds": true}});
        let answer = post(&dev, "/v1/query", &key, &query);
        assert!(answer["meta"]["snapshot"].is_u64());
        answer["results"][0].clone()
    };
    for (metric, value) in &expected {
        let row = ask(&[metric], json!(DAY));
        assert_eq!(row["metrics"], json!([value]), "{metric}");
        assert_eq!(row["bounds"], json!([null]), "{metric} is exact");
    }
    let metrics = expected.each_ref().map(|(metric, _)| *metric);
    let aliases = ["visits", "visit_duration", "views_per_visit"];
    let named = |metric: &&&str| !aliases.contains(*metric);
    let metrics: Vec<&str> = metrics.iter().filter(named).copied().collect();
    let values: Vec<&Value> =
        expected.iter().filter(|(metric, _)| named(&metric)).map(|(_, value)| value).collect();
    assert_eq!(ask(&metrics, json!(DAY))["metrics"], json!(values));
    // At the end of a range, and only of its last five minutes: W and nobody else, then nobody.
    let until =
        |clock: &str| json!(["2026-03-02T09:00:00+07:00", format!("2026-03-02T{clock}+07:00")]);
    assert_eq!(ask(&["concurrent_visitors"], until("10:14:59"))["metrics"], json!([1]));
    assert_eq!(ask(&["concurrent_visitors"], until("10:15:00"))["metrics"], json!([0]));
    // The day before had X alone; over both, he is new.
    let both = json!(["2026-03-01", "2026-03-02"]);
    let metrics = ["visitors", "new_visitors", "returning_visitors", "sessions"];
    assert_eq!(ask(&metrics, both)["metrics"], json!([3, 3, 0, 5]));
}

/// Rows of a dimension: sessions, visitors, orders, revenue.
type Rows = BTreeMap<String, [i64; 4]>;

fn by(dev: &Dev, site: &Site, key: &str, dimension: &str) -> Rows {
    let query = json!({"site_id": site.id, "date_range": DAY, "dimensions": [dimension],
        "metrics": ["sessions", "visitors", "orders", "revenue"]});
    let answer = post(dev, "/v1/query", key, &query);
    let rows = answer["results"].as_array().expect("rows").iter();
    let row = |row: &Value| {
        let metrics = &row["metrics"];
        let count = |at: usize| metrics[at].as_i64().expect("a count");
        let amount = metrics[3][0]["amount"].as_str().and_then(|text| text.parse().ok());
        let name = row["dimensions"][0].as_str().expect("a name").to_owned();
        (name, [count(0), count(1), count(2), amount.expect("an amount")])
    };
    rows.map(row).collect()
}

/// Values of a dimension, each with what is counted under it.
type Counted = Vec<(&'static str, [i64; 4])>;

/// Every dimension of visits, each with the rows that the day has.
#[test]
fn every_dimension_of_visits_is_as_counted_by_hand() {
    let dev = shared();
    let (site, key) = site(&dev, "visits-dimensions");
    // Sessions, visitors, orders and revenue of W by the campaign, of V, and of X.
    let (w, v, x) = ([2, 1, 1, 300_000], [1, 1, 1, 80_000], [1, 1, 0, 0]);
    let (vx, wvx) = ([2, 2, 1, 80_000], [4, 3, 2, 380_000]);
    let none = "(none)";
    let expected: [(&str, Counted); 18] = [
        ("visit:channel", vec![("Paid Social", w), ("Organic Search", v), ("Direct", x)]),
        ("visit:source", vec![("facebook", w), ("google", v), (none, x)]),
        ("visit:medium", vec![("cpc", w), ("organic", v), (none, x)]),
        ("visit:campaign", vec![("sale3", w), (none, vx)]),
        ("visit:term", vec![("laptop", w), (none, vx)]),
        ("visit:content", vec![("red", w), (none, vx)]),
        ("visit:referrer", vec![("www.google.com", v), (none, [3, 2, 1, 300_000])]),
        ("visit:platform", vec![("mweb", w), ("web", v), ("android", x)]),
        ("visit:device", vec![("mobile", [3, 2, 1, 300_000]), ("desktop", v)]),
        ("visit:browser", vec![("Safari", w), ("Chrome", v), (none, x)]),
        ("visit:os", vec![("iOS", w), ("Windows", v), ("Android", x)]),
        ("visit:country", vec![("VN", [3, 2, 2, 380_000]), (none, x)]),
        ("visit:region", vec![("Hà Nội", w), (none, vx)]),
        // An order is where it goes.
        (
            "visit:city",
            vec![("Hà Nội", [2, 1, 0, 0]), ("Huế", [0, 0, 1, 300_000]), ("Đà Nẵng", v), (none, x)],
        ),
        (
            "visit:entry_page",
            vec![("/", [1, 1, 1, 300_000]), ("/account", [1, 1, 0, 0]), ("/sale", v), (none, x)],
        ),
        (
            "visit:exit_page",
            vec![("/checkout", [2, 2, 2, 380_000]), ("/account", [1, 1, 0, 0]), (none, x)],
        ),
        ("time:day", vec![("2026-03-02", wvx)]),
        ("time:month", vec![("2026-03-01", wvx)]),
    ];
    for (dimension, rows) in expected {
        let rows: Rows = rows.into_iter().map(|(name, row)| (name.to_owned(), row)).collect();
        let said = by(&dev, &site, &key, dimension);
        assert_eq!(said, rows, "{dimension}");
        let sum = |at: usize| said.values().map(|row| row[at]).sum::<i64>();
        assert_eq!([sum(0), sum(2), sum(3)], [4, 2, 380_000], "{dimension}");
    }
    for (dimension, rows) in [
        ("order:status", json!({"completed": [1, 0], "cancelled": [1, 0], "pending": [0, 1]})),
        ("order:platform", json!({"web": [2, 1]})),
    ] {
        let query = json!({"site_id": site.id, "date_range": DAY, "dimensions": [dimension],
            "metrics": ["orders", "orders_pending"]});
        let answer = post(&dev, "/v1/query", &key, &query);
        let told = answer["results"].as_array().expect("rows").iter();
        let told: BTreeMap<&str, &Value> = told
            .map(|row| (row["dimensions"][0].as_str().expect("a name"), &row["metrics"]))
            .collect();
        assert_eq!(json!(told), rows);
    }
}

/// The same day as a funnel.
#[test]
fn a_funnel_of_pages_is_as_counted_by_hand() {
    let dev = shared();
    let (site, key) = site(&dev, "visits-funnel");
    let steps = json!([{"event": "page_view"}, {"event": "page_view", "page": "/p/1"},
        {"event": "purchase", "page": "/checkout"}]);
    for (asked, expected) in [
        (json!({"steps": steps}), [3, 1, 1]),
        (json!({"steps": steps, "order": "strict"}), [3, 1, 1]),
        (json!({"steps": steps, "scope": "person"}), [3, 1, 1]),
        (
            json!({"steps": steps, "filters": [["is", "visit:channel", ["Organic Search"]]]}),
            [1, 0, 0],
        ),
    ] {
        let mut query = json!({"site_id": site.id, "date_range": DAY});
        for (name, value) in asked.as_object().expect("an object") {
            query[name] = value.clone();
        }
        let answer = post(&dev, "/v1/funnel", &key, &query);
        let counts = answer["steps"].as_array().expect("steps").iter();
        let counts: Vec<i64> =
            counts.map(|step| step["count"].as_i64().expect("a count")).collect();
        assert_eq!(counts, expected, "{asked}");
        assert_eq!(answer["steps"][2]["page"], "/checkout");
    }
}
