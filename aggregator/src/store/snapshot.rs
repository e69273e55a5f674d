//! Plain snapshots: the whole checkpoint in one file, for the day sled does not open.
//!
//! ```text
//! "ETSNAP01" (key length:u32 key value length:u32 value)* sum:u64     little endian
//! ```

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

use super::{Change, Store, StoreError, Visit, files};

const MAGIC: &[u8; 8] = b"ETSNAP01";
const SUM_BYTES: u64 = 8;
/// Longest key or value; none comes near.
const PART_BYTES_MAX: u32 = 1 << 30;

/// Bytes on their way into a file, with their sum.
struct Summed<W> {
    file: W,
    sum: Xxh3Default,
    bytes: u64,
}

impl<W: Write> Summed<W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(self.file.write_all(bytes)?)
    }
}

/// Writes everything in a store into a file; gives its bytes. After a crash or an error the file
/// is what it was before.
///
/// # Errors
/// If the store or the disk refuses.
pub fn write(store: &dyn Store, path: &Path) -> Result<u64, StoreError> {
    let draft = path.with_extension("draft");
    let written = write_draft(store, &draft);
    if written.is_err() {
        // A disk that is full needs the room; the draft may not even have been begun.
        drop(fs::remove_file(&draft));
    }
    let bytes = written?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), files::sync_dir)?;
    Ok(bytes)
}

fn write_draft(store: &dyn Store, draft: &Path) -> Result<u64, StoreError> {
    let file = BufWriter::new(File::create(draft)?);
    let mut out = Summed { file, sum: Xxh3Default::new(), bytes: 0 };
    out.put(MAGIC)?;
    let too_long = || StoreError::Damaged("a value is too long for a snapshot".to_owned());
    store.visit(&mut |key, value| {
        for part in [key, value] {
            let length = u32::try_from(part.len()).ok().filter(|length| *length <= PART_BYTES_MAX);
            out.put(&length.ok_or_else(too_long)?.to_le_bytes())?;
            out.put(part)?;
        }
        Ok(())
    })?;
    let sum = out.sum.digest().to_le_bytes();
    out.put(&sum)?;
    let bytes = out.bytes;
    let file = out.file.into_inner().map_err(|error| StoreError::Io(error.into_error()))?;
    file.sync_all()?;
    Ok(bytes)
}

fn damaged(path: &Path) -> StoreError {
    StoreError::Damaged(format!("the snapshot {} is damaged", path.display()))
}

/// Bytes between the magic and the sum.
fn content(path: &Path) -> Result<(BufReader<File>, u64), StoreError> {
    let file = File::open(path)?;
    let head = MAGIC.len() as u64;
    let content = file.metadata()?.len().checked_sub(head + SUM_BYTES);
    let mut reader = BufReader::new(file);
    let mut magic = [0; MAGIC.len()];
    let content = content.ok_or_else(|| damaged(path))?;
    reader.read_exact(&mut magic)?;
    if magic == *MAGIC { Ok((reader, content)) } else { Err(damaged(path)) }
}

/// Reads a snapshot from end to end and holds it against its sum.
///
/// # Errors
/// If it is damaged or the disk refuses.
pub fn verify(path: &Path) -> Result<(), StoreError> {
    let (mut reader, content) = content(path)?;
    let mut sum = Xxh3Default::new();
    sum.update(MAGIC);
    let (mut buffer, mut left) = (vec![0; 1 << 16], content);
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..want).unwrap_or_default();
        reader.read_exact(part)?;
        sum.update(part);
        left -= want as u64;
    }
    let mut kept = [0; SUM_BYTES as usize];
    reader.read_exact(&mut kept)?;
    if sum.digest().to_le_bytes() == kept { Ok(()) } else { Err(damaged(path)) }
}

/// Visits every key of a snapshot that was held against its sum, in ascending order.
///
/// # Errors
/// If it is damaged, the disk refuses, or `visit` fails.
pub fn visit(path: &Path, visit: &mut Visit<'_>) -> Result<(), StoreError> {
    let (mut reader, mut left) = content(path)?;
    let mut part = |left: &mut u64| -> Result<Vec<u8>, StoreError> {
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        let rest = left.checked_sub(u64::from(length) + 4).ok_or_else(|| damaged(path))?;
        *left = rest;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        reader.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    while left > 0 {
        let (key, value) = (part(&mut left)?, part(&mut left)?);
        visit(&key, &value)?;
    }
    Ok(())
}

/// Reads a snapshot; none if there is no file.
///
/// # Errors
/// If it is damaged or the disk refuses.
pub fn read(path: &Path) -> Result<Option<Vec<Change>>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    verify(path)?;
    let mut changes = Vec::new();
    visit(path, &mut |key, value| {
        changes.push((key.to_vec(), Some(value.to_vec())));
        Ok(())
    })?;
    Ok(Some(changes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    #[test]
    fn a_snapshot_brings_back_what_the_store_held_or_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("snapshot");
        assert!(read(&path).unwrap().is_none());
        let mut store = Memory::default();
        let changes: Vec<Change> =
            vec![(b"a".to_vec(), Some(vec![1; 90])), (b"b".to_vec(), Some(Vec::new()))];
        store.commit(changes.clone()).unwrap();
        write(&store, &path).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), changes);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert!(read(&path).is_err(), "byte {at}");
        }
        fs::write(&path, &whole[..40]).unwrap();
        assert!(read(&path).is_err());
    }
}
