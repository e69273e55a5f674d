//! The records of a site: one for every accepted event, by arrival, with an exact index of ids.
//!
//! Nothing lossy decides that an event is a repeat: the index finds the record, and the record
//! holds the whole id.

mod index;

use std::cmp::Ordering;
use std::sync::Arc;

use edgetally_proto::copies::Said;
use edgetally_proto::event::Platform;
use edgetally_proto::ids::EventId;
use edgetally_proto::record::{Fact, Flags};
use edgetally_proto::visitor::Device;
use hashbrown::HashTable;
use imbl::Vector;
use serde::{Deserialize, Serialize};

use crate::texts::{TextId, Texts};
use crate::timeline::Ids;
use index::{Indexed, hash, spread};

/// Records of one checkpoint block.
pub const BLOCK_RECORDS: usize = 128;

/// One accepted event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Stored {
    /// Its id.
    pub id: EventId,
    /// Its client; the empty text for events of the shop's server without one.
    pub client: TextId,
    /// The valid user id it carries.
    pub user: Option<TextId>,
    /// Its name.
    pub name: TextId,
    /// Where it came from.
    pub platform: Platform,
    /// Event time, epoch ms.
    pub occurred_at_ms: i64,
    /// When the edge took it, epoch ms.
    pub received_at_ms: i64,
    /// Marks.
    pub flags: Flags,
    /// Path of its page.
    pub page: Option<TextId>,
    /// Host of its referrer.
    pub referrer: Option<TextId>,
    /// Its campaign, as JSON.
    pub campaign: Option<TextId>,
    /// Its channel, as JSON; the empty text if nothing came from outside.
    pub grade: TextId,
    /// Its place, as JSON: country, region, city; the empty text if it is not known.
    pub place: TextId,
    /// What its visitor used.
    pub device: Device,
    /// What it says about an order.
    pub fact: Option<Arc<Fact>>,
    /// Whether an earlier copy turned up, which stands in its place.
    pub is_superseded: bool,
}

/// The stored form: without names, because there are very many.
type Row = (
    (EventId, TextId, Option<TextId>, TextId),
    (u8, i64, i64, u8),
    (Option<TextId>, Option<TextId>, Option<TextId>, TextId, TextId, Device),
    (Option<Fact>, bool),
);

impl From<Row> for Stored {
    fn from(row: Row) -> Self {
        let ((id, client, user, name), times, refs, (fact, is_superseded)) = row;
        let (platform, occurred_at_ms, received_at_ms, flags) = times;
        let (page, referrer, campaign, grade, place, device) = refs;
        Self {
            id,
            client,
            user,
            name,
            platform: Platform::from_wire(platform).unwrap_or(Platform::Web),
            occurred_at_ms,
            received_at_ms,
            flags: Flags(flags),
            page,
            referrer,
            campaign,
            grade,
            place,
            device,
            fact: fact.map(Arc::new),
            is_superseded,
        }
    }
}

impl From<Stored> for Row {
    fn from(record: Stored) -> Self {
        let fact = record.fact.map(Arc::unwrap_or_clone);
        let Stored { page, referrer, campaign, grade, place, device, .. } = record;
        (
            (record.id, record.client, record.user, record.name),
            (record.platform as u8, record.occurred_at_ms, record.received_at_ms, record.flags.0),
            (page, referrer, campaign, grade, place, device),
            (fact, record.is_superseded),
        )
    }
}

impl Stored {
    /// What it says, with its texts.
    fn said<'a>(&'a self, texts: &'a Texts) -> Said<'a> {
        let text = |id: Option<TextId>| id.map(|id| texts.text(id));
        Said {
            name: texts.text(self.name),
            client: texts.text(self.client),
            user: text(self.user),
            platform: self.platform,
            occurred_at_ms: self.occurred_at_ms,
            flags: self.flags,
            page: text(self.page),
            referrer: text(self.referrer),
            campaign: text(self.campaign),
            grade: texts.text(self.grade),
            place: texts.text(self.place),
            device: self.device,
            fact: self.fact.as_deref(),
        }
    }
}

impl Stored {
    /// What is left of a record that was erased: its number.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            id: EventId::Uuid([0; 16]),
            client: 0,
            user: None,
            name: 0,
            platform: Platform::Web,
            occurred_at_ms: 0,
            received_at_ms: 0,
            flags: Flags(0),
            page: None,
            referrer: None,
            campaign: None,
            grade: 0,
            place: 0,
            device: Device::default(),
            fact: None,
            is_superseded: true,
        }
    }

    /// Whether nothing is left of it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.is_superseded && self.received_at_ms == 0
    }

    /// The texts that may tell who somebody is; names of events do not.
    pub fn personal_texts(&self) -> impl Iterator<Item = TextId> {
        let own = [self.user, self.page, self.referrer, self.campaign];
        let of_table = [self.client, self.grade, self.place];
        own.into_iter().flatten().chain(of_table).filter(|text| *text != 0)
    }
}

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
    blocks: Vec<Arc<Vec<Stored>>>,
    shown: Vector<Arc<Vec<Stored>>>,
    index: HashTable<Indexed>,
    /// Copies that do not stand, so that one that is delivered again is known.
    copies: HashTable<Indexed>,
    dirty: Dirty,
    len: u32,
}

