//! From disk to state: the checkpoint, then the log from there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::{self, Log, LogError};
use super::room::Room;
use super::sled::Sled;
use super::vault::Vault;
use super::{Store, StoreError, files, snapshot};
use crate::apply::{Entry, World};
use crate::checkpoint::{Position, Restore};

/// Where everything lies below the data folder.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Segments of the log.
    pub log: PathBuf,
    /// sled.
    pub sled: PathBuf,
    /// The plain snapshot.
    pub snapshot: PathBuf,
    /// Locked by the program that uses the folder.
    pub lock: PathBuf,
    /// Bytes of memory for records, timelines and lines; no bound if there is none.
    pub memory: Option<usize>,
    /// What the newest backup contains.
    pub held: PathBuf,
    /// Whether the disk takes more.
    pub room: Room,
}

/// Bytes that are kept free on the disk unless the configuration says otherwise.
pub const KEEP_FREE_BYTES: u64 = 64 << 20;

impl Layout {
    /// The layout below a data folder.
    #[must_use]
    pub fn below(data: &Path) -> Self {
        Self {
            log: data.join("log"),
            sled: data.join("sled"),
            snapshot: data.join("snapshot.bin"),
            lock: data.join("lock"),
            memory: None,
            held: data.join("backed-up.cbor"),
            room: Room::above(data, KEEP_FREE_BYTES),
        }
    }

    /// The same with a bound of memory.
    #[must_use]
    pub fn within(self, memory: Option<usize>) -> Self {
        Self { memory, ..self }
    }

    /// With other bytes that are kept free on the disk.
    #[must_use]
    pub fn keeping_free(self, bytes: u64) -> Self {
        let folder = self.log.parent().unwrap_or(&self.log).to_owned();
        Self { room: Room::above(&folder, bytes), ..self }
    }
}

/// Why the state cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The log is damaged or too short.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store refuses even when new.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk or the system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Two programs would ruin each other's files.
    #[error("another program uses the data folder ({0} is locked)")]
    InUse(String),
    /// Neither checkpoint, snapshot nor log lead back to the state.
    #[error(
        "the checkpoint cannot be used ({checkpoint}), and {rest}; restore the data folder from a \
         backup"
    )]
    Lost {
        /// What is wrong with the checkpoint.
        checkpoint: String,
        /// Why nothing stands in for it.
        rest: String,
    },
}

/// What a start ends with.
pub struct Recovered {
    /// The state.
    pub world: World,
    /// The log, ready for the next group.
    pub log: Log,
    /// The store.
    pub store: Box<dyn Store>,
    /// What reads blocks of records back from it.
    pub vault: Arc<Vault>,
    /// Up to where the checkpoint held the log.
    pub checkpoint: Position,
    /// Keeps other programs away until it is dropped.
    pub lock: fs::File,
}

/// Brings the state back from a data folder; a new one gives an empty state.
///
/// # Errors
/// If what was acknowledged cannot be brought back whole.
pub fn recover(layout: &Layout, now_ms: i64) -> Result<Recovered, RecoverError> {
    fs::create_dir_all(&layout.log)?;
    let lock = lock(&layout.lock)?;
    let Opened { store, vault, restored } = match open(layout, now_ms) {
        Ok(opened) => opened,
        // That says nothing of what is there already.
        Err(error) if error.is_full() => return Err(error.into()),
        Err(error) => stand_in(layout, &error.to_string(), now_ms)?,
    };
    let empty = || (World::within(layout.memory, Arc::new(vault.clone())), Position::default());
    let (mut world, checkpoint) = restored.unwrap_or_else(empty);
    world.begin(now_ms);
    let end = replay(layout, &mut world, checkpoint)?;
    if let Some(why) = vault.failure() {
        return Err(StoreError::Damaged(why).into());
    }
    let log = if end < checkpoint {
        // The log was cut below the checkpoint; what it lost, the checkpoint holds.
        open_log(layout, Position { segment: checkpoint.segment + 1, offset: 0 })?
    } else {
        open_log(layout, end)?
    };
    Ok(Recovered { world, log, store, vault, checkpoint, lock })
}

