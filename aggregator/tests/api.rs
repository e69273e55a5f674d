//! The HTTP interface, answer by answer.

use edgetally_proto::batch::Batch;
use edgetally_proto::edge_config::EdgeConfig;
use edgetally_proto::event::Platform;
use edgetally_proto::frame;
use edgetally_proto::sign::{self, FramesHead, header};
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, EPOCH, SECRET, SHARD, Server, rows};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;

fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    (dir, server)
}

fn one(n: u64) -> Vec<u8> {
    let event = Event::new(&format!("e{n}"), "c", "page_view", START + n as i64);
    frame::encode(&batch(&[event], START))
}

#[test]
fn frames_are_answered_as_the_protocol_says() {
    let (_dir, server) = server();
    let (status, answer) = server.frames(1, &[one(1), one(2)]);
    assert_eq!(status, 200);
    assert_eq!(answer["acked"], 2);
    assert_eq!(answer["keep_from"], 1);
    assert_eq!(answer["config_version"], 1);
    assert!(answer["limits"]["max_bytes"].is_u64() && answer["limits"]["min_interval_ms"].is_u64());
    // A mix of replays and new frames.
    let (status, answer) = server.frames(1, &[one(1), one(2), one(3)]);
    assert_eq!((status, &answer["acked"]), (200, &json!(3)));
    assert_eq!(server.frames(6, &[one(6)]), (409, json!({"expected": 4})));
    assert_eq!(server.frames(2, &[one(9)]), (409, json!({"fork": true})));
    let other = "ffffffffffffffffffffffffffffffff";
    let head = FramesHead { shard: SHARD, epoch: other, first: 4, last: 4, backlog: None };
    assert_eq!(server.signed(&head, &one(4), SECRET), Some((409, json!({"expected": 1}))));
    let head = FramesHead { shard: SHARD, epoch: EPOCH, first: 4, last: 4, backlog: None };
    let (status, problem) = server.signed(&head, &one(4), "another secret").unwrap();
    assert_eq!((status, &problem["code"]), (401, &json!("signature_invalid")));
    // The event of a known id in another frame is late.
    let again = Event::new("e1", "c", "page_view", START + 1);
    let again = Event { received_ms: START + 2, ..again };
    let again = frame::encode(&batch(&[again], START + 1));
    assert_eq!(server.frames(4, &[again]).0, 200);
    let (_, edges) = server.call("GET", "/v1/edges", ADMIN, None);
    let totals = json!({
        "accepted": 4, "applied": 3, "late_duplicates": 1, "dead": 0, "in_flight": 0,
    });
    assert_eq!(edges["totals"], totals);
    let shard = &edges["shards"][0];
    let seen = ["last_sequence", "gaps", "replays", "forks"].map(|name| shard[name].as_u64());
    assert_eq!(seen, [Some(4), Some(1), Some(2), Some(1)]);
    assert_eq!(server.query(&["events", "duplicates"], &[])[0].1, [json!(3), json!(1)]);
}

#[test]
fn unreadable_frames_are_dead_and_later_versions_wait() {
    let (_dir, server) = server();
    let mut damaged = one(1);
    damaged[30] ^= 1;
    let (status, answer) = server.frames(1, &[damaged.clone(), one(2)]);
    assert_eq!((status, &answer["acked"]), (422, &json!(1)));
    assert_eq!(server.frames(1, &[damaged]).0, 200, "a dead frame is known");
    let mut later = one(2);
    later[3] = 7;
    let (status, problem) = server.frames(2, std::slice::from_ref(&later));
    assert_eq!((status, &problem["code"]), (503, &json!("unsupported_version")));
    let (status, answer) = server.frames(2, &[one(2), later]);
    assert_eq!((status, &answer["acked"]), (200, &json!(2)));
    // No rollup has a cell for a time like this.
    let mut share = crate::support::events::share(&[Event::new("x", "c", "page_view", START)]);
    share.records[0].occurred_at_ms = 0;
    let lying = frame::encode(&Batch { committed_at_ms: START, sites: vec![share] });
    assert_eq!(server.frames(3, &[lying]).0, 422);
    let (_, edges) = server.call("GET", "/v1/edges", ADMIN, None);
    assert_eq!((&edges["totals"]["dead"], &edges["totals"]["applied"]), (&json!(2), &json!(1)));
    for (first, last, body) in [(0, 0, one(4)), (4, 5, one(4)), (4, 4, [one(4), one(5)].concat())] {
        let head = FramesHead { shard: SHARD, epoch: EPOCH, first, last, backlog: None };
        let (status, problem) = server.signed(&head, &body, SECRET).unwrap();
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_query")));
    }
}

