//! What is accepted is in the bucket soon, as it was sent, in parts that are listed; and of
//! visitors without consent nothing is there that would tell who they are.

use std::collections::BTreeSet;
use std::time::Duration;

use edgetally_proto::archive::{Line, ROUTE};
use edgetally_proto::sign::{self, header};
use edgetally_tests::archive;
use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http::{self, Answer};
use serde_json::{Value, json};

use super::system::{Site, now_ms, shared};

/// The development system archives after five seconds; the alarm may come a little later.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(60);

fn ask(dev: &Dev, target: &str) -> Answer {
    let state = std::fs::read_to_string(dev.data().join("keys.json")).expect("keys");
    let state: Value = serde_json::from_str(&state).expect("JSON");
    let secret = state["edge_secret"].as_str().expect("the edge secret");
    let at_ms = now_ms();
    let signature = sign::archive_request(secret, "GET", target, at_ms, b"");
    let at = at_ms.to_string();
    let headers = [(header::AT, at.as_str()), (header::SIGNATURE, signature.as_str())];
    http::send("GET", &dev.edge(target), &headers, b"").expect("an answer")
}

/// Every line of a site's archive.
fn lines(dev: &Dev, site: &str) -> Vec<String> {
    archive::lines(|target| Ok(ask(dev, target)), site).expect("an archive that is whole")
}

#[test]
fn what_is_accepted_is_archived_as_it_was_sent() {
    let dev = shared();
    let settings = json!({"currency": "VND", "bots": "off"});
    let site = Site::create(&dev, "archived", &settings);
    let event = |n: usize| {
        json!({"id": format!("e-{n}"), "client_id": format!("c-{}", n % 7), "name": "purchase",
            "params": {"transaction_id": format!("T-{n}"), "value": "1234567.10", "own": [n, null]},
            "context": {"ip": "192.0.2.77", "page_url": "https://shop.vn/p?gclid=x"}})
    };
    let events: Vec<Value> = (0..40).map(event).collect();
    assert_eq!(site.send(&dev, &events)["accepted"], 40);
    assert_eq!(site.send(&dev, &events[..5])["duplicates"], 5);
    let denied = json!({"site": site.id, "consent": {"analytics": false}, "events": [
        {"id": "e-40", "client_id": "c-secret", "user_id": "u-secret", "name": "page_view",
         "context": {"page_url": "https://shop.vn/p?gclid=secret"}}]});
    assert_eq!(dev.collect(Some(&site.server_key), &denied).expect("an answer").status, 202);

    let found = within("the archive to hold all", ARCHIVE_LIMIT, || {
        let lines = lines(&dev, "archived");
        Ok((lines.len() >= 41).then_some(lines))
    });
    let found = found.expect("in time");
    assert_eq!(found.len(), 41, "each event once");
    let read = found.iter().map(|line| Line::read(line).expect(line).1);
    let ids: BTreeSet<String> = read.map(|event| event.id.to_string()).collect();
    assert_eq!(ids, (0..41).map(|n| format!("e-{n}")).collect());
    let all = found.join("\n");
    assert!(all.contains(r#""value":"1234567.10""#) && all.contains(r#""own":[7,null]"#));
    assert!(!all.contains("192.0.2.77") && !all.contains("secret"), "{all}");
}

/// Without the secret nobody reads or writes there.
#[test]
fn the_archive_is_closed_to_strangers() {
    let dev = shared();
    for (method, path) in [("GET", ""), ("GET", "/raw/x"), ("PUT", "/raw/x"), ("DELETE", "/raw/x")]
    {
        let url = dev.edge(&format!("{ROUTE}{path}"));
        let answer = http::send(method, &url, &[], b"").expect("an answer");
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
    }
}
