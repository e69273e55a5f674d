//! Checkpoints in sled 0.34: the only file that names it.
//!
//! sled's `flush` does not wait for the disk, so the file is synced through a handle of our own;
//! and every value bears its own checksum, so that damage cannot pass for data.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use xxhash_rust::xxh3::xxh3_64;

use super::{Change, Store, StoreError, Values, Visit};

/// Background flushes also collect garbage, so they stay on.
const FLUSH_EVERY_MS: u64 = 500;
const CHECKSUM_BYTES: usize = 8;

/// The open database; none if it could not be opened again.
type Cell = Arc<RwLock<Option<sled::Db>>>;

/// A sled database in a folder.
#[derive(Debug)]
pub struct Sled {
    db: Cell,
    dir: PathBuf,
    /// Whether the disk refused something: sled takes nothing more then, until it is opened anew.
    is_stuck: bool,
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("{what}: {error}"))
}

/// What the disk says is told apart from what is wrong with the files.
fn refused(what: &str, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) => StoreError::Io(error),
        error => failed(what, &error),
    }
}

impl Sled {
    /// Opens the database, or makes it.
    ///
    /// # Errors
    /// If sled refuses, or panics, which it does on some damage.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let db = Arc::new(RwLock::new(Some(open(dir)?)));
        Ok(Self { db, dir: dir.to_owned(), is_stuck: false })
    }

    fn open_again(&self) -> Result<(), StoreError> {
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        // The folder is locked until the old one is gone, which may have words about the disk.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db.take())));
        *db = Some(open(&self.dir)?);
        Ok(())
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => {
                    let sealed = seal(&key, &value);
                    batch.insert(key, sealed);
                }
                None => batch.remove(key),
            }
        }
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(closed)?;
        db.apply_batch(batch).map_err(|error| refused("sled does not write", error))?;
        db.flush().map_err(|error| refused("sled does not flush", error))?;
        let file = File::open(self.dir.join("db"));
        file.and_then(|file| file.sync_all()).map_err(StoreError::Io)
    }
}

/// The same database, to read from.
#[derive(Debug)]
struct Reading(Cell);

impl Values for Reading {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let db = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(closed)?;
        let read = catch_unwind(AssertUnwindSafe(|| db.get(key)));
        let value = read
            .map_err(|_| StoreError::Damaged("sled stopped while reading".to_owned()))?
            .map_err(|error| failed("sled does not read", &error))?;
        value.map(|value| unseal(key, &value).map(<[u8]>::to_vec)).transpose()
    }
}

fn open(dir: &Path) -> Result<sled::Db, StoreError> {
    let config =
        sled::Config::new().path(dir).flush_every_ms(Some(FLUSH_EVERY_MS)).cache_capacity(64 << 20);
    catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| StoreError::Damaged("sled stopped while opening".to_owned()))?
        .map_err(|error| refused("sled does not open", error))
}

fn closed() -> StoreError {
    StoreError::Damaged("sled is not open".to_owned())
}

impl Store for Sled {
    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(closed)?;
        let walk = catch_unwind(AssertUnwindSafe(|| {
            for pair in db.iter() {
                let (key, value) = pair.map_err(|error| failed("sled does not read", &error))?;
                visit(&key, unseal(&key, &value)?)?;
            }
            Ok(())
        }));
        walk.map_err(|_| StoreError::Damaged("sled stopped while reading".to_owned()))?
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.is_stuck {
            self.open_again()?;
        }
        let written = self.write(changes);
        self.is_stuck = matches!(written, Err(StoreError::Io(_)));
        written
    }

    fn values(&self) -> Arc<dyn Values> {
        Arc::new(Reading(self.db.clone()))
    }
}

/// The checksum covers the key too: a value under another key is damage as well.
fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&xxh3_64(&[key, value].concat()).to_le_bytes(), value].concat()
}

fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let damaged = || StoreError::Damaged("a value does not fit its checksum".to_owned());
    let (checksum, value) = sealed.split_at_checked(CHECKSUM_BYTES).ok_or_else(damaged)?;
    if xxh3_64(&[key, value].concat()).to_le_bytes() != *checksum {
        return Err(damaged());
    }
    Ok(value)
}
