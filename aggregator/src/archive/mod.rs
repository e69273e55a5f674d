//! The raw archive from this side: read to rebuild a state, rewritten to erase a person.
//!
//! It lies in a bucket that the worker opens to whoever knows the edge secret, or in a folder that
//! such a bucket was copied to.

pub mod bucket;
pub mod folder;
pub mod job;
mod offline;
pub mod reading;
pub mod replay;
pub mod rewrite;
pub mod worker;

use std::path::Path;

use bucket::{Bucket, BucketError};

/// Opens what `--from` names: the URL of a worker, or a folder.
///
/// # Errors
/// If a URL cannot be used without the edge secret, or the folder is not there.
pub fn open(from: &str, secret: Option<&str>) -> Result<Box<dyn Bucket>, BucketError> {
    if from.starts_with("http://") || from.starts_with("https://") {
        let secret = secret.filter(|secret| !secret.is_empty()).ok_or_else(|| {
            BucketError("EDGETALLY_EDGE_SECRET is not set; the worker wants to know it".to_owned())
        })?;
        return Ok(Box::new(worker::Worker::new(from, secret)));
    }
    Ok(Box::new(folder::Folder::open(Path::new(from))?))
}
