//! A full block of records as one string of bytes, of which any record is read where it lies.
//!
//! Every column has numbers of one width in bits, above a base or as places in a short list of what
//! occurs, so nothing is unpacked to find one. Checkpoints hold the same bytes, and after them what
//! the records say of orders: what the back office says in few bytes ([`short`]), else as CBOR.
//!
//! `version count`, then for each column `width base place`, the places of ids and texts and the
//! length of all that; then the columns, 16 bytes for each id, the texts of ids that are no UUIDs.

mod bits;

use std::sync::Arc;

use edgetally_proto::event::Platform;
use edgetally_proto::ids::EventId;
use edgetally_proto::record::{Fact, Flags};
use edgetally_proto::visitor::Device;

use self::bits::push_column;
use super::short::{self, SHORT, Said};
use super::stored::{Clues, Origin, Stored};
use crate::texts::TextId;

/// Not the first byte of a CBOR list, which is what blocks were before.
const VERSION: u8 = 1;
/// Of a block in whose checkpoint something of the back office is short.
const VERSION_SHORT: u8 = 2;
const COLUMNS: usize = 14;
const COLUMN_BYTES: usize = 13;
const COLUMNS_AT: usize = 2;
const IDS_AT: usize = COLUMNS_AT + COLUMNS * COLUMN_BYTES;
const TEXTS_AT: usize = IDS_AT + 4;
const END_AT: usize = TEXTS_AT + 4;
const HEAD_BYTES: usize = END_AT + 4;
const ID_BYTES: usize = 16;
/// Numbers are read eight bytes at a time, also the last one.
const PADDING: usize = 8;
/// Marks a width whose numbers are places in a list.
const LISTED: u8 = 0x80;
/// Longest list of what occurs in a column.
const LIST_MAX: usize = 64;
/// Numbers of more bits begin at a byte, so that eight bytes hold them.
const WIDEST: u32 = 56;
/// Beside the flags of a record: an earlier copy stands in its place.
const SUPERSEDED: u64 = 1 << 8;

/// What a column holds.
#[derive(Debug, Clone, Copy)]
#[repr(usize)]
enum Column {
    Client,
    User,
    Name,
    Platform,
    Occurred,
    Received,
    Flags,
    Page,
    Referrer,
    Campaign,
    Grade,
    Place,
    Device,
    IsText,
}

/// Some records, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    bytes: Box<[u8]>,
    /// What records say of orders, by place: it is large and rare.
    facts: Box<[(u8, Arc<Fact>)]>,
    /// Where in `short` it ends what the back office says, by place.
    told: Box<[(u8, u32)]>,
    short: Box<[u8]>,
}

/// Keeps the order of times.
fn of_time(ms: i64) -> u64 {
    ms.cast_unsigned() ^ 1 << 63
}

fn to_time(number: u64) -> i64 {
    (number ^ 1 << 63).cast_signed()
}

fn of_option(text: Option<TextId>) -> u64 {
    text.map_or(0, |text| u64::from(text) + 1)
}

fn to_text(number: u64) -> TextId {
    TextId::try_from(number).unwrap_or_default()
}

fn to_option(number: u64) -> Option<TextId> {
    number.checked_sub(1).map(to_text)
}

fn of_device(device: Device) -> u64 {
    let (kind, browser, system) = device.into();
    u64::from_le_bytes([kind, browser, system, 0, 0, 0, 0, 0])
}

fn to_device(number: u64) -> Device {
    let [kind, browser, system, ..] = number.to_le_bytes();
    Device::from((kind, browser, system))
}

