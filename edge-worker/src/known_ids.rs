//! The shard's memory of event ids: 15 minutes or 2^20 of them, whichever is less.
//!
//! It exists so that a client hears of its repeats. A repeat that it no longer knows is let
//! through here and found by the aggregator, which keeps every id exactly; one that it knows was
//! truly taken before, since ids are compared whole.

use std::collections::{HashMap, HashSet, VecDeque};

use edgetally_proto::batch::Batch;
use edgetally_proto::columns::{Reader, Writer};
use edgetally_proto::error::DecodeError;
use edgetally_proto::ids::{EventId, SiteId};
use edgetally_proto::limits::{IDS_MAX, IDS_MINUTES};
use edgetally_proto::time::MINUTE_MS;

/// Bytes of one stored part of a minute: a row holds 2 MB.
const PART_BYTES_MAX: usize = 1_000_000;

/// Ids taken in one minute, by site and client.
#[derive(Debug, Default)]
struct Minute {
    minute: i64,
    clients: HashMap<Box<str>, HashSet<EventId>>,
    count: usize,
}

/// Ids by minute of receipt, oldest first.
#[derive(Debug, Default)]
pub struct KnownIds {
    minutes: VecDeque<Minute>,
    count: usize,
}

/// Site ids hold no NUL, so no two pairs read alike.
fn client_key(site: &SiteId, client: &str) -> String {
    format!("{site}\u{0}{client}")
}

impl KnownIds {
    /// Takes an id in; says whether it is new.
    pub fn insert(&mut self, site: &SiteId, client: &str, id: &EventId, now_ms: i64) -> bool {
        self.insert_key(&client_key(site, client), id, now_ms.div_euclid(MINUTE_MS))
    }

    fn insert_key(&mut self, key: &str, id: &EventId, minute: i64) -> bool {
        let knows = |minute: &Minute| minute.clients.get(key).is_some_and(|ids| ids.contains(id));
        if self.minutes.iter().any(knows) {
            return false;
        }
        let at = self.minute(minute);
        if let Some(minute) = self.minutes.get_mut(at) {
            minute.clients.entry(key.into()).or_default().insert(id.clone());
            minute.count += 1;
            self.count += 1;
        }
        true
    }

    /// Where a minute stands, made if it is new.
    fn minute(&mut self, minute: i64) -> usize {
        let at = self.minutes.partition_point(|known| known.minute < minute);
        if self.minutes.get(at).is_none_or(|known| known.minute != minute) {
            self.minutes.insert(at, Minute { minute, ..Minute::default() });
        }
        at
    }

    /// Forgets what is too old or too much, whole minutes at a time.
    pub fn forget(&mut self, now_ms: i64) {
        let oldest = now_ms.div_euclid(MINUTE_MS) - IDS_MINUTES;
        while let Some(first) = self.minutes.front() {
            let too_many = self.count > IDS_MAX && self.minutes.len() > 1;
            if first.minute >= oldest && !too_many {
                break;
            }
            self.count -= first.count;
            self.minutes.pop_front();
        }
    }

    /// The ids of a minute as the parts that are stored.
    #[must_use]
    pub fn encode(&self, minute: i64) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        let mut part = Writer::default();
        let known = self.minutes.iter().find(|known| known.minute == minute);
        for (key, ids) in known.iter().flat_map(|known| &known.clients) {
            part.text(key);
            part.unsigned(ids.len() as u64);
            ids.iter().for_each(|id| part.event_id(id));
            if part.len() > PART_BYTES_MAX {
                parts.push(std::mem::take(&mut part).into_bytes());
            }
        }
        if !part.is_empty() {
            parts.push(part.into_bytes());
        }
        parts
    }

    /// Takes in a stored part of a minute.
    ///
    /// # Errors
    /// If the bytes are no part; what was read before the fault is kept.
    pub fn decode(&mut self, minute: i64, part: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new(part);
        while !reader.is_at_end() {
            let key = reader.text()?;
            for _ in 0..reader.unsigned()? {
                let id = reader.event_id()?;
                self.insert_key(key, &id, minute);
            }
        }
        Ok(())
    }

    /// Takes in the ids of a committed batch.
    pub fn insert_batch(&mut self, batch: &Batch) {
        let minute = batch.committed_at_ms.div_euclid(MINUTE_MS);
        for site in &batch.sites {
            for record in &site.records {
                let client = record.client.and_then(|c| usize::try_from(c).ok());
                let client = client.and_then(|c| site.tables.clients.get(c));
                let client = client.map_or("", |client| client.as_str());
                self.insert_key(&client_key(&site.site, client), &record.id, minute);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteId {
        SiteId::parse("demo").unwrap()
    }

    fn id(text: &str) -> EventId {
        EventId::parse(text).unwrap()
    }

    #[test]
    fn a_repeat_is_known_for_fifteen_minutes() {
        let mut ids = KnownIds::default();
        assert!(ids.insert(&site(), "c", &id("e"), 0));
        ids.forget(15 * MINUTE_MS);
        assert!(!ids.insert(&site(), "c", &id("e"), 15 * MINUTE_MS));
        ids.forget(16 * MINUTE_MS);
        assert!(ids.insert(&site(), "c", &id("e"), 16 * MINUTE_MS));
    }

    #[test]
    fn site_and_client_are_part_of_the_id() {
        let mut ids = KnownIds::default();
        assert!(ids.insert(&site(), "c", &id("e"), 0));
        assert!(ids.insert(&site(), "d", &id("e"), 0));
        assert!(ids.insert(&SiteId::parse("other").unwrap(), "c", &id("e"), 0));
        assert!(!ids.insert(&site(), "c", &id("e"), 0));
        assert_eq!(ids.count, 3);
    }

    #[test]
    fn stored_minutes_come_back() {
        let mut ids = KnownIds::default();
        for n in 0..40_000 {
            ids.insert(&site(), &format!("client-{}", n % 5_000), &id(&format!("event-{n}")), 0);
        }
        let parts = ids.encode(0);
        let mut read = KnownIds::default();
        for part in &parts {
            assert!(part.len() < 2_000_000);
            read.decode(0, part).unwrap();
        }
        assert_eq!(read.count, 40_000);
        assert!(!read.insert(&site(), "client-7", &id("event-7"), 0));
        assert!(ids.encode(1).is_empty());
    }
}
