//! Funnels over HTTP, counted by hand.

use edgetally_proto::event::Platform;
use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;

/// A goes straight through. B is back after an hour to pay. C puts something into the cart before
/// looking at it. D and E are the two devices of one user.
fn shoppers() -> Vec<Event> {
    let event = |id: &str, name: &str, second: i64| {
        Event::new(id, &id[..1].to_uppercase(), name, START + second * 1_000)
    };
    let tags = ["facebook", "cpc", "sale3"].map(str::to_owned);
    vec![
        Event { campaign: Some(tags), ..event("a1", "view_item", 0) },
        event("a2", "add_to_cart", 5),
        event("a3", "begin_checkout", 6),
        event("a4", "purchase", 7).order("T1", 100),
        event("b1", "view_item", 0),
        event("b2", "page_view", 3),
        event("b3", "add_to_cart", 5),
        event("b4", "begin_checkout", 3_605),
        event("c1", "add_to_cart", 1),
        event("c2", "view_item", 2),
        Event { platform: Platform::Server, ..event("c3", "add_to_cart", 3) },
        event("d1", "view_item", 10),
        event("d2", "login", 11).user("u"),
        event("e1", "login", 12).user("u"),
        event("e2", "add_to_cart", 13),
        Event { is_bot: true, ..event("x1", "view_item", 4) },
    ]
}

fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    (dir, server)
}

fn ask(server: &Server, asked: &Value) -> (u16, Value) {
    let mut body = json!({"site_id": "demo", "date_range": ["2026-03-02", "2026-03-02"]});
    for (name, value) in asked.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.call("POST", "/v1/funnel", ADMIN, Some(body))
}

fn counts(steps: &Value) -> Vec<i64> {
    steps.as_array().unwrap().iter().map(|step| step["count"].as_i64().unwrap()).collect()
}

#[test]
fn funnels_count_sessions_and_persons() {
    let (_dir, server) = server();
    assert_eq!(server.frames(1, &[frame::encode(&batch(&shoppers(), START))]).0, 200);
    let (status, answer) = ask(&server, &json!({}));
    assert_eq!(status, 200, "{answer}");
    let step = |event: &str, count: i64, previous: &str, first: &str| {
        let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        json!({"event": event, "count": count, "conversion_from_previous": number(previous),
            "conversion_from_first": number(first)})
    };
    let expected = json!([
        step("view_item", 4, "null", "100.00"),
        step("add_to_cart", 3, "75.00", "75.00"),
        step("begin_checkout", 1, "33.33", "25.00"),
        step("purchase", 1, "100.00", "25.00"),
    ]);
    assert_eq!(answer["steps"].to_string(), expected.to_string());
    assert_eq!(answer["query"]["scope"], "session");
    assert_eq!(answer["query"]["date_range"][1], "2026-03-03T00:00:00.000+07:00");
    assert!(answer["meta"]["watermark"].is_string());
    let range = ["2026-03-02T10:00:04+07:00", "2026-03-02T10:00:30+07:00"];
    let pages = json!([{"event": "page_view"}, {"event": "page_view"}]);
    for (asked, expected) in [
        (json!({"order": "strict"}), vec![4, 1, 1, 1]),
        (json!({"scope": "person"}), vec![4, 3, 2, 1]),
        (json!({"scope": "person", "order": "strict"}), vec![4, 1, 1, 1]),
        // Of a person counts what lies in the range, of a session where it starts.
        (json!({"scope": "person", "date_range": range}), vec![1, 1, 0, 0]),
        (json!({"date_range": range}), vec![1, 1, 0, 0]),
        (json!({"steps": pages}), vec![1, 0]),
        (json!({"steps": [{"event": "never_seen"}]}), vec![0]),
        (json!({"filters": [["is", "visit:source", ["facebook"]]]}), vec![1, 1, 1, 1]),
        (
            json!({"scope": "person", "filters": [["is_not", "visit:source", ["facebook"]]]}),
            vec![3, 2, 1, 0],
        ),
    ] {
        let (status, answer) = ask(&server, &asked);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(counts(&answer["steps"]), expected, "{asked}");
    }
}

