//! Files and folders, made durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes the names in a folder durable.
///
/// # Errors
/// If the folder cannot be synced.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes a file so that after a crash it is there whole, or not at all.
///
/// # Errors
/// If the disk refuses.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Moves a folder out of the way, under a name that says why and when.
///
/// # Errors
/// If it cannot be renamed.
pub fn move_aside(dir: &Path, now_ms: i64) -> io::Result<PathBuf> {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!(".damaged-{now_ms}"));
    let aside = dir.with_file_name(name);
    fs::rename(dir, &aside)?;
    dir.parent().map_or(Ok(()), sync_dir)?;
    Ok(aside)
}

/// Bytes of a file, or of the files in a folder and below it; 0 where there is none.
#[must_use]
pub fn bytes_below(path: &Path) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_below(&entry.path())).sum()
}
