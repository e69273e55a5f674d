//! The raw archive that the worker wrote is all that a lost store needs: an empty one, filled from
//! it over the worker's own routes, answers as the old one did.
//!
//! What the edge refused or dropped as a repeat is not in the archive, so `rejected` and
//! `duplicates` are left out of what is compared.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aggregator::archive::bucket::BucketError;
use aggregator::archive::{self, reading};
use edgetally_proto::ids::SiteId;
use edgetally_tests::aggregator::Aggregator;
use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::events::DAY_MS;
use super::kept::kept;
use super::system::{Site, assert_no_panic, now_ms};

const SITE: &str = "replayed";
const PIXEL: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/141.0.0.0 Mobile Safari/537.36";
const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
/// The dev system's worker archives what waited for five seconds.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(90);
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);
/// What shards send to an aggregator that knows nothing of them has come after this long.
const RESENT: Duration = Duration::from_secs(5);

fn settings() -> Value {
    json!({
        "timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "origins": ["*"], "bots": "separate",
        "retention": {"facts": "unlimited"},
    })
}

fn item(id: &str, price: i64, quantity: i64) -> Value {
    json!({"item_id": id, "price": price, "quantity": quantity})
}

/// What the shop's server says of its orders and users, the older parts of it days late.
fn from_server() -> Vec<Value> {
    let now = now_ms();
    let of = |id: &str, name: &str, ago: i64, params: Value| {
        json!({"id": id, "name": name, "platform": "server", "client_id": "c-1", "user_id": "ann",
               "ts": now - ago, "params": params})
    };
    let order = |number: &str, value: Value| {
        let items = json!([item("a", 5_000, 3)]);
        json!({"transaction_id": number, "value": value, "items": items})
    };
    let paid = |ms: i64| json!({"transaction_id": "T-1", "latency_ms": ms});
    let mut usd = of("s-3", "purchase", 3 * DAY_MS, order("T-3", json!("12.50")));
    usd["params"]["currency"] = json!("USD");
    vec![
        of("s-1", "order_created", 60_000, order("T-1", json!(15_000))),
        of("s-2", "payment_success", 59_000, paid(180)),
        usd,
        of("s-4", "purchase", 2 * DAY_MS, order("T-4", json!(90_000))),
        of("s-5", "refund", DAY_MS, json!({"transaction_id": "T-4", "value": 90_000})),
        of("s-6", "payment_failed", 50_000, json!({"transaction_id": "T-5"})),
        of("s-7", "order_cancelled", 40_000, json!({"transaction_id": "T-3"})),
        of("s-8", "purchase", 1_000, json!({"transaction_id": "T-6", "value": "ten"})),
        of("s-1", "order_created", 60_000, order("T-1", json!(15_000))),
    ]
}

/// What a visitor's browser says, who signs in halfway and buys.
fn visit(client: &str, user: Option<&str>, number: i64) -> Vec<Value> {
    let now = now_ms();
    let url = format!("https://shop.example/p/{number}?utm_source=zalo&utm_medium=cpc");
    let page = json!({"page_url": url, "referrer": "https://www.google.com/"});
    let of = |at: i64, name: &str, params: Value| {
        json!({"id": format!("{client}-{at}"), "name": name, "client_id": client,
               "ts": now - 20_000 + at * 2_000, "params": params, "context": page})
    };
    let mut events = vec![
        of(0, "page_view", json!({})),
        of(1, "search", json!({"search_term": "trà"})),
        of(2, "view_item", json!({"items": [item("a", 5_000, 1)]})),
        of(3, "web_vital", json!({"metric": "LCP", "value": 1_800 + 10 * number})),
        of(4, "page_view", json!({"note": "without an id"})),
    ];
    if let Some(event) = events.last_mut().and_then(Value::as_object_mut) {
        event.remove("id");
    }
    if let Some(user) = user {
        let mut login = of(5, "login", json!({}));
        login["user_id"] = json!(user);
        let items = [item("a", 5_000, 2), item("b", 700, 1)];
        let number = format!("W-{number}");
        let bought = json!({"transaction_id": number, "value": 10_700, "items": items});
        events.extend([login, of(6, "purchase", bought)]);
    }
    events
}

