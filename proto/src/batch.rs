//! What one frame carries, as a value.

use std::collections::BTreeMap;

use crate::ids::SiteId;
use crate::record::{Fact, Letter, Record, Tables};
use crate::rollup::{CounterKey, RejectKey};

/// The share of one site in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteBatch {
    /// The site.
    pub site: SiteId,
    /// Texts that the rest refers to.
    pub tables: Tables,
    /// One for every accepted event, in the order of acceptance.
    pub records: Vec<Record>,
    /// What commerce events say beside their records.
    pub facts: Vec<Fact>,
    /// Rejected events by second and code.
    pub rejects: BTreeMap<RejectKey, u64>,
    /// Some of the rejected events in full, the newest of each code; none for want of consent.
    pub letters: Vec<Letter>,
    /// Repeats that the edge dropped, by UTC second of receipt.
    pub duplicates: BTreeMap<i64, u64>,
    /// Events that clients had to drop, by UTC second of receipt.
    pub dropped: BTreeMap<i64, u64>,
}

impl SiteBatch {
    /// Nothing of a site.
    #[must_use]
    pub fn new(site: SiteId) -> Self {
        Self {
            site,
            tables: Tables::default(),
            records: Vec::new(),
            facts: Vec::new(),
            rejects: BTreeMap::new(),
            letters: Vec::new(),
            duplicates: BTreeMap::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// Accepted events by second, name and platform: the sums of the records.
    ///
    /// They do not travel, since the records do: whoever reads a frame adds them up.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<CounterKey, u64> {
        let mut counters = BTreeMap::new();
        for record in &self.records {
            *counters.entry(CounterKey::of(record)).or_default() += 1;
        }
        counters
    }
}

/// What one shard commits at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// When the shard committed it, epoch ms.
    pub committed_at_ms: i64,
    /// The sites with something in it.
    pub sites: Vec<SiteBatch>,
}
