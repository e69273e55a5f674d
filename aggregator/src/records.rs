//! The records of a site: one for every accepted event, by arrival, with an exact index of ids.
//!
//! Nothing lossy decides that an event is a repeat: the index finds the record, and the record
//! holds the whole id.

mod block;
mod chains;
mod index;
mod packed;
mod short;
mod stored;

use std::cmp::Ordering;
use std::sync::Arc;

use edgetally_proto::ids::EventId;
use hashbrown::HashTable;
use imbl::Vector;
use rustc_hash::FxHashSet;

use crate::held::Held;
use crate::texts::{TextId, Texts};
use crate::timeline::Ids;
pub use block::{Away, Block, Shown, Vaults};
use block::{Opened, place_of};
use chains::Chains;
use index::hash;
pub(crate) use index::{Indexed, spread};
pub use packed::Packed;
pub use stored::{Clues, Origin, Stored};

/// Records of one checkpoint block.
pub const BLOCK_RECORDS: usize = 128;

/// What is done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// Its id is new.
    First,
    /// The very same record is held: it was delivered twice.
    Same,
    /// A copy is held and stands.
    Repeat,
    /// A copy is held, but the new one was received first and takes its place.
    Supersedes(u32),
}

/// Blocks that changed: since the last checkpoint, and since readers looked last. Nearly always it
/// is the same one again.
#[derive(Debug, Clone, Default)]
struct Dirty {
    unsaved: Vec<usize>,
    unseen: Vec<usize>,
}

impl Dirty {
    fn insert(&mut self, block: usize) {
        for list in [&mut self.unsaved, &mut self.unseen] {
            if list.last() != Some(&block) {
                list.push(block);
            }
        }
    }
}