/// Refusals before any handler of ours look like every other one.
#[test]
fn every_refusal_is_a_problem() {
    let (_dir, server) = server();
    let large = Some("x".repeat(5 << 20));
    for (method, path, body, status, code) in [
        ("POST", "/v1/query", large, 413, "body_too_large"),
        ("GET", "/v1/sites?limit=many", None, 400, "invalid_query"),
        ("GET", "/v1/sites?limit=1001", None, 400, "invalid_query"),
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("GET", "/v1/query", None, 405, "method_not_allowed"),
    ] {
        let (said, text) = server.call_text(method, path, ADMIN, body);
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!((said, &problem["code"]), (status, &json!(code)), "{path}: {text}");
        assert_eq!(problem["field"].is_string(), status == 400, "{path}: {text}");
    }
}

#[test]
fn settings_for_the_workers_are_signed_both_ways() {
    let (_dir, server) = server();
    let key = |kind: &str| {
        let body = json!({"site": "demo", "kind": kind});
        server.call("POST", "/v1/keys", ADMIN, Some(body)).1["key"].as_str().unwrap().to_owned()
    };
    let (write, _read) = (key("write"), key("read"));
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let ask = |at: i64, secret: &str| {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent: ureq::Agent = agent.into();
        let request = agent.get(format!("{}/v1/edge/config", server.base));
        let request = request.header(header::AT, at.to_string());
        let request = request.header(header::SIGNATURE, sign::config_request(secret, at));
        let mut answer = request.call().unwrap();
        let signature = answer.headers().get(header::SIGNATURE).cloned();
        let body = answer.body_mut().read_to_vec().unwrap();
        (answer.status().as_u16(), signature, body)
    };
    assert_eq!(ask(now, "wrong").0, 401);
    assert_eq!(ask(now - 600_000, SECRET).0, 401);
    let (status, signature, body) = ask(now, SECRET);
    assert_eq!(status, 200);
    let signature = signature.unwrap();
    assert!(sign::config_answer_verify(SECRET, &body, signature.to_str().unwrap()));
    let config: EdgeConfig = serde_json::from_slice(&body).unwrap();
    assert_eq!(config.version, 3);
    assert_eq!(config.keys.len(), 1, "workers need no read keys");
    assert_eq!(config.keys[0].hash, sign::key_hash(&write));
}

/// Who may do what: no key, an unknown one, and each kind on each route.
#[test]
fn keys_open_what_they_are_for() {
    let (_dir, server) = server();
    server.call("PUT", "/v1/sites/other", ADMIN, Some(json!({})));
    let key = |site: &str, kind: &str| {
        let (status, made) =
            server.call("POST", "/v1/keys", ADMIN, Some(json!({"site": site, "kind": kind})));
        assert_eq!((status, &made["kind"], &made["site"]), (200, &json!(kind), &json!(site)));
        assert!(made["id"].is_string());
        made["key"].as_str().unwrap().to_owned()
    };
    let (read, other) = (key("demo", "read"), key("other", "read"));
    let (write, shop, admin) = (key("demo", "write"), key("demo", "server"), key("demo", "admin"));
    for (key, prefix) in [(&read, "rk_"), (&write, "wk_"), (&shop, "sk_"), (&admin, "ak_")] {
        assert!(key.starts_with(prefix) && key.len() == 3 + 64, "{key}");
    }
    let query = json!({"site_id": "demo", "metrics": ["events"], "date_range": "day"});
    let routes = [
        ("POST", "/v1/query", Some(query.clone())),
        ("POST", "/api/v2/query", Some(query)),
        ("GET", "/v1/edges", None),
        ("GET", "/v1/sites", None),
        ("GET", "/v1/keys", None),
        ("PUT", "/v1/sites/demo", Some(json!({"currency": "VND"}))),
    ];
    let keys = ["", "rk_unknown", &read, &other, &write, &shop, &admin, ADMIN];
    for (at, (method, path, body)) in routes.into_iter().enumerate() {
        let said = keys.map(|key| server.call(method, path, key, body.clone()).0);
        let expected = match at {
            0 | 1 => [401, 401, 200, 403, 403, 403, 200, 200],
            2 => [401, 401, 200, 200, 403, 403, 200, 200],
            _ => [401, 401, 403, 403, 403, 403, 200, 200],
        };
        assert_eq!(said, expected, "{method} {path}");
    }
    let (_, forbidden) = server.call("GET", "/v1/sites", &read, None);
    assert_eq!(forbidden["code"], "key_forbidden");
    for path in ["/healthz", "/readyz", "/metrics", "/", "/overview", "/settings"] {
        assert_eq!(server.call("GET", path, "", None).0, 200, "{path}");
    }
    let (_, list) = server.call("GET", "/v1/keys", ADMIN, None);
    let listed = list["results"].as_array().unwrap();
    assert!(listed.len() == 5 && listed.iter().all(|key| key.get("key").is_none()));
    let id = |kind: &str| listed.iter().find(|key| key["kind"] == kind).unwrap()["id"].clone();
    let path = format!("/v1/keys/{}", id("server").as_str().unwrap());
    assert_eq!(server.call("DELETE", &path, ADMIN, None).0, 204);
    assert_eq!(server.call("DELETE", &path, ADMIN, None).0, 404);
    assert_eq!(server.call("GET", "/v1/keys", &shop, None).0, 401, "a deleted key is unknown");
}

