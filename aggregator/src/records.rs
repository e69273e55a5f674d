//! The records of a site: one for every accepted event, by arrival, with an exact index of ids.
//!
//! Nothing lossy decides that an event is a repeat: the index finds the record, and the record
//! holds the whole id.

mod block;
mod chains;
mod index;
mod packed;
mod stored;

use std::cmp::Ordering;
use std::sync::Arc;

use edgetally_proto::ids::EventId;
use hashbrown::HashTable;
use imbl::Vector;

use crate::held::Held;
use crate::texts::{TextId, Texts};
use crate::timeline::Ids;
pub use block::{Away, Block, Shown};
use block::{Opened, place_of};
use chains::Chains;
use index::{Indexed, hash, spread};
pub use packed::Packed;
pub use stored::Stored;

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

    /// The records of a client that stand, the newest arrival first.
    pub fn of_client(&self, client: TextId) -> impl Iterator<Item = (u32, Held<'_, Stored>)> {
        let all = self.chains.of(client).filter_map(|number| Some((number, self.get(number)?)));
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
                    let last = self.blocks.len() - 1;
                    self.put(last, Block::Packed(Arc::new(packed)));
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

    fn put(&mut self, number: usize, block: Block) {
        if let Some(held) = self.blocks.get_mut(number) {
            *held = block;
        }
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
            let mut records: Vec<Stored> = opened.iter().map(Held::into_owned).collect();
            records.get_mut(at).map(change);
            self.put(block, Block::Packed(Arc::new(Packed::of(&records))));
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
        let block = |at: usize| self.blocks.get(at).map(|block| (at, block.clone()));
        dirty.into_iter().filter_map(block).collect()
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
        let records: Vec<Stored> = if Packed::is_one(bytes) {
            Packed::decode(bytes)?.iter().collect()
        } else {
            // As blocks were before they were packed.
            ciborium::from_reader(bytes).map_err(|error| error.to_string())?
        };
        for (number, record) in (self.len..).zip(&records) {
            self.chains.push(record.client);
            if !record.is_blank() {
                self.index_record(number, record);
            }
        }
        self.len += u32::try_from(records.len()).unwrap_or(u32::MAX);
        self.blocks.push(match records.len() {
            BLOCK_RECORDS => Block::Packed(Arc::new(Packed::of(&records))),
            _ => Block::Open(Arc::new(records)),
        });
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
mod tests {
    use edgetally_proto::event::Platform;
    use edgetally_proto::record::{Fact, Flags};
    use edgetally_proto::visitor::Device;

    use super::*;

    fn record(id: &str, client: TextId, received_at_ms: i64) -> Stored {
        Stored {
            id: EventId::parse(id).unwrap(),
            client,
            user: None,
            name: 1,
            platform: Platform::Web,
            occurred_at_ms: 5,
            received_at_ms,
            flags: Flags(0),
            page: None,
            referrer: Some(3),
            campaign: None,
            grade: 0,
            place: 5,
            device: Device::from((2, 1, 4)),
            fact: Some(Arc::new(Fact { record: 3, ..Fact::default() })),
            is_superseded: false,
        }
    }

    #[test]
    fn the_copy_received_first_stands() {
        let mut records = Records::default();
        assert_eq!(records.judge(&record("a", 1, 10), &Texts::default()), Copies::First);
        records.push(record("a", 1, 10));
        assert_eq!(records.judge(&record("a", 1, 10), &Texts::default()), Copies::Same);
        assert_eq!(records.judge(&record("a", 1, 11), &Texts::default()), Copies::Repeat);
        assert_eq!(records.judge(&record("a", 2, 10), &Texts::default()), Copies::First);
        assert_eq!(records.judge(&record("a", 1, 9), &Texts::default()), Copies::Supersedes(0));
        records.push(record("a", 1, 9));
        let again = records.judge(&record("a", 1, 10), &Texts::default());
        assert_eq!(again, Copies::Same, "it stood before");
        records.push_copy(record("a", 1, 12));
        assert_eq!(records.judge(&record("a", 1, 12), &Texts::default()), Copies::Same);
        assert_eq!(records.judge(&record("a", 1, 13), &Texts::default()), Copies::Repeat);
        records.wipe(2);
        assert_eq!(records.judge(&record("a", 1, 12), &Texts::default()), Copies::Repeat);
        let standing: Vec<u32> = records.standing().map(|(number, _)| number).collect();
        assert_eq!(standing, [1]);
    }

    /// The bytes of a block as a checkpoint holds it now, or held it once.
    fn form(is_now: bool, block: &Block) -> Vec<u8> {
        if is_now {
            return block.encode().unwrap().unwrap();
        }
        let records: Vec<Stored> =
            Opened::of(block, 0, None).unwrap().iter().map(Held::into_owned).collect();
        let mut bytes = Vec::new();
        ciborium::into_writer(&records, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn blocks_bring_back_the_same_records() {
        let mut records = Records::default();
        for n in 0..300 {
            records.push(record(&format!("e{n}"), 1, 10));
        }
        assert_eq!(records.take_dirty().len(), 3);
        records.push(record("e7", 1, 9));
        assert_eq!(records.take_dirty().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 2]);

        let mut restored = Records::default();
        for (number, block) in records.blocks.iter().enumerate() {
            restored.restore(&form(number % 2 == 0, block)).unwrap();
        }
        assert_eq!(restored.len(), 301);
        assert!(restored.standing().eq(records.standing()));
        assert_eq!(restored.judge(&record("e299", 1, 10), &Texts::default()), Copies::Same);
        assert_eq!(restored.judge(&record("e7", 1, 10), &Texts::default()), Copies::Same);
        assert_eq!(restored.judge(&record("e7", 1, 12), &Texts::default()), Copies::Repeat);
        assert_eq!(restored.judge(&record("e300", 1, 10), &Texts::default()), Copies::First);
    }
}
