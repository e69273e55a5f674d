//! Other systems' calls, mapped into the one path of events: GA4's Measurement Protocol, Plausible,
//! Segment. Only names and shapes are mapped; what an event must be is decided in `validate`.

pub mod ga4;
pub mod plausible;
pub mod segment;

use edgetally_proto::raw::{BatchError, RawBatch, RawEvent, parse_json};
use serde_json::{Map, Value};

use crate::collect::Problem;

pub(crate) type Members = Map<String, Value>;

/// Reads a body that must be a JSON object.
///
/// # Errors
/// 400.
pub(crate) fn object(body: &[u8]) -> Result<Members, Problem> {
    match parse_json(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(invalid("body", "must be a JSON object")),
        Err(BatchError::InvalidJson(detail)) => Err(Problem::new(400, "invalid_json", detail)),
        Err(error) => Err(Problem::new(400, "invalid_batch", error.to_string())),
    }
}

pub(crate) fn invalid(field: &str, message: &str) -> Problem {
    let problem = Problem::new(400, "invalid_batch", format!("{field} {message}"));
    Problem { field: Some(field.to_owned()), ..problem }
}

/// A batch of events made here.
pub(crate) fn batch(site: &str, key: Option<&str>, events: Vec<Members>) -> RawBatch {
    let events = events.into_iter().map(|members| RawEvent { members: Some(members) }).collect();
    RawBatch {
        site: site.to_owned(),
        key: key.map(str::to_owned),
        sent_at_ms: None,
        dropped: 0,
        consent: None,
        events,
    }
}

/// Copies a member under another name, if it is there and not null.
pub(crate) fn copy(from: &Members, name: &str, to: &mut Members, as_name: &str) {
    if let Some(value) = from.get(name).filter(|value| !value.is_null()) {
        to.insert(as_name.to_owned(), value.clone());
    }
}

