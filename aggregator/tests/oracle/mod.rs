//! The plain batch oracle: sessions, identity, attribution and orders over a list of events.
//!
//! A second implementation of the semantics, for tests to hold the engine against. It shares no
//! code with the engine, keeps no state and looks at everything again for each answer, so that
//! every function can be read against one rule. Sections are those of the semantics.

mod back_office;
mod copies;
mod daily;
mod engine;
mod examples;
mod found;
mod gestures;
mod laws;
mod model;
mod money;
mod orders;
mod outcome;
mod owners;
mod reach;
mod rules;
mod sessions;
mod streams;
mod sums;
mod touches;
mod warehouse;
mod wishes;

use model::{Config, Event};
use outcome::Outcome;

/// All that follows from the events; copies, repeats and any order of them are welcome.
pub fn outcome(events: &[Event], config: &Config) -> Outcome {
    let standing = copies::standing(events);
    let sessions = sessions::sessions(&standing, config);
    let orders = orders::orders(events, &standing, &sessions, config);
    let owner = |event: &&Event| Some((event.key(), owners::owner(event, &standing, config)?));
    let owners = standing.iter().filter_map(owner).collect();
    let mut outcome = Outcome { sessions, owners, orders, ..Outcome::default() };
    for (key, order) in outcome.orders.iter().filter(|(_, order)| order.is_booked) {
        let session = order.session.as_ref().and_then(|of| outcome.sessions.get_mut(of));
        if let Some(session) = session {
            session.orders.insert(key.clone());
        }
    }
    outcome.daily = daily::daily(&outcome.orders, config);
    sums::put_sums(&mut outcome, &standing, config);
    outcome
}

/// Anything that computes the same, to be held against the oracle.
pub type Engine = fn(&[Event], &Config) -> Outcome;

/// Where an engine says something else than the oracle: a line each, the oracle's answer first.
pub fn disagreements(engine: Engine, events: &[Event], config: &Config) -> Vec<String> {
    outcome(events, config).differences(&engine(events, config))
}
