//! Every route with every kind of key, and the description that says the same.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::server::{ADMIN, Server};

/// Whom a route lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Everybody.
    Open,
    /// Read keys of the site.
    Reader,
    /// Read keys of whichever site.
    AnyReader,
    /// Server keys of the site.
    Server,
    /// Admin keys.
    Admin,
    /// Nobody by a key: workers sign.
    Signed,
}

const QUERY: &str = r#"{"site_id": "demo", "metrics": ["events"], "date_range": "day"}"#;
const FUNNEL: &str = r#"{"site_id": "demo", "date_range": "day"}"#;
const MERGE: &str = r#"{"site": "demo", "from": "c:x", "into": "u:y"}"#;
const IMPORT: &str = "/v1/orders/import?site=demo&platform=shopee";
const RECONCILE: &str = r#"{"site": "demo", "from": "2026-03-02", "to": "2026-03-02",
    "csv": "order_id,amount,status,created_at\n"}"#;
const SITE: &str = r#"{"site": "demo"}"#;

/// Method and route as described, whom it lets through, and a request that it would answer. Its
/// site is the one of the keys, and nothing is lost by it: what it deletes is not there.
const DOORS: &[(&str, &str, Door, &str, &str)] = &[
    ("GET", "/api/stats", Door::Reader, "/api/stats?site=demo", ""),
    ("GET", "/api/stats/cities", Door::Reader, "/api/stats/cities?site=demo", ""),
    ("POST", "/api/v2/query", Door::Reader, "/api/v2/query", QUERY),
    ("GET", "/healthz", Door::Open, "/healthz", ""),
    ("GET", "/metrics", Door::Open, "/metrics", ""),
    ("GET", "/openapi.json", Door::Open, "/openapi.json", ""),
    ("GET", "/readyz", Door::Open, "/readyz", ""),
    ("GET", "/v1/alerts", Door::Reader, "/v1/alerts?site=demo", ""),
    ("POST", "/v1/alerts/test", Door::Admin, "/v1/alerts/test", SITE),
    ("POST", "/v1/alerts/report", Door::Admin, "/v1/alerts/report", SITE),
    ("POST", "/v1/alerts/{id}/acknowledge", Door::Admin, "/v1/alerts/x-1-1/acknowledge", ""),
    ("GET", "/v1/alerts/deliveries", Door::Admin, "/v1/alerts/deliveries?site=demo", ""),
    ("GET", "/v1/alerts/rules", Door::Reader, "/v1/alerts/rules?site=demo", ""),
    ("PUT", "/v1/alerts/rules/{name}", Door::Admin, "/v1/alerts/rules/x?site=demo", "{}"),
    ("DELETE", "/v1/alerts/rules/{name}", Door::Admin, "/v1/alerts/rules/x?site=demo", ""),
    ("GET", "/v1/audit", Door::Admin, "/v1/audit", ""),
    ("POST", "/v1/backup", Door::Admin, "/v1/backup", ""),
    ("GET", "/v1/backups", Door::Admin, "/v1/backups", ""),
    ("GET", "/v1/backups/{name}", Door::Admin, "/v1/backups/none", ""),
    ("DELETE", "/v1/backups/{name}", Door::Admin, "/v1/backups/none", ""),
    ("POST", "/v1/costs", Door::Server, "/v1/costs?site=demo", "[]"),
    ("GET", "/v1/edge/config", Door::Signed, "/v1/edge/config", ""),
    ("GET", "/v1/edges", Door::AnyReader, "/v1/edges", ""),
    ("POST", "/v1/frames", Door::Signed, "/v1/frames", "x"),
    ("GET", "/v1/experiments/{id}", Door::Reader, "/v1/experiments/x?site=demo", ""),
    ("POST", "/v1/funnel", Door::Reader, "/v1/funnel", FUNNEL),
    ("GET", "/v1/keys", Door::Admin, "/v1/keys", ""),
    ("POST", "/v1/keys", Door::Admin, "/v1/keys", r#"{"site": "demo", "kind": "read"}"#),
    ("DELETE", "/v1/keys/{id}", Door::Admin, "/v1/keys/none", ""),
    ("GET", "/v1/links", Door::Admin, "/v1/links", ""),
    ("POST", "/v1/links", Door::Admin, "/v1/links", SITE),
    ("DELETE", "/v1/links/{id}", Door::Admin, "/v1/links/none", ""),
    ("GET", "/v1/export/{what}", Door::Reader, "/v1/export/orders?site=demo", ""),
    ("GET", "/v1/live/ws", Door::Reader, "/v1/live/ws?site=demo", ""),
    ("GET", "/v1/live", Door::Reader, "/v1/live?site=demo", ""),
    ("POST", "/v1/login", Door::Open, "/v1/login", "{}"),
    ("POST", "/v1/logout", Door::Open, "/v1/logout", ""),
    ("GET", "/v1/orders", Door::Reader, "/v1/orders?site=demo", ""),
    ("POST", "/v1/orders", Door::Server, "/v1/orders?site=demo", "[]"),
    ("POST", "/v1/orders/import", Door::Server, IMPORT, "[]"),
    ("GET", "/v1/orders/{transaction}", Door::Reader, "/v1/orders/T?site=demo", ""),
    ("GET", "/v1/orders/daily", Door::Reader, "/v1/orders/daily?site=demo", ""),
    ("GET", "/v1/orders/validate", Door::Reader, "/v1/orders/validate?site=demo", ""),
    ("POST", "/v1/orders/rebuild", Door::Admin, "/v1/orders/rebuild", SITE),
    ("GET", "/v1/jobs", Door::Reader, "/v1/jobs?site=demo", ""),
    ("GET", "/v1/jobs/{id}", Door::AnyReader, "/v1/jobs/none", ""),
    ("GET", "/v1/people/merge", Door::Reader, "/v1/people/merge?site=demo", ""),
    ("POST", "/v1/people/merge", Door::Admin, "/v1/people/merge", MERGE),
    ("DELETE", "/v1/people/merge", Door::Admin, "/v1/people/merge", MERGE),
    ("POST", "/v1/people/merge/undo", Door::Admin, "/v1/people/merge/undo", MERGE),
    ("GET", "/v1/people/{person}", Door::Reader, "/v1/people/c%3Ax?site=demo", ""),
    ("DELETE", "/v1/people/{person}", Door::Admin, "/v1/people/c%3Ax?site=demo", ""),
    ("GET", "/v1/people/{person}/export", Door::Admin, "/v1/people/c%3Ax/export?site=demo", ""),
    ("POST", "/v1/query", Door::Reader, "/v1/query", QUERY),
    ("POST", "/v1/reconcile", Door::Admin, "/v1/reconcile", RECONCILE),
    ("GET", "/v1/reconciliations", Door::Reader, "/v1/reconciliations?site=demo", ""),
    ("GET", "/v1/reconciliations/{id}", Door::Reader, "/v1/reconciliations/x?site=demo", ""),
    ("GET", "/v1/rejects", Door::Reader, "/v1/rejects?site=demo", ""),
    ("POST", "/v1/rejects/replay", Door::Admin, "/v1/rejects/replay", SITE),
    ("GET", "/v1/sessions", Door::Reader, "/v1/sessions?site=demo", ""),
    ("GET", "/v1/stock", Door::Reader, "/v1/stock?site=demo", ""),
    ("GET", "/v1/trends", Door::Reader, "/v1/trends?site=demo", ""),
    ("GET", "/v1/sites", Door::Admin, "/v1/sites", ""),
    ("GET", "/v1/sites/{site}", Door::Admin, "/v1/sites/demo", ""),
    ("PUT", "/v1/sites/{site}", Door::Admin, "/v1/sites/demo", "{}"),
    ("DELETE", "/v1/sites/{site}", Door::Admin, "/v1/sites/none", ""),
];

/// Who knocks.
const CALLERS: [&str; 8] =
    ["nobody", "a stranger", "read", "link", "read of another site", "server", "write", "admin"];

fn answers(door: Door) -> [Option<u16>; 8] {
    const THROUGH: Option<u16> = None;
    let (no, wrong) = (Some(401), Some(403));
    match door {
        Door::Open => [THROUGH; 8],
        Door::Reader => [no, no, THROUGH, THROUGH, wrong, wrong, wrong, THROUGH],
        Door::AnyReader => [no, no, THROUGH, THROUGH, THROUGH, wrong, wrong, THROUGH],
        Door::Server => [no, no, wrong, wrong, wrong, THROUGH, wrong, THROUGH],
        Door::Admin => [no, no, wrong, wrong, wrong, wrong, wrong, THROUGH],
        // Without the headers that would be signed a request is not even looked at.
        Door::Signed => [Some(400); 8],
    }
}

fn described(server: &Server) -> Value {
    let (status, api) = server.call("GET", "/openapi.json", "", None);
    assert_eq!(status, 200);
    api
}

fn routes(api: &Value) -> BTreeSet<(String, String)> {
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
        methods.map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    api["paths"].as_object().unwrap().iter().flat_map(of).collect()
}

#[test]
fn every_route_opens_to_whom_it_should_and_to_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    server.call("PUT", "/v1/sites/other", ADMIN, Some(json!({})));
    let api = described(&server);
    let tabled: BTreeSet<(String, String)> =
        DOORS.iter().map(|row| (row.0.to_owned(), row.1.to_owned())).collect();
    assert_eq!(tabled, routes(&api), "the table and the router differ");
    let key = |site: &str, kind: &str| {
        let body = json!({"site": site, "kind": kind});
        server.call("POST", "/v1/keys", ADMIN, Some(body)).1["key"].as_str().unwrap().to_owned()
    };
    let (_, link) = server.call("POST", "/v1/links", ADMIN, Some(json!({"site": "demo"})));
    let keys = [
        String::new(),
        "rk_nobody_made_it".to_owned(),
        key("demo", "read"),
        link["token"].as_str().unwrap().to_owned(),
        key("other", "read"),
        key("demo", "server"),
        key("demo", "write"),
        key("demo", "admin"),
    ];
    for (method, route, door, path, body) in DOORS {
        let expected = answers(*door);
        for ((key, caller), expected) in keys.iter().zip(CALLERS).zip(expected) {
            let said = server.status(method, path, key, (!body.is_empty()).then_some(*body));
            let is_right = match expected {
                Some(status) => said == status,
                None => said != 401 && said != 403 && said < 500,
            };
            assert!(is_right, "{method} {path}: {caller} got {said}, not {expected:?}");
        }
        let security = &api["paths"][*route][method.to_lowercase()]["security"];
        let schemes = security
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|one| one.as_object().unwrap().keys().cloned().collect::<Vec<String>>());
        let schemes: Vec<String> = schemes.collect();
        let expected: &[&str] = match door {
            Door::Open => &[],
            Door::Reader | Door::AnyReader => &["read", "login"],
            Door::Server => &["server", "login"],
            Door::Admin => &["admin", "login"],
            Door::Signed => &["edge"],
        };
        assert_eq!(schemes, expected, "{method} {route} is described otherwise");
    }
}

