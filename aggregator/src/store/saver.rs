//! Saves checkpoints and snapshots on a thread of its own, and lets go of what they make needless.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::backup::{Failure, Held, Wanted};
use super::recover::Layout;
use super::{Change, Store, StoreError, log, snapshot};
use crate::checkpoint::{Piece, Position};
use crate::dedup::Source;

/// How often a plain snapshot is written.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(3_600);
/// A checkpoint that found no room is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// One checkpoint, as the thread that applies hands it over.
pub struct Checkpoint {
    /// What changed.
    pub pieces: Vec<(Vec<u8>, Piece)>,
    /// Up to where it contains the log.
    pub position: Position,
    /// When it was taken, epoch ms.
    pub at_ms: i64,
    /// Last number of each numbering that it contains.
    pub marks: BTreeMap<Source, u64>,
    /// Whether a snapshot is due with it, however new the last one is.
    pub is_snapshot_due: bool,
    /// A backup that is written with it, if one is wanted.
    pub backup: Option<Wanted>,
    /// Told when it is saved.
    pub done: Option<SyncSender<()>>,
}

/// What the saver tells the others.
#[derive(Debug, Default)]
pub struct Saved {
    /// Last numbers that the plain snapshot before the last contains: whoever starts from either
    /// of them, or from a copy of them, asks for what comes after. Empty until this run of the
    /// program has written two, since nobody knows what the one it found contains.
    pub kept: Mutex<BTreeMap<Source, u64>>,
    /// Whether a checkpoint is being saved.
    pub is_busy: AtomicBool,
    /// How many checkpoints were saved.
    pub count: AtomicU64,
    /// Whether the disk has no room for it.
    pub is_full: AtomicBool,
    /// Whether the program ends, and waits for room no longer.
    pub is_ending: AtomicBool,
}

/// The thread that saves.
pub struct Saver {
    /// Where checkpoints go in.
    pub sender: SyncSender<Checkpoint>,
    /// What it tells.
    pub saved: Arc<Saved>,
    /// Ends when the sender is dropped.
    pub thread: JoinHandle<()>,
}

/// Starts the thread. `failed` is called when nothing can be saved any more.
///
/// # Errors
/// If the system gives no thread.
pub fn start(
    store: Box<dyn Store>,
    layout: Layout,
    last: Position,
    failed: impl Fn(&StoreError) + Send + 'static,
) -> std::io::Result<Saver> {
    let (sender, receiver) = sync_channel(1);
    let saved = Arc::<Saved>::default();
    let told = saved.clone();
    let thread = std::thread::Builder::new().name("saver".to_owned()).spawn(move || {
        if let Err(error) = run(store, &layout, last, &receiver, &told) {
            failed(&error);
        }
    })?;
    Ok(Saver { sender, saved, thread })
}

struct State<'a> {
    store: Box<dyn Store>,
    layout: &'a Layout,
    saved: &'a Saved,
    /// Up to where the checkpoint before held the log.
    before: Position,
    snapshot_marks: BTreeMap<Source, u64>,
    /// None at first: a snapshot soon after the start, so that there is one at all.
    snapshot_at: Option<Instant>,
    snapshot_position: Option<Position>,
    held: Option<Held>,
}

#[expect(clippy::disallowed_methods, reason = "the time that a checkpoint takes is told")]
fn run(
    store: Box<dyn Store>,
    layout: &Layout,
    last: Position,
    receiver: &Receiver<Checkpoint>,
    saved: &Saved,
) -> Result<(), StoreError> {
    let mut state = State {
        store,
        layout,
        saved,
        before: last,
        snapshot_marks: BTreeMap::new(),
        snapshot_at: None,
        snapshot_position: None,
        held: Held::read(&layout.held),
    };
    while let Ok(mut checkpoint) = receiver.recv() {
        let started = Instant::now();
        let (changes, bytes) = encode(std::mem::take(&mut checkpoint.pieces))?;
        state.commit(&changes)?;
        saved.count.fetch_add(1, Ordering::AcqRel);
        state.back_up(&mut checkpoint);
        state.snapshot(&mut checkpoint)?;
        // Two checkpoints back, and never what the snapshot would need.
        let oldest = state.snapshot_position.map_or(state.before, |at| at.min(state.before));
        log::prune(&layout.log, oldest.segment)?;
        state.before = checkpoint.position;
        saved.is_busy.store(false, Ordering::Release);
        tracing::debug!(bytes, ms = started.elapsed().as_millis(), "saved a checkpoint");
        if let Some(done) = checkpoint.done {
            // Whoever waited may have gone; the checkpoint is saved all the same.
            let _ = done.try_send(());
        }
    }
    Ok(())
}

