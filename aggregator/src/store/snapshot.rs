//! Plain snapshots: the whole checkpoint in one file, for the day sled does not open.
//!
//! ```text
//! "ETSNAP01" (key length:u32 key value length:u32 value)* sum:u64     little endian
//! ```

use std::fs;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::{Change, Store, StoreError, files};

const MAGIC: &[u8; 8] = b"ETSNAP01";
const SUM_BYTES: usize = 8;

/// Writes everything in a store into a file.
///
/// # Errors
/// If the store or the disk refuses.
pub fn write(store: &dyn Store, path: &Path) -> Result<(), StoreError> {
    let mut bytes = MAGIC.to_vec();
    let too_long = |_| StoreError::Damaged("a value is too long for a snapshot".to_owned());
    store.visit(&mut |key, value| {
        for part in [key, value] {
            bytes.extend_from_slice(&u32::try_from(part.len()).map_err(too_long)?.to_le_bytes());
            bytes.extend_from_slice(part);
        }
        Ok(())
    })?;
    let sum = xxh3_64(&bytes).to_le_bytes();
    bytes.extend_from_slice(&sum);
    files::write_whole(path, &bytes)?;
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
    let bytes = fs::read(path)?;
    let damaged = || StoreError::Damaged(format!("the snapshot {} is damaged", path.display()));
    let end = bytes.len().checked_sub(SUM_BYTES).ok_or_else(damaged)?;
    let (content, sum) = bytes.split_at_checked(end).ok_or_else(damaged)?;
    let mut rest = content.strip_prefix(MAGIC.as_slice()).ok_or_else(damaged)?;
    if xxh3_64(content).to_le_bytes() != *sum {
        return Err(damaged());
    }
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let (key, after) = part(rest).ok_or_else(damaged)?;
        let (value, after) = part(after).ok_or_else(damaged)?;
        changes.push((key.to_vec(), Some(value.to_vec())));
        rest = after;
    }
    Ok(Some(changes))
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
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
