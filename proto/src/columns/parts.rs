//! Several byte strings in one, of which most may be empty: a varint whose bits tell which are
//! there, and those behind their lengths. A reader that knows fewer of them skips the rest.

use super::{Reader, Writer};
use crate::error::DecodeError;

/// Most parts: one bit each.
const PARTS_MAX: usize = 64;

/// Puts parts together; the same parts have the same place for ever.
#[must_use]
pub fn join(parts: &[Vec<u8>]) -> Vec<u8> {
    debug_assert!(parts.len() <= PARTS_MAX, "a part has no bit");
    let mut out = Writer::default();
    let there = || parts.iter().enumerate().filter(|(_, part)| !part.is_empty());
    let mask = there().fold(0u64, |mask, (at, _)| mask | 1 << at);
    if mask == 0 {
        return out.into_bytes();
    }
    out.unsigned(mask);
    for (_, part) in there() {
        out.unsigned(part.len() as u64);
        out.bytes(part);
    }
    out.into_bytes()
}

/// Takes `N` parts apart; absent ones are empty.
///
/// # Errors
/// If the bytes are no parts.
pub fn split<const N: usize>(bytes: &[u8]) -> Result<[&[u8]; N], DecodeError> {
    let (mut reader, mut parts) = (Reader::new(bytes), [&[][..]; N]);
    let mask = if reader.is_at_end() { 0 } else { reader.unsigned()? };
    for at in (0..PARTS_MAX).filter(|at| mask >> at & 1 == 1) {
        let length = reader.unsigned()?;
        let part = reader.take_u64(length)?;
        if let Some(known) = parts.get_mut(at) {
            *known = part;
        }
    }
    if reader.is_at_end() { Ok(parts) } else { Err(DecodeError::Malformed("a part too many")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_and_later_ones_are_skipped() {
        let parts = [vec![1, 2], vec![], vec![], vec![3]];
        let joined = join(&parts);
        assert_eq!(joined, [0b1001, 2, 1, 2, 1, 3]);
        assert_eq!(split::<4>(&joined), Ok([&[1, 2][..], &[], &[], &[3]]));
        assert_eq!(split::<2>(&joined), Ok([&[1, 2][..], &[]]));
        assert_eq!(split::<6>(&joined), Ok([&[1, 2][..], &[], &[], &[3], &[], &[]]));
        assert!(join(&[vec![], vec![]]).is_empty());
        assert_eq!(split::<1>(&[]), Ok([&[][..]]));
    }

    #[test]
    fn lies_are_refused() {
        for bytes in [&[1][..], &[1, 2, 0], &[1, 1, 7, 7], &[0, 1]] {
            assert!(split::<4>(bytes).is_err(), "{bytes:?}");
        }
    }
}
