//! The worked examples of sessions and credits, through the running system.

use std::collections::BTreeSet;
use std::time::Duration;

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{Site, shared};

const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);

fn examples() -> Vec<Value> {
    let path = edgetally_tests::root().join("aggregator/tests/fixtures/worked-examples.json");
    let text = std::fs::read_to_string(path).expect("the examples");
    serde_json::from_str(&text).expect("a list")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// An event of an example as a shop's server would send it.
fn event(told: &Value) -> Value {
    let name = told["type"].as_str().expect("a type");
    let mut context = json!({"page_url": "https://shop.vn/"});
    if let Some(host) = told["ref"].as_str() {
        context["referrer"] = json!(format!("https://{host}/"));
    }
    if let Some(tags) = told["utm"].as_object() {
        context["campaign"] = json!({
            "source": tags["source"], "medium": tags["medium"], "name": tags["campaign"],
        });
    }
    if told["bot"] == true {
        context["user_agent"] = json!("Mozilla/5.0 (compatible; Googlebot/2.1)");
    }
    let mut params = json!({});
    if let Some(order) = told["order"].as_str() {
        params["transaction_id"] = json!(order);
        params["currency"] = json!("VND");
    }
    for member in ["value", "refund_id"] {
        if !told[member].is_null() {
            params[member] = told[member].clone();
        }
    }
    let mut event = json!({
        "id": told["id"], "client_id": told["client"], "name": name, "ts": told["ct"],
        "context": context, "params": params,
    });
    for member in ["platform", "user_id"] {
        if !told[member].is_null() {
            event[member] = told[member].clone();
        }
    }
    event
}

fn get(dev: &Dev, route: &str) -> Vec<Value> {
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let headers = [("authorization", authorization.as_str())];
    let answer = http::send("GET", &dev.aggregator(route), &headers, &[]).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    list(&answer.json().expect("JSON")["results"]).to_vec()
}

/// A key of the examples as the interface tells campaigns.
fn campaign(key: &Value) -> Value {
    let parts: Vec<&str> = list(key).iter().filter_map(Value::as_str).collect();
    let names = ["source", "medium", "name", "term", "content", "id"];
    match parts.as_slice() {
        [] | ["(direct)"] => Value::Null,
        [host] => json!({"referrer": host.trim_start_matches("ref:")}),
        parts => {
            let members = names.iter().zip(parts).filter(|(_, part)| !part.is_empty());
            members.map(|(name, part)| ((*name).to_owned(), json!(part))).collect()
        }
    }
}

fn check_sessions(site: &Site, dev: &Dev, expected: &[Value], zone: &str) {
    let said = get(dev, &format!("/v1/sessions?site={}&include=events", site.id));
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for expected in expected {
        let id = &expected["session"];
        let row = said.iter().find(|row| row["session_id"] == *id).expect("the session is told");
        let clients = |value: &Value| -> BTreeSet<String> {
            list(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        assert_eq!(row["person"], expected["person"]);
        assert_eq!(row["event_ids"], expected["events"]);
        assert_eq!(row["events"], json!(list(&expected["events"]).len()));
        assert_eq!(clients(&row["clients"]), clients(&expected["clients"]));
        assert_eq!(row["local_date"], expected["local_date"]);
        assert_eq!(row["start_reason"], expected["start_reason"]);
        assert_eq!(row["entry"], campaign(&expected["entry_campaign"]));
        assert_eq!(row["attributed"], campaign(&expected["attributed_campaign"]));
        assert_eq!(row["attributed_event"], expected["attributed_touch"]);
        for (member, ms) in [("start", "start_ms"), ("end", "end_ms")] {
            let at = row[member].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            assert_eq!(at.map(|at| at.as_millisecond()), expected[ms].as_i64(), "{zone}");
        }
        assert_eq!(row["state"], "final");
    }
}

fn check_orders(site: &Site, dev: &Dev, expected: &[Value]) {
    let said = get(dev, &format!("/v1/orders?site={}", site.id));
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for expected in expected {
        let id = &expected["order"];
        let row = said.iter().find(|row| row["transaction_id"] == *id).expect("the order is told");
        assert_eq!(row["person"], expected["person"]);
        assert_eq!(row["session_id"], expected["session"]);
        let credited = &row["credited"];
        assert_eq!(credited.get("event_id").unwrap_or(&Value::Null), &expected["touch"]);
        assert_eq!(credited["campaign"], campaign(&expected["campaign"]));
        for member in ["gmv", "nmv"] {
            let amount = expected[member].to_string();
            assert_eq!(row[member], json!({"currency": "VND", "amount": amount}));
        }
        let cancelled = expected["cancelled"] == true;
        assert_eq!(row["status"], if cancelled { "cancelled" } else { "completed" });
    }
}

fn check_stage(dev: &Dev, id: &str, zone: &str, stage: &Value) {
    let settings = json!({
        "timezone": zone, "currency": "VND", "origins": ["*"],
        "own_hosts": ["shop.vn", "pay.vn"], "retention": {"facts": "unlimited"},
    });
    let site = Site::create(dev, id, &settings);
    let events: Vec<Value> = list(&stage["events"]).iter().map(event).collect();
    // Without sent_at the time of an event is the one it names.
    let batch = json!({"site": site.id, "events": events});
    let answer = dev.collect(Some(&site.server_key), &batch).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json().expect("a body")["accepted"], json!(events.len()));
    let bots = list(&stage["events"]).iter().filter(|event| event["bot"] == true).count();
    within("the events of an example", ARRIVAL_LIMIT, || {
        let totals = site.totals(dev, &["events", "bot_events"]);
        Ok((totals == json!([events.len() - bots, bots])).then_some(()))
    })
    .expect("they arrive");
    check_sessions(&site, dev, list(&stage["sessions"]), zone);
    check_orders(&site, dev, list(&stage["orders"]));
}

/// Every stage of every example on a site of its own: sent to the worker with a server key, read
/// from the aggregator.
#[test]
fn the_worked_examples_hold_in_the_running_system() {
    let dev = shared();
    let mut stages = 0;
    for example in examples() {
        let zone = example["timezone"].as_str().expect("a zone");
        for (at, stage) in list(&example["stages"]).iter().enumerate() {
            let is_timed = |event: &Value| !event["recv"].is_null() || !event["sent"].is_null();
            if list(&stage["events"]).iter().any(is_timed) {
                continue;
            }
            println!("example {}, stage {at}: {}", example["n"], stage["stage"]);
            check_stage(&dev, &format!("example-{}-{at}", example["n"]), zone, stage);
            stages += 1;
        }
    }
    assert!(stages >= 30, "only {stages}");
}