impl Records {
    /// The record with a number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Stored> {
        let at = usize::try_from(number).ok()?;
        self.blocks.get(at / BLOCK_RECORDS)?.get(at % BLOCK_RECORDS)
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
    pub fn standing(&self) -> impl Iterator<Item = (u32, &Stored)> {
        self.all().filter(|(_, record)| !record.is_superseded)
    }

    /// Every record with its number, superseded ones too.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Stored)> {
        (0u32..).zip(self.blocks.iter().flat_map(|block| block.iter()))
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
        let same = |of: &Indexed| {
            let is_it = |held: &Stored| held.client == client && held.id == *id;
            of.hash == hash && self.get(of.record).is_some_and(is_it)
        };
        self.index.find(spread(hash), same).map(|of| of.record)
    }

    fn find(&self, record: &Stored) -> Option<(u32, &Stored)> {
        let number = self.standing_for(record.client, &record.id)?;
        self.get(number).map(|held| (number, held))
    }

    /// Keeps a record whose id is new, under the next number.
    pub fn push_first(&mut self, record: Stored) -> u32 {
        self.append(record)
    }

    /// Keeps a record under the next number; a copy that it supersedes is marked.
    pub fn push(&mut self, record: Stored) -> u32 {
        if let Some((superseded, _)) = self.find(&record) {
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
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK_RECORDS) {
            self.blocks.push(Arc::new(Vec::with_capacity(BLOCK_RECORDS)));
        }
        if let Some(block) = self.blocks.last_mut() {
            Arc::make_mut(block).push(record);
        }
        self.len += 1;
        self.dirty.insert(self.blocks.len() - 1);
        number
    }

    fn supersede(&mut self, number: u32) {
        self.withdraw(number, |record| record.is_superseded = true);
        if let Some(copy) = self.get(number).cloned() {
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
        let key = spread(hash(held.client, &held.id));
        let index = if held.is_superseded { &mut self.copies } else { &mut self.index };
        if let Ok(entry) = index.find_entry(key, |other| other.record == number) {
            entry.remove();
        }
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(block) = self.blocks.get_mut(at / BLOCK_RECORDS) {
            if let Some(record) = Arc::make_mut(block).get_mut(at % BLOCK_RECORDS) {
                change(record);
            }
            self.dirty.insert(at / BLOCK_RECORDS);
        }
    }

    fn index_record(&mut self, number: u32, record: &Stored) {
        let index = if record.is_superseded { &mut self.copies } else { &mut self.index };
        let of = Indexed { hash: hash(record.client, &record.id), record: number };
        index.insert_unique(of.spread(), of, Indexed::spread);
    }

    /// The blocks that changed since the last call.
    pub fn take_dirty(&mut self) -> Vec<(usize, Arc<Vec<Stored>>)> {
        let dirty = take_each(&mut self.dirty.unsaved);
        let block = |at: usize| self.blocks.get(at).map(|block| (at, block.clone()));
        dirty.into_iter().filter_map(block).collect()
    }

    /// What readers see: the blocks as they are now.
    pub fn show(&mut self) -> Vector<Arc<Vec<Stored>>> {
        for block in self.blocks.iter().skip(self.shown.len()) {
            self.shown.push_back(block.clone());
        }
        for at in take_each(&mut self.dirty.unseen) {
            if let Some(block) = self.blocks.get(at) {
                self.shown.set(at, block.clone());
            }
        }
        self.shown.clone()
    }

    /// How many blocks there are.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Puts back a block as it was stored; blocks come in order.
    pub fn restore(&mut self, block: Vec<Stored>) {
        let first = self.len;
        self.len += u32::try_from(block.len()).unwrap_or(u32::MAX);
        let block = Arc::new(block);
        self.blocks.push(block.clone());
        for (number, record) in (first..).zip(block.iter()) {
            if !record.is_blank() {
                self.index_record(number, record);
            }
        }
    }
}

impl Ids for Records {
    fn id(&self, record: u32) -> Option<&EventId> {
        self.get(record).map(|record| &record.id)
    }
}

#[cfg(test)]
mod tests {
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
        for block in &records.blocks {
            let mut bytes = Vec::new();
            ciborium::into_writer(block.as_ref(), &mut bytes).unwrap();
            restored.restore(ciborium::from_reader(bytes.as_slice()).unwrap());
        }
        assert_eq!(restored.len(), 301);
        assert!(restored.standing().eq(records.standing()));
        assert_eq!(restored.judge(&record("e299", 1, 10), &Texts::default()), Copies::Same);
        assert_eq!(restored.judge(&record("e7", 1, 10), &Texts::default()), Copies::Same);
        assert_eq!(restored.judge(&record("e7", 1, 12), &Texts::default()), Copies::Repeat);
        assert_eq!(restored.judge(&record("e300", 1, 10), &Texts::default()), Copies::First);
    }
}
