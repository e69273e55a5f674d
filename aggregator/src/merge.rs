//! Rollups: counters by second, minute and quarter of an hour. They change only here, by addition.
//!
//! A quarter of an hour is the coarsest level, because the hours and days of every time zone are
//! sums of quarters; so a site's zone can change without counting anything again.

pub mod kept;
pub mod sketches;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use edgetally_proto::error::RejectCode;
use edgetally_proto::event::Platform;
use edgetally_proto::time::{MINUTE_MS, SECOND_MS};
use imbl::OrdMap;
use kept::Kept;

use crate::texts::TextId;

/// Width of the slots of a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// One second, 60 to a block.
    Second = 0,
    /// One minute, 60 to a block.
    Minute = 1,
    /// A quarter of an hour, 96 to a block.
    Quarter = 2,
}

impl Level {
    /// From fine to coarse.
    pub const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Quarter];

    /// Width of one slot in milliseconds.
    #[must_use]
    pub const fn slot_ms(self) -> i64 {
        match self {
            Self::Second => SECOND_MS,
            Self::Minute => MINUTE_MS,
            Self::Quarter => 15 * MINUTE_MS,
        }
    }

    fn slots_per_block(self) -> i64 {
        match self {
            Self::Second | Self::Minute => 60,
            Self::Quarter => 96,
        }
    }

    fn block_of(self, slot: i64) -> i64 {
        slot.div_euclid(self.slots_per_block())
    }

    /// The level with a number in a key of the store.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| *level as u8 == number)
    }
}

/// What a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Accepted events, by event time.
    Events {
        /// Their name.
        name: TextId,
        /// Where they came from.
        platform: Platform,
        /// Whether bots sent them.
        bot: bool,
    },
    /// Rejected events, by time of receipt.
    Rejects(RejectCode),
    /// Repeats that the edge dropped, by time of receipt.
    Duplicates,
    /// Repeats that were dropped here, by time of receipt.
    LateDuplicates,
    /// Events that clients had to drop, by time of receipt.
    Dropped,
}

impl Measure {
    /// The form in blocks: kind, then what the kind needs.
    fn pack(self) -> u64 {
        match self {
            Self::Events { name, platform, bot } => {
                u64::from(name) | (platform as u64) << 32 | u64::from(bot) << 40
            }
            Self::Rejects(code) => 1 << 56 | code as u64,
            Self::Duplicates => 2 << 56,
            Self::LateDuplicates => 3 << 56,
            Self::Dropped => 4 << 56,
        }
    }

    fn unpack(cell: u64) -> Option<Self> {
        let [low, .., kind] = cell.to_le_bytes();
        let [_, _, _, _, platform, bot, ..] = cell.to_le_bytes();
        match kind {
            0 => Some(Self::Events {
                name: TextId::try_from(cell & 0xFFFF_FFFF).ok()?,
                platform: Platform::from_wire(platform)?,
                bot: bot == 1,
            }),
            1 => RejectCode::from_wire(low).map(Self::Rejects),
            2 => Some(Self::Duplicates),
            3 => Some(Self::LateDuplicates),
            4 => Some(Self::Dropped),
            _ => None,
        }
    }
}

/// Slots of one stretch of time: (slot, cell, count), sorted. The unit of checkpoints.
pub type Block = Vec<(i64, u64, i64)>;

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// Its level.
    pub level: Level,
    /// Its number, from the epoch.
    pub number: i64,
}

/// The counters of one site. Clones share all blocks.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    blocks: OrdMap<BlockKey, Arc<Block>>,
    kept: Kept,
}

/// The block of a level that says how far back the level is kept, for checkpoints: before all
/// others, with one cell whose slot is that instant.
fn mark_of(level: Level) -> BlockKey {
    BlockKey { level, number: i64::MIN }
}

