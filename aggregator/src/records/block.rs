//! Blocks of records: the newest open, the others packed, the oldest perhaps only in the store.

use std::fmt::Debug;
use std::sync::Arc;

use edgetally_proto::ids::{EventId, SiteId};
use imbl::Vector;

use super::BLOCK_RECORDS;
use super::packed::Packed;
use super::stored::{Clues, Origin, Stored};
use crate::held::Held;
use crate::texts::TextId;

/// Brings back blocks that are only in the store. Who cannot says so himself: what is left out
/// must not pass for what is not there.
pub trait Away: Debug + Send + Sync {
    /// The block with a number.
    fn block(&self, number: usize) -> Option<Arc<Packed>>;
    /// A block is no longer what the store holds.
    fn changed(&self, number: usize);
    /// The site is deleted, and its blocks with it.
    fn forget(&self);
}

/// Knows where the blocks of each site are brought back from.
pub trait Vaults: Debug + Send + Sync {
    /// Brings back the blocks of a site.
    fn of_site(&self, site: &SiteId) -> Arc<dyn Away>;
}

/// Records with neighbouring numbers.
#[derive(Debug, Clone)]
pub enum Block {
    /// It grows.
    Open(Arc<Vec<Stored>>),
    /// It is full.
    Packed(Arc<Packed>),
    /// It is full, and only in the store.
    Away,
}

impl Block {
    /// What a checkpoint holds of it; nothing of one that is in the store already.
    ///
    /// # Errors
    /// If it cannot be written down, which no sound state can cause.
    pub fn encode(&self) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Open(records) => Packed::of(records).encode().map(Some),
            Self::Packed(packed) => packed.encode().map(Some),
            Self::Away => Ok(None),
        }
    }
}

/// A block to read from.
#[derive(Debug, Clone)]
pub(super) enum Opened<'a> {
    Open(&'a [Stored]),
    Packed(&'a Packed),
    Fetched(Arc<Packed>),
}

impl<'a> Opened<'a> {
    pub(super) fn of(
        block: &'a Block,
        number: usize,
        away: Option<&Arc<dyn Away>>,
    ) -> Option<Self> {
        Some(match block {
            Block::Open(records) => Self::Open(records),
            Block::Packed(packed) => Self::Packed(packed),
            Block::Away => Self::Fetched(away?.block(number)?),
        })
    }

    pub(super) fn get(&self, at: usize) -> Option<Held<'a, Stored>> {
        match self {
            Self::Open(records) => records.get(at).map(Held::Lent),
            Self::Packed(packed) => packed.get(at).map(Held::Made),
            Self::Fetched(packed) => packed.get(at).map(Held::Made),
        }
    }

    fn packed(&self) -> Result<&Packed, &'a [Stored]> {
        match self {
            Self::Open(records) => Err(records),
            Self::Packed(packed) => Ok(packed),
            Self::Fetched(packed) => Ok(packed),
        }
    }

    pub(super) fn id(&self, at: usize) -> Option<EventId> {
        match self.packed() {
            Ok(packed) => packed.id(at),
            Err(records) => Some(records.get(at)?.id.clone()),
        }
    }

    pub(super) fn client(&self, at: usize) -> Option<TextId> {
        match self.packed() {
            Ok(packed) => Some(packed.client(at)),
            Err(records) => Some(records.get(at)?.client),
        }
    }

    pub(super) fn occurred_at_ms(&self, at: usize) -> Option<i64> {
        match self.packed() {
            Ok(packed) => Some(packed.occurred_at_ms(at)),
            Err(records) => Some(records.get(at)?.occurred_at_ms),
        }
    }

    pub(super) fn moment(&self, at: usize) -> Option<(i64, TextId)> {
        match self.packed() {
            Ok(packed) => Some((packed.occurred_at_ms(at), packed.name(at))),
            Err(records) => records.get(at).map(|record| (record.occurred_at_ms, record.name)),
        }
    }

    pub(super) fn campaign(&self, at: usize) -> Option<TextId> {
        match self.packed() {
            Ok(packed) => packed.campaign(at),
            Err(records) => records.get(at)?.campaign,
        }
    }

    pub(super) fn seen(&self, at: usize) -> Option<(TextId, Option<TextId>)> {
        match self.packed() {
            Ok(packed) => Some((packed.name(at), packed.page(at))),
            Err(records) => records.get(at).map(|record| (record.name, record.page)),
        }
    }

    pub(super) fn clues(&self, at: usize) -> Option<Clues> {
        match self.packed() {
            Ok(packed) => Some(packed.clues(at)),
            Err(records) => records.get(at).map(Stored::clues),
        }
    }

    pub(super) fn origin(&self, at: usize) -> Option<Origin> {
        match self.packed() {
            Ok(packed) => Some(packed.origin(at)),
            Err(records) => records.get(at).map(Stored::origin),
        }
    }

    /// A packed block with one record changed; none of an open one.
    pub(super) fn changed(&self, at: usize, change: impl FnOnce(&mut Stored)) -> Option<Packed> {
        self.packed().ok().map(|packed| packed.changed(at, change))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Held<'a, Stored>> {
        (0..BLOCK_RECORDS).map_while(move |at| self.get(at))
    }
}

