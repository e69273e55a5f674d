//! Checkpoints: which blocks changed, their bytes, and the state they bring back.
//!
//! A checkpoint holds records, texts, counters, marks, the directory and a position in the log.
//! Indexes, owners, presence and orders follow from the records and are worked out at the start.

use std::sync::Arc;

use edgetally_proto::ids::SiteId;
use edgetally_proto::record::Letter;
use serde::{Deserialize, Serialize};

use crate::alerts::book::{Alert, Delivery, Marks};
use crate::apply::{Changed, World};
use crate::audit::Note;
use crate::costs::Cost;
use crate::dedup::Mark;
use crate::merge::Block;
use crate::merges::Change;
use crate::reconcile::run::Run;
use crate::records::{Block as RecordBlock, Vaults};
use crate::rejects::{Count, Letters};
use crate::site::generations::Kept;
use crate::site::{Site, Terms};
use crate::store::keys::{Key, SiteKey};
use crate::tombstones::Erasure;
use crate::view::EdgeState;

/// A place in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Number of the segment.
    pub segment: u64,
    /// Bytes from the beginning of the segment.
    pub offset: u64,
}

/// The content of a block, encoded off the thread that applies.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Up to where the log is contained.
    Position(Position),
    /// Sites and keys, as JSON.
    Directory(Arc<crate::directory::Directory>),
    /// How far a numbering has come.
    Mark(Mark),
    /// Texts of a site.
    Texts(Vec<Arc<str>>),
    /// Records of a site.
    Records(RecordBlock),
    /// Counters of a site.
    Counters(Arc<Block>),
    /// Counts of a site's rejected events.
    RejectDay(Vec<Count>),
    /// Rejected events of a site.
    Letters(Letters),
    /// A person of a site that was erased.
    Erasure(Arc<Erasure>),
    /// How often sealed days of a site were told anew.
    Generations(Kept),
    /// A block of the audit log.
    Audit(Vec<Arc<Note>>),
    /// Persons of a site that an administrator joined.
    Merges(Arc<Vec<Change>>),
    /// Costs of a site's campaigns.
    Costs(Vec<Cost>),
    /// Alerts of a site by number.
    Alerts(Vec<(u64, Arc<Alert>)>),
    /// What is told of them, by number.
    Deliveries(Vec<(u64, Arc<Delivery>)>),
    /// Hours of a site that were compared with payments, by number.
    Runs(Vec<(u64, Arc<Run>)>),
    /// How far a site's alerts have come.
    AlertMarks(Arc<Marks>),
    /// Nothing any more.
    Removed,
}

fn cbor(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Rows by number, as they are stored.
fn plain<T>(rows: &[(u64, Arc<T>)]) -> Vec<(u64, &T)> {
    rows.iter().map(|(number, row)| (*number, row.as_ref())).collect()
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    ciborium::from_reader(bytes).map_err(|error| error.to_string())
}

impl Piece {
    /// Its bytes; none where the key is to be removed.
    ///
    /// # Errors
    /// If it cannot be written down, which no piece of a sound state can cause.
    pub fn encode(&self) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Position(position) => cbor(position).map(Some),
            Self::Directory(directory) => {
                serde_json::to_vec(directory.as_ref()).map(Some).map_err(|error| error.to_string())
            }
            Self::Mark(mark) => cbor(mark).map(Some),
            Self::Texts(texts) => {
                cbor(&texts.iter().map(|text| text.as_ref()).collect::<Vec<&str>>()).map(Some)
            }
            Self::Records(block) => block.encode(),
            Self::Counters(block) => cbor(block.as_ref()).map(Some),
            Self::RejectDay(counts) => cbor(counts).map(Some),
            Self::Letters(letters) => {
                let plain = letters.iter().map(|(number, letter)| (*number, letter.as_ref()));
                cbor(&plain.collect::<Vec<(u64, &Letter)>>()).map(Some)
            }
            Self::Erasure(erasure) => cbor(erasure.as_ref()).map(Some),
            Self::Generations(kept) => cbor(kept).map(Some),
            Self::Audit(notes) => {
                cbor(&notes.iter().map(AsRef::as_ref).collect::<Vec<&Note>>()).map(Some)
            }
            Self::Merges(changes) => cbor(changes.as_ref()).map(Some),
            Self::Costs(costs) => cbor(costs).map(Some),
            Self::Alerts(rows) => cbor(&plain(rows)).map(Some),
            Self::Deliveries(rows) => cbor(&plain(rows)).map(Some),
            Self::Runs(rows) => cbor(&plain(rows)).map(Some),
            Self::AlertMarks(marks) => cbor(marks.as_ref()).map(Some),
            Self::Removed => Ok(None),
        }
    }
}

