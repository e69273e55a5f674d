//! A person as JSON: what he did, and whose it was before.

use edgetally_proto::ids::SiteId;
use serde_json::{Value, json};

use super::event::event_json;
use super::{order, session};
use crate::address::encoded;
use crate::held::Held;
use crate::merges::Name;
use crate::people::SessionRow;
use crate::presence::PersonId;
use crate::sessionize::Line;
use crate::site::credits::OrderRow;
use crate::story::{Cause, Reassigned, kind_of};
use crate::texts::text_of;
use crate::tombstones::veil_client;
use crate::view::SiteView;

/// Most sessions, orders, clients and reassignments of one answer: the newest of each.
pub const SHOWN_MAX: usize = 100;

/// How sessions and orders are told.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Sessions.
    pub sessions: session::Told,
    /// Orders.
    pub orders: order::Told,
}

fn line_of(site: &SiteView, number: Option<PersonId>) -> Option<Held<'_, Line>> {
    number.map(|number| site.line(number))
}

/// The sessions of a person, by start.
fn sessions(site: &SiteView, number: Option<PersonId>) -> Vec<&SessionRow> {
    let Some(line) = line_of(site, number) else { return Vec::new() };
    let row = |session: &crate::sessionize::Session| {
        let first = line.entries().get(session.first)?;
        site.sessions.get(&(first.occurred_at_ms, session.record)).map(AsRef::as_ref)
    };
    line.sessions().iter().filter_map(row).collect()
}

/// The orders of a person, by time.
fn orders(site: &SiteView, number: Option<PersonId>) -> Vec<&OrderRow> {
    let is_his = |row: &&OrderRow| row.credit.person.is_some() && row.credit.person == number;
    site.orders.values().map(AsRef::as_ref).filter(is_his).collect()
}

/// A name as reports show persons.
#[must_use]
pub fn name_text(site: &SiteView, name: &Name) -> String {
    let text = |id| text_of(&site.texts, id);
    match name {
        Name::User(user) => format!("u:{}", text(*user)),
        Name::Client(client) => format!("c:{}", text(*client)),
        Name::AfterLogout(client, logout) => format!("c:{}#{logout}", text(*client)),
    }
}

/// One line of the log of reassignments, with the time at which it was learned.
fn reassigned_json(site: &SiteView, one: &Reassigned) -> (i64, Value) {
    let time = |ms: Option<i64>| ms.map(|ms| site.zone.rfc3339(ms));
    let (at_ms, because) = match &one.cause {
        Cause::Event(step) => {
            let record = site.record(step.record);
            let record = record.as_deref();
            let at_ms = record.map_or(step.occurred_at_ms, |record| record.received_at_ms);
            let text = |id| text_of(&site.texts, id).to_owned();
            let because = json!({
                "kind": kind_of(step),
                "event_id": site.id_of(step.record),
                "name": record.map(|record| text(record.name)),
                "client_id": record.map(|record| text(record.client)),
                "user_id": record.and_then(|record| record.user).map(text),
                "at": site.zone.rfc3339(step.occurred_at_ms),
            });
            (at_ms, because)
        }
        Cause::Merge(change) => {
            let kind = if change.is_undo { "undo_of_merge" } else { "merge" };
            let (from, into) = (change.from.to_string(), format!("u:{}", change.into));
            (change.at_ms, json!({"kind": kind, "from": from, "into": into}))
        }
    };
    let told = json!({
        "at": site.zone.rfc3339(at_ms),
        "from": name_text(site, &one.from),
        "to": name_text(site, &one.to),
        "events": one.events,
        "first": time(one.first_ms),
        "last": time(one.last_ms),
        "because": because,
    });
    (at_ms, told)
}

/// Erasures of users on a person's client: what was theirs by their login may be his again. They
/// do not say whose it was, nor how much.
fn erasures(site: &SiteView, person: &str) -> Vec<(i64, Value)> {
    let Some(client) = person.strip_prefix("c:") else { return Vec::new() };
    let concerns = |erasure: &&std::sync::Arc<crate::tombstones::Erasure>| {
        let veiled = veil_client(&erasure.salt, client);
        erasure.user.is_some() && erasure.clients.as_chunks::<16>().0.contains(&veiled)
    };
    let told = |erasure: &std::sync::Arc<crate::tombstones::Erasure>| {
        let at_ms = erasure.erased_at_ms;
        let told = json!({
            "at": site.zone.rfc3339(at_ms),
            "from": null,
            "to": person,
            "events": null,
            "first": null,
            "last": null,
            "because": {"kind": "erasure"},
        });
        (at_ms, told)
    };
    site.erasures.iter().filter(concerns).map(told).collect()
}

