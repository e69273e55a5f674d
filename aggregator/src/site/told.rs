//! Taking in what the back office tells of orders.

use edgetally_proto::event::Platform;
use edgetally_proto::ids::{ClientId, EventId, UserId};
use edgetally_proto::record::Flags;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_128;

use super::{Effects, Site};
use crate::held::Held;
use crate::orders::daily::Day;
use crate::orders::ledger::OrderKey;
use crate::orders::rebuild::Source;
use crate::orders::told::{Became, NAME, Told};
use crate::records::Stored;

/// The id of the record of an order: one at a time is held.
fn id_of(key: &OrderKey) -> EventId {
    let text = format!("{}\0{}", key.platform, key.transaction);
    EventId::Uuid(xxh3_128(text.as_bytes()).to_be_bytes())
}

impl Site {
    /// What the back office said of an order before.
    fn told_before(&self, key: &OrderKey) -> Option<Told> {
        let record = self.records.get(self.ledger.told(key, &self.named())?)?;
        let text = |id| self.texts.text(id);
        Some(Told {
            client: ClientId::parse(text(record.client)).ok(),
            user: record.user.and_then(|user| UserId::parse(text(user)).ok()),
            ordered_at_ms: record.occurred_at_ms,
            fact: record.fact.as_deref().cloned()?,
        })
    }

    /// What becomes of versions in the order in which they are told, and those that are news. An
    /// order that any version calls paid is booked, also by one that comes too late: then the one
    /// that stands is told again with that.
    #[must_use]
    pub fn plan_orders(&self, told: Vec<Told>) -> (Vec<Told>, Vec<Became>) {
        let mut newest: FxHashMap<OrderKey, Told> = FxHashMap::default();
        let (mut fresh, mut became) = (Vec::new(), Vec::new());
        for version in told {
            let Some(key) = OrderKey::of(&version.fact) else { continue };
            let known = newest.get(&key).cloned().or_else(|| self.told_before(&key));
            let was_booked = known.as_ref().is_some_and(Told::is_booked);
            let is_booked = was_booked || version.is_booked();
            let version = version.noting(is_booked);
            let said = match &known {
                Some(known) => version.after(known),
                None if self.ledger.knows(&key, &self.named()) => Became::Updated,
                None => Became::Created,
            };
            became.push(said);
            let news = match (said, known) {
                (Became::Created | Became::Updated, _) => Some(version),
                (_, Some(known)) if is_booked != was_booked => Some(known.noting(is_booked)),
                _ => None,
            };
            if let Some(news) = news {
                newest.insert(key, news.clone());
                fresh.push(news);
            }
        }
        (fresh, became)
    }

    /// Takes in versions that are news.
    pub fn tell_orders(&mut self, told: Vec<Told>, received_at_ms: i64, effects: &mut Effects) {
        let known = (self.texts.len(), self.records.len());
        self.watch_sealed(received_at_ms);
        let mut erased = Vec::new();
        for version in told {
            let Some(key) = OrderKey::of(&version.fact) else { continue };
            let record = self.record_of(&key, version, received_at_ms);
            let Some(record) = self.unless_erased(record, &mut erased, effects) else { continue };
            let before = self.ledger.told(&key, &self.named());
            if let Some(number) = before
                && let Some(before) = self.records.get(number).map(Held::into_owned)
            {
                self.unfollow_event(number, &before, effects);
            }
            let number = self.records.push_first(record.clone());
            self.follow_event(number, &record, effects);
            self.tell_order(number, &record, effects);
            // What it added to the sums is read from it when it is taken out of them.
            before.into_iter().for_each(|before| self.records.wipe(before));
        }
        self.raise_generations();
        self.forget_new_texts(known, &erased);
    }

    /// Days were compared with their orders: those that did not change since are clean, and those
    /// that were wrong are worked out anew.
    pub fn note_rebuilt(&mut self, clean: &[(Day, u64)], wrong: &[Day]) {
        for day in wrong {
            let (rows, daily, days) = (self.credits.rows(), &self.daily, &self.zone);
            let source = Source { rows, daily, days };
            let cells = source.cells(*day, |record| self.records.get(record)?.fact.clone());
            self.daily.replace(*day, cells.into_iter().collect());
        }
        self.daily.note_clean(clean);
    }

    fn record_of(&mut self, key: &OrderKey, told: Told, received_at_ms: i64) -> Stored {
        let Told { client, user, ordered_at_ms, fact } = told;
        Stored {
            id: id_of(key),
            client: client.map_or(0, |client| self.texts.intern(client.as_str())),
            user: user.map(|user| self.texts.intern(user.as_str())),
            name: self.texts.intern(NAME),
            platform: Platform::Server,
            occurred_at_ms: ordered_at_ms,
            received_at_ms,
            flags: Flags::SERVER_KEY,
            fact: Some(fact.into()),
            is_superseded: false,
            ..Stored::blank()
        }
    }
}
