//! Collecting: what a request must be before its events are looked at, and how it is answered.

use std::io::Read;

use base64::prelude::{BASE64_STANDARD, Engine};
use edgetally_proto::edge_config::KeyKind;
use edgetally_proto::ids::SiteId;
use edgetally_proto::json::{Json, JsonError};
use edgetally_proto::limits::{
    BODY_BYTES_MAX, EVENTS_MAX, SERVER_BODY_BYTES_MAX, SERVER_EVENTS_MAX,
};
use edgetally_proto::raw::{BatchError, RawBatch};
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::validate::{Reject, Warning};
use edgetally_proto::visitor::Place;
use serde_json::{Value, json};

use crate::agent::Hints;
use crate::bots::Network;
use crate::config::Settings;

/// A refusal of a whole request: `application/problem+json` of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: &'static str,
    /// For people, this time.
    pub detail: String,
    /// The member at fault.
    pub field: Option<String>,
    /// When to come again, in milliseconds.
    pub retry_after_ms: Option<i64>,
}

impl Problem {
    /// A refusal with a status, a code and a sentence.
    #[must_use]
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, retry_after_ms: None }
    }

    /// The answer to a request that is limited for now.
    #[must_use]
    pub fn rate_limited(retry_after_ms: i64) -> Self {
        let problem = Self::new(429, "rate_limited", "too many requests from this address");
        Self { retry_after_ms: Some(retry_after_ms.max(1)), ..problem }
    }

    /// The answer where not all of a batch is known to be durable.
    #[must_use]
    pub fn overloaded(detail: impl Into<String>) -> Self {
        Self { retry_after_ms: Some(1_000), ..Self::new(503, "overloaded", detail) }
    }

    /// `Retry-After`: whole seconds, at least 1.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<i64> {
        self.retry_after_ms.map(|ms| ms.max(1).unsigned_abs().div_ceil(1_000).cast_signed())
    }

    /// The body.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "type": format!("urn:edgetally:problem:{}", self.code),
            "title": self.code.replace('_', " "),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        });
        if let Value::Object(members) = &mut body {
            if let Some(field) = &self.field {
                members.insert("field".to_owned(), field.clone().into());
            }
            if let Some(ms) = self.retry_after_ms {
                members.insert("retry_after_ms".to_owned(), ms.into());
            }
        }
        body
    }
}

/// What counts of a request's headers and address.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Content-Encoding`
    pub content_encoding: Option<String>,
    /// `Content-Length`
    pub content_length: Option<usize>,
    /// `Origin`
    pub origin: Option<String>,
    /// `Authorization`
    pub authorization: Option<String>,
    /// `User-Agent`
    pub user_agent: String,
    /// Whether `Sec-GPC: 1` was sent.
    pub gpc: bool,
    /// The visitor's address, as the platform tells it.
    pub address: String,
    /// `Sec-CH-UA` and its like.
    pub hints: Hints,
    /// Whether `Accept` was sent.
    pub has_accept: bool,
    /// Whether `Accept-Language` was sent.
    pub has_accept_language: bool,
    /// Whether `Sec-Fetch-Mode` was sent.
    pub has_sec_fetch: bool,
    /// Whether browsers hold the address for secure: HTTPS, or the machine itself.
    pub is_secure: bool,
    /// Where the platform sees the visitor.
    pub place: Option<Place>,
    /// What the platform knows of the visitor's network.
    pub network: Network,
}

impl Head {
    /// What stands behind a scheme in the `Authorization` header.
    fn authorization_of(&self, scheme: &str) -> Option<&str> {
        let (named, rest) = self.authorization.as_deref()?.trim().split_once(' ')?;
        named.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// The key of the `Authorization` header.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        self.authorization_of("bearer")
    }

    /// The user name of basic authentication.
    #[must_use]
    pub fn basic_user(&self) -> Option<String> {
        let decoded = BASE64_STANDARD.decode(self.authorization_of("basic")?).ok()?;
        let pair = String::from_utf8(decoded).ok()?;
        pair.split(':').next().map(str::to_owned)
    }

