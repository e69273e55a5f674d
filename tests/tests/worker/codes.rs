//! Every code and status of docs/http-api.md, made by a request to the built worker. A row of its
//! tables that nothing here makes fails the test, and so does a case that the tables do not tell.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use edgetally_proto::settings::{Bots, OnDenied, Rate, SiteSettings};
use edgetally_proto::sign;
use edgetally_tests::http::{self, Answer};
use edgetally_tests::peer::{ConfigFault, SECRET};
use serde_json::{Value, json};

use crate::docs::{http_api, table};

use super::place::{Place, SITE};

const ORIGIN: &str = "https://shop.example";
const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292278994")
}

/// A strict site: it refuses crawlers and who did not consent, and names of its own.
fn strict(settings: &mut SiteSettings) {
    settings.origins = vec![ORIGIN.to_owned()];
    settings.bots = Bots::Reject;
    settings.privacy.denied = OnDenied::Reject;
}

/// A good event with members changed; null takes one away.
fn event(changes: &Value) -> Value {
    let mut event = json!({
        "id": "e-1", "name": "purchase", "client_id": "c-1", "ts": now_ms() - 1_000,
        "params": {"transaction_id": "T-1", "value": 5, "currency": "VND"},
    });
    let members = event.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        members.remove(name);
        if !value.is_null() {
            members.insert(name.clone(), value.clone());
        }
    }
    event
}

/// An order with one parameter more.
fn order(param: &str, value: Value) -> Value {
    let mut params = json!({"transaction_id": "T-1", "value": 5, "currency": "VND"});
    params[param] = value;
    json!({"params": params})
}

/// Checks a batch of one event with a server key; gives the answer.
fn judge(place: &Place, event: &Value) -> Value {
    // What the batch says of its visitor rides along under a name that no event has.
    let mut event = event.clone();
    let consent = event.as_object_mut().and_then(|event| event.remove("consent"));
    let mut batch = json!({"site": SITE, "events": [event]});
    if let Some(consent) = consent {
        batch["consent"] = consent;
    }
    let url = place.edge.as_ref().expect("it runs").url("/v1/events?validate=1");
    let answer = http::post_json(&url, Some("sk_shop"), &batch).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json().expect("a body")
}

/// Compares codes that were made with the first column of a table.
fn assert_complete(heading: &str, made: &[&str]) {
    let rows = table(&http_api(), heading);
    let told: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(made.iter().copied().collect::<BTreeSet<_>>(), told, "{heading}");
}

#[test]
fn every_code_of_an_event_is_made() {
    let place = Place::with(|settings, _| strict(settings));
    let items: Vec<Value> = (0..201).map(|_| json!({"item_id": "a"})).collect();
    let cases = [
        ("name_invalid", json!({"name": "Not A Name"})),
        ("name_not_allowed", json!({"name": "lot_closed"})),
        ("missing_field", json!({"name": null})),
        ("value_invalid", order("value", json!("ten"))),
        ("value_out_of_bounds", order("value", json!(-1))),
        ("currency_unknown", order("currency", json!("XXQ"))),
        ("too_many_items", order("items", json!(items))),
        ("field_too_long", order("note", json!("x".repeat(1_025)))),
        ("timestamp_invalid", json!({"ts": "yesterday"})),
        ("timestamp_too_old", json!({"ts": now_ms() - 40 * 86_400_000})),
        ("id_invalid", json!({"id": "not an id"})),
        ("client_id_invalid", json!({"client_id": "x".repeat(129)})),
        ("consent_denied", json!({"consent": {"analytics": false}})),
        ("bot", json!({"context": {"user_agent": CRAWLER}})),
    ];
    for (code, changes) in &cases {
        let answer = judge(&place, &event(changes));
        assert_eq!(answer["rejected"][0]["code"], json!(code), "{answer}");
        assert_eq!(answer["accepted"], json!(0), "{answer}");
    }
    assert_complete("When an event is refused", &cases.map(|(code, _)| code));
}

#[test]
fn every_warning_is_made() {
    let place = Place::with(|settings, _| strict(settings));
    let cases = [
        ("value_rounded", order("value", json!("5.5"))),
        ("timestamp_clamped", json!({"ts": now_ms() + 86_400_000})),
        ("user_id_ignored", json!({"user_id": "undefined"})),
        ("not_idempotent", json!({"id": null, "ts": null})),
        ("alias_used", json!({"name": "view"})),
    ];
    for (code, changes) in &cases {
        let answer = judge(&place, &event(changes));
        assert_eq!(answer["warnings"][0]["code"], json!(code), "{answer}");
        assert_eq!(answer["accepted"], json!(1), "{answer}");
    }
    assert_complete("When an event is taken with a warning", &cases.map(|(code, _)| code));
}

