//! Rejected events on their way to the list of rejected events, and those that must not get there.

use std::time::Duration;

use aggregator::zone::Zone;
use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::events::{event, purchase};
use super::system::{Site, now_ms, shared};

/// What was refused is in the list after this long at most.
const LETTER_LIMIT: Duration = Duration::from_secs(2);

fn rejects(dev: &Dev, site: &Site) -> anyhow::Result<Value> {
    let url = dev.aggregator(&format!("/v1/rejects?site={}", site.id));
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let answer = http::send("GET", &url, &[("authorization", &authorization)], b"")?;
    anyhow::ensure!(answer.status == 200, "{}", answer.text());
    answer.json()
}

/// Waits until events of a code are counted, and gives the list as it is then.
fn counted(dev: &Dev, site: &Site, code: &str) -> Value {
    within("a rejected event in the list", LETTER_LIMIT, || {
        let list = rejects(dev, site)?;
        let hours = list["hours"].as_array().into_iter().flatten();
        let is_there = hours.into_iter().any(|hour| hour["code"] == json!(code));
        Ok(is_there.then_some(list))
    })
    .expect("there in time")
}

/// A bad purchase is shown as it was sent, with what is wrong with it.
#[test]
fn a_rejected_event_is_shown_in_full() {
    let dev = shared();
    let site = Site::create(&dev, "letters-full", &json!({"origins": ["*"], "bots": "off"}));
    let bad = purchase("value", json!("ten"));
    let before = now_ms();
    let answer = site.send(&dev, &[event("page_view", json!({})), bad.clone()]);
    let told = &answer["rejected"][0];
    let list = counted(&dev, &site, "value_invalid");
    let [row] = list["results"].as_array().expect("rows").as_slice() else {
        panic!("one row, not {list}");
    };
    for (member, expected) in [("code", "value_invalid"), ("field", "params.value")] {
        assert_eq!((&row[member], &told[member]), (&json!(expected), &json!(expected)));
    }
    assert_eq!(row["message"], told["message"]);
    for member in ["id", "name", "client_id", "ts", "params"] {
        assert_eq!(row["event"][member], bad[member], "{member} of {row}");
    }
    let received = row["received_at"].as_str().expect("a time");
    // Of one zone and one form, times sort as texts.
    let [earliest, latest] = [before, now_ms()].map(|ms| Zone::default().rfc3339(ms));
    assert!((earliest.as_str()..=latest.as_str()).contains(&received), "{row}");
    let hour = &list["hours"][0];
    let counts = ["rejected", "kept", "not_kept"].map(|name| hour[name].as_i64());
    assert_eq!(counts, [Some(1), Some(1), Some(0)], "{list}");
}

/// Without consent nothing of an event is kept but that there was one.
#[test]
fn an_event_without_consent_is_only_counted() {
    let dev = shared();
    let privacy = json!({"denied": "reject"});
    let settings = json!({"origins": ["*"], "bots": "off", "privacy": privacy});
    let site = Site::create(&dev, "letters-consent", &settings);
    let batch = json!({
        "site": site.id, "consent": {"analytics": false},
        "events": [event("page_view", json!({"note": "nobody may read this"}))],
    });
    let answer = dev.collect(Some(&site.server_key), &batch).expect("an answer");
    let answer = answer.json().expect("a 202 has a body");
    assert_eq!(answer["rejected"][0]["code"], json!("consent_denied"), "{answer}");
    let list = counted(&dev, &site, "consent_denied");
    assert_eq!(list["results"], json!([]), "{list}");
    let hour = &list["hours"][0];
    let counts = ["rejected", "kept", "not_kept"].map(|name| hour[name].as_i64());
    assert_eq!(counts, [Some(1), Some(0), Some(1)], "{list}");
}
