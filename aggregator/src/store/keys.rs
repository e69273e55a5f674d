//! Keys of the store: one prefix a kind, big-endian numbers, so that blocks come back in order.

use edgetally_proto::ids::{Epoch, ShardName, SiteId};

use crate::dedup::Source;
use crate::merge::{BlockKey, Level};

/// What a key of the store names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Sites and keys.
    Directory,
    /// How far one numbering has come.
    Mark(Source),
    /// Up to where the log is contained.
    Position,
    /// A block of a site.
    Site(SiteId, SiteKey),
}

/// Which block of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteKey {
    /// Counters.
    Counters(BlockKey),
    /// Records by arrival.
    Records(usize),
    /// Texts by number.
    Texts(usize),
}

const DIRECTORY: u8 = b'd';
const MARK: u8 = b'm';
const POSITION: u8 = b'p';
const SITE: u8 = b's';
const COUNTERS: u8 = b'k';
const RECORDS: u8 = b'r';
const TEXTS: u8 = b't';
/// Ends a text inside a key; no id has it.
const END: u8 = 0;

impl Key {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Directory => vec![DIRECTORY],
            Self::Position => vec![POSITION],
            Self::Mark(source) => {
                [&[MARK], source.shard.as_str().as_bytes(), &[END], &source.epoch.0].concat()
            }
            Self::Site(site, key) => {
                let (kind, rest) = match key {
                    SiteKey::Texts(at) => (TEXTS, number(*at as u64).to_vec()),
                    SiteKey::Records(at) => (RECORDS, number(*at as u64).to_vec()),
                    SiteKey::Counters(block) => {
                        // The sign turned, negative numbers come before positive ones.
                        let number = (block.number ^ i64::MIN).to_be_bytes();
                        (COUNTERS, [&[block.level as u8], number.as_slice()].concat())
                    }
                };
                [&[SITE], site.as_str().as_bytes(), &[END, kind], &rest].concat()
            }
        }
    }

    /// Reads a key.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match (*kind, rest) {
            (DIRECTORY, []) => Some(Self::Directory),
            (POSITION, []) => Some(Self::Position),
            (MARK, rest) => {
                let (shard, epoch) = text(rest)?;
                let shard = ShardName::parse(shard).ok()?;
                Some(Self::Mark(Source { shard, epoch: Epoch(epoch.try_into().ok()?) }))
            }
            (SITE, rest) => {
                let (site, key) = text(rest)?;
                Some(Self::Site(SiteId::parse(site).ok()?, site_key(key)?))
            }
            _ => None,
        }
    }
}

fn number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == END)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(text).ok()?, rest.get(1..)?))
}

fn site_key(bytes: &[u8]) -> Option<SiteKey> {
    let (kind, rest) = bytes.split_first()?;
    let at =
        || Some(u64::from_be_bytes(rest.try_into().ok()?)).and_then(|n| usize::try_from(n).ok());
    match *kind {
        TEXTS => at().map(SiteKey::Texts),
        RECORDS => at().map(SiteKey::Records),
        COUNTERS => {
            let (level, number) = rest.split_first()?;
            let number = i64::from_be_bytes(number.try_into().ok()?) ^ i64::MIN;
            Some(SiteKey::Counters(BlockKey { level: Level::from_number(*level)?, number }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_and_keep_the_order_of_blocks() {
        let site = SiteId::parse("demo").unwrap();
        let block = |number| {
            let level = Level::Minute;
            Key::Site(site.clone(), SiteKey::Counters(BlockKey { level, number }))
        };
        let records = |at| Key::Site(site.clone(), SiteKey::Records(at));
        let shard = ShardName::parse("v1|apac|0").unwrap();
        let keys = [
            Key::Directory,
            Key::Mark(Source { shard, epoch: Epoch([7; 16]) }),
            Key::Position,
            block(-5),
            block(3),
            block(300),
            records(0),
            records(2),
            records(256),
            Key::Site(site.clone(), SiteKey::Texts(70_000)),
        ];
        let bytes: Vec<Vec<u8>> = keys.iter().map(Key::encode).collect();
        assert!(bytes.is_sorted());
        let read: Vec<Key> = bytes.iter().map(|bytes| Key::decode(bytes).unwrap()).collect();
        assert_eq!(read, keys);
        assert_eq!(Key::decode(b"x"), None);
        assert_eq!(Key::decode(b"sdemo\0r12"), None);
    }
}
