//! Rollups by second and minute go when they are old; what is asked of before is the same.

use aggregator::query::QueryError;
use serde_json::{Value, json};

use crate::support::shop::{morning, shop};
use crate::support::snapshot::{Snapshot, at};

const METRICS: [&str; 8] = [
    "events",
    "pageviews",
    "payment_success_rate",
    "visitors",
    "sessions",
    "orders",
    "late_events",
    "clients",
];

fn queries() -> Vec<Value> {
    let range = ["2026-03-02T10:00:07+07:00", "2026-03-02T10:13:33+07:00"];
    let whole = ["2026-03-02T00:00:00+07:00", "2026-03-03T00:00:00+07:00"];
    vec![
        json!({"metrics": METRICS, "date_range": range}),
        json!({"metrics": METRICS, "date_range": range, "dimensions": ["time:second"]}),
        json!({"metrics": METRICS, "date_range": whole, "dimensions": ["time:minute"]}),
        json!({"metrics": METRICS, "date_range": whole, "dimensions": ["time:hour"]}),
        json!({"metrics": ["events", "visitors"], "date_range": range,
            "dimensions": ["time:minute", "event:name"]}),
        json!({"metrics": ["p95"], "measure": "payment_latency_ms", "date_range": range}),
    ]
}

fn answers(shop: &Snapshot, now: &str) -> Vec<Value> {
    let ask = |query| shop.ask(now, query).unwrap()["results"].clone();
    queries().into_iter().map(ask).collect()
}

#[test]
fn answers_are_the_same_after_seconds_and_minutes_are_gone() {
    let mut shop = shop(morning());
    let now = "2026-03-02T11:00:00+07:00";
    let before = answers(&shop, now);
    let blocks = |shop: &Snapshot| {
        let site = shop.view.sites.values().next().unwrap();
        site.counters.keys().count()
    };
    let many = blocks(&shop);
    shop.pass_to("2026-03-04T12:00:00+07:00");
    // Each second block holds a minute; a mark takes the place of what went.
    let fewer = blocks(&shop);
    assert!(fewer < many, "{fewer} of {many}");
    assert_eq!(answers(&shop, now), before);
    shop.pass_to("2026-04-10T12:00:00+07:00");
    assert!(blocks(&shop) <= 1 + 2, "{} blocks are left", blocks(&shop));
    assert_eq!(answers(&shop, now), before);
    // What only rollups tell is told by the quarter of an hour.
    let rejected = |range: [&str; 2]| {
        shop.ask(now, json!({"metrics": ["rejected", "duplicates"], "date_range": range}))
    };
    let fine = rejected(["2026-03-02T10:00:07+07:00", "2026-03-02T10:13:33+07:00"]);
    assert!(matches!(fine, Err(QueryError::TooFine { .. })), "{fine:?}");
    assert!(rejected(["2026-03-02T10:00:00+07:00", "2026-03-02T10:15:00+07:00"]).is_ok());
    // What comes late counts all the same.
    let seconds = at("2026-03-02T10:05:00+07:00") / 1_000 - at("2026-03-02T10:00:00+07:00") / 1_000;
    shop.add_events(vec![crate::support::shop::event("z", "page_view", seconds)]);
    let minutes = json!({"metrics": ["events"], "dimensions": ["time:minute"],
        "date_range": ["2026-03-02T10:04:00+07:00", "2026-03-02T10:06:00+07:00"]});
    let answer = shop.ask(now, minutes).unwrap();
    let counts = answer["results"].as_array().unwrap().iter().map(|row| row["metrics"][0].clone());
    assert_eq!(counts.collect::<Vec<_>>(), [json!(0), json!(1)]);
}
