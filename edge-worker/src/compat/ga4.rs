//! GA4's Measurement Protocol: `POST /mp/collect` and its debug twin.
//!
//! <https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference>

use edgetally_proto::error::RejectCode;
use edgetally_proto::raw::RawBatch;
use edgetally_proto::validate::Reject;
use serde_json::{Value, json};

use super::{Members, batch, copy, invalid, object};
use crate::collect::Problem;

/// Reads a body; `site` and `secret` come from the query.
///
/// # Errors
/// 400.
pub fn parse(site: &str, body: &[u8]) -> Result<RawBatch, Problem> {
    let mut members = object(body)?;
    let Some(Value::Array(events)) = members.remove("events") else {
        return Err(invalid("events", "must be an array"));
    };
    let events = events.into_iter().map(|event| map(event, &members)).collect();
    Ok(batch(site, None, events))
}

/// Times are microseconds there; only whole milliseconds are kept.
fn millis(micros: &Value) -> Value {
    let text = match micros {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse::<i64>().map_or_else(|_| micros.clone(), |micros| (micros / 1_000).into())
}

fn map(event: Value, shared: &Members) -> Members {
    let Value::Object(event) = event else { return Members::new() };
    let mut out = Members::new();
    copy(&event, "name", &mut out, "name");
    copy(&event, "params", &mut out, "params");
    copy(shared, "app_instance_id", &mut out, "client_id");
    copy(shared, "client_id", &mut out, "client_id");
    copy(shared, "user_id", &mut out, "user_id");
    let micros = event.get("timestamp_micros").or(shared.get("timestamp_micros"));
    if let Some(micros) = micros.filter(|micros| !micros.is_null()) {
        out.insert("ts".to_owned(), millis(micros));
    }
    let mut context = Members::new();
    copy(shared, "ip_override", &mut context, "ip");
    copy(shared, "user_agent", &mut context, "user_agent");
    if let Some(Value::Object(place)) = shared.get("user_location") {
        copy(place, "city", &mut context, "city");
        copy(place, "region_id", &mut context, "region");
        copy(place, "country_id", &mut context, "country");
    }
    if let Some(Value::Object(params)) = event.get("params") {
        copy(params, "page_location", &mut context, "page_url");
        copy(params, "page_referrer", &mut context, "referrer");
        copy(params, "page_title", &mut context, "page_title");
        copy(params, "language", &mut context, "language");
    }
    out.insert("context".to_owned(), context.into());
    out
}

/// The code that GA4's validation server would give.
fn validation_code(code: RejectCode) -> &'static str {
    match code {
        RejectCode::NameInvalid | RejectCode::NameNotAllowed => "NAME_INVALID",
        RejectCode::MissingField => "VALUE_REQUIRED",
        RejectCode::ValueOutOfBounds | RejectCode::FieldTooLong | RejectCode::TimestampTooOld => {
            "VALUE_OUT_OF_BOUNDS"
        }
        RejectCode::TooManyItems => "EXCEEDED_MAX_ENTITIES",
        _ => "VALUE_INVALID",
    }
}

/// The body of the debug endpoint's answer.
#[must_use]
pub fn validation_messages(rejected: &[(usize, Reject)]) -> Value {
    let messages: Vec<Value> = rejected
        .iter()
        .map(|(index, reject)| {
            json!({"fieldPath": format!("events[{index}].{}", reject.field),
                   "description": reject.message,
                   "validationCode": validation_code(reject.code)})
        })
        .collect();
    json!({"validationMessages": messages})
}
