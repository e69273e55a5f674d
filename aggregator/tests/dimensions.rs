//! Every metric and every dimension against numbers counted by hand, and sums over dimensions.

use std::collections::BTreeMap;

use aggregator::query::dimension::{DIMENSIONS, Dimension, dimension};
use aggregator::query::metric::{METRICS, Metric};
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::ids::UserId;
use edgetally_proto::record::Flags;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::shop::{event, item, items, morning, on, order, shop};
use crate::support::snapshot::Snapshot;

/// In the middle of the visit of `b`; the day goes on in what is asked for.
const NOW: &str = "2026-03-02T10:12:31+07:00";

fn ask(shop: &Snapshot, mut query: Value) -> Vec<String> {
    if query["date_range"].is_null() {
        query["date_range"] = json!(["2026-03-02", "2026-03-02"]);
    }
    let answer = shop.ask(NOW, query.clone()).unwrap_or_else(|e| panic!("{query}: {e:?}"));
    let rows = answer["results"].as_array().unwrap().iter();
    let texts = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one.as_str().map_or_else(|| plain(one), str::to_owned)).collect::<Vec<_>>()
    };
    let mut rows: Vec<String> = rows
        .map(|row| {
            let (by, numbers) = (texts(&row["dimensions"]), texts(&row["metrics"]));
            format!("{}: {}", by.join(", "), numbers.join(" "))
        })
        .collect();
    rows.sort();
    rows
}

/// A number, or the amounts of a list without their currency.
fn plain(value: &Value) -> String {
    match value.as_array() {
        Some(all) => all.iter().map(|one| one["amount"].as_str().unwrap()).collect(),
        None => value.to_string(),
    }
}

#[test]
fn every_metric_without_a_dimension() {
    let shop = shop(morning());
    let expected = [
        ("events", "15"),
        ("pageviews", "3"),
        ("item_views", "2"),
        ("add_to_carts", "1"),
        ("checkouts", "0"),
        ("searches", "2"),
        ("payments_succeeded", "1"),
        ("payments_failed", "1"),
        ("payment_success_rate", "50.00"),
        ("visitors", "2"),
        ("new_visitors", "2"),
        ("returning_visitors", "0"),
        ("concurrent_visitors", "1"),
        ("sessions", "3"),
        ("visits", "3"),
        ("bounce_rate", "33.33"),
        // 65 s, 180 s and 0 s.
        ("session_duration", "81.67"),
        ("visit_duration", "81.67"),
        ("views_per_session", "1.00"),
        ("views_per_visit", "1.00"),
        ("conversion_rate", "33.33"),
        ("orders", "1"),
        ("orders_pending", "1"),
        ("revenue", "300"),
        ("refunds", "50"),
        ("net_revenue", "250"),
        // 2 x 100 and 1 x 50; less what came back.
        ("gmv", "250"),
        ("nmv", "200"),
        ("units", "3"),
        ("aov", "300"),
        ("rejected", "0"),
        ("duplicates", "0"),
        ("bot_events", "1"),
        ("late_events", "1"),
        ("clients", "2"),
        ("p50", "120"),
        ("p75", "120"),
        ("p95", "120"),
        ("p99", "120"),
    ];
    let named: Vec<&str> = METRICS.iter().map(|(name, _)| *name).collect();
    for name in named.iter().filter(|name| !["cost", "roas"].contains(name)) {
        let (_, number) = expected.iter().find(|(known, _)| known == name).expect("a number");
        let mut query = json!({"metrics": [name]});
        if name.starts_with('p') && name[1..].parse::<u8>().is_ok() {
            query["measure"] = json!("payment_latency_ms");
        }
        assert_eq!(ask(&shop, query), [format!(": {number}")], "{name}");
    }
}

fn check(metrics: &[&str], by: &[&str], expected: &[&str]) {
    let query = json!({"metrics": metrics, "dimensions": by, "measure": null});
    assert_eq!(ask(&shop(morning()), query), expected, "{metrics:?} by {by:?}");
}

