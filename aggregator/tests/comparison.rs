//! `include.comparison`, counted by hand.

use aggregator::query::QueryError;
use serde_json::{Value, json};

use crate::support::events::Event;
use crate::support::snapshot::{Snapshot, at};

/// Today is Monday, the second of March, and it is half past ten.
const NOW: &str = "2026-03-02T10:30:00+07:00";

fn view(number: usize, when: &str, campaign: &str) -> Event {
    let (id, client) = (format!("e{number}"), format!("c{number}"));
    let event = Event::new(&id, &client, "page_view", at(when));
    let tags = [campaign, "cpc", "sale"].map(str::to_owned);
    Event { campaign: (!campaign.is_empty()).then_some(tags), ..event }
}

fn shop() -> Snapshot {
    let times = [
        // Today: three so far.
        ("2026-03-02T08:10:00+07:00", "facebook"),
        ("2026-03-02T08:20:00+07:00", "facebook"),
        ("2026-03-02T10:10:00+07:00", ""),
        // Yesterday: two up to 10:30, five in all.
        ("2026-03-01T08:00:00+07:00", "facebook"),
        ("2026-03-01T10:29:59.999+07:00", "google"),
        ("2026-03-01T10:31:00+07:00", ""),
        ("2026-03-01T15:00:00+07:00", "google"),
        ("2026-03-01T23:59:59+07:00", ""),
        // The same day a year ago.
        ("2025-03-02T09:00:00+07:00", ""),
        // The same part of last month: the second, before and after half past ten.
        ("2026-02-02T10:00:00+07:00", ""),
        ("2026-02-02T11:00:00+07:00", ""),
    ];
    let mut events: Vec<Event> =
        (0..).zip(times).map(|(n, (when, tags))| view(n, when, tags)).collect();
    let order = |number: usize, when: &str, value: i64| {
        let name = format!("T{number}");
        let (id, client) = (format!("o{number}"), format!("c{number}"));
        Event::new(&id, &client, "purchase", at(when)).order(&name, value)
    };
    events.push(order(0, "2026-03-02T08:12:00+07:00", 1_500));
    events.push(order(3, "2026-03-01T08:02:00+07:00", 400));
    events.push(order(4, "2026-03-01T10:29:59.999+07:00", 600));
    Snapshot::new(&events)
}

fn ask(asked: Value) -> Value {
    shop().ask(NOW, asked).unwrap()
}

/// `[dimensions, metrics, change]` of what is set beside each row.
fn beside(answer: &Value) -> Vec<String> {
    let rows = answer["results"].as_array().unwrap().iter();
    rows.map(|row| {
        let with = &row["comparison"];
        format!("{}{}{}", with["dimensions"], with["metrics"], with["change"])
    })
    .collect()
}

