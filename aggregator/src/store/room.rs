//! Room on the disk: asked for before anything is written.
//!
//! The log stops while some room is left, so that checkpoints still have it: what a full disk does
//! to a database is nothing to find out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether the disk takes more; an error says why not.
#[derive(Clone)]
pub struct Room(Arc<dyn Fn() -> io::Result<()> + Send + Sync>);

impl fmt::Debug for Room {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Room")
    }
}

impl Room {
    /// Asks whoever knows; for tests too.
    pub fn of(ask: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// As long as this many bytes are free where a folder lies.
    #[must_use]
    pub fn above(folder: &Path, bytes: u64) -> Self {
        let folder: PathBuf = folder.to_owned();
        Self::of(move || match free_bytes(&folder)? {
            free if free < bytes => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("{free} bytes are free, and {bytes} are kept free"),
            )),
            _ => Ok(()),
        })
    }

    /// Whether there is room.
    ///
    /// # Errors
    /// If there is none; see [`is_full`].
    pub fn check(&self) -> io::Result<()> {
        (self.0)()
    }
}

/// Bytes that are free for this program where a folder lies.
///
/// # Errors
/// If the system does not say.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether an error passes when there is room again.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_what_is_free_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        Room::above(dir.path(), 1).check().unwrap();
        let error = Room::above(dir.path(), u64::MAX).check().unwrap_err();
        assert!(is_full(&error) && error.to_string().contains("are free"), "{error}");
        assert!(!is_full(&io::Error::other("broken")));
    }
}
