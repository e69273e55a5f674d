//! The archivist of a shard: what goes into the bucket, in which steps, and what may be let go of.
//!
//! Two things go there: the lines of accepted events, which become parts of the raw archive, and
//! the frames themselves, from which the ring is refilled when the aggregator was away for long or
//! fell back. One operation on the bucket is under way at a time; each can fail, or succeed without
//! the answer being heard, and is then done again: what an object holds is written down before it
//! is put, so its name and its bytes are the same each time. The name carries a mark that was drawn
//! for this object alone: a shard whose storage was restored counts on from numbers of before, and
//! must neither take another object for its own nor believe its own to be there already. Lines are
//! deleted when their parts are put and listed, frames lose their slot when their object is written
//! down.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;

use edgetally_proto::archive::manifest::{Manifest, Part};
use edgetally_proto::archive::names;
use edgetally_proto::ids::{Mark, ShardName, SiteId};
use edgetally_proto::limits::{ALARM_MS, OBJECT_BYTES_MAX, RAW_BYTES_MAX};
use flate2::{Compression, GzBuilder};

use crate::outbox::Outbox;
use crate::store::{Cut, Kind, Row, Spilled, Storage, Stored, Waiting};
use crate::waiting::{Share, share_out};

/// How long to wait before the first try after a failure; doubles with each further one.
const RETRY_FIRST_MS: i64 = 1_000;
/// How long to wait at most between tries.
const RETRY_MAX_MS: i64 = 60_000;
/// Objects that are deleted at once.
const PRUNED_AT_ONCE: usize = 100;

/// An operation on the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Reads an object.
    Get {
        /// Its name.
        name: String,
    },
    /// Writes an object if the condition holds.
    Put {
        /// Its name.
        name: String,
        /// Its bytes.
        body: Vec<u8>,
        /// When it may be written.
        condition: Condition,
    },
    /// Deletes objects, whether they are there or not.
    Delete {
        /// Their names.
        names: Vec<String>,
    },
}

/// When an object may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// If there is none of the name.
    Absent,
    /// If it is still the one that was read.
    Unchanged {
        /// As it was read.
        etag: String,
    },
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Written or deleted.
    Done,
    /// Read.
    Found {
        /// Its bytes.
        body: Vec<u8>,
        /// Changes when it is written.
        etag: String,
    },
    /// There is no such object.
    Absent,
    /// The condition did not hold.
    Conflict,
    /// It failed, or nobody knows.
    Failed,
}

/// A part on its way.
#[derive(Debug)]
struct Pending {
    site: SiteId,
    hour: i64,
    share: Share,
}

/// The step of a part that comes next.
#[derive(Debug)]
enum Step {
    Put,
    Look,
    List { manifest: String, condition: Condition },
}

#[derive(Debug)]
enum Job {
    Raw {
        cut: Cut,
        first: u64,
        /// Bytes of its rows.
        bytes: u64,
        parts: VecDeque<Pending>,
        step: Step,
        listed: Option<Part>,
    },
    Frames {
        spilled: Spilled,
        body: Vec<u8>,
        totals: Vec<u64>,
    },
    Prune {
        count: usize,
        last: u64,
    },
}

/// What is asked of an archivist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orders {
    /// The shard, for the names of objects.
    pub shard: ShardName,
    /// What was committed goes to the bucket after this long.
    pub after_ms: i64,
}

/// The archivist of a shard that has a bucket.
#[derive(Debug)]
pub struct Archivist {
    orders: Orders,
    waiting: Waiting,
    /// When the first frame was committed that is in the ring only, epoch ms.
    unarchived_since_ms: Option<i64>,
    /// Objects of frames in the bucket, oldest first.
    spilled: VecDeque<Spilled>,
    /// Frames before this local sequence are not needed any more.
    keep_from: u64,
    job: Option<Job>,
    is_busy: bool,
    failures: u32,
    retry_at_ms: i64,
}

