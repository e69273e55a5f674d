//! Somebody who keeps a copy of all sessions by what is told and retracted.

use std::collections::{BTreeMap, HashMap};

use aggregator::people::SessionRow;
use aggregator::retractions::Fate;
use aggregator::site::Site;

use super::model::Event;

/// The copy, by id of the session.
#[derive(Debug, Default)]
pub struct Warehouse {
    rows: BTreeMap<String, SessionRow>,
    /// Whether of what was told up to which number.
    rev: u64,
}

/// Ids of events name one event only where no two clients have the same one.
pub fn are_ids_unique(events: &[Event]) -> bool {
    let mut clients = HashMap::new();
    events.iter().all(|event| *clients.entry(&event.id).or_insert(&event.client) == &event.client)
}

impl Warehouse {
    /// Takes in what happened since the last time; of all tellings of a session the highest stands.
    pub fn follow(&mut self, site: &Site) {
        let (people, id) =
            (&site.people, |record| site.records.get(record).unwrap().id.to_string());
        assert!(people.retractions().floor <= self.rev);
        let mut told: BTreeMap<u64, (String, Option<SessionRow>)> = BTreeMap::new();
        for row in people.rows().values().filter(|row| row.rev > self.rev) {
            let before = told.insert(row.rev, (id(row.record), Some(SessionRow::clone(row))));
            assert!(before.is_none(), "two tellings have the number {}", row.rev);
        }
        for (rev, retraction) in people.retractions().list.range(self.rev + 1..) {
            let gone = (retraction.session_id.clone(), None);
            assert!(told.insert(*rev, gone).is_none(), "two tellings have the number {rev}");
            if let Fate::MergedInto(other) | Fate::MovedTo(other) = &retraction.fate {
                assert_ne!(*other, retraction.session_id);
            }
        }
        for (session, row) in told.into_values() {
            match row {
                Some(row) => self.rows.insert(session, row),
                None => self.rows.remove(&session),
            };
        }
        self.rev = people.rev();
    }

    /// Where the copy is not what there is.
    pub fn differences(&self, site: &Site) -> Vec<String> {
        let id = |record| site.records.get(record).unwrap().id.to_string();
        let rows = site.people.rows().values();
        let now: BTreeMap<String, SessionRow> =
            rows.map(|row| (id(row.record), SessionRow::clone(row))).collect();
        let ids = now.keys().chain(self.rows.keys());
        let differs = |id: &&String| now.get(*id) != self.rows.get(*id);
        let line =
            |id: &String| format!("copy of {id}: {:?}\n  {:?}", self.rows.get(id), now.get(id));
        ids.filter(differs).map(line).collect()
    }
}
