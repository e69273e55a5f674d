//! A bucket of objects, wherever it is.

use edgetally_proto::archive::Listing;

/// Why a bucket cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BucketError(pub String);

/// Objects by name.
pub trait Bucket: Send {
    /// A page of the objects whose names begin with a prefix, sorted by name.
    ///
    /// # Errors
    /// If the bucket does not answer.
    fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, BucketError>;

    /// An object with its etag; none if it is not there.
    ///
    /// # Errors
    /// If the bucket does not answer.
    fn get(&self, name: &str) -> Result<Option<(Vec<u8>, String)>, BucketError>;

    /// Writes an object whole; says whether it did.
    ///
    /// # Errors
    /// If the bucket does not answer: then nobody knows whether it did.
    fn put(&self, name: &str, body: &[u8], only: Only<'_>) -> Result<bool, BucketError>;

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// If the bucket does not answer.
    fn delete(&self, name: &str) -> Result<(), BucketError>;
}

/// When an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only<'a> {
    /// Whatever is there.
    Always,
    /// If there is none of its name.
    Absent,
    /// If the one there has this etag.
    Unchanged(&'a str),
}
