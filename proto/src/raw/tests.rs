use super::*;

fn check_merged(body: &str, expected: &str) {
    let batch = RawBatch::parse(body.as_bytes()).unwrap();
    let event = batch.events().next().unwrap();
    assert_eq!(event.to_json(), expected, "{body}");
}

#[test]
fn the_events_own_members_win() {
    let body = r#"{"site": "demo", "client_id": "c", "user_id": "u", "platform": "ios",
        "context": {"page_url": "a", "language": "vi"},
        "events": [{"name": "x", "user_id": null, "context": {"page_url": "b"}}]}"#;
    let batch = RawBatch::parse(body.as_bytes()).unwrap();
    let event = batch.events().next().unwrap();
    let sent = event.members().unwrap();
    let text = |member: Option<Json<'_>>| member.unwrap().as_str().map(str::to_owned);
    assert_eq!(text(sent.client_id).as_deref(), Some("c"));
    assert!(sent.user_id.unwrap().is_null());
    assert_eq!(text(sent.platform).as_deref(), Some("ios"));
    let context = event.context(sent.context).unwrap();
    assert_eq!(text(context.page_url).as_deref(), Some("b"));
    assert_eq!(text(context.language).as_deref(), Some("vi"));
}

#[test]
fn what_was_sent_stays_and_the_batchs_members_join_it() {
    check_merged(
        r#"{"site": "s", "client_id": "c", "events": [{"name": "x", "n": 1.50e+2}]}"#,
        r#"{"name": "x", "n": 1.50e+2,"client_id":"c"}"#,
    );
    check_merged(
        r#"{"site": "s", "platform": "ios", "context": {"a": 1, "b\"": 2}, "events": [{}]}"#,
        r#"{"context":{"a": 1, "b\"": 2},"platform":"ios"}"#,
    );
    check_merged(
        r#"{"site": "s", "context": {"a": 1, "b\"": 2, "c": 3},
            "events": [{"context": {"a": 9 }, "z": {}}]}"#,
        r#"{"context": {"a": 9 ,"b\"":2,"c":3}, "z": {}}"#,
    );
    check_merged(
        r#"{"site": "s", "context": {"a": 1}, "client_id": "c", "events": [{"context": { }}]}"#,
        r#"{"context": { "a":1},"client_id":"c"}"#,
    );
    check_merged(
        r#"{"site": "s", "context": {"a": 1}, "events": [{"context": null}]}"#,
        r#"{"context": null,"context":{"a": 1}}"#,
    );
    check_merged(
        r#"{"site": "s", "context": 7, "events": [{"context": {"a": 1}}]}"#,
        r#"{"context": {"a": 1},"context":7}"#,
    );
    check_merged(
        r#"{"site": "s", "context": {}, "events": [{"context": 5}]}"#,
        r#"{"context": 5}"#,
    );
    check_merged(r#"{"site": "s", "client_id": "c", "events": [5]}"#, "null");
}

#[test]
fn of_equal_names_the_last_one_holds() {
    check_merged(
        r#"{"site": "s", "context": {"a": 1, "a": 2, "b": 3},
            "events": [{"context": 1, "context": {"b": 0}}]}"#,
        r#"{"context": 1, "context": {"b": 0,"a":1,"a":2}}"#,
    );
    let body = r#"{"site": "a", "site": "b", "events": 1, "events": [{"id": "x", "id": "y"}]}"#;
    let batch = RawBatch::parse(body.as_bytes()).unwrap();
    let id = batch.events().next().unwrap().id().unwrap();
    assert_eq!((batch.site.as_str(), id.as_str()), ("b", Some("y")));
}

#[test]
fn faults_of_the_batch_name_their_member() {
    for (body, expected) in [
        ("[]", "body must be a JSON object"),
        ("{}", "site must be a string"),
        (r#"{"site": 1}"#, "site must be a string"),
        (r#"{"site": "s", "key": 1}"#, "key must be a string"),
        (r#"{"site": "s"}"#, "events must be an array"),
        (r#"{"site": "s", "events": {}}"#, "events must be an array"),
        (r#"{"site": "s", "events": [], "sent_at": "x"}"#, "sent_at must be epoch milliseconds"),
        (r#"{"site": "s", "events": [], "sent_at": 1.5}"#, "sent_at must be epoch milliseconds"),
        (r#"{"site": "s", "events": [], "dropped": -1}"#, "dropped must be a whole number"),
        (r#"{"site": "s", "events": [], "consent": 1}"#, "consent must be an object"),
        (
            r#"{"site": "s", "events": [], "consent": {"analytics": 1}}"#,
            "consent.analytics must be true or false",
        ),
    ] {
        assert_eq!(RawBatch::parse(body.as_bytes()).unwrap_err().to_string(), expected);
    }
    let body = br#"{"site": "s", "events": [], "key": null, "consent": {"analytics": false}}"#;
    let batch = RawBatch::parse(body).unwrap();
    assert_eq!((batch.key, batch.consent), (None, Some(false)));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        // Two levels are the batch and its list of events.
        format!(
            r#"{{"site": "s", "events": [{}{}]}}"#,
            "[".repeat(depth - 2),
            "]".repeat(depth - 2)
        )
    };
    assert!(RawBatch::parse(nested(64).as_bytes()).is_ok());
    for depth in [65, 10_000] {
        let error = RawBatch::parse(nested(depth).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "nested deeper than 64");
    }
    let brackets_in_text = format!(r#"{{"site": "{}\"", "events": []}}"#, "[".repeat(100));
    assert!(RawBatch::parse(brackets_in_text.as_bytes()).is_ok());
}
