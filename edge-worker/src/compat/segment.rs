//! Segment's HTTP API: `POST /v1/batch`, `/v1/track`, `/v1/identify`, `/v1/page`.
//!
//! <https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/>, with the
//! names of its e-commerce specification V2.

use edgetally_proto::event::alias_of;
use edgetally_proto::raw::RawBatch;
use serde_json::Value;

use super::{Members, batch, copy, invalid, object, snake_case};
use crate::collect::Problem;

/// A call that is one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Many messages, each with its `type`.
    Batch,
    /// An event.
    Track,
    /// A login.
    Identify,
    /// A page view.
    Page,
}

impl Call {
    /// The call of a path.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        match path {
            "/v1/batch" => Some(Self::Batch),
            "/v1/track" => Some(Self::Track),
            "/v1/identify" => Some(Self::Identify),
            "/v1/page" => Some(Self::Page),
            _ => None,
        }
    }

    fn kind(self) -> Option<&'static str> {
        match self {
            Self::Batch => None,
            Self::Track => Some("track"),
            Self::Identify => Some("identify"),
            Self::Page => Some("page"),
        }
    }
}

/// Reads a body; `site` is that of the key.
///
/// # Errors
/// 400.
pub fn parse(call: Call, site: &str, body: &[u8]) -> Result<RawBatch, Problem> {
    let mut members = object(body)?;
    let sent_at = members.get("sentAt").and_then(instant).and_then(|ms| ms.as_i64());
    let messages = match call {
        Call::Batch => match members.remove("batch") {
            Some(Value::Array(messages)) => messages,
            _ => return Err(invalid("batch", "must be an array")),
        },
        _ => vec![Value::Object(members.clone())],
    };
    let shared = members.get("context").cloned();
    let events = messages.iter().map(|message| map(call, message, shared.as_ref())).collect();
    let batch = batch(site, None, events);
    Ok(RawBatch { sent_at_ms: sent_at, ..batch })
}

/// The key in the body, where browsers put it.
///
/// # Errors
/// 400.
pub fn write_key(body: &[u8]) -> Result<Option<String>, Problem> {
    Ok(object(body)?.get("writeKey").and_then(Value::as_str).map(str::to_owned))
}

/// An instant of RFC 3339 as epoch milliseconds.
fn instant(value: &Value) -> Option<Value> {
    let instant: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(instant.as_millisecond().into())
}

fn map(call: Call, message: &Value, shared: Option<&Value>) -> Members {
    let Value::Object(message) = message else { return Members::new() };
    let kind = call.kind().or_else(|| message.get("type").and_then(Value::as_str));
    let empty = Members::new();
    let section = |name: &str| message.get(name).and_then(Value::as_object).unwrap_or(&empty);
    let properties = section(if kind == Some("identify") { "traits" } else { "properties" });
    let mut out = Members::new();
    out.insert("name".to_owned(), name(kind, message));
    copy(message, "messageId", &mut out, "id");
    copy(message, "anonymousId", &mut out, "client_id");
    copy(message, "userId", &mut out, "user_id");
    if !out.contains_key("client_id") && out.contains_key("user_id") {
        // Libraries on servers know the user and no browser.
        out.insert("platform".to_owned(), "server".into());
    }
    let time = message.get("timestamp").or_else(|| message.get("originalTimestamp"));
    if let Some(time) = time.filter(|time| !time.is_null()) {
        out.insert("ts".to_owned(), instant(time).unwrap_or_else(|| time.clone()));
    }
    out.insert("context".to_owned(), context(message, shared, properties).into());
    out.insert("params".to_owned(), params(properties).into());
    out
}

fn name(kind: Option<&str>, message: &Members) -> Value {
    match kind {
        Some("track") => match message.get("event") {
            Some(Value::String(event)) if alias_of(event).is_some() => event.as_str().into(),
            Some(Value::String(event)) => snake_case(event).into(),
            _ => Value::Null,
        },
        Some("page" | "screen") => "page_view".into(),
        Some(kind) => kind.into(),
        None => Value::Null,
    }
}

fn context(message: &Members, shared: Option<&Value>, properties: &Members) -> Members {
    let mut out = Members::new();
    for section in [shared, message.get("context")].into_iter().flatten() {
        let Value::Object(section) = section else { continue };
        copy(section, "ip", &mut out, "ip");
        copy(section, "userAgent", &mut out, "user_agent");
        copy(section, "locale", &mut out, "language");
        copy(section, "campaign", &mut out, "campaign");
        if let Some(Value::Object(page)) = section.get("page") {
            copy(page, "url", &mut out, "page_url");
            copy(page, "referrer", &mut out, "referrer");
            copy(page, "title", &mut out, "page_title");
        }
    }
    copy(properties, "url", &mut out, "page_url");
    copy(properties, "referrer", &mut out, "referrer");
    out
}

/// Properties under GA4's names. Segment's `revenue` is what GA4 calls `value`: without shipping
/// and tax.
fn params(properties: &Members) -> Members {
    let mut out = properties.clone();
    for (name, as_name) in [
        ("order_id", "transaction_id"),
        ("total", "value"),
        ("revenue", "value"),
        ("value", "value"),
        ("query", "search_term"),
        ("payment_method", "method"),
    ] {
        copy(properties, name, &mut out, as_name);
    }
    if let Some(Value::Array(products)) = out.remove("products") {
        let items: Vec<Value> = products.iter().map(item).collect();
        out.insert("items".to_owned(), items.into());
    } else if properties.contains_key("product_id") || properties.contains_key("sku") {
        // Events of one product have it at the top.
        out.insert("items".to_owned(), vec![item(&Value::Object(properties.clone()))].into());
    }
    out
}

fn item(product: &Value) -> Value {
    let Value::Object(product) = product else { return product.clone() };
    let mut out = Members::new();
    for (name, as_name) in [
        ("sku", "item_id"),
        ("product_id", "item_id"),
        ("name", "item_name"),
        ("category", "item_category"),
        ("brand", "item_brand"),
        ("variant", "item_variant"),
        ("price", "price"),
        ("quantity", "quantity"),
    ] {
        copy(product, name, &mut out, as_name);
    }
    out.into()
}
