//! Frame v1: how a [`Batch`] is sent and stored, as bytes.
//!
//! ```text
//! offset  bytes  what
//!      0      3  "ETF"
//!      3      1  version
//!      4      4  length of the body, little endian
//!      8      8  XXH3-64 of the body, little endian
//!     16      n  body: one CBOR map
//! ```
//!
//! The body is a small CBOR envelope; what grows with events stands inside it as columns (byte
//! strings of varints, see [`crate::columns`]). Members that a reader does not know are skipped,
//! columns that a writer did not know are read as absent. The number of a frame is not part of it:
//! it travels beside, so that a shard can send the same bytes under a new epoch.

mod follows;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::batch::{Batch, SiteBatch};
use crate::columns::{Reader, Writer};
use crate::error::{DecodeError, RejectCode};
use crate::event::Platform;
use crate::ids::SiteId;
use crate::record::{Fact, Flags, Letter, Record, Tables};
use crate::rollup::{CounterKey, RejectKey};
use follows::Follows;

/// The version written here.
pub const VERSION: u8 = 1;
/// Bytes before the body.
pub const HEAD_BYTES: usize = 16;
const MAGIC: &[u8; 3] = b"ETF";

/// What stands before the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Version of the body.
    pub version: u8,
    /// XXH3-64 of the body.
    pub checksum: u64,
    /// Length of the whole frame, head included.
    pub bytes: usize,
}

#[derive(Serialize, Deserialize)]
struct WireBatch {
    at: i64,
    sites: Vec<WireSite>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct WireSite {
    site: String,
    tables: Tables,
    count: u32,
    columns: Columns,
    #[serde(skip_serializing_if = "Follows::are_empty")]
    follows: Follows,
    facts: Vec<Fact>,
    #[serde(with = "serde_bytes")]
    counters: Vec<u8>,
    #[serde(with = "serde_bytes")]
    rejects: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    letters: Vec<Letter>,
    #[serde(with = "serde_bytes")]
    duplicates: Vec<u8>,
    #[serde(with = "serde_bytes")]
    dropped: Vec<u8>,
}

macro_rules! columns {
    ($($name:ident,)*) => {
        /// The columns of records, one value each for every record.
        #[derive(Default, Serialize, Deserialize)]
        #[serde(default)]
        struct Columns { $(#[serde(with = "serde_bytes")] $name: Vec<u8>,)* }

        #[derive(Default)]
        struct Writers { $($name: Writer,)* }

        impl From<Writers> for Columns {
            fn from(writers: Writers) -> Self {
                Self { $($name: writers.$name.into_bytes(),)* }
            }
        }

        struct Readers<'a> { $($name: Reader<'a>,)* }

        impl<'a> From<&'a Columns> for Readers<'a> {
            fn from(columns: &'a Columns) -> Self {
                Self { $($name: Reader::new(&columns.$name),)* }
            }
        }

        impl Readers<'_> {
            fn are_at_end(&self) -> bool {
                true $(&& self.$name.is_at_end())*
            }
        }
    };
}

columns! {
    id, client, user, name, platform, occurred, received, flags, page, referrer, campaign,
}

impl Writers {
    fn push(&mut self, record: &Record, before: (i64, i64)) {
        self.id.event_id(&record.id);
        self.client.optional(record.client);
        self.user.optional(record.user);
        self.name.unsigned(u64::from(record.name));
        self.platform.byte(record.platform as u8);
        self.occurred.signed(record.occurred_at_ms.wrapping_sub(before.0));
        self.received.signed(record.received_at_ms.wrapping_sub(before.1));
        self.flags.byte(record.flags.0);
        self.page.optional(record.page);
        self.referrer.optional(record.referrer);
        self.campaign.optional(record.campaign);
    }
}

