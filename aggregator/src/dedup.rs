//! Exactly once: whether a frame is new, known, ahead of its turn, or another under a known number.
//!
//! A false "replay" would lose a frame, a false "new" would count it twice. Neither can happen to
//! a shard that numbers its frames without gaps and never reuses a number for other bytes; one
//! that does is told so (`Fork`) and starts a new epoch. Only a fork older than the checksums kept
//! passes for a replay, and a shard keeps no frames that old either.

use std::collections::{BTreeMap, VecDeque};

use edgetally_proto::ids::{Epoch, ShardName, SiteId};
use serde::{Deserialize, Serialize};

/// Checksums kept for each shard and epoch; as many as a shard's ring has slots.
pub const CHECKSUMS_KEPT: usize = 4_096;

const _: () = assert!(CHECKSUMS_KEPT as u64 >= edgetally_proto::limits::RING_SLOTS);

/// One numbering: a shard in one of its lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The shard.
    pub shard: ShardName,
    /// Its life.
    pub epoch: Epoch,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Apply it.
    FirstSeen,
    /// Acknowledge it, do not apply it.
    Replay,
    /// Refuse it: this number comes first.
    Gap {
        /// The number that is due.
        expected: u64,
    },
    /// Refuse it: its number came with other bytes.
    Fork,
}

/// What was said about the events of one numbering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Frames applied.
    pub frames: u64,
    /// Frames that nobody could read.
    pub dead: u64,
    /// Events in applied frames.
    pub accepted: u64,
    /// Of them, repeats of events held already.
    pub late_duplicates: u64,
    /// When the shard committed the last frame, epoch ms.
    pub committed_at_ms: i64,
}

/// What one numbering brought of one site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Share {
    /// Number of the last frame that held events of it.
    pub last: u64,
    /// Sums over such frames; none of them is dead.
    pub tally: Tally,
}

/// How far one numbering has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// Number of the last frame applied.
    pub last: u64,
    /// Checksums of the last frames, the newest at the back; none where a frame had no head.
    pub checksums: VecDeque<Option<u64>>,
    /// Sums over its frames.
    pub tally: Tally,
    /// The same by site.
    pub shares: BTreeMap<SiteId, Share>,
}

impl Mark {
    /// Counts a frame: when it was committed, unless nobody could read it, and of each site its
    /// events and how many of them were held already. Its last frame is this one.
    pub fn count(&mut self, committed_at_ms: Option<i64>, shares: &[(&SiteId, u64, u64)]) {
        let Some(committed_at_ms) = committed_at_ms else {
            self.tally.dead += 1;
            return;
        };
        let frame = Tally { frames: 1, committed_at_ms, ..Tally::default() };
        self.tally.add(&frame);
        for (site, accepted, late_duplicates) in shares.iter().copied() {
            let events = Tally { accepted, late_duplicates, committed_at_ms, ..Tally::default() };
            self.tally.add(&events);
            let share = self.shares.entry(site.clone()).or_default();
            share.last = self.last;
            share.tally.add(&Tally { frames: 1, ..events });
        }
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.dead += other.dead;
        self.accepted += other.accepted;
        self.late_duplicates += other.late_duplicates;
        self.committed_at_ms = other.committed_at_ms;
    }
}

/// The marks of all numberings.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    marks: BTreeMap<Source, Mark>,
}

impl Marks {
    /// Judges a frame by its number and checksum.
    #[must_use]
    pub fn judge(&self, source: &Source, sequence: u64, checksum: Option<u64>) -> Verdict {
        let last = self.last(source);
        if sequence == last + 1 {
            return Verdict::FirstSeen;
        }
        if sequence > last {
            return Verdict::Gap { expected: last + 1 };
        }
        let back = usize::try_from(last - sequence).unwrap_or(usize::MAX);
        let known = self.marks.get(source).and_then(|mark| mark.checksums.iter().rev().nth(back));
        match known {
            Some(Some(known)) if checksum.is_some_and(|checksum| checksum != *known) => {
                Verdict::Fork
            }
            _ => Verdict::Replay,
        }
    }

    /// Takes note that the next frame of a numbering was applied.
    pub fn advance(&mut self, source: &Source, checksum: Option<u64>) -> &mut Mark {
        let mark = self.marks.entry(source.clone()).or_default();
        mark.last += 1;
        if mark.checksums.len() == CHECKSUMS_KEPT {
            mark.checksums.pop_front();
        }
        mark.checksums.push_back(checksum);
        mark
    }

    /// Number of the last frame applied; 0 if there is none.
    #[must_use]
    pub fn last(&self, source: &Source) -> u64 {
        self.marks.get(source).map_or(0, |mark| mark.last)
    }

    /// One mark.
    #[must_use]
    pub fn get(&self, source: &Source) -> Option<&Mark> {
        self.marks.get(source)
    }

    /// A mark to add to its sums.
    pub fn get_mut(&mut self, source: &Source) -> Option<&mut Mark> {
        self.marks.get_mut(source)
    }

    /// Puts back a mark as it was stored.
    pub fn restore(&mut self, source: Source, mark: Mark) {
        self.marks.insert(source, mark);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Source, &Mark)> {
        self.marks.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(epoch: u8) -> Source {
        Source { shard: ShardName::parse("v1|apac|0").unwrap(), epoch: Epoch([epoch; 16]) }
    }

    fn marks(frames: u64) -> Marks {
        let mut marks = Marks::default();
        for sequence in 1..=frames {
            assert_eq!(marks.judge(&source(1), sequence, Some(sequence * 10)), Verdict::FirstSeen);
            marks.advance(&source(1), Some(sequence * 10));
        }
        marks
    }

    #[test]
    fn known_frames_are_replays_and_other_bytes_a_fork() {
        let marks = marks(3);
        assert_eq!(marks.judge(&source(1), 3, Some(30)), Verdict::Replay);
        assert_eq!(marks.judge(&source(1), 1, Some(10)), Verdict::Replay);
        assert_eq!(marks.judge(&source(1), 2, Some(21)), Verdict::Fork);
        assert_eq!(marks.judge(&source(1), 5, Some(50)), Verdict::Gap { expected: 4 });
    }

    #[test]
    fn a_new_epoch_begins_at_one() {
        let marks = marks(3);
        assert_eq!(marks.judge(&source(2), 1, Some(10)), Verdict::FirstSeen);
        assert_eq!(marks.judge(&source(2), 4, Some(40)), Verdict::Gap { expected: 1 });
    }

    #[test]
    fn frames_older_than_the_checksums_kept_are_replays() {
        let kept = CHECKSUMS_KEPT as u64;
        let marks = marks(kept + 5);
        assert_eq!(marks.judge(&source(1), 5, Some(1)), Verdict::Replay);
        assert_eq!(marks.judge(&source(1), 6, Some(1)), Verdict::Fork);
        assert_eq!(marks.judge(&source(1), 6, Some(60)), Verdict::Replay);
    }

    #[test]
    fn a_frame_without_a_head_fits_any_checksum() {
        let mut marks = marks(1);
        marks.advance(&source(1), None);
        assert_eq!(marks.judge(&source(1), 2, Some(77)), Verdict::Replay);
        assert_eq!(marks.judge(&source(1), 1, None), Verdict::Replay);
    }
}
