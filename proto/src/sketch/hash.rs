//! The one hash of sketches. Changing it would make old sketches and new ones count everybody
//! twice, so it is part of their form.

use xxhash_rust::xxh3::xxh3_64_with_seed;

const SEED: u64 = 0x6564_6765_7461_6c79;

/// XXH3-64 of bytes under a fixed seed. Never of a type's own `Hash`: that writes lengths as wide
/// as the platform's pointers.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, SEED)
}
