//! Who owns an event (section 6).

use super::copies::line_of;
use super::model::{Config, Event};

/// A fact on a client, with the event that is one.
#[derive(Debug, Clone)]
enum Fact<'a> {
    Login { user: &'a String, event: &'a Event },
    Logout { of: &'a String, event: &'a Event },
}

impl Fact<'_> {
    fn event(&self) -> &Event {
        match self {
            Self::Login { event, .. } | Self::Logout { event, .. } => event,
        }
    }
}

/// The facts among the events of a client, which are in order. A logout while nobody is logged in
/// is none.
fn facts<'a>(line: &[&'a Event]) -> Vec<Fact<'a>> {
    let mut facts: Vec<Fact<'a>> = Vec::new();
    for event in line.iter().copied() {
        if let Some(user) = event.login() {
            facts.push(Fact::Login { user, event });
        } else if event.name == "logout"
            && let Some(Fact::Login { user, .. }) = facts.last()
        {
            facts.push(Fact::Logout { of: user, event });
        }
    }
    facts
}

/// The person who owns an event, merges applied; none if it has neither client nor user.
///
/// The event itself need not be among the standing ones.
pub fn owner(event: &Event, standing: &[&Event], config: &Config) -> Option<String> {
    let carried = event.own_user().map(|user| format!("u:{user}"));
    let by_facts = || event.client.as_deref().map(|client| table(event, client, standing, config));
    carried.or_else(by_facts).map(|person| config.merged(person))
}

/// The table, for an event without a user of its own.
fn table(event: &Event, client: &str, standing: &[&Event], config: &Config) -> String {
    let line = line_of(standing, client);
    let facts = facts(&line);
    let p = facts.iter().rev().find(|fact| fact.event().is_before(event));
    // After no login only a login can be the next fact.
    let next = facts.iter().find(|fact| event.is_before(fact.event()));
    let n = match next {
        Some(Fact::Login { user, event: at }) => Some((*user, *at)),
        _ => None,
    };
    let n = n.filter(|(_, at)| at.at_ms - event.at_ms <= config.stitch_ms);
    match (p, n) {
        (Some(Fact::Login { user, .. }), _) => format!("u:{user}"),
        (None, Some((user, _))) => format!("u:{user}"),
        (None, None) => format!("c:{client}"),
        (Some(Fact::Logout { of, .. }), Some((user, _))) if *of == user => format!("u:{user}"),
        (Some(Fact::Logout { .. }), Some((user, at)))
            if is_unbroken(event, at, &line, config.chain_ms) =>
        {
            format!("u:{user}")
        }
        (Some(Fact::Logout { event: logout, .. }), _) => format!("c:{client}#{}", logout.id),
    }
}

/// Whether every pause from an event to a login is short, over the activity between them.
fn is_unbroken(event: &Event, login: &Event, line: &[&Event], chain_ms: i64) -> bool {
    let is_between = |e: &&&Event| e.is_activity() && event.is_before(e) && e.is_before(login);
    let between = line.iter().filter(is_between).map(|e| e.at_ms);
    let times: Vec<i64> =
        std::iter::once(event.at_ms).chain(between).chain([login.at_ms]).collect();
    times.windows(2).all(|pair| pair[1] - pair[0] <= chain_ms)
}
