//! Applies frames and administrators' writes to the whole state, each at most once.
//!
//! Decide, log, apply: [`World::decide`] judges the frames of a request, the caller makes them
//! durable, [`World::apply`] folds them in. After a crash the log gives the same entries in the
//! same order, so [`World::replay`] ends in the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use edgetally_proto::batch::Batch;
use edgetally_proto::ids::{Epoch, ShardName, SiteId};
use edgetally_proto::settings::{Retention, RetentionSettings};
use edgetally_proto::sign::Backlog;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::audit::{Audit, Note};
use crate::dedup::{Marks, Share, Source, Verdict};
use crate::directory::{AdminWrite, Directory};
use crate::intake::{self, Incoming};
use crate::records::Vaults;
use crate::site::{Effects, Plan, Room, Site, Terms};
use crate::tombstones::Erasure;
use crate::view::{EdgeState, SiteView, View};

/// What the log holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A frame, as it was received.
    Frame {
        /// The shard.
        shard: ShardName,
        /// Its epoch.
        #[serde(with = "serde_bytes")]
        epoch: [u8; 16],
        /// The frame's number.
        sequence: u64,
        /// Its checksum, if it has a head.
        checksum: Option<u64>,
        /// Whether it is a dead letter.
        is_dead: bool,
        /// Its bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A write of an administrator, as JSON: settings have exact decimals inside.
    Admin(String),
    /// Rejected events that were judged again.
    Letters {
        /// Whose.
        site: SiteId,
        /// What became of them.
        changes: Vec<crate::rejects::again::Change>,
    },
    /// A person that was erased.
    Erase {
        /// Whose.
        site: SiteId,
        /// The tombstone.
        erasure: Erasure,
        /// The records that it concerned.
        numbers: Vec<u32>,
    },
    /// A person that was merged into another, or is himself again.
    Merge {
        /// Whose.
        site: SiteId,
        /// What was asked for.
        change: crate::merges::Change,
    },
    /// Costs of campaigns.
    Costs {
        /// Whose.
        site: SiteId,
        /// Those that changed.
        costs: Vec<crate::costs::Cost>,
    },
    /// Changes of a site's alerts.
    Alerts {
        /// Whose.
        site: SiteId,
        /// In their order.
        changes: Vec<crate::alerts::book::Change>,
    },
    /// What the back office told of orders.
    Orders {
        /// Whose.
        site: SiteId,
        /// When it was told, epoch ms.
        received_at_ms: i64,
        /// The versions that were news, in their order.
        told: Vec<crate::orders::told::Told>,
    },
    /// Merges that are forgotten, because somebody whom they name was erased.
    Unmerge {
        /// Whose.
        site: SiteId,
        /// Their places on the list.
        places: Vec<u32>,
    },
    /// Who made the change that follows.
    Audit(Note),
}

/// How a frames request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All frames are known or applied.
    Acked,
    /// The last frame is a dead letter.
    Dead,
    /// A number is missing.
    Gap {
        /// The number that is due.
        expected: u64,
    },
    /// A known number came with other bytes.
    Fork,
}

/// What was decided about a frames request.
#[derive(Debug)]
pub struct Decision {
    /// Frames to log and apply.
    pub fresh: Vec<Incoming>,
    /// How it ends.
    pub outcome: Outcome,
    /// Number of the last frame that is known or applied.
    pub acked: u64,
}

/// What one tick changed, for those who watch.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// By site.
    pub sites: BTreeMap<SiteId, Effects>,
    /// Whether sites or keys changed.
    pub directory: bool,
}

/// The whole state.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// State by site.
    pub sites: BTreeMap<SiteId, Site>,
    /// Sites and keys.
    pub directory: Arc<Directory>,
    /// How far each numbering has come.
    pub marks: Marks,
    /// What is shown of each numbering.
    pub edges: OrdMap<Source, EdgeState>,
    /// What each numbering brought of each site.
    pub shares: OrdMap<(SiteId, Source), Share>,
    /// Numberings that changed since the last checkpoint.
    pub dirty_marks: BTreeSet<Source>,
    /// Whether the directory changed since the last checkpoint.
    pub is_directory_dirty: bool,
    /// Who changed what.
    pub audit: Audit,
    /// Keys of the store that the next checkpoint removes.
    pub removed: Vec<Vec<u8>>,
    /// What is added to the numbers of tellings of sessions: greater than any before the start.
    pub rev_base: u64,
    /// Where blocks of records are brought back from that are not in memory.
    pub vaults: Option<Arc<dyn Vaults>>,
    /// Bytes of memory for records, timelines and lines; no bound if there is none.
    pub memory: Option<usize>,
    view: View,
}

