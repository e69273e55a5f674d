//! Durable state: the log of what was applied, and checkpoints behind a small trait.
//!
//! The log is the truth: it is synced before anything is acknowledged. A checkpoint only makes
//! the next start short, and the log is kept two checkpoints back, so that losing one costs time
//! and nothing else.

pub mod backup;
pub mod engine;
pub mod files;
pub mod keys;
pub mod log;
pub mod memory;
pub mod recover;
pub mod room;
pub mod saver;
pub mod sled;
pub mod snapshot;
pub mod vault;
pub mod tick;
pub mod writer;

use std::fmt::Debug;
use std::sync::Arc;

/// A key with its new value, or none where it is to go.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its content cannot be trusted.
    #[error("{0}")]
    Damaged(String),
    /// The disk or the system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl StoreError {
    /// Whether it passes when there is room on the disk again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io(error) if room::is_full(error))
    }
}

/// Takes one key and its value.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// Where checkpoints go.
pub trait Store: Send {
    /// Visits every key in ascending order.
    ///
    /// # Errors
    /// If the store is damaged or cannot be read, or `visit` fails.
    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), StoreError>;

    /// Writes all changes or none, and returns when they are durable.
    ///
    /// # Errors
    /// If they are not known to be durable.
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// Reads single values, also while another thread commits.
    fn values(&self) -> Arc<dyn Values>;
}

/// The values of a store, one by one. Several threads may read at once.
pub trait Values: Debug + Send + Sync {
    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// If the store is damaged or cannot be read.
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}
