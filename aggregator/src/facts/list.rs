//! Pages of sessions and orders, in the order of time or against it.

use serde_json::{Value, json};

use super::{order, session};
use crate::people::SessionRow;
use crate::site::credits::OrderRow;
use crate::texts::text_of;
use crate::view::SiteView;

/// Time and record: where a page ends.
pub type Place = (i64, u32);

/// Which rows.
#[derive(Debug, Clone)]
pub struct Ask {
    /// From this instant on.
    pub from_ms: i64,
    /// Up to this one, which is not in.
    pub to_ms: i64,
    /// After the end of the page before.
    pub after: Option<Place>,
    /// Whether the newest come first.
    pub is_newest_first: bool,
    /// At most so many.
    pub limit: usize,
    /// Of this user.
    pub user: Option<String>,
    /// With this client.
    pub client: Option<String>,
    /// Of this person, as `u:...` or `c:...`.
    pub person: Option<String>,
    /// With this transaction.
    pub order: Option<String>,
    /// On this platform.
    pub platform: Option<String>,
}

/// Reads what `next` said.
#[must_use]
pub fn place(text: &str) -> Option<Place> {
    let (ms, record) = text.split_once('.')?;
    Some((ms.parse().ok()?, record.parse().ok()?))
}

fn next_of((ms, record): Place) -> String {
    format!("{ms}.{record}")
}

impl Ask {
    /// The places of the rows that may be in the page.
    fn range(&self) -> (std::ops::Bound<Place>, std::ops::Bound<Place>) {
        use std::ops::Bound::{Excluded, Included};
        let (from, to) = (Included((self.from_ms, 0)), Excluded((self.to_ms, 0)));
        if self.is_newest_first {
            let to = self.after.filter(|after| *after < (self.to_ms, 0)).map_or(to, Excluded);
            return (from, to);
        }
        let from = self.after.filter(|after| after.0 >= self.from_ms).map_or(from, Excluded);
        (from, to)
    }

    /// Whether a page can have anything in it.
    fn is_open(&self) -> bool {
        let is_before_end = |after: Place| match self.is_newest_first {
            true => after > (self.from_ms, 0),
            false => after < (self.to_ms, 0),
        };
        self.from_ms < self.to_ms && self.after.is_none_or(is_before_end)
    }

    /// The rows of a range in the order of the page.
    fn ordered<'a, T>(
        &self,
        rows: impl DoubleEndedIterator<Item = T> + 'a,
    ) -> Box<dyn Iterator<Item = T> + 'a> {
        if self.is_newest_first { Box::new(rows.rev()) } else { Box::new(rows) }
    }

    fn wants_person(&self, site: &SiteView, number: Option<u32>) -> bool {
        let Some(number) = number else {
            return self.person.is_none() && self.user.is_none();
        };
        if self.person.is_none() && self.user.is_none() {
            return true;
        }
        let person = site.person(number);
        let user = |user: &String| person.strip_prefix("u:") == Some(user.as_str());
        self.person.as_ref().is_none_or(|wanted| *wanted == person)
            && self.user.as_ref().is_none_or(user)
    }

    fn wants_session(&self, site: &SiteView, row: &SessionRow) -> bool {
        let client = |wanted: &String| {
            row.clients.iter().any(|client| text_of(&site.texts, *client) == wanted)
        };
        let platform = |wanted: &String| {
            let wanted = edgetally_proto::event::Platform::parse(wanted);
            wanted.is_some_and(|wanted| row.has_platform(wanted))
        };
        let order = |wanted: &String| {
            site.orders_of(row.record).any(|order| order.key.transaction.as_ref() == wanted)
        };
        self.wants_person(site, Some(row.person))
            && self.client.as_ref().is_none_or(client)
            && self.platform.as_ref().is_none_or(platform)
            && self.order.as_ref().is_none_or(order)
    }

    fn wants_order(&self, site: &SiteView, row: &OrderRow) -> bool {
        let client = |wanted: &String| {
            let record = site.record(row.order.record);
            record.is_some_and(|record| text_of(&site.texts, record.client) == wanted)
        };
        self.wants_person(site, row.credit.person)
            && self.client.as_ref().is_none_or(client)
            && self.platform.as_ref().is_none_or(|platform| *platform == *row.key.platform)
            && self.order.as_ref().is_none_or(|order| *order == *row.key.transaction)
    }

    /// A page of the rows that are wanted.
    fn page(&self, mut rows: impl Iterator<Item = (Place, Value)>) -> Value {
        let (mut results, mut last) = (Vec::new(), None);
        for (place, row) in rows.by_ref().take(self.limit) {
            results.push(row);
            last = Some(place);
        }
        let next = rows.next().and(last).map(next_of);
        json!({"results": results, "next": next})
    }
}

/// A page of sessions, by start.
#[must_use]
pub fn sessions(site: &SiteView, ask: &Ask, told: &session::Told) -> Value {
    if !ask.is_open() {
        return ask.page(std::iter::empty());
    }
    let rows = ask.ordered(site.sessions.range(ask.range()));
    let rows = rows.filter(|(_, row)| ask.wants_session(site, row));
    ask.page(rows.map(|(place, row)| (*place, session::session_json(site, row, told))))
}

/// A page of orders, by order time.
#[must_use]
pub fn orders(site: &SiteView, ask: &Ask, told: &order::Told) -> Value {
    if !ask.is_open() {
        return ask.page(std::iter::empty());
    }
    let rows = ask.ordered(site.orders.range(ask.range()));
    let rows = rows.filter(|(_, row)| ask.wants_order(site, row));
    ask.page(rows.map(|(place, row)| (*place, order::order_json(site, row, told))))
}