#[test]
fn events_by_what_they_say() {
    check(
        &["events", "visitors", "sessions", "bounce_rate"],
        &["event:page"],
        &[
            "(none): 5 2 2 0.00",
            "/checkout: 1 1 1 0.00",
            "/home: 3 2 2 0.00",
            "/p/1: 2 1 1 0.00",
            "/p/2: 2 1 2 50.00",
            "/search: 2 2 2 0.00",
        ],
    );
    check(&["searches", "visitors"], &["event:search_term"], &["(none): 0 2", "laptop: 2 2"]);
    check(&["searches"], &["event:search_term"], &["laptop: 2"]);
    check(&["events", "sessions"], &["event:param:color"], &["(none): 14 3", "red: 1 1"]);
    check(
        &["sessions", "conversion_rate", "clients"],
        &["event:name"],
        &[
            "add_to_cart: 1 100.00 1",
            "experiment_view: 0 null 1",
            "order_created: 1 0.00 1",
            "page_view: 3 33.33 2",
            "payment_failed: 1 0.00 1",
            "payment_success: 1 100.00 1",
            "purchase: 1 100.00 1",
            "search: 2 50.00 2",
            "view_item: 2 50.00 2",
            "web_vital: 0 null 1",
        ],
    );
}

#[test]
fn products() {
    check(
        &["item_views", "add_to_carts", "checkouts", "orders", "units", "revenue", "gmv"],
        &["item:id"],
        &["sku-1: 1 1 0 1 2 200 200", "sku-2: 1 1 0 1 1 50 50"],
    );
    // The catalog knows one of them.
    check(&["units", "item_views"], &["item:name"], &["(none): 1 1", "Laptop: 2 1"]);
    check(&["units", "item_views"], &["item:category"], &["(none): 1 1", "it: 2 1"]);
    check(&["units", "sessions"], &["item:brand"], &["(none): 1 3", "Acme: 2 1"]);
    check(&["sessions", "visitors"], &["item:id"], &["(none): 3 2", "sku-1: 1 1", "sku-2: 2 2"]);
    check(
        &["units", "orders"],
        &["item:id", "visit:city"],
        &["sku-1, Huế: 2 1", "sku-2, Huế: 1 1"],
    );
}

#[test]
fn experiments() {
    let metrics = ["visitors", "sessions", "conversion_rate", "orders", "revenue"];
    check(&metrics, &["experiment:id"], &["(none): 1 2 0.00 0 0", "banner: 1 1 100.00 1 300"]);
    check(&metrics, &["experiment:variant"], &["(none): 1 2 0.00 0 0", "blue: 1 1 100.00 1 300"]);
}

/// Sessions, events, orders and revenue under each dimension of visits.
#[test]
fn visits() {
    let metrics = ["sessions", "visitors", "events", "pageviews", "orders", "revenue"];
    let (ad, own) = ("1 1 8 1 1 300", "2 1 6 2 0 0");
    // The refund has no visitor: under what a visit says it is nowhere.
    let nobody = "(none): 0 0 1 0 0 0";
    let with_nobody = "(none): 2 1 7 2 0 0";
    for (by, a, b) in [
        ("channel", "Paid Social", "Direct"),
        ("source", "facebook", ""),
        ("medium", "cpc", ""),
        ("campaign", "sale", ""),
        ("term", "shoes", ""),
        ("content", "red", ""),
        ("device", "mobile", "desktop"),
        ("browser", "Safari", "Chrome"),
        ("os", "iOS", "Windows"),
        ("country", "VN", "SG"),
        ("region", "Hà Nội", ""),
    ] {
        let mut expected = match b {
            "" => vec![with_nobody.to_owned()],
            _ => vec![nobody.to_owned(), format!("{b}: {own}")],
        };
        expected.push(format!("{a}: {ad}"));
        expected.sort();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&metrics, &[&format!("visit:{by}")], &expected);
    }
    check(&metrics, &["visit:referrer"], &["(none): 3 2 15 3 1 300"]);
    check(
        &metrics,
        &["visit:platform"],
        &["mweb: 1 1 8 1 1 300", "server: 0 0 1 0 0 0", "web: 2 1 6 2 0 0"],
    );
    // An order goes somewhere; a visit comes from somewhere.
    check(
        &metrics,
        &["visit:city"],
        &["(none): 2 1 7 2 0 0", "Ba Đình: 1 1 8 1 0 0", "Huế: 0 0 0 0 1 300"],
    );
    check(
        &metrics,
        &["visit:entry_page"],
        &["(none): 0 0 1 0 0 0", "/home: 2 2 13 2 1 300", "/p/2: 1 1 1 1 0 0"],
    );
    check(
        &metrics,
        &["visit:exit_page"],
        &["(none): 0 0 1 0 0 0", "/checkout: 1 1 8 1 1 300", "/p/2: 2 1 6 2 0 0"],
    );
}

