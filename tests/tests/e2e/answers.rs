//! What the worker says of events that it takes, and of those that a site's settings refuse.

use edgetally_tests::http;
use serde_json::{Value, json};

use super::events::{DAY_MS, event, purchase, strict_site as site, view};
use super::system::{Site, now_ms, shared};

/// What could be read differently than meant is accepted with a warning.
#[test]
fn doubtful_events_are_accepted_with_a_warning() {
    let dev = shared();
    let site = site(&dev, "rejects-warnings");
    let mut anonymous = view("id", Value::Null);
    anonymous.as_object_mut().expect("an object").remove("ts");
    let cases = [
        (purchase("value", json!("10.5")), "value_rounded", "params.value"),
        (view("name", json!("view")), "alias_used", "name"),
        (view("user_id", json!("undefined")), "user_id_ignored", "user_id"),
        (anonymous, "not_idempotent", "id"),
    ];
    for (at, (event, code, field)) in cases.into_iter().enumerate() {
        let mut event = event;
        if event["id"] == json!("e-1") {
            event["id"] = json!(format!("warned-{at}"));
        }
        let answer = site.send(&dev, std::slice::from_ref(&event));
        assert_eq!(answer["accepted"], json!(1), "{answer}");
        let told = &answer["warnings"][0];
        assert_eq!((&told["index"], &told["code"]), (&json!(0), &json!(code)), "{event}: {answer}");
        assert_eq!(told["field"], json!(field), "{answer}");
    }
    let future = view("ts", json!(now_ms() + DAY_MS));
    let batch = json!({"site": site.id, "events": [future]});
    let answer = dev.collect(Some(&site.server_key), &batch).expect("an answer");
    let answer = answer.json().expect("a body");
    assert_eq!(answer["warnings"][0]["code"], json!("timestamp_clamped"), "{answer}");
}

/// A browser may report a week back and no further.
#[test]
fn a_write_key_reaches_a_week_back() {
    let dev = shared();
    let site = site(&dev, "rejects-week");
    let event = |id: &str, age: i64| {
        let ts = now_ms() - age * DAY_MS;
        json!({"id": id, "name": "page_view", "client_id": "c-1", "ts": ts})
    };
    let events = [event("new", 6), event("old", 8)];
    let batch = json!({"site": site.id, "key": site.write_key, "events": events});
    let answer = dev.collect(None, &batch).expect("an answer").json().expect("a body");
    assert_eq!(answer["accepted"], json!(1), "{answer}");
    assert_eq!(answer["rejected"][0]["code"], json!("timestamp_too_old"), "{answer}");
    assert_eq!(answer["rejected"][0]["index"], json!(1), "{answer}");
}

/// What a site refuses by its settings: bots, and visitors who did not consent.
#[test]
fn settings_refuse_bots_and_missing_consent() {
    let dev = shared();
    let settings = json!({"origins": ["*"], "bots": "reject", "privacy": {"denied": "reject"}});
    let site = Site::create(&dev, "rejects-policy", &settings);
    let send = |agent: &str, consent: Value| {
        let batch = json!({
            "site": site.id, "key": site.write_key, "client_id": "c-1", "consent": consent,
            "events": [{"name": "page_view", "ts": now_ms()}],
        });
        let headers = [("content-type", "text/plain"), ("user-agent", agent)];
        let url = dev.edge("/v1/events");
        let answer = http::send("POST", &url, &headers, batch.to_string().as_bytes());
        answer.expect("an answer").json().expect("a body")
    };
    let browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
                   (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
    let crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    let granted = json!({"analytics": true, "ads": true});
    let denied = json!({"analytics": false, "ads": false});
    let code = |answer: &Value| answer["rejected"][0]["code"].clone();
    assert_eq!(code(&send(crawler, granted.clone())), json!("bot"));
    assert_eq!(code(&send(browser, denied)), json!("consent_denied"));
    assert_eq!(send(browser, granted)["accepted"], json!(1));
}

/// Events of one batch that repeat each other are counted once, and the answer adds up.
#[test]
fn repeats_within_a_batch_are_duplicates() {
    let dev = shared();
    let site = site(&dev, "rejects-repeats");
    let one =
        json!({"id": "0193A5F0000070008000000000000001", "name": "page_view", "client_id": "c-1"});
    let mut same = one.clone();
    same["id"] = json!("0193a5f0-0000-7000-8000-000000000001");
    let mut other_client = one.clone();
    other_client["client_id"] = json!("c-2");
    let answer = site.send(&dev, &[one, same, other_client, view("name", json!("No Name"))]);
    let counts = [&answer["accepted"], &answer["duplicates"]];
    assert_eq!(counts, [&json!(2), &json!(1)], "{answer}");
    assert_eq!(answer["rejected"].as_array().map(Vec::len), Some(1), "{answer}");
    site.expect_totals(&dev, &["events"], &json!([2]));
}

/// With `?validate=1` the answer is the same and nothing is stored.
#[test]
fn validation_alone_stores_nothing() {
    let dev = shared();
    let site = site(&dev, "rejects-validate");
    let batch = json!({
        "site": site.id, "events": [event("page_view", json!({})), view("name", json!("No Name"))],
    });
    let url = dev.edge("/v1/events?validate=1");
    for _ in 0..2 {
        let answer = http::post_json(&url, Some(&site.server_key), &batch).expect("an answer");
        let answer = answer.json().expect("a body");
        assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(1), &json!(0)));
        assert_eq!(answer["rejected"][0]["code"], json!("name_invalid"), "{answer}");
    }
    site.expect_totals(&dev, &["events", "visitors"], &json!([0, 0]));
}
