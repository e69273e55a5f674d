//! Saves checkpoints and snapshots on a thread of its own, and lets go of what they make needless.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::recover::Layout;
use super::{Change, Store, StoreError, log, snapshot};
use crate::checkpoint::{Piece, Position};
use crate::dedup::Source;

/// How often a plain snapshot is written.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(3_600);

/// One checkpoint, as the thread that applies hands it over.
pub struct Checkpoint {
    /// What changed.
    pub pieces: Vec<(Vec<u8>, Piece)>,
    /// Up to where it contains the log.
    pub position: Position,
    /// Last number of each numbering that it contains.
    pub marks: BTreeMap<Source, u64>,
    /// Whether a snapshot is due with it, however new the last one is.
    pub is_snapshot_due: bool,
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

#[expect(clippy::disallowed_methods, reason = "snapshots are due by the clock")]
fn run(
    mut store: Box<dyn Store>,
    layout: &Layout,
    last: Position,
    receiver: &Receiver<Checkpoint>,
    saved: &Saved,
) -> Result<(), StoreError> {
    let mut before = last;
    let mut snapshot_marks = BTreeMap::new();
    // A snapshot soon after the start, so that there is one at all.
    let mut snapshot_at: Option<Instant> = None;
    let mut snapshot_position = None;
    while let Ok(checkpoint) = receiver.recv() {
        let started = Instant::now();
        let (changes, bytes) = encode(checkpoint.pieces)?;
        store.commit(changes)?;
        saved.count.fetch_add(1, Ordering::AcqRel);
        let is_due = snapshot_at.is_none_or(|at| at.elapsed() >= SNAPSHOT_EVERY);
        if is_due || checkpoint.is_snapshot_due {
            snapshot::write(store.as_ref(), &layout.snapshot)?;
            snapshot_at = Some(Instant::now());
            snapshot_position = Some(checkpoint.position);
            let kept = std::mem::replace(&mut snapshot_marks, checkpoint.marks);
            *saved.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        }
        // Two checkpoints back, and never what the snapshot would need.
        let oldest = snapshot_position.map_or(before, |position: Position| position.min(before));
        log::prune(&layout.log, oldest.segment)?;
        before = checkpoint.position;
        saved.is_busy.store(false, Ordering::Release);
        tracing::debug!(bytes, ms = started.elapsed().as_millis(), "saved a checkpoint");
        if let Some(done) = checkpoint.done {
            // Whoever waited may have gone; the checkpoint is saved all the same.
            let _ = done.try_send(());
        }
    }
    Ok(())
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
