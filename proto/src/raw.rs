//! What a request brings, before validation: a batch of [`RawEvent`]s.
//!
//! Only the batch is judged here. Whatever is wrong with one event, members copied from the batch
//! included, is left for [`crate::validate`], which answers for that event alone.

use serde_json::{Map, Value};

use crate::limits::JSON_DEPTH_MAX;

/// Why a body is no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No JSON, or nested too deep.
    #[error("{0}")]
    InvalidJson(String),
    /// JSON, but no batch.
    #[error("{field} {message}")]
    InvalidBatch {
        /// The member at fault.
        field: &'static str,
        /// What is wrong with it.
        message: &'static str,
    },
}

/// An event as sent, with the batch's members copied into it.
#[derive(Debug, Clone, PartialEq)]
pub struct RawEvent {
    /// Its members; none if it was no JSON object.
    pub members: Option<Map<String, Value>>,
}

impl RawEvent {
    /// The event as JSON, for people.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.members.as_ref().map_or_else(
            || "null".to_owned(),
            |members| serde_json::to_string(members).unwrap_or_default(),
        )
    }
}

/// A batch as sent.
#[derive(Debug, Clone, PartialEq)]
pub struct RawBatch {
    /// The site it is for.
    pub site: String,
    /// A key in the body.
    pub key: Option<String>,
    /// Client clock at this very attempt, epoch ms.
    pub sent_at_ms: Option<i64>,
    /// Events that this client had to drop since its last batch.
    pub dropped: u64,
    /// `consent.analytics`, where said.
    pub consent: Option<bool>,
    /// Its events, in its order.
    pub events: Vec<RawEvent>,
}

/// Members of a batch that are copied into its events.
const COPIED: [&str; 3] = ["client_id", "user_id", "platform"];

impl RawBatch {
    /// Reads the body of `POST /v1/events`.
    ///
    /// # Errors
    /// If it is no JSON, nested deeper than [`JSON_DEPTH_MAX`], or no batch.
    pub fn parse(body: &[u8]) -> Result<Self, BatchError> {
        let value = parse_json(body)?;
        let Value::Object(mut batch) = value else {
            return Err(invalid("body", "must be a JSON object"));
        };
        let Some(Value::String(site)) = batch.remove("site") else {
            return Err(invalid("site", "must be a string"));
        };
        let key = match batch.remove("key") {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) => Some(key),
            Some(_) => return Err(invalid("key", "must be a string")),
        };
        let sent_at_ms =
            optional(&mut batch, "sent_at", "must be epoch milliseconds", Value::as_i64)?;
        let dropped = optional(&mut batch, "dropped", "must be a whole number", Value::as_u64)?;
        let consent = consent(batch.remove("consent"))?;
        let Some(Value::Array(events)) = batch.remove("events") else {
            return Err(invalid("events", "must be an array"));
        };
        let events = events.into_iter().map(|event| merge(event, &batch)).collect();
        let dropped = dropped.unwrap_or(0);
        Ok(Self { site, key, sent_at_ms, dropped, consent, events })
    }
}

fn invalid(field: &'static str, message: &'static str) -> BatchError {
    BatchError::InvalidBatch { field, message }
}

fn optional<T>(
    batch: &mut Map<String, Value>,
    field: &'static str,
    message: &'static str,
    read: fn(&Value) -> Option<T>,
) -> Result<Option<T>, BatchError> {
    match batch.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(&value).map(Some).ok_or_else(|| invalid(field, message)),
    }
}

fn consent(member: Option<Value>) -> Result<Option<bool>, BatchError> {
    match member {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(consent)) => match consent.get("analytics") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(analytics)) => Ok(Some(*analytics)),
            Some(_) => Err(invalid("consent.analytics", "must be true or false")),
        },
        Some(_) => Err(invalid("consent", "must be an object")),
    }
}

/// Reads JSON whose nesting is bounded before anything is built from it.
///
/// # Errors
/// If it is no JSON, or nested deeper than [`JSON_DEPTH_MAX`].
pub fn parse_json(body: &[u8]) -> Result<Value, BatchError> {
    if depth(body) > JSON_DEPTH_MAX {
        return Err(BatchError::InvalidJson(format!("nested deeper than {JSON_DEPTH_MAX}")));
    }
    serde_json::from_slice(body).map_err(|error| BatchError::InvalidJson(error.to_string()))
}

/// The deepest nesting of brackets outside strings; right for JSON, and harmless for the rest,
/// which the parser refuses.
fn depth(body: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Copies the batch's members into an event; the event's own win, `context` member by member.
fn merge(event: Value, batch: &Map<String, Value>) -> RawEvent {
    let Value::Object(mut members) = event else {
        return RawEvent { members: None };
    };
    for name in COPIED {
        if let (false, Some(value)) = (members.contains_key(name), batch.get(name)) {
            members.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(shared) = batch.get("context").filter(|context| !context.is_null()) {
        let merged = match (members.remove("context"), shared) {
            (Some(Value::Object(own)), Value::Object(shared)) => {
                let mut merged = shared.clone();
                merged.extend(own);
                Value::Object(merged)
            }
            (None | Some(Value::Null | Value::Object(_)), shared) => shared.clone(),
            (Some(own), _) => own,
        };
        members.insert("context".to_owned(), merged);
    }
    RawEvent { members: Some(members) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &str) -> Map<String, Value> {
        let batch = RawBatch::parse(body.as_bytes()).unwrap();
        batch.events.into_iter().next().unwrap().members.unwrap()
    }

    #[test]
    fn the_events_own_members_win() {
        let members = event(
            r#"{"site": "demo", "client_id": "c", "user_id": "u", "platform": "ios",
                "context": {"page_url": "a", "language": "vi"},
                "events": [{"name": "x", "user_id": null, "context": {"page_url": "b"}}]}"#,
        );
        assert_eq!(members["client_id"], "c");
        assert_eq!(members["user_id"], Value::Null);
        assert_eq!(members["platform"], "ios");
        assert_eq!(members["context"]["page_url"], "b");
        assert_eq!(members["context"]["language"], "vi");
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
            (
                r#"{"site": "s", "events": [], "sent_at": "x"}"#,
                "sent_at must be epoch milliseconds",
            ),
            (r#"{"site": "s", "events": [], "dropped": -1}"#, "dropped must be a whole number"),
            (r#"{"site": "s", "events": [], "consent": 1}"#, "consent must be an object"),
        ] {
            assert_eq!(RawBatch::parse(body.as_bytes()).unwrap_err().to_string(), expected);
        }
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
            assert_eq!(error, BatchError::InvalidJson("nested deeper than 64".to_owned()));
        }
        let brackets_in_text = format!(r#"{{"site": "{}\"", "events": []}}"#, "[".repeat(100));
        assert!(RawBatch::parse(brackets_in_text.as_bytes()).is_ok());
    }
}
