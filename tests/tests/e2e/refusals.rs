//! Requests that the worker refuses as a whole, each with its status, code and field.

use std::io::Write;

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http::{self, Answer};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::system::{SETTINGS_LIMIT, Site, assert_no_panic, put_settings, shared};

const ORIGIN: &str = "https://shop.example";

/// One request to `POST /v1/events`, good unless a case changes it.
#[derive(Clone)]
struct Request {
    method: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Request {
    fn new(body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { method: "POST", headers, body: body.into() }
    }

    fn json(body: &Value) -> Self {
        Self::new(body.to_string())
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn by(self, key: &str) -> Self {
        self.with("authorization", &format!("Bearer {key}"))
    }

    fn gzipped(mut self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.body).expect("memory");
        self.body = encoder.finish().expect("memory");
        self.with("content-encoding", "gzip")
    }

    fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    fn send(&self, dev: &Dev) -> Answer {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        http::send(self.method, &dev.edge("/v1/events"), &headers, &self.body).expect("an answer")
    }
}

/// A batch of page views that the write key may send.
fn batch(site: &Site, count: usize) -> Value {
    let view = |at: usize| json!({"id": format!("refusal-{at}"), "name": "page_view"});
    let events: Vec<Value> = (0..count).map(view).collect();
    json!({"site": site.id, "key": site.write_key, "client_id": "c-1", "events": events})
}

/// The same batch with a member changed; null takes it away.
fn changed(site: &Site, member: &str, value: Value) -> Value {
    let mut batch = batch(site, 1);
    let members = batch.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(member),
        value => members.insert(member.to_owned(), value),
    };
    batch
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

/// The batch with a parameter nested so deep.
fn deep(site: &Site, depth: usize) -> String {
    let text = batch(site, 1).to_string();
    text.replacen(
        "\"page_view\"",
        &format!("\"page_view\",\"params\":{{\"x\":{}}}", nested(depth)),
        1,
    )
}

/// The batch, padded with a text to so many bytes.
fn padded(site: &Site, bytes: usize) -> String {
    changed(site, "padding", json!("x".repeat(bytes))).to_string()
}

/// A refusal of a whole request in the one shape of all of them.
pub fn assert_problem(answer: &Answer, status: u16, code: &str, what: &str) -> Value {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    let content_type = answer.header("content-type").unwrap_or_default();
    assert!(content_type.starts_with("application/problem+json"), "{what}: {content_type}");
    let problem = answer.json().expect("a problem");
    assert_eq!(problem["status"], json!(status), "{what}: {problem}");
    for member in ["type", "title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{what}: {problem}");
    }
    assert_eq!(problem["code"], json!(code), "{what}: {problem}");
    problem
}

fn site(dev: &Dev, id: &str) -> Site {
    Site::create(dev, id, &json!({"origins": [ORIGIN], "bots": "off"}))
}

/// A body that cannot be read, or is too large, is refused before anything else is looked at.
#[test]
fn unreadable_bodies_are_refused() {
    let dev = shared();
    let site = site(&dev, "refusals-bodies");
    let good = Request::json(&batch(&site, 1));
    let bad_gzip = Request::new(&b"this is no gzip"[..]).with("content-encoding", "gzip");
    let cut_gzip = {
        let mut whole = good.clone().gzipped();
        whole.body.truncate(whole.body.len() / 2);
        whole
    };
    let server = |bytes: usize| Request::new(padded(&site, bytes)).by(&site.server_key);
    let cases = [
        ("GET", good.clone().method("PUT"), 405, "method_not_allowed"),
        ("DELETE", good.clone().method("DELETE"), 405, "method_not_allowed"),
        (
            "XML",
            good.clone().with("content-type", "application/xml"),
            415,
            "unsupported_media_type",
        ),
        ("brotli", good.clone().with("content-encoding", "br"), 415, "unsupported_media_type"),
        (
            "a form",
            good.with("content-type", "application/x-www-form-urlencoded"),
            415,
            "unsupported_media_type",
        ),
        ("200 KB", Request::new(padded(&site, 200_000)), 413, "body_too_large"),
        ("200 KB in gzip", Request::new(padded(&site, 200_000)).gzipped(), 413, "body_too_large"),
        ("1.1 MB by a server", server(1_100_000), 413, "body_too_large"),
        ("1.1 MB by a server in gzip", server(1_100_000).gzipped(), 413, "body_too_large"),
        (
            "200 KB by an unknown key",
            Request::new(padded(&site, 200_000)).by("sk_unknown"),
            413,
            "body_too_large",
        ),
        ("nothing", Request::new(""), 400, "invalid_json"),
        ("half an object", Request::new("{\"site\": \"refusals\""), 400, "invalid_json"),
        ("two values", Request::new("{} {}"), 400, "invalid_json"),
        ("not UTF-8", Request::new(&b"{\"site\": \"\xff\"}"[..]), 400, "invalid_json"),
        ("no gzip", bad_gzip, 400, "invalid_json"),
        ("half a gzip", cut_gzip, 400, "invalid_json"),
        ("70 deep", Request::new(deep(&site, 70)), 400, "invalid_json"),
        ("10,000 deep", Request::new(deep(&site, 10_000)), 400, "invalid_json"),
        ("10,000 deep and open", Request::new("[".repeat(10_000)), 400, "invalid_json"),
    ];
    for (what, request, status, code) in cases {
        assert_problem(&request.send(&dev), status, code, what);
    }
    assert_no_panic(&dev);
}