impl State<'_> {
    /// Commits, as often as it takes while the disk is full: what changed is nowhere else in the
    /// store's form, and the log holds it meanwhile.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        loop {
            let room = self.layout.room.check().map_err(StoreError::Io);
            match room.and_then(|()| self.store.commit(changes.to_vec())) {
                Ok(()) => {
                    self.saved.is_full.store(false, Ordering::Release);
                    return Ok(());
                }
                Err(error) if error.is_full() => {
                    let is_news = !self.saved.is_full.swap(true, Ordering::AcqRel);
                    if is_news {
                        tracing::error!(%error, "no room for a checkpoint: make room on the disk");
                    }
                    if self.saved.is_ending.load(Ordering::Acquire) {
                        return Err(error);
                    }
                    std::thread::sleep(RETRY);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the plain snapshot if it is due; one that finds no room is due still.
    #[expect(clippy::disallowed_methods, reason = "snapshots are due by the clock")]
    fn snapshot(&mut self, checkpoint: &mut Checkpoint) -> Result<(), StoreError> {
        let is_due = self.snapshot_at.is_none_or(|at| at.elapsed() >= SNAPSHOT_EVERY);
        if !is_due && !checkpoint.is_snapshot_due {
            return Ok(());
        }
        match snapshot::write(self.store.as_ref(), &self.layout.snapshot) {
            Err(error) if error.is_full() => {
                tracing::error!(%error, "no room for a snapshot: make room on the disk");
                return Ok(());
            }
            written => written?,
        };
        self.snapshot_at = Some(Instant::now());
        self.snapshot_position = Some(checkpoint.position);
        let marks = std::mem::take(&mut checkpoint.marks);
        let kept = std::mem::replace(&mut self.snapshot_marks, marks);
        let held = self.held.as_ref();
        let kept = held.map_or(kept.clone(), |held| held.limit(kept, checkpoint.at_ms));
        *self.saved.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(())
    }

    /// Writes a backup if one is wanted. Shards keep what it lacks, from before it is told of.
    fn back_up(&mut self, checkpoint: &mut Checkpoint) {
        let Some(Wanted { path, reply }) = checkpoint.backup.take() else { return };
        let held = Held::of(checkpoint.at_ms, &checkpoint.marks);
        let written = held.write(&self.layout.held).map_err(StoreError::Io).and_then(|()| {
            self.layout.room.check()?;
            snapshot::write(self.store.as_ref(), &path)
        });
        match &written {
            Ok(bytes) => tracing::info!(?path, bytes, "wrote a backup"),
            Err(error) => tracing::error!(?path, %error, "a backup cannot be written"),
        }
        self.held = Some(held);
        // Whoever wanted it may have gone; it is there all the same.
        let _ = reply.send(written.map_err(|error| Failure::from(&error)));
    }
}

fn encode(pieces: Vec<(Vec<u8>, Piece)>) -> Result<(Vec<Change>, usize), StoreError> {
    // Of several pieces with one key the last counts: a site may be removed and made again.
    let mut changes = BTreeMap::new();
    let mut bytes = 0;
    for (key, piece) in pieces {
        let value = piece.encode().map_err(StoreError::Damaged)?;
        bytes += value.as_ref().map_or(0, Vec::len);
        changes.insert(key, value);
    }
    Ok((changes.into_iter().collect(), bytes))
}