impl Readers<'_> {
    fn next(&mut self, tables: &Tables, before: (i64, i64)) -> Result<Record, DecodeError> {
        Ok(Record {
            id: self.id.event_id()?,
            client: self.client.optional(tables.clients.len())?,
            user: self.user.optional(tables.users.len())?,
            name: self.name.reference(tables.names.len())?,
            platform: platform(self.platform.byte()?)?,
            occurred_at_ms: before.0.wrapping_add(self.occurred.signed()?),
            received_at_ms: before.1.wrapping_add(self.received.signed()?),
            flags: Flags(self.flags.byte()?),
            page: self.page.optional(tables.pages.len())?,
            referrer: self.referrer.optional(tables.referrers.len())?,
            campaign: self.campaign.optional(tables.campaigns.len())?,
            grade: None,
            place: None,
            device: None,
        })
    }
}

fn platform(number: u8) -> Result<Platform, DecodeError> {
    Platform::from_wire(number).ok_or(DecodeError::Malformed("an unknown platform"))
}

/// Writes a batch as a frame. Equal batches give equal bytes, on every platform.
#[must_use]
pub fn encode(batch: &Batch) -> Vec<u8> {
    let wire = WireBatch {
        at: batch.committed_at_ms,
        sites: batch.sites.iter().map(encode_site).collect(),
    };
    let mut frame = vec![0u8; HEAD_BYTES];
    let written = ciborium::into_writer(&wire, &mut frame);
    debug_assert!(written.is_ok(), "a vector takes every byte");
    let body = frame.split_off(HEAD_BYTES);
    frame.clear();
    frame.extend_from_slice(MAGIC);
    frame.push(VERSION);
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    frame.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    frame.extend_from_slice(&body);
    frame
}

fn encode_site(site: &SiteBatch) -> WireSite {
    let mut writers = Writers::default();
    let mut before = (0, 0);
    for record in &site.records {
        writers.push(record, before);
        before = (record.occurred_at_ms, record.received_at_ms);
    }
    WireSite {
        site: site.site.to_string(),
        tables: site.tables.clone(),
        count: u32::try_from(site.records.len()).unwrap_or(u32::MAX),
        columns: writers.into(),
        follows: Follows::of(&site.records, &site.tables),
        facts: site.facts.clone(),
        counters: encode_counters(&site.counters),
        rejects: encode_rejects(&site.rejects),
        letters: site.letters.clone(),
        duplicates: encode_seconds(&site.duplicates),
        dropped: encode_seconds(&site.dropped),
    }
}

fn encode_counters(counters: &BTreeMap<CounterKey, u64>) -> Vec<u8> {
    let (mut writer, mut before) = (Writer::default(), 0);
    for (key, count) in counters {
        writer.signed(key.second.wrapping_sub(before));
        writer.unsigned(u64::from(key.name));
        writer.byte((key.platform as u8) << 1 | u8::from(key.bot));
        writer.unsigned(*count);
        before = key.second;
    }
    writer.into_bytes()
}

fn encode_rejects(rejects: &BTreeMap<RejectKey, u64>) -> Vec<u8> {
    let (mut writer, mut before) = (Writer::default(), 0);
    for (key, count) in rejects {
        writer.signed(key.second.wrapping_sub(before));
        writer.byte(key.code as u8);
        writer.unsigned(*count);
        before = key.second;
    }
    writer.into_bytes()
}

fn encode_seconds(seconds: &BTreeMap<i64, u64>) -> Vec<u8> {
    let (mut writer, mut before) = (Writer::default(), 0);
    for (second, count) in seconds {
        writer.signed(second.wrapping_sub(before));
        writer.unsigned(*count);
        before = *second;
    }
    writer.into_bytes()
}