/// Tellings of sessions for which there is room in each millisecond since the last start.
const REVS_PER_MS: u64 = 2_048;

impl World {
    /// Nothing, which keeps to a bound of memory and leaves records where they are brought back
    /// from.
    #[must_use]
    pub fn within(memory: Option<usize>, vaults: Arc<dyn Vaults>) -> Self {
        Self { memory, vaults: Some(vaults), ..Self::default() }
    }

    /// A site, which is made if nothing is known of it.
    pub(crate) fn site(&mut self, name: &SiteId, terms: impl FnOnce() -> Terms) -> &mut Site {
        self.sites.entry(name.clone()).or_insert_with(|| {
            let mut site = Site::new(terms());
            if let Some(vaults) = &self.vaults {
                site.records.set_away(vaults.of_site(name));
            }
            site
        })
    }

    /// Begins the numbers of a start: without a store of their own they are greater than those of
    /// every start before, as long as the clock does not go backwards.
    pub fn begin(&mut self, now_ms: i64) {
        self.rev_base = u64::try_from(now_ms).unwrap_or_default().saturating_mul(REVS_PER_MS);
    }

    /// Judges the frames of a request and takes note of those to apply.
    pub fn decide(&mut self, source: &Source, frames: Vec<Incoming>, now_ms: i64) -> Decision {
        let mut fresh = Vec::new();
        let mut outcome = Outcome::Acked;
        let mut edge = self.edges.get(source).copied().unwrap_or_default();
        edge.heard_at_ms = now_ms;
        for frame in frames {
            match self.marks.judge(source, frame.sequence, frame.checksum) {
                Verdict::FirstSeen => {
                    self.marks.advance(source, frame.checksum);
                    if frame.batch.is_none() {
                        outcome = Outcome::Dead;
                    }
                    fresh.push(frame);
                }
                Verdict::Replay => edge.replays += 1,
                Verdict::Gap { expected } => {
                    edge.gaps += 1;
                    outcome = Outcome::Gap { expected };
                    break;
                }
                Verdict::Fork => {
                    edge.forks += 1;
                    outcome = Outcome::Fork;
                    break;
                }
            }
        }
        edge.has_backlog = outcome != Outcome::Acked;
        edge.last = self.marks.last(source);
        let acked = edge.last;
        // A refused stranger leaves nothing behind.
        if acked > 0 {
            self.edges.insert(source.clone(), edge);
        }
        Decision { fresh, outcome, acked }
    }

    /// Notes what a shard has beside the frames that were just decided upon.
    pub fn note_backlog(&mut self, source: &Source, has_more: bool, backlog: Option<Backlog>) {
        let Some(edge) = self.edges.get_mut(source) else { return };
        let was_refused = edge.has_backlog;
        edge.has_backlog |= has_more;
        // What was refused is sent again, and told again then.
        let (Some(Backlog { head, left }), false) = (backlog, was_refused) else { return };
        edge.has_backlog |= head > edge.last;
        (edge.head, edge.left) = (head, left);
        // Under a new epoch goes out again whatever was left of those before.
        let is_former = |known: &Source| known.shard == source.shard && known.epoch != source.epoch;
        let former = self.edges.iter().filter(|(known, edge)| is_former(known) && edge.left > 0);
        let former: Vec<Source> = former.map(|(known, _)| known.clone()).collect();
        for known in former {
            if let Some(edge) = self.edges.get_mut(&known) {
                (edge.left, edge.has_backlog) = (0, false);
            }
        }
    }

