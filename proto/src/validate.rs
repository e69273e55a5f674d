//! Validation: `RawEvent` becomes `Event` once, or is refused with the first reason that fits.
//!
//! The order of the checks is that of the table of fields in docs/http-api.md; after the table
//! come time, then consent.

mod commerce;
mod fields;
mod visitor;

pub use fields::{Reject, Warning};

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use crate::campaign::{Campaign, Click, host_of, path_of};
use crate::error::{RejectCode, WarningCode};
use crate::event::{Event, NAMES, Platform, alias_of, user_id};
use crate::ids::{ClientId, EventId, EventName, IdError, SiteId, UserId};
use crate::json::Json;
use crate::limits::{TEXT_CHARS_MAX, URL_CHARS_MAX};
use crate::raw::{CampaignMembers, EventMembers, NoObject, ParamMembers, RawEvent};
use crate::record::Flags;
use crate::settings::{ChannelRule, Consent, OnDenied, Retention, SiteSettings};
use crate::time::{EARLIEST_MS, LATEST_MS, corrected};
use fields::{Path, integer, missing, present, reject, text, warning};

/// What is done with the ids of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Used as sent.
    Used,
    /// Neither used nor kept: the client is a hash that lives for a day.
    Cookieless,
    /// The events are refused.
    Refused,
}

/// What follows from a batch's consent and the browser's `Sec-GPC`; the stricter of both holds.
#[must_use]
pub fn ids_of(settings: &SiteSettings, consent: Option<bool>, gpc: bool) -> Ids {
    let denied = match consent {
        Some(granted) => !granted,
        None => settings.privacy.default == Consent::Denied,
    };
    let policy = |applies: bool, on_denied: OnDenied| match on_denied {
        OnDenied::Reject if applies => Ids::Refused,
        OnDenied::Cookieless if applies => Ids::Cookieless,
        _ => Ids::Used,
    };
    match (policy(denied, settings.privacy.denied), policy(gpc, settings.privacy.gpc)) {
        (Ids::Refused, _) | (_, Ids::Refused) => Ids::Refused,
        (Ids::Cookieless, _) | (_, Ids::Cookieless) => Ids::Cookieless,
        _ => Ids::Used,
    }
}

/// Who sent a request: what the daily hash of a cookieless client is made of.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    /// Network address.
    pub address: &'a str,
    /// User agent.
    pub user_agent: &'a str,
    /// Random, of this day, forgotten after two.
    pub salt: &'a [u8],
}

/// All that validation of an event depends on beside the event.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// Its settings.
    pub settings: &'a SiteSettings,
    /// Whether a server key came in the header.
    pub server_key: bool,
    /// When the edge took the batch, epoch ms.
    pub received_at_ms: i64,
    /// The client's clock at this attempt, epoch ms.
    pub sent_at_ms: Option<i64>,
    /// What is done with ids.
    pub ids: Ids,
    /// Who sent the request.
    pub visitor: Visitor<'a>,
    /// Random: tells apart events that have neither id nor time.
    pub nonce: u64,
}