/// Every key that a site has in the store, or will have.
#[must_use]
pub fn keys_of(site: &SiteId, state: &Site) -> Vec<Vec<u8>> {
    let key = |key: SiteKey| Key::Site(site.clone(), key).encode();
    let texts = (0..state.texts.block_count()).map(|at| key(SiteKey::Texts(at)));
    let records = (0..state.records.block_count()).map(|at| key(SiteKey::Records(at)));
    let counters = state.counters.keys().map(|block| key(SiteKey::Counters(block)));
    let days = state.rejects.days().into_iter().map(|day| key(SiteKey::RejectDay(day)));
    let letters = state.rejects.blocks().into_iter().map(|block| key(SiteKey::Letters(block)));
    let erasures = (0..state.tombstones.len()).map(|at| key(SiteKey::Erasure(at)));
    let costs = state.costs.blocks().into_iter().map(|block| key(SiteKey::Costs(block)));
    let alerts = state.alerts.alerts.blocks().into_iter().map(|at| key(SiteKey::Alerts(at)));
    let told = state.alerts.deliveries.blocks().into_iter();
    let alerts = alerts.chain(told.map(|at| key(SiteKey::Deliveries(at))));
    let runs = state.alerts.runs.blocks().into_iter();
    let alerts = alerts.chain(runs.map(|at| key(SiteKey::Runs(at))));
    let whole = [SiteKey::Merges, SiteKey::Generations, SiteKey::AlertMarks].into_iter().map(key);
    let numbered = texts.chain(records).chain(erasures).chain(whole);
    numbered.chain(alerts).chain(counters).chain(days).chain(letters).chain(costs).collect()
}

/// Takes what changed since the last checkpoint; `position` is how far the log is contained.
pub fn take_dirty(world: &mut World, position: Position) -> Vec<(Vec<u8>, Piece)> {
    let removed = std::mem::take(&mut world.removed);
    let mut pieces: Vec<_> = removed.into_iter().map(|key| (key, Piece::Removed)).collect();
    let mut push = |key: Key, piece| pieces.push((key.encode(), piece));
    push(Key::Position, Piece::Position(position));
    if std::mem::take(&mut world.is_directory_dirty) {
        push(Key::Directory, Piece::Directory(world.directory.clone()));
    }
    for (block, notes) in world.audit.take_dirty() {
        push(Key::Audit(block), notes.map_or(Piece::Removed, Piece::Audit));
    }
    for source in std::mem::take(&mut world.dirty_marks) {
        if let Some(mark) = world.marks.get(&source) {
            push(Key::Mark(source), Piece::Mark(mark.clone()));
        }
    }
    for (name, site) in &mut world.sites {
        for (at, texts) in site.texts.take_dirty() {
            push(Key::Site(name.clone(), SiteKey::Texts(at)), Piece::Texts(texts));
        }
        for (at, records) in site.records.take_dirty() {
            push(Key::Site(name.clone(), SiteKey::Records(at)), Piece::Records(records));
        }
        for block_key in std::mem::take(&mut site.dirty) {
            let piece = site.counters.block(block_key).map_or(Piece::Removed, Piece::Counters);
            push(Key::Site(name.clone(), SiteKey::Counters(block_key)), piece);
        }
        for (at, erasure) in site.tombstones.take_dirty() {
            push(Key::Site(name.clone(), SiteKey::Erasure(at)), Piece::Erasure(erasure));
        }
        if let Some(changes) = site.merges.take_dirty() {
            push(Key::Site(name.clone(), SiteKey::Merges), Piece::Merges(changes));
        }
        if let Some(kept) = site.generations.take_dirty() {
            push(Key::Site(name.clone(), SiteKey::Generations), Piece::Generations(kept));
        }
        for (block, costs) in site.costs.take_dirty() {
            push(Key::Site(name.clone(), SiteKey::Costs(block)), Piece::Costs(costs));
        }
        take_rejects(name, site, &mut push);
        take_alerts(name, site, &mut push);
    }
    pieces
}

fn take_alerts(name: &SiteId, site: &mut Site, push: &mut impl FnMut(Key, Piece)) {
    for (at, rows) in site.alerts.alerts.take_dirty() {
        let piece = if rows.is_empty() { Piece::Removed } else { Piece::Alerts(rows) };
        push(Key::Site(name.clone(), SiteKey::Alerts(at)), piece);
    }
    for (at, rows) in site.alerts.deliveries.take_dirty() {
        let piece = if rows.is_empty() { Piece::Removed } else { Piece::Deliveries(rows) };
        push(Key::Site(name.clone(), SiteKey::Deliveries(at)), piece);
    }
    for (at, rows) in site.alerts.runs.take_dirty() {
        let piece = if rows.is_empty() { Piece::Removed } else { Piece::Runs(rows) };
        push(Key::Site(name.clone(), SiteKey::Runs(at)), piece);
    }
    if let Some(marks) = site.alerts.take_marks() {
        push(Key::Site(name.clone(), SiteKey::AlertMarks), Piece::AlertMarks(marks));
    }
}