/// A route that does not describe itself is in neither table nor description.
#[test]
fn no_route_goes_around_the_description() {
    fn check(folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                check(&path);
            } else if !path.ends_with("http/pages.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains(".route("), "{path:?}: use .routes(routes!(...))");
            }
        }
    }
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"));
}

/// `EDGETALLY_RENEW=1` writes the file anew.
#[test]
fn the_description_is_the_one_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let (_, text) = server.call_text("GET", "/openapi.json", "", None);
    let text = format!("{text}\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    if std::env::var_os("EDGETALLY_RENEW").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(kept, said)| kept != said);
    assert_eq!(differs, None, "CONTRIBUTING.md says how to renew docs/openapi.json");
    assert_eq!(kept.len(), text.len(), "CONTRIBUTING.md says how to renew docs/openapi.json");
}

/// What names something that is not described would be of no use to a client.
#[test]
fn every_operation_is_described_whole() {
    let dir = tempfile::tempdir().unwrap();
    let api = described(&Server::start(dir.path()));
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    for (method, path) in routes(&api) {
        let operation = &api["paths"][&path][method.to_lowercase()];
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(summary.len() > 8, "{method} {path} has no summary");
        assert!(operation["tags"].is_array(), "{method} {path} has no tag");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{id} names two operations");
    }
    fn references(value: &Value, all: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("$ref") {
                    all.insert(name.clone());
                }
                members.values().for_each(|member| references(member, all));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, all)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    references(&api, &mut all);
    assert!(all.len() > 10);
    for name in all {
        let pointer = name.strip_prefix('#').unwrap();
        assert!(api.pointer(pointer).is_some(), "{name} is nowhere");
    }
}
