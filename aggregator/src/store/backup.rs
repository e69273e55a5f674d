//! Backups: the whole checkpoint in one file, taken while serving, and the way back from it.
//!
//! A backup is a plain snapshot (`snapshot.rs`) of one checkpoint. The folder made from it has the
//! store, the snapshot, and a log that begins where the checkpoint ends; what came later is sent
//! again by the shards.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edgetally_proto::ids::{Epoch, ShardName};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::log::Log;
use super::recover::{Layout, RecoverError, recover};
use super::sled::Sled;
use super::{Change, Store, StoreError, files, snapshot};
use crate::checkpoint::Position;
use crate::dedup::Source;

/// For so long shards keep what a restored backup would lack.
pub const HELD_MS: i64 = 48 * 3_600_000;
/// Bytes that go into the store at once.
const PART_BYTES: usize = 32 << 20;

/// A backup that is wanted.
pub struct Wanted {
    /// The file.
    pub path: PathBuf,
    /// Where the answer goes: bytes of the file, or why there is none.
    pub reply: oneshot::Sender<Result<u64, Failure>>,
}

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Another one is being written.
    UnderWay,
    /// The disk has no room.
    Full,
    /// The store or the disk refuses.
    Broken(String),
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Self {
        if error.is_full() { Self::Full } else { Self::Broken(error.to_string()) }
    }
}

/// How much of a numbering a backup contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    shard: ShardName,
    #[serde(with = "serde_bytes")]
    epoch: [u8; 16],
    last: u64,
}

/// What the newest backup contains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// When it was taken, epoch ms.
    pub at_ms: i64,
    /// Of each numbering.
    pub marks: Vec<Mark>,
}

impl Held {
    /// What a backup contains that was taken at an instant.
    pub fn of(at_ms: i64, marks: &BTreeMap<Source, u64>) -> Self {
        let mark = |(source, last): (&Source, &u64)| Mark {
            shard: source.shard.clone(),
            epoch: source.epoch.0,
            last: *last,
        };
        Self { at_ms, marks: marks.iter().map(mark).collect() }
    }

    /// The note of the newest backup; none where there is none that can be read.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let held = ciborium::from_reader(bytes.as_slice());
        held.inspect_err(|error| tracing::warn!(%error, ?path, "the note cannot be read")).ok()
    }

    /// Notes what a backup contains.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).map_err(io::Error::other)?;
        files::write_whole(path, &bytes)
    }

    /// The numbers that shards may forget, of those they might without the backup.
    #[must_use]
    pub fn limit(&self, kept: BTreeMap<Source, u64>, now_ms: i64) -> BTreeMap<Source, u64> {
        if now_ms - self.at_ms > HELD_MS {
            return kept;
        }
        let source = |mark: &Mark| Source { shard: mark.shard.clone(), epoch: Epoch(mark.epoch) };
        let marks: BTreeMap<Source, u64> =
            self.marks.iter().map(|mark| (source(mark), mark.last)).collect();
        let both = kept.into_iter().filter_map(|(source, last)| {
            marks.get(&source).map(|held| last.min(*held)).map(|last| (source, last))
        });
        both.collect()
    }
}

/// Makes a data folder of a backup, in a place where there is none yet or an empty one.
///
/// # Errors
/// If the backup is damaged, there is something in the folder, or the disk refuses.
pub fn restore(backup: &Path, data: &Path, now_ms: i64) -> Result<Position, RecoverError> {
    let is_taken = data.exists() && fs::read_dir(data)?.next().is_some();
    if is_taken {
        let text = format!("{} is not empty", data.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text).into());
    }
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let draft = data.with_file_name(name);
    if draft.exists() {
        // Of a run that was cut short.
        fs::remove_dir_all(&draft)?;
    }
    fs::create_dir_all(&draft)?;
    let layout = Layout::below(&draft).within(Some(crate::config::MEMORY));
    fill(backup, &layout)?;
    let recovered = recover(&layout, now_ms)?;
    let position = recovered.checkpoint;
    drop(recovered);
    if data.exists() {
        fs::remove_dir(data)?;
    }
    fs::rename(&draft, data)?;
    data.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or(Ok(()), files::sync_dir)?;
    Ok(position)
}

/// Store, snapshot and log of a backup.
fn fill(backup: &Path, layout: &Layout) -> Result<(), RecoverError> {
    // It is read twice: nothing of a damaged one gets into the store.
    snapshot::verify(backup)?;
    let mut store = Sled::open(&layout.sled)?;
    let (mut part, mut bytes) = (Vec::<Change>::new(), 0);
    snapshot::visit(backup, &mut |key, value| {
        bytes += key.len() + value.len();
        part.push((key.to_vec(), Some(value.to_vec())));
        if bytes < PART_BYTES {
            return Ok(());
        }
        bytes = 0;
        store.commit(std::mem::take(&mut part))
    })?;
    store.commit(part)?;
    let position = position_of(&store)?;
    drop(store);
    fs::copy(backup, &layout.snapshot)?;
    fs::File::open(&layout.snapshot)?.sync_all()?;
    fs::create_dir_all(&layout.log)?;
    let begin = Position { segment: position.segment, offset: 0 };
    Log::open(&layout.log, begin, layout.room.clone())?;
    Ok(())
}

fn position_of(store: &dyn Store) -> Result<Position, StoreError> {
    let mut position = None;
    store.visit(&mut |key, value| {
        if super::keys::Key::decode(key) == Some(super::keys::Key::Position) {
            let read = ciborium::from_reader(value);
            position = Some(read.map_err(|error: ciborium::de::Error<io::Error>| {
                StoreError::Damaged(error.to_string())
            })?);
        }
        Ok(())
    })?;
    position.ok_or_else(|| StoreError::Damaged("the backup holds no position".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_keep_what_a_young_backup_lacks() {
        let source =
            |name: &str| Source { shard: ShardName::parse(name).unwrap(), epoch: Epoch([0; 16]) };
        let held = Held::of(1_000, &[(source("a"), 5), (source("b"), 9)].into_iter().collect());
        let kept: BTreeMap<Source, u64> =
            [(source("a"), 8), (source("b"), 7), (source("c"), 3)].into_iter().collect();
        let expected = [(source("a"), 5), (source("b"), 7)].into_iter().collect();
        assert_eq!(held.limit(kept.clone(), 2_000), expected, "nothing of c is in the backup");
        assert_eq!(held.limit(kept.clone(), 1_001 + HELD_MS), kept, "an old one is let go");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note");
        assert_eq!(Held::read(&path), None);
        held.write(&path).unwrap();
        assert_eq!(Held::read(&path), Some(held));
    }
}
