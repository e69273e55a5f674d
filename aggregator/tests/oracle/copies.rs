//! Which copy of an event stands, and the order of events (sections 3, 4 and 11).

use super::model::Event;
use super::orders::order_key;

/// One copy of every event, in order. Of several the one received first stands, and of those
/// received in the same millisecond the one with the smallest hash; of what the back office says of
/// an order the version changed last.
pub fn standing(events: &[Event]) -> Vec<&Event> {
    let mut standing: Vec<&Event> = Vec::new();
    for event in events {
        match standing.iter_mut().find(|held| is_same(held, event)) {
            None => standing.push(event),
            Some(held) if is_rather(event, held) => *held = event,
            Some(_) => {}
        }
    }
    standing.sort_by(|a, b| a.compare(b));
    standing
}

fn is_same(held: &Event, event: &Event) -> bool {
    match (held.version(), event.version()) {
        (Some(_), Some(_)) => {
            held.order.as_ref().map(order_key) == event.order.as_ref().map(order_key)
        }
        (None, None) => held.key() == event.key(),
        _ => false,
    }
}

fn is_rather(event: &Event, held: &Event) -> bool {
    if let (Some(version), Some(known)) = (event.version(), held.version()) {
        return version.updated_ms > known.updated_ms;
    }
    (event.received_ms, event.hash) < (held.received_ms, held.hash)
}

/// The events of one client, in order.
pub fn line_of<'a>(standing: &[&'a Event], client: &str) -> Vec<&'a Event> {
    let is_of = |event: &&&Event| event.client.as_deref() == Some(client);
    standing.iter().filter(is_of).copied().collect()
}
