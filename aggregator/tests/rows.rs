//! Rows: which there are, their order, and pages of them.

use serde_json::{Value, json};

use crate::support::events::{Event, share};
use crate::support::shop::{morning, shop};
use crate::support::snapshot::{Snapshot, at};

fn rows(shop: &Snapshot, now: &str, query: Value) -> Vec<String> {
    let answer = shop.ask(now, query).unwrap();
    let rows = answer["results"].as_array().unwrap().iter();
    rows.map(|row| format!("{}{}", row["dimensions"], row["metrics"])).collect()
}

/// One event in each local hour of the day, in the zone of Berlin.
fn day_in_berlin(from: &str, hours: i64) -> Snapshot {
    let view = |hour: i64| {
        let at_ms = at(from) + hour * 3_600_000 + 60_000;
        Event::new(&format!("e{hour}"), &format!("c{}", hour % 2), "page_view", at_ms)
    };
    let events: Vec<Event> = (0..hours).map(view).collect();
    Snapshot::with(json!({"timezone": "Europe/Berlin"}), vec![share(&events)])
}

/// By sums and row by row: every hour has its row, a repeated one two, a skipped one none.
#[test]
fn days_of_23_and_25_hours_have_as_many_rows() {
    for (date, from, hours) in [
        ("2026-03-29", "2026-03-29T00:00:00+01:00", 23),
        ("2026-10-25", "2026-10-25T00:00:00+02:00", 25),
    ] {
        let shop = day_in_berlin(from, hours);
        for dimensions in [json!(["time:hour"]), json!(["time:hour", "visit:channel"])] {
            let query = json!({"metrics": ["pageviews"], "date_range": [date, date],
                "dimensions": dimensions});
            let rows = rows(&shop, "2026-11-01T00:00:00Z", query);
            assert_eq!(rows.len() as i64, hours, "{date} by {dimensions}");
            assert!(rows.iter().all(|row| row.ends_with("[1]")), "{rows:?}");
            let (two, three) = (format!("{date}T02:00"), format!("{date}T03:00"));
            let count = |hour: &str| rows.iter().filter(|row| row.contains(hour)).count();
            let repeated = if hours == 25 { 2 } else { 0 };
            assert_eq!((count(&two), count(&three)), (repeated, 1), "{rows:?}");
        }
        let query = json!({"metrics": ["pageviews", "visitors"], "date_range": [date, date],
            "dimensions": ["time:day"]});
        let whole = rows(&shop, "2026-11-01T00:00:00Z", query);
        assert_eq!(whole, [format!("[\"{date}\"][{hours},2]")]);
    }
}

/// A range from the middle of a day to the middle of another: its rows are cut, and the empty days
/// between are there.
#[test]
fn empty_rows_are_filled_and_edges_are_cut() {
    let shop = shop(morning());
    let range = json!(["2026-03-02T10:00:20+07:00", "2026-03-05T10:00:00+07:00"]);
    for (by, filters) in
        [("events", json!([])), ("by rows", json!([["is_not", "visit:country", ["x"]]]))]
    {
        let query = json!({"metrics": ["events", "orders"], "date_range": range,
            "dimensions": ["time:day"], "filters": filters});
        let expected = [
            // All but the two before twenty past.
            "[\"2026-03-02\"][13,1]",
            "[\"2026-03-03\"][0,0]",
            "[\"2026-03-04\"][0,0]",
            "[\"2026-03-05\"][0,0]",
        ];
        assert_eq!(rows(&shop, "2026-03-06T00:00:00+07:00", query), expected, "{by}");
    }
}

#[test]
fn rows_are_ordered_and_come_in_pages() {
    let shop = shop(morning());
    let ask = |order_by: Value, limit: usize, offset: usize| {
        let mut query = json!({"metrics": ["events", "visitors"], "date_range": "all",
            "dimensions": ["event:page"], "include": {"total_rows": true},
            "pagination": {"limit": limit, "offset": offset}});
        if !order_by.is_null() {
            query["order_by"] = order_by;
        }
        let answer = shop.ask("2026-03-02T10:30:00+07:00", query).unwrap();
        assert_eq!(answer["meta"]["total_rows"], 6);
        let rows = answer["results"].as_array().unwrap().iter();
        rows.map(|row| row["dimensions"][0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The largest first; equal ones by name.
    let all = ["(none)", "/home", "/p/1", "/p/2", "/search", "/checkout"];
    assert_eq!(ask(Value::Null, 10, 0), all);
    assert_eq!(ask(Value::Null, 2, 3), all[3..5]);
    assert_eq!(ask(Value::Null, 2, 6), [""; 0]);
    let by_name = ["/search", "/p/2", "/p/1", "/home", "/checkout", "(none)"];
    assert_eq!(ask(json!([["event:page", "desc"]]), 10, 0), by_name);
    let by_both = ["/checkout", "/p/1", "/p/2", "(none)", "/home", "/search"];
    let both = json!([["visitors", "asc"], ["event:page", "asc"]]);
    assert_eq!(ask(both, 10, 0), by_both);
}
