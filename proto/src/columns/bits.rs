//! Columns of small numbers that all differ: ages of events, numbers of names.
//!
//! `width` (one byte), the low `width` bits of every number, lowest first, then the numbers that
//! are wider: how many were not since the last, and what is above the low bits. The width is the
//! one that makes the column smallest. A column of nothing but zeros has no bytes.

use super::{Reader, Writer};
use crate::error::DecodeError;

/// Bits of the widest number.
const WIDEST: usize = 64;

fn bits_of(number: u64) -> usize {
    WIDEST - number.leading_zeros() as usize
}

fn low(number: u64, width: usize) -> u64 {
    if width >= WIDEST { number } else { number & ((1 << width) - 1) }
}

fn above(number: u64, width: usize) -> u64 {
    if width >= WIDEST { 0 } else { number >> width }
}

/// The width with the fewest bits in all; the smaller one of two that are as good.
fn best_width(numbers: &[u64]) -> usize {
    let mut by_bits = [0usize; WIDEST + 1];
    for number in numbers {
        if let Some(count) = by_bits.get_mut(bits_of(*number)) {
            *count += 1;
        }
    }
    // Of most columns few numbers of bits occur, and no width beyond the widest is any good.
    let occurring: Vec<(usize, usize)> =
        by_bits.into_iter().enumerate().filter(|(_, count)| *count > 0).collect();
    let widest = occurring.last().map_or(0, |(bits, _)| *bits);
    let cost = |width: usize| {
        let wider = occurring.iter().filter(|(bits, _)| *bits > width);
        // One byte for the distance, and the bytes of a varint.
        let exceptions = wider.map(|(bits, count)| count * (8 + 8 * (bits - width).div_ceil(7)));
        width * numbers.len() + exceptions.sum::<usize>()
    };
    (0..=widest).min_by_key(|width| (cost(*width), *width)).unwrap_or(WIDEST)
}

/// The bytes of a column.
#[must_use]
pub fn encode(numbers: &[u64]) -> Vec<u8> {
    let mut out = Writer::default();
    if numbers.iter().all(|number| *number == 0) {
        return out.into_bytes();
    }
    let width = best_width(numbers);
    out.byte(width as u8);
    let (mut held, mut count) = (0u128, 0);
    for number in numbers {
        held |= u128::from(low(*number, width)) << count;
        count += width;
        while count >= 8 {
            out.byte(held as u8);
            held >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.byte(held as u8);
    }
    let mut skipped = 0;
    for number in numbers {
        match above(*number, width) {
            0 => skipped += 1,
            above => {
                out.unsigned(skipped);
                out.unsigned(above);
                skipped = 0;
            }
        }
    }
    out.into_bytes()
}

/// The `count` numbers of a column.
///
/// # Errors
/// If the bytes are no such column.
pub fn decode(bytes: &[u8], count: usize) -> Result<Vec<u64>, DecodeError> {
    let Some((width, rest)) = bytes.split_first() else { return Ok(vec![0; count]) };
    let width = usize::from(*width);
    if width > WIDEST {
        return Err(DecodeError::Malformed("a number exceeds 64 bits"));
    }
    let packed = count.checked_mul(width).ok_or(DecodeError::Truncated)?.div_ceil(8);
    let (packed, rest) = rest.split_at_checked(packed).ok_or(DecodeError::Truncated)?;
    let (mut held, mut bits, mut packed) = (0u128, 0, packed.iter());
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        while bits < width {
            held |= u128::from(packed.next().copied().unwrap_or_default()) << bits;
            bits += 8;
        }
        numbers.push(low(held as u64, width));
        held >>= width;
        bits -= width;
    }
    let (mut reader, mut at) = (Reader::new(rest), 0usize);
    while !reader.is_at_end() {
        at = at.saturating_add(usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX));
        let above = reader.unsigned()?;
        let number = numbers.get_mut(at).ok_or(DecodeError::Malformed("a number too many"))?;
        if width >= WIDEST || bits_of(above) + width > WIDEST {
            return Err(DecodeError::Malformed("a number exceeds 64 bits"));
        }
        *number |= above << width;
        at += 1;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[u64], bytes: usize) {
        let encoded = encode(numbers);
        assert_eq!(encoded.len(), bytes, "{numbers:?}");
        assert_eq!(decode(&encoded, numbers.len()).as_deref(), Ok(numbers));
    }

    #[test]
    fn numbers_come_back_in_few_bytes() {
        check(&[], 0);
        check(&[0; 100], 0);
        check(&[5; 8], 1 + 3);
        check(&[1_000; 100], 1 + 125);
        // One that is a day old costs three bytes more, and the others nothing.
        let mut ages = [1_000; 100];
        ages[50] = 86_400_000;
        check(&ages, 1 + 125 + 4);
        check(&[u64::MAX; 2], 17);
        check(&[0, 0, u64::MAX], 1 + 1 + 10);
    }

    #[test]
    fn lies_are_refused() {
        assert!(decode(&[65], 0).is_err());
        assert_eq!(decode(&[8, 1], 2), Err(DecodeError::Truncated));
        assert!(decode(&[8, 1, 0, 1, 0, 1], 1).is_err());
        assert!(decode(&[63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 1).is_err());
        assert!(decode(&[1], usize::MAX).is_err());
    }
}
