//! The raw archive: every accepted event as it was sent, beside what was known when it was taken.
//!
//! An archive is made of objects of NDJSON under gzip, named by [`names`] and listed by
//! [`manifest`]. One line is one event:
//!
//! ```json
//! {"site": "demo", "received": 1772420400123, "facts": {...}, "event": {...}}
//! ```
//!
//! `event` is the event with its batch's members copied in, numbers as they were written. `facts`
//! holds what does not follow from it, so that a line gives the same [`Event`] for ever, whatever
//! the site's settings have become. Of visitors without consent neither ids nor click ids, address
//! or user agent are kept, and nobody's `context.ip`.

pub mod manifest;
mod money;
pub mod names;
pub(crate) mod scrub;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::channel::Grade;
use crate::event::Event;
use crate::ids::{ClientId, EventId, SiteId};
use crate::json::Doc;
use crate::limits::MAPPED_DEPTH_MAX;
use crate::money::Currency;
use crate::raw::RawEvent;
use crate::record::{ADDRESS, Flags, NETWORK};
use crate::settings::{ChannelRule, Consent, OnDenied, Privacy, Retention, SiteSettings, Span};
use crate::validate::{Ids, Reject, Rules, Visitor, validate};
use crate::visitor::{Device, Place};

/// The worker's routes for the archive, for whoever knows the edge secret: `GET` with
/// `?prefix=&cursor=` lists, `GET`, `PUT` and `DELETE` of `<ROUTE>/<name>` read, write and delete.
pub const ROUTE: &str = "/internal/archive";

/// One page of a list of objects, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The objects.
    pub results: Vec<Object>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What changes when it is written; for `If-Match` of a `PUT`.
    pub etag: String,
}

/// What was known of an event beside what it says. Absent members have their default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Whether it came with a server key.
    #[serde(skip_serializing_if = "is_false")]
    pub server_key: bool,
    /// The sender's clock at the attempt that arrived, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<i64>,
    /// The site's currency then, for amounts that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The id that was made for an event sent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
    /// The client of the day, of an event without consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Whether it was marked as sent by a bot.
    #[serde(skip_serializing_if = "is_false")]
    pub bot: bool,
    /// Whether it is the money of an order whose person was erased.
    #[serde(skip_serializing_if = "is_false")]
    pub erased: bool,
    /// Its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// Where its visitor was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What its visitor used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// The parameters that the site kept of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Hashes that a failed payment is told apart by, which stand nowhere in what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<(String, String)>,
    /// The site's own rule by which its click id was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click_rule: Option<ChannelRule>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No line of an archive.
    #[error("the line is not of an archive: {0}")]
    Malformed(String),
    /// Its event would be refused.
    #[error("the line's event is refused: {}: {}", .0.field, .0.message)]
    Refused(Reject),
}

/// One line, taken apart; [`Line::event`] reads its event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// The site.
    pub site: SiteId,
    /// When the edge took the event, epoch ms.
    #[serde(rename = "received")]
    pub received_at_ms: i64,
    /// What was known beside.
    pub facts: Facts,
    /// The event as sent, without what may not be kept.
    pub event: Box<RawValue>,
}

/// How much of an event's context a line keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// All of it that may be kept.
    Whole,
    /// Only what the rules for events know.
    Known,
}

impl Line {
    /// Writes the line of an accepted event, without a line break. `rules` are those that it was
    /// validated by.
    #[must_use]
    pub fn write(event: &Event, raw: &RawEvent<'_>, rules: &Rules<'_>, context: Context) -> String {
        let cookieless = event.flags.has(Flags::COOKIELESS);
        let json = raw.to_json();
        let id = match event.id {
            // A made id is always a UUID, and stands nowhere in what was sent.
            EventId::Uuid(_) => {
                let id = event.id.to_string();
                (!json.contains(&id)).then(|| event.id.clone())
            }
            EventId::Text(_) => None,
        };
        let facts = Facts {
            server_key: event.flags.has(Flags::SERVER_KEY),
            sent_at: rules.sent_at_ms,
            currency: Some(rules.settings.currency),
            id,
            client: event.client.clone().filter(|_| cookieless),
            bot: event.flags.has(Flags::BOT),
            erased: false,
            grade: event.grade.as_deref().cloned(),
            place: event.place.as_deref().cloned(),
            device: event.device,
            kept: kept(event),
            hashes: hashes(event),
            click_rule: click_rule(event, rules),
        };
        let facts = serde_json::to_string(&facts).unwrap_or_default();
        let kept = scrub::scrub(&json, cookieless, context, &rules.settings.channel_rules);
        let (site, received) = (rules.site, event.received_at_ms);
        // Site ids hold nothing that JSON would escape.
        format!(r#"{{"site":"{site}","received":{received},"facts":{facts},"event":{kept}}}"#)
    }

    /// Takes a line apart.
    ///
    /// # Errors
    /// If it is no line of an archive.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        serde_json::from_str(text).map_err(|error| LineError::Malformed(error.to_string()))
    }