    /// The same request with a key that came elsewhere in it.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        Self { authorization: Some(format!("Bearer {key}")), ..self }
    }

    /// Refuses what is not sent as JSON.
    ///
    /// # Errors
    /// 415.
    pub fn check_media(&self) -> Result<(), Problem> {
        let media = self.content_type.as_deref().unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media == "application/json" || media == "text/plain" {
            return Ok(());
        }
        Err(Problem::new(415, "unsupported_media_type", "send application/json or text/plain"))
    }

    /// Refuses what is packed in a way that is not known here.
    ///
    /// # Errors
    /// 415.
    pub fn check_encoding(&self) -> Result<(), Problem> {
        match self.content_encoding.as_deref().unwrap_or_default().trim() {
            "" | "identity" | "gzip" => Ok(()),
            _ => {
                let detail = "send the body as it is, or gzip";
                Err(Problem::new(415, "unsupported_media_type", detail))
            }
        }
    }

    /// Most bytes of the body, before and after decompression: the key of the header is looked up
    /// first, and only a known server key may send more.
    #[must_use]
    pub fn body_bytes_max(&self, settings: &Settings) -> usize {
        match self.bearer().and_then(|key| settings.key(key)) {
            Some((_, KeyKind::Server)) => SERVER_BODY_BYTES_MAX,
            _ => BODY_BYTES_MAX,
        }
    }
}

/// The answer to a body over its limit.
#[must_use]
pub fn body_too_large(bytes_max: usize) -> Problem {
    Problem::new(413, "body_too_large", format!("the body exceeds {bytes_max} bytes"))
}

/// Unpacks a body, never to more than `bytes_max`.
///
/// # Errors
/// 413 if it is too large, 400 if the packing is damaged.
pub fn unpack(head: &Head, body: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    if body.len() > bytes_max {
        return Err(body_too_large(bytes_max));
    }
    if head.content_encoding.as_deref().map(str::trim) != Some("gzip") {
        return Ok(body);
    }
    let mut unpacked = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(body.as_slice())
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(|_| Problem::new(400, "invalid_json", "the gzip stream is damaged"))?;
    if unpacked.len() > bytes_max { Err(body_too_large(bytes_max)) } else { Ok(unpacked) }
}

/// Reads the batch.
///
/// # Errors
/// 400, with the member at fault where there is one.
pub fn parse(body: &[u8]) -> Result<RawBatch<'_>, Problem> {
    RawBatch::parse(body).map_err(|error| no_batch(&error))
}

/// Reads a batch that was made of another system's call.
///
/// # Errors
/// 400, if what was made is no batch.
pub fn parse_mapped(body: &str) -> Result<RawBatch<'_>, Problem> {
    RawBatch::parse_mapped(body).map_err(|error| no_batch(&error))
}

fn no_batch(error: &BatchError) -> Problem {
    match error {
        BatchError::InvalidJson(error) => invalid_json(error),
        BatchError::InvalidBatch { field, message } => Problem {
            field: Some((*field).to_owned()),
            ..Problem::new(400, "invalid_batch", format!("{field} {message}"))
        },
    }
}

/// The refusal of what is no JSON, or nested too deep.
pub(crate) fn invalid_json(error: &JsonError) -> Problem {
    Problem::new(400, "invalid_json", error.to_string())
}

/// How a route lets senders in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// By a key: a write key anywhere, a server key in the header.
    Key,
    /// By a server key only.
    ServerKey,
    /// By the origin alone; ids are never used.
    Origin,
}

/// A sender that may send to a site.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// Its settings.
    pub settings: &'a SiteSettings,
    /// Whether it came with a server key in the header.
    pub server_key: bool,
}

/// Whether a refusal may be due to settings that are not here yet.
#[must_use]
pub fn may_be_stale(problem: &Problem) -> bool {
    matches!(problem.code, "unknown_site" | "key_invalid" | "origin_not_allowed")
}