/// Sends with the write key as a browser does, and tells how many were accepted and repeats.
fn send_from_page(dev: &Dev, site: &Site, more: &[(&str, &str)], events: &[Value]) -> [i64; 2] {
    let bearer = format!("Bearer {}", site.write_key);
    let mut headers = vec![
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("origin", "https://shop.example"),
        ("accept-language", "vi-VN"),
        ("sec-fetch-mode", "cors"),
    ];
    headers.extend(more);
    let body = json!({"site": site.id, "sent_at": now_ms(), "events": events}).to_string();
    let answer = http::send("POST", &dev.edge("/v1/events"), &headers, body.as_bytes());
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
    let answer = answer.json().expect("a body");
    ["accepted", "duplicates"].map(|name| answer[name].as_i64().expect("a count"))
}

/// Some of everything; returns how many events were accepted.
fn send_traffic(dev: &Dev, site: &Site) -> i64 {
    let answer = site.send(dev, &from_server());
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(7), &json!(1)), "{answer}");
    let mut accepted = 7;
    for number in 0..6 {
        let user = ["ann", "bob"].get(usize::try_from(number).expect("small")).copied();
        let events = visit(&format!("c-{number}"), user, number);
        let sent = i64::try_from(events.len()).expect("few");
        let agent = [("user-agent", PIXEL)];
        assert_eq!(send_from_page(dev, site, &agent, &events), [sent, 0]);
        // What has no id cannot be told from a second event: it is left out of the repetition.
        let named: Vec<Value> =
            events.into_iter().filter(|event| event["id"] != json!(null)).collect();
        assert_eq!(send_from_page(dev, site, &agent, &named), [0, sent - 1]);
        accepted += sent;
    }
    for (client, headers) in [
        ("hidden", vec![("user-agent", PIXEL), ("sec-gpc", "1")]),
        ("crawler", vec![("user-agent", CRAWLER)]),
    ] {
        accepted += send_from_page(dev, site, &headers, &visit(client, None, 9))[0];
    }
    accepted
}

/// Everything that is asked, over a time that does not move.
fn answers(url: &str, key: &str, until_ms: i64) -> Vec<(String, Value)> {
    let zone = aggregator::zone::Zone::default();
    let range = |ago: i64| json!([zone.rfc3339(until_ms - ago), zone.rfc3339(until_ms)]);
    let lately = range(600_000);
    let sales = ["orders", "revenue", "units", "aov", "payments_succeeded", "payments_failed"];
    let counts = ["events", "pageviews", "item_views", "searches", "bot_events", "visitors"];
    let shown = |range: Value, metrics: &[&str], dimensions: &[&str]| {
        json!({"site_id": SITE, "metrics": metrics, "date_range": range, "dimensions": dimensions,
               "include": {"bounds": true, "total_rows": true}})
    };
    let all = || range(5 * DAY_MS);
    let timed = |measure: &str| {
        let mut query = shown(all(), &["p50", "p75", "p95", "p99"], &[]);
        query["measure"] = json!(measure);
        query
    };
    let queries = [
        shown(all(), &counts, &[]),
        shown(all(), &sales, &[]),
        shown(all(), &["payment_success_rate", "clients"], &[]),
        shown(all(), &["events", "bot_events", "visitors"], &["event:name"]),
        shown(all(), &counts, &["time:day"]),
        shown(all(), &sales, &["time:hour"]),
        shown(all(), &["events", "visitors", "orders", "revenue"], &["time:minute"]),
        shown(lately.clone(), &["events", "visitors", "units"], &["time:second"]),
        shown(lately, &["concurrent_visitors", "clients"], &["time:minute"]),
        timed("payment_latency_ms"),
        timed("web_vital:LCP"),
    ];
    let ask = |query: Value| {
        let answer = http::post_json(&format!("{url}/v1/query"), Some(key), &query);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let mut report = answer.json().expect("a report");
        // How fresh it is and how long it took are not what is told of the site.
        report.as_object_mut().expect("an object").remove("meta");
        (query.to_string(), report)
    };
    queries.into_iter().map(ask).collect()
}

fn assert_same(now: &[(String, Value)], told: &[(String, Value)]) {
    assert_eq!(now.len(), told.len());
    for ((query, now), (_, told)) in now.iter().zip(told) {
        assert_eq!(now, told, "{query}");
    }
}

fn secret(dev: &Dev) -> String {
    let keys = fs::read_to_string(dev.data().join("keys.json")).expect("keys");
    let keys: Value = serde_json::from_str(&keys).expect("JSON");
    keys["edge_secret"].as_str().expect("a secret").to_owned()
}

/// How many lines the archive lists.
fn archived(dev: &Dev) -> Result<u64, BucketError> {
    let bucket = archive::open(&dev.edge(""), Some(&secret(dev)))?;
    let mut lines = 0;
    let site = SiteId::parse(SITE).ok();
    reading::folders(bucket.as_ref(), site.as_ref(), |_, folder| {
        let listed = folder.manifest(bucket.as_ref())?.map_err(BucketError)?;
        lines += listed.parts().map(|part| part.lines).sum::<u64>();
        Ok(())
    })?;
    Ok(lines)
}

