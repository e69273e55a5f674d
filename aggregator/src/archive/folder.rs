//! A bucket that was copied into a folder: names are paths below it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edgetally_proto::archive::{Listing, Object};
use xxhash_rust::xxh3::xxh3_64;

use super::bucket::{Bucket, BucketError, Only};
use crate::store::files;

/// The folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

fn failed(path: &Path, error: &io::Error) -> BucketError {
    BucketError(format!("{}: {error}", path.display()))
}

fn etag(body: &[u8]) -> String {
    format!("{:016x}", xxh3_64(body))
}

impl Folder {
    /// A folder that is there.
    ///
    /// # Errors
    /// If it is not.
    pub fn open(root: &Path) -> Result<Self, BucketError> {
        if !root.is_dir() {
            return Err(BucketError(format!("{} is no folder", root.display())));
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Names stay below the folder, whatever they say.
    fn path(&self, name: &str) -> Result<PathBuf, BucketError> {
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !name.split('/').all(is_plain) {
            return Err(BucketError(format!("{name:?} is no name of an object")));
        }
        Ok(self.root.join(name))
    }

    fn walk(&self, dir: &Path, found: &mut Vec<Object>) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                self.walk(&path, found)?;
                continue;
            }
            let name = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
            if let Some(name) = name {
                let (bytes, etag) = (entry.metadata()?.len(), String::new());
                found.push(Object { name: name.to_owned(), bytes, etag });
            }
        }
        Ok(())
    }
}

impl Bucket for Folder {
    fn page(&self, prefix: &str, _cursor: Option<&str>) -> Result<Listing, BucketError> {
        let (parent, _) = prefix.rsplit_once('/').unwrap_or_default();
        let dir = if parent.is_empty() { self.root.clone() } else { self.path(parent)? };
        let mut results = Vec::new();
        if dir.is_dir() {
            self.walk(&dir, &mut results).map_err(|error| failed(&dir, &error))?;
        }
        results.retain(|object| object.name.starts_with(prefix));
        results.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing { results, next: None })
    }

    fn get(&self, name: &str) -> Result<Option<(Vec<u8>, String)>, BucketError> {
        let path = self.path(name)?;
        match fs::read(&path) {
            Ok(body) => {
                let etag = etag(&body);
                Ok(Some((body, etag)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    fn put(&self, name: &str, body: &[u8], only: Only<'_>) -> Result<bool, BucketError> {
        let held = self.get(name)?;
        let may = match (only, &held) {
            (Only::Always, _) | (Only::Absent, None) => true,
            (Only::Unchanged(etag), Some((_, held))) => etag == held,
            (Only::Absent, Some(_)) | (Only::Unchanged(_), None) => false,
        };
        if may {
            let path = self.path(name)?;
            let dir = path.parent().unwrap_or(&self.root);
            fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
            files::write_whole(&path, body).map_err(|error| failed(&path, &error))?;
        }
        Ok(may)
    }

    fn delete(&self, name: &str) -> Result<(), BucketError> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, &error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_bucket() {
        let dir = tempfile::tempdir().unwrap();
        let bucket = Folder::open(dir.path()).unwrap();
        assert!(bucket.put("raw/b/2", b"two", Only::Absent).unwrap());
        assert!(!bucket.put("raw/b/2", b"new", Only::Absent).unwrap());
        assert!(bucket.put("raw/a/1", b"one", Only::Always).unwrap());
        let (body, etag) = bucket.get("raw/b/2").unwrap().unwrap();
        assert_eq!(body, b"two");
        assert!(bucket.put("raw/b/2", b"three", Only::Unchanged(&etag)).unwrap());
        assert!(!bucket.put("raw/b/2", b"four", Only::Unchanged(&etag)).unwrap());
        assert!(!bucket.put("raw/b/3", b"four", Only::Unchanged(&etag)).unwrap());
        let names = |prefix: &str| -> Vec<String> {
            let page = bucket.page(prefix, None).unwrap();
            page.results.into_iter().map(|object| object.name).collect()
        };
        assert_eq!(names("raw/"), ["raw/a/1", "raw/b/2"]);
        assert_eq!(names("raw/b/"), ["raw/b/2"]);
        assert!(names("frames/").is_empty());
        bucket.delete("raw/b/2").unwrap();
        bucket.delete("raw/b/2").unwrap();
        assert_eq!(bucket.get("raw/b/2"), Ok(None));
        assert!(bucket.get("raw/../../secret").is_err());
        assert!(Folder::open(&dir.path().join("nowhere")).is_err());
    }
}
