//! Sessions read by the chunk say what they say row by row, whatever came late in between.

use std::sync::Arc;

use aggregator::columns::Store;
use aggregator::query::{QueryError, funnel};
use aggregator::view::View;
use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::Grade;
use edgetally_proto::event::Event;
use edgetally_proto::ids::EventId;
use edgetally_proto::settings::SiteSettings;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dimensions::random;
use crate::support::events::demo;
use crate::support::shop::shop;
use crate::support::snapshot::{Snapshot, at};

const NOW: &str = "2026-03-05T10:00:00+07:00";

/// An event of one of some campaigns, or of none.
fn tagged(event: Event, campaign: Option<u8>) -> Event {
    let Some(number) = campaign else { return event };
    let source = ["google", "facebook", "newsletter"][usize::from(number % 3)].to_owned();
    let medium = ["cpc", "email"][usize::from(number % 2)].to_owned();
    let campaign =
        Campaign { source, medium, name: format!("sale-{number}"), ..Campaign::default() };
    let grade = Grade::of_campaign(&campaign, None, &SiteSettings::default());
    Event { campaign: Some(campaign), grade: Some(Arc::new(grade)), ..event }
}

fn queries() -> Vec<Value> {
    let (days, hours) = (json!(["time:day", "visit:channel"]), json!(["time:hour"]));
    let sessions = json!([
        "sessions",
        "bounce_rate",
        "session_duration",
        "views_per_session",
        "conversion_rate",
        "new_visitors"
    ]);
    let heads = json!(["visitors", "new_visitors", "returning_visitors", "sessions", "orders"]);
    let filters = json!([[
        "or",
        [
            ["is", "visit:source", ["google"]],
            [
                "not",
                ["and", [["is", "visit:country", ["VN"]], ["contains", "visit:entry_page", ["1"]]]]
            ]
        ]
    ]]);
    let cut = json!(["2026-03-02T10:07:00+07:00", "2026-03-03T23:59:10+07:00"]);
    vec![
        json!({"metrics": sessions, "date_range": "7d", "dimensions": ["time:day"]}),
        json!({"metrics": sessions, "date_range": "7d", "dimensions": hours}),
        json!({"metrics": heads, "date_range": "7d", "dimensions": days}),
        json!({"metrics": heads, "date_range": cut, "dimensions": ["visit:source", "time:hour"]}),
        json!({"metrics": heads, "date_range": cut,
            "dimensions": ["visit:device", "visit:campaign", "visit:exit_page"]}),
        json!({"metrics": sessions, "date_range": cut, "dimensions": ["visit:entry_page"],
            "filters": filters}),
        json!({"metrics": heads, "date_range": "7d", "filters": filters}),
        json!({"metrics": ["visitors", "events"], "date_range": "7d",
            "dimensions": ["visit:os", "visit:city"]}),
    ]
}

/// Of events: told by columns, by records of some, and by both ways beside each other.
fn queries_of_events() -> Vec<Value> {
    let cut = json!(["2026-03-02T10:07:00+07:00", "2026-03-03T23:59:10+07:00"]);
    let named = json!([["is", "event:name", ["page_view", "view_item"]]]);
    let of_mobiles = json!([["is", "visit:device", ["mobile"]], ["is_not", "event:page", ["/1"]]]);
    vec![
        json!({"metrics": ["pageviews", "events"], "date_range": "7d",
            "dimensions": ["event:page"]}),
        json!({"metrics": ["events", "searches"], "date_range": cut,
            "dimensions": ["event:page", "visit:channel", "time:hour"], "filters": named}),
        json!({"metrics": ["events"], "date_range": cut, "dimensions": ["event:name"],
            "filters": of_mobiles}),
        json!({"metrics": ["item_views", "add_to_carts"], "date_range": cut,
            "dimensions": ["item:id", "visit:campaign"]}),
        json!({"metrics": ["item_views"], "date_range": "7d", "dimensions": ["time:day"],
            "filters": [["is", "item:id", ["sku-2"]]]}),
        json!({"metrics": ["events", "orders"], "date_range": cut,
            "dimensions": ["visit:entry_page", "time:minute"]}),
    ]
}

fn funnels() -> Vec<Value> {
    let cut = json!(["2026-03-02T10:07:00+07:00", "2026-03-03T23:59:10+07:00"]);
    vec![
        json!({"date_range": "7d", "dimensions": ["visit:device", "time:day"]}),
        json!({"date_range": cut, "order": "strict", "dimensions": ["visit:campaign"],
            "filters": [["is_not", "visit:entry_page", ["/2"]]],
            "steps": [{"event": "page_view"}, {"event": "search", "page": "/1"}]}),
    ]
}

fn funnel(view: &View, query: &Value) -> Result<Value, QueryError> {
    let mut asked = query.clone();
    asked["site_id"] = json!("demo");
    funnel::answer(view, &serde_json::from_value(asked).unwrap(), at(NOW))
}

fn check(shop: &Snapshot) -> Result<(), TestCaseError> {
    let rows = shop.with_columns(Store::with_room(0));
    // So little that there is always something that does not fit.
    let few = shop.with_columns(Store::with_room(1_000));
    for query in queries().into_iter().chain(queries_of_events()) {
        let told = shop.ask(NOW, query.clone());
        prop_assert!(told.is_ok(), "{}: {:?}", query, told);
        for (other, how) in [(&rows, "by rows"), (&few, "with little room")] {
            let other = Snapshot::answer(other, NOW, query.clone());
            prop_assert_eq!(&told, &other, "{} {}", query, how);
        }
    }
    for query in funnels() {
        let told = funnel(&shop.view, &query);
        prop_assert!(told.is_ok(), "{}: {:?}", query, told);
        prop_assert_eq!(&told, &funnel(&rows, &query), "{} by rows", query);
        prop_assert_eq!(&told, &funnel(&few, &query), "{} with little room", query);
    }
    let site = &shop.view.sites[&demo()];
    prop_assert_eq!(rows.sites[&demo()].columns.bytes(), 0);
    prop_assert_eq!(site.columns.bytes() > 0, !site.sessions.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Events of three days come in any order, some of them sign people in, so sessions of past
    /// days change, move and go; once the rules of sessions change, too.
    #[test]
    fn chunks_say_what_rows_say(
        sent in prop::collection::vec((random(), prop::option::of(0u8..5)), 1..70),
        steps in 1usize..5, changes_at in 0usize..5, gap in 1u32..60,
    ) {
        let sent: Vec<Event> = (0..).zip(sent).map(|(at, (event, campaign))| Event {
            id: EventId::parse(&format!("e{at}")).unwrap(),
            ..tagged(event, campaign)
        }).collect();
        let mut shop = shop(Vec::new());
        for (at, part) in sent.chunks(sent.len().div_ceil(steps)).enumerate() {
            if at == changes_at {
                shop.set(json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND",
                    "session": {"gap": format!("{gap}m")}}));
            }
            shop.add_events(part.to_vec());
            check(&shop)?;
        }
    }
}