#[test]
fn a_running_day_is_compared_with_the_same_part_of_the_day_before() {
    let answer =
        ask(json!({"metrics": ["pageviews", "orders", "revenue", "aov", "conversion_rate"],
        "date_range": "day", "include": {"comparison": "previous_period"}}));
    let row = &answer["results"][0];
    let vnd = |amount: &str| json!([{"currency": "VND", "amount": amount}]);
    let numbers = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(row["metrics"].as_array().unwrap()[..2], [json!(3), json!(1)]);
    assert_eq!(row["metrics"][2], vnd("1500"));
    // Two page views and orders of 400 and 600; both of the two sessions ordered something.
    let metrics = row["comparison"]["metrics"].as_array().unwrap();
    assert_eq!(metrics[..4], [json!(2), json!(2), vnd("1000"), vnd("500")]);
    assert_eq!(metrics[4], numbers("100.00"));
    let change = row["comparison"]["change"].as_array().unwrap();
    assert_eq!(change[..2], [numbers("50.00"), numbers("-50.00")]);
    assert_eq!(change[2], numbers(r#"[{"currency": "VND", "change": 50.00}]"#));
    assert_eq!(change[3], numbers(r#"[{"currency": "VND", "change": 200.00}]"#));
    // A share changes by points: from 100 % to one of three.
    assert_eq!(change[4], numbers("-66.67"));
    let range = ["2026-03-01T00:00:00.000+07:00", "2026-03-01T10:30:01.000+07:00"];
    assert_eq!(answer["query"]["comparison_date_range"], json!(range));
    assert_eq!(answer["query"]["include"]["comparison"], json!("previous_period"));
}

#[test]
fn rows_are_matched_by_their_dimensions() {
    let answer = ask(json!({"metrics": ["sessions"], "date_range": "day",
        "dimensions": ["visit:source"], "include": {"comparison": "previous_period"}}));
    // Google had a session yesterday, but none today: it has no row.
    let expected = [r#"["facebook"][1][100.00]"#, r#"["(none)"][0][null]"#];
    assert_eq!(beside(&answer), expected);
    let answer = ask(json!({"metrics": ["sessions"], "date_range": ["2026-03-01", "2026-03-01"],
        "dimensions": ["visit:source"], "order_by": [["visit:source", "asc"]],
        "include": {"comparison": ["2026-03-02", "2026-03-02"]}}));
    // A day that is over, against all that there is of a later one.
    let expected =
        [r#"["(none)"][1][100.00]"#, r#"["facebook"][2][-50.00]"#, r#"["google"][0][null]"#];
    assert_eq!(beside(&answer), expected);
}

#[test]
fn rows_of_time_are_matched_by_their_place() {
    let answer = ask(json!({"metrics": ["pageviews"], "date_range": "day",
        "dimensions": ["time:hour"], "include": {"comparison": "previous_period"}}));
    let rows = beside(&answer);
    assert_eq!(rows.len(), 24);
    assert_eq!(rows[8], r#"["2026-03-01T08:00:00.000+07:00"][1][100.00]"#);
    // The hour that runs, up to half past.
    assert_eq!(rows[10], r#"["2026-03-01T10:00:00.000+07:00"][1][0.00]"#);
    // Hours to come are not compared, but what they were is told.
    assert_eq!(rows[15], r#"["2026-03-01T15:00:00.000+07:00"][1][null]"#);
    let answer = ask(json!({"metrics": ["pageviews"], "date_range": "7d",
        "dimensions": ["time:day"], "include": {"comparison": "previous_period"}}));
    let rows = beside(&answer);
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[0], r#"["2026-02-17"][0][null]"#);
    assert_eq!(rows[6], r#"["2026-02-23"][0][null]"#);
}

#[test]
fn ranges_go_back_by_days_months_years_or_their_length() {
    let check = |range: Value, with: Value, from: &str, to: &str, count: i64| {
        let answer = ask(json!({"metrics": ["pageviews"], "date_range": range,
            "include": {"comparison": with}}));
        let said = &answer["query"]["comparison_date_range"];
        let ends = [from, to].map(|text| format!("{text}.000+07:00"));
        assert_eq!(*said, json!(ends), "{range} {with}");
        let metrics = &answer["results"][0]["comparison"]["metrics"];
        assert_eq!(*metrics, json!([count]), "{range} {with}");
    };
    let (before, year) = (json!("previous_period"), json!("year_over_year"));
    let day = ["2026-03-01T00:00:00", "2026-03-02T00:00:00"];
    check(
        json!(["2026-03-02", "2026-03-03"]),
        before.clone(),
        "2026-02-28T00:00:00",
        "2026-02-28T10:30:01",
        0,
    );
    check(
        json!(["2026-02-28", "2026-03-01"]),
        before.clone(),
        "2026-02-26T00:00:00",
        "2026-02-28T00:00:00",
        0,
    );
    check(json!("month"), before.clone(), "2026-02-01T00:00:00", "2026-02-02T10:30:01", 1);
    check(json!("12mo"), before.clone(), "2024-04-01T00:00:00", "2025-03-02T10:30:01", 1);
    check(json!("24h"), before.clone(), "2026-02-28T09:00:00", "2026-03-01T09:30:01", 1);
    check(json!("realtime"), before.clone(), "2026-03-02T10:20:01", "2026-03-02T10:25:01", 0);
    check(json!("day"), year.clone(), "2025-03-02T00:00:00", "2025-03-02T10:30:01", 1);
    check(
        json!(["2024-02-29", "2024-02-29"]),
        year,
        "2023-02-28T00:00:00",
        "2023-03-01T00:00:00",
        0,
    );
    let instants = ["2026-03-02T08:15:00+07:00", "2026-03-02T08:45:00+07:00"];
    check(json!(instants), before, "2026-03-02T07:45:00", "2026-03-02T08:15:00", 1);
    check(json!("day"), json!(["2026-03-01", "2026-03-01"]), day[0], "2026-03-01T10:30:01", 2);
    // A stretch that is over is compared in whole.
    check(
        json!(["2026-02-27", "2026-02-27"]),
        json!(["2026-03-01", "2026-03-01"]),
        day[0],
        day[1],
        5,
    );
}

#[test]
fn wrong_comparisons_say_where() {
    let asked = |with: Value| {
        shop().ask(
            NOW,
            json!({"metrics": ["events"], "date_range": "day",
            "include": {"comparison": with}}),
        )
    };
    for with in [json!(["2026-03-02", "2026-03-01"]), json!(["x", "y"])] {
        let Err(QueryError::Invalid { field, .. }) = asked(with.clone()) else { panic!("{with}") };
        assert_eq!(field, "include.comparison");
    }
    let fine = json!(["2026-03-01T00:00:00.5Z", "2026-03-01T01:00:00Z"]);
    assert!(matches!(asked(fine), Err(QueryError::TooFine { .. })));
}
