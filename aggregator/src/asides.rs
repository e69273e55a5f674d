//! Events that are nobody's activity, by time: what servers and bots send, refunds, web vitals,
//! views of experiments. Everything else stands on the line of a person.
//!
//! They follow from the records, and are found again at the start.

use imbl::{OrdMap, Vector};

use crate::merge::Level;

/// The numbers of their records, by quarter of an hour. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Asides {
    quarters: OrdMap<i64, Vector<u32>>,
}

fn quarter_of(ms: i64) -> i64 {
    ms.div_euclid(Level::Quarter.slot_ms())
}

impl Asides {
    /// Adds an event by its time.
    pub fn add(&mut self, occurred_at_ms: i64, record: u32) {
        self.quarters.entry(quarter_of(occurred_at_ms)).or_default().push_back(record);
    }

    /// Takes an event out again.
    pub fn remove(&mut self, occurred_at_ms: i64, record: u32) {
        let quarter = quarter_of(occurred_at_ms);
        let Some(records) = self.quarters.get_mut(&quarter) else { return };
        if let Some(at) = records.index_of(&record) {
            records.remove(at);
        }
        if records.is_empty() {
            self.quarters.remove(&quarter);
        }
    }

    /// The records of every quarter of an hour that lies between two instants in part; their times
    /// are for the caller to look at.
    pub fn around(&self, from_ms: i64, to_ms: i64) -> impl Iterator<Item = u32> {
        let quarters = quarter_of(from_ms)..=quarter_of(to_ms.max(from_ms));
        self.quarters.range(quarters).flat_map(|(_, records)| records.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_by_quarters_and_go_again() {
        let mut asides = Asides::default();
        for (at, record) in [(899_999, 1), (900_000, 2), (-1, 3), (900_001, 4)] {
            asides.add(at, record);
        }
        let around = |asides: &Asides, from, to| asides.around(from, to).collect::<Vec<_>>();
        assert_eq!(around(&asides, 0, 900_000), [1, 2, 4]);
        assert_eq!(around(&asides, 0, 1), [1]);
        asides.remove(900_000, 2);
        asides.remove(-1, 3);
        asides.remove(-1, 3);
        assert_eq!(around(&asides, -900_000, 900_000), [1, 4]);
    }
}