impl Counters {
    /// Adds to the cell of a UTC second at every level, and notes the blocks that changed.
    pub fn add(
        &mut self,
        measure: Measure,
        second: i64,
        count: i64,
        dirty: &mut BTreeSet<BlockKey>,
    ) {
        if count == 0 {
            return;
        }
        for level in Level::ALL {
            let slot = (second * SECOND_MS).div_euclid(level.slot_ms());
            if !self.kept.holds(level, slot) {
                continue;
            }
            let key = BlockKey { level, number: level.block_of(slot) };
            let block = Arc::make_mut(self.blocks.entry(key).or_default());
            add_cell(block, slot, measure.pack(), count);
            dirty.insert(key);
        }
    }

    /// [`Self::add`] for many at once: (measure, UTC second, count).
    pub fn add_all(&mut self, counts: &[(Measure, i64, i64)], dirty: &mut BTreeSet<BlockKey>) {
        let mut cells: Block = Vec::with_capacity(counts.len());
        for level in Level::ALL {
            cells.clear();
            cells.extend(counts.iter().map(|(measure, second, count)| {
                let slot = (second * SECOND_MS).div_euclid(level.slot_ms());
                (slot, measure.pack(), *count)
            }));
            cells.sort_unstable();
            cells.dedup_by(|next, cell| {
                let is_same = (next.0, next.1) == (cell.0, cell.1);
                cell.2 += if is_same { next.2 } else { 0 };
                is_same
            });
            cells.retain(|(slot, _, count)| *count != 0 && self.kept.holds(level, *slot));
            let block_of = |cell: &(i64, u64, i64)| level.block_of(cell.0);
            for of_block in cells.chunk_by(|a, b| block_of(a) == block_of(b)) {
                let Some(number) = of_block.first().map(block_of) else { continue };
                let key = BlockKey { level, number };
                let block = Arc::make_mut(self.blocks.entry(key).or_default());
                add_cells(block, of_block);
                dirty.insert(key);
            }
        }
    }

    /// Calls `visit` for every cell between two instants, from the coarsest slots that fit.
    ///
    /// Both must be whole seconds; `from_ms` is in, `to_ms` is not. What is not kept any more is
    /// not visited: see [`Self::covers`].
    pub fn visit(&self, from_ms: i64, to_ms: i64, mut visit: impl FnMut(Measure, i64)) {
        for (level, from, to) in slots(from_ms, to_ms) {
            self.visit_level(level, from, to, &mut visit);
        }
    }

    fn visit_level(&self, level: Level, from: i64, to: i64, visit: &mut impl FnMut(Measure, i64)) {
        let key = |slot| BlockKey { level, number: level.block_of(slot) };
        for (_, block) in self.blocks.range(key(from)..=key(to - 1)) {
            let start = block.partition_point(|(slot, _, _)| *slot < from);
            let cells = block.iter().skip(start).take_while(|(slot, _, _)| *slot < to);
            for (_, cell, count) in cells {
                if let Some(measure) = Measure::unpack(*cell) {
                    visit(measure, *count);
                }
            }
        }
    }

    /// Whether everything between two whole seconds is kept as finely as it takes.
    #[must_use]
    pub fn covers(&self, from_ms: i64, to_ms: i64) -> bool {
        self.kept.covers(from_ms, to_ms)
    }

    /// Drops the blocks of a level that are older than an instant; notes the blocks that changed,
    /// those among them that are gone. Says whether any are.
    pub fn forget(&mut self, level: Level, from_ms: i64, dirty: &mut BTreeSet<BlockKey>) -> bool {
        if !self.kept.advance(level, from_ms) {
            return false;
        }
        let from_ms = self.kept.from_ms(level);
        let first = BlockKey { level, number: i64::MIN + 1 };
        let end = BlockKey { level, number: level.block_of(from_ms.div_euclid(level.slot_ms())) };
        let gone: Vec<BlockKey> = self.blocks.range(first..end).map(|(key, _)| *key).collect();
        for key in &gone {
            self.blocks.remove(key);
        }
        let is_changed = !gone.is_empty();
        dirty.extend(gone);
        self.blocks.insert(mark_of(level), Arc::new(vec![(from_ms, 0, 0)]));
        dirty.insert(mark_of(level));
        is_changed
    }

    /// A block, to store it.
    #[must_use]
    pub fn block(&self, key: BlockKey) -> Option<Arc<Block>> {
        self.blocks.get(&key).cloned()
    }

