//! Identifiers: newtypes with one text form, made by one macro.
//!
//! All ids order by the bytes of their text form, which is also what sketches and hashes take.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing, or only white space.
    #[error("is empty")]
    Empty,
    /// Longer than the id's limit, in characters.
    #[error("is longer than {0} characters")]
    TooLong(u16),
    /// A character outside the id's alphabet.
    #[error("has a character that is not allowed")]
    Character,
}

/// Whether every character can be printed: no controls.
fn is_printable(text: &str) -> bool {
    if text.is_ascii() {
        return !text.bytes().any(|byte| byte.is_ascii_control());
    }
    !text.chars().any(char::is_control)
}

fn check(text: &str, max: u16, allowed: fn(&str) -> bool) -> Result<(), IdError> {
    if text.trim().is_empty() {
        return Err(IdError::Empty);
    }
    // Bytes bound characters from above, which spares most texts the count.
    if text.len() > usize::from(max) && text.chars().count() > usize::from(max) {
        return Err(IdError::TooLong(max));
    }
    if !allowed(text) {
        return Err(IdError::Character);
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Longest text, in characters.
            pub const CHARS_MAX: u16 = $max;

            /// Reads the id from its text form.
            ///
            /// # Errors
            /// If the text is empty, too long or has a character that is not allowed.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text, Self::CHARS_MAX, $allowed)?;
                Ok(Self(text.into()))
            }

            /// The text form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into()
            }
        }
    };
}

text_id!(
    /// The measured property, the unit of isolation.
    SiteId,
    64,
    |text| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
);
text_id!(
    /// One browser profile or one app installation; never a person.
    ClientId,
    128,
    is_printable
);
text_id!(
    /// The id that a site gives at login. Made by [`crate::event::user_id`], which drops junk.
    UserId,
    128,
    is_printable
);
text_id!(
    /// The shop's own number of an order.
    TransactionId,
    128,
    is_printable
);
text_id!(
    /// The name of an event: `[a-z][a-z0-9_]{0,39}`.
    EventName,
    40,
    |text| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    }
);
text_id!(
    /// The name of a Durable Object that holds a share of the clients: `v1|<region>|<bucket>`.
    ShardName,
    96,
    is_printable
);

impl ClientId {
    /// The client of a visitor without consent, from the hex digits of a hash. The prefix keeps it
    /// apart from ids that browsers make.
    pub(crate) fn from_hash(digits: &str) -> Self {
        Self(format!("daily.{digits}").into())
    }
}

/// The idempotency key of an event, made by the SDK (Segment: `messageId`).
///
/// 32 hex digits, with or without hyphens, are one id, shown in lower case with hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventId {
    /// 32 hex digits.
    Uuid([u8; 16]),
    /// Any other text of `[A-Za-z0-9_.:-]`, 1 to 64 of them.
    Text(Box<str>),
}

impl EventId {
    /// Longest text, in characters.
    pub const CHARS_MAX: u16 = 64;

    /// Reads the id from its text form.
    ///
    /// # Errors
    /// If the text is empty, too long or has a character outside `[A-Za-z0-9_.:-]`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if let Some(bytes) = parse_uuid(text) {
            return Ok(Self::Uuid(bytes));
        }
        check(text, Self::CHARS_MAX, |text| {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
        })?;
        Ok(Self::Text(text.into()))
    }
}

/// The 16 bytes of 32 hex digits, plain or grouped 8-4-4-4-12.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    let hyphens = [8, 13, 18, 23];
    let groups: &[(usize, usize)] = match bytes.len() {
        32 => &[(0, 32)],
        36 if hyphens.iter().all(|at| bytes.get(*at) == Some(&b'-')) => {
            &[(0, 8), (9, 13), (14, 18), (19, 23), (24, 36)]
        }
        _ => return None,
    };
    let mut out = [0u8; 16];
    let mut slots = out.iter_mut();
    for (start, end) in groups {
        for pair in bytes.get(*start..*end)?.chunks_exact(2) {
            let (high, low) = (hex_digit(*pair.first()?)?, hex_digit(*pair.last()?)?);
            *slots.next()? = high << 4 | low;
        }
    }
    Some(out)
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if [4, 6, 8, 10].contains(&at) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

impl Ord for EventId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Hyphens stand at the same places, and hex in lower case orders like its bytes.
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            _ => self.to_string().as_bytes().cmp(other.to_string().as_bytes()),
        }
    }
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<String> for EventId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> String {
        id.to_string()
    }
}

/// One life of a shard's numbering: random, written once with the shard's storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub [u8; 16]);

impl Epoch {
    /// Reads 32 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == 32 { parse_uuid(text).map(Self) } else { None }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Tells objects of the bucket apart whose numbers are the same: random, drawn anew whenever it is
/// decided what the next object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub [u8; 16]);

impl Mark {
    /// Reads 32 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Epoch::parse(text).map(|epoch| Self(epoch.0))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Epoch(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_ids_are_one_id_however_written() {
        let shown = "0193a5b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b";
        for text in
            [shown, "0193A5B27C3D7E4F8A9B0C1D2E3F4A5B", "0193A5B2-7C3D-7E4F-8A9B-0C1D2E3F4A5B"]
        {
            let id = EventId::parse(text).unwrap();
            assert_eq!(id.to_string(), shown);
            assert_eq!(id, EventId::parse(shown).unwrap());
        }
        assert!(matches!(
            EventId::parse("0193a5b2-7c3d-7e4f-8a9b0c1d-2e3f4a5b"),
            Ok(EventId::Text(_))
        ));
    }

    #[test]
    fn ids_order_by_their_text() {
        let mut ids: Vec<EventId> = ["b", "a", "0193a5b27c3d7e4f8a9b0c1d2e3f4a5b", "Z", "1"]
            .iter()
            .map(|text| EventId::parse(text).unwrap())
            .collect();
        ids.sort();
        let mut texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let sorted = texts.clone();
        texts.sort();
        assert_eq!(texts, sorted);
    }

    #[test]
    fn bad_ids_say_why() {
        assert_eq!(EventId::parse(""), Err(IdError::Empty));
        assert_eq!(EventId::parse("a b"), Err(IdError::Character));
        assert_eq!(EventId::parse(&"x".repeat(65)), Err(IdError::TooLong(64)));
        assert_eq!(ClientId::parse("a\u{7}b"), Err(IdError::Character));
        assert_eq!(ClientId::parse(" \t"), Err(IdError::Empty));
        assert_eq!(EventName::parse("9a"), Err(IdError::Character));
        assert!(TransactionId::parse("Đơn 42").is_ok());
    }
}
