//! One session as JSON.

use edgetally_proto::event::Platform;
use edgetally_proto::money::Currency;
use edgetally_proto::settings::Span;
use edgetally_proto::visitor::{Kind, Place};
use serde_json::{Value, json};

use super::campaign::{campaign_json, channel_of};
use crate::orders::sales::Sum;
use crate::people::SessionRow;
use crate::presence::Days;
use crate::query::report::money;
use crate::query::run::revenue;
use crate::sealing::sealed_before;
use crate::site::credits::OrderRow;
use crate::texts::text_of;
use crate::view::SiteView;

/// How a site's sessions end, and when their days are sealed.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// How long after its end a day takes events of browsers.
    pub lateness_ms: i64,
    /// Currency of an empty sum.
    pub currency: Currency,
    /// The instant of the answer.
    pub now_ms: i64,
    /// Whether the ids of its events are told too.
    pub with_events: bool,
}

/// The state of sessions of sealed days.
const FINAL: &str = "final";

/// `open`, `closed` or `final`.
fn state(site: &SiteView, row: &SessionRow, told: &Told) -> &'static str {
    let (now_ms, day) = (told.now_ms, site.zone.day_of(row.start_ms));
    let gap_ms = site.rules.at(row.end_ms).gap_ms;
    if day < sealed_before(now_ms, told.lateness_ms, &site.zone) {
        FINAL
    } else if now_ms <= row.end_ms.saturating_add(gap_ms) && site.zone.day_of(now_ms) == day {
        "open"
    } else {
        "closed"
    }
}

/// The settings that cut a session and gave it its campaign.
fn rules(site: &SiteView, row: &SessionRow) -> Value {
    let (rules, zone) = (site.rules.at(row.start_ms), site.zone.zones().at(row.start_ms));
    let span = |ms: i64| Span { ms }.to_string();
    json!({
        "timezone": zone.name(),
        "gap": span(rules.gap_ms),
        "window": span(rules.window_ms),
    })
}

fn platforms(row: &SessionRow) -> Vec<&'static str> {
    let all = [Platform::Web, Platform::Mweb, Platform::Android, Platform::Ios];
    all.into_iter().filter(|p| row.has_platform(*p)).map(Platform::as_str).collect()
}

fn named(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// A session with everything that is known of it.
#[must_use]
pub fn session_json(site: &SiteView, row: &SessionRow, told: &Told) -> Value {
    let orders: Vec<&OrderRow> = site.orders_of(row.record).collect();
    let mut sum = Sum::default();
    orders.iter().for_each(|order| sum.add(&order.order, 1));
    let first = site.record(row.record);
    let first = first.as_deref();
    let place = first.map(|record| text_of(&site.texts, record.place)).unwrap_or_default();
    let place: Place = serde_json::from_str(place).unwrap_or_default();
    let device = first.map(|record| record.device.kind).filter(|kind| *kind != Kind::Other);
    let page = |page: Option<u32>| page.map(|page| text_of(&site.texts, page).to_owned());
    let clients: Vec<&str> = row.clients.iter().map(|id| text_of(&site.texts, *id)).collect();
    let transactions: Vec<&str> =
        orders.iter().map(|order| order.key.transaction.as_ref()).collect();
    let state = state(site, row, told);
    let mut session = json!({
        "session_id": site.id_of(row.record),
        "person": site.person(row.person),
        "start": site.zone.rfc3339(row.start_ms),
        "end": site.zone.rfc3339(row.end_ms),
        "local_date": site.zone.date_of(row.start_ms).to_string(),
        "start_reason": row.why.names().collect::<Vec<_>>(),
        "clients": clients,
        "platforms": platforms(row),
        "entry": campaign_json(site, row.entry),
        "attributed": campaign_json(site, row.attributed),
        "attributed_event": row.attributed.map(|touch| site.id_of(touch.record)),
        "channel": channel_of(site, row.attributed),
        "events": row.events,
        "pageviews": row.pageviews,
        "orders": transactions,
        "revenue": money(&revenue(&sum, told.currency)),
        "entry_page": page(row.entry_page),
        "exit_page": page(row.exit_page),
        "country": named(&place.country),
        "city": named(&place.city),
        "device": device.map(Kind::as_str),
        "state": state,
        "generation": (state == FINAL).then(|| site.generations.of(site.zone.day_of(row.start_ms))),
        "rules": rules(site, row),
        "rev": site.rev_base + row.rev,
    });
    if told.with_events {
        session["event_ids"] = site.events_of(row).into_iter().collect();
    }
    session
}
