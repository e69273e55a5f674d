//! Texts that begin like one before them: paths, places. Each says how many bytes it shares.
//!
//! One byte: the bytes shared in its upper four bits, those of the rest in the lower; 15 stands for
//! 15 and a varint more. Then the rest.

use super::{Reader, Writer};
use crate::error::DecodeError;

/// Most bytes that a text shares: few bytes must not become many texts.
const SHARED_MAX: usize = 63;
const ESCAPE: usize = 15;

/// Writes a text that may begin like another.
pub fn write(out: &mut Writer, like: &str, text: &str) {
    let same = like.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let shared = text.floor_char_boundary(same.min(SHARED_MAX));
    let rest = text.get(shared..).unwrap_or_default();
    let nibble = |length: usize| length.min(ESCAPE) as u8;
    out.byte(nibble(shared) << 4 | nibble(rest.len()));
    for length in [shared, rest.len()] {
        if length >= ESCAPE {
            out.unsigned((length - ESCAPE) as u64);
        }
    }
    out.bytes(rest.as_bytes());
}

/// Reads a text that may begin like another.
///
/// # Errors
/// If the column ends before, or shares what the other does not have.
pub fn read(reader: &mut Reader<'_>, like: &str) -> Result<String, DecodeError> {
    let head = usize::from(reader.byte()?);
    let mut length = |nibble: usize| -> Result<usize, DecodeError> {
        let more = if nibble == ESCAPE { reader.unsigned()? } else { 0 };
        let more = usize::try_from(more).map_err(|_| DecodeError::Truncated)?;
        nibble.checked_add(more).ok_or(DecodeError::Truncated)
    };
    let (shared, rest) = (length(head >> 4)?, length(head & 15)?);
    let shared = like
        .get(..shared)
        .filter(|shared| shared.len() <= SHARED_MAX)
        .ok_or(DecodeError::Malformed("a text shares what is not there"))?;
    let rest = std::str::from_utf8(reader.take(rest)?);
    let rest = rest.map_err(|_| DecodeError::Malformed("no UTF-8"))?;
    Ok([shared, rest].concat())
}

/// The bytes of a list of texts, each like the one before.
#[must_use]
pub fn encode<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let (mut out, mut before) = (Writer::default(), "");
    for text in texts {
        write(&mut out, before, text);
        before = text;
    }
    out.into_bytes()
}

/// The texts of a list.
///
/// # Errors
/// If the bytes are no such list.
pub fn decode(bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
    let (mut reader, mut texts) = (Reader::new(bytes), Vec::<String>::new());
    while !reader.is_at_end() {
        let text = read(&mut reader, texts.last().map_or("", String::as_str))?;
        texts.push(text);
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], bytes: usize) {
        let encoded = encode(texts.iter().copied());
        assert_eq!(encoded.len(), bytes, "{texts:?}");
        assert_eq!(decode(&encoded).unwrap(), texts);
    }

    #[test]
    fn texts_come_back() {
        check(&[], 0);
        check(&["", ""], 2);
        check(&["/p/sku-1", "/p/sku-22", "/cart"], 9 + 3 + 5);
        check(&["Hà Nội", "Hà Nam", "Hạ Long"], 1 + 9 + 1 + 3 + 1 + 7);
        let (long, longer) = ("x".repeat(100), "x".repeat(101));
        check(&[&long, &longer], 2 + 100 + 3 + 38);
    }

    #[test]
    fn lies_are_refused() {
        assert!(decode(&[0x10]).is_err());
        assert!(decode(&[1, b'a', 0x20]).is_err());
        assert!(decode(&[2, 0xc3, 0x28]).is_err());
        assert!(decode(&[0x0f, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]).is_err());
        let mut far = encode(["x".repeat(100).as_str()]);
        far.extend([0xf0, 60]);
        assert!(decode(&far).is_err());
    }
}
