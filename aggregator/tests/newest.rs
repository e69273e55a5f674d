//! Lists with the newest first are the same rows the other way round, page by page.

use edgetally_proto::frame;
use serde_json::Value;

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const AT: i64 = 1_772_420_400_000;
const VISITORS: i64 = 25;

/// Some rows stand at one instant, and some of those on the edge of a page.
fn visits() -> Vec<Event> {
    let visit = |n: i64| {
        let at = AT + n / 3 * 60_000;
        let client = format!("c{n}");
        let order = Event::new(&format!("p{n}"), &client, "purchase", at + 1_000);
        [
            Event::new(&format!("v{n}"), &client, "page_view", at),
            order.order(&format!("T{n}"), 1_000 + n),
        ]
    };
    (0..VISITORS).flat_map(visit).collect()
}

/// The ids of all rows of a list, page by page.
fn ids(server: &Server, list: &str, id: &str, query: &str) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/{list}?site=demo&limit=4{query}{after}");
        let (status, page) = server.call("GET", &path, ADMIN, None);
        assert_eq!(status, 200, "{page}");
        let rows = page["results"].as_array().unwrap();
        ids.extend(rows.iter().map(|row| row[id].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return ids,
        }
    }
}

#[test]
fn the_newest_first_are_the_oldest_first_turned_round() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    assert_eq!(server.frames(1, &[frame::encode(&batch(&visits(), AT))]).0, 200);
    for (list, id) in [("orders", "transaction_id"), ("sessions", "session_id")] {
        for range in ["", "&from=2026-03-02T03:01:00Z&to=2026-03-02T03:06:00Z"] {
            let oldest = ids(&server, list, id, range);
            assert_eq!(ids(&server, list, id, &format!("{range}&sort=oldest")), oldest);
            let mut newest = ids(&server, list, id, &format!("{range}&sort=newest"));
            newest.reverse();
            assert_eq!(newest, oldest, "{list} {range}");
            let expected = if range.is_empty() { 25 } else { 15 };
            assert_eq!(oldest.len(), expected, "{list} {range}");
        }
        let path = format!("/v1/{list}?site=demo&sort=best");
        let (status, problem) = server.call("GET", &path, ADMIN, None);
        assert_eq!((status, &problem["field"]), (400, &Value::from("sort")));
    }
    let path = "/v1/sessions?site=demo&sort=newest&changes_since=1";
    assert_eq!(server.call("GET", path, ADMIN, None).1["field"], "sort");
}
