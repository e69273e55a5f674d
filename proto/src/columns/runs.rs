//! Columns whose values stay the same for several records: client, page, time of receipt.
//!
//! A run is one varint, `(number + 1) << 2 | length - 1` for up to three records; of longer ones a
//! second varint holds what goes beyond four. A column of nothing but zeros has no bytes.

use super::{Reader, Writer};
use crate::error::DecodeError;

/// Runs of this length and more have it behind their number.
const LONG: u64 = 4;
/// Numbers from here on stand apart from their run's length.
const LARGE: u64 = 1 << 61;

fn write_run(out: &mut Writer, number: u64, length: u64) {
    let short = length.saturating_sub(1).min(LONG - 1);
    let code = if number < LARGE { number + 1 } else { 0 };
    out.unsigned(code << 2 | short);
    if code == 0 {
        out.unsigned(number);
    }
    if short == LONG - 1 {
        out.unsigned(length - LONG);
    }
}

/// Writes a column of numbers.
#[derive(Debug, Default)]
pub struct RunWriter {
    out: Writer,
    number: u64,
    length: u64,
}

impl RunWriter {
    /// The next number.
    pub fn push(&mut self, number: u64) {
        if self.length > 0 && number != self.number {
            write_run(&mut self.out, self.number, self.length);
            self.length = 0;
        }
        self.number = number;
        self.length += 1;
    }

    /// The bytes of the column.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        if !self.out.is_empty() || self.number != 0 {
            write_run(&mut self.out, self.number, self.length);
        }
        self.out.into_bytes()
    }
}

/// Reads a column of numbers from its beginning.
#[derive(Debug)]
pub struct RunReader<'a> {
    bytes: Reader<'a>,
    is_absent: bool,
    number: u64,
    left: u64,
}

impl<'a> RunReader<'a> {
    /// At the beginning of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Reader::new(bytes), is_absent: bytes.is_empty(), number: 0, left: 0 }
    }

    /// The next number, and whether a run begins with it.
    fn next_of_run(&mut self) -> Result<(u64, bool), DecodeError> {
        if self.is_absent {
            return Ok((0, false));
        }
        let begins = self.left == 0;
        if begins {
            let head = self.bytes.unsigned()?;
            self.number = match head >> 2 {
                0 => self.bytes.unsigned()?,
                code => code - 1,
            };
            let short = head & (LONG - 1);
            let more = if short == LONG - 1 { self.bytes.unsigned()? } else { 0 };
            self.left = more.saturating_add(short + 1);
        }
        self.left -= 1;
        Ok((self.number, begins))
    }

    /// The next number.
    ///
    /// # Errors
    /// If the column ends here, or is none.
    pub fn next_number(&mut self) -> Result<u64, DecodeError> {
        self.next_of_run().map(|(number, _)| number)
    }

    /// Whether every number was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.left == 0 && self.bytes.is_at_end()
    }
}

/// Writes a column of numbers by their distances, one for each run.
#[derive(Debug)]
pub struct StepWriter {
    out: Writer,
    before: i64,
    number: i64,
    length: u64,
}

impl StepWriter {
    /// The first distance is to `from`.
    #[must_use]
    pub fn new(from: i64) -> Self {
        Self { out: Writer::default(), before: from, number: from, length: 0 }
    }

    /// The next number.
    pub fn push(&mut self, number: i64) {
        if self.length > 0 && number != self.number {
            self.write_run();
            self.length = 0;
        }
        self.number = number;
        self.length += 1;
    }

    fn write_run(&mut self) {
        let step = self.number.wrapping_sub(self.before);
        write_run(&mut self.out, ((step << 1) ^ (step >> 63)) as u64, self.length);
        self.before = self.number;
    }

    /// The bytes of the column.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        if !self.out.is_empty() || self.number != self.before {
            self.write_run();
        }
        self.out.into_bytes()
    }
}

/// Reads a column of numbers by their distances.
#[derive(Debug)]
pub struct StepReader<'a> {
    runs: RunReader<'a>,
    number: i64,
}

impl<'a> StepReader<'a> {
    /// At the beginning of `bytes`; the first distance is to `from`.
    #[must_use]
    pub fn new(bytes: &'a [u8], from: i64) -> Self {
        Self { runs: RunReader::new(bytes), number: from }
    }

    /// The next number.
    ///
    /// # Errors
    /// If the column ends here, or is none.
    pub fn next_number(&mut self) -> Result<i64, DecodeError> {
        let (step, begins) = self.runs.next_of_run()?;
        if begins {
            let step = ((step >> 1) as i64) ^ -((step & 1) as i64);
            self.number = self.number.wrapping_add(step);
        }
        Ok(self.number)
    }

    /// Whether every number was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.runs.is_at_end()
    }
}