impl Archivist {
    /// Reads from storage what waits and what is in the bucket.
    ///
    /// # Errors
    /// If storage fails.
    pub fn load(orders: Orders, storage: &impl Storage, outbox: &Outbox) -> Result<Self, String> {
        let first = storage.frame(outbox.first_unarchived())?;
        Ok(Self {
            orders,
            waiting: storage.waiting()?,
            unarchived_since_ms: first.map(|stored| stored.at_ms),
            spilled: storage.spilled()?.into(),
            keep_from: 0,
            job: None,
            is_busy: false,
            failures: 0,
            retry_at_ms: 0,
        })
    }

    /// Whether lines can still be taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.bytes < RAW_BYTES_MAX
    }

    /// Takes note of a commit and the rows of its lines.
    pub fn note_commit(&mut self, rows: &[Row], now_ms: i64) {
        self.unarchived_since_ms.get_or_insert(now_ms);
        for row in rows {
            self.waiting.bytes += row.lines.len() as u64;
            self.waiting.since_ms.get_or_insert(row.at_ms);
        }
    }

    /// Takes note that no backup needs frames before this local sequence.
    pub fn note_keep_from(&mut self, sequence: u64) {
        self.keep_from = self.keep_from.max(sequence);
    }

    /// Whether there is anything to do, now or later.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.wait_ms(0).is_some()
    }

    /// How long until there is something to do; none if there is nothing.
    #[must_use]
    pub fn wait_ms(&self, now_ms: i64) -> Option<i64> {
        if self.is_busy {
            return Some(ALARM_MS);
        }
        let due = |since_ms: Option<i64>| since_ms.map(|since| self.due_in_ms(since, now_ms));
        let prune = self.prunable().next().map(|_| 0);
        let job = self.job.as_ref().map(|_| 0);
        let waits = [due(self.waiting.since_ms), due(self.unarchived_since_ms), prune, job];
        let wait = waits.into_iter().flatten().min()?;
        Some(wait.max(self.retry_at_ms - now_ms).clamp(0, self.orders.after_ms.max(RETRY_MAX_MS)))
    }

    /// A clock that stepped back must not put anything off for longer than it stepped.
    fn due_in_ms(&self, since_ms: i64, now_ms: i64) -> i64 {
        (self.orders.after_ms - (now_ms - since_ms).abs()).max(0)
    }

    /// The next operation on the bucket, if one is due and none is under way. It is under way
    /// until [`Self::finish`]. `mark` is a new one, for the case that another object is begun.
    ///
    /// # Errors
    /// If storage fails.
    pub fn next(
        &mut self,
        storage: &mut impl Storage,
        outbox: &Outbox,
        mark: Mark,
        now_ms: i64,
    ) -> Result<Option<Operation>, String> {
        if self.is_busy || (self.retry_at_ms - now_ms).clamp(0, RETRY_MAX_MS) > 0 {
            return Ok(None);
        }
        if self.job.is_none() {
            self.job = self.begin(storage, outbox, mark, now_ms)?;
        }
        let operation = self.operation();
        self.is_busy = operation.is_some();
        Ok(operation)
    }

    fn begin(
        &self,
        storage: &mut impl Storage,
        outbox: &Outbox,
        mark: Mark,
        now_ms: i64,
    ) -> Result<Option<Job>, String> {
        let is_due = |since_ms: Option<i64>| {
            since_ms.is_some_and(|since_ms| self.due_in_ms(since_ms, now_ms) == 0)
        };
        if outbox.is_spill_urgent() && outbox.unarchived() > 0 {
            return begin_frames(storage, outbox, mark);
        }
        if is_due(self.waiting.since_ms) || self.waiting.bytes >= OBJECT_BYTES_MAX {
            return begin_raw(storage, mark);
        }
        if is_due(self.unarchived_since_ms) {
            return begin_frames(storage, outbox, mark);
        }
        let pruned = self.prunable().last().map(|spilled| spilled.last);
        let count = self.prunable().count();
        Ok(pruned.map(|last| Job::Prune { count, last }))
    }

    fn prunable(&self) -> impl Iterator<Item = &Spilled> {
        let is_old = |spilled: &&Spilled| spilled.last < self.keep_from;
        self.spilled.iter().take_while(is_old).take(PRUNED_AT_ONCE)
    }

    fn operation(&mut self) -> Option<Operation> {
        let shard = &self.orders.shard;
        let name =
            |spilled: &Spilled| names::frames(shard, spilled.mark, spilled.first, spilled.last);
        match self.job.as_mut()? {
            Job::Raw { cut, first, parts, step, listed, .. } => {
                let part = parts.front()?;
                let folder = names::raw_folder(&part.site, part.hour, shard);
                let manifest = format!("{folder}{}", names::MANIFEST);
                Some(match step {
                    Step::Put => {
                        let body = compress(&part.share.text);
                        let name = names::part(cut.mark, *first, cut.last);
                        *listed = Some(Part::of(name.clone(), part.share.lines, &body));
                        let name = format!("{folder}{name}");
                        Operation::Put { name, body, condition: Condition::Absent }
                    }
                    Step::Look => Operation::Get { name: manifest },
                    Step::List { manifest: list, condition } => Operation::Put {
                        name: manifest,
                        body: list.clone().into_bytes(),
                        condition: condition.clone(),
                    },
                })
            }
            Job::Frames { spilled, body, .. } => Some(Operation::Put {
                name: name(spilled),
                body: std::mem::take(body),
                condition: Condition::Absent,
            }),
            Job::Prune { count, .. } => {
                let names = self.spilled.iter().take(*count).map(name).collect();
                Some(Operation::Delete { names })
            }
        }
    }

    /// Judges what became of the operation under way.
    ///
    /// # Errors
    /// If storage fails.
    pub fn finish(
        &mut self,
        outcome: Outcome,
        storage: &mut impl Storage,
        outbox: &mut Outbox,
        now_ms: i64,
    ) -> Result<(), String> {
        self.is_busy = false;
        if outcome == Outcome::Failed {
            // The job begins anew: what it is made of is in storage.
            self.job = None;
            let doubled = RETRY_FIRST_MS << self.failures.min(8);
            self.failures += 1;
            self.retry_at_ms = now_ms + doubled.min(RETRY_MAX_MS);
            return Ok(());
        }
        self.failures = 0;
        match self.job.take() {
            Some(Job::Raw { cut, first, bytes, mut parts, step, mut listed }) => {
                let step = self.next_step(step, outcome, parts.front(), listed.as_ref());
                let step = step.unwrap_or_else(|| {
                    parts.pop_front();
                    listed = None;
                    Step::Put
                });
                if parts.is_empty() {
                    storage.delete_rows(cut.last)?;
                    let next = storage.rows(None, 0)?;
                    self.waiting.bytes = self.waiting.bytes.saturating_sub(bytes);
                    self.waiting.since_ms = next.first().map(|row| row.at_ms);
                } else {
                    self.job = Some(Job::Raw { cut, first, bytes, parts, step, listed });
                }
            }
            Some(Job::Frames { spilled, totals, .. }) => {
                storage.put_spilled(spilled, &totals)?;
                outbox.note_archived(spilled.first, spilled.last);
                self.spilled.push_back(spilled);
                let next = storage.frame(outbox.first_unarchived())?;
                self.unarchived_since_ms = next.map(|stored| stored.at_ms);
            }
            Some(Job::Prune { count, last }) => {
                for spilled in self.spilled.drain(..count.min(self.spilled.len())) {
                    storage.forget_spilled(spilled.first)?;
                }
                outbox.note_pruned(last);
            }
            None => {}
        }
        Ok(())
    }

    /// The next step of a part; none if it is done.
    fn next_step(
        &self,
        step: Step,
        outcome: Outcome,
        part: Option<&Pending>,
        listed: Option<&Part>,
    ) -> Option<Step> {
        let (part, listed) = (part?, listed?);
        let empty = || Manifest::new(part.site.clone(), part.hour, self.orders.shard.clone());
        let (mut manifest, condition) = match (step, outcome) {
            // A part that is there already was put by an earlier try whose answer was lost.
            (Step::Put, _) | (Step::List { .. }, Outcome::Conflict) => return Some(Step::Look),
            (Step::List { .. }, _) => return None,
            // A list that cannot be read is begun anew: the parts themselves are whole.
            (Step::Look, Outcome::Found { body, etag }) => {
                let known = Manifest::read(&body).unwrap_or_else(|_| empty());
                (known, Condition::Unchanged { etag })
            }
            (Step::Look, _) => (empty(), Condition::Absent),
        };
        if manifest.part(&listed.name).is_some() {
            return None;
        }
        manifest.list(listed.clone());
        Some(Step::List { manifest: manifest.to_json(), condition })
    }

    /// The name of the object that holds a frame.
    #[must_use]
    pub fn object_of(&self, sequence: u64) -> Option<(Spilled, String)> {
        let spilled = self.spilled.iter().rev().find(|spilled| spilled.holds(sequence))?;
        let Spilled { first, last, mark } = *spilled;
        Some((*spilled, names::frames(&self.orders.shard, mark, first, last)))
    }

    /// Forgets an object that is not in the bucket any more.
    ///
    /// # Errors
    /// If storage fails.
    pub fn forget(
        &mut self,
        lost: Spilled,
        storage: &mut impl Storage,
        outbox: &mut Outbox,
    ) -> Result<(), String> {
        self.spilled.retain(|spilled| *spilled != lost);
        storage.forget_spilled(lost.first)?;
        outbox.note_pruned(lost.last);
        Ok(())
    }
}

