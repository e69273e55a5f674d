//! What a shard keeps, and the rows of it. Written in one transaction between two awaits.

use edgetally_proto::ids::{Epoch, Mark};

/// A frame in the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes.
    pub frame: Vec<u8>,
    /// Events committed up to and with it, since the shard began.
    pub total: u64,
    /// When it was committed, epoch ms.
    pub at_ms: i64,
}

/// How far the ring has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Sequence of the newest frame; 0 before the first.
    pub sequence: u64,
    /// What was acknowledged when it was committed.
    pub acked: u64,
    /// [`Stored::total`] of it.
    pub total: u64,
}

/// Lines that wait for the raw archive: a part of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Grows with every row; never used again.
    pub id: u64,
    /// When it was committed, epoch ms.
    pub at_ms: i64,
    /// The lines, see [`crate::waiting`].
    pub lines: Vec<u8>,
}

/// All lines that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest was committed, epoch ms.
    pub since_ms: Option<i64>,
}

/// What the next object is to hold. Written down before it is put, so that a second try puts the
/// same bytes under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The mark in its name.
    pub mark: Mark,
    /// The last number in it.
    pub last: u64,
}

/// What a cut is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rows of lines, by id.
    Raw,
    /// Frames, by sequence.
    Frames,
}

/// An object of frames in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spilled {
    /// Sequence of its first frame.
    pub first: u64,
    /// Sequence of its last frame.
    pub last: u64,
    /// The mark in its name.
    pub mark: Mark,
}

impl Spilled {
    /// Whether it holds a frame.
    #[must_use]
    pub fn holds(&self, sequence: u64) -> bool {
        (self.first..=self.last).contains(&sequence)
    }
}

/// What a shard keeps. Errors are texts for the log: whatever they are, the shard is loaded again.
pub trait Storage {
    /// Epoch and base, if the shard ever committed.
    ///
    /// # Errors
    /// If storage fails.
    fn epoch(&self) -> Result<Option<(Epoch, u64)>, String>;
    /// Writes down an epoch and the local sequence before its first frame.
    ///
    /// # Errors
    /// If storage fails.
    fn put_epoch(&mut self, epoch: Epoch, base: u64) -> Result<(), String>;
    /// How far the ring has come.
    ///
    /// # Errors
    /// If storage fails.
    fn head(&self) -> Result<Head, String>;
    /// Writes a frame into its slot of the ring.
    ///
    /// # Errors
    /// If storage fails.
    fn put_frame(&mut self, sequence: u64, acked: u64, stored: Stored) -> Result<(), String>;
    /// The frame with a sequence, if the ring still holds it.
    ///
    /// # Errors
    /// If storage fails.
    fn frame(&self, sequence: u64) -> Result<Option<Stored>, String>;
    /// Writes down the ids of a minute that is over.
    ///
    /// # Errors
    /// If storage fails.
    fn put_ids(&mut self, minute: i64, parts: Vec<Vec<u8>>) -> Result<(), String>;
    /// Stored ids since a minute, by minute.
    ///
    /// # Errors
    /// If storage fails.
    fn ids_since(&self, minute: i64) -> Result<Vec<(i64, Vec<u8>)>, String>;

    /// How much waits for the raw archive.
    ///
    /// # Errors
    /// If storage fails.
    fn waiting(&self) -> Result<Waiting, String>;
    /// Writes lines that wait for the raw archive.
    ///
    /// # Errors
    /// If storage fails.
    fn put_row(&mut self, row: Row) -> Result<(), String>;
    /// The oldest rows: up to and with the id `last`, else as many as have `bytes` and the one
    /// that exceeds them.
    ///
    /// # Errors
    /// If storage fails.
    fn rows(&self, last: Option<u64>, bytes: u64) -> Result<Vec<Row>, String>;
    /// Deletes rows up to and with an id.
    ///
    /// # Errors
    /// If storage fails.
    fn delete_rows(&mut self, last: u64) -> Result<(), String>;
    /// The last cut of a kind.
    ///
    /// # Errors
    /// If storage fails.
    fn cut(&self, kind: Kind) -> Result<Option<Cut>, String>;
    /// Writes down a cut.
    ///
    /// # Errors
    /// If storage fails.
    fn put_cut(&mut self, kind: Kind, cut: Cut) -> Result<(), String>;
    /// Objects of frames in the bucket, oldest first.
    ///
    /// # Errors
    /// If storage fails.
    fn spilled(&self) -> Result<Vec<Spilled>, String>;
    /// Writes down an object of frames that is in the bucket, with the totals of its frames.
    ///
    /// # Errors
    /// If storage fails.
    fn put_spilled(&mut self, spilled: Spilled, totals: &[u64]) -> Result<(), String>;
    /// The totals of the frames of an object.
    ///
    /// # Errors
    /// If storage fails.
    fn totals(&self, first: u64) -> Result<Vec<u64>, String>;
    /// Forgets the object with this first sequence.
    ///
    /// # Errors
    /// If storage fails.
    fn forget_spilled(&mut self, first: u64) -> Result<(), String>;
}