/// Reads what stands before the body of the frame that `bytes` begins with.
///
/// # Errors
/// If the bytes do not begin with a whole frame. The version is not judged here.
pub fn peek(bytes: &[u8]) -> Result<Head, DecodeError> {
    let head = bytes.get(..HEAD_BYTES).ok_or(DecodeError::Truncated)?;
    let (magic, rest) = head.split_at_checked(3).ok_or(DecodeError::Truncated)?;
    if magic != MAGIC {
        return Err(DecodeError::Magic);
    }
    let number = |range: std::ops::Range<usize>| {
        let digits = rest.get(range).unwrap_or_default();
        digits.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let body_bytes = usize::try_from(number(1..5)).map_err(|_| DecodeError::Truncated)?;
    let length = HEAD_BYTES.checked_add(body_bytes).ok_or(DecodeError::Truncated)?;
    if bytes.len() < length {
        return Err(DecodeError::Truncated);
    }
    let version = rest.first().copied().unwrap_or_default();
    Ok(Head { version, checksum: number(5..13), bytes: length })
}

/// Reads the frame that `bytes` begins with.
///
/// References are checked against their tables here, so that later code may follow them.
///
/// # Errors
/// If the bytes do not begin with a whole, undamaged frame of a known version.
pub fn decode(bytes: &[u8]) -> Result<Batch, DecodeError> {
    let head = peek(bytes)?;
    if head.version != VERSION {
        return Err(DecodeError::UnsupportedVersion(head.version));
    }
    let body = bytes.get(HEAD_BYTES..head.bytes).ok_or(DecodeError::Truncated)?;
    if xxh3_64(body) != head.checksum {
        return Err(DecodeError::Checksum);
    }
    let wire: WireBatch = ciborium::from_reader(body)
        .map_err(|_| DecodeError::Malformed("the body is no CBOR map of a batch"))?;
    let sites = wire.sites.into_iter().map(decode_site).collect::<Result<_, _>>()?;
    Ok(Batch { committed_at_ms: wire.at, sites })
}

fn decode_site(wire: WireSite) -> Result<SiteBatch, DecodeError> {
    let site = SiteId::parse(&wire.site).map_err(|_| DecodeError::Malformed("no site id"))?;
    let mut readers = Readers::from(&wire.columns);
    let mut records = Vec::new();
    let mut before = (0, 0);
    for _ in 0..wire.count {
        let record = readers.next(&wire.tables, before)?;
        before = (record.occurred_at_ms, record.received_at_ms);
        records.push(record);
    }
    if !readers.are_at_end() {
        return Err(DecodeError::Malformed("a column is longer than the others"));
    }
    wire.follows.fill(&mut records, &wire.tables)?;
    if wire.facts.iter().any(|fact| fact.record >= wire.count) {
        return Err(DecodeError::Malformed("a fact has no record"));
    }
    let names = wire.tables.names.len();
    Ok(SiteBatch {
        site,
        records,
        facts: wire.facts,
        counters: decode_counters(&wire.counters, names)?,
        rejects: decode_rejects(&wire.rejects)?,
        letters: wire.letters,
        duplicates: decode_seconds(&wire.duplicates)?,
        dropped: decode_seconds(&wire.dropped)?,
        tables: wire.tables,
    })
}

fn decode_counters(bytes: &[u8], names: usize) -> Result<BTreeMap<CounterKey, u64>, DecodeError> {
    let (mut reader, mut counters, mut second) = (Reader::new(bytes), BTreeMap::new(), 0i64);
    while !reader.is_at_end() {
        second = second.wrapping_add(reader.signed()?);
        let name = reader.reference(names)?;
        let mark = reader.byte()?;
        let key = CounterKey { second, name, platform: platform(mark >> 1)?, bot: mark & 1 == 1 };
        counters.insert(key, reader.unsigned()?);
    }
    Ok(counters)
}

fn decode_rejects(bytes: &[u8]) -> Result<BTreeMap<RejectKey, u64>, DecodeError> {
    let (mut reader, mut rejects, mut second) = (Reader::new(bytes), BTreeMap::new(), 0i64);
    while !reader.is_at_end() {
        second = second.wrapping_add(reader.signed()?);
        let code = RejectCode::from_wire(reader.byte()?)
            .ok_or(DecodeError::Malformed("an unknown reject code"))?;
        rejects.insert(RejectKey { second, code }, reader.unsigned()?);
    }
    Ok(rejects)
}

fn decode_seconds(bytes: &[u8]) -> Result<BTreeMap<i64, u64>, DecodeError> {
    let (mut reader, mut seconds, mut second) = (Reader::new(bytes), BTreeMap::new(), 0i64);
    while !reader.is_at_end() {
        second = second.wrapping_add(reader.signed()?);
        seconds.insert(second, reader.unsigned()?);
    }
    Ok(seconds)
}
