//! Blocks of records that are only in the store, read back when something needs them.
//!
//! A checkpoint holds every block before it leaves memory, and the snapshot and the log hold it as
//! well, so the store is never the only copy. Whoever reads an older view may see a block as it was
//! saved since: of its records only the mark of an earlier copy can differ, or that nothing is left
//! of one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use edgetally_proto::ids::SiteId;

use super::Values;
use super::keys::{Key, SiteKey};
use crate::records::{Away, Packed, Vaults};
use crate::warm::Warm;

/// What is read back stays in memory for a while: so many bytes for each site at least.
const CACHE_BYTES_MIN: usize = 64 << 10;
/// And at most.
const CACHE_BYTES_MAX: usize = 64 << 20;

/// Reads blocks of all sites.
#[derive(Debug)]
pub struct Vault {
    values: Arc<dyn Values>,
    cache_bytes: usize,
    failure: Mutex<Option<String>>,
    has_failed: AtomicBool,
    /// How often the store was asked.
    pub reads: AtomicUsize,
}

impl Vault {
    /// A vault over the values of a store, for a program with so much room for blocks.
    #[must_use]
    pub fn new(values: Arc<dyn Values>, room_bytes: usize) -> Arc<Self> {
        let cache_bytes = (room_bytes / 8).clamp(CACHE_BYTES_MIN, CACHE_BYTES_MAX);
        let (failure, has_failed, reads) = Default::default();
        Arc::new(Self { values, cache_bytes, failure, has_failed, reads })
    }

    /// Why a block could not be read, if that ever happened: then what followed cannot be trusted.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        if !self.has_failed.load(Ordering::Acquire) {
            return None;
        }
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, why: String) {
        tracing::error!(why, "a block of records cannot be read");
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.has_failed.store(true, Ordering::Release);
    }
}

/// Reads blocks of one site.
#[derive(Debug)]
struct OfSite {
    site: SiteId,
    vault: Arc<Vault>,
    cache: Mutex<Warm<usize, Arc<Packed>>>,
    /// How many blocks became others than the store held.
    changes: AtomicUsize,
    is_gone: AtomicBool,
}

impl Vaults for Arc<Vault> {
    fn of_site(&self, site: &SiteId) -> Arc<dyn Away> {
        let mut cache = Warm::default();
        cache.set_room(self.cache_bytes);
        let (changes, is_gone) = Default::default();
        let (site, vault, cache) = (site.clone(), self.clone(), Mutex::new(cache));
        Arc::new(OfSite { site, vault, cache, changes, is_gone })
    }
}

impl OfSite {
    fn read(&self, number: usize) -> Result<Arc<Packed>, String> {
        let key = Key::Site(self.site.clone(), SiteKey::Records(number)).encode();
        self.vault.reads.fetch_add(1, Ordering::Relaxed);
        let value = self.vault.values.value(&key).map_err(|error| error.to_string())?;
        let value = value.ok_or("the store does not hold it")?;
        Packed::read(&value).map(Arc::new)
    }
}

impl Away for OfSite {
    fn block(&self, number: usize) -> Option<Arc<Packed>> {
        let changes = self.changes.load(Ordering::Acquire);
        let cached = self.cache.lock().unwrap_or_else(PoisonError::into_inner).touch(number);
        if cached.is_some() {
            return cached;
        }
        match self.read(number) {
            Ok(block) => {
                let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
                // What was read while a block changed may be what it was before.
                if self.changes.load(Ordering::Acquire) == changes {
                    cache.get_or_insert(number, || block.clone(), |block| block.weight());
                    cache.cool();
                }
                Some(block)
            }
            // Of a site that was deleted readers may still have a view.
            Err(_) if self.is_gone.load(Ordering::Acquire) => None,
            Err(why) => {
                self.vault.fail(format!("block {number} of records of {}: {why}", self.site));
                None
            }
        }
    }

    fn changed(&self, number: usize) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::AcqRel);
        cache.remove(number);
    }

    fn forget(&self) {
        self.is_gone.store(true, Ordering::Release);
    }
}
