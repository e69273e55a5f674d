//! Validation, rule by rule: what is refused, with which code at which path, and what passes.

use edgetally_proto::error::{RejectCode, WarningCode};
use edgetally_proto::event::Event;
use edgetally_proto::ids::SiteId;
use edgetally_proto::raw::RawBatch;
use edgetally_proto::record::{Flags, Item};
use edgetally_proto::settings::{Consent, OnDenied, Retention, SiteSettings};
use edgetally_proto::time::EARLIEST_MS;
use edgetally_proto::validate::{Ids, Reject, Rules, Visitor, Warning, ids_of, validate};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::samples::T;

const DAY_MS: i64 = 86_400_000;

fn settings() -> SiteSettings {
    serde_json::from_value(json!({"currency": "VND", "events": {"allow": ["custom_one"]}})).unwrap()
}

struct Case {
    settings: SiteSettings,
    server_key: bool,
    sent_at_ms: Option<i64>,
    ids: Ids,
}

impl Default for Case {
    fn default() -> Self {
        Self { settings: settings(), server_key: false, sent_at_ms: None, ids: Ids::Used }
    }
}

impl Case {
    fn judge(&self, event: &Value) -> Result<(Event, Vec<Warning>), Reject> {
        let body = json!({"site": "demo", "events": [event]}).to_string();
        let batch = RawBatch::parse(body.as_bytes()).unwrap();
        let visitor = Visitor { address: "192.0.2.1", user_agent: "Firefox", salt: b"salt" };
        let rules = Rules {
            site: &SiteId::parse("demo").unwrap(),
            settings: &self.settings,
            server_key: self.server_key,
            received_at_ms: T,
            sent_at_ms: self.sent_at_ms,
            ids: self.ids,
            visitor,
            nonce: 7,
        };
        validate(&batch.events().next().unwrap(), 0, &rules)
    }

    fn accept(&self, event: &Value) -> (Event, Vec<WarningCode>) {
        let (event, warnings) = self.judge(event).unwrap();
        (event, warnings.into_iter().map(|warning| warning.code).collect())
    }
}

