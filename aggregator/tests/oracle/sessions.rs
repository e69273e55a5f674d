//! The fold of a person's activity into sessions (section 8).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::model::{Config, Event, EventKey, date_of};
use super::outcome::{Session, Touch, Why};
use super::owners::owner;
use super::touches::{Class, class};

/// The sessions of everybody.
pub fn sessions(standing: &[&Event], config: &Config) -> BTreeMap<EventKey, Session> {
    let mut timelines: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in standing.iter().filter(|event| event.is_activity()) {
        if let Some(person) = owner(event, standing, config) {
            timelines.entry(person).or_default().push(event);
        }
    }
    let fold =
        |(person, timeline): (&String, &Vec<&Event>)| fold(person, timeline, standing, config);
    let all = timelines.iter().flat_map(fold);
    all.map(|session| (session.events[0].clone(), session)).collect()
}

fn fold(person: &str, timeline: &[&Event], standing: &[&Event], config: &Config) -> Vec<Session> {
    let zone = config.time_zone();
    let mut sessions: Vec<Session> = Vec::new();
    let mut cur: Option<Touch> = None;
    let mut last: Option<(i64, Date)> = None;
    for event in timeline {
        let date = date_of(&zone, event.at_ms);
        let class = class(event, standing, config);
        let touch = class.touch(event);
        let mut in_force = cur.clone().filter(|cur| event.at_ms - cur.at_ms <= config.window_ms);
        let why = why(event, date, &class, last, in_force.as_ref(), config);
        if touch.is_some() {
            cur = touch.clone();
            in_force = touch.clone();
        }
        if !why.is_empty() {
            let attributed = in_force.clone();
            let entry = touch.map(|touch| touch.key);
            sessions.push(Session { why, entry, attributed, ..open(person, event, &zone) });
        }
        add(sessions.last_mut().unwrap(), event);
        last = Some((event.at_ms, date));
    }
    sessions
}

/// Why a session begins with an event; nothing if none does.
fn why(
    event: &Event,
    date: Date,
    class: &Class,
    last: Option<(i64, Date)>,
    in_force: Option<&Touch>,
    config: &Config,
) -> BTreeSet<Why> {
    let Some((last_ms, last_date)) = last else { return BTreeSet::from([Why::First]) };
    let is_gap = event.at_ms - last_ms > config.gap_ms;
    let is_day = config.daily_cut && date != last_date;
    let is_click = matches!(class, Class::T(_));
    let key = class.touch(event).map(|touch| touch.key);
    let is_other = in_force.map(|touch| &touch.key) != key.as_ref();
    let is_campaign = config.campaign_cut && is_click && is_other;
    [(is_gap, Why::Gap), (is_day, Why::Day), (is_campaign, Why::Campaign)]
        .into_iter()
        .filter_map(|(is_so, why)| is_so.then_some(why))
        .collect()
}

/// A session that begins with an event, which is not in it yet.
fn open(person: &str, event: &Event, zone: &TimeZone) -> Session {
    Session {
        person: person.to_owned(),
        clients: BTreeSet::new(),
        events: Vec::new(),
        start_ms: event.at_ms,
        end_ms: event.at_ms,
        local_date: date_of(zone, event.at_ms),
        why: BTreeSet::new(),
        entry: None,
        attributed: None,
        pageviews: 0,
        entry_page: event.page.clone(),
        exit_page: None,
        orders: BTreeSet::new(),
    }
}

fn add(session: &mut Session, event: &Event) {
    session.clients.extend(event.client.clone());
    session.events.push(event.key());
    session.end_ms = event.at_ms;
    session.exit_page.clone_from(&event.page);
    session.pageviews += usize::from(event.name == "page_view");
}
