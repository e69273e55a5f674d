//! What an index of ids holds: the hash of an id beside the number of its record, so that the index
//! grows without reading records. The id itself decides.

use std::hash::BuildHasher;

use edgetally_proto::ids::EventId;
use rustc_hash::FxBuildHasher;

use crate::texts::TextId;

/// A record in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// Of its client and id.
    pub hash: u32,
    /// Its number.
    pub record: u32,
}

impl Indexed {
    /// What the table places it by.
    pub fn spread(&self) -> u64 {
        spread(self.hash)
    }
}

/// What the table places a hash by.
pub fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The hash of a client's id.
pub fn hash(client: TextId, id: &EventId) -> u32 {
    (FxBuildHasher.hash_one((client, id)) >> 32) as u32
}