#[test]
fn settings_are_checked_with_the_path_of_the_member() {
    let (_dir, server) = server();
    for (body, field) in [
        (r#"{"session": {"gapp": "30m"}}"#, "session.gapp"),
        (r#"{"session": {"gap": "30 minutes"}}"#, "session.gap"),
        (
            r#"{"fraud": {"high_value": {"amount": "1", "currency": "VND", "per": 1}}}"#,
            "fraud.high_value.per",
        ),
        (r#"{"spread": 3}"#, "spread"),
        (r#"{"spread": 0}"#, "spread"),
        (r#"{"spread": 128}"#, "spread"),
        (r#"{"spread": 256}"#, "spread"),
        (r#"{"spread": "2"}"#, "spread"),
        (r#"{"timezone": "Mars/Olympus"}"#, "timezone"),
        (r#"{"home_region": "moon"}"#, "home_region"),
        (r#"{"channel_rules": [{"source": "a"}]}"#, "channel_rules[0].channel"),
        (r#"{"currency": "XXQ"}"#, "currency"),
        (r#"{"retention": {"facts": "never"}}"#, "retention.facts"),
        (r#"{"origins": "x"}"#, "origins"),
        (r#"{"#, "body"),
    ] {
        let text = Some(body.to_owned());
        let (status, problem) = server.call_text("PUT", "/v1/sites/demo", ADMIN, text);
        let problem: Value = serde_json::from_str(&problem).unwrap();
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_query")), "{body}");
        assert_eq!(problem["field"], field, "{body}: {problem}");
        let members = ["type", "title", "status", "detail"].map(|name| problem[name].is_null());
        assert_eq!(members, [false; 4]);
    }
    let (_, site) = server.call("GET", "/v1/sites/demo", ADMIN, None);
    assert_eq!((&site["version"], &site["settings"]["currency"]), (&json!(1), &json!("VND")));
    assert_eq!(server.call("DELETE", "/v1/sites/demo", ADMIN, None).0, 204);
    let (status, problem) = server.call("GET", "/v1/sites/demo", ADMIN, None);
    assert_eq!((status, &problem["code"]), (404, &json!("unknown_site")));
    assert_eq!(server.call("PATCH", "/v1/sites/demo", ADMIN, None).1["code"], "method_not_allowed");
}

/// A morning at the shop: three clients, one of them logs in on a second device.
pub fn morning() -> Vec<Event> {
    let at = |seconds: i64| START + seconds * 1_000;
    vec![
        Event::new("a1", "A", "page_view", at(0)),
        Event::new("a2", "A", "view_item", at(5)),
        Event::new("a3", "A", "purchase", at(6) + 900).order("T1", 250_000),
        Event { platform: Platform::Server, ..Event::new("s1", "A", "payment_success", at(7)) }
            .order("T1", 0),
        Event::new("b1", "B", "page_view", at(5)),
        Event::new("b2", "B", "login", at(3_605)).user("u1"),
        Event::new("d1", "D", "login", at(3_606)).user("u1"),
        Event::new("d2", "D", "purchase", at(3_607)).order("T2", 100_001),
        Event::new("d3", "D", "payment_failed", at(3_607)).order("T2", 0),
        Event { is_bot: true, ..Event::new("x1", "X", "page_view", at(8)) },
    ]
}

fn ask(server: &Server, query: Value) -> (u16, Value) {
    let mut body = json!({"site_id": "demo", "date_range": ["2026-03-02", "2026-03-02"]});
    for (name, value) in query.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.call("POST", "/v1/query", ADMIN, Some(body))
}

#[test]
fn queries_answer_exactly_in_the_documented_shape() {
    let (_dir, server) = server();
    let frame = frame::encode(&batch(&morning(), START));
    assert_eq!(server.frames(1, &[frame]).0, 200);
    let metrics = json!([
        "events",
        "pageviews",
        "item_views",
        "orders",
        "units",
        "revenue",
        "aov",
        "visitors",
        "payments_succeeded",
        "payments_failed",
        "payment_success_rate",
        "bot_events"
    ]);
    let (status, answer) = ask(&server, json!({"metrics": metrics}));
    assert_eq!(status, 200, "{answer}");
    let vnd = |amount: &str| json!([{"currency": "VND", "amount": amount}]);
    let expected = json!([{"dimensions": [], "metrics": [
        9, 2, 1, 2, 4, vnd("350001"), vnd("175000"), 2, 1, 1, 50.0, 1]}]);
    assert_eq!(answer["results"].to_string().replace("50.00", "50.0"), expected.to_string());
    assert!(answer["meta"]["watermark"].as_str().unwrap().ends_with("+07:00"));
    assert_eq!(answer["meta"]["lagging"], json!([]));
    assert_eq!(answer["query"]["date_range"][0], "2026-03-02T00:00:00.000+07:00");

    let by_hour = json!({"metrics": ["visitors", "orders"], "dimensions": ["time:hour"]});
    let hours = rows(&ask(&server, by_hour).1);
    assert_eq!(hours.len(), 24, "empty hours are there");
    assert_eq!(hours[10], (vec!["2026-03-02T10:00:00.000+07:00".into()], vec![json!(2), json!(1)]));
    assert_eq!(hours[11].1, [json!(1), json!(1)]);

    let seconds = json!({"metrics": ["revenue", "concurrent_visitors"],
        "dimensions": ["time:second"],
        "date_range": ["2026-03-02T10:00:05+07:00", "2026-03-02T10:00:08+07:00"]});
    let seconds = rows(&ask(&server, seconds).1);
    let expected = [("05", "0"), ("06", "250000"), ("07", "0")].map(|(second, amount)| {
        (vec![format!("2026-03-02T10:00:{second}.000+07:00")], vec![vnd(amount), json!(2)])
    });
    assert_eq!(seconds, expected);

    let by_name = json!({"metrics": ["events", "visitors"], "dimensions": ["event:name"],
        "include": {"total_rows": true, "bounds": true}, "pagination": {"limit": 2}});
    let (_, answer) = ask(&server, by_name);
    let names: Vec<Vec<String>> = rows(&answer).into_iter().map(|(names, _)| names).collect();
    assert_eq!(names, [["login"], ["page_view"]], "largest first, then by name");
    assert_eq!(answer["meta"]["total_rows"], 6);
    assert_eq!(answer["results"][0]["bounds"], json!([null, null]));

    let filtered = json!({"metrics": ["events", "visitors"],
        "filters": [["is_not", "event:name", ["login", "page_view"]]]});
    assert_eq!(rows(&ask(&server, filtered).1)[0].1, [json!(5), json!(2)]);
    let days = json!({"metrics": ["events"], "dimensions": ["time:day"],
        "order_by": [["time:day", "desc"]],
        "date_range": ["2026-03-01", "2026-03-03"]});
    let days = rows(&ask(&server, days).1);
    assert_eq!(
        days.iter().map(|(d, _)| d[0].as_str()).collect::<Vec<_>>(),
        ["2026-03-03", "2026-03-02", "2026-03-01"]
    );
}

#[test]
fn queries_that_cannot_be_answered_say_why() {
    let (_dir, server) = server();
    for (query, status, code, said) in [
        (json!({"metrics": ["revenu"]}), 400, "invalid_query", "revenue"),
        (json!({"metrics": []}), 400, "invalid_query", "1 to"),
        (json!({"metrics": ["events"], "dimension": []}), 400, "invalid_query", "dimension"),
        (json!({"metrics": ["events"], "date_range": "fortnight"}), 400, "invalid_query", "day"),
        (
            json!({"metrics": ["events"], "order_by": [["orders", "asc"]]}),
            400,
            "invalid_query",
            "orders",
        ),
        (
            json!({"metrics": ["roas"], "dimensions": ["visit:device"]}),
            422,
            "unsupported_combination",
            "roas cannot be had by visit:device",
        ),
        (
            json!({"metrics": ["orders"], "dimensions": ["event:name"]}),
            422,
            "unsupported_combination",
            "orders cannot be had by event:name",
        ),
        (
            json!({"metrics": ["events"], "dimensions": ["reject:code"]}),
            422,
            "unsupported_combination",
            "reject:code",
        ),
        (
            json!({"metrics": ["rejected"], "dimensions": ["visit:channel"]}),
            422,
            "unsupported_combination",
            "visit:channel",
        ),
        (
            json!({"metrics": ["revenue"], "filters": [["is", "event:name", ["x"]]]}),
            422,
            "unsupported_combination",
            "revenue",
        ),
        (
            json!({"metrics": ["events"], "dimensions": ["time:second"], "date_range": "30d"}),
            422,
            "range_too_fine",
            "rows",
        ),
    ] {
        let (said_status, problem) = ask(&server, query.clone());
        assert_eq!((said_status, &problem["code"]), (status, &json!(code)), "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{query}: {problem}");
        assert_eq!(problem["field"].is_string(), status == 400, "{query}: {problem}");
    }
    let unknown = json!({"metrics": ["events"], "site_id": "nowhere"});
    assert_eq!(ask(&server, unknown).1["code"], "unknown_site");
}