/// A request by its method, path, headers and body.
type Request = (&'static str, &'static str, Vec<(&'static str, &'static str)>, String);

fn send(place: &Place, (method, path, headers, body): &Request) -> Answer {
    let url = place.edge.as_ref().expect("it runs").url(path);
    http::send(method, &url, headers, body.as_bytes()).expect("an answer")
}

/// A request to `POST /v1/events` of a browser.
fn batch(changes: &Value, header: (&'static str, &'static str)) -> Request {
    let mut batch = json!({"site": SITE, "key": "wk_shop", "client_id": "c-1", "events": []});
    for (name, value) in changes.as_object().expect("an object") {
        batch[name] = value.clone();
    }
    let mut headers = vec![("content-type", "text/plain"), ("origin", ORIGIN)];
    headers.retain(|(name, _)| *name != header.0);
    headers.push(header);
    ("POST", "/v1/events", headers, batch.to_string())
}

fn refusals() -> Vec<(u16, &'static str, Request)> {
    let plain = ("content-type", "text/plain");
    let with = |changes: Value| batch(&changes, plain);
    let events = |count: usize| vec![json!({"name": "page_view"}); count];
    let (_, path, headers, body) = with(json!({}));
    let long = with(json!({"padding": "x".repeat(70_000)}));
    vec![
        (404, "not_found", ("GET", "/v1/nothing", Vec::new(), String::new())),
        (405, "method_not_allowed", ("PUT", path, headers.clone(), body.clone())),
        (415, "unsupported_media_type", batch(&json!({}), ("content-type", "image/png"))),
        (413, "body_too_large", long),
        (400, "invalid_json", ("POST", path, headers, "{".to_owned())),
        (400, "invalid_batch", with(json!({"sent_at": "now"}))),
        (404, "unknown_site", with(json!({"site": "nowhere"}))),
        (401, "key_invalid", with(json!({"key": "wk_wrong"}))),
        (403, "origin_not_allowed", batch(&json!({}), ("origin", "null"))),
        (429, "rate_limited", with(json!({"site": "tight", "key": "wk_tight"}))),
        (413, "too_many_events", with(json!({"events": events(51)}))),
    ]
}

#[test]
fn every_refusal_of_a_request_is_made() {
    let mut place = Place::with(|settings, _| strict(settings));
    let mut tight = SiteSettings { origins: vec![ORIGIN.to_owned()], ..SiteSettings::default() };
    tight.rate_limit.per_address = Rate { rate: 0, burst: 1 };
    place.peer.put_site("tight", tight).expect("a site");
    // A token is the only one that a minute brings.
    let spent = batch(&json!({"site": "tight", "key": "wk_tight"}), ("origin", ORIGIN));
    assert_eq!(send(&place, &spent).status, 202);
    let mut made = BTreeSet::new();
    for (status, code, request) in refusals() {
        assert_refused(&send(&place, &request), status, code);
        made.insert((status, code));
    }
    let unsigned = ("GET", "/internal/archive", Vec::new(), String::new());
    assert_refused(&send(&place, &unsigned), 401, "signature_invalid");
    made.insert((401, "signature_invalid"));
    assert_eq!(put_once(&place).status, 204);
    assert_refused(&put_once(&place), 412, "conflict");
    made.insert((412, "conflict"));
    // A worker that was never told any settings.
    place.edge.take().expect("it runs").stop().expect("stopped");
    std::fs::remove_dir_all(place.options.data.join("objects")).expect("its data");
    place.peer.set_config(ConfigFault::Away);
    place.start();
    let good = batch(&json!({}), ("origin", ORIGIN));
    assert_refused(&send(&place, &good), 503, "overloaded");
    made.insert((503, "overloaded"));
    let rows = table(&http_api(), "When a whole request is refused");
    let told = rows.iter().map(|row| (row[0].parse().expect("a status"), row[1].as_str()));
    assert_eq!(made, told.collect::<BTreeSet<_>>());
}

/// Writes an object into the archive, if there is none of its name.
fn put_once(place: &Place) -> Answer {
    let (at_ms, target) = (now_ms(), "/internal/archive/raw/once");
    let signature = sign::archive_request(SECRET, "PUT", target, at_ms, b"x");
    let at = at_ms.to_string();
    let headers = [
        (sign::header::AT, at.as_str()),
        (sign::header::SIGNATURE, signature.as_str()),
        ("if-none-match", "*"),
    ];
    let url = place.edge.as_ref().expect("it runs").url(target);
    http::send("PUT", &url, &headers, b"x").expect("an answer")
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{code}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{code}");
    let problem = answer.json().expect("a problem");
    assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{code}");
    let waits = [429, 503].contains(&status);
    assert_eq!(answer.header("retry-after").is_some(), waits, "{code}");
    assert_eq!(problem["retry_after_ms"].is_u64(), waits, "{code}");
}