/// Block and place of a record.
pub(super) fn place_of(record: u32) -> (usize, usize) {
    let at = usize::try_from(record).unwrap_or(usize::MAX);
    (at / BLOCK_RECORDS, at % BLOCK_RECORDS)
}

/// Every record of some blocks with its number, superseded ones too.
pub(super) fn all<'a>(
    blocks: impl Iterator<Item = &'a Block>,
    away: Option<&Arc<dyn Away>>,
) -> impl Iterator<Item = (u32, Held<'a, Stored>)> {
    let opened = blocks.enumerate().filter_map(move |(number, block)| {
        let first = u32::try_from(number * BLOCK_RECORDS).ok()?;
        Some((first..).zip(Opened::of(block, number, away)?.iter()))
    });
    opened.flatten()
}

/// The records of a site as readers see them.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub(super) blocks: Vector<Block>,
    pub(super) away: Option<Arc<dyn Away>>,
}

impl Shown {
    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        // All blocks but the last are full.
        let last = match self.blocks.last() {
            None => return 0,
            Some(Block::Open(records)) => records.len(),
            Some(Block::Packed(packed)) => packed.len(),
            Some(Block::Away) => BLOCK_RECORDS,
        };
        u32::try_from((self.blocks.len() - 1) * BLOCK_RECORDS + last).unwrap_or(u32::MAX)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The record with a number.
    #[must_use]
    pub fn get(&self, record: u32) -> Option<Held<'_, Stored>> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.get(at)
    }

    /// The id of a record, without reading the rest of it.
    #[must_use]
    pub fn id(&self, record: u32) -> Option<EventId> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.id(at)
    }

    /// The client of a record, without reading the rest of it.
    #[must_use]
    pub fn client(&self, record: u32) -> Option<TextId> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.client(at)
    }

    /// Event time and name of a record, without reading the rest of it.
    #[must_use]
    pub fn moment(&self, record: u32) -> Option<(i64, TextId)> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.moment(at)
    }

    /// The campaign of a record, without reading the rest of it.
    #[must_use]
    pub fn campaign(&self, record: u32) -> Option<TextId> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.campaign(at)
    }

    /// Name and page of a record, without reading the rest of it.
    #[must_use]
    pub fn seen(&self, record: u32) -> Option<(TextId, Option<TextId>)> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.seen(at)
    }

    /// What a record says of its touch, without reading the rest of it.
    #[must_use]
    pub fn clues(&self, record: u32) -> Option<Clues> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.clues(at)
    }

    /// Where a record came from, without reading the rest of it.
    #[must_use]
    pub fn origin(&self, record: u32) -> Option<Origin> {
        let (number, at) = place_of(record);
        Opened::of(self.blocks.get(number)?, number, self.away.as_ref())?.origin(at)
    }

    /// Every record with its number, superseded ones too.
    pub fn all(&self) -> impl Iterator<Item = (u32, Held<'_, Stored>)> {
        all(self.blocks.iter(), self.away.as_ref())
    }
}
