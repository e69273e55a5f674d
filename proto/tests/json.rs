//! The reader of JSON against serde_json, and events that are written and read again.

use edgetally_proto::ids::SiteId;
use edgetally_proto::json::{Doc, Json};
use edgetally_proto::limits::JSON_DEPTH_MAX;
use edgetally_proto::raw::{RawBatch, RawEvent};
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::validate::{Ids, Rules, Visitor, validate};
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::T;

fn canonical(body: &str) -> Option<String> {
    let doc = Doc::parse(body.as_bytes(), JSON_DEPTH_MAX).ok()?;
    let mut out = String::new();
    doc.root().write_canonical(&mut out);
    Some(out)
}

/// Either both read it, as the same value, or neither does.
fn check_as_serde(body: &str) {
    let expected = serde_json::from_str::<Value>(body).ok();
    let read = canonical(body);
    let read = read.map(|text| serde_json::from_str::<Value>(&text).expect(&text));
    assert_eq!(read, expected, "{body}");
}

#[test]
fn json_is_what_serde_json_takes_for_json() {
    for body in [
        "",
        " ",
        "null",
        "nul",
        "nulls",
        "true false",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "01",
        "-",
        "-0",
        "1.",
        ".5",
        "1e",
        "1e+",
        "1E-2",
        "+1",
        "1.5e3",
        "--1",
        "0x1",
        "NaN",
        "\"a",
        "\"\\x\"",
        "\"\\u00e\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\t\"",
        "\"\\t\"",
        "\"\u{7f}\"",
        " [ ] ",
        "{ }",
        "[{\"a\":[]},\"\\\\\\\"\"]",
        "{\"a\":1,\"a\":{\"b\":2}}",
        "{\"\\u0061\":1,\"a\":2}",
        "\u{feff}1",
        "[1]]",
        "[\"\u{1f600}é\"]",
        "\u{b}1",
    ] {
        check_as_serde(body);
    }
}

#[test]
fn errors_say_where() {
    let error = |body: &str| Doc::parse(body.as_bytes(), 2).unwrap_err().to_string();
    assert_eq!(error("[1, x]"), "value expected at byte 4");
    assert_eq!(error("[[[]]]"), "nested deeper than 2");
    let error = Doc::parse(b"[\"\xff\"]", 2).unwrap_err().to_string();
    assert_eq!(error, "no UTF-8 at byte 2");
}

#[test]
fn numbers_stay_as_they_were_written() {
    let written = "[1.50,1E+2,-0,12345678901234567890123456789,1e400]";
    assert_eq!(canonical(written).as_deref(), Some(written));
}

fn any_json() -> impl Strategy<Value = String> {
    let text = "[a-c\\\\\"\n\u{1f}é\u{1f600}]{0,4}".prop_map(|text| Value::from(text).to_string());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        text.clone(),
        "\"(\\\\u00[2-7][0-9a-f]|\\\\[nrt/bf]|x){0,3}\"",
    ];
    let space = "[ \n\t\r]{0,2}";
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let member = (text.clone(), space, inner.clone());
        let member =
            member.prop_map(|(name, space, value)| format!("{name}{space}:{space}{value}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..4), space)
                .prop_map(|(values, space)| format!("[{space}{}{space}]", values.join(","))),
            (prop::collection::vec(member, 0..4), space)
                .prop_map(|(members, space)| format!("{{{space}{}{space}}}", members.join(","))),
        ]
    })
}

/// Values as members of events have them, good ones and bad ones.
fn any_value(good: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(good.to_owned()), 1 => any_json()]
}

fn any_members(names: &[(&'static str, &'static str)]) -> BoxedStrategy<String> {
    let member = |(name, good): &(&'static str, &'static str)| {
        let name = *name;
        let value = prop::option::weighted(0.6, any_value(good));
        value.prop_map(move |value| value.map(|value| format!("\"{name}\": {value}"))).boxed()
    };
    let members: Vec<_> = names.iter().map(member).collect();
    members
        .prop_map(|members| {
            format!("{{{} }}", members.into_iter().flatten().collect::<Vec<_>>().join(", "))
        })
        .boxed()
}