/// Validates the event at `index` of a batch.
///
/// # Errors
/// The first reason, in the order of the table of fields, for which it is refused.
pub fn validate(
    raw: &RawEvent<'_>,
    index: usize,
    rules: &Rules<'_>,
) -> Result<(Event, Vec<Warning>), Reject> {
    let Some(sent) = raw.members() else {
        let field = format!("events[{index}]");
        return Err(reject(RejectCode::ValueInvalid, field, "must be an object"));
    };
    let mut warnings = Vec::new();

    let id = event_id(&sent)?;
    let platform = platform(&sent)?;
    let client = client(&sent, platform, rules)?;
    let name = name(&sent, rules, &mut warnings)?;
    let params = params(&sent)?;
    let context = raw.context(sent.context).map_err(|NoObject| no_object("context"))?;
    let user = user(&sent, &params, &name, &mut warnings)?;
    let amounts = commerce::amounts(&params, rules.settings.currency)?;
    let fact = commerce::fact(name.as_str(), &params, amounts, &mut warnings)?;
    if raw.may_exceed(TEXT_CHARS_MAX) {
        check_lengths(raw)?;
    }
    let occurred = occurred(sent.ts, rules, &mut warnings)?;
    if rules.ids == Ids::Refused {
        return Err(reject(RejectCode::ConsentDenied, "consent", "this site needs consent"));
    }

    let cookieless = rules.ids == Ids::Cookieless && platform != Platform::Server;
    let visitor = visitor::of(&context, rules);
    let place = visitor::named_place(&context, rules)?;
    let (client, user) = match cookieless {
        true => (Some(daily_client(rules.site, &visitor)), None),
        false => (client, user),
    };
    let url = text(context.page_url, Path::Event("context.page_url"))?;
    let url = url.or(text(params.page_location, Path::Param("page_location"))?);
    let referrer = text(context.referrer, Path::Event("context.referrer"))?;
    let referrer = referrer.and_then(host_of);
    let click_rules = &rules.settings.channel_rules;
    let fact = visitor::with_params(fact, name.as_str(), sent.params, &visitor, rules, cookieless);
    let click = url.filter(|_| !cookieless).and_then(|url| Click::of_url(url, click_rules));
    let id = id.unwrap_or_else(|| made_id(&sent, client.as_ref(), rules, index, &mut warnings));
    let background = params.background.and_then(Json::as_bool) == Some(true);
    let flags = Flags::default()
        .with(Flags::COOKIELESS, cookieless)
        .with(Flags::BACKGROUND, background && name.as_str() == "identify")
        .with(Flags::SERVER_KEY, rules.server_key)
        .with(Flags::CLAMPED, occurred.1);
    let event = Event {
        id,
        client,
        user,
        name,
        platform,
        occurred_at_ms: occurred.0,
        received_at_ms: rules.received_at_ms,
        flags,
        page: url.map(path_of),
        page_host: referrer.as_ref().and(url).and_then(host_of),
        referrer,
        campaign: campaign(context.campaign, url, click.as_ref(), click_rules)?,
        grade: None,
        place: place.map(Arc::new),
        device: None,
        fact: visitor::with_click(fact, click).map(Box::new),
        user_agent: visitor::named(context.user_agent, rules).map(str::to_owned),
    };
    Ok((event, warnings))
}

fn no_object(field: &str) -> Reject {
    reject(RejectCode::ValueInvalid, field, "must be an object")
}

fn params<'t>(sent: &EventMembers<'t>) -> Result<ParamMembers<'t>, Reject> {
    match sent.params.filter(|params| !params.is_null()) {
        None => Ok(ParamMembers::default()),
        Some(params) if params.is_object() => Ok(ParamMembers::of(params)),
        Some(_) => Err(no_object("params")),
    }
}

fn event_id(sent: &EventMembers<'_>) -> Result<Option<EventId>, Reject> {
    let refuse = |message: String| reject(RejectCode::IdInvalid, "id", message);
    let Some(id) = sent.id.filter(|id| !id.is_null()) else { return Ok(None) };
    let id = id.as_str().ok_or_else(|| refuse("must be a string".to_owned()))?;
    EventId::parse(id).map(Some).map_err(|error| refuse(error.to_string()))
}

fn platform(sent: &EventMembers<'_>) -> Result<Platform, Reject> {
    match text(sent.platform, Path::Event("platform"))? {
        None => Ok(Platform::Web),
        Some(name) => Platform::parse(name).ok_or_else(|| {
            let message = "must be one of web, mweb, android, ios, server";
            reject(RejectCode::ValueInvalid, "platform", message)
        }),
    }
}

fn client(
    sent: &EventMembers<'_>,
    platform: Platform,
    rules: &Rules<'_>,
) -> Result<Option<ClientId>, Reject> {
    let refuse = |message: String| reject(RejectCode::ClientIdInvalid, "client_id", message);
    let Some(id) = present(sent.client_id) else {
        let needed = platform != Platform::Server
            && rules.ids != Ids::Cookieless
            && !rules.settings.is_cookieless();
        return if needed { Err(missing(Path::Event("client_id"))) } else { Ok(None) };
    };
    let id = id.as_str().ok_or_else(|| refuse("must be a string".to_owned()))?;
    ClientId::parse(id).map(Some).map_err(|error| refuse(error.to_string()))
}

