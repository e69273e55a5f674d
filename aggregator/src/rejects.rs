//! Rejected events: how many there were by code and hour, and the newest of them in full.
//!
//! Hours are those of UTC by time of receipt. What is counted but not kept is `not_kept`.

pub mod again;
pub mod page;

use std::collections::BTreeSet;
use std::sync::Arc;

use edgetally_proto::batch::SiteBatch;
use edgetally_proto::error::RejectCode;
use edgetally_proto::limits::LETTER_BYTES_MAX;
use edgetally_proto::record::Letter;
use edgetally_proto::time::{HOUR_MS, SECOND_MS};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// Letters of one code and hour that are kept.
pub const KEPT_MAX: usize = 1_000;
/// Letters of one site, in bytes: strangers fill them, so that they must not fill the memory.
pub const KEPT_BYTES_MAX: usize = 128 << 20;
/// A block of letters that weighs as much takes no more.
const BLOCK_BYTES: usize = 16 * 1024;
/// What a letter weighs beside its texts.
const LETTER_OVERHEAD_BYTES: usize = 128;
const HOURS_PER_DAY: i64 = 24;

/// One code in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketKey {
    /// The hour, counted from the epoch.
    pub hour: i64,
    /// The code.
    pub code: RejectCode,
}

/// A block of letters, the unit of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey {
    /// Whose letters.
    pub bucket: BucketKey,
    /// Its number within the bucket, by arrival.
    pub block: u32,
}

/// How many events of one code and hour were rejected, as checkpoints hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    hour: i64,
    code: RejectCode,
    counted: u64,
    arrived: u64,
    #[serde(default)]
    replayed: u64,
}

/// Letters of a block with their numbers, as checkpoints hold them.
pub type Letters = Vec<(u64, Arc<Letter>)>;

#[derive(Debug, Clone)]
struct Held {
    block: u32,
    letter: Arc<Letter>,
}

/// What is known of one code in one hour.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    counted: u64,
    /// Letters that ever arrived: each takes its number from here.
    arrived: u64,
    /// Letters that left because their events were taken in after all.
    replayed: u64,
    /// By time of receipt and number.
    letters: OrdMap<(i64, u64), Held>,
    /// Bytes by block.
    weights: OrdMap<u32, usize>,
}

impl Bucket {
    /// The block that takes the next letter.
    fn open_block(&self) -> u32 {
        match self.weights.get_max() {
            Some((block, weight)) if *weight < BLOCK_BYTES => *block,
            Some((block, _)) => block.saturating_add(1),
            None => 0,
        }
    }

    fn put(&mut self, number: u64, held: Held) -> usize {
        let weight = weight(&held.letter);
        *self.weights.entry(held.block).or_default() += weight;
        self.letters.insert((held.letter.received_at_ms, number), held);
        weight
    }

    /// Lets go of the oldest letter; gives its block and weight.
    fn drop_oldest(&mut self) -> Option<(u32, usize)> {
        let place = self.letters.get_min().map(|(place, _)| *place)?;
        self.drop_letter(place)
    }

    /// Lets go of a letter; gives its block and weight.
    fn drop_letter(&mut self, place: (i64, u64)) -> Option<(u32, usize)> {
        let held = self.letters.remove(&place)?;
        let weight = weight(&held.letter);
        let left = self.weights.get(&held.block).map_or(0, |all| all.saturating_sub(weight));
        if left == 0 {
            self.weights.remove(&held.block);
        } else {
            self.weights.insert(held.block, left);
        }
        Some((held.block, weight))
    }

    fn block(&self, block: u32) -> Letters {
        let of_block = self.letters.iter().filter(|(_, held)| held.block == block);
        of_block.map(|((_, number), held)| (*number, held.letter.clone())).collect()
    }
}

fn weight(letter: &Letter) -> usize {
    letter.event.len() + letter.message.len() + letter.field.len() + LETTER_OVERHEAD_BYTES
}

/// The hour of an instant, counted from the epoch.
#[must_use]
pub fn hour_of(ms: i64) -> i64 {
    ms.div_euclid(HOUR_MS)
}

fn day_of(hour: i64) -> i64 {
    hour.div_euclid(HOURS_PER_DAY)
}

/// The first key of an hour.
fn start_of(hour: i64) -> BucketKey {
    BucketKey { hour, code: RejectCode::NameInvalid }
}

/// What readers see; clones share everything.
pub type Buckets = OrdMap<BucketKey, Arc<Bucket>>;

/// The rejected events of one site.
#[derive(Debug, Clone, Default)]
pub struct Rejects {
    buckets: Buckets,
    bytes: usize,
    dirty_days: BTreeSet<i64>,
    dirty_blocks: BTreeSet<BlockKey>,
}

impl Rejects {
    /// Counts what a frame brings, and keeps of it what may be kept.
    pub fn apply(&mut self, batch: &SiteBatch, may_keep: impl Fn(&Letter) -> bool) {
        for (key, count) in &batch.rejects {
            let hour = hour_of(key.second.saturating_mul(SECOND_MS));
            let bucket = self.bucket(BucketKey { hour, code: key.code });
            bucket.counted = bucket.counted.saturating_add(*count);
        }
        for letter in batch.letters.iter().filter(|letter| may_keep(letter)) {
            self.keep(letter);
        }
        self.shrink_to(KEPT_BYTES_MAX);
    }

    fn bucket(&mut self, key: BucketKey) -> &mut Bucket {
        self.dirty_days.insert(day_of(key.hour));
        Arc::make_mut(self.buckets.entry(key).or_default())
    }