#[test]
fn rows_of_a_funnel_add_up_to_it() {
    let (_dir, server) = server();
    assert_eq!(server.frames(1, &[frame::encode(&batch(&shoppers(), START))]).0, 200);
    for scope in ["session", "person"] {
        let asked = json!({"scope": scope, "dimensions": ["visit:source"]});
        let (_, answer) = ask(&server, &asked);
        let rows = answer["results"].as_array().unwrap().iter();
        let rows: Vec<_> =
            rows.map(|row| (row["dimensions"][0].clone(), counts(&row["steps"]))).collect();
        let checkouts = i64::from(scope == "person");
        let expected =
            [(json!("(none)"), vec![3, 2, checkouts, 0]), (json!("facebook"), vec![1; 4])];
        assert_eq!(rows, expected);
        let (_, answer) = ask(&server, &json!({"scope": scope, "dimensions": ["time:hour"]}));
        let hours = answer["results"].as_array().unwrap();
        assert_eq!((hours.len(), &hours[10]["steps"]), (24, &answer["steps"]));
        assert_eq!(hours[10]["dimensions"], json!(["2026-03-02T10:00:00.000+07:00"]));
        assert_eq!(counts(&hours[11]["steps"]), [0; 4]);
    }
    let (_, nothing) = ask(&server, &json!({"date_range": ["2025-01-01", "2025-01-01"]}));
    assert_eq!(counts(&nothing["steps"]), [0; 4]);
    assert!(nothing["steps"][0]["conversion_from_first"].is_null());
}

#[test]
fn funnels_that_cannot_be_answered_say_why() {
    let (_dir, server) = server();
    let many = vec![json!({"event": "page_view"}); 21];
    for (asked, status, field, said) in [
        (json!({"steps": []}), 400, "steps", "1 to 20"),
        (json!({"steps": many}), 400, "steps", "1 to 20"),
        (json!({"steps": [{"event": "view_item"}, {}]}), 400, "steps[1]", "event"),
        (json!({"steps": [{"event": "View Item"}]}), 400, "steps[0].event", "name"),
        (json!({"steps": [{"event": "search", "pag": "/"}]}), 400, "steps[0].pag", "page"),
        (json!({"steps": [{"event": "web_vital"}]}), 422, "", "activity"),
        (json!({"order": "loose"}), 400, "order", "strict"),
        (json!({"scope": "visit"}), 400, "scope", "person"),
        (json!({"dimensions": ["visit:sourc"]}), 400, "dimensions[0]", "visit:source"),
        (json!({"dimensions": ["event:name"]}), 422, "", "event:name"),
        (json!({"filters": [["is", "order:status", ["x"]]]}), 422, "", "order:status"),
        (json!({"dimensions": ["time:day", "time:hour"]}), 400, "dimensions", "one way"),
        (json!({"date_range": "fortnight"}), 400, "date_range", "day"),
        (json!({"step": []}), 400, "step", "unknown"),
    ] {
        let (code, problem) = ask(&server, &asked);
        assert_eq!(code, status, "{asked}: {problem}");
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{asked}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{asked}: {problem}");
    }
    assert_eq!(ask(&server, &json!({"site_id": "nowhere"})).1["code"], "unknown_site");
    let query = json!({"site_id": "demo", "date_range": "day"});
    assert_eq!(server.call("POST", "/v1/funnel", "", Some(query.clone())).0, 401);
    let key = |kind: &str| {
        let body = json!({"site": "demo", "kind": kind});
        server.call("POST", "/v1/keys", ADMIN, Some(body)).1["key"].as_str().unwrap().to_owned()
    };
    assert_eq!(server.call("POST", "/v1/funnel", &key("read"), Some(query.clone())).0, 200);
    assert_eq!(server.call("POST", "/v1/funnel", &key("write"), Some(query)).0, 403);
}
