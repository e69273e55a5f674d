//! Lines of the raw archive: whatever was accepted is read again as it was accepted.

use std::sync::Arc;

use edgetally_proto::archive::{Context, Line, LineError};
use edgetally_proto::channel::Grade;
use edgetally_proto::event::Event;
use edgetally_proto::ids::SiteId;
use edgetally_proto::raw::RawBatch;
use edgetally_proto::record::Flags;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::validate::{Ids, Rules, Visitor, validate};
use edgetally_proto::visitor::{Device, Kind, Place};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::samples::T;

/// How an event is sent.
#[derive(Debug, Clone)]
struct Case {
    event: Value,
    settings: SiteSettings,
    server_key: bool,
    sent_at_ms: Option<i64>,
    ids: Ids,
    bot: bool,
    context: Context,
}

/// The line of an event, and the event as it was accepted; none if it is refused.
fn write(case: &Case) -> Option<(String, Event)> {
    let body = json!({"site": "demo", "client_id": "batch", "context": {"language": "vi"},
        "events": [case.event]});
    let body = body.to_string();
    let batch = RawBatch::parse(body.as_bytes()).unwrap();
    let site = SiteId::parse("demo").unwrap();
    let rules = Rules {
        site: &site,
        settings: &case.settings,
        server_key: case.server_key,
        received_at_ms: T,
        sent_at_ms: case.sent_at_ms,
        ids: case.ids,
        visitor: Visitor { address: "192.0.2.1", user_agent: "Firefox", salt: b"salt" },
        nonce: 7,
    };
    let raw = batch.events().next().unwrap();
    let (mut event, _warnings) = validate(&raw, 0, &rules).ok()?;
    event.flags = event.flags.with(Flags::BOT, case.bot);
    if let Some(campaign) = event.campaign.as_ref().filter(|_| case.bot) {
        // What the enrichment would say.
        event.grade = Some(Grade::of_campaign(campaign, None, &case.settings).into());
        event.place = Place::of(Some("VN"), None, Some("Hà Nội")).map(Arc::new);
        event.device = Some(Device::of(Kind::Mobile, "Safari", "iOS"));
    }
    let line = Line::write(&event, &raw, &rules, case.context);
    Some((line, Event { user_agent: None, ..event }))
}

fn check(case: &Case) -> bool {
    let Some((line, event)) = write(case) else { return false };
    let (site, read) = Line::read(&line).unwrap();
    assert_eq!(site.as_str(), "demo");
    assert_eq!(read, event, "{line}");
    true
}

fn settings() -> impl Strategy<Value = SiteSettings> {
    (0..4u8).prop_map(|kind| {
        serde_json::from_value(match kind {
            0 => json!({"currency": "VND", "events": {"allow": ["custom_one"]},
                "params": {"keep": ["value", "note", "gclid", "page_location", "user_id"]}}),
            1 => json!({"channel_rules": [{"source": "b", "channel": "B", "click_id": "b"}],
                "currency": "KWD", "lateness": "1h", "retention": {"facts": "2h"}}),
            2 => json!({"privacy": {"default": "denied"}, "events": {"allow": ["*"]}}),
            _ => json!({"lateness": "400d", "retention": {"facts": "unlimited"}}),
        })
        .unwrap()
    })
}

fn url() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        "/[a-z&;]{0,5}(\\?(utm_source=[a-z]{1,3}|gclid=[0-9]|a=1)(&(gclid=2|utm_medium=cpc|b=2))?)?\
         (#[a-z=&]{0,8})?"
            .prop_map(|path| json!(format!("https://Shop.vn{path}"))),
        Just(json!("p?gclid=1&fbclid=2")),
    ]
}

fn params() -> impl Strategy<Value = Value> {
    let long = serde_json::from_str::<Value>("12345678901.12345678901234567890").unwrap();
    let value =
        prop_oneof![Just(json!(25_000_000)), Just(json!("19.995")), Just(long), Just(Value::Null),];
    (value, url(), any::<bool>(), 0..3usize, "\\PC{0,8}").prop_map(
        |(value, url, order, items, t)| {
            let item = json!({"item_id": t.clone() + "x", "price": "1.005", "quantity": 2});
            let mut params = json!({"value": value, "page_location": url, "gclid": "g", "note": t,
            "search_term": "a", "user_id": "p-1", "coupon": " TET ", "items": vec![item; items]});
            if order {
                params["transaction_id"] = json!("T?gclid=1");
                params["currency"] = json!("USD");
            }
            params
        },
    )
}

fn event() -> impl Strategy<Value = Value> {
    let names = [
        "page_view",
        "purchase",
        "refund",
        "payment_failed",
        "Order Completed",
        "identify",
        "logout",
        "custom_one",
        "search",
    ];
    let id = prop_oneof![
        Just(Value::Null),
        Just(json!("0193A5B27C3D7E4F8A9B0C1D2E3F4A5B")),
        "[a-z0-9_.:-]{1,12}".prop_map(|id| json!(id)),
    ];
    let client = prop_oneof![Just(Value::Null), Just(json!("c-1")), Just(json!("c 2"))];
    let user = prop_oneof![Just(Value::Null), Just(json!(" u-1 ")), Just(json!("undefined"))];
    let platform = prop_oneof![Just("web"), Just("ios"), Just("server")];
    let ts = prop_oneof![Just(Value::Null), (-9_000_000..9_000_000i64).prop_map(|d| json!(T + d))];
    let context = (url(), url(), any::<bool>()).prop_map(|(page, referrer, campaign)| {
        let mut context = json!({"page_url": page, "referrer": referrer, "ip": "192.0.2.9",
            "user_agent": "Safari"});
        if campaign {
            context["campaign"] = json!({"source": "Zalo", "medium": "Social"});
        }
        context
    });
    ((0..names.len(), id, client, user), (platform, ts, context, params())).prop_map(
        move |((name, id, client, user), (platform, ts, context, params))| {
            let mut event = json!({"name": names[name], "platform": platform, "context": context,
                "params": params});
            let members = [("id", id), ("client_id", client), ("user_id", user), ("ts", ts)];
            for (name, value) in members {
                // Null is not the same as absent: it keeps the batch's member out.
                if name == "user_id" || !value.is_null() {
                    event[name] = value;
                }
            }
            event
        },
    )
}