    /// Folds in a frame that [`World::decide`] took and the log holds.
    pub fn apply(
        &mut self,
        source: &Source,
        batch: Option<&Batch>,
        now_ms: i64,
        changed: &mut Changed,
    ) {
        let mut shares = Vec::new();
        let committed_at_ms = batch.map_or(now_ms, |batch| batch.committed_at_ms);
        // A replay of the log has no clock, and says nothing of how late frames came.
        let lag_ms = if now_ms > 0 { (now_ms - committed_at_ms).max(0) } else { 0 };
        for share in batch.iter().flat_map(|batch| &batch.sites) {
            let directory = self.directory.clone();
            let terms = || directory.sites.get(&share.site).map(Terms::of).unwrap_or_default();
            self.site(&share.site, terms);
            let retention = self.facts_retention(&share.site);
            let Some(site) = self.sites.get_mut(&share.site) else { continue };
            let effects = site.apply(share);
            if let Retention::For(span) = retention {
                site.rejects.forget_older(span.ms);
            }
            site.lag_ms = lag_ms;
            shares.push((&share.site, effects.accepted, effects.late_duplicates));
            let known = changed.sites.entry(share.site.clone()).or_default();
            known.accepted += effects.accepted;
            known.late_duplicates += effects.late_duplicates;
            known.seconds.extend(effects.seconds);
            known.orders.extend(effects.orders);
        }
        let Some(mark) = self.marks.get_mut(source) else {
            return;
        };
        mark.count(batch.map(|batch| batch.committed_at_ms), &shares);
        let (last, tally) = (mark.last, mark.tally);
        for (site, ..) in shares {
            if let Some(share) = mark.shares.get(site) {
                self.shares.insert((site.clone(), source.clone()), *share);
            }
        }
        let edge = self.edges.entry(source.clone()).or_default();
        (edge.last, edge.tally) = (last, tally);
        edge.lag_ms = lag_ms;
        self.dirty_marks.insert(source.clone());
    }

    /// How long facts of a site are kept, rejected events among them.
    fn facts_retention(&self, site: &SiteId) -> Retention {
        let entry = self.directory.sites.get(site);
        entry.map_or_else(|| RetentionSettings::default().facts, |e| e.settings.retention.facts)
    }

    /// Carries out an administrator's write.
    pub fn write(&mut self, write: &AdminWrite, changed: &mut Changed) {
        let is_told =
            |site: &SiteId| self.sites.get(site).is_some_and(|site| !site.records.is_empty());
        self.directory = Arc::new(self.directory.after(write, is_told));
        self.is_directory_dirty = true;
        changed.directory = true;
        match write {
            AdminWrite::PutSite { site, .. } => {
                let terms = self.terms(site);
                if let Some(state) = self.sites.get_mut(site) {
                    state.set_terms(terms);
                }
                changed.sites.entry(site.clone()).or_default();
            }
            AdminWrite::DeleteSite { site } => {
                self.forget_shares(site);
                if let Some(state) = self.sites.remove(site) {
                    state.records.forget();
                    self.removed.extend(crate::checkpoint::keys_of(site, &state));
                }
                changed.sites.entry(site.clone()).or_default();
            }
            AdminWrite::PutKey(_)
            | AdminWrite::DeleteKey { .. }
            | AdminWrite::PutLink(_)
            | AdminWrite::DeleteLink { .. } => {}
        }
    }

    fn forget_shares(&mut self, site: &SiteId) {
        let of_site = self.shares.keys().filter(|(whose, _)| whose == site);
        for key in of_site.cloned().collect::<Vec<_>>() {
            self.shares.remove(&key);
            if let Some(mark) = self.marks.get_mut(&key.1) {
                mark.shares.remove(site);
            }
            self.dirty_marks.insert(key.1);
        }
    }