/// A good event with members replaced; `null` as a member stays null.
fn event(changes: Value) -> Value {
    let mut event = json!({"id": "e", "client_id": "c", "name": "page_view", "ts": T});
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn order(params: Value) -> Value {
    event(json!({"name": "purchase", "params": params}))
}

fn check_reject(event: &Value, code: RejectCode, field: &str) {
    let reject = Case::default().judge(event).expect_err(&event.to_string());
    assert_eq!((reject.code, reject.field.as_str()), (code, field), "{event}");
}

#[test]
fn ids_names_and_users() {
    use RejectCode as R;
    for (changes, code, field) in [
        (json!({"id": "a b"}), R::IdInvalid, "id"),
        (json!({"id": 7}), R::IdInvalid, "id"),
        (json!({"id": "x".repeat(65)}), R::IdInvalid, "id"),
        (json!({"platform": "fridge"}), R::ValueInvalid, "platform"),
        (json!({"client_id": null}), R::MissingField, "client_id"),
        (json!({"client_id": " "}), R::MissingField, "client_id"),
        (json!({"client_id": "x".repeat(129)}), R::ClientIdInvalid, "client_id"),
        (json!({"client_id": 5}), R::ClientIdInvalid, "client_id"),
        (json!({"name": null}), R::MissingField, "name"),
        (json!({"name": "Page View"}), R::NameInvalid, "name"),
        (json!({"name": "x".repeat(41)}), R::NameInvalid, "name"),
        (json!({"name": "custom_two"}), R::NameNotAllowed, "name"),
        (json!({"user_id": 42}), R::ValueInvalid, "user_id"),
        (json!({"user_id": "x".repeat(129)}), R::FieldTooLong, "user_id"),
        (json!({"params": []}), R::ValueInvalid, "params"),
        (json!({"context": "x"}), R::ValueInvalid, "context"),
    ] {
        check_reject(&event(changes), code, field);
    }
}

#[test]
fn money_items_and_required_members() {
    use RejectCode as R;
    let item = |changes: Value| {
        let mut item = json!({"item_id": "sku", "price": 10, "quantity": 1});
        for (name, value) in changes.as_object().unwrap() {
            item[name] = value.clone();
        }
        order(json!({"transaction_id": "T", "items": [item]}))
    };
    let with =
        |name: &str, value: Value| order(json!({"transaction_id": "T", "value": 1, name: value}));
    for (event, code, field) in [
        (with("value", json!(-1)), R::ValueOutOfBounds, "params.value"),
        (with("value", json!("-0.01")), R::ValueOutOfBounds, "params.value"),
        (with("value", json!("12,5")), R::ValueInvalid, "params.value"),
        (with("value", json!(true)), R::ValueInvalid, "params.value"),
        (with("value", json!(1e16)), R::ValueOutOfBounds, "params.value"),
        (with("tax", json!(-1)), R::ValueOutOfBounds, "params.tax"),
        (item(json!({"price": -5})), R::ValueOutOfBounds, "params.items[0].price"),
        (item(json!({"quantity": -1})), R::ValueOutOfBounds, "params.items[0].quantity"),
        (item(json!({"quantity": 0})), R::ValueOutOfBounds, "params.items[0].quantity"),
        (item(json!({"quantity": 1_000_001})), R::ValueOutOfBounds, "params.items[0].quantity"),
        (item(json!({"quantity": 1.5})), R::ValueInvalid, "params.items[0].quantity"),
        (item(json!({"quantity": "2"})), R::ValueInvalid, "params.items[0].quantity"),
        (item(json!({"item_id": null})), R::MissingField, "params.items[0].item_id"),
        (with("currency", json!("XXQ")), R::CurrencyUnknown, "params.currency"),
        (with("currency", json!(5)), R::ValueInvalid, "params.currency"),
        (with("items", json!(5)), R::ValueInvalid, "params.items"),
        (with("items", json!([5])), R::ValueInvalid, "params.items[0]"),
        (order(json!({"value": 1})), R::MissingField, "params.transaction_id"),
        (
            order(json!({"transaction_id": " ", "value": 1})),
            R::MissingField,
            "params.transaction_id",
        ),
        (order(json!({"transaction_id": "T"})), R::MissingField, "params.value"),
        (event(json!({"name": "refund"})), R::MissingField, "params.transaction_id"),
        (event(json!({"name": "payment_failed"})), R::MissingField, "params.transaction_id"),
        (event(json!({"name": "stock_update"})), R::MissingField, "params.item_id"),
        (
            event(json!({"name": "stock_update", "params": {"item_id": "a", "stock": -1}})),
            R::ValueOutOfBounds,
            "params.stock",
        ),
        (event(json!({"name": "search"})), R::MissingField, "params.search_term"),
        (
            event(json!({"name": "web_vital", "params": {"metric": "LCP"}})),
            R::MissingField,
            "params.value",
        ),
    ] {
        check_reject(&event, code, field);
    }
    let many = vec![json!({"item_id": "a"}); 201];
    let event = order(json!({"transaction_id": "T", "value": 1, "items": many}));
    check_reject(&event, R::TooManyItems, "params.items");
}

#[test]
fn texts_are_bounded() {
    let long = "ă".repeat(1_025);
    let code = RejectCode::FieldTooLong;
    check_reject(&event(json!({"params": {"note": long}})), code, "params.note");
    check_reject(&event(json!({"params": {"a": [{"b": long}]}})), code, "params.a[0].b");
    check_reject(&event(json!({"context": {"page_title": long}})), code, "context.page_title");
    let url = |length: usize| event(json!({"context": {"page_url": "u".repeat(length)}}));
    check_reject(&url(2_049), code, "context.page_url");
    Case::default().accept(&url(2_048));
}

#[test]
fn times() {
    let code = RejectCode::TimestampInvalid;
    for ts in [json!("2026"), json!(1.5), json!(946_684_799_999i64), json!(4_102_444_800_000i64)] {
        check_reject(&event(json!({"ts": ts})), code, "ts");
    }
    check_reject(&event(json!({"ts": T - 7 * DAY_MS - 1})), RejectCode::TimestampTooOld, "ts");
    Case::default().accept(&event(json!({"ts": T - 7 * DAY_MS})));

    let (event_, warnings) = Case::default().accept(&event(json!({"ts": T + 300_001})));
    assert_eq!((event_.occurred_at_ms, warnings), (T, vec![WarningCode::TimestampClamped]));
    assert!(event_.flags.has(Flags::CLAMPED));

    let server = Case { server_key: true, ..Case::default() };
    server.accept(&event(json!({"ts": T - 35 * DAY_MS})));
    let reject = server.judge(&event(json!({"ts": T - 35 * DAY_MS - 1}))).unwrap_err();
    assert_eq!(reject.code, RejectCode::TimestampTooOld);

    let mut unlimited = Case { server_key: true, ..Case::default() };
    unlimited.settings.retention.facts = Retention::Unlimited;
    unlimited.accept(&event(json!({"ts": EARLIEST_MS})));
    unlimited.sent_at_ms = Some(i64::MAX);
    let reject = unlimited.judge(&event(json!({"ts": T}))).unwrap_err();
    assert_eq!(reject.code, RejectCode::TimestampTooOld);

    let corrected = Case { sent_at_ms: Some(T + 3_600_000), ..Case::default() };
    let (event_, _) = corrected.accept(&event(json!({"ts": T + 3_599_000})));
    assert_eq!(event_.occurred_at_ms, T - 1_000);
}

#[test]
fn warnings() {
    let check = |event: Value, expected: &[WarningCode]| {
        assert_eq!(Case::default().accept(&event).1, expected, "{event}");
    };
    check(order(json!({"transaction_id": "T", "value": 10.5})), &[WarningCode::ValueRounded]);
    check(order(json!({"transaction_id": "T", "value": "10.50", "currency": "USD"})), &[]);
    check(event(json!({"name": "view", "params": {}})), &[WarningCode::AliasUsed]);
    check(event(json!({"user_id": "undefined"})), &[WarningCode::UserIdIgnored]);
    check(event(json!({"id": null, "ts": null})), &[WarningCode::NotIdempotent]);
    check(event(json!({"id": null})), &[]);
    check(event(json!({"ts": null})), &[]);
}

#[test]
fn made_ids_depend_on_client_time_name_and_parameters_only() {
    let id = |changes: Value, sent_at_ms| {
        let mut event = event(changes);
        event["id"] = Value::Null;
        Case { sent_at_ms, ..Case::default() }.accept(&event).0.id
    };
    let one = id(json!({"params": {"a": 1, "b": 2}}), None);
    assert_eq!(one, id(json!({"params": {"b": 2, "a": 1}}), Some(T)));
    assert_ne!(one, id(json!({"params": {"a": 1, "b": 3}}), None));
    assert_ne!(one, id(json!({"params": {"a": 1, "b": 2}, "ts": T - 1}), None));
    assert_ne!(one, id(json!({"params": {"a": 1, "b": 2}, "client_id": "d"}), None));
    assert_ne!(one, id(json!({"params": {"a": 1, "b": 2}, "name": "share"}), None));
}

#[test]
fn orders_take_their_value_from_items_where_they_have_none() {
    let items =
        json!([{"item_id": "a", "price": 1.5, "quantity": 2}, {"item_name": "b", "price": "3"}]);
    let params = json!({"transaction_id": " T ", "currency": "USD", "items": items});
    let fact = Case::default().accept(&order(params)).0.fact.unwrap();
    assert_eq!(fact.value.unwrap().minor, 600);
    assert_eq!(fact.transaction.unwrap().as_str(), "T");
    assert_eq!(fact.items[1].quantity, 1);
}

#[test]
fn a_refund_travels_as_written() {
    let params = json!({"transaction_id": "T", "value": "10.005", "currency": "USD"});
    let (event, warnings) =
        Case::default().accept(&event(json!({"name": "refund", "params": params})));
    let fact = event.fact.unwrap();
    assert_eq!(fact.value_written.as_deref(), Some("10.005"));
    assert_eq!((fact.value, fact.currency_written.as_deref()), (None, Some("USD")));
    assert!(warnings.is_empty());
}

#[test]
fn searches_products_and_kept_parameters_are_carried() {
    let fact = |changes| Case::default().accept(&event(changes)).0.fact;
    let search = fact(json!({"name": "search", "params": {"search_term": " laptop "}}));
    assert_eq!(search.unwrap().search_term.as_deref(), Some("laptop"));
    let items = json!([{"item_id": "sku-1", "item_name": "Laptop", "item_category": "it",
        "item_brand": "b", "item_variant": "v", "price": 5, "quantity": 2}]);
    let viewed = fact(json!({"name": "add_to_cart", "params": {"items": items}})).unwrap();
    let item = Item { quantity: 2, ..item(["sku-1", "Laptop", "it", "b"]) };
    assert_eq!((viewed.items.as_slice(), viewed.value), (&[item][..], None));
    assert_eq!(fact(json!({"name": "view_item_list", "params": {"items": items}})), None);

    let mut case = Case::default();
    case.settings.params.keep =
        ["size", "n", "b", "gclid", "none", "list"].map(String::from).into();
    let sent = event(json!({"params": {"size": " XL ", "n": 1.25, "b": true, "none": null,
        "list": [1], "other": "x", "gclid": "g"}}));
    let kept = |case: &Case| -> Vec<String> {
        let fact = case.accept(&sent).0.fact.unwrap();
        fact.params.iter().map(|(name, value)| format!("{name}={value}")).collect()
    };
    assert_eq!(kept(&case), ["b=true", "gclid=g", "n=1.25", "size=XL"]);
    case.ids = Ids::Cookieless;
    assert_eq!(kept(&case), ["b=true", "n=1.25", "size=XL"]);
}

fn item([id, name, category, brand]: [&str; 4]) -> Item {
    let text = |text: &str| Some(text.to_owned());
    let (id, name, category, brand) = (text(id), text(name), text(category), text(brand));
    Item { id, name, category, brand, quantity: 1, ..Item::default() }
}

#[test]
fn users_and_identify() {
    let user =
        |changes: Value| Case::default().accept(&event(changes)).0.user.map(|u| u.to_string());
    assert_eq!(user(json!({"user_id": " u-1 "})).as_deref(), Some("u-1"));
    let identify = json!({"name": "identify", "params": {"user_id": "u-2"}});
    assert_eq!(user(identify).as_deref(), Some("u-2"));
    assert_eq!(user(json!({"params": {"user_id": "u-2"}})), None);
    assert_eq!(user(json!({"name": "logout", "user_id": "u-1"})), None);
}

#[test]
fn without_consent_no_id_is_used() {
    let sent = event(json!({"user_id": "u", "context": {"page_url": "https://s.vn/?gclid=x"}}));
    let cookieless = Case { ids: Ids::Cookieless, ..Case::default() };
    let (event_, _) = cookieless.accept(&sent);
    assert_eq!((event_.user, event_.campaign), (None, None));
    assert!(event_.client.as_ref().unwrap().as_str().starts_with("daily."));
    assert!(event_.flags.has(Flags::COOKIELESS));
    let other = event(json!({"client_id": "another"}));
    assert_eq!(cookieless.accept(&other).0.client, event_.client);

    let refused = Case { ids: Ids::Refused, ..Case::default() };
    assert_eq!(refused.judge(&sent).unwrap_err().code, RejectCode::ConsentDenied);
}

#[test]
fn the_stricter_of_consent_and_gpc_holds() {
    let mut settings = settings();
    assert_eq!(ids_of(&settings, None, false), Ids::Used);
    assert_eq!(ids_of(&settings, Some(false), false), Ids::Cookieless);
    assert_eq!(ids_of(&settings, Some(true), true), Ids::Cookieless);
    settings.privacy.gpc = OnDenied::Ignore;
    assert_eq!(ids_of(&settings, Some(true), true), Ids::Used);
    settings.privacy.denied = OnDenied::Reject;
    settings.privacy.default = Consent::Denied;
    assert_eq!(ids_of(&settings, None, false), Ids::Refused);
    assert_eq!(ids_of(&settings, Some(true), false), Ids::Used);
}

#[test]
fn a_campaign_object_wins_whole_over_the_url() {
    let context = |campaign: Value| {
        let url = "https://s.vn/?utm_source=google&utm_term=shoes";
        let sent = event(json!({"context": {"page_url": url, "campaign": campaign}}));
        Case::default().accept(&sent).0.campaign.unwrap()
    };
    let own = context(json!({"source": "Mail"}));
    assert_eq!((own.source.as_str(), own.term.as_str()), ("mail", ""));
    let url = context(json!({"source": ""}));
    assert_eq!((url.source.as_str(), url.term.as_str()), ("google", "shoes"));
}

/// Addresses of failed payments can be told apart and from their networks, and are kept nowhere.
#[test]
fn a_failed_payment_keeps_hashes_of_its_address_and_network() {
    let case = Case { server_key: true, ..Case::default() };
    let of = |name: &str, ip: &str| {
        let params = json!({"transaction_id": "T", "value": 1, "coupon": "TET"});
        let sent = event(json!({"name": name, "params": params, "context": {"ip": ip}}));
        case.accept(&sent).0.fact.unwrap().params
    };
    let failed = |ip: &str| of("payment_failed", ip);
    let (one, same, near) = (failed("192.0.2.7"), failed("::ffff:192.0.2.7"), failed("192.0.2.8"));
    assert_eq!(
        one.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["~address", "~network"]
    );
    assert_eq!(one, same);
    assert_ne!(one[0], near[0]);
    assert_eq!(one[1], near[1]);
    assert_ne!(one[1], failed("192.0.3.7")[1]);
    let (a, b) = (failed("2001:db8:1:2::3"), failed("2001:db8:1:9::3"));
    assert_eq!((a[0] == b[0], a[1] == b[1]), (false, true));
    assert!(one.iter().all(|(_, hash)| hash.len() == 32));
    assert_eq!(of("purchase", "192.0.2.7"), [("coupon".to_owned(), "TET".to_owned())]);
    // Without one named, a server's address is not the buyer's, and a browser's is.
    let unnamed = event(json!({"name": "payment_failed", "params": {"transaction_id": "T"}}));
    let params = |case: Case| case.accept(&unnamed).0.fact.unwrap().params.len();
    let browser = Case { server_key: false, ..Case::default() };
    assert_eq!((params(Case { server_key: true, ..Case::default() }), params(browser)), (0, 2));
    let mut off = settings();
    off.fraud.card_testing.failures = 0;
    let case = Case { settings: off, server_key: true, ..Case::default() };
    let params = json!({"transaction_id": "T"});
    let sent = event(json!({"name": "payment_failed", "params": params,
        "context": {"ip": "192.0.2.7"}}));
    assert!(case.accept(&sent).0.fact.unwrap().params.is_empty());
}
