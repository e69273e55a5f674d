//! Plausible's Stats API v2, as a client written for it asks and reads.

use aggregator::query::{QueryError, plausible};
use edgetally_proto::visitor::{Device, Kind, Place};
use serde_json::{Value, json};

use crate::support::events::{Event, share};
use crate::support::server::{ADMIN, Server};
use crate::support::snapshot::{Snapshot, at};

const NOW: &str = "2026-03-02T12:00:00+07:00";

fn event(id: &str, name: &str, when: &str) -> Event {
    let event = Event::new(id, &id[..1], name, at(&format!("2026-03-0{when}:00+07:00")));
    Event { received_ms: at("2026-03-03T00:00:00Z"), ..event }
}

/// A looks twice and buys within 90 s; B looks once; C comes by a link, from elsewhere; D on the
/// day before.
fn shop() -> Snapshot {
    let tags = ["newsletter", "email", "spring"].map(str::to_owned);
    let events = [
        Event { campaign: Some(tags), ..event("a1", "page_view", "2T08:00") },
        event("a2", "page_view", "2T08:01"),
        Event { at_ms: at("2026-03-02T08:01:30+07:00"), ..event("a3", "purchase", "2T08:01") }
            .order("T1", 1_250_000),
        event("b1", "page_view", "2T08:30"),
        Event { referrer: Some("news.example".to_owned()), ..event("c1", "page_view", "2T10:15") },
        event("c2", "sign_up", "2T10:16"),
        event("d1", "page_view", "1T09:00"),
    ];
    let mut share = share(&events);
    share.tables.places = vec![
        Place::of(Some("VN"), None, Some("Huế")).unwrap(),
        Place::of(Some("US"), None, None).unwrap(),
    ];
    share.tables.devices = vec![
        Device::of(Kind::Mobile, "Safari", "iOS"),
        Device::of(Kind::Desktop, "Chrome", "macOS"),
    ];
    for (record, event) in share.records.iter_mut().zip(&events) {
        let number = match event.client.as_str() {
            "a" => Some(0),
            "c" => Some(1),
            _ => None,
        };
        (record.place, record.device) = (number, number);
    }
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND"});
    Snapshot::with(settings, vec![share])
}

fn ask(asked: Value) -> Result<Value, QueryError> {
    let mut body = json!({"site_id": "demo", "date_range": "day"});
    for (name, value) in asked.as_object().unwrap() {
        body[name] = value.clone();
    }
    plausible::answer(&shop().view, &serde_json::from_value(body).unwrap(), at(NOW))
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn check(asked: Value, expected: &str) {
    let answer = ask(asked.clone()).unwrap();
    assert_eq!(answer["results"], number(expected), "{asked}");
}

#[test]
fn metrics_have_the_forms_of_plausible() {
    // Three visits with four views; one of one event; 90, 0 and 60 seconds.
    let metrics = [
        "visitors",
        "visits",
        "pageviews",
        "views_per_visit",
        "bounce_rate",
        "visit_duration",
        "events",
    ];
    check(
        json!({"metrics": metrics}),
        r#"[{"dimensions": [], "metrics": [3, 3, 4, 1.33, 33, 50, 6]}]"#,
    );
    check(
        json!({"metrics": metrics, "date_range": ["2026-02-01", "2026-02-02"]}),
        r#"[{"dimensions": [], "metrics": [0, 0, 0, 0.00, 0, null, 0]}]"#,
    );
    check(
        json!({"metrics": ["total_revenue", "average_revenue", "revenue", "conversion_rate"]}),
        r#"[{"dimensions": [], "metrics": [
            {"value": 1250000, "currency": "VND", "short": "VND 1.2M", "long": "VND 1,250,000"},
            {"value": 1250000, "currency": "VND", "short": "VND 1.2M", "long": "VND 1,250,000"},
            [{"currency": "VND", "amount": "1250000"}], 33.33]}]"#,
    );
}

