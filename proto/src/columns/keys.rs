//! Columns of ids: of events, clients and users. Most are random UUIDs, of which 122 bits are
//! chance and the rest says so; these take fifteen bytes and a quarter.
//!
//! First the kinds as runs, behind their length; then the upper two bits of every random UUID;
//! then in turn its other 15 bytes, the 16 of another UUID, or a text behind its length.

use super::runs::{RunReader, RunWriter};
use super::{Reader, Writer};
use crate::error::DecodeError;
use crate::ids::EventId;

/// An id, as far as its bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// The 16 bytes of a UUID.
    Uuid([u8; 16]),
    /// Any other text.
    Text(&'a str),
}

const RANDOM: u64 = 0;
const UUID: u64 = 1;
const TEXT: u64 = 2;

impl<'a> Key<'a> {
    /// Of a text: a UUID only if its canonical form is this very text.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let hyphens = [8, 13, 18, 23];
        let digits = text.bytes().enumerate().filter(|(at, _)| !hyphens.contains(at));
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_uuid = text.len() == 36
            && hyphens.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'))
            && digits.clone().all(|(_, byte)| is_digit(byte));
        if !is_uuid {
            return Self::Text(text);
        }
        let value =
            |byte: u8| u128::from(if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 });
        let number = digits.fold(0u128, |number, (_, byte)| number << 4 | value(byte));
        Self::Uuid(number.to_be_bytes())
    }
}

/// The 122 bits of a random UUID (version 4, variant 2).
fn chance_of(uuid: [u8; 16]) -> Option<u128> {
    let number = u128::from_be_bytes(uuid);
    let is_random = number >> 76 & 0xF == 4 && number >> 62 & 3 == 2;
    is_random.then_some(number >> 80 << 74 | (number >> 64 & 0xFFF) << 62 | number & LOW)
}

const LOW: u128 = (1 << 62) - 1;

fn random_of(chance: u128) -> [u8; 16] {
    let (high, middle) = (chance >> 74, chance >> 62 & 0xFFF);
    (high << 80 | 4 << 76 | middle << 64 | 2 << 62 | chance & LOW).to_be_bytes()
}

/// The canonical text of a UUID.
#[must_use]
pub fn text_of(uuid: [u8; 16]) -> String {
    EventId::Uuid(uuid).to_string()
}

/// Writes a column of ids.
#[derive(Debug, Default)]
pub struct KeyWriter {
    kinds: RunWriter,
    out: Writer,
    /// Two bits of every random UUID, the first lowest.
    rest: Vec<u8>,
    randoms: usize,
}

impl KeyWriter {
    /// The next id.
    pub fn push(&mut self, key: Key<'_>) {
        match key {
            Key::Text(text) => {
                self.kinds.push(TEXT);
                self.out.text(text);
            }
            Key::Uuid(uuid) => match chance_of(uuid) {
                Some(chance) => self.push_random(chance),
                None => {
                    self.kinds.push(UUID);
                    self.out.bytes(&uuid);
                }
            },
        }
    }

    fn push_random(&mut self, chance: u128) {
        self.kinds.push(RANDOM);
        let bytes = chance.to_le_bytes();
        let (low, _) = bytes.split_at(15);
        self.out.bytes(low);
        if self.randoms.is_multiple_of(4) {
            self.rest.push(0);
        }
        if let Some(last) = self.rest.last_mut() {
            *last |= ((chance >> 120) as u8) << (2 * (self.randoms % 4));
        }
        self.randoms += 1;
    }

    /// The bytes of the column.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let body = self.out.into_bytes();
        if body.is_empty() {
            return body;
        }
        let (kinds, mut out) = (self.kinds.into_bytes(), Writer::default());
        out.unsigned(kinds.len() as u64);
        out.bytes(&kinds);
        out.bytes(&self.rest);
        out.bytes(&body);
        out.into_bytes()
    }
}

/// Reads `count` ids; `read` makes each of its key.
///
/// # Errors
/// If the bytes are no such column, or `read` refuses one.
pub fn decode<T>(
    bytes: &[u8],
    count: usize,
    read: impl Fn(Key<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    // An id has a byte at least: a lie about the count must not make an allocation.
    if count > bytes.len() {
        return Err(DecodeError::Truncated);
    }
    let (mut body, mut ids) = (Reader::new(bytes), Vec::with_capacity(count));
    if count == 0 {
        return if body.is_at_end() { Ok(ids) } else { Err(LONGER) };
    }
    let kinds = body.unsigned()?;
    let mut kinds = RunReader::new(body.take_u64(kinds)?);
    let kinds: Vec<u64> = (0..count).map(|_| kinds.next_number()).collect::<Result<_, _>>()?;
    let randoms = kinds.iter().filter(|kind| **kind == RANDOM).count();
    let mut rest = Rest { bytes: body.take(randoms.div_ceil(4))?, at: 0 };
    for kind in kinds {
        ids.push(match kind {
            RANDOM => read(Key::Uuid(random_of(low_of(body.take(15)?) | rest.next_bits())))?,
            UUID => {
                let uuid = body.take(16)?.try_into().map_err(|_| DecodeError::Truncated)?;
                read(Key::Uuid(uuid))?
            }
            _ => read(Key::Text(body.text()?))?,
        });
    }
    if body.is_at_end() { Ok(ids) } else { Err(LONGER) }
}

const LONGER: DecodeError = DecodeError::Malformed("a column is longer than the others");

fn low_of(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// The upper two bits of random UUIDs, one after the other.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Rest<'_> {
    fn next_bits(&mut self) -> u128 {
        let byte = self.bytes.get(self.at / 4).copied().unwrap_or_default();
        let bits = byte >> (2 * (self.at % 4)) & 3;
        self.at += 1;
        u128::from(bits) << 120
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], bytes: usize) {
        let mut writer = KeyWriter::default();
        texts.iter().for_each(|text| writer.push(Key::of(text)));
        let written = writer.into_bytes();
        assert_eq!(written.len(), bytes, "{texts:?}");
        let read = decode(&written, texts.len(), |key| {
            Ok(match key {
                Key::Text(text) => text.to_owned(),
                Key::Uuid(uuid) => text_of(uuid),
            })
        });
        assert_eq!(
            read.as_deref(),
            Ok(&texts.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
        );
    }

    #[test]
    fn ids_come_back() {
        check(&[], 0);
        let random = "5f1c0c1e-0c53-4a62-9d4b-0d8a7d1c2b3a";
        check(&[random], 1 + 1 + 15);
        check(
            &[random, "ffffffff-ffff-4fff-bfff-ffffffffffff", random, random, random],
            1 + 2 + 75,
        );
        check(&["0193a5b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b"], 1 + 1 + 16);
        check(&["order:T-1", random, "5F1C0C1E-0C53-4A62-9D4B-0D8A7D1C2B3A"], 1 + 3 + 10 + 16 + 37);
    }

    #[test]
    fn lies_are_refused() {
        let read = |bytes: &[u8], count| decode(bytes, count, |_| Ok(()));
        assert!(read(&[], 1).is_err());
        assert!(read(&[0; 4], usize::MAX).is_err());
        assert!(read(&[0, 0, 0, 0], 1).is_err());
        assert!(read(&[1, 12, 1, b'a', 0], 1).is_err());
        assert_eq!(read(&[1, 12, 1, b'a'], 1), Ok(vec![()]));
    }
}
