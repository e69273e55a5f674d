//! A shard between two calls: what it remembers of its storage, and the window that is open.
//!
//! All of it follows from storage but the window, and nobody was told that the window is done. So
//! after any failure, crash or eviction a shard is simply loaded again. Storage is written in one
//! transaction between two awaits; the platform guarantees that, see `platform/shard.rs`.

use edgetally_proto::frame;
use edgetally_proto::ids::{Epoch, Mark};
use edgetally_proto::limits::{
    COMMIT_EVENTS, COMMIT_INTERVAL_MS, FRAME_BYTES_MAX, FRAMES_BYTES_MAX, FRAMES_PER_REQUEST_MAX,
    IDS_MINUTES, RAW_WINDOW_BYTES_MAX, RING_SLOTS, WINDOW_BYTES_MAX,
};
use edgetally_proto::time::MINUTE_MS;
use edgetally_proto::window::Window;

use crate::archivist::{self, Archivist, Operation, Orders};
use crate::known_ids::KnownIds;
use crate::outbox::{Next, Outbox, Reply};
use crate::store::{Head, Row, Spilled, Storage, Stored};
use crate::waiting::{Admission, Lines};

/// The error of a commit for which no slot is free any more: while the window was open the
/// aggregator fell back and needs again what is in them. Its events are sent again by their
/// clients.
pub const NO_SLOT: &str = "no slot of the ring is free";
/// Rows that the lines of one commit may fill: it numbers them from its sequence times this.
const ROWS_PER_COMMIT: u64 = 1_024;
/// Commits come this far apart while much waits for the aggregator.
const PRESSED_INTERVAL_MS: i64 = 1_000;

/// When the open window is to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At once.
    Now,
    /// By a timer that starts now, if the window is still open then.
    After {
        /// Milliseconds.
        after_ms: i64,
    },
    /// A timer runs already.
    Scheduled,
}

/// What became of a batch in the open window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// For each record whether it was new.
    pub news: Vec<bool>,
    /// The window it went into: what was folded is done when that is no longer the open one.
    pub window: u64,
    /// When it will be committed.
    pub due: Due,
}

/// How a shard is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Slots of its ring.
    pub slots: u64,
    /// What its archivist is asked for, if there is a bucket.
    pub archive: Option<Orders>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { slots: RING_SLOTS, archive: None }
    }
}

/// What is needed to send on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A request to send.
    Parcel(Parcel),
    /// An object to read from the bucket first, and to hand to [`Shard::refill`].
    Missing {
        /// What it holds.
        spilled: Spilled,
        /// Its name.
        name: String,
    },
}

/// What one request to the aggregator carries: frames back to back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The epoch of their numbers.
    pub epoch: Epoch,
    /// Number of the first frame.
    pub first: u64,
    /// Number of the last frame.
    pub last: u64,
    /// Number of the newest frame that is committed.
    pub head: u64,
    /// Events in the frames that stay behind.
    pub left: u64,
    /// The frames.
    pub body: Vec<u8>,
}

/// A shard, loaded.
#[derive(Debug)]
pub struct Shard<S> {
    storage: S,
    outbox: Outbox,
    known_ids: KnownIds,
    /// Ids of minutes before this one are stored.
    ids_minute: i64,
    window: Window,
    /// Lines of its events.
    lines: Lines,
    /// Which window is open; grows with every commit.
    window_number: u64,
    is_scheduled: bool,
    committed_at_ms: i64,
    /// Events committed since the shard began.
    total: u64,
    /// What storage says was acknowledged: a shard that is loaded again sends what comes after.
    acked_stored: u64,
    archivist: Option<Archivist>,
    /// An object of frames that are being sent again, as the bucket gave it.
    refill: Option<(Spilled, Vec<Stored>)>,
}

