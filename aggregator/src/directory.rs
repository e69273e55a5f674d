//! Sites, their settings, and keys: what administrators write.

use std::collections::BTreeMap;

use edgetally_proto::edge_config::{EdgeConfig, EdgeKey, KeyKind};
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use serde::{Deserialize, Serialize};

/// A site's settings and the version of the directory at which they were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteEntry {
    /// The settings.
    pub settings: SiteSettings,
    /// Grows with every write of any site or key.
    pub version: u64,
}

/// A key as it is kept: its hash, never itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Names the key without opening anything.
    pub id: String,
    /// SHA-256 of the key.
    pub hash: String,
    /// Its site.
    pub site: SiteId,
    /// What it may do.
    pub kind: KeyKind,
}

/// One write of an administrator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AdminWrite {
    /// Creates a site or replaces its settings.
    PutSite {
        /// The site.
        site: SiteId,
        /// All of its settings.
        settings: Box<SiteSettings>,
    },
    /// Removes a site with its keys and everything counted for it.
    DeleteSite {
        /// The site.
        site: SiteId,
    },
    /// Adds a key.
    PutKey(Key),
    /// Removes a key.
    DeleteKey {
        /// Its id.
        id: String,
    },
}

/// All sites and keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Directory {
    /// Grows with every write.
    pub version: u64,
    /// Sites.
    pub sites: BTreeMap<SiteId, SiteEntry>,
    /// Keys by id.
    pub keys: BTreeMap<String, Key>,
}

impl Directory {
    /// The directory after a write.
    #[must_use]
    pub fn after(&self, write: &AdminWrite) -> Self {
        let mut next = self.clone();
        next.version += 1;
        let version = next.version;
        match write {
            AdminWrite::PutSite { site, settings } => {
                let entry = SiteEntry { settings: settings.as_ref().clone(), version };
                next.sites.insert(site.clone(), entry);
            }
            AdminWrite::DeleteSite { site } => {
                next.sites.remove(site);
                next.keys.retain(|_, key| key.site != *site);
            }
            AdminWrite::PutKey(key) => {
                next.keys.insert(key.id.clone(), key.clone());
            }
            AdminWrite::DeleteKey { id } => {
                next.keys.remove(id);
            }
        }
        next
    }

    /// What the workers need of it.
    #[must_use]
    pub fn edge_config(&self) -> EdgeConfig {
        let sites = self.sites.iter().map(|(site, entry)| (site.clone(), entry.settings.clone()));
        let at_edge = |key: &&Key| matches!(key.kind, KeyKind::Write | KeyKind::Server);
        let keys = self.keys.values().filter(at_edge).map(|key| EdgeKey {
            hash: key.hash.clone(),
            site: key.site.clone(),
            kind: key.kind,
        });
        EdgeConfig { version: self.version, sites: sites.collect(), keys: keys.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_site_takes_its_keys_along() {
        let site = |text| SiteId::parse(text).unwrap();
        let key = |id: &str, of, kind| Key { id: id.into(), hash: id.into(), site: site(of), kind };
        let mut directory = Directory::default();
        for write in [
            AdminWrite::PutSite { site: site("a"), settings: Box::default() },
            AdminWrite::PutSite { site: site("b"), settings: Box::default() },
            AdminWrite::PutKey(key("1", "a", KeyKind::Write)),
            AdminWrite::PutKey(key("2", "b", KeyKind::Server)),
            AdminWrite::PutKey(key("3", "b", KeyKind::Read)),
            AdminWrite::DeleteSite { site: site("a") },
        ] {
            directory = directory.after(&write);
        }
        assert_eq!(directory.version, 6);
        assert_eq!(directory.sites.len(), 1);
        assert_eq!(directory.keys.keys().collect::<Vec<_>>(), ["2", "3"]);
        let edge = directory.edge_config();
        assert_eq!((edge.version, edge.keys.len()), (6, 1));
    }
}