    /// Reads a line: its site and the event as it was accepted. Only the user agent is not told
    /// again; it served the enrichment whose outcome is among the facts.
    ///
    /// # Errors
    /// If it is no line of an archive, or its event is one that would be refused everywhere.
    pub fn read(text: &str) -> Result<(SiteId, Event), LineError> {
        let line = Self::parse(text)?;
        let event = line.event()?;
        Ok((line.site, event))
    }

    /// The event as it was accepted.
    ///
    /// # Errors
    /// If it is one that would be refused everywhere.
    pub fn event(&self) -> Result<Event, LineError> {
        let facts = &self.facts;
        let doc = Doc::parse(self.event.get().as_bytes(), MAPPED_DEPTH_MAX)
            .map_err(|error| LineError::Malformed(error.to_string()))?;
        let raw = RawEvent::alone(&doc, doc.root());
        let mut settings = permissive(facts.currency);
        settings.channel_rules.extend(facts.click_rule.clone());
        settings.params.keep.clone_from(&facts.kept);
        let rules = Rules {
            site: &self.site,
            settings: &settings,
            server_key: facts.server_key,
            received_at_ms: self.received_at_ms,
            sent_at_ms: facts.sent_at,
            ids: Ids::Used,
            visitor: Visitor { address: "", user_agent: "", salt: b"" },
            nonce: 0,
        };
        let (mut event, _warnings) = validate(&raw, 0, &rules).map_err(LineError::Refused)?;
        event.user_agent = None;
        if let Some(id) = &facts.id {
            event.id = id.clone();
        }
        if let Some(client) = &facts.client {
            event.client = Some(client.clone());
            event.flags = event.flags.with(Flags::COOKIELESS, true);
        }
        event.flags = event.flags.with(Flags::BOT, facts.bot);
        if let (Some(fact), false) = (&mut event.fact, facts.hashes.is_empty()) {
            fact.params.extend(facts.hashes.iter().cloned());
            fact.params.sort();
        }
        event.grade = facts.grade.clone().map(Arc::new);
        event.place = facts.place.clone().map(Arc::new);
        event.device = facts.device;
        if facts.erased {
            (event.client, event.user) = (None, None);
            event.flags = event.flags.with(Flags::ERASED, true);
        }
        Ok(event)
    }
}

fn kept(event: &Event) -> Vec<String> {
    let params = event.fact.iter().flat_map(|fact| &fact.params);
    params.map(|(name, _)| name.clone()).filter(|name| !is_hash(name)).collect()
}

fn is_hash(name: &str) -> bool {
    matches!(name, ADDRESS | NETWORK)
}

fn hashes(event: &Event) -> Vec<(String, String)> {
    let params = event.fact.iter().flat_map(|fact| &fact.params);
    params.filter(|(name, _)| is_hash(name)).cloned().collect()
}

/// The site's own rule of the event's click id, if it has one of those.
fn click_rule(event: &Event, rules: &Rules<'_>) -> Option<ChannelRule> {
    let click = event.fact.as_ref()?.click.as_ref()?;
    rules.settings.channel_rules.iter().find(|rule| rule.click_id == click.kind).cloned()
}

/// Settings under which everything passes that passed under any.
fn permissive(currency: Option<Currency>) -> SiteSettings {
    let mut settings = SiteSettings::default();
    settings.currency = currency.unwrap_or(settings.currency);
    settings.events.allow = vec!["*".to_owned()];
    // A line tells which parameters were kept.
    settings.fraud.coupon_abuse.accounts = 0;
    settings.lateness = Span { ms: i64::MAX };
    settings.retention.facts = Retention::Unlimited;
    // A site without cookies takes events without a client, with consent too.
    settings.privacy =
        Privacy { default: Consent::Denied, denied: OnDenied::Cookieless, ..settings.privacy };
    settings
}
