//! One event as JSON, with everything that is kept of it.

use std::collections::BTreeMap;

use edgetally_proto::money::{Currency, format_minor};
use edgetally_proto::record::{Fact, Flags, Item};
use edgetally_proto::visitor::{Kind, Place};
use serde_json::{Map, Value, json};

use super::campaign::{campaign_json, grade_of};
use crate::records::Stored;
use crate::sessionize::Touch;
use crate::texts::text_of;
use crate::view::SiteView;

/// Members that are not null or empty.
fn filled(members: Value) -> Value {
    let Value::Object(members) = members else { return members };
    let is_filled = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    let filled: Map<String, Value> =
        members.into_iter().filter(|(_, value)| is_filled(value)).collect();
    Value::Object(filled)
}

fn amount(minor: Option<i64>, currency: Option<Currency>) -> Value {
    let text = |minor, currency| format_minor(i128::from(minor), currency);
    minor.map_or(Value::Null, |minor| match currency {
        Some(currency) => json!({"currency": currency.code(), "amount": text(minor, currency)}),
        None => json!({"minor_units": minor}),
    })
}

fn item_json(item: &Item, currency: Option<Currency>) -> Value {
    filled(json!({
        "item_id": item.id,
        "item_name": item.name,
        "item_category": item.category,
        "item_brand": item.brand,
        "item_variant": item.variant,
        "price": amount(item.price, currency),
        "quantity": item.quantity,
    }))
}

/// What an event says beside who, when and where.
fn fact_json(fact: &Fact) -> Value {
    let currency = fact.value.map(|value| value.currency);
    let items: Vec<Value> = fact.items.iter().map(|item| item_json(item, currency)).collect();
    let vital = fact.vital.map(|vital| {
        let unit = 10u64.pow(vital.metric.decimals());
        let decimals = usize::try_from(vital.metric.decimals()).unwrap_or_default();
        let (whole, rest) = (vital.value / unit, vital.value % unit);
        json!({"metric": vital.metric.as_str(), "value": format!("{whole}.{rest:0decimals$}")})
    });
    let click = fact.click.as_deref();
    filled(json!({
        "transaction_id": fact.transaction,
        "order_platform": fact.order_platform,
        "value": amount(fact.value.map(|value| value.minor), currency),
        "value_written": fact.value_written,
        "currency_written": fact.currency_written,
        "discount": amount(fact.discount, currency),
        "shipping": amount(fact.shipping, currency),
        "tax": amount(fact.tax, currency),
        "refund_id": fact.refund_id,
        "shipping_city": fact.shipping_city,
        "method": fact.method,
        "reason": fact.reason,
        "latency_ms": fact.latency_ms,
        "item_id": fact.item_id,
        "stock": fact.stock,
        "experiment_id": fact.experiment,
        "variant_id": fact.variant,
        "web_vital": vital,
        "click_id": click.map(|click| json!({"name": click.kind, "value": click.value})),
        "items": items,
        "search_term": fact.search_term,
        "kept": fact.params.iter().cloned().collect::<BTreeMap<_, _>>(),
    }))
}

/// An event; what is not known of it is left out.
#[must_use]
pub fn event_json(site: &SiteView, number: u32, record: &Stored) -> Value {
    let text = |id| text_of(&site.texts, id).to_owned();
    let place: Place = serde_json::from_str(text_of(&site.texts, record.place)).unwrap_or_default();
    let touch = Touch { occurred_at_ms: record.occurred_at_ms, record: number };
    let grade = grade_of(text_of(&site.texts, record.grade));
    let kind = Some(record.device.kind).filter(|kind| *kind != Kind::Other);
    let mark = |flag| record.flags.has(flag).then_some(true);
    filled(json!({
        "event_id": record.id.to_string(),
        "name": text(record.name),
        "client_id": text(record.client),
        "user_id": record.user.map(text),
        "platform": record.platform.as_str(),
        "at": site.zone.rfc3339(record.occurred_at_ms),
        "received_at": site.zone.rfc3339(record.received_at_ms),
        "page": record.page.map(text),
        "referrer": record.referrer.map(text),
        "campaign": record.campaign.map(|_| campaign_json(site, Some(touch))),
        "channel": grade.map(|grade| grade.channel),
        "country": place.country,
        "region": place.region,
        "city": place.city,
        "device": kind.map(Kind::as_str),
        "browser": record.device.browser(),
        "system": record.device.system(),
        "bot": mark(Flags::BOT),
        "background": mark(Flags::BACKGROUND),
        "server_key": mark(Flags::SERVER_KEY),
        "time_clamped": mark(Flags::CLAMPED),
        "params": record.fact.as_deref().map(fact_json),
    }))
}