fn name(
    sent: &EventMembers<'_>,
    rules: &Rules<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<EventName, Reject> {
    let sent = present(sent.name).ok_or_else(|| missing(Path::Event("name")))?;
    let sent =
        sent.as_str().ok_or_else(|| reject(RejectCode::NameInvalid, "name", "must be a string"))?;
    // A name of the list is no alias, and spares the search for one.
    let is_listed = |name: &str| NAMES.contains(&name);
    let name = if is_listed(sent) { sent } else { alias_of(sent).unwrap_or(sent) };
    if name != sent {
        warnings.push(warning(
            WarningCode::AliasUsed,
            Path::Event("name"),
            format!("read as {name}"),
        ));
    }
    let parsed = EventName::parse(name)
        .map_err(|_| reject(RejectCode::NameInvalid, "name", "must match [a-z][a-z0-9_]{0,39}"))?;
    if !is_listed(name) && !rules.settings.allows_name(name) {
        let message = format!("{name} is not in the site's events.allow");
        return Err(reject(RejectCode::NameNotAllowed, "name", message));
    }
    Ok(parsed)
}

fn user(
    sent: &EventMembers<'_>,
    params: &ParamMembers<'_>,
    name: &EventName,
    warnings: &mut Vec<Warning>,
) -> Result<Option<UserId>, Reject> {
    let (member, field) = match (present(sent.user_id), name.as_str()) {
        (None, "identify") if present(params.user_id).is_some() => {
            (params.user_id, Path::Param("user_id"))
        }
        _ => (sent.user_id, Path::Event("user_id")),
    };
    let Some(sent) = member.filter(|member| !member.is_null()) else { return Ok(None) };
    let sent =
        sent.as_str().ok_or_else(|| reject(RejectCode::ValueInvalid, field, "must be a string"))?;
    match user_id(sent) {
        // Semantics, section 6: a user id on a logout is ignored.
        Ok(Some(_)) if name.as_str() == "logout" => Ok(None),
        Ok(Some(user)) => Ok(Some(user)),
        Ok(None) => {
            let message = "is no user id and was read as absent";
            warnings.push(warning(WarningCode::UserIdIgnored, field, message));
            Ok(None)
        }
        Err(IdError::TooLong(_)) => {
            Err(reject(RejectCode::FieldTooLong, field, "is longer than 128 characters"))
        }
        Err(error) => Err(reject(RejectCode::ValueInvalid, field, error.to_string())),
    }
}

/// The last row of the table: no text is longer than its limit. Members with rows of their own
/// have passed those before. Rarely called: few batches have a text that long.
fn check_lengths(raw: &RawEvent<'_>) -> Result<(), Reject> {
    raw.sorted().into_iter().try_for_each(|(name, value)| {
        let checked = match name {
            "context" if value.is_object() => check_lengths_of(raw.sorted_context()),
            _ => check_length(value, name),
        };
        let Err((path, max)) = checked else { return Ok(()) };
        let message = format!("is longer than {max} characters");
        Err(reject(RejectCode::FieldTooLong, format!("{name}{path}"), message))
    })
}

/// On failure the path below the value, and the limit; it is put together on the way back.
fn check_length(value: Json<'_>, name: &str) -> Result<(), (String, usize)> {
    if let Some(text) = value.as_str() {
        let max = if is_url(name) { URL_CHARS_MAX } else { TEXT_CHARS_MAX };
        // Bytes bound characters from above, which spares most texts the count.
        let fits = text.len() <= max || text.chars().count() <= max;
        return if fits { Ok(()) } else { Err((String::new(), max)) };
    }
    for (at, value) in value.items().into_iter().flatten().enumerate() {
        check_length(value, name).map_err(|(path, max)| (format!("[{at}]{path}"), max))?;
    }
    check_lengths_of(value.sorted())
}

fn check_lengths_of(members: BTreeMap<&str, Json<'_>>) -> Result<(), (String, usize)> {
    members.into_iter().try_for_each(|(name, value)| {
        check_length(value, name).map_err(|(path, max)| (format!(".{name}{path}"), max))
    })
}

fn is_url(name: &str) -> bool {
    ["url", "referrer", "page_location", "page_referrer", "href"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Event time, and whether it was clamped.
fn occurred(
    ts: Option<Json<'_>>,
    rules: &Rules<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<(i64, bool), Reject> {
    let received = rules.received_at_ms;
    if ts.is_none_or(Json::is_null) {
        return Ok((received, false));
    }
    let client_ms = integer(ts, Path::Event("ts"), EARLIEST_MS..=LATEST_MS - 1)
        .ok()
        .flatten()
        .ok_or_else(|| {
            let message = "must be whole epoch milliseconds within 2000 and 2100";
            reject(RejectCode::TimestampInvalid, "ts", message)
        })?;
    let time = corrected(client_ms, rules.sent_at_ms, received);
    let oldest = match (rules.server_key, rules.settings.retention.facts) {
        (true, Retention::Unlimited) => EARLIEST_MS,
        (true, Retention::For(span)) => received.saturating_sub(span.ms),
        (false, _) => received.saturating_sub(rules.settings.lateness.ms),
    };
    // A wrong `sent_at` can carry a good time out of every bound.
    if time.occurred_at_ms < oldest.max(EARLIEST_MS) {
        let message = "is older than this key may report";
        return Err(reject(RejectCode::TimestampTooOld, "ts", message));
    }
    if time.clamped {
        let message = "lay in the future and became the time of receipt";
        warnings.push(warning(WarningCode::TimestampClamped, Path::Event("ts"), message));
    }
    Ok((time.occurred_at_ms, time.clamped))
}

fn daily_client(site: &SiteId, visitor: &Visitor<'_>) -> ClientId {
    let Visitor { address, user_agent, salt } = visitor;
    crate::sign::daily_client(salt, site, address, user_agent)
}

fn campaign(
    sent: Option<Json<'_>>,
    url: Option<&str>,
    click: Option<&Click>,
    click_rules: &[ChannelRule],
) -> Result<Option<Campaign>, Reject> {
    let own = match sent.filter(|sent| !sent.is_null()) {
        None => return Ok(url.and_then(|url| Campaign::of_url(url, click, click_rules))),
        Some(own) if own.is_object() => CampaignMembers::of(own),
        Some(_) => return Err(no_object("context.campaign")),
    };
    let member = |value: Option<Json<'_>>, name: &'static str| -> Result<String, Reject> {
        Ok(text(value, Path::Campaign(name))?.unwrap_or_default().to_owned())
    };
    let tags = Campaign {
        source: member(own.source, "source")?,
        medium: member(own.medium, "medium")?,
        name: member(own.name, "name")?,
        term: member(own.term, "term")?,
        content: member(own.content, "content")?,
        id: member(own.id, "id")?,
    };
    if tags != Campaign::default() {
        return Ok(tags.folded());
    }
    Ok(url.and_then(|url| Campaign::of_url(url, click, click_rules)))
}

/// The id of an event sent without one: a hash of client, time, name and parameters. Without a
/// time the event is told apart from all others, also when it is sent again.
fn made_id(
    sent: &EventMembers<'_>,
    client: Option<&ClientId>,
    rules: &Rules<'_>,
    index: usize,
    warnings: &mut Vec<Warning>,
) -> EventId {
    let canonical = |value: Option<Json<'_>>| {
        let mut text = String::new();
        value.inspect(|value| value.write_canonical(&mut text));
        text
    };
    let time = match sent.ts.filter(|ts| !ts.is_null()) {
        Some(ts) => canonical(Some(ts)),
        None => {
            let message = "has neither id nor ts: sent again, it counts again";
            warnings.push(warning(WarningCode::NotIdempotent, Path::Event("id"), message));
            format!("{}|{}|{index}", rules.received_at_ms, rules.nonce)
        }
    };
    let name = canonical(sent.name);
    let params = canonical(sent.params.filter(|params| params.is_object()));
    let params = if params.is_empty() { "{}" } else { &params };
    let client = client.map_or("", ClientId::as_str);
    let mut canonical = String::new();
    for part in [client, &time, &name, params] {
        canonical.push_str(&part.len().to_string());
        canonical.push(':');
        canonical.push_str(part);
    }
    EventId::Uuid(xxh3_128(canonical.as_bytes()).to_be_bytes())
}