#[test]
fn what_only_events_have_by_visit() {
    check(&["payment_success_rate"], &["visit:channel"], &["Direct: 0.00", "Paid Social: 100.00"]);
    check(&["clients"], &["visit:country"], &["SG: 1", "VN: 1"]);
    check(&["bot_events"], &["visit:country"], &["VN: 1"]);
    check(&["late_events"], &["visit:browser"], &["Chrome: 1"]);
    check(&["concurrent_visitors"], &["visit:country"], &["SG: 1"]);
    check(&["new_visitors", "returning_visitors"], &["visit:os"], &["Windows: 1 0", "iOS: 1 0"]);
    for (measure, number) in [("payment_latency_ms", "120"), ("web_vital:TTFB", "12.7")] {
        let query = json!({"metrics": ["p75"], "dimensions": ["visit:device"], "measure": measure});
        assert_eq!(ask(&shop(morning()), query), [format!("mobile: {number}")]);
    }
}

#[test]
fn orders_by_their_own_dimensions() {
    let metrics = ["orders", "orders_pending", "units", "aov", "nmv"];
    check(&metrics, &["order:platform"], &["web: 1 1 3 300 200"]);
    check(&metrics, &["order:status"], &["completed: 1 0 3 300 200", "pending: 0 1 0 null 0"]);
}

#[test]
fn filters_of_every_kind() {
    let shop = shop(morning());
    let check = |metrics: &[&str], filters: Value, expected: &str| {
        let query = json!({"metrics": metrics, "filters": filters});
        assert_eq!(ask(&shop, query), [format!(": {expected}")], "{metrics:?} with {filters}");
    };
    check(&["events"], json!([["is", "event:page", ["/home"]]]), "3");
    check(&["events"], json!([["is_not", "event:page", ["/home"]]]), "12");
    check(&["events", "visitors"], json!([["contains", "event:page", ["/p/"]]]), "4 2");
    check(&["events"], json!([["contains_not", "event:page", ["/"]]]), "5");
    check(&["pageviews"], json!([["matches", "event:page", ["^/p/[0-9]$"]]]), "1");
    check(&["sessions"], json!([["is", "event:search_term", ["laptop"]]]), "2");
    check(&["events"], json!([["is", "event:param:color", ["red", "blue"]]]), "1");
    check(&["orders", "revenue"], json!([["is", "item:id", ["sku-2"]]]), "1 50");
    check(&["item_views"], json!([["is", "item:category", ["it"]]]), "1");
    check(&["sessions"], json!([["is_not", "experiment:variant", ["blue"]]]), "2");
    check(&["orders"], json!([["is", "experiment:id", ["banner"]]]), "1");
    check(&["events"], json!([["is", "visit:channel", ["Paid Social"]]]), "8");
    check(&["clients"], json!([["is", "event:name", ["search", "web_vital"]]]), "2");
    let joined = json!([[
        "or",
        [
            ["is", "event:page", ["/search"]],
            [
                "and",
                [["is", "event:name", ["page_view"]], ["not", ["is", "visit:country", ["SG"]]]]
            ]
        ]
    ]]);
    // Two searches, and the page view of `a`.
    check(&["events", "visitors"], joined, "3 2");
    check(&["rejected"], json!([["is", "reject:code", ["bot"]]]), "0");
    check(&["orders"], json!([["is", "order:status", ["cancelled"]]]), "0");
}

/// What only events have decides which persons are counted under what their visit says.
#[test]
fn filters_by_event_beside_a_visit() {
    let bought = json!({"metrics": ["visitors", "sessions", "events"],
        "dimensions": ["visit:country"], "filters": [["is", "event:name", ["purchase"]]]});
    assert_eq!(ask(&shop(morning()), bought), ["VN: 1 1 1"]);
}

/// A second, an hour and a day of it, the empty ones filled.
#[test]
fn rows_of_time_beside_other_dimensions() {
    let shop = shop(morning());
    let query = json!({"metrics": ["events", "sessions"],
        "dimensions": ["time:minute", "visit:channel"],
        "filters": [["is_not", "visit:channel", ["(none)"]]],
        "date_range": ["2026-03-02T10:00:30+07:00", "2026-03-02T10:03:00+07:00"]});
    let minute = |minute: u8| format!("2026-03-02T10:0{minute}:00.000+07:00, Paid Social:");
    // From half past on; the session began before.
    let expected = ["2 0", "2 0", "1 0"];
    let expected: Vec<String> =
        (0..3).zip(expected).map(|(at, numbers)| format!("{} {numbers}", minute(at))).collect();
    assert_eq!(ask(&shop, query), expected);
}

