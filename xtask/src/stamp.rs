//! Stamps: whether a slow step has to run again, told by the contents of what it reads.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What a step was last run on.
pub struct Stamp {
    file: PathBuf,
    current: String,
}

impl Stamp {
    /// Reads the inputs (files or folders; missing ones count as such) of the step kept in `file`.
    pub fn of(file: PathBuf, inputs: &[PathBuf]) -> Result<Self> {
        // The hash changes with the toolchain at worst, and then the step runs once more.
        let mut hasher = DefaultHasher::new();
        for input in inputs {
            hash_tree(input, &mut hasher)?;
        }
        Ok(Self { file, current: format!("{:016x}", hasher.finish()) })
    }

    /// Whether the step last ran on exactly these inputs.
    pub fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.current)
    }

    /// Notes that the step has run on these inputs.
    pub fn write(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.file, &self.current)
            .with_context(|| format!("{} cannot be written", self.file.display()))
    }
}

fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let bytes_of = |text: &str, hasher: &mut DefaultHasher| {
        hasher.write_usize(text.len());
        hasher.write(text.as_bytes());
    };
    bytes_of(&path.to_string_lossy(), hasher);
    if path.is_dir() {
        let mut inside = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| hash_tree(path, hasher));
    }
    match fs::read(path) {
        Ok(contents) => {
            hasher.write_usize(contents.len());
            hasher.write(&contents);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => hasher.write_u8(0),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_stale_after_any_change() {
        let folder = std::env::temp_dir().join(format!("stamp-{}", std::process::id()));
        fs::create_dir_all(folder.join("in")).expect("a folder");
        fs::write(folder.join("in/a"), "1").expect("a file");
        let read = || {
            Stamp::of(folder.join("kept"), &[folder.join("in"), folder.join("none")]).expect("read")
        };
        assert!(!read().is_fresh());
        read().write().expect("written");
        assert!(read().is_fresh());
        for (file, contents) in [("in/a", "2"), ("in/b", ""), ("none", "")] {
            fs::write(folder.join(file), contents).expect("a file");
            assert!(!read().is_fresh(), "{file}");
            read().write().expect("written");
        }
        fs::rename(folder.join("in/b"), folder.join("in/c")).expect("renamed");
        assert!(!read().is_fresh());
        fs::remove_dir_all(folder).expect("removed");
    }
}