impl<S: Storage> Shard<S> {
    /// Reads a shard from its storage; a new one begins `epoch`.
    ///
    /// # Errors
    /// If storage fails or holds what no shard wrote.
    pub fn load(mut storage: S, epoch: Epoch, setup: Setup, now_ms: i64) -> Result<Self, String> {
        let (epoch, base) = match storage.epoch()? {
            Some(known) => known,
            None => {
                storage.put_epoch(epoch, 0)?;
                (epoch, 0)
            }
        };
        let Head { sequence, acked, total } = storage.head()?;
        let mut outbox = Outbox::new(epoch, base, sequence, acked).with_slots(setup.slots);
        for Spilled { first, last, .. } in storage.spilled()? {
            outbox.note_archived(first, last);
        }
        let archivist = setup.archive.map(|orders| Archivist::load(orders, &storage, &outbox));
        let mut shard = Self {
            acked_stored: outbox.acked,
            archivist: archivist.transpose()?,
            storage,
            outbox,
            known_ids: KnownIds::default(),
            ids_minute: 0,
            window: Window::default(),
            lines: Lines::default(),
            window_number: 0,
            is_scheduled: false,
            committed_at_ms: 0,
            total,
            refill: None,
        };
        shard.load_ids(now_ms)?;
        Ok(shard)
    }

    /// Stored minutes first, then the frames that were committed after them.
    fn load_ids(&mut self, now_ms: i64) -> Result<(), String> {
        let since = now_ms.div_euclid(MINUTE_MS) - IDS_MINUTES;
        self.ids_minute = since;
        for (minute, part) in self.storage.ids_since(since)? {
            self.ids_minute = minute + 1;
            // A later worker may have written it, before a roll-back. What cannot be read is
            // forgotten: the aggregator knows every id, and a shard that fails serves nobody.
            let _forgotten = self.known_ids.decode(minute, &part);
        }
        for sequence in (self.outbox.oldest()..=self.outbox.head).rev() {
            let Some(stored) = self.storage.frame(sequence)? else { break };
            // As above; the frame itself is sent as it is, to an aggregator that can read it.
            let Ok(batch) = frame::decode(&stored.frame) else { continue };
            if batch.committed_at_ms < self.ids_minute * MINUTE_MS {
                break;
            }
            self.known_ids.insert_batch(&batch);
        }
        Ok(())
    }