/// A name as ours are written: `Outbound Link: Click` becomes `outbound_link_click`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use edgetally_proto::event::{Event, Platform};
    use edgetally_proto::ids::SiteId;
    use edgetally_proto::settings::SiteSettings;
    use edgetally_proto::validate::{Ids, Reject, Rules, Visitor, validate};
    use serde_json::json;

    use super::*;

    const T: i64 = 1_772_420_400_000;

    fn judge(batch: &RawBatch, ids: Ids) -> Vec<Result<Event, Reject>> {
        let settings = SiteSettings { origins: vec!["*".to_owned()], ..SiteSettings::default() };
        let rules = Rules {
            site: &SiteId::parse("demo").unwrap(),
            settings: &settings,
            server_key: true,
            received_at_ms: T,
            sent_at_ms: batch.sent_at_ms,
            ids,
            visitor: Visitor { address: "192.0.2.1", user_agent: "x", salt: b"s" },
            nonce: 1,
        };
        let judged = |(at, raw)| validate(raw, at, &rules).map(|(event, _)| event);
        batch.events.iter().enumerate().map(judged).collect()
    }

    fn one(batch: &RawBatch, ids: Ids) -> Event {
        judge(batch, ids).remove(0).unwrap()
    }

    fn bytes(value: Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    /// The example of GA4's guide to sending events, with its parameters.
    fn ga4_purchase() -> RawBatch {
        let body = json!({"client_id": "123456.7654321", "timestamp_micros": "1772420400000123",
            "user_id": "u-1", "user_location": {"city": "Hanoi", "country_id": "VN"},
            "events": [{"name": "purchase", "params": {"transaction_id": "T_12345",
                "value": 72.05, "tax": 3.60, "shipping": 5.99, "currency": "USD",
                "coupon": "SUMMER_SALE", "session_id": "123", "engagement_time_msec": 100,
                "items": [{"item_id": "SKU_12345", "item_name": "Stan and Friends Tee",
                    "affiliation": "Google Merchandise Store", "discount": 2.22, "index": 0,
                    "item_brand": "Google", "item_category": "Apparel", "price": 24.0167,
                    "quantity": 3}]}}]});
        ga4::parse("demo", &bytes(body)).unwrap()
    }

    /// The same order as Plausible's revenue goals are sent.
    fn plausible_purchase() -> RawBatch {
        let body = json!({"name": "Purchase", "url": "https://shop.example/thanks?utm_source=x",
            "domain": "demo", "referrer": "https://www.google.com/",
            "props": "{\"order_id\": \"T_12345\"}",
            "revenue": {"currency": "USD", "amount": "72.05"}});
        plausible::parse(&bytes(body)).unwrap()
    }

    /// The same order after Segment's e-commerce specification.
    fn segment_purchase() -> RawBatch {
        let body = json!({"sentAt": "2026-03-02T03:00:00.500Z", "batch": [{"type": "track",
            "event": "Order Completed", "messageId": "ajs-next-1-abc", "anonymousId": "anon-1",
            "userId": "u-1", "timestamp": "2026-03-02T03:00:00.000Z",
            "context": {"ip": "203.0.113.7", "page": {"url": "https://shop.example/thanks"}},
            "properties": {"order_id": "T_12345", "total": 81.64, "revenue": 72.05, "tax": 3.6,
                "shipping": 5.99, "currency": "USD", "products": [{"product_id": "SKU_12345",
                    "sku": "45360-32", "name": "Stan and Friends Tee", "brand": "Google",
                    "category": "Apparel", "price": 24.0167, "quantity": 3}]}}]});
        segment::parse(segment::Call::Batch, "demo", &bytes(body)).unwrap()
    }

    #[test]
    fn one_order_is_the_same_purchase_whoever_tells() {
        let ga4 = one(&ga4_purchase(), Ids::Used);
        let plausible = one(&plausible_purchase(), Ids::Cookieless);
        let segment = one(&segment_purchase(), Ids::Used);
        let facts = [&ga4, &plausible, &segment].map(|event| event.fact.clone().unwrap());
        for (event, fact) in [&ga4, &plausible, &segment].into_iter().zip(&facts) {
            assert_eq!(event.name.as_str(), "purchase");
            assert_eq!(fact.transaction.as_ref().unwrap().as_str(), "T_12345");
            assert_eq!(fact.value.unwrap().minor, 7_205);
            assert_eq!(fact.value.unwrap().currency.code(), "USD");
        }
        assert_eq!(facts[0].items, facts[2].items);
        assert_eq!(facts[0].items[0].price, Some(2_402));
        assert_eq!((facts[0].tax, facts[2].shipping), (Some(360), Some(599)));
    }

    #[test]
    fn times_ids_and_visitors_arrive() {
        let ga4 = one(&ga4_purchase(), Ids::Used);
        assert_eq!(ga4.occurred_at_ms, T);
        assert_eq!(ga4.client.unwrap().as_str(), "123456.7654321");
        let segment = one(&segment_purchase(), Ids::Used);
        assert_eq!(segment.id.to_string(), "ajs-next-1-abc");
        assert_eq!(segment.occurred_at_ms, T - 500);
        assert_eq!((segment.page.as_deref(), segment.platform), (Some("/thanks"), Platform::Web));
        assert_eq!(segment.user.unwrap().as_str(), "u-1");
        let plausible = one(&plausible_purchase(), Ids::Cookieless);
        assert!(plausible.client.unwrap().as_str().starts_with("daily."));
        assert_eq!(plausible.referrer.as_deref(), Some("www.google.com"));
    }

    #[test]
    fn segment_calls_become_events() {
        let parse = |call, body: Value| segment::parse(call, "demo", &bytes(body)).unwrap();
        let identify = json!({"userId": "u-9", "anonymousId": "a", "traits": {"plan": "gold"}});
        let identify = one(&parse(segment::Call::Identify, identify), Ids::Used);
        assert_eq!((identify.name.as_str(), identify.user.unwrap().as_str()), ("identify", "u-9"));
        let page = json!({"anonymousId": "a", "properties": {"url": "https://s.vn/p?x=1"}});
        let page = one(&parse(segment::Call::Page, page), Ids::Used);
        assert_eq!((page.name.as_str(), page.page.as_deref()), ("page_view", Some("/p")));
        let server =
            json!({"userId": "u-9", "event": "Products Searched", "properties": {"query": "áo"}});
        let server = one(&parse(segment::Call::Track, server), Ids::Used);
        assert_eq!((server.name.as_str(), server.platform), ("search", Platform::Server));
        let custom = json!({"anonymousId": "a", "event": "Foo Bar!"});
        let refused = judge(&parse(segment::Call::Track, custom), Ids::Used).remove(0);
        assert_eq!(refused.unwrap_err().message, "foo_bar is not in the site's events.allow");
        let odd = json!({"batch": [5, {"type": "track"}]});
        let odd = judge(&parse(segment::Call::Batch, odd), Ids::Used);
        assert!(odd.iter().all(Result::is_err));
    }

    #[test]
    fn the_debug_route_speaks_as_ga4_does() {
        let body = json!({"client_id": "c", "events": [{"name": "purchase", "params": {}}]});
        let batch = ga4::parse("demo", &bytes(body)).unwrap();
        let reject = judge(&batch, Ids::Used).remove(0).unwrap_err();
        let messages = ga4::validation_messages(&[(0, reject)]);
        assert_eq!(
            messages,
            json!({"validationMessages": [{"fieldPath": "events[0].params.transaction_id",
                "description": "is required", "validationCode": "VALUE_REQUIRED"}]})
        );
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let code = |problem: Problem| (problem.status, problem.field);
        let field = |field: &str| (400, Some(field.to_owned()));
        assert_eq!(code(ga4::parse("demo", b"{}").unwrap_err()), field("events"));
        assert_eq!(code(plausible::parse(b"{}").unwrap_err()), field("domain"));
        let batch = segment::Call::Batch;
        assert_eq!(code(segment::parse(batch, "demo", b"{}").unwrap_err()), field("batch"));
        assert_eq!(code(segment::parse(batch, "demo", b"[]").unwrap_err()), field("body"));
        assert_eq!(code(ga4::parse("demo", b"{").unwrap_err()), (400, None));
    }

    #[test]
    fn names_are_written_as_ours() {
        assert_eq!(snake_case("Outbound Link: Click"), "outbound_link_click");
        assert_eq!(snake_case("  404 "), "404");
        assert_eq!(snake_case("Đặt hàng"), "t_h_ng");
    }
}