fn replay(dev: &Dev, data: &Path) -> Value {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(std::path::PathBuf::from);
    let target = target.unwrap_or_else(|| edgetally_tests::root().join("target"));
    let output = Command::new(target.join("debug/edgetally"))
        .args(["replay", "--from", &dev.edge(""), "--data"])
        .arg(data)
        .env("EDGETALLY_EDGE_SECRET", secret(dev))
        .output()
        .expect("edgetally is built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn count(site: &Site, dev: &Dev) -> i64 {
    let totals = site.totals(dev, &["events", "bot_events"]);
    totals.as_array().expect("two").iter().filter_map(Value::as_i64).sum()
}

fn expect_count(site: &Site, dev: &Dev, expected: i64) {
    let mut last = 0;
    let reached = within("every event", ARRIVAL_LIMIT, || {
        last = count(site, dev);
        Ok((last == expected).then_some(()))
    });
    assert!(reached.is_ok(), "{last} events, not {expected}");
}

/// Fills an empty folder from the worker while it serves, and asks it before any shard can.
fn rebuild(dev: &Dev, folder: &Path, told: &[(String, Value)], until_ms: i64) {
    let mut aggregator = Aggregator::start(folder).expect("an empty one");
    aggregator.put_site(SITE, &settings()).expect("put");
    aggregator.kill().expect("killed");
    let lines = archived(dev).expect("listed");
    for known in [0, lines] {
        let said = replay(dev, folder);
        let site = &said["sites"][SITE];
        assert_eq!((&site["events"], &site["known"]), (&json!(lines), &json!(known)), "{said}");
        assert_eq!((&said["missing"], &said["damaged"]), (&json!([]), &json!([])), "{said}");
    }
    aggregator.start_again().expect("started");
    assert_same(&answers(&aggregator.url(""), aggregator.admin_key(), until_ms), told);
    aggregator.kill().expect("killed");
}

/// An emptied store that the archive filled answers as before, has the same sessions and orders,
/// and the worker goes on with it: what it sends again is known, what is new comes once.
#[test]
fn an_emptied_store_comes_back_from_the_workers_archive() {
    let data = tempfile::tempdir().expect("a folder");
    let dev = Dev::start_on(data.path()).expect("ready");
    let site = Site::create(&dev, SITE, &settings());
    let accepted = send_traffic(&dev, &site);
    expect_count(&site, &dev, accepted);
    assert_eq!(site.totals(&dev, &["bot_events"]), json!([5]), "the crawler's visit");
    // Instants of queries are whole seconds.
    let until_ms = now_ms() / 1_000 * 1_000;
    let told = answers(&dev.aggregator(""), dev.text("admin_key"), until_ms);
    within("the archive of every event", ARCHIVE_LIMIT, || {
        Ok((i64::try_from(archived(&dev)?)? == accepted).then_some(()))
    })
    .expect("archived");
    let rebuilt = data.path().join("rebuilt");
    rebuild(&dev, &rebuilt, &told, until_ms);
    assert!(dev.stop().expect("it ends").success());

    let (live, old) = (data.path().join("aggregator"), data.path().join("old"));
    fs::rename(&live, &old).expect("moved away");
    fs::rename(&rebuilt, &live).expect("put in its place");
    let [sessions, orders, owned] = kept(&old, SITE);
    assert!(sessions.len() > 6 && orders.len() > 3, "{sessions:#?} {orders:#?}");
    assert_eq!(kept(&live, SITE), [sessions, orders, owned]);

    let dev = Dev::start_on(data.path()).expect("ready again");
    let site = Site::create(&dev, SITE, &settings());
    std::thread::sleep(RESENT);
    assert_same(&answers(&dev.aggregator(""), dev.text("admin_key"), until_ms), &told);
    let events = visit("c-new", Some("cid"), 20);
    assert_eq!(send_from_page(&dev, &site, &[("user-agent", PIXEL)], &events), [7, 0]);
    let again = send_from_page(&dev, &site, &[("user-agent", PIXEL)], &visit("c-0", None, 0));
    assert_eq!(again, [1, 4], "the worker knows its ids; one event has none");
    expect_count(&site, &dev, accepted + 8);
    std::thread::sleep(RESENT);
    expect_count(&site, &dev, accepted + 8);
    assert_no_panic(&dev);
}