#[test]
fn dimensions_have_the_names_and_values_of_plausible() {
    check(
        json!({"metrics": ["visitors"],
            "dimensions": ["visit:country_name", "visit:device", "visit:os"],
            "order_by": [["visit:country_name", "asc"]]}),
        r#"[{"dimensions": ["(not set)", "(not set)", "(not set)"], "metrics": [1]},
            {"dimensions": ["United States", "Desktop", "Mac"], "metrics": [1]},
            {"dimensions": ["Vietnam", "Mobile", "iOS"], "metrics": [1]}]"#,
    );
    // The same of ours, under two of their names.
    check(
        json!({"metrics": ["visits", "percentage"],
            "dimensions": ["visit:source", "visit:utm_source", "visit:utm_medium"],
            "order_by": [["visit:source", "asc"]]}),
        r#"[{"dimensions": ["Direct / None", "(not set)", "(not set)"], "metrics": [1, 33.33]},
            {"dimensions": ["news.example", "news.example", "referral"], "metrics": [1, 33.33]},
            {"dimensions": ["newsletter", "newsletter", "email"], "metrics": [1, 33.33]}]"#,
    );
    check(
        json!({"metrics": ["visitors", "events", "conversion_rate"], "dimensions": ["event:goal"],
            "order_by": [["conversion_rate", "desc"], ["event:goal", "asc"]]}),
        r#"[{"dimensions": ["page_view"], "metrics": [3, 4, 100.00]},
            {"dimensions": ["purchase"], "metrics": [1, 1, 33.33]},
            {"dimensions": ["sign_up"], "metrics": [1, 1, 33.33]}]"#,
    );
}

#[test]
fn filters_are_those_of_plausible() {
    for (filter, visits) in [
        (json!(["is", "visit:country", ["VN"]]), 1),
        (json!(["is_not", "visit:country_name", ["Vietnam"]]), 2),
        (
            json!(["contains", "visit:country_name", ["united", "EST"], {"case_sensitive": false}]),
            1,
        ),
        (json!(["contains", "visit:country_name", ["united"]]), 0),
        (json!(["is", "visit:source", ["Direct / None"]]), 1),
        (json!(["matches", "visit:utm_campaign", ["^spr"]]), 1),
        (json!(["matches_wildcard", "visit:utm_source", ["news*"]]), 2),
        (json!(["or", [["is", "visit:device", ["Mobile"]], ["is", "visit:os", ["Mac"]]]]), 2),
        (json!(["not", ["is", "visit:city_name", ["Huế"]]]), 2),
    ] {
        let answer = ask(json!({"metrics": ["visits"], "filters": [filter]})).unwrap();
        assert_eq!(answer["results"][0]["metrics"], json!([visits]), "{filter}");
    }
    // The share of all visitors who signed up.
    check(
        json!({"metrics": ["visitors", "conversion_rate"],
            "filters": [["is", "event:goal", ["sign_up"]]]}),
        r#"[{"dimensions": [], "metrics": [1, 33.33]}]"#,
    );
}

#[test]
fn rows_of_time_are_those_in_which_something_happened() {
    let asked = json!({"metrics": ["visitors", "pageviews"], "dimensions": ["time"],
        "include": {"time_labels": true, "total_rows": true, "imports": true}});
    let answer = ask(asked).unwrap();
    assert_eq!(
        answer["results"],
        number(
            r#"[{"dimensions": ["2026-03-02 08:00:00"], "metrics": [2, 3]},
            {"dimensions": ["2026-03-02 10:00:00"], "metrics": [1, 1]}]"#
        )
    );
    let meta = &answer["meta"];
    let labels = meta["time_labels"].as_array().unwrap();
    assert_eq!((labels.len(), &labels[23]), (24, &json!("2026-03-02 23:00:00")));
    assert_eq!((&meta["total_rows"], &meta["imports_included"]), (&json!(2), &json!(false)));
    assert_eq!(
        answer["query"],
        json!({
            "site_id": "demo", "metrics": ["visitors", "pageviews"], "dimensions": ["time:hour"],
            "date_range": ["2026-03-02T00:00:00+07:00", "2026-03-02T23:59:59+07:00"],
            "filters": [], "order_by": [["time:hour", "asc"], ["visitors", "desc"]],
            "include": {"imports": true, "time_labels": true, "total_rows": true},
            "pagination": {"limit": 10_000, "offset": 0},
        })
    );
    check(
        json!({"metrics": ["visits"], "dimensions": ["time"], "date_range": "7d"}),
        r#"[{"dimensions": ["2026-03-01"], "metrics": [1]},
            {"dimensions": ["2026-03-02"], "metrics": [3]}]"#,
    );
    check(
        json!({"metrics": ["visits"], "dimensions": ["time"], "date_range": "12mo"}),
        r#"[{"dimensions": ["2026-03-01"], "metrics": [4]}]"#,
    );
    let paged = json!({"metrics": ["visits"], "dimensions": ["time:day"], "date_range": "7d",
        "pagination": {"limit": 1, "offset": 1}});
    check(paged, r#"[{"dimensions": ["2026-03-02"], "metrics": [3]}]"#);
}