    /// Every block's key.
    pub fn keys(&self) -> impl Iterator<Item = BlockKey> {
        self.blocks.keys().copied()
    }

    /// Puts back a block as it was stored.
    pub fn restore(&mut self, key: BlockKey, block: Block) {
        if let (true, Some((from_ms, ..))) = (key == mark_of(key.level), block.first()) {
            self.kept.advance(key.level, *from_ms);
        }
        self.blocks.insert(key, Arc::new(block));
    }

    /// The first and last second with anything, at the width of a quarter of an hour.
    #[must_use]
    pub fn span_ms(&self) -> Option<(i64, i64)> {
        let quarters = |number| BlockKey { level: Level::Quarter, number };
        let mut range = self.blocks.range(quarters(i64::MIN)..);
        let first = range.next().map(|(_, block)| block)?;
        let last = range.next_back().map_or(first, |(_, block)| block);
        let width = Level::Quarter.slot_ms();
        Some((first.first()?.0 * width, (last.last()?.0 + 1) * width))
    }
}

fn add_cell(block: &mut Block, slot: i64, cell: u64, count: i64) {
    match block.binary_search_by_key(&(slot, cell), |(slot, cell, _)| (*slot, *cell)) {
        Ok(at) => {
            if let Some((_, _, held)) = block.get_mut(at) {
                *held += count;
                if *held == 0 {
                    block.remove(at);
                }
            }
        }
        Err(at) => block.insert(at, (slot, cell, count)),
    }
}

