//! What brought a person here, by client (section 5).

use super::copies::line_of;
use super::model::{Config, Event};
use super::outcome::{Touch, TouchKey};

/// What an activity event says of where the person came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// A tagged click.
    T([String; 6]),
    /// An entry from a host outside.
    U(String),
    /// Everything else.
    D,
}

impl Class {
    /// The touch that an event of this class is.
    pub fn touch(&self, event: &Event) -> Option<Touch> {
        let key = match self {
            Self::T(key) => TouchKey::Campaign(key.clone()),
            Self::U(host) => TouchKey::Referrer(host.clone()),
            Self::D => return None,
        };
        Some(Touch { key, event: event.key(), at_ms: event.at_ms })
    }
}

/// The class of an activity event among the standing ones: it looks at the activity of its client
/// before it, whoever owns that.
pub fn class(event: &Event, standing: &[&Event], config: &Config) -> Class {
    let line = line_of(standing, event.client.as_deref().unwrap_or_default());
    let earlier: Vec<&Event> =
        line.into_iter().filter(|e| e.is_activity() && e.is_before(event)).collect();
    let is_entry = earlier.last().is_none_or(|last| event.at_ms - last.at_ms > config.gap_ms);
    let last_tag = earlier.iter().rev().find_map(|e| e.key.as_ref());
    match (&event.key, &event.referrer) {
        // The echo: a reload, or a page that keeps its tags in the address.
        (Some(key), _) if Some(key) == last_tag && !is_entry => Class::D,
        (Some(key), _) => Class::T(key.clone()),
        (None, Some(host)) if is_entry && !config.is_inside(host) => Class::U(host.clone()),
        _ => Class::D,
    }
}