fn any_context() -> impl Strategy<Value = String> {
    let members = any_members(&[
        ("page_url", r#""https://shop.example/p?utm_source=a\u0042&gclid=x""#),
        ("referrer", r#""https://www.google.com/""#),
        ("campaign", r#"{"source": "mail", "medium": "E-Mail"}"#),
        ("user_agent", r#""curl/8""#),
        ("odd\\n", "1"),
    ]);
    prop_oneof![8 => members, 1 => any_json()]
}

fn any_event() -> impl Strategy<Value = String> {
    let params = any_members(&[
        ("transaction_id", r#""T-1""#),
        ("value", "12.50"),
        ("currency", r#""USD""#),
        ("items", r#"[{"item_id": "a", "price": "1.005", "quantity": 2}]"#),
        ("user_id", r#""u-2""#),
        ("note", r#""\u0061\n""#),
    ]);
    let members = any_members(&[
        ("id", r#""0193A5B27C3D7E4F8A9B0C1D2E3F4A5B""#),
        ("client_id", r#""own""#),
        ("user_id", r#"" own ""#),
        ("platform", r#""mweb""#),
        ("ts", "1772420399000"),
    ]);
    let name = prop_oneof![Just("purchase"), Just("view"), Just("identify"), Just("no name")];
    let own = prop::option::of(any_context());
    (members, name, params, own).prop_map(|(members, name, params, own)| {
        let members = members.trim_matches(['{', '}']).trim().to_owned();
        let comma = if members.is_empty() { "" } else { ", " };
        let own = own.map(|own| format!(", \"context\" : {own}")).unwrap_or_default();
        format!("{{{members}{comma}\"name\": \"{name}\", \"params\": {params}{own}}}")
    })
}

fn rules<'a>(site: &'a SiteId, settings: &'a SiteSettings) -> Rules<'a> {
    Rules {
        site,
        settings,
        server_key: true,
        received_at_ms: T,
        sent_at_ms: Some(T + 3),
        ids: Ids::Used,
        visitor: Visitor { address: "192.0.2.1", user_agent: "Firefox", salt: b"salt" },
        nonce: 7,
    }
}

proptest! {
    /// Both readers take the same texts for JSON, whole ones and broken ones.
    #[test]
    fn any_json_is_read_as_serde_json_reads_it(
        body in any_json(),
        cut in any::<prop::sample::Index>(),
    ) {
        check_as_serde(&body);
        // Broken ones: cut off, and with one character missing.
        let cut = cut.index(body.chars().count());
        check_as_serde(&body.chars().take(cut).collect::<String>());
        let missing = body.chars().enumerate().filter(|(at, _)| *at != cut).map(|(_, c)| c);
        check_as_serde(&missing.collect::<String>());
    }

    /// An event that is written with its batch's members in it is the same event when it is read
    /// alone: the same good event with the same warnings, or the same refusal.
    #[test]
    fn an_event_alone_is_the_event_of_its_batch(
        shared in any_members(&[
            ("client_id", r#""shared""#),
            ("user_id", r#""u-9""#),
            ("platform", r#""ios""#),
        ]),
        context in prop::option::of(any_context()),
        event in any_event(),
    ) {
        let shared = shared.trim_matches(['{', '}']).trim().to_owned();
        let comma = if shared.is_empty() { "" } else { ", " };
        let context = context.map(|context| format!("\"context\": {context}, "));
        let context = context.unwrap_or_default();
        let body = format!(r#"{{"events": [{event}], {context}{shared}{comma}"site": "demo"}}"#);
        let batch = RawBatch::parse(body.as_bytes()).unwrap();
        let sent = batch.events().next().unwrap();
        let (site, settings) = (SiteId::parse("demo").unwrap(), SiteSettings::default());
        let rules = rules(&site, &settings);
        let written = sent.to_json();
        prop_assert!(written.len() <= sent.json_bytes_max(), "{written}");
        let doc = Doc::parse(written.as_bytes(), JSON_DEPTH_MAX).unwrap();
        let alone = RawEvent::alone(&doc, doc.root());
        prop_assert_eq!(validate(&sent, 0, &rules), validate(&alone, 0, &rules), "{}", written);
        prop_assert_eq!(&alone.to_json(), &written);
        prop_assert_eq!(sent.id().map(Json::raw), alone.id().map(Json::raw));
    }
}