    /// Applies an entry of the log after a start.
    ///
    /// # Errors
    /// If the entry does not follow what the state holds: then log and checkpoint do not belong
    /// together.
    pub fn replay(&mut self, entry: Entry) -> Result<(), String> {
        let mut changed = Changed::default();
        match entry {
            Entry::Admin(json) => {
                let write: AdminWrite = serde_json::from_str(&json).map_err(|error| {
                    format!("a write of an administrator is unreadable: {error}")
                })?;
                self.write(&write, &mut changed);
            }
            Entry::Letters { site, changes } => {
                self.change_letters(&site, &changes, &mut changed);
            }
            Entry::Erase { site, erasure, numbers } => {
                let plan = Plan { erasure, numbers, fell_back: 0 };
                self.erase(&site, plan, &mut changed);
            }
            Entry::Merge { site, change } => {
                self.merge(&site, &change, &mut changed);
            }
            Entry::Audit(note) => self.audit.push(note),
            Entry::Costs { site, costs } => self.put_costs(&site, costs, &mut changed),
            Entry::Alerts { site, changes } => self.put_alerts(&site, changes, &mut changed),
            Entry::Orders { site, received_at_ms, told } => {
                self.tell_orders(&site, told, received_at_ms, &mut changed);
            }
            Entry::Unmerge { site, places } => {
                self.forget_merges(&site, &places, &mut changed);
            }
            Entry::Frame { shard, epoch, sequence, checksum, is_dead, bytes } => {
                let source = Source { shard, epoch: Epoch(epoch) };
                let batch = if is_dead { None } else { Some(intake::decode(&bytes)) };
                let batch = batch.transpose().map_err(|error| {
                    format!("frame {sequence} of {} is unreadable: {error}", source.shard)
                })?;
                match self.marks.judge(&source, sequence, checksum) {
                    Verdict::FirstSeen => {
                        self.marks.advance(&source, checksum);
                        self.apply(&source, batch.as_ref(), 0, &mut changed);
                    }
                    verdict => {
                        let shard = &source.shard;
                        return Err(format!("frame {sequence} of {shard} is a {verdict:?}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Seals the days of every site that are over for good, and drops rollups that are too old.
    pub fn seal(&mut self, now_ms: i64, changed: &mut Changed) {
        for (name, site) in &mut self.sites {
            let settings = self.directory.sites.get(name).map(|entry| &entry.settings.retention);
            let is_dropped = settings.is_some_and(|kept| site.forget_fine(now_ms, kept));
            if site.seal(now_ms) || is_dropped {
                changed.sites.entry(name.clone()).or_default();
            }
        }
    }

    /// All that was taken for checkpoints is saved.
    pub fn note_saved(&mut self) {
        self.sites.values_mut().for_each(|site| site.records.note_saved());
    }

    /// Keeps to the bound of memory: what the store has need not be here.
    pub fn make_room(&mut self, changed: &mut Changed) {
        let Some(memory) = self.memory else { return };
        let all: u64 = self.sites.values().map(|site| u64::from(site.records.len())).sum();
        for (name, site) in &mut self.sites {
            if site.set_room(Room::share(memory, site.records.len(), all)) {
                changed.sites.entry(name.clone()).or_default();
            }
        }
    }

    /// The snapshot after some changes.
    pub fn view(&mut self, changed: &Changed) -> View {
        for site in changed.sites.keys() {
            match self.sites.get_mut(site) {
                Some(state) => {
                    self.view.sites.insert(site.clone(), Arc::new(view_of(state, self.rev_base)));
                }
                None => {
                    self.view.sites.remove(site);
                }
            }
        }
        self.view.number += 1;
        self.view.directory = self.directory.clone();
        self.view.edges = self.edges.clone();
        self.view.shares = self.shares.clone();
        self.view.audit = self.audit.clone();
        self.view.rev_base = self.rev_base;
        self.view.clone()
    }

    /// The snapshot of everything.
    pub fn view_all(&mut self) -> View {
        let sites = self.sites.keys().map(|site| (site.clone(), Effects::default())).collect();
        self.view(&Changed { sites, directory: true })
    }
}

fn view_of(site: &mut Site, rev_base: u64) -> SiteView {
    site.settle();
    let (lines, persons) = site.people.show();
    SiteView {
        records: site.records.show(),
        lines,
        persons,
        sessions: site.people.rows().clone(),
        retractions: site.people.retractions().clone(),
        rev: site.people.rev(),
        rev_base,
        longest_session_ms: site.people.longest_ms(),
        session_stamps: site.people.stamps.show(),
        columns: site.columns.share(),
        session_starts: site.people.starts().clone(),
        orders: site.credits.rows().clone(),
        order_places: site.credits.places().clone(),
        sold: site.credits.sold().clone(),
        texts: site.texts.show(),
        counters: site.counters.clone(),
        late: site.late.clone(),
        sketches: site.sketches.clone(),
        presence: site.presence.clone(),
        asides: site.asides.clone(),
        sales: site.ledger.sales.clone(),
        daily: site.daily.clone(),
        rejects: site.rejects.buckets(),
        erasures: site.tombstones.shared(),
        merges: site.merges.history().clone(),
        costs: site.costs.rows().clone(),
        stock: site.stock.clone(),
        alerts: site.alerts.clone(),
        zone: site.zone.clone(),
        rules: site.rules.clone(),
        generations: site.generations.clone(),
        lag_ms: site.lag_ms,
    }
}
