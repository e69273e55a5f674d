//! Other systems' calls, mapped into the one path of events: GA4's Measurement Protocol, Plausible,
//! Segment. Only names and shapes are mapped; what an event must be is decided in `validate`.

pub mod ga4;
pub mod plausible;
pub mod segment;

use std::borrow::Cow;
use std::collections::BTreeMap;

use edgetally_proto::json::{Doc, Json, push_text};
use edgetally_proto::limits::JSON_DEPTH_MAX;

use crate::collect::{Problem, invalid_json};

/// Reads a body that must be a JSON object.
///
/// # Errors
/// 400.
pub(crate) fn object(body: &[u8]) -> Result<Doc<'_>, Problem> {
    let doc = Doc::parse(body, JSON_DEPTH_MAX).map_err(|error| invalid_json(&error))?;
    if doc.root().is_object() { Ok(doc) } else { Err(invalid("body", "must be a JSON object")) }
}

pub(crate) fn invalid(field: &str, message: &str) -> Problem {
    let problem = Problem::new(400, "invalid_batch", format!("{field} {message}"));
    Problem { field: Some(field.to_owned()), ..problem }
}

/// A value of an event that is made here, mostly of what was sent: that stays as it was written.
#[derive(Debug, Clone)]
pub(crate) enum Part<'t> {
    Sent(Json<'t>),
    Text(Cow<'t, str>),
    Millis(i64),
    Object(Members<'t>),
    List(Vec<Part<'t>>),
}

impl Part<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Sent(value) => out.push_str(value.raw()),
            Self::Text(text) => push_text(out, text),
            Self::Millis(millis) => out.push_str(&millis.to_string()),
            Self::Object(members) => members.write(out),
            Self::List(parts) => {
                out.push('[');
                for (at, part) in parts.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    part.write(out);
                }
                out.push(']');
            }
        }
    }
}

/// Members of an object that is made here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members<'t>(BTreeMap<&'t str, Part<'t>>);

impl<'t> Members<'t> {
    /// All members of what was sent.
    pub(crate) fn all_of(object: Json<'t>) -> Self {
        Self(object.sorted().into_iter().map(|(name, value)| (name, Part::Sent(value))).collect())
    }

    pub(crate) fn insert(&mut self, name: &'t str, part: Part<'t>) {
        self.0.insert(name, part);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Copies a member under another name, if it is there and not null.
    pub(crate) fn copy(&mut self, from: Json<'t>, name: &str, as_name: &'t str) {
        if let Some(value) = from.get(name).filter(|value| !value.is_null()) {
            self.insert(as_name, Part::Sent(value));
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (at, (name, part)) in self.0.iter().enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            push_text(out, name);
            out.push(':');
            part.write(out);
        }
        out.push('}');
    }
}

/// A batch of events made here, as it would have been sent to us. What all of them have in common
/// is said once, as a member of the batch.
pub(crate) fn batch<'t>(site: &'t str, events: Vec<Members<'t>>) -> Members<'t> {
    let mut batch = Members::default();
    batch.insert("site", Part::Text(site.into()));
    batch.insert("events", Part::List(events.into_iter().map(Part::Object).collect()));
    batch
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
    use edgetally_proto::raw::RawBatch;
    use edgetally_proto::settings::SiteSettings;
    use edgetally_proto::validate::{Ids, Reject, Rules, Visitor, validate};
    use serde_json::{Value, json};

    use super::*;

    const T: i64 = 1_772_420_400_000;

    fn judge(body: &str, ids: Ids) -> Vec<Result<Event, Reject>> {
        let batch = RawBatch::parse_mapped(body).unwrap();
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
        let judged = |(at, raw)| validate(&raw, at, &rules).map(|(event, _)| event);
        batch.events().enumerate().map(judged).collect()
    }

    fn one(body: &str, ids: Ids) -> Event {
        judge(body, ids).remove(0).unwrap()
    }

    fn bytes(value: Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    /// The example of GA4's guide to sending events, with its parameters.
    fn ga4_purchase() -> String {
        let body = json!({"client_id": "123456.7654321", "timestamp_micros": "1772420400000123",
            "user_id": "u-1", "user_location": {"city": "Hanoi", "region_id": "VN-HN",
                "country_id": "VN", "subcontinent_id": "035", "continent_id": "142"},
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
    fn plausible_purchase() -> String {
        let body = json!({"name": "Purchase", "url": "https://shop.example/thanks?utm_source=x",
            "domain": "demo", "referrer": "https://www.google.com/",
            "props": "{\"order_id\": \"T_12345\"}",
            "revenue": {"currency": "USD", "amount": "72.05"}});
        plausible::parse(&bytes(body)).unwrap()
    }

    /// The same order after Segment's e-commerce specification.
    fn segment_purchase() -> String {
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
    fn places_arrive_as_far_as_ours_say_them() {
        let place = |body: &str| {
            let place = one(body, Ids::Used).place.unwrap_or_default();
            [&place.country, &place.region, &place.city].map(Clone::clone)
        };
        assert_eq!(place(&ga4_purchase()), ["VN", "VN-HN", "Hanoi"]);
        let segment = |location: Value| {
            let body = json!({"anonymousId": "a", "context": {"location": location}});
            place(&segment::parse(segment::Call::Page, "demo", &bytes(body)).unwrap())
        };
        // As its specification shows it; the country is no code.
        let shown = json!({"city": "San Francisco", "country": "United States",
            "latitude": 40.2964197, "longitude": -76.9411617, "speed": 0});
        assert_eq!(segment(shown), ["", "", "San Francisco"]);
        let coded = json!({"city": "San Francisco", "region": "California", "country": "us"});
        assert_eq!(segment(coded), ["US", "California", "San Francisco"]);
        assert_eq!(segment(json!({"country": 7, "city": null})), ["", "", ""]);
        assert_eq!(segment(json!("Hanoi")), ["", "", ""]);
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