    /// Whether something waits for the aggregator.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        self.outbox.has_backlog()
    }

    /// Folds a batch into the open window; none if there is no room: no slot of the ring is free
    /// for another frame, or too many lines wait for the bucket.
    ///
    /// # Errors
    /// If storage fails: a window that would outgrow its frame is committed first.
    pub fn fold(
        &mut self,
        admission: Admission<'_>,
        now_ms: i64,
    ) -> Result<Option<Folded>, String> {
        if !self.has_room() {
            return Ok(None);
        }
        let outgrown = self.window.bytes() + admission.bytes > WINDOW_BYTES_MAX;
        if !self.window.is_empty() && outgrown {
            self.commit(now_ms)?;
            if !self.has_room() {
                return Ok(None);
            }
        }
        let mut news = Vec::new();
        let mut lines = admission.lines.into_iter();
        for site in admission.batch.sites {
            let (known_ids, waiting) = (&mut self.known_ids, &mut self.lines);
            news.extend(self.window.absorb(site, |site, client, record| {
                let is_new = known_ids.insert(site, client, &record.id, now_ms);
                if let (Some(line), true) = (lines.next(), is_new) {
                    waiting.push(site, record.received_at_ms, line);
                }
                is_new
            }));
        }
        Ok(Some(Folded { news, window: self.window_number, due: self.due(now_ms) }))
    }

    fn has_room(&self) -> bool {
        self.outbox.has_room() && self.archivist.as_ref().is_none_or(Archivist::has_room)
    }

    /// The first batch of a window starts its timer; a full window does not wait for it, but there
    /// are at most four commits a second unless the window would outgrow its frame.
    fn due(&mut self, now_ms: i64) -> Due {
        let pressed = self.outbox.is_pressed();
        let interval_ms = if pressed { PRESSED_INTERVAL_MS } else { COMMIT_INTERVAL_MS };
        let rested = now_ms - self.committed_at_ms >= interval_ms;
        let full = self.window.events() >= COMMIT_EVENTS && rested;
        let outgrown = self.window.bytes() > WINDOW_BYTES_MAX;
        if full || outgrown || self.lines.bytes() > RAW_WINDOW_BYTES_MAX {
            Due::Now
        } else if self.is_scheduled {
            Due::Scheduled
        } else {
            self.is_scheduled = true;
            Due::After { after_ms: interval_ms }
        }
    }

    /// Whether a window is still the open one.
    #[must_use]
    pub fn is_open(&self, window: u64) -> bool {
        self.window_number == window
    }

    /// Closes the window and writes it into the ring; says whether there was one. What was folded
    /// is done when storage has taken the write.
    ///
    /// # Errors
    /// If storage fails; then nothing was done and the shard must be loaded again.
    pub fn commit(&mut self, now_ms: i64) -> Result<bool, String> {
        if self.window.is_empty() {
            return Ok(false);
        }
        let events = self.window.events() as u64;
        let bytes = frame::encode(&self.window.seal(now_ms));
        if bytes.len() > FRAME_BYTES_MAX {
            // Refused it is sent again in other company; in the ring it would block the rest.
            return Err("a window outgrew its frame".to_owned());
        }
        if !self.outbox.has_room() {
            return Err(NO_SLOT.to_owned());
        }
        let acked = self.outbox.acked;
        let sequence = self.outbox.commit();
        self.acked_stored = acked;
        self.total += events;
        let stored = Stored { frame: bytes, total: self.total, at_ms: now_ms };
        self.storage.put_frame(sequence, acked, stored)?;
        self.keep_lines(sequence, now_ms)?;
        let minute = now_ms.div_euclid(MINUTE_MS);
        for over in self.ids_minute..minute {
            self.storage.put_ids(over, self.known_ids.encode(over))?;
        }
        self.ids_minute = self.ids_minute.max(minute);
        self.known_ids.forget(now_ms);
        self.window_number += 1;
        self.is_scheduled = false;
        self.committed_at_ms = now_ms;
        Ok(true)
    }

    /// Writes the lines of a commit into rows, with its frame.
    fn keep_lines(&mut self, sequence: u64, now_ms: i64) -> Result<(), String> {
        let rows = (sequence * ROWS_PER_COMMIT..).zip(self.lines.take());
        let rows: Vec<Row> = rows.map(|(id, lines)| Row { id, at_ms: now_ms, lines }).collect();
        if let Some(archivist) = &mut self.archivist {
            archivist.note_commit(&rows, now_ms);
        }
        rows.into_iter().try_for_each(|row| self.storage.put_row(row))
    }

    /// What to send now, read back from ring or bucket; a parcel is in flight until
    /// [`Self::finish`].
    ///
    /// # Errors
    /// If storage fails or lacks a frame that was not acknowledged.
    pub fn parcel(&mut self) -> Result<Option<Outgoing>, String> {
        let Some(first) = self.outbox.next_to_send() else { return Ok(None) };
        let is_refilled = self.refill.as_ref().is_some_and(|(spilled, _)| spilled.holds(first));
        if !is_refilled {
            self.refill = None;
        }
        if !is_refilled && self.storage.frame(first)?.is_none() {
            let object = self.archivist.as_ref().and_then(|archivist| archivist.object_of(first));
            let (spilled, name) = object.ok_or("a frame is missing from ring and bucket")?;
            return Ok(Some(Outgoing::Missing { spilled, name }));
        }
        let Some(range) = self.outbox.start_send() else { return Ok(None) };
        let (mut body, mut last, mut total) = (Vec::new(), first, self.total);
        for sequence in range.take(FRAMES_PER_REQUEST_MAX) {
            let Some(stored) = self.stored(sequence)? else { break };
            if sequence > first && body.len() + stored.frame.len() > FRAMES_BYTES_MAX {
                break;
            }
            body.extend_from_slice(&stored.frame);
            (last, total) = (sequence, stored.total);
        }
        let wire = |sequence| self.outbox.wire(sequence);
        let (first, last, head) = (wire(first), wire(last), wire(self.outbox.head));
        let left = self.total.saturating_sub(total);
        Ok(Some(Outgoing::Parcel(Parcel {
            epoch: self.outbox.epoch,
            first,
            last,
            head,
            left,
            body,
        })))
    }

    /// A frame from the object at hand, else from the ring.
    fn stored(&self, sequence: u64) -> Result<Option<Stored>, String> {
        if let Some((spilled, frames)) = &self.refill
            && let Some(at) = sequence.checked_sub(spilled.first)
            && let Some(stored) = usize::try_from(at).ok().and_then(|at| frames.get(at))
        {
            return Ok(Some(stored.clone()));
        }
        self.storage.frame(sequence)
    }

    /// Takes an object that [`Self::parcel`] asked for; none if it is not in the bucket any more.
    /// Says whether its frames are lost: then the shard goes on behind them, under a new epoch.
    ///
    /// # Errors
    /// If storage fails.
    pub fn refill(
        &mut self,
        spilled: Spilled,
        object: Option<&[u8]>,
        epoch: Epoch,
    ) -> Result<bool, String> {
        let totals = self.storage.totals(spilled.first)?;
        if let Some(frames) = object.and_then(|object| take_apart(object, &totals)) {
            self.refill = Some((spilled, frames));
            return Ok(false);
        }
        if let Some(archivist) = &mut self.archivist {
            archivist.forget(spilled, &mut self.storage, &mut self.outbox)?;
        }
        self.storage.put_epoch(epoch, spilled.last)?;
        self.outbox.begin_epoch(epoch, spilled.last);
        Ok(true)
    }

    /// Judges the reply to a parcel. A [`Next::NewEpoch`] is carried out here, with `epoch` as its
    /// name.
    ///
    /// # Errors
    /// If storage fails.
    pub fn finish(&mut self, parcel: &Parcel, reply: Reply, epoch: Epoch) -> Result<Next, String> {
        if parcel.epoch != self.outbox.epoch {
            // It was sent before the shard was loaded again: its numbers mean nothing any more.
            return Ok(Next::Send);
        }
        let next = self.outbox.finish_send((parcel.first, parcel.last), reply);
        if let Next::NewEpoch { base } = next {
            self.storage.put_epoch(epoch, base)?;
            self.outbox.begin_epoch(epoch, base);
        }
        Ok(next)
    }

    /// Takes note that no backup of the aggregator needs frames before a number of an epoch.
    pub fn note_keep_from(&mut self, epoch: Epoch, number: u64) {
        let (base, stored) = (self.outbox.base, self.acked_stored);
        if let (Some(archivist), true) = (&mut self.archivist, epoch == self.outbox.epoch) {
            // Whatever it says, what would be sent again after a crash stays.
            archivist.note_keep_from(base.saturating_add(number).min(stored + 1));
        }
    }

    /// Whether there is anything for the bucket, now or later.
    #[must_use]
    pub fn archive_wait_ms(&self, now_ms: i64) -> Option<i64> {
        self.archivist.as_ref()?.wait_ms(now_ms)
    }

    /// The next operation on the bucket; under way until [`Self::archived`]. `mark` is a new one.
    ///
    /// # Errors
    /// If storage fails.
    pub fn archive(&mut self, mark: Mark, now_ms: i64) -> Result<Option<Operation>, String> {
        let Some(archivist) = &mut self.archivist else { return Ok(None) };
        archivist.next(&mut self.storage, &self.outbox, mark, now_ms)
    }

    /// Judges what became of an operation on the bucket.
    ///
    /// # Errors
    /// If storage fails.
    pub fn archived(&mut self, outcome: archivist::Outcome, now_ms: i64) -> Result<(), String> {
        let Some(archivist) = &mut self.archivist else { return Ok(()) };
        archivist.finish(outcome, &mut self.storage, &mut self.outbox, now_ms)
    }
}

/// The frames of an object; none if it does not hold them all, undamaged.
fn take_apart(object: &[u8], totals: &[u64]) -> Option<Vec<Stored>> {
    let mut frames = Vec::with_capacity(totals.len());
    let mut rest = object;
    for total in totals {
        let head = frame::peek(rest).ok()?;
        let (bytes, after) = rest.split_at_checked(head.bytes)?;
        frames.push(Stored { frame: bytes.to_vec(), total: *total, at_ms: 0 });
        rest = after;
    }
    rest.is_empty().then_some(frames)
}
