//! Segment's HTTP API: `POST /v1/batch`, `/v1/track`, `/v1/identify`, `/v1/page`.
//!
//! <https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/>, with the
//! names of its e-commerce specification V2.

use edgetally_proto::event::alias_of;
use edgetally_proto::json::Json;
use edgetally_proto::visitor::country_code;

use super::{Members, Part, batch, invalid, object, snake_case};
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

/// Maps a body to the body of a batch; `site` is that of the key.
///
/// # Errors
/// 400.
pub fn parse(call: Call, site: &str, body: &[u8]) -> Result<String, Problem> {
    let doc = object(body)?;
    let sent = doc.root();
    let events = match call {
        Call::Batch => {
            let messages = sent.get("batch").and_then(Json::items);
            let messages = messages.ok_or_else(|| invalid("batch", "must be an array"))?;
            messages.map(|message| map(call, message)).collect()
        }
        _ => vec![map(call, sent)],
    };
    let mut out = batch(site, events);
    if let Some(millis) = sent.get("sentAt").and_then(instant) {
        out.insert("sent_at", Part::Millis(millis));
    }
    if call == Call::Batch {
        out.insert("context", Part::Object(context(sent)));
    }
    Ok(out.to_json())
}

/// The key in the body, where browsers put it.
///
/// # Errors
/// 400.
pub fn write_key(body: &[u8]) -> Result<Option<String>, Problem> {
    Ok(object(body)?.root().get("writeKey").and_then(Json::as_str).map(str::to_owned))
}

/// An instant of RFC 3339 as epoch milliseconds.
fn instant(value: Json<'_>) -> Option<i64> {
    let instant: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(instant.as_millisecond())
}

fn map<'t>(call: Call, message: Json<'t>) -> Members<'t> {
    let mut out = Members::default();
    if !message.is_object() {
        return out;
    }
    let kind = call.kind().or_else(|| message.get("type").and_then(Json::as_str));
    let properties = if kind == Some("identify") { "traits" } else { "properties" };
    let properties = message.get(properties).unwrap_or_default();
    if let Some(name) = name(kind, message) {
        out.insert("name", name);
    }
    out.copy(message, "messageId", "id");
    out.copy(message, "anonymousId", "client_id");
    out.copy(message, "userId", "user_id");
    if !out.has("client_id") && out.has("user_id") {
        // Libraries on servers know the user and no browser.
        out.insert("platform", Part::Text("server".into()));
    }
    let time = message.get("timestamp").or_else(|| message.get("originalTimestamp"));
    if let Some(time) = time.filter(|time| !time.is_null()) {
        out.insert("ts", instant(time).map_or(Part::Sent(time), Part::Millis));
    }
    let mut context = context(message);
    context.copy(properties, "url", "page_url");
    context.copy(properties, "referrer", "referrer");
    out.insert("context", Part::Object(context));
    out.insert("params", Part::Object(params(properties)));
    out
}

fn name<'t>(kind: Option<&'t str>, message: Json<'t>) -> Option<Part<'t>> {
    let name = match kind? {
        "track" => match message.get("event")?.as_str()? {
            event if alias_of(event).is_some() => event.into(),
            event => snake_case(event).into(),
        },
        "page" | "screen" => "page_view".into(),
        kind => kind.into(),
    };
    Some(Part::Text(name))
}

/// The context of a message, or of a batch of them.
fn context(message: Json<'_>) -> Members<'_> {
    let mut out = Members::default();
    let sent = message.get("context").unwrap_or_default();
    out.copy(sent, "ip", "ip");
    out.copy(sent, "userAgent", "user_agent");
    out.copy(sent, "locale", "language");
    out.copy(sent, "campaign", "campaign");
    let page = sent.get("page").unwrap_or_default();
    out.copy(page, "url", "page_url");
    out.copy(page, "referrer", "referrer");
    out.copy(page, "title", "page_title");
    let location = sent.get("location").unwrap_or_default();
    out.copy(location, "city", "city");
    out.copy(location, "region", "region");
    // Its libraries write names of countries, too; ours are codes.
    if location.get("country").and_then(Json::as_str).and_then(country_code).is_some() {
        out.copy(location, "country", "country");
    }
    out
}

/// Properties under GA4's names. Segment's `revenue` is what GA4 calls `value`: without shipping
/// and tax.
fn params(properties: Json<'_>) -> Members<'_> {
    let mut out = Members::all_of(properties);
    for (name, as_name) in [
        ("order_id", "transaction_id"),
        ("total", "value"),
        ("revenue", "value"),
        ("value", "value"),
        ("query", "search_term"),
        ("payment_method", "method"),
    ] {
        out.copy(properties, name, as_name);
    }
    if let Some(products) = properties.get("products").and_then(Json::items) {
        out.remove("products");
        out.insert("items", Part::List(products.map(item).collect()));
    } else if properties.get("product_id").or(properties.get("sku")).is_some() {
        // Events of one product have it at the top.
        out.insert("items", Part::List(vec![item(properties)]));
    }
    out
}

fn item(product: Json<'_>) -> Part<'_> {
    if !product.is_object() {
        return Part::Sent(product);
    }
    let mut out = Members::default();
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
        out.copy(product, name, as_name);
    }
    Part::Object(out)
}