    fn keep(&mut self, letter: &Letter) {
        // Who gave no consent is not kept, and nobody's event may crowd out the others.
        let is_long = weight(letter) > LETTER_BYTES_MAX + LETTER_OVERHEAD_BYTES;
        if letter.code == RejectCode::ConsentDenied || is_long {
            return;
        }
        let key = BucketKey { hour: hour_of(letter.received_at_ms), code: letter.code };
        let bucket = self.bucket(key);
        let (block, number) = (bucket.open_block(), bucket.arrived);
        bucket.arrived += 1;
        let added = bucket.put(number, Held { block, letter: Arc::new(letter.clone()) });
        let dropped = if bucket.letters.len() > KEPT_MAX { bucket.drop_oldest() } else { None };
        self.dirty_blocks.insert(BlockKey { bucket: key, block });
        self.bytes += added;
        if let Some((block, weight)) = dropped {
            self.bytes -= weight;
            self.dirty_blocks.insert(BlockKey { bucket: key, block });
        }
    }

    /// Lets go of the oldest letters until the others weigh no more than this.
    fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes && self.empty_oldest() {}
    }

    /// Lets go of the letters of the oldest hour and code that has any; their count stays.
    fn empty_oldest(&mut self) -> bool {
        let oldest = self.buckets.iter().find(|(_, bucket)| !bucket.letters.is_empty());
        let Some(key) = oldest.map(|(key, _)| *key) else {
            return false;
        };
        self.let_go(key);
        let bucket = self.bucket(key);
        (bucket.letters, bucket.weights) = (OrdMap::new(), OrdMap::new());
        true
    }

    /// Takes note that a bucket's letters go.
    fn let_go(&mut self, key: BucketKey) {
        let Some(bucket) = self.buckets.get(&key) else { return };
        let blocks = bucket.weights.keys().map(|block| BlockKey { bucket: key, block: *block });
        self.dirty_blocks.extend(blocks);
        self.bytes -= bucket.weights.values().sum::<usize>();
        self.dirty_days.insert(day_of(key.hour));
    }

    /// Forgets hours that ended this long before the end of the newest one.
    pub fn forget_older(&mut self, span_ms: i64) {
        let Some(newest) = self.buckets.get_max().map(|(key, _)| key.hour) else { return };
        let first = newest.saturating_sub(span_ms.saturating_add(HOUR_MS - 1) / HOUR_MS);
        while let Some(key) = self.buckets.get_min().map(|(key, _)| *key) {
            if key.hour >= first {
                break;
            }
            self.let_go(key);
            self.buckets.remove(&key);
        }
    }

    /// Everything, for readers.
    #[must_use]
    pub fn buckets(&self) -> Buckets {
        self.buckets.clone()
    }

    /// The days whose counts changed since the last call; none of a day are left where it is empty.
    pub fn take_dirty_days(&mut self) -> Vec<(i64, Vec<Count>)> {
        let days = std::mem::take(&mut self.dirty_days);
        days.into_iter().map(|day| (day, self.day(day))).collect()
    }

    fn day(&self, day: i64) -> Vec<Count> {
        let first = day.saturating_mul(HOURS_PER_DAY);
        let range = start_of(first)..start_of(first.saturating_add(HOURS_PER_DAY));
        let count = |(key, bucket): (&BucketKey, &Arc<Bucket>)| Count {
            hour: key.hour,
            code: key.code,
            counted: bucket.counted,
            arrived: bucket.arrived,
            replayed: bucket.replayed,
        };
        self.buckets.range(range).map(count).collect()
    }

    /// The blocks of letters that changed since the last call; empty ones are to be removed.
    pub fn take_dirty_blocks(&mut self) -> Vec<(BlockKey, Letters)> {
        let dirty = std::mem::take(&mut self.dirty_blocks);
        let letters =
            |key: &BlockKey| self.buckets.get(&key.bucket).map(|bucket| bucket.block(key.block));
        dirty.into_iter().map(|key| (key, letters(&key).unwrap_or_default())).collect()
    }

    /// Every day that is in the store, or will be.
    #[must_use]
    pub fn days(&self) -> BTreeSet<i64> {
        let days = self.buckets.keys().map(|key| day_of(key.hour));
        days.chain(self.dirty_days.iter().copied()).collect()
    }

    /// Every block of letters that is in the store, or will be.
    #[must_use]
    pub fn blocks(&self) -> BTreeSet<BlockKey> {
        let of = |(key, bucket): (&BucketKey, &Arc<Bucket>)| {
            let bucket_key = *key;
            let blocks: Vec<u32> = bucket.weights.keys().copied().collect();
            blocks.into_iter().map(move |block| BlockKey { bucket: bucket_key, block })
        };
        self.buckets.iter().flat_map(of).chain(self.dirty_blocks.iter().copied()).collect()
    }

    /// Puts back a day's counts as they were stored.
    pub fn restore_day(&mut self, counts: Vec<Count>) {
        for count in counts {
            let key = BucketKey { hour: count.hour, code: count.code };
            let bucket = Arc::make_mut(self.buckets.entry(key).or_default());
            (bucket.counted, bucket.arrived) = (count.counted, count.arrived);
            bucket.replayed = count.replayed;
        }
    }

    /// Puts back a block of letters as it was stored.
    pub fn restore_block(&mut self, key: BlockKey, letters: Vec<(u64, Letter)>) {
        let bucket = Arc::make_mut(self.buckets.entry(key.bucket).or_default());
        for (number, letter) in letters {
            self.bytes += bucket.put(number, Held { block: key.block, letter: Arc::new(letter) });
        }
    }
}

#[cfg(test)]
mod tests;