/// What each column holds of a record.
fn numbers(record: &Stored) -> [u64; COLUMNS] {
    let superseded = if record.is_superseded { SUPERSEDED } else { 0 };
    [
        record.client.into(),
        of_option(record.user),
        record.name.into(),
        record.platform as u64,
        of_time(record.occurred_at_ms),
        of_time(record.received_at_ms),
        u64::from(record.flags.0) | superseded,
        of_option(record.page),
        of_option(record.referrer),
        of_option(record.campaign),
        record.grade.into(),
        record.place.into(),
        of_device(record.device),
        u64::from(matches!(record.id, EventId::Text(_))),
    ]
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn put_place(bytes: &mut [u8], at: usize) {
    let here = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    put(bytes, at, &here.to_le_bytes());
}

impl Packed {
    /// Packs records, at most 128.
    #[must_use]
    pub fn of(records: &[Stored]) -> Self {
        let mut said = Said::default();
        for (at, record) in (0..=u8::MAX).zip(records) {
            record.fact.iter().for_each(|fact| said.push(at, fact));
        }
        Self::pack(records, said)
    }

    /// The same records but for one that is changed; what the others say is taken over as it lies.
    #[must_use]
    pub fn changed(&self, at: usize, change: impl FnOnce(&mut Stored)) -> Self {
        let mut records: Vec<Stored> = self.plain_iter().collect();
        let fact = self.fact(at);
        if let Some(record) = records.get_mut(at) {
            record.fact = fact;
            change(record);
        }
        let mut said = Said::default();
        for (place, record) in (0..=u8::MAX).zip(&records) {
            if usize::from(place) == at {
                record.fact.iter().for_each(|fact| said.push(place, fact));
            } else if let Some(bytes) = self.short(place.into()) {
                said.push_short(place, bytes);
            } else if let Some(fact) = self.fact(place.into()) {
                said.facts.push((place, fact));
            }
        }
        Self::pack(&records, said)
    }

    fn pack(records: &[Stored], said: Said) -> Self {
        let mut bytes = vec![0; HEAD_BYTES];
        put(&mut bytes, 0, &[VERSION, u8::try_from(records.len()).unwrap_or(u8::MAX)]);
        let rows: Vec<[u64; COLUMNS]> = records.iter().map(numbers).collect();
        for column in 0..COLUMNS {
            let at = COLUMNS_AT + column * COLUMN_BYTES;
            put_place(&mut bytes, at + 9);
            let numbers: Vec<u64> =
                rows.iter().filter_map(|row| row.get(column)).copied().collect();
            let (width, base) = push_column(&mut bytes, &numbers);
            put(&mut bytes, at, &[width]);
            put(&mut bytes, at + 1, &base.to_le_bytes());
        }
        push_ids(&mut bytes, records);
        bytes.resize(bytes.len() + PADDING, 0);
        put_place(&mut bytes, END_AT);
        Self::with(bytes, said)
    }

    fn with(bytes: impl Into<Box<[u8]>>, said: Said) -> Self {
        let Said { facts, told, short } = said;
        Self { bytes: bytes.into(), facts: facts.into(), told: told.into(), short: short.into() }
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.get(1).copied().unwrap_or_default().into()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes, what events say of orders left out.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.short.len()
    }

    /// The record at a place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Stored> {
        Some(Stored { fact: self.fact(at), ..self.plain(at)? })
    }

    /// The record at a place without what it says of orders.
    fn plain(&self, at: usize) -> Option<Stored> {
        if at >= self.len() {
            return None;
        }
        let number = |column| self.number(column, at);
        let flags = number(Column::Flags);
        let [platform, ..] = number(Column::Platform).to_le_bytes();
        let [marks, ..] = flags.to_le_bytes();
        Some(Stored {
            id: self.id(at)?,
            client: to_text(number(Column::Client)),
            user: to_option(number(Column::User)),
            name: to_text(number(Column::Name)),
            platform: Platform::from_wire(platform).unwrap_or(Platform::Web),
            occurred_at_ms: to_time(number(Column::Occurred)),
            received_at_ms: to_time(number(Column::Received)),
            flags: Flags(marks),
            page: to_option(number(Column::Page)),
            referrer: to_option(number(Column::Referrer)),
            campaign: to_option(number(Column::Campaign)),
            grade: to_text(number(Column::Grade)),
            place: to_text(number(Column::Place)),
            device: to_device(number(Column::Device)),
            fact: None,
            is_superseded: flags & SUPERSEDED != 0,
        })
    }

    /// Every record, in order, without what they say of orders.
    pub fn plain_iter(&self) -> impl Iterator<Item = Stored> {
        (0..self.len()).filter_map(|at| self.plain(at))
    }

    /// Every record, in order.
    pub fn iter(&self) -> impl Iterator<Item = Stored> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// The id of the record at a place.
    #[must_use]
    pub fn id(&self, at: usize) -> Option<EventId> {
        let place = self.place(IDS_AT)? + at * ID_BYTES;
        let id: [u8; ID_BYTES] = self.bytes.get(place..place + ID_BYTES)?.try_into().ok()?;
        if self.number(Column::IsText, at) == 0 {
            return Some(EventId::Uuid(id));
        }
        let ([from, ..], [.., length]) = (id.as_chunks::<4>().0, &id) else { return None };
        let start = self.place(TEXTS_AT)? + usize::try_from(u32::from_le_bytes(*from)).ok()?;
        let text = self.bytes.get(start..start + usize::from(*length))?;
        Some(EventId::Text(std::str::from_utf8(text).ok()?.into()))
    }

    /// The client of the record at a place.
    #[must_use]
    pub fn client(&self, at: usize) -> TextId {
        to_text(self.number(Column::Client, at))
    }

    /// The event time of the record at a place.
    #[must_use]
    pub fn occurred_at_ms(&self, at: usize) -> i64 {
        to_time(self.number(Column::Occurred, at))
    }

    /// The name of the record at a place.
    #[must_use]
    pub fn name(&self, at: usize) -> TextId {
        to_text(self.number(Column::Name, at))
    }

    /// The campaign of the record at a place.
    #[must_use]
    pub fn campaign(&self, at: usize) -> Option<TextId> {
        to_option(self.number(Column::Campaign, at))
    }

    /// The page of the record at a place.
    #[must_use]
    pub fn page(&self, at: usize) -> Option<TextId> {
        to_option(self.number(Column::Page, at))
    }

    /// What the record at a place says of its touch.
    #[must_use]
    pub fn clues(&self, at: usize) -> Clues {
        Clues {
            grade: to_text(self.number(Column::Grade, at)),
            referrer: to_option(self.number(Column::Referrer, at)),
            campaign: to_option(self.number(Column::Campaign, at)),
        }
    }

    /// What the record at a place says of where it came from.
    #[must_use]
    pub fn origin(&self, at: usize) -> Origin {
        let [platform, ..] = self.number(Column::Platform, at).to_le_bytes();
        Origin {
            place: to_text(self.number(Column::Place, at)),
            device: to_device(self.number(Column::Device, at)),
            platform: Platform::from_wire(platform).unwrap_or(Platform::Web),
        }
    }

    fn fact(&self, at: usize) -> Option<Arc<Fact>> {
        if let Some(bytes) = self.short(at) {
            return short::decode(bytes).map(Arc::new);
        }
        let place = self.facts.binary_search_by_key(&at, |(of, _)| usize::from(*of)).ok()?;
        self.facts.get(place).map(|(_, fact)| fact.clone())
    }

    fn short(&self, at: usize) -> Option<&[u8]> {
        let place = self.told.binary_search_by_key(&at, |(of, _)| usize::from(*of)).ok()?;
        let end_of = |place: usize| usize::try_from(self.told.get(place)?.1).ok();
        let start = place.checked_sub(1).map_or(Some(0), end_of)?;
        self.short.get(start..end_of(place)?)
    }

    fn place(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn eight(&self, at: usize) -> u64 {
        let bytes = self.bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    fn bits(&self, from: usize, at: usize, width: u32) -> u64 {
        let first = at * width as usize;
        let read = self.eight(from + first / 8) >> (first % 8);
        if width == u64::BITS { read } else { read & ((1 << width) - 1) }
    }

    fn number(&self, column: Column, at: usize) -> u64 {
        let head = COLUMNS_AT + column as usize * COLUMN_BYTES;
        let width = self.bytes.get(head).copied().unwrap_or_default();
        let (base, place) = (self.eight(head + 1), self.place(head + 9).unwrap_or_default());
        let bits = u32::from(width & !LISTED);
        if width & LISTED == 0 {
            return base.wrapping_add(self.bits(place, at, bits));
        }
        let length = usize::try_from(base).unwrap_or_default();
        let listed = self.bits(place + 4 * length, at, bits);
        let listed = usize::try_from(listed).unwrap_or_default();
        self.eight(place + 4 * listed) & u64::from(u32::MAX)
    }

    /// What a checkpoint holds.
    ///
    /// # Errors
    /// If what it says of orders cannot be written down, which no sound state can cause.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let mut out = self.bytes.to_vec();
        let mut push = |at: u8, said: &[u8]| {
            out.push(at);
            out.extend(u32::try_from(said.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend(said);
        };
        for (at, fact) in &self.facts {
            let mut said = Vec::new();
            ciborium::into_writer(fact.as_ref(), &mut said).map_err(|error| error.to_string())?;
            push(*at, &said);
        }
        for (at, _) in &self.told {
            push(at | SHORT, self.short(usize::from(*at)).unwrap_or_default());
        }
        if !self.told.is_empty() {
            put(&mut out, 0, &[VERSION_SHORT]);
        }
        Ok(out)
    }

    /// Reads a full block of a checkpoint, packed or as it was stored before blocks were.
    ///
    /// # Errors
    /// If that is no block.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if Self::is_one(bytes) {
            return Self::decode(bytes);
        }
        let records: Vec<Stored> =
            ciborium::from_reader(bytes).map_err(|error| error.to_string())?;
        Ok(Self::of(&records))
    }

    /// Whether bytes are a packed block, and not one as it was stored before there were any.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(&(VERSION | VERSION_SHORT)))
    }

    /// Reads what a checkpoint holds.
    ///
    /// # Errors
    /// If that is no packed block.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let broken = || "a block of records is broken".to_owned();
        let end = Self::with(bytes, Said::default()).place(END_AT);
        let end = end.filter(|end| *end >= HEAD_BYTES && Self::is_one(bytes)).ok_or_else(broken)?;
        let (packed, mut rest) = bytes.split_at_checked(end).ok_or_else(broken)?;
        let mut facts = Said::default();
        while let Some((at, after)) = rest.split_first() {
            let (length, after) = after.split_first_chunk::<4>().ok_or_else(broken)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| broken())?;
            let (said, after) = after.split_at_checked(length).ok_or_else(broken)?;
            if at & SHORT == 0 || bytes.first() == Some(&VERSION) {
                let fact: Fact = ciborium::from_reader(said).map_err(|error| error.to_string())?;
                facts.facts.push((*at, Arc::new(fact)));
            } else {
                short::decode(said).ok_or_else(broken)?;
                facts.push_short(at & !SHORT, said);
            }
            rest = after;
        }
        let mut block = Self::with(packed, facts);
        put(&mut block.bytes, 0, &[VERSION]);
        if block.plain_iter().count() != block.len() {
            return Err(broken());
        }
        Ok(block)
    }
}

fn push_ids(bytes: &mut Vec<u8>, records: &[Stored]) {
    put_place(bytes, IDS_AT);
    let mut texts: Vec<u8> = Vec::new();
    for record in records {
        match &record.id {
            EventId::Uuid(id) => bytes.extend(id),
            EventId::Text(text) => {
                let mut slot = [0; ID_BYTES];
                let from = u32::try_from(texts.len()).unwrap_or(u32::MAX);
                put(&mut slot, 0, &from.to_le_bytes());
                put(&mut slot, ID_BYTES - 1, &[u8::try_from(text.len()).unwrap_or(u8::MAX)]);
                bytes.extend(slot);
                texts.extend(text.as_bytes());
            }
        }
    }
    put_place(bytes, TEXTS_AT);
    bytes.extend(texts);
}

#[cfg(test)]
mod tests;
