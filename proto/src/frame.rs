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
//! strings, see [`crate::columns`]). Members that a reader does not know are skipped,
//! columns that a writer did not know are read as absent. The number of a frame is not part of it:
//! it travels beside, so that a shard can send the same bytes under a new epoch.

mod counters;
mod facts;
mod follows;
mod records;
mod site;
mod tables;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::batch::Batch;
use crate::error::DecodeError;
use crate::event::NAMES;
use site::WireSite;

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
struct WireBatch<'a> {
    #[serde(rename = "a")]
    at: i64,
    #[serde(rename = "s")]
    sites: Vec<WireSite<'a>>,
}

/// Writes a batch as a frame. Equal batches give equal bytes, on every platform.
#[must_use]
pub fn encode(batch: &Batch) -> Vec<u8> {
    let at = batch.committed_at_ms;
    let wire = WireBatch { at, sites: batch.sites.iter().map(|s| site::encode(s, at)).collect() };
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

/// Bytes of a batch's frame by section; together they are the frame.
#[must_use]
pub fn sections(batch: &Batch) -> Vec<(&'static str, usize)> {
    let at = batch.committed_at_ms;
    let mut all: Vec<(&str, usize)> = vec![("head", HEAD_BYTES), ("envelope", 0)];
    for (name, bytes) in batch.sites.iter().flat_map(|share| site::sections(share, at)) {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += bytes,
            None => all.push((name, bytes)),
        }
    }
    let known: usize = all.iter().map(|(_, bytes)| bytes).sum();
    if let Some((_, envelope)) = all.get_mut(1) {
        *envelope = encode(batch).len().saturating_sub(known);
    }
    all
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
    let wire: WireBatch<'static> = ciborium::from_reader(body)
        .map_err(|_| DecodeError::Malformed("the body is no CBOR map of a batch"))?;
    let at = wire.at;
    let sites = wire.sites.into_iter().map(|share| site::decode(share, at));
    Ok(Batch { committed_at_ms: at, sites: sites.collect::<Result<_, _>>()? })
}