/// What is just within the limits is accepted.
#[test]
fn bodies_within_the_limits_are_accepted() {
    let dev = shared();
    let site = site(&dev, "refusals-within");
    let good = Request::json(&batch(&site, 50));
    let large = changed(&site, "padding", json!("x".repeat(200_000)));
    let cases = [
        ("JSON", good.clone(), 50),
        ("text", good.clone().with("content-type", "text/plain;charset=UTF-8"), 50),
        ("gzip", good.gzipped(), 50),
        ("50 deep", Request::new(deep(&site, 50)), 1),
        ("200 KB by a server", Request::json(&large).by(&site.server_key), 1),
        ("no events", Request::json(&batch(&site, 0)), 0),
        (
            "1,000 events by a server",
            Request::json(&batch(&site, 1_000)).by(&site.server_key),
            1_000,
        ),
    ];
    for (what, request, count) in cases {
        let answer = request.send(&dev);
        assert_eq!(answer.status, 202, "{what}: {}", answer.text());
        let body = answer.json().expect("counts");
        let counted =
            [&body["accepted"], &body["duplicates"]].map(|n| n.as_i64().expect("a count"));
        assert_eq!(counted[0] + counted[1], count, "{what}: {body}");
        assert_eq!(body["rejected"], json!([]), "{what}");
    }
}

/// A batch that is no batch is refused with the member at fault.
#[test]
fn batches_of_the_wrong_shape_are_refused_by_field() {
    let dev = shared();
    let site = site(&dev, "refusals-shape");
    for (member, value) in [
        ("site", Value::Null),
        ("site", json!(7)),
        ("key", json!(7)),
        ("events", Value::Null),
        ("events", json!({"0": {}})),
        ("events", json!("page_view")),
        ("sent_at", json!("now")),
        ("dropped", json!(-1)),
        ("consent", json!("yes")),
    ] {
        let what = format!("{member} {value}");
        let request = Request::json(&changed(&site, member, value));
        let problem = assert_problem(&request.send(&dev), 400, "invalid_batch", &what);
        let field = problem["field"].as_str().unwrap_or_default();
        assert!(field == member || field.starts_with(&format!("{member}.")), "{what}: {problem}");
    }
    for text in ["[]", "\"batch\"", "7", "null"] {
        assert_problem(&Request::new(text).send(&dev), 400, "invalid_batch", text);
    }
    let inner = changed(&site, "consent", json!({"analytics": "yes"}));
    let problem =
        assert_problem(&Request::json(&inner).send(&dev), 400, "invalid_batch", "consent");
    assert_eq!(problem["field"], json!("consent.analytics"));
}

/// Who sends is checked: the site, the key and its kind.
#[test]
fn unknown_sites_and_wrong_keys_are_refused() {
    let dev = shared();
    let site = site(&dev, "refusals-keys");
    let other = Site::create(&dev, "refusals-other", &json!({"origins": ["*"]}));
    let with_key = |key: Value| Request::json(&changed(&site, "key", key));
    let keyless = || with_key(Value::Null);
    let cases = [
        ("no key", keyless(), 401, "key_invalid"),
        ("a wrong key", with_key(json!("wk_wrong")), 401, "key_invalid"),
        ("a key of another site", with_key(json!(other.write_key)), 401, "key_invalid"),
        ("a server key in the body", with_key(json!(site.server_key)), 401, "key_invalid"),
        ("another site's server key", keyless().by(&other.server_key), 401, "key_invalid"),
        ("a read key", keyless().by(dev.text("read_key")), 401, "key_invalid"),
        (
            "an unknown site",
            Request::json(&changed(&site, "site", json!("nowhere"))),
            404,
            "unknown_site",
        ),
    ];
    for (what, request, status, code) in cases {
        assert_problem(&request.send(&dev), status, code, what);
    }
    for request in [keyless().by(&site.write_key), keyless().by(&site.server_key)] {
        assert_eq!(request.send(&dev).status, 202);
    }
    assert_no_panic(&dev);
}

