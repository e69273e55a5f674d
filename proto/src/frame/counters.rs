//! The counters of a site in a frame: sorted by second, each as the difference to the one before.

use std::collections::BTreeMap;

use crate::columns::{Reader, Writer};
use crate::error::{DecodeError, RejectCode};
use crate::rollup::RejectKey;

/// Counts below this stand in one number with their cell.
const MANY: u64 = 4;

/// Writes cells of (second, number) in their order: by second its distance to the one before, how
/// many cells it has, and those.
fn write(cells: &[(i64, u64, u64)], from_second: i64) -> Vec<u8> {
    let (mut out, mut before) = (Writer::default(), from_second);
    for of_second in cells.chunk_by(|a, b| a.0 == b.0) {
        let second = of_second.first().map_or(before, |(second, _, _)| *second);
        out.signed(second.wrapping_sub(before));
        out.unsigned(of_second.len() as u64);
        let mut last = 0;
        for (_, number, count) in of_second {
            let small = if *count < MANY { *count } else { 0 };
            out.unsigned(number.wrapping_sub(last) << 2 | small);
            if small == 0 {
                out.unsigned(*count);
            }
            last = *number;
        }
        before = second;
    }
    out.into_bytes()
}

fn read<K: Ord>(
    bytes: &[u8],
    from_second: i64,
    key: impl Fn(i64, u64) -> Result<K, DecodeError>,
) -> Result<BTreeMap<K, u64>, DecodeError> {
    let (mut reader, mut counters, mut second) = (Reader::new(bytes), BTreeMap::new(), from_second);
    while !reader.is_at_end() {
        second = second.wrapping_add(reader.signed()?);
        let mut number = 0u64;
        for _ in 0..reader.unsigned()? {
            let head = reader.unsigned()?;
            number = number.wrapping_add(head >> 2);
            let small = head & (MANY - 1);
            let count = if small == 0 { reader.unsigned()? } else { small };
            counters.insert(key(second, number)?, count);
        }
    }
    Ok(counters)
}

/// The bytes of counts of rejected events.
pub fn encode_rejects(rejects: &BTreeMap<RejectKey, u64>, from_second: i64) -> Vec<u8> {
    let cells = rejects.iter().map(|(key, count)| (key.second, key.code as u64, *count));
    write(&cells.collect::<Vec<_>>(), from_second)
}

/// Reads counts of rejected events.
///
/// # Errors
/// If the bytes are no such counts.
pub fn decode_rejects(
    bytes: &[u8],
    from_second: i64,
) -> Result<BTreeMap<RejectKey, u64>, DecodeError> {
    read(bytes, from_second, |second, number| {
        let code = u8::try_from(number).ok().and_then(RejectCode::from_wire);
        let code = code.ok_or(DecodeError::Malformed("an unknown reject code"))?;
        Ok(RejectKey { second, code })
    })
}

/// The bytes of counts by second alone.
pub fn encode_seconds(seconds: &BTreeMap<i64, u64>, from_second: i64) -> Vec<u8> {
    let cells = seconds.iter().map(|(second, count)| (*second, 0, *count));
    write(&cells.collect::<Vec<_>>(), from_second)
}

/// Reads counts by second alone.
///
/// # Errors
/// If the bytes are no such counts.
pub fn decode_seconds(bytes: &[u8], from_second: i64) -> Result<BTreeMap<i64, u64>, DecodeError> {
    read(bytes, from_second, |second, number| match number {
        0 => Ok(second),
        _ => Err(DecodeError::Malformed("a second has one count")),
    })
}