fn take_rejects(name: &SiteId, site: &mut Site, push: &mut impl FnMut(Key, Piece)) {
    for (day, counts) in site.rejects.take_dirty_days() {
        let piece = if counts.is_empty() { Piece::Removed } else { Piece::RejectDay(counts) };
        push(Key::Site(name.clone(), SiteKey::RejectDay(day)), piece);
    }
    for (block, letters) in site.rejects.take_dirty_blocks() {
        let piece = if letters.is_empty() { Piece::Removed } else { Piece::Letters(letters) };
        push(Key::Site(name.clone(), SiteKey::Letters(block)), piece);
    }
}

/// Puts a checkpoint together again; keys must come in ascending order.
#[derive(Debug, Default)]
pub struct Restore {
    world: World,
    position: Option<Position>,
    /// Blocks of records that were taken so far: none of them needs to be saved again.
    blocks: usize,
}

/// After so many blocks of records a restore keeps to the bound of memory.
const BLOCKS_PER_ROOM: usize = 256;

impl Restore {
    /// A restore that leaves blocks of records where they are brought back from, if there is no
    /// room for them in so many bytes.
    #[must_use]
    pub fn within(memory: Option<usize>, vaults: Arc<dyn Vaults>) -> Self {
        Self { world: World::within(memory, vaults), ..Self::default() }
    }

    /// Takes one key of the store.
    ///
    /// # Errors
    /// If key or value are not what a checkpoint writes.
    pub fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let key = Key::decode(key).ok_or("a key is not known")?;
        let world = &mut self.world;
        match key {
            Key::Position => self.position = Some(read(value)?),
            Key::Directory => {
                let directory = serde_json::from_slice(value).map_err(|error| error.to_string())?;
                world.directory = Arc::new(directory);
            }
            Key::Audit(block) => world.audit.restore(block, read(value)?)?,
            Key::Mark(source) => {
                let mark: Mark = read(value)?;
                let (last, tally) = (mark.last, mark.tally);
                let edge = EdgeState { last, tally, ..EdgeState::default() };
                world.edges.insert(source.clone(), edge);
                for (site, share) in &mark.shares {
                    world.shares.insert((site.clone(), source.clone()), *share);
                }
                world.marks.restore(source, mark);
            }
            Key::Site(name, key) => {
                self.blocks += usize::from(matches!(key, SiteKey::Records(_)));
                restore_site(world.site(&name, Terms::default), key, value)?;
                if self.blocks.is_multiple_of(BLOCKS_PER_ROOM) {
                    world.make_room(&mut Changed::default());
                }
            }
        }
        Ok(())
    }

    /// The state at an instant and the position from which the log goes on; none if the store was
    /// empty.
    ///
    /// # Errors
    /// If there are blocks without a position.
    pub fn finish(self, now_ms: i64) -> Result<Option<(World, Position)>, String> {
        let mut world = self.world;
        let Some(position) = self.position else {
            let is_empty = world.sites.is_empty() && world.directory.version == 0;
            return if is_empty { Ok(None) } else { Err("it holds no position".to_owned()) };
        };
        world.make_room(&mut Changed::default());
        let directory = world.directory.clone();
        for (name, site) in &mut world.sites {
            let terms = directory.sites.get(name).map(Terms::of).unwrap_or_default();
            (site.zone, site.rules, site.window) = (terms.zone, terms.rules, terms.window);
            site.lateness_ms = terms.lateness_ms;
            // Of days that are over, sets of persons are not even begun.
            site.seal(now_ms);
            site.rebuild();
        }
        Ok(Some((world, position)))
    }
}

fn restore_site(site: &mut Site, key: SiteKey, value: &[u8]) -> Result<(), String> {
    match key {
        SiteKey::Texts(at) => site.texts.restore(at, read(value)?),
        SiteKey::Records(at) if at == site.records.block_count() => {
            site.records.restore(value)?;
        }
        SiteKey::Records(at) => return Err(format!("block {at} of records is out of turn")),
        SiteKey::Counters(block) => site.counters.restore(block, read(value)?),
        SiteKey::Erasure(at) if at == site.tombstones.len() => {
            site.tombstones.restore(read(value)?);
        }
        SiteKey::Erasure(at) => return Err(format!("erasure {at} is out of turn")),
        SiteKey::Merges => site.merges.restore(read(value)?),
        SiteKey::Generations => site.generations.restore(read(value)?),
        SiteKey::Costs(_) => site.costs.restore(read(value)?),
        SiteKey::Alerts(_) => site.alerts.restore_alerts(read(value)?),
        SiteKey::Deliveries(_) => site.alerts.restore_deliveries(read(value)?),
        SiteKey::Runs(_) => site.alerts.runs.restore(read(value)?),
        SiteKey::AlertMarks => site.alerts.marks = Arc::new(read(value)?),
        SiteKey::RejectDay(_) => site.rejects.restore_day(read(value)?),
        SiteKey::Letters(block) => site.rejects.restore_block(block, read(value)?),
    }
    Ok(())
}
