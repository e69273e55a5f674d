//! A shard between two calls: what it remembers of its storage, and the window that is open.
//!
//! All of it follows from storage but the window, and nobody was told that the window is done. So
//! after any failure, crash or eviction a shard is simply loaded again. Storage is written in one
//! transaction between two awaits; the platform guarantees that, see `platform/shard.rs`.

use edgetally_proto::batch::Batch;
use edgetally_proto::frame;
use edgetally_proto::ids::Epoch;
use edgetally_proto::limits::{
    COMMIT_EVENTS, COMMIT_INTERVAL_MS, FRAME_BYTES_MAX, FRAMES_BYTES_MAX, FRAMES_PER_REQUEST_MAX,
    IDS_MINUTES, WINDOW_BYTES_MAX,
};
use edgetally_proto::time::MINUTE_MS;

use crate::known_ids::KnownIds;
use crate::outbox::{Next, Outbox, Reply};
use edgetally_proto::window::Window;

/// Commits come this far apart while much waits for the aggregator.
const PRESSED_INTERVAL_MS: i64 = 1_000;

/// What a shard keeps. Errors are texts for the log: whatever they are, the shard is loaded again.
pub trait Storage {
    /// Epoch and base, if the shard ever committed.
    ///
    /// # Errors
    /// If storage fails.
    fn epoch(&self) -> Result<Option<(Epoch, u64)>, String>;
    /// Writes down an epoch and the local sequence before its first frame.
    ///
    /// # Errors
    /// If storage fails.
    fn put_epoch(&mut self, epoch: Epoch, base: u64) -> Result<(), String>;
    /// Sequence of the newest frame, and what was acknowledged when it was committed.
    ///
    /// # Errors
    /// If storage fails.
    fn head(&self) -> Result<(u64, u64), String>;
    /// Writes a frame into its slot of the ring.
    ///
    /// # Errors
    /// If storage fails.
    fn put_frame(&mut self, sequence: u64, acked: u64, frame: Vec<u8>) -> Result<(), String>;
    /// The frame with a sequence, if the ring still holds it.
    ///
    /// # Errors
    /// If storage fails.
    fn frame(&self, sequence: u64) -> Result<Option<Vec<u8>>, String>;
    /// Writes down the ids of a minute that is over.
    ///
    /// # Errors
    /// If storage fails.
    fn put_ids(&mut self, minute: i64, parts: Vec<Vec<u8>>) -> Result<(), String>;
    /// Stored ids since a minute, by minute.
    ///
    /// # Errors
    /// If storage fails.
    fn ids_since(&self, minute: i64) -> Result<Vec<(i64, Vec<u8>)>, String>;
}

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

/// What one request to the aggregator carries: frames back to back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The epoch of their numbers.
    pub epoch: Epoch,
    /// Number of the first frame.
    pub first: u64,
    /// Number of the last frame.
    pub last: u64,
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
    /// Which window is open; grows with every commit.
    window_number: u64,
    is_scheduled: bool,
    committed_at_ms: i64,
}

impl<S: Storage> Shard<S> {
    /// Reads a shard from its storage; a new one begins `epoch`.
    ///
    /// # Errors
    /// If storage fails or holds what no shard wrote.
    pub fn load(mut storage: S, epoch: Epoch, now_ms: i64) -> Result<Self, String> {
        let (epoch, base) = match storage.epoch()? {
            Some(known) => known,
            None => {
                storage.put_epoch(epoch, 0)?;
                (epoch, 0)
            }
        };
        let (head, acked) = storage.head()?;
        let mut shard = Self {
            storage,
            outbox: Outbox::new(epoch, base, head, acked),
            known_ids: KnownIds::default(),
            ids_minute: 0,
            window: Window::default(),
            window_number: 0,
            is_scheduled: false,
            committed_at_ms: 0,
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
            let Some(bytes) = self.storage.frame(sequence)? else { break };
            let batch = frame::decode(&bytes).map_err(|error| error.to_string())?;
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

    /// Folds a batch into the open window; none if the ring has no slot for another frame.
    /// `bytes` is its length as a frame.
    ///
    /// # Errors
    /// If storage fails: a window that would outgrow its frame is committed first.
    pub fn fold(
        &mut self,
        batch: Batch,
        bytes: usize,
        now_ms: i64,
    ) -> Result<Option<Folded>, String> {
        if !self.outbox.has_room() {
            return Ok(None);
        }
        if !self.window.is_empty() && self.window.bytes() + bytes > WINDOW_BYTES_MAX {
            self.commit(now_ms)?;
            if !self.outbox.has_room() {
                return Ok(None);
            }
        }
        let mut news = Vec::new();
        for site in batch.sites {
            let known_ids = &mut self.known_ids;
            news.extend(self.window.absorb(site, |site, client, record| {
                known_ids.insert(site, client, &record.id, now_ms)
            }));
        }
        Ok(Some(Folded { news, window: self.window_number, due: self.due(now_ms) }))
    }

    /// The first batch of a window starts its timer; a full window does not wait for it, but there
    /// are at most four commits a second unless the window would outgrow its frame.
    fn due(&mut self, now_ms: i64) -> Due {
        let pressed = self.outbox.is_pressed();
        let interval_ms = if pressed { PRESSED_INTERVAL_MS } else { COMMIT_INTERVAL_MS };
        let rested = now_ms - self.committed_at_ms >= interval_ms;
        let full = self.window.events() >= COMMIT_EVENTS && rested;
        if full || self.window.bytes() > WINDOW_BYTES_MAX {
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
        let bytes = frame::encode(&self.window.seal(now_ms));
        if bytes.len() > FRAME_BYTES_MAX {
            // Refused it is sent again in other company; in the ring it would block the rest.
            return Err("a window outgrew its frame".to_owned());
        }
        let acked = self.outbox.acked;
        let sequence = self.outbox.commit();
        self.storage.put_frame(sequence, acked, bytes)?;
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

    /// What to send now, read back from the ring; it is in flight until [`Self::finish`].
    ///
    /// # Errors
    /// If storage fails or lacks a frame that was not acknowledged.
    pub fn parcel(&mut self) -> Result<Option<Parcel>, String> {
        let Some(range) = self.outbox.start_send() else { return Ok(None) };
        let first = *range.start();
        let (mut body, mut last) = (Vec::new(), first);
        for sequence in range.take(FRAMES_PER_REQUEST_MAX) {
            let frame = self.storage.frame(sequence)?.ok_or("a frame is missing from the ring")?;
            if sequence > first && body.len() + frame.len() > FRAMES_BYTES_MAX {
                break;
            }
            body.extend_from_slice(&frame);
            last = sequence;
        }
        let (first, last) = (self.outbox.wire(first), self.outbox.wire(last));
        Ok(Some(Parcel { epoch: self.outbox.epoch, first, last, body }))
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
        let next = self.outbox.finish_send(reply);
        if let Next::NewEpoch { base } = next {
            self.storage.put_epoch(epoch, base)?;
            self.outbox.begin_epoch(epoch, base);
        }
        Ok(next)
    }
}