proptest! {
    /// A line gives the event that was accepted, whatever the settings were.
    #[test]
    fn lines_come_back(
        event in event(),
        settings in settings(),
        server_key: bool,
        sent in prop::option::of(-9_000_000..9_000_000i64),
        cookieless: bool,
        bot: bool,
        whole: bool,
    ) {
        let ids = if cookieless { Ids::Cookieless } else { Ids::Used };
        let sent_at_ms = sent.map(|delta| T + delta);
        let context = if whole { Context::Whole } else { Context::Known };
        check(&Case { event, settings, server_key, sent_at_ms, ids, bot, context });
    }

    /// No line makes the reader panic.
    #[test]
    fn any_line_is_judged(line in "[\\[\\]{}\",:0-9a-z\\\\ ]{0,200}") {
        prop_assert!(Line::read(&line).is_err());
    }
}

fn case(event: Value, ids: Ids) -> Case {
    let settings = SiteSettings::default();
    Case {
        event,
        settings,
        server_key: true,
        sent_at_ms: None,
        ids,
        bot: false,
        context: Context::Whole,
    }
}

/// The cases above are not all refused.
#[test]
fn good_events_have_lines() {
    let event = json!({"name": "purchase", "client_id": "c", "ts": T - 5_000_000_000i64,
        "params": {"transaction_id": "T-1", "value": "10.005"}});
    let settings = serde_json::from_value(json!({"retention": {"facts": "unlimited"}})).unwrap();
    assert!(check(&Case { settings, ..case(event.clone(), Ids::Used) }));
    assert!(check(&Case {
        sent_at_ms: Some(T + 9),
        ..case(
            json!({"name": "search", "id": "x",
        "client_id": "c", "params": {"search_term": "y"}}),
            Ids::Cookieless
        )
    }));
}

#[test]
fn of_a_visitor_without_consent_the_line_tells_nothing() {
    let event = json!({"name": "identify", "user_id": "u-secret", "client_id": "c-secret",
        "context": {"ip": "192.0.2.99", "user_agent": "Agent-Secret",
            "page_url": "https://shop.vn/p?gclid=secret&a=1"},
        "params": {"user_id": "u-secret", "fbclid": "secret", "note": "kept"}});
    let (line, _) = write(&case(event.clone(), Ids::Cookieless)).unwrap();
    assert!(!line.to_lowercase().contains("secret") && !line.contains("192.0.2.99"), "{line}");
    assert!(line.contains("https://shop.vn/p?a=1") && line.contains("kept"), "{line}");
    let (line, _) = write(&case(event, Ids::Used)).unwrap();
    assert!(line.contains("u-secret") && !line.contains("192.0.2.99"), "{line}");
}

/// A line as it stands in archives: what was written once is read for ever.
#[test]
fn a_line_of_old_is_read() {
    let (site, event) = Line::read(LINE).unwrap();
    assert_eq!((site.as_str(), event.name.as_str()), ("demo", "page_view"));
    assert_eq!(event.id.to_string(), "7e784818-ae82-1811-0363-22b6c50d1145");
    assert_eq!(event.client.unwrap().as_str(), "daily.e92690a087a5d9d316ab27843b830ac6");
    assert_eq!((event.occurred_at_ms, event.received_at_ms), (T - 1, T));
    let flags = Flags::default().with(Flags::BOT, true).with(Flags::COOKIELESS, true);
    assert_eq!(event.flags, flags.with(Flags::SERVER_KEY, true));
    assert_eq!(event.page.as_deref(), Some("/p"));
}

const LINE: &str = concat!(
    r#"{"site":"demo","received":1772420400000,"facts":{"server_key":true,"#,
    r#""sent_at":1772420400000,"currency":"USD","id":"7e784818-ae82-1811-0363-22b6c50d1145","#,
    r#""client":"daily.e92690a087a5d9d316ab27843b830ac6","bot":true},"#,
    r#""event":{"context":{"language":"vi","page_url":"/p"},"name":"page_view","#,
    r#""ts":1772420399999}}"#
);

#[test]
fn what_is_no_line_is_said() {
    let refused =
        r#"{"site":"demo","received":1,"facts":{},"event":{"name":"page_view","ts":"x"}}"#;
    assert!(matches!(Line::read(refused), Err(LineError::Refused(_))));
    for text in ["", "{}", r#"{"site":"DEMO !","received":1,"facts":{},"event":{}}"#, "[1]"] {
        assert!(matches!(Line::read(text), Err(LineError::Malformed(_))), "{text}");
    }
}