/// The log of reassignments of one person, oldest first.
fn log_json(site: &SiteView, person: &str, log: &[Reassigned]) -> Vec<Value> {
    let is_his = |name: &Name| name_text(site, name) == person;
    let own = log.iter().filter(|one| is_his(&one.from) || is_his(&one.to));
    let mut lines: Vec<(i64, Value)> = own.map(|one| reassigned_json(site, one)).collect();
    let erasures = erasures(site, person);
    if !erasures.is_empty() {
        lines.extend(erasures);
        lines.sort_by_key(|(at_ms, _)| *at_ms);
    }
    lines.into_iter().map(|(_, told)| told).collect()
}

fn newest<T>(all: &[T]) -> &[T] {
    all.get(all.len().saturating_sub(SHOWN_MAX)..).unwrap_or_default()
}

/// Clients on which a person was active, in the order in which they are seen first.
fn clients(site: &SiteView, number: Option<PersonId>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let line = line_of(site, number);
    let entries = line.as_deref().map(Line::entries).unwrap_or_default();
    let clients = entries.iter().filter_map(|entry| site.record(entry.record)).map(|r| r.client);
    let new = clients.filter(|client| seen.insert(*client)).collect::<Vec<u32>>();
    new.into_iter().map(|client| text_of(&site.texts, client).to_owned()).collect()
}

/// Into whom a person is merged, and who is merged into him.
fn merged(site: &SiteView, person: &str) -> (Option<String>, Vec<String>) {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for change in site.merges.iter() {
        let pair = (change.from.to_string(), format!("u:{}", change.into));
        match change.is_undo {
            true => pairs.retain(|known| *known != pair),
            false => pairs.push(pair),
        }
    }
    let into = pairs.iter().find(|(from, _)| from == person).map(|(_, into)| into.clone());
    let from = pairs.iter().filter(|(_, into)| into == person).map(|(from, _)| from.clone());
    (into, from.collect())
}

/// A person; none if nothing is known of him.
#[must_use]
pub fn person_json(
    id: &SiteId,
    site: &SiteView,
    (name, number): (&Name, Option<PersonId>),
    log: &[Reassigned],
    told: &Told,
) -> Option<Value> {
    let person = name_text(site, name);
    let (sessions, orders) = (sessions(site, number), orders(site, number));
    let (log, clients) = (log_json(site, &person, log), clients(site, number));
    let (into, from) = merged(site, &person);
    let is_merged = into.is_some() || !from.is_empty();
    if sessions.is_empty() && orders.is_empty() && log.is_empty() && !is_merged {
        return None;
    }
    let line = line_of(site, number);
    let entries = line.as_deref().map(Line::entries).unwrap_or_default();
    let ordered = orders.iter().map(|row| row.order.at_ms);
    let times = || entries.iter().map(|entry| entry.occurred_at_ms).chain(ordered.clone());
    let time = |ms: Option<i64>| ms.map(|ms| site.zone.rfc3339(ms));
    let all = |list: &str| {
        format!("/v1/{list}?site={}&person={}", encoded(id.as_str()), encoded(&person))
    };
    let session = |row: &&SessionRow| session::session_json(site, row, &told.sessions);
    let order = |row: &&OrderRow| order::order_json(site, row, &told.orders);
    Some(json!({
        "site": id,
        "person": person,
        "merged_into": into,
        "merged": from,
        "first_seen": time(times().min()),
        "last_seen": time(times().max()),
        "events": entries.len(),
        "clients": newest(&clients),
        "client_count": clients.len(),
        "sessions": newest(&sessions).iter().map(session).collect::<Vec<_>>(),
        "session_count": sessions.len(),
        "all_sessions": all("sessions"),
        "orders": newest(&orders).iter().map(order).collect::<Vec<_>>(),
        "order_count": orders.len(),
        "all_orders": all("orders"),
        "reassignments": newest(&log),
        "reassignment_count": log.len(),
    }))
}

/// Everything that is known of a person, one JSON object a line, its `kind` first.
#[must_use]
pub fn export(
    site: &SiteView,
    (person, number): (&str, Option<PersonId>),
    log: &[Reassigned],
    records: &[u32],
    told: &Told,
) -> Vec<Value> {
    let kind = |kind: &str, told: Value| json!({"kind": kind, kind: told});
    let mut lines = vec![kind("person", person.into())];
    let mut events: Vec<(i64, u32)> = records
        .iter()
        .filter_map(|number| Some((site.record(*number)?.occurred_at_ms, *number)))
        .collect();
    events.sort_unstable();
    let event = |(_, number): &(i64, u32)| Some(event_json(site, *number, &*site.record(*number)?));
    lines.extend(events.iter().filter_map(event).map(|event| kind("event", event)));
    let with_events = session::Told { with_events: true, ..told.sessions };
    let sessions = sessions(site, number);
    let session = |row: &SessionRow| session::session_json(site, row, &with_events);
    lines.extend(sessions.into_iter().map(|row| kind("session", session(row))));
    let orders = orders(site, number);
    let order = |row: &OrderRow| order::order_json(site, row, &told.orders);
    lines.extend(orders.into_iter().map(|row| kind("order", order(row))));
    lines.extend(log_json(site, person, log).into_iter().map(|line| kind("reassignment", line)));
    lines
}
