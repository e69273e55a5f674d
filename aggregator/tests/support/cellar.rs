//! A store in memory to which sites leave what they have no room for.

use std::sync::Arc;

use aggregator::records::Vaults;
use aggregator::site::Site;
use aggregator::store::keys::{Key, SiteKey};
use aggregator::store::memory::Memory;
use aggregator::store::vault::Vault;
use aggregator::store::{Change, Store};

use super::events::demo;

pub struct Cellar {
    pub store: Memory,
    pub vault: Arc<Vault>,
}

impl Cellar {
    pub fn new() -> Self {
        let store = Memory::default();
        let vault = Vault::new(store.values(), 0);
        Self { store, vault }
    }

    /// One that a site brings its blocks back from.
    pub fn of(site: &mut Site) -> Self {
        let cellar = Self::new();
        site.records.set_away(cellar.vault.of_site(&demo()));
        cellar
    }

    /// What a checkpoint does with the site's records.
    pub fn save(&mut self, site: &mut Site) {
        let key = |at| Key::Site(demo(), SiteKey::Records(at)).encode();
        let dirty = site.records.take_dirty().into_iter();
        let changes = dirty.map(|(at, block)| (key(at), block.encode().unwrap()));
        self.store.commit(changes.collect::<Vec<Change>>()).unwrap();
        site.records.note_saved();
    }
}