/// Looks up site and key, and checks the origin of browsers.
///
/// # Errors
/// 404, 401, 403, in this order.
pub fn authorize<'a>(
    access: Access,
    head: &Head,
    batch: &RawBatch<'_>,
    settings: &'a Settings,
) -> Result<Sender<'a>, Problem> {
    let Some((site, of_site)) = settings.site(&batch.site) else {
        return Err(Problem::new(404, "unknown_site", "there is no such site"));
    };
    let server_key = match access {
        Access::Origin => false,
        Access::Key | Access::ServerKey => has_server_key(access, head, batch, settings, site)?,
    };
    let origin = head.origin.as_deref();
    if !server_key && !origin.is_none_or(|origin| of_site.admits_origin(origin)) {
        let detail = "the site does not list this origin";
        return Err(Problem::new(403, "origin_not_allowed", detail));
    }
    Ok(Sender { site, settings: of_site, server_key })
}

/// Whether the key that lets a sender in is a server key.
fn has_server_key(
    access: Access,
    head: &Head,
    batch: &RawBatch<'_>,
    settings: &Settings,
    site: &SiteId,
) -> Result<bool, Problem> {
    let invalid = |detail: &str| Err(Problem::new(401, "key_invalid", detail));
    let in_header = head.authorization.is_some();
    let key = if in_header { head.bearer() } else { batch.key.as_deref() };
    match key.and_then(|key| settings.key(key)) {
        None => invalid("the key is missing or not known"),
        Some((of, _)) if of != site => invalid("the key is of another site"),
        Some((_, KeyKind::Server)) if !in_header => {
            invalid("a server key may only be sent in the Authorization header")
        }
        Some((_, KeyKind::Server)) => Ok(true),
        Some((_, KeyKind::Write)) if access == Access::Key => Ok(false),
        Some(_) => invalid("this kind of key may not send here"),
    }
}

/// Refuses batches of too many events.
///
/// # Errors
/// 413.
pub fn check_count(batch: &RawBatch<'_>, server_key: bool) -> Result<(), Problem> {
    let count_max = if server_key { SERVER_EVENTS_MAX } else { EVENTS_MAX };
    if batch.len() <= count_max {
        return Ok(());
    }
    let detail = format!("a batch holds at most {count_max} events with this key");
    Err(Problem::new(413, "too_many_events", detail))
}

/// What became of the events of a batch, in its order.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Events now durable.
    pub accepted: usize,
    /// Repeats.
    pub duplicates: usize,
    /// Refusals by index.
    pub rejected: Vec<(usize, Reject)>,
    /// Warnings by index.
    pub warnings: Vec<(usize, Warning)>,
}

impl Outcome {
    /// The body of the 202, as JSON; an event that is refused is named by what it sent as its id,
    /// or by null where that is a number beyond what clients read.
    #[must_use]
    pub fn to_json(&self, batch: &RawBatch<'_>) -> String {
        let mut events = batch.events().enumerate();
        // Refusals stand in the batch's order, so one pass over its events finds all ids.
        let mut id_of = |index: usize| {
            let event = events.find(|(at, _)| *at == index);
            let raw = event.and_then(|(_, event)| event.id()).map(Json::raw);
            raw.filter(|raw| serde_json::from_str::<Value>(raw).is_ok()).unwrap_or("null")
        };
        let mut rejected = String::new();
        for (index, Reject { code, field, message }) in &self.rejected {
            let told = json!({"code": code, "field": field, "index": index, "message": message});
            let told = told.to_string();
            let rest = told.trim_start_matches('{');
            rejected.push_str(if rejected.is_empty() { "" } else { "," });
            rejected.push_str(&format!("{{\"id\":{},{rest}", id_of(*index)));
        }
        let mut warnings = Vec::new();
        for (index, Warning { code, field, message }) in &self.warnings {
            let told = json!({"code": code, "field": field, "index": index, "message": message});
            warnings.push(told.to_string());
        }
        format!(
            "{{\"accepted\":{},\"duplicates\":{},\"rejected\":[{rejected}],\"warnings\":[{}]}}",
            self.accepted,
            self.duplicates,
            warnings.join(",")
        )
    }
}
