//! The named ranges of a query, each against events just inside and just outside of it.

use serde_json::{Value, json};

use crate::support::events::Event;
use crate::support::snapshot::{Snapshot, at};

/// 1,027 ms before the half of a minute, in the middle of an hour, a day, a month and a year.
const NOW: &str = "2026-05-20T10:20:28.973+07:00";

fn shop(times: &[&str]) -> Snapshot {
    let event = |(number, when): (usize, &&str)| {
        let (id, client) = (format!("e{number}"), format!("c{number}"));
        Event::new(&id, &client, "page_view", at(&format!("{when}+07:00")))
    };
    let events: Vec<Event> = times.iter().enumerate().map(event).collect();
    Snapshot::new(&events)
}

/// The first and the last row of time of a range, how many there are, and the events in it.
fn check(
    range: &str,
    unit: &str,
    inside: &[&str],
    outside: &[&str],
    expected: (&str, &str, usize),
) {
    let all = [inside, outside].concat();
    let asked = json!({"metrics": ["pageviews"], "date_range": range});
    let shop = shop(&all);
    let count = |answer: &Value| answer["results"][0]["metrics"][0].as_u64().unwrap() as usize;
    assert_eq!(count(&shop.ask(NOW, asked.clone()).unwrap()), inside.len(), "{range}");
    let mut by_time = asked;
    by_time["dimensions"] = json!([unit]);
    let answer = shop.ask(NOW, by_time).unwrap();
    let rows = answer["results"].as_array().unwrap();
    let label = |row: Option<&Value>| row.unwrap()["dimensions"][0].as_str().unwrap().to_owned();
    let said = (label(rows.first()), label(rows.last()), rows.len());
    assert_eq!((said.0.as_str(), said.1.as_str(), said.2), expected, "{range}");
    let sum: u64 = rows.iter().map(|row| row["metrics"][0].as_u64().unwrap()).sum();
    assert_eq!(sum as usize, inside.len(), "{range} by {unit}");
}

#[test]
fn realtime_is_the_last_five_minutes() {
    check(
        "realtime",
        "time:second",
        &["2026-05-20T10:15:29", "2026-05-20T10:20:28.973"],
        &["2026-05-20T10:15:28.999", "2026-05-20T10:20:29"],
        ("2026-05-20T10:15:29.000+07:00", "2026-05-20T10:20:28.000+07:00", 300),
    );
}

#[test]
fn a_day_is_today_and_days_end_with_it() {
    check(
        "day",
        "time:hour",
        &["2026-05-20T00:00:00", "2026-05-20T23:59:59.999"],
        &["2026-05-19T23:59:59.999", "2026-05-21T00:00:00"],
        ("2026-05-20T00:00:00.000+07:00", "2026-05-20T23:00:00.000+07:00", 24),
    );
    check(
        "7d",
        "time:day",
        &["2026-05-14T00:00:00", "2026-05-20T23:59:59.999"],
        &["2026-05-13T23:59:59.999", "2026-05-21T00:00:00"],
        ("2026-05-14", "2026-05-20", 7),
    );
}

#[test]
fn hours_are_the_whole_ones_before_and_the_one_that_runs() {
    check(
        "24h",
        "time:hour",
        &["2026-05-19T10:00:00", "2026-05-20T10:59:59.999"],
        &["2026-05-19T09:59:59.999", "2026-05-20T11:00:00"],
        ("2026-05-19T10:00:00.000+07:00", "2026-05-20T10:00:00.000+07:00", 25),
    );
}

#[test]
fn a_month_goes_up_to_now() {
    check(
        "month",
        "time:day",
        &["2026-05-01T00:00:00", "2026-05-20T10:20:28.999"],
        &["2026-04-30T23:59:59.999", "2026-05-20T10:20:29"],
        ("2026-05-01", "2026-05-20", 20),
    );
}

#[test]
fn twelve_months_are_this_one_and_the_eleven_before() {
    check(
        "12mo",
        "time:month",
        &["2025-06-01T00:00:00", "2026-05-31T23:59:59.999"],
        &["2025-05-31T23:59:59.999", "2026-06-01T00:00:00"],
        ("2025-06-01", "2026-05-01", 12),
    );
}

#[test]
fn all_begins_with_the_day_of_the_first_event() {
    check(
        "all",
        "time:month",
        &["2019-02-03T04:05:06", "2026-05-20T10:20:28"],
        &[],
        ("2019-02-01", "2026-05-01", 88),
    );
    // Of a site without events it is today.
    let asked = json!({"metrics": ["pageviews"], "date_range": "all"});
    let answer = shop(&[]).ask(NOW, asked).unwrap();
    assert_eq!(answer["results"][0]["metrics"], json!([0]));
    let day = ["2026-05-20T00:00:00.000+07:00", "2026-05-21T00:00:00.000+07:00"];
    assert_eq!(answer["query"]["date_range"], json!(day));
}