/// The same bytes each time, as gzip would not be if it carried the time; and fast, because all
/// events of a shard go through it.
fn compress(text: &[u8]) -> Vec<u8> {
    let mut writer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
    // Writing into memory cannot fail.
    let written = writer.write_all(text).and_then(|()| writer.finish());
    written.unwrap_or_default()
}

fn begin_raw(storage: &mut impl Storage, mark: Mark) -> Result<Option<Job>, String> {
    let mut rows = storage.rows(None, OBJECT_BYTES_MAX)?;
    let Some(first) = rows.first().map(|row| row.id) else { return Ok(None) };
    let cut = match storage.cut(Kind::Raw)?.filter(|cut| cut.last >= first) {
        Some(cut) => {
            rows = storage.rows(Some(cut.last), u64::MAX)?;
            cut
        }
        None => {
            let cut = Cut { mark, last: rows.last().map_or(first, |row| row.id) };
            storage.put_cut(Kind::Raw, cut)?;
            cut
        }
    };
    let bytes = rows.iter().map(|row| row.lines.len() as u64).sum();
    let mut shares: BTreeMap<(SiteId, i64), Share> = BTreeMap::new();
    for row in rows {
        share_out(&row.lines, &mut shares).map_err(|error| error.to_string())?;
    }
    let pending = |((site, hour), share)| Pending { site, hour, share };
    let parts = shares.into_iter().map(pending).collect();
    Ok(Some(Job::Raw { cut, first, bytes, parts, step: Step::Put, listed: None }))
}

fn begin_frames(
    storage: &mut impl Storage,
    outbox: &Outbox,
    mark: Mark,
) -> Result<Option<Job>, String> {
    let first = outbox.first_unarchived();
    let known = storage.cut(Kind::Frames)?.filter(|cut| cut.last >= first);
    let end = known.map_or(outbox.head, |cut| cut.last);
    let (mut body, mut totals) = (Vec::new(), Vec::new());
    let mut last = first;
    for sequence in first..=end {
        let Some(Stored { frame, total, .. }) = storage.frame(sequence)? else { break };
        body.extend_from_slice(&frame);
        totals.push(total);
        last = sequence;
        if known.is_none() && body.len() as u64 >= OBJECT_BYTES_MAX {
            break;
        }
    }
    if totals.is_empty() {
        return Ok(None);
    }
    let mark = known.map_or(mark, |cut| cut.mark);
    if known.is_none() {
        storage.put_cut(Kind::Frames, Cut { mark, last })?;
    }
    Ok(Some(Job::Frames { spilled: Spilled { first, last, mark }, body, totals }))
}