/// Writes references into a table whose entries stand in the order of their first appearance.
///
/// Number 0 is none, 1 the next entry of the table, and others tell how far back the entry is.
#[derive(Debug, Default)]
pub struct RefWriter {
    out: Writer,
    reference: Option<u32>,
    length: u64,
    next: u64,
}

impl RefWriter {
    /// The next reference, which may be absent.
    pub fn push(&mut self, reference: Option<u32>) {
        if self.length > 0 && reference != self.reference {
            self.write_run();
            self.length = 0;
        }
        self.reference = reference;
        self.length += 1;
    }

    fn write_run(&mut self) {
        let number = match self.reference.map(u64::from) {
            None => 0,
            Some(new) if new == self.next => 1,
            Some(known) if known < self.next => self.next - known + 1,
            // Out of its order, which only hand-made batches have: beyond all distances.
            Some(later) => later + 1,
        };
        self.next = self.next.max(self.reference.map_or(0, |reference| u64::from(reference) + 1));
        write_run(&mut self.out, number, self.length);
    }

    /// The bytes of the column.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        if !self.out.is_empty() || self.reference.is_some() {
            self.write_run();
        }
        self.out.into_bytes()
    }
}

/// Reads a column of references from its beginning.
#[derive(Debug)]
pub struct RefReader<'a> {
    runs: RunReader<'a>,
    reference: Option<u32>,
    next: u64,
}

impl<'a> RefReader<'a> {
    /// At the beginning of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { runs: RunReader::new(bytes), reference: None, next: 0 }
    }

    /// The next reference, below `end`.
    ///
    /// # Errors
    /// If the column ends here or the reference leads outside its table.
    pub fn optional(&mut self, end: usize) -> Result<Option<u32>, DecodeError> {
        let (number, begins) = self.runs.next_of_run()?;
        if begins {
            let next = self.next;
            let reference = match number {
                0 => None,
                1 => Some(next),
                back if back <= next + 1 => Some(next + 1 - back),
                later => Some(later - 1),
            };
            self.reference = reference.map(|reference| below(reference, end)).transpose()?;
            self.next = next.max(self.reference.map_or(0, |r| u64::from(r) + 1));
        }
        Ok(self.reference)
    }

    /// Whether every reference was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.runs.is_at_end()
    }
}

fn below(reference: u64, end: usize) -> Result<u32, DecodeError> {
    let number = u32::try_from(reference).ok();
    number
        .filter(|number| usize::try_from(*number).is_ok_and(|number| number < end))
        .ok_or(DecodeError::Malformed("a reference leads outside its table"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_numbers(numbers: &[u64], bytes: usize) {
        let mut writer = RunWriter::default();
        numbers.iter().for_each(|number| writer.push(*number));
        let written = writer.into_bytes();
        assert_eq!(written.len(), bytes, "{numbers:?}");
        let mut reader = RunReader::new(&written);
        numbers.iter().for_each(|number| assert_eq!(reader.next_number(), Ok(*number)));
        assert!(reader.is_at_end());
    }

    #[test]
    fn runs_come_back() {
        check_numbers(&[], 0);
        check_numbers(&[0; 1_000], 0);
        check_numbers(&[7; 3], 1);
        check_numbers(&[7; 4], 2);
        check_numbers(&[7; 131], 2);
        check_numbers(&[7, 7, 30, 31, 0, 0, 0], 5);
        check_numbers(&[u64::MAX, u64::MAX, LARGE, LARGE - 1], 31);
    }

    fn check_references(references: &[Option<u32>], bytes: usize) {
        let mut writer = RefWriter::default();
        references.iter().for_each(|reference| writer.push(*reference));
        let written = writer.into_bytes();
        assert_eq!(written.len(), bytes, "{references:?}");
        let mut reader = RefReader::new(&written);
        references.iter().for_each(|reference| assert_eq!(reader.optional(500), Ok(*reference)));
        assert!(reader.is_at_end());
    }

    #[test]
    fn references_come_back() {
        let some = |reference| Some(reference);
        check_references(&[None; 50], 0);
        // A visitor's events one after the other cost a byte together.
        check_references(&[some(0), some(0), some(0), some(1), some(1), some(2)], 3);
        check_references(&[some(0), some(1), some(0), None, some(2), some(1)], 6);
        check_references(&[some(400), some(3), None, some(499), some(401)], 9);
    }

    #[test]
    fn lies_are_refused() {
        assert!(RefReader::new(&[2 << 2]).optional(0).is_err());
        assert!(RefReader::new(&[2 << 2]).optional(1).is_ok());
        assert!(RefReader::new(&[200, 1]).optional(10).is_err());
        assert_eq!(RunReader::new(&[0]).next_number(), Err(DecodeError::Truncated));
        let mut long = RunReader::new(&[7, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert_eq!(long.next_number(), Ok(0));
        assert!(!long.is_at_end());
    }
}