/// What a random event is made of.
pub fn random() -> impl Strategy<Value = Event> {
    let names = [
        "page_view",
        "search",
        "view_item",
        "add_to_cart",
        "purchase",
        "order_created",
        "payment_success",
        "payment_failed",
        "refund",
        "web_vital",
        "experiment_view",
        "login",
        "custom",
    ];
    let who = (0u8..5, prop::option::weighted(0.1, 0u8..3), 0u8..10);
    (0..names.len(), who, 0i64..200_000, 0u8..4, 0u8..6).prop_map(
        move |(name, (client, user, kind), second, page, transaction)| {
            let name = names[name];
            let client = ["", "a", "b", "c", "bot"][usize::from(client)];
            let lines = [item("sku-1", None, 1), item("sku-2", Some(7), u32::from(page) + 1)];
            let lines = &lines[usize::from(page % 2)..];
            let number = format!("T{transaction}");
            let value = i64::from(transaction) * 10;
            let fact = match name {
                "purchase" | "order_created" => Some(order(&number, value, lines)),
                "payment_success" | "payment_failed" | "refund" => Some(order(&number, 0, &[])),
                "view_item" | "add_to_cart" => Some(items(lines)),
                _ => None,
            };
            let sent = on(event(client, name, second), &format!("/{page}"));
            let is_server = client.is_empty() || kind == 0;
            let platform = if is_server { Platform::Server } else { sent.platform };
            let user = user.filter(|_| !client.is_empty());
            Event {
                fact: fact.map(Box::new),
                platform,
                user: user.map(|user| UserId::parse(&format!("u{user}")).unwrap()),
                page: sent.page.clone().filter(|_| page > 0),
                ..sent
            }
        },
    )
}

const ADDITIVE: [&str; 21] = [
    "events",
    "pageviews",
    "item_views",
    "add_to_carts",
    "checkouts",
    "searches",
    "payments_succeeded",
    "payments_failed",
    "bot_events",
    "late_events",
    "new_visitors",
    "sessions",
    "orders",
    "orders_pending",
    "units",
    "revenue",
    "refunds",
    "net_revenue",
    "gmv",
    "nmv",
    "rejected",
];

/// The sum of each metric over all rows, amounts by currency.
fn sums(shop: &Snapshot, metrics: &[&str], by: &[&str]) -> Vec<BTreeMap<String, i128>> {
    let query = json!({"metrics": metrics, "dimensions": by, "date_range": "all"});
    let answer = shop.ask("2026-03-06T00:00:00+07:00", query).unwrap();
    let mut sums = vec![BTreeMap::new(); metrics.len()];
    for row in answer["results"].as_array().unwrap() {
        for (sum, value) in sums.iter_mut().zip(row["metrics"].as_array().unwrap()) {
            let parts: Vec<(String, i128)> = match value.as_array() {
                None => vec![(String::new(), value.to_string().parse().unwrap())],
                Some(all) => all
                    .iter()
                    .map(|one| {
                        let amount = one["amount"].as_str().unwrap().parse().unwrap();
                        (one["currency"].to_string(), amount)
                    })
                    .collect(),
            };
            for (currency, number) in parts {
                *sum.entry(currency).or_default() += number;
            }
        }
    }
    // What is nothing may be told or not.
    sums.iter_mut().for_each(|sum: &mut BTreeMap<_, _>| sum.retain(|_, number| *number != 0));
    sums
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Over site, event, visit and order dimensions, alone and beside each other.
    #[test]
    fn sums_over_dimensions_are_totals(sent in prop::collection::vec(random(), 1..60)) {
        let sent: Vec<Event> = (0..).zip(sent).map(|(at, event)| Event {
            id: edgetally_proto::ids::EventId::parse(&format!("e{at}")).unwrap(),
            flags: event.flags.with(Flags::SERVER_KEY, true),
            ..event
        }).collect();
        let shop = shop(sent);
        for (by, dimension_) in DIMENSIONS {
            let kinds = ["time:", "event:", "visit:", "order:"];
            if by == "time:second" || !kinds.iter().any(|kind| by.starts_with(kind)) {
                continue;
            }
            // A session with two pages is in two rows: of what events say only events add up.
            let adds_up = |metric: &Metric| {
                metric.goes_with(dimension_) && (metric.is_of_events() || !dimension_.is_of_event())
            };
            let is_additive = |name: &&str| {
                METRICS.iter().any(|(known, metric)| known == name && adds_up(metric))
            };
            let metrics: Vec<&str> = ADDITIVE.iter().copied().filter(is_additive).collect();
            let totals = sums(&shop, &metrics, &[]);
            prop_assert_eq!(&sums(&shop, &metrics, &[by]), &totals, "by {}", by);
            if !matches!(dimension(by, ""), Ok(Dimension::Time(_))) {
                prop_assert_eq!(&sums(&shop, &metrics, &[by, "time:day"]), &totals, "{} a day", by);
            }
        }
    }
}