/// Only listed origins may send, and every page may read the answer.
#[test]
fn origins_are_checked_and_answers_can_be_read() {
    let dev = shared();
    let site = site(&dev, "refusals-origins");
    let from = |origin: &str| Request::json(&batch(&site, 1)).with("origin", origin);
    for origin in
        ["https://evil.example", "null", "http://shop.example", "https://shop.example:8443"]
    {
        let answer = from(origin).send(&dev);
        assert_problem(&answer, 403, "origin_not_allowed", origin);
        assert!(answer.header("access-control-allow-origin").is_some(), "{origin}");
    }
    let lost = |member: &str| Request::json(&changed(&site, member, json!("lost")));
    let cases = [
        (Request::json(&batch(&site, 1)), 202),
        (Request::new("{"), 400),
        (lost("key"), 401),
        (lost("site"), 404),
        (Request::json(&batch(&site, 51)), 413),
        (Request::new("{}").with("content-type", "image/png"), 415),
    ];
    for (request, status) in cases {
        let answer = request.with("origin", ORIGIN).send(&dev);
        assert_eq!(answer.status, status, "{}", answer.text());
        let allowed = answer.header("access-control-allow-origin").expect("a readable answer");
        assert!(allowed == "*" || allowed == ORIGIN, "{allowed}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(exposed.to_lowercase().contains("retry-after"), "{exposed}");
    }
    assert_eq!(Request::json(&batch(&site, 1)).send(&dev).status, 202, "no origin");
    assert_eq!(from(ORIGIN).method("OPTIONS").send(&dev).status, 204);
}

/// More events than a key may send at once are refused.
#[test]
fn too_many_events_are_refused() {
    let dev = shared();
    let site = site(&dev, "refusals-many");
    let many = Request::json(&batch(&site, 51));
    assert_problem(&many.send(&dev), 413, "too_many_events", "51 by a browser");
    let many = Request::json(&batch(&site, 1_001)).by(&site.server_key);
    assert_problem(&many.send(&dev), 413, "too_many_events", "1,001 by a server");
    assert_eq!(site.totals(&dev, &["events"]), json!([0]), "nothing of them is kept");
}

/// Of several faults the first of the documented order is told.
#[test]
fn the_first_fault_wins() {
    let dev = shared();
    let site = site(&dev, "refusals-order");
    let mut wrong = changed(&site, "key", json!("wk_wrong"));
    let cases = [
        (
            "method, then type",
            Request::new("{").method("PUT").with("content-type", "a/b"),
            405,
            "method_not_allowed",
        ),
        (
            "type, then JSON",
            Request::new("{").with("content-type", "image/png"),
            415,
            "unsupported_media_type",
        ),
        ("key, then origin", Request::json(&wrong).with("origin", "null"), 401, "key_invalid"),
    ];
    for (what, request, status, code) in cases {
        assert_problem(&request.send(&dev), status, code, what);
    }
    wrong["site"] = json!("nowhere");
    assert_problem(&Request::json(&wrong).send(&dev), 404, "unknown_site", "site, then key");
    wrong["sent_at"] = json!("now");
    assert_problem(&Request::json(&wrong).send(&dev), 400, "invalid_batch", "batch, then site");
    let many = Request::json(&batch(&site, 51)).with("origin", "null");
    assert_problem(&many.send(&dev), 403, "origin_not_allowed", "origin, then too many");
}

/// A change of settings is in force everywhere within two seconds.
#[test]
fn changed_settings_are_known_within_two_seconds() {
    let dev = shared();
    let site = site(&dev, "refusals-settings");
    let from_new = Request::json(&batch(&site, 1)).with("origin", "https://new.example");
    assert_eq!(from_new.send(&dev).status, 403);
    put_settings(&dev, &site.id, &json!({"origins": ["https://new.example"]}));
    within("the new origin", SETTINGS_LIMIT, || {
        Ok((from_new.send(&dev).status == 202).then_some(()))
    })
    .expect("in force in time");
    let from_old = Request::json(&batch(&site, 1)).with("origin", ORIGIN);
    assert_eq!(from_old.send(&dev).status, 403);
}
