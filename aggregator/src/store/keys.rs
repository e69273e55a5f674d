//! Keys of the store: one prefix a kind, big-endian numbers, so that blocks come back in order.

use edgetally_proto::error::RejectCode;
use edgetally_proto::ids::{Epoch, ShardName, SiteId};

use crate::dedup::Source;
use crate::merge::{BlockKey, Level};
use crate::rejects::{BlockKey as LetterKey, BucketKey};

/// What a key of the store names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A block of the audit log.
    Audit(u64),
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
    /// Counts of rejected events by UTC day.
    RejectDay(i64),
    /// Rejected events in full.
    Letters(LetterKey),
    /// Erasures by number.
    Erasure(usize),
    /// How often sealed days were told anew.
    Generations,
    /// Persons that an administrator joined.
    Merges,
    /// Costs of campaigns by blocks of days.
    Costs(i64),
    /// A block of alerts.
    Alerts(u64),
    /// A block of what is told of alerts.
    Deliveries(u64),
    /// A block of hours that were compared with payments.
    Runs(u64),
    /// How far alerts have come.
    AlertMarks,
}

const AUDIT: u8 = b'a';
const DIRECTORY: u8 = b'd';
const MARK: u8 = b'm';
const POSITION: u8 = b'p';
const SITE: u8 = b's';
const COUNTERS: u8 = b'k';
const REJECT_DAYS: u8 = b'c';
const LETTERS: u8 = b'l';
const GENERATIONS: u8 = b'g';
const ALERT_MARKS: u8 = b'h';
const ALERTS: u8 = b'n';
const RUNS: u8 = b'q';
const RECORDS: u8 = b'r';
const TEXTS: u8 = b't';
const MERGES: u8 = b'u';
const DELIVERIES: u8 = b'v';
const COSTS: u8 = b'w';
const ERASURES: u8 = b'x';
/// Ends a text inside a key; no id has it.
const END: u8 = 0;

impl Key {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Audit(block) => [&[AUDIT], number(*block).as_slice()].concat(),
            Self::Directory => vec![DIRECTORY],
            Self::Position => vec![POSITION],
            Self::Mark(source) => {
                [&[MARK], source.shard.as_str().as_bytes(), &[END], &source.epoch.0].concat()
            }
            Self::Site(site, key) => {
                let (kind, rest) = match key {
                    SiteKey::Texts(at) => (TEXTS, number(*at as u64).to_vec()),
                    SiteKey::Erasure(at) => (ERASURES, number(*at as u64).to_vec()),
                    SiteKey::Merges => (MERGES, Vec::new()),
                    SiteKey::Alerts(block) => (ALERTS, number(*block).to_vec()),
                    SiteKey::Deliveries(block) => (DELIVERIES, number(*block).to_vec()),
                    SiteKey::Runs(block) => (RUNS, number(*block).to_vec()),
                    SiteKey::AlertMarks => (ALERT_MARKS, Vec::new()),
                    SiteKey::Costs(block) => (COSTS, signed(*block).to_vec()),
                    SiteKey::Records(at) => (RECORDS, number(*at as u64).to_vec()),
                    SiteKey::Generations => (GENERATIONS, Vec::new()),
                    SiteKey::Counters(block) => {
                        let number = signed(block.number);
                        (COUNTERS, [&[block.level as u8], number.as_slice()].concat())
                    }
                    SiteKey::RejectDay(day) => (REJECT_DAYS, signed(*day).to_vec()),
                    SiteKey::Letters(LetterKey { bucket, block }) => {
                        let hour = signed(bucket.hour);
                        let rest = [hour.as_slice(), &[bucket.code as u8], &block.to_be_bytes()];
                        (LETTERS, rest.concat())
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
            (AUDIT, rest) => Some(Self::Audit(u64::from_be_bytes(rest.try_into().ok()?))),
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

/// The sign turned, negative numbers come before positive ones.
fn signed(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

fn read_signed(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN)
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
        GENERATIONS if rest.is_empty() => Some(SiteKey::Generations),
        TEXTS => at().map(SiteKey::Texts),
        RECORDS => at().map(SiteKey::Records),
        ERASURES => at().map(SiteKey::Erasure),
        ALERT_MARKS => rest.is_empty().then_some(SiteKey::AlertMarks),
        ALERTS => Some(SiteKey::Alerts(u64::from_be_bytes(rest.try_into().ok()?))),
        DELIVERIES => Some(SiteKey::Deliveries(u64::from_be_bytes(rest.try_into().ok()?))),
        RUNS => Some(SiteKey::Runs(u64::from_be_bytes(rest.try_into().ok()?))),
        MERGES => rest.is_empty().then_some(SiteKey::Merges),
        COUNTERS => {
            let (level, number) = rest.split_first()?;
            let number = read_signed(number)?;
            Some(SiteKey::Counters(BlockKey { level: Level::from_number(*level)?, number }))
        }
        COSTS => read_signed(rest).map(SiteKey::Costs),
        REJECT_DAYS => read_signed(rest).map(SiteKey::RejectDay),
        LETTERS => {
            let (hour, rest) = rest.split_at_checked(8)?;
            let (code, block) = rest.split_first()?;
            let code = RejectCode::from_wire(*code)?;
            let bucket = BucketKey { hour: read_signed(hour)?, code };
            let block = u32::from_be_bytes(block.try_into().ok()?);
            Some(SiteKey::Letters(LetterKey { bucket, block }))
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
        let letters = |hour, code, block| {
            let bucket = BucketKey { hour, code };
            Key::Site(site.clone(), SiteKey::Letters(LetterKey { bucket, block }))
        };
        let records = |at| Key::Site(site.clone(), SiteKey::Records(at));
        let shard = ShardName::parse("v1|apac|0").unwrap();
        let keys = [
            Key::Directory,
            Key::Mark(Source { shard, epoch: Epoch([7; 16]) }),
            Key::Position,
            Key::Site(site.clone(), SiteKey::RejectDay(20_500)),
            Key::Site(site.clone(), SiteKey::Generations),
            Key::Site(site.clone(), SiteKey::AlertMarks),
            block(-5),
            block(3),
            block(300),
            letters(492_000, RejectCode::Bot, 70),
            letters(492_001, RejectCode::ValueInvalid, 0),
            Key::Site(site.clone(), SiteKey::Alerts(300)),
            Key::Site(site.clone(), SiteKey::Runs(7_700)),
            records(0),
            records(2),
            records(256),
            Key::Site(site.clone(), SiteKey::Texts(70_000)),
            Key::Site(site.clone(), SiteKey::Merges),
            Key::Site(site.clone(), SiteKey::Deliveries(2)),
            Key::Site(site.clone(), SiteKey::Costs(-1)),
            Key::Site(site.clone(), SiteKey::Costs(640)),
            Key::Site(site.clone(), SiteKey::Erasure(3)),
        ];
        let bytes: Vec<Vec<u8>> = keys.iter().map(Key::encode).collect();
        assert!(bytes.is_sorted());
        let read: Vec<Key> = bytes.iter().map(|bytes| Key::decode(bytes).unwrap()).collect();
        assert_eq!(read, keys);
        assert_eq!(Key::decode(b"x"), None);
        assert_eq!(Key::decode(b"sdemo\0r12"), None);
    }
}
