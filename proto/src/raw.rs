//! What a request brings, before validation: a batch of [`RawEvent`]s that borrow from its body.
//!
//! Only the batch is judged here. Whatever is wrong with one event, members copied from the batch
//! included, is left for [`crate::validate`], which answers for that event alone.

mod members;

pub use members::{CampaignMembers, ContextMembers, EventMembers, ItemMembers, ParamMembers};

use std::collections::BTreeMap;

use crate::json::{Doc, Json, JsonError, push_text};
use crate::limits::{JSON_DEPTH_MAX, MAPPED_DEPTH_MAX};

/// Why a body is no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No JSON, or nested too deep.
    #[error(transparent)]
    InvalidJson(#[from] JsonError),
    /// JSON, but no batch.
    #[error("{field} {message}")]
    InvalidBatch {
        /// The member at fault.
        field: &'static str,
        /// What is wrong with it.
        message: &'static str,
    },
}

/// A batch as sent.
#[derive(Debug, Clone)]
pub struct RawBatch<'a> {
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
    doc: Doc<'a>,
}

members::of_object! {
    /// Members of a batch.
    BatchMembers {
        site, key, sent_at, dropped, consent, client_id, user_id, platform, context, events,
    }
}

impl<'a> RawBatch<'a> {
    /// Reads the body of `POST /v1/events`.
    ///
    /// # Errors
    /// If it is no JSON, nested deeper than [`JSON_DEPTH_MAX`], or no batch.
    pub fn parse(body: &'a [u8]) -> Result<Self, BatchError> {
        Self::of_doc(Doc::parse(body, JSON_DEPTH_MAX)?)
    }

    /// Reads a batch that the edge itself made of another system's call, whose nesting was bounded
    /// before.
    ///
    /// # Errors
    /// If it is no batch.
    pub fn parse_mapped(text: &'a str) -> Result<Self, BatchError> {
        Self::of_doc(Doc::parse(text.as_bytes(), MAPPED_DEPTH_MAX)?)
    }

    fn of_doc(doc: Doc<'a>) -> Result<Self, BatchError> {
        let root = doc.root();
        if !root.is_object() {
            return Err(invalid("body", "must be a JSON object"));
        }
        let sent = BatchMembers::of(root);
        let Some(site) = sent.site.and_then(Json::as_str).map(str::to_owned) else {
            return Err(invalid("site", "must be a string"));
        };
        let text = |value: Json<'_>| value.as_str().map(str::to_owned);
        let key = optional(sent.key, "key", "must be a string", text)?;
        let millis = |value: Json<'_>| value.as_number()?.parse().ok();
        let sent_at_ms = optional(sent.sent_at, "sent_at", "must be epoch milliseconds", millis)?;
        let count = |value: Json<'_>| value.as_number()?.parse().ok();
        let dropped = optional(sent.dropped, "dropped", "must be a whole number", count)?;
        let consent = optional(sent.consent, "consent", "must be an object", |value| {
            value.is_object().then(|| value.get("analytics"))
        })?;
        let message = "must be true or false";
        let consent = optional(consent.flatten(), "consent.analytics", message, Json::as_bool)?;
        if sent.events.and_then(Json::items).is_none() {
            return Err(invalid("events", "must be an array"));
        }
        Ok(Self { site, key, sent_at_ms, dropped: dropped.unwrap_or(0), consent, doc })
    }

    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events().count()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its events, in its order.
    pub fn events(&self) -> impl Iterator<Item = RawEvent<'_>> {
        let sent = BatchMembers::of(self.doc.root());
        let shared = Shared {
            client_id: sent.client_id,
            user_id: sent.user_id,
            platform: sent.platform,
            context: sent.context.filter(|context| !context.is_null()),
            members: sent.context.map(ContextMembers::of).unwrap_or_default(),
            longest: self.doc.longest(),
        };
        let events = sent.events.and_then(Json::items).into_iter().flatten();
        events.map(move |value| RawEvent { value, shared })
    }
}

fn invalid(field: &'static str, message: &'static str) -> BatchError {
    BatchError::InvalidBatch { field, message }
}

/// A member that may be absent or null.
fn optional<'t, T>(
    member: Option<Json<'t>>,
    field: &'static str,
    message: &'static str,
    read: impl FnOnce(Json<'t>) -> Option<T>,
) -> Result<Option<T>, BatchError> {
    match member.filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| invalid(field, message)),
    }
}

/// What the events of a batch have in common.
#[derive(Debug, Clone, Copy, Default)]
struct Shared<'t> {
    client_id: Option<Json<'t>>,
    user_id: Option<Json<'t>>,
    platform: Option<Json<'t>>,
    /// Never null.
    context: Option<Json<'t>>,
    /// The members of `context`.
    members: ContextMembers<'t>,
    /// Bytes of the longest text of the whole batch.
    longest: usize,
}

/// An event as sent. Members of its batch are copied into it wherever it is read: its own win,
/// `context` member by member.
#[derive(Debug, Clone, Copy)]
pub struct RawEvent<'t> {
    value: Json<'t>,
    shared: Shared<'t>,
}

impl<'t> RawEvent<'t> {
    /// An event that stands alone in a text of its own, or beside other things in it.
    #[must_use]
    pub fn alone(doc: &'t Doc<'t>, value: Json<'t>) -> Self {
        Self { value, shared: Shared { longest: doc.longest(), ..Shared::default() } }
    }