/// Takes a list, each of its blocks once.
fn take_each(list: &mut Vec<usize>) -> Vec<usize> {
    let mut blocks = std::mem::take(list);
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

/// The records of one site.
#[derive(Debug, Clone, Default)]
pub struct Records {
    blocks: Vec<Block>,
    shown: Vector<Block>,
    away: Option<Arc<dyn Away>>,
    index: HashTable<Indexed>,
    /// Copies that do not stand, so that one that is delivered again is known.
    copies: HashTable<Indexed>,
    chains: Chains,
    dirty: Dirty,
    /// Blocks that a checkpoint is being written of.
    saving: Vec<usize>,
    /// All blocks before this one are away.
    first: usize,
    /// Bytes of the packed blocks in memory.
    weight: usize,
    len: u32,
}

impl Records {
    fn opened(&self, record: u32) -> Option<(Opened<'_>, usize)> {
        let (number, at) = place_of(record);
        let block = Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?;
        Some((block, at))
    }

    /// The record with a number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Held<'_, Stored>> {
        let (block, at) = self.opened(number)?;
        block.get(at)
    }

    /// The client of a record, without reading the rest of it.
    #[must_use]
    pub fn client(&self, number: u32) -> Option<TextId> {
        let (block, at) = self.opened(number)?;
        block.client(at)
    }

    /// The event time of a record, without reading the rest of it.
    #[must_use]
    pub fn occurred_at_ms(&self, number: u32) -> Option<i64> {
        let (block, at) = self.opened(number)?;
        block.occurred_at_ms(at)
    }

    /// Event time and name of a record, without reading the rest of it.
    #[must_use]
    pub fn moment(&self, number: u32) -> Option<(i64, TextId)> {
        let (block, at) = self.opened(number)?;
        block.moment(at)
    }

    /// The campaign of a record, without reading the rest of it.
    #[must_use]
    pub fn campaign(&self, number: u32) -> Option<TextId> {
        let (block, at) = self.opened(number)?;
        block.campaign(at)
    }

    /// How many there are, superseded ones included.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every record that stands, with its number.
    pub fn standing(&self) -> impl Iterator<Item = (u32, Held<'_, Stored>)> {
        self.all().filter(|(_, record)| !record.is_superseded)
    }

    /// Every record with its number, superseded ones too.
    pub fn all(&self) -> impl Iterator<Item = (u32, Held<'_, Stored>)> {
        block::all(self.blocks.iter(), self.away.as_ref())
    }

    /// The records of a client that stand, of those with numbers below one, the newest arrival
    /// first.
    pub fn of_client(
        &self,
        client: TextId,
        below: u32,
    ) -> impl Iterator<Item = (u32, Held<'_, Stored>)> {
        let numbers = self.chains.of(client).filter(move |number| *number < below);
        let all = numbers.filter_map(|number| Some((number, self.get(number)?)));
        // One that was erased is nobody's.
        all.filter(move |(_, record)| record.client == client && !record.is_superseded)
    }

    /// Every client that ever had a record.
    pub fn clients(&self) -> impl Iterator<Item = TextId> {
        self.chains.clients()
    }

    /// What the arrival of a record means. Of copies the one with the smallest time of receipt
    /// and hash stands, whatever the order in which they arrive.
    #[must_use]
    pub fn judge(&self, record: &Stored, texts: &Texts) -> Copies {
        let Some((number, held)) = self.find(record) else {
            return Copies::First;
        };
        let order = record.received_at_ms.cmp(&held.received_at_ms);
        // Hashed only where the time does not decide, which is rare.
        let order = order.then_with(|| record.said(texts).hash().cmp(&held.said(texts).hash()));
        match order {
            Ordering::Equal => Copies::Same,
            _ if self.is_known_copy(record, texts) => Copies::Same,
            Ordering::Less => Copies::Supersedes(number),
            Ordering::Greater => Copies::Repeat,
        }
    }

    /// Whether the very same copy came before, though it does not stand.
    fn is_known_copy(&self, record: &Stored, texts: &Texts) -> bool {
        let hash = hash(record.client, &record.id);
        let is_same = |of: &Indexed| {
            of.hash == hash
                && self.get(of.record).is_some_and(|copy| {
                    (copy.client, copy.received_at_ms) == (record.client, record.received_at_ms)
                        && copy.id == record.id
                        && copy.said(texts) == record.said(texts)
                })
        };
        self.copies.find(spread(hash), is_same).is_some()
    }

    /// The record that stands for an id of a client.
    #[must_use]
    pub fn standing_for(&self, client: TextId, id: &EventId) -> Option<u32> {
        let hash = hash(client, id);
        let is_it = |held: u32| {
            let held = self.opened(held);
            held.is_some_and(|(block, at)| {
                block.client(at) == Some(client) && block.id(at).as_ref() == Some(id)
            })
        };
        let same = |of: &Indexed| of.hash == hash && is_it(of.record);
        self.index.find(spread(hash), same).map(|of| of.record)
    }

    fn find(&self, record: &Stored) -> Option<(u32, Held<'_, Stored>)> {
        let number = self.standing_for(record.client, &record.id)?;
        self.get(number).map(|held| (number, held))
    }

    /// Keeps a record whose id is new, under the next number.
    pub fn push_first(&mut self, record: Stored) -> u32 {
        self.append(record)
    }

    /// Keeps a record under the next number; a copy that it supersedes is marked.
    pub fn push(&mut self, record: Stored) -> u32 {
        if let Some(superseded) = self.standing_for(record.client, &record.id) {
            self.supersede(superseded);
        }
        self.append(record)
    }

    /// Keeps a copy that does not stand.
    pub fn push_copy(&mut self, record: Stored) {
        self.append(Stored { is_superseded: true, ..record });
    }

    fn append(&mut self, record: Stored) -> u32 {
        let number = self.len;
        self.index_record(number, &record);
        self.chains.push(record.client);
        match self.blocks.last_mut() {
            Some(Block::Open(records)) => {
                let records = Arc::make_mut(records);
                records.push(record);
                if records.len() == BLOCK_RECORDS {
                    let packed = Packed::of(records);
                    self.put(self.blocks.len() - 1, packed);
                }
            }
            _ => {
                let mut records = Vec::with_capacity(BLOCK_RECORDS);
                records.push(record);
                self.blocks.push(Block::Open(Arc::new(records)));
            }
        }
        self.len += 1;
        self.dirty.insert(self.blocks.len() - 1);
        number
    }

    /// Puts a packed block in the place of what is there.
    fn put(&mut self, number: usize, packed: Packed) {
        let Some(held) = self.blocks.get_mut(number) else { return };
        self.weight += packed.weight();
        match std::mem::replace(held, Block::Packed(Arc::new(packed))) {
            Block::Packed(before) => self.weight -= before.weight(),
            Block::Away => self.away.iter().for_each(|away| away.changed(number)),
            Block::Open(_) => {}
        }
        self.first = self.first.min(number);
    }

    fn supersede(&mut self, number: u32) {
        self.withdraw(number, |record| record.is_superseded = true);
        if let Some(copy) = self.get(number).map(Held::into_owned) {
            self.index_record(number, &copy);
        }
    }

    /// Leaves nothing of a record but its number.
    pub fn wipe(&mut self, number: u32) {
        self.withdraw(number, |record| *record = Stored::blank());
    }

    /// Takes a record out of its index and changes it.
    fn withdraw(&mut self, number: u32, change: impl FnOnce(&mut Stored)) {
        let Some(held) = self.get(number) else { return };
        let (key, is_superseded) = (spread(hash(held.client, &held.id)), held.is_superseded);
        drop(held);
        let index = if is_superseded { &mut self.copies } else { &mut self.index };
        if let Ok(entry) = index.find_entry(key, |other| other.record == number) {
            entry.remove();
        }
        let (block, at) = place_of(number);
        if let Some(Block::Open(records)) = self.blocks.get_mut(block) {
            Arc::make_mut(records).get_mut(at).map(change);
        } else if let Some((opened, _)) = self.opened(number) {
            opened.changed(at, change).into_iter().for_each(|packed| self.put(block, packed));
        }
        self.dirty.insert(block);
    }

    fn index_record(&mut self, number: u32, record: &Stored) {
        let index = if record.is_superseded { &mut self.copies } else { &mut self.index };
        let of = Indexed { hash: hash(record.client, &record.id), record: number };
        index.insert_unique(of.spread(), of, Indexed::spread);
    }

    /// The blocks that changed since the last call.
    pub fn take_dirty(&mut self) -> Vec<(usize, Block)> {
        let dirty = take_each(&mut self.dirty.unsaved);
        self.saving.extend(&dirty);
        let block = |at: usize| self.blocks.get(at).map(|block| (at, block.clone()));
        dirty.into_iter().filter_map(block).collect()
    }

    /// Whatever was taken for checkpoints is saved.
    pub fn note_saved(&mut self) {
        self.saving.clear();
    }

    /// Says where blocks are brought back from, so that they need not stay in memory.
    pub fn set_away(&mut self, away: Arc<dyn Away>) {
        self.away = Some(away);
    }

    /// The site is deleted.
    pub fn forget(&self) {
        self.away.iter().for_each(|away| away.forget());
    }

    /// Bytes of full blocks in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Leaves the oldest blocks to the store until so many bytes are left in memory, as far as the
    /// store has them; says whether there were any.
    pub fn send_away(&mut self, room: usize) -> bool {
        if self.weight <= room || self.away.is_none() {
            return false;
        }
        let busy: FxHashSet<usize> =
            self.saving.iter().chain(&self.dirty.unsaved).copied().collect();
        let before = self.weight;
        let mut is_gapless = true;
        for (number, block) in self.blocks.iter_mut().enumerate().skip(self.first) {
            if self.weight <= room {
                break;
            }
            if let Block::Packed(packed) = block
                && !busy.contains(&number)
            {
                self.weight -= packed.weight();
                *block = Block::Away;
                // It may have changed since it was away before.
                self.away.iter().for_each(|away| away.changed(number));
                self.dirty.unseen.push(number);
            }
            is_gapless &= matches!(block, Block::Away);
            self.first += usize::from(is_gapless);
        }
        self.weight < before
    }

    /// What readers see: the blocks as they are now.
    pub fn show(&mut self) -> Shown {
        for block in self.blocks.iter().skip(self.shown.len()) {
            self.shown.push_back(block.clone());
        }
        for at in take_each(&mut self.dirty.unseen) {
            if let Some(block) = self.blocks.get(at) {
                self.shown.set(at, block.clone());
            }
        }
        Shown { blocks: self.shown.clone(), away: self.away.clone() }
    }

    /// How many blocks there are.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Puts back a block as it was stored; blocks come in order.
    ///
    /// # Errors
    /// If it is no block.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let block = Packed::read(bytes)?;
        for (number, record) in (self.len..).zip(block.plain_iter()) {
            self.chains.push(record.client);
            if !record.is_blank() {
                self.index_record(number, &record);
            }
        }
        self.len += u32::try_from(block.len()).unwrap_or(u32::MAX);
        self.blocks.push(Block::Open(Arc::new(Vec::new())));
        if block.len() == BLOCK_RECORDS {
            self.put(self.blocks.len() - 1, block);
        } else if let Some(last) = self.blocks.last_mut() {
            *last = Block::Open(Arc::new(block.iter().collect()));
        }
        Ok(())
    }
}

impl Ids for Records {
    fn id(&self, record: u32) -> Option<EventId> {
        let (block, at) = self.opened(record)?;
        block.id(at)
    }
}

#[cfg(test)]
mod tests;
