//! GA4's Measurement Protocol: `POST /mp/collect` and its debug twin.
//!
//! <https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference>

use edgetally_proto::error::RejectCode;
use edgetally_proto::json::Json;
use edgetally_proto::validate::Reject;
use serde_json::{Value, json};

use super::{Members, Part, batch, invalid, object};
use crate::collect::Problem;

/// Maps a body to the body of a batch; `site` and `secret` come from the query.
///
/// # Errors
/// 400.
pub fn parse(site: &str, body: &[u8]) -> Result<String, Problem> {
    let doc = object(body)?;
    let sent = doc.root();
    let events = sent.get("events").and_then(Json::items);
    let events = events.ok_or_else(|| invalid("events", "must be an array"))?;
    let micros = sent.get("timestamp_micros");
    let events = events.map(|event| map(event, micros)).collect();
    let mut out = batch(site, events);
    out.copy(sent, "app_instance_id", "client_id");
    out.copy(sent, "client_id", "client_id");
    out.copy(sent, "user_id", "user_id");
    let mut context = Members::default();
    context.copy(sent, "ip_override", "ip");
    context.copy(sent, "user_agent", "user_agent");
    let place = sent.get("user_location").unwrap_or_default();
    context.copy(place, "city", "city");
    context.copy(place, "region_id", "region");
    context.copy(place, "country_id", "country");
    out.insert("context", Part::Object(context));
    Ok(out.to_json())
}

/// Times are microseconds there; only whole milliseconds are kept.
fn millis(micros: Json<'_>) -> Part<'_> {
    let written = micros.as_str().unwrap_or(micros.raw());
    match written.parse::<i64>() {
        Ok(micros) => Part::Millis(micros / 1_000),
        // What is no number is no time, and is refused as such; it is not copied for every event.
        Err(_) => Part::Text("no time".into()),
    }
}

fn map<'t>(event: Json<'t>, micros: Option<Json<'t>>) -> Members<'t> {
    let mut out = Members::default();
    out.copy(event, "name", "name");
    out.copy(event, "params", "params");
    let micros = event.get("timestamp_micros").or(micros);
    if let Some(micros) = micros.filter(|micros| !micros.is_null()) {
        out.insert("ts", millis(micros));
    }
    let mut context = Members::default();
    let params = event.get("params").unwrap_or_default();
    context.copy(params, "page_location", "page_url");
    context.copy(params, "page_referrer", "referrer");
    context.copy(params, "page_title", "page_title");
    context.copy(params, "language", "language");
    out.insert("context", Part::Object(context));
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