#[test]
fn ranges_are_those_of_plausible() {
    for (range, visits, from) in [
        (json!("day"), 3, "2026-03-02T00:00:00+07:00"),
        (json!("28d"), 4, "2026-02-03T00:00:00+07:00"),
        (json!("30d"), 4, "2026-02-01T00:00:00+07:00"),
        (json!("91d"), 4, "2025-12-02T00:00:00+07:00"),
        (json!("month"), 4, "2026-03-01T00:00:00+07:00"),
        (json!("6mo"), 4, "2025-10-01T00:00:00+07:00"),
        (json!("year"), 4, "2026-01-01T00:00:00+07:00"),
        (json!("all"), 4, "2026-03-01T00:00:00+07:00"),
        // The last second is in.
        (
            json!(["2026-03-02T08:00:00+07:00", "2026-03-02T08:29:59+07:00"]),
            1,
            "2026-03-02T08:00:00+07:00",
        ),
    ] {
        let answer = ask(json!({"metrics": ["visits"], "date_range": range})).unwrap();
        assert_eq!(answer["results"][0]["metrics"], json!([visits]), "{range}");
        assert_eq!(answer["query"]["date_range"][0], json!(from), "{range}");
    }
}

#[test]
fn comparisons_change_by_whole_percent() {
    let asked = json!({"metrics": ["visits", "bounce_rate", "total_revenue"],
        "include": {"comparison": "previous_period"}});
    let row = &ask(asked).unwrap()["results"][0];
    let zero = json!({"value": 0, "currency": "VND", "short": "VND 0", "long": "VND 0"});
    assert_eq!(row["comparison"]["metrics"], json!([1, 100, zero]));
    assert_eq!(row["comparison"]["change"], json!([200, -67, 100]));
}

#[test]
fn what_is_not_answered_says_so() {
    for asked in [
        json!({"metrics": ["scroll_depth"]}),
        json!({"metrics": ["visits"], "dimensions": ["visit:browser_version"]}),
        json!({"metrics": ["visits"], "filters": [["is", "segment", [1]]]}),
        json!({"metrics": ["visits"], "filters": [["has_done", ["is", "event:goal", ["a"]]]]}),
    ] {
        assert!(matches!(ask(asked.clone()), Err(QueryError::Unsupported { .. })), "{asked}");
    }
    for (asked, said) in [
        (json!({"metrics": ["visitor"]}), "metrics[0]"),
        (json!({"metrics": ["visits", "visits"]}), "metrics[1]"),
        (json!({"metrics": ["percentage"]}), "metrics[0]"),
        (json!({"metrics": ["group_conversion_rate"]}), "metrics[0]"),
        (json!({"metrics": ["visits"], "dimensions": ["visit:planet"]}), "dimensions[0]"),
        (json!({"metrics": ["visits"], "order_by": [["visitors", "asc"]]}), "order_by[0]"),
        (json!({"metrics": ["visits"], "pagination": {"limit": 0}}), "pagination.limit"),
        (json!({"metrics": ["visits"], "date_range": "fortnight"}), "date_range"),
    ] {
        let Err(QueryError::Invalid { field, .. }) = ask(asked.clone()) else { panic!("{asked}") };
        assert_eq!(field, said, "{asked}");
    }
}

/// Clients read the text of an error from `error`.
#[test]
fn errors_have_the_member_of_plausible() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let body = json!({"site_id": "demo", "metrics": ["visitor"], "date_range": "7d"});
    for (key, body, status) in [(ADMIN, body.clone(), 400), ("", body, 401)] {
        let (said, problem) = server.call("POST", "/api/v2/query", key, Some(body));
        assert_eq!((said, &problem["error"]), (status, &problem["detail"]));
        assert!(problem["error"].is_string());
    }
    let body = json!({"site_id": "demo", "metrics": ["visitors"], "date_range": "7d"});
    let (status, answer) = server.call("POST", "/api/v2/query", ADMIN, Some(body));
    assert_eq!((status, &answer["results"][0]["metrics"]), (200, &json!([0])));
}