fn open_log(layout: &Layout, end: Position) -> io::Result<Log> {
    Log::open(&layout.log, end, layout.room.clone())
}

fn lock(path: &Path) -> Result<fs::File, RecoverError> {
    let file = fs::File::create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(RecoverError::InUse(path.display().to_string())),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

struct Opened {
    store: Box<dyn Store>,
    vault: Arc<Vault>,
    restored: Option<(World, Position)>,
}

fn open(layout: &Layout, now_ms: i64) -> Result<Opened, StoreError> {
    let opened = load(Sled::open(&layout.sled)?, layout, now_ms)?;
    let restored = &opened.restored;
    let first = log::segments(&layout.log)?.first().copied();
    // An empty store beside a log that does not begin at its beginning has lost something.
    if restored.is_none() && (first.is_some_and(|first| first > 1) || layout.snapshot.exists()) {
        return Err(StoreError::Damaged("sled holds nothing, though there was something".into()));
    }
    Ok(opened)
}

fn load(store: Sled, layout: &Layout, now_ms: i64) -> Result<Opened, StoreError> {
    let vault = Vault::new(store.values(), layout.memory.unwrap_or_default());
    let mut restore = Restore::within(layout.memory, Arc::new(vault.clone()));
    store.visit(&mut |key, value| restore.take(key, value).map_err(StoreError::Damaged))?;
    let restored = restore.finish(now_ms).map_err(StoreError::Damaged)?;
    match vault.failure() {
        Some(why) => Err(StoreError::Damaged(why)),
        None => Ok(Opened { store: Box::new(store), vault, restored }),
    }
}

/// Moves an unusable store aside and fills a new one from the snapshot, or begins with the log.
fn stand_in(layout: &Layout, checkpoint: &str, now_ms: i64) -> Result<Opened, RecoverError> {
    let lost = |rest: String| RecoverError::Lost { checkpoint: checkpoint.to_owned(), rest };
    let first = log::segments(&layout.log)?.first().copied();
    let snapshot = snapshot::read(&layout.snapshot).map_err(|error| lost(error.to_string()))?;
    if snapshot.is_none() && first != Some(1) {
        return Err(lost(format!("there is no snapshot, and the log begins at {first:?}")));
    }
    let aside = files::move_aside(&layout.sled, now_ms)?;
    tracing::error!(checkpoint, aside = %aside.display(), "moved the damaged checkpoint aside");
    let mut store = Sled::open(&layout.sled)?;
    if let Some(changes) = snapshot {
        store.commit(changes)?;
    }
    Ok(load(store, layout, now_ms)?)
}

/// How often a long replay says how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "a long replay says how far it is, by the clock")]
fn replay(layout: &Layout, world: &mut World, from: Position) -> Result<Position, RecoverError> {
    let total = log_bytes(layout, from)?;
    let (mut done, mut groups) = (0u64, 0u64);
    let mut said = Instant::now();
    let end = log::replay(&layout.log, from, |group| {
        let entries: Vec<Entry> =
            ciborium::from_reader(group).map_err(|error| format!("is unreadable: {error}"))?;
        entries.into_iter().try_for_each(|entry| world.replay(entry))?;
        groups += 1;
        done += group.len() as u64;
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            tracing::info!(groups, done, total, "replaying the log");
        }
        Ok(())
    })?;
    tracing::info!(groups, bytes = done, segment = end.segment, "the state is back");
    Ok(end)
}

fn log_bytes(layout: &Layout, from: Position) -> io::Result<u64> {
    let segments = log::segments(&layout.log)?.into_iter().filter(|at| *at >= from.segment);
    let sizes = segments.map(|at| fs::metadata(log::path(&layout.log, at)).map(|meta| meta.len()));
    let total: u64 = sizes.sum::<io::Result<u64>>()?;
    Ok(total.saturating_sub(from.offset))
}