    /// Its `id`, whatever was sent as such.
    #[must_use]
    pub fn id(&self) -> Option<Json<'t>> {
        self.value.get("id")
    }

    /// Its members; none if it is no JSON object.
    #[must_use]
    pub fn members(&self) -> Option<EventMembers<'t>> {
        self.value.is_object().then(|| {
            let mut sent = EventMembers::of(self.value);
            sent.client_id = sent.client_id.or(self.shared.client_id);
            sent.user_id = sent.user_id.or(self.shared.user_id);
            sent.platform = sent.platform.or(self.shared.platform);
            sent
        })
    }

    /// The members of the context, those of its batch included.
    ///
    /// # Errors
    /// If what stands there is neither an object nor null.
    pub fn context(&self, own: Option<Json<'t>>) -> Result<ContextMembers<'t>, NoObject> {
        let own = own.filter(|own| !own.is_null());
        let of = |context: Json<'_>| context.is_object();
        if !own.is_none_or(of) || !self.shared.context.is_none_or(of) {
            return Err(NoObject);
        }
        let mut merged = self.shared.members;
        if let Some(own) = own {
            merged.read(own);
        }
        Ok(merged)
    }

    /// Whether a text in it may be longer than `bytes`; if not, none is.
    #[must_use]
    pub fn may_exceed(&self, bytes: usize) -> bool {
        self.shared.longest > bytes
    }

    /// Its members by name, those of its batch included.
    #[must_use]
    pub fn sorted(&self) -> BTreeMap<&'t str, Json<'t>> {
        let mut members = self.value.sorted();
        let Shared { client_id, user_id, platform, context, .. } = self.shared;
        for (name, shared) in
            [("client_id", client_id), ("user_id", user_id), ("platform", platform)]
        {
            if let Some(shared) = shared {
                members.entry(name).or_insert(shared);
            }
        }
        if let Some(shared) = context {
            let own = members.entry("context").or_insert(shared);
            *own = if own.is_null() { shared } else { *own };
        }
        members
    }

    /// The members of its context by name, those of its batch's included.
    #[must_use]
    pub fn sorted_context(&self) -> BTreeMap<&'t str, Json<'t>> {
        let mut members = self.shared.context.map(Json::sorted).unwrap_or_default();
        members.extend(self.value.get("context").map(Json::sorted).unwrap_or_default());
        members
    }

    /// Most bytes that [`Self::to_json`] has.
    #[must_use]
    pub fn json_bytes_max(&self) -> usize {
        let Shared { client_id, user_id, platform, context, .. } = self.shared;
        let shared = [client_id, user_id, platform, context];
        // A member that is copied brings its name, and may be written with more white space.
        let shared: usize = shared.into_iter().flatten().map(|value| value.raw().len() + 16).sum();
        self.value.raw().len() + shared
    }

    /// The event as JSON: as it was sent, with the batch's members copied into it. Read alone it
    /// is the same event again.
    #[must_use]
    pub fn to_json(&self) -> String {
        let raw = self.value.raw();
        let Some(open) = raw.strip_suffix('}').filter(|_| self.value.is_object()) else {
            return "null".to_owned();
        };
        let (own, shared) = (EventMembers::of(self.value), &self.shared);
        let mut out = Writer::with_capacity(raw.len() + 256);
        out.has_members = has_members(self.value);
        match (own.context, shared.context) {
            (Some(context), Some(shared)) if context.is_object() && shared.is_object() => {
                // Written into the one that is there, before its closing brace.
                let from = context.raw().as_ptr().addr() - raw.as_ptr().addr();
                let (before, after) = open.split_at(from + context.raw().len() - 1);
                out.text.push_str(before);
                out.push_missing(context, shared);
                out.text.push_str(after);
            }
            (context, Some(shared))
                if context.is_none_or(|own| own.is_null() || own.is_object()) =>
            {
                out.text.push_str(open);
                out.push_member("context", shared);
            }
            _ => out.text.push_str(open),
        }
        for (name, own, shared) in [
            ("client_id", own.client_id, shared.client_id),
            ("user_id", own.user_id, shared.user_id),
            ("platform", own.platform, shared.platform),
        ] {
            if let (None, Some(shared)) = (own, shared) {
                out.push_member(name, shared);
            }
        }
        out.text.push('}');
        out.text
    }
}

/// What stands where an object must stand is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoObject;

fn has_members(object: Json<'_>) -> bool {
    object.members().is_some_and(|mut members| members.next().is_some())
}

/// Writes more members into an object that is still open.
struct Writer {
    text: String,
    /// Whether the object has members, after which the next one needs a comma.
    has_members: bool,
}

impl Writer {
    fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), has_members: false }
    }

    fn push_member(&mut self, name: &str, value: Json<'_>) {
        if self.has_members {
            self.text.push(',');
        }
        self.has_members = true;
        push_text(&mut self.text, name);
        self.text.push(':');
        self.text.push_str(value.raw());
    }

    /// Writes the members of `shared` that `own` does not have into `own`, which is open.
    fn push_missing(&mut self, own: Json<'_>, shared: Json<'_>) {
        let outside = std::mem::replace(&mut self.has_members, has_members(own));
        for (name, value) in shared.members().into_iter().flatten() {
            if own.get(name).is_none() {
                self.push_member(name, value);
            }
        }
        self.has_members = outside;
    }
}

#[cfg(test)]
#[path = "raw/tests.rs"]
mod tests;
