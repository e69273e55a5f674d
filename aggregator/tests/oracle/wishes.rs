//! Merges that an administrator asks for between deliveries.

use aggregator::site::{Effects, Site};
use aggregator::tombstones::Person;
use edgetally_proto::ids::UserId;
use proptest::prelude::*;

use super::model::{Config, Event};

/// What an administrator asks for: from, into, and whether he takes it back.
pub type Wish = (usize, usize, bool);

/// Those whom an administrator may name: users, clients, and clients after their logouts.
pub fn candidates(events: &[Event]) -> Vec<String> {
    let users = (0..3).map(|user| format!("u:u{user}"));
    let clients = (0..4).map(|client| format!("c:c{client}"));
    let logouts = events
        .iter()
        .filter(|event| event.name == "logout")
        .filter_map(|event| Some(format!("c:{}#{}", event.client.as_ref()?, event.id)));
    users.chain(clients).chain(logouts).collect()
}

/// Grants a wish, or sees it refused, on both sides.
pub fn wish(site: &mut Site, config: &mut Config, whom: &[String], (from, into, is_undo): Wish) {
    let (from, user) = (&whom[from % whom.len()], format!("u{}", into % 4));
    let into = format!("u:{user}");
    let asked = Person::parse(from, |_| false).unwrap();
    let plan = site.plan_merge(asked, UserId::parse(&user).unwrap(), is_undo, 1);
    let pair = (from.clone(), into.clone());
    let known = config.merges.iter().position(|known| *known == pair);
    let is_other = config.merges.iter().any(|(known, _)| known == from);
    let is_circle = config.merged(into) == *from;
    match (plan, is_undo) {
        (Ok(Some(change)), true) => {
            config.merges.remove(known.unwrap());
            site.merge(&change, &mut Effects::default());
        }
        (Ok(Some(change)), false) => {
            assert!(!is_other && !is_circle, "{pair:?}");
            config.merges.push(pair);
            site.merge(&change, &mut Effects::default());
        }
        (Ok(None), is_undo) => assert!(known.is_some() && !is_undo, "{pair:?}"),
        (Err(_), true) => assert!(known.is_none(), "{pair:?}"),
        (Err(_), false) => assert!(is_circle || is_other, "{pair:?}"),
    }
}

/// Merges a person into another, on both sides.
pub fn merge(site: &mut Site, config: &mut Config, from: &str, into: &str) {
    let whom = Person::parse(from, |_| false).unwrap();
    let user = UserId::parse(into.trim_start_matches("u:")).unwrap();
    let change = site.plan_merge(whom, user, false, 1).unwrap().unwrap();
    config.merges.push((from.to_owned(), into.to_owned()));
    site.merge(&change, &mut Effects::default());
}

/// Takes all merges back, the first ones first.
pub fn undo_all(site: &mut Site, config: &mut Config) {
    for (from, into) in std::mem::take(&mut config.merges) {
        let whom = Person::parse(&from, |_| false).unwrap();
        let into = UserId::parse(into.trim_start_matches("u:")).unwrap();
        let change = site.plan_merge(whom, into, true, 1).unwrap().unwrap();
        site.merge(&change, &mut Effects::default());
    }
}

/// What an administrator asks for after each delivery, if anything; in half of all cases nothing.
pub fn wishes() -> impl Strategy<Value = Vec<Option<Wish>>> {
    let wish = (0usize..12, 0usize..4, prop::bool::weighted(0.3));
    let wishes = prop::collection::vec(prop::option::weighted(0.4, wish), 0..24);
    prop_oneof![Just(Vec::new()), wishes]
}
