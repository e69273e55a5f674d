//! Columns: byte strings of varints, so that neither size nor decoding grows with CBOR items.
//!
//! Unsigned numbers are LEB128; signed ones are zigzag-coded first. A reader never trusts a length:
//! what is missing is [`DecodeError::Truncated`].

pub mod bits;
pub mod keys;
pub mod parts;
pub mod runs;
pub mod texts;

use crate::error::DecodeError;
use crate::ids::EventId;

/// Appends to a column.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// The bytes written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte as it is.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// An unsigned number.
    pub fn unsigned(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number as u8) | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A signed number.
    pub fn signed(&mut self, number: i64) {
        self.unsigned(((number << 1) ^ (number >> 63)) as u64);
    }

    /// A reference that may be absent: 0, else the reference plus one.
    pub fn optional(&mut self, reference: Option<u32>) {
        self.unsigned(reference.map_or(0, |r| u64::from(r) + 1));
    }

    /// Bytes as they are, without their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A text with its length in bytes before it.
    pub fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// An event id: 0 and the 16 bytes of a UUID, else the length and the text.
    pub fn event_id(&mut self, id: &EventId) {
        match id {
            EventId::Uuid(bytes) => {
                self.unsigned(0);
                self.0.extend_from_slice(bytes);
            }
            EventId::Text(text) => self.text(text),
        }
    }
}

/// Reads a column from its beginning.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// At the beginning of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// So many bytes as they are.
    ///
    /// # Errors
    /// If the column ends before.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// One byte as it is.
    ///
    /// # Errors
    /// If the column ends here.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take(1)?.first().copied().ok_or(DecodeError::Truncated)
    }

    /// An unsigned number.
    ///
    /// # Errors
    /// If the column ends here or the number exceeds 64 bits.
    pub fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Malformed("a number exceeds 64 bits"))
    }

    /// A signed number.
    ///
    /// # Errors
    /// As [`Self::unsigned`].
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let number = self.unsigned()?;
        Ok(((number >> 1) as i64) ^ -((number & 1) as i64))
    }

    /// A number of 32 bits, below `end`.
    ///
    /// # Errors
    /// If it is not.
    pub fn reference(&mut self, end: usize) -> Result<u32, DecodeError> {
        let number = self.unsigned()?;
        let below = usize::try_from(number).is_ok_and(|n| n < end);
        u32::try_from(number)
            .ok()
            .filter(|_| below)
            .ok_or(DecodeError::Malformed("a reference leads outside its table"))
    }

    /// A reference below `end` that may be absent.
    ///
    /// # Errors
    /// If it leads outside its table.
    pub fn optional(&mut self, end: usize) -> Result<Option<u32>, DecodeError> {
        let number = self.reference(end + 1)?;
        Ok(number.checked_sub(1))
    }

    /// A text.
    ///
    /// # Errors
    /// If the column ends before, or the bytes are no UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.unsigned()?;
        self.text_of(length)
    }

    /// So many bytes as they are, by a number that was read.
    ///
    /// # Errors
    /// If the column ends before.
    pub fn take_u64(&mut self, count: u64) -> Result<&'a [u8], DecodeError> {
        self.take(usize::try_from(count).map_err(|_| DecodeError::Truncated)?)
    }

    fn text_of(&mut self, length: u64) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.take_u64(length)?).map_err(|_| DecodeError::Malformed("no UTF-8"))
    }

    /// An event id.
    ///
    /// # Errors
    /// If the column ends before, or the text is no id.
    pub fn event_id(&mut self) -> Result<EventId, DecodeError> {
        match self.unsigned()? {
            0 => {
                let bytes = self.take(16)?;
                bytes.try_into().map(EventId::Uuid).map_err(|_| DecodeError::Truncated)
            }
            length => EventId::parse(self.text_of(length)?)
                .map_err(|_| DecodeError::Malformed("an event id is none")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let unsigned = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX];
        let signed = [0, -1, 1, i64::MIN, i64::MAX, -64, 64];
        let mut writer = Writer::default();
        unsigned.iter().for_each(|n| writer.unsigned(*n));
        signed.iter().for_each(|n| writer.signed(*n));
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        unsigned.iter().for_each(|n| assert_eq!(reader.unsigned(), Ok(*n)));
        signed.iter().for_each(|n| assert_eq!(reader.signed(), Ok(*n)));
        assert!(reader.is_at_end());
        assert_eq!(reader.unsigned(), Err(DecodeError::Truncated));
    }

    #[test]
    fn lies_are_refused() {
        assert!(Reader::new(&[0xff; 11]).unsigned().is_err());
        assert_eq!(Reader::new(&[0x80]).unsigned(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[200, 1, b'x']).text(), Err(DecodeError::Truncated));
        assert!(Reader::new(&[2, 0xc3, 0x28]).text().is_err());
        assert!(Reader::new(&[3]).reference(3).is_err());
        assert_eq!(Reader::new(&[3]).optional(3), Ok(Some(2)));
        assert!(Reader::new(&[4]).optional(3).is_err());
        assert!(Reader::new(&[3, b'a', b' ', b'b']).event_id().is_err());
    }
}