/// Adds sorted cells, no two of which are the same.
fn add_cells(block: &mut Block, cells: &[(i64, u64, i64)]) {
    // One by one each would move half of the block.
    const FEW: usize = 4;
    if cells.len() <= FEW {
        return cells.iter().for_each(|(slot, cell, count)| add_cell(block, *slot, *cell, *count));
    }
    let place = |cell: &(i64, u64, i64)| (cell.0, cell.1);
    let mut merged: Block = Vec::with_capacity(block.len() + cells.len());
    let (mut held, mut new) = (block.iter().peekable(), cells.iter().peekable());
    loop {
        let order = match (held.peek(), new.peek()) {
            (Some(a), Some(b)) => place(a).cmp(&place(b)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let mut next = match order {
            Ordering::Less | Ordering::Equal => held.next(),
            Ordering::Greater => new.next(),
        }
        .copied()
        .unwrap_or_default();
        if order == Ordering::Equal {
            next.2 += new.next().map_or(0, |cell| cell.2);
        }
        if next.2 != 0 {
            merged.push(next);
        }
    }
    *block = merged;
}

/// The coarsest slots that make up a stretch of time: (level, first slot, slot after the last).
fn slots(from_ms: i64, to_ms: i64) -> Vec<(Level, i64, i64)> {
    let mut parts = Vec::new();
    // Outer edges first: each level takes what the next coarser one cannot.
    let (mut from, mut to) = (from_ms, to_ms);
    for (level, coarser) in [
        (Level::Second, Some(Level::Minute)),
        (Level::Minute, Some(Level::Quarter)),
        (Level::Quarter, None),
    ] {
        if from >= to {
            break;
        }
        let width = level.slot_ms();
        let mut push = |a: i64, b: i64| {
            if a < b {
                parts.push((level, a.div_euclid(width), b.div_euclid(width)));
            }
        };
        let Some(coarser) = coarser.map(Level::slot_ms) else {
            push(from, to);
            break;
        };
        let inner_from = (from + coarser - 1).div_euclid(coarser) * coarser;
        let inner_to = to.div_euclid(coarser) * coarser;
        if inner_from >= inner_to {
            push(from, to);
            break;
        }
        push(from, inner_from);
        push(inner_to, to);
        (from, to) = (inner_from, inner_to);
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PURCHASES: Measure = Measure::Events { name: 7, platform: Platform::Ios, bot: false };

    fn sum(counters: &Counters, from_s: i64, to_s: i64) -> i64 {
        let mut total = 0;
        counters.visit(from_s * 1_000, to_s * 1_000, |_, count| total += count);
        total
    }

    #[test]
    fn cells_keep_what_they_count() {
        let all = [
            PURCHASES,
            Measure::Rejects(RejectCode::Bot),
            Measure::Duplicates,
            Measure::LateDuplicates,
            Measure::Dropped,
            Measure::Events { name: u32::MAX, platform: Platform::Server, bot: true },
        ];
        for measure in all {
            assert_eq!(Measure::unpack(measure.pack()), Some(measure));
        }
    }

    #[test]
    fn a_cell_that_falls_to_zero_is_gone() {
        let (mut counters, mut dirty) = (Counters::default(), BTreeSet::new());
        counters.add(PURCHASES, 60, 1, &mut dirty);
        counters.add(PURCHASES, 60, -1, &mut dirty);
        let key = BlockKey { level: Level::Second, number: 1 };
        assert_eq!(counters.block(key).unwrap().len(), 0);
        assert_eq!(dirty.len(), 3);
    }

    /// Stored and put back, what is kept stays the same, and what comes late for a second that is
    /// gone counts for its minute and quarter alone.
    #[test]
    fn old_seconds_are_dropped_for_good() {
        let (mut counters, mut dirty) = (Counters::default(), BTreeSet::new());
        for second in [0, 61, 7_200] {
            counters.add(PURCHASES, second, 1, &mut dirty);
        }
        dirty.clear();
        assert!(counters.forget(Level::Second, 7_200_000, &mut dirty));
        assert!(!counters.forget(Level::Second, 7_200_000, &mut BTreeSet::new()));
        let gone = dirty.iter().filter(|key| counters.block(**key).is_none()).count();
        assert_eq!((gone, dirty.len()), (2, 3));
        let mut restored = Counters::default();
        for key in counters.keys() {
            restored.restore(key, counters.block(key).unwrap().to_vec());
        }
        for counters in [&mut counters, &mut restored] {
            counters.add(PURCHASES, 5, 1, &mut BTreeSet::new());
            counters.add_all(&[(PURCHASES, 61, 1)], &mut BTreeSet::new());
            assert_eq!((sum(counters, 0, 900), sum(counters, 0, 60)), (4, 2));
            assert!(counters.covers(0, 60_000) && !counters.covers(0, 59_000));
            assert_eq!((sum(counters, 0, 59), sum(counters, 7_200, 7_201)), (0, 1));
            assert_eq!(counters.span_ms(), Some((0, 8_100_000)));
        }
    }

    proptest! {
        /// Many at once are the same as one by one.
        #[test]
        fn many_at_once_are_each_of_them(
            frames in prop::collection::vec(
                prop::collection::vec((0i64..40, 0u32..3, -2i64..3), 0..40), 0..5),
        ) {
            let (mut one, mut many) = (Counters::default(), Counters::default());
            let mut dirty = BTreeSet::new();
            for frame in frames {
                let event = |name| Measure::Events { name, platform: Platform::Ios, bot: false };
                let counts: Vec<_> = frame.iter().filter(|(.., count)| *count != 0)
                    .map(|(second, name, count)| (event(*name), *second, *count)).collect();
                for (measure, second, count) in &counts {
                    one.add(*measure, *second, *count, &mut dirty);
                }
                many.add_all(&counts, &mut BTreeSet::new());
            }
            for key in dirty {
                let of = |counters: &Counters| counters.block(key).unwrap_or_default();
                prop_assert_eq!(of(&one), of(&many));
            }
        }

        /// Any range gives the plain sum of its seconds, whatever levels it is put together from.
        #[test]
        fn ranges_are_sums_of_their_seconds(
            events in prop::collection::vec((-10_000i64..10_000, 1i64..5), 0..200),
            from in -12_000i64..12_000, length in 0i64..20_000,
        ) {
            let (mut counters, mut dirty) = (Counters::default(), BTreeSet::new());
            for (second, count) in &events {
                counters.add(PURCHASES, *second, *count, &mut dirty);
            }
            let plain: i64 = events.iter()
                .filter(|(second, _)| (from..from + length).contains(second))
                .map(|(_, count)| count).sum();
            prop_assert_eq!(sum(&counters, from, from + length), plain);
        }
    }
}
