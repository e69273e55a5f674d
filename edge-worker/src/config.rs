//! The last settings that the aggregator signed, as the worker looks things up in them.

use std::collections::HashMap;

use edgetally_proto::edge_config::{EdgeConfig, KeyKind};
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::sign::{config_answer_verify, key_hash};

/// A copy older than this is refreshed before it is used; together with the directory object's
/// own age this keeps every isolate within 2 s of the aggregator.
pub const AGE_MS_MAX: i64 = 800;
/// An unknown site or key forces a refresh, but no more often than this.
pub const FORCED_AGE_MS_MIN: i64 = 100;

/// Settings by site and keys by hash.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    config: EdgeConfig,
    keys: HashMap<String, (SiteId, KeyKind)>,
}

impl Settings {
    /// Reads what the aggregator answered, if its signature holds.
    #[must_use]
    pub fn of_answer(secret: &str, body: &[u8], signature: &str) -> Option<Self> {
        if !config_answer_verify(secret, body, signature) {
            return None;
        }
        Some(Self::of(serde_json::from_slice(body).ok()?))
    }

    /// Indexes settings.
    #[must_use]
    pub fn of(config: EdgeConfig) -> Self {
        let keys = config
            .keys
            .iter()
            .map(|key| (key.hash.clone(), (key.site.clone(), key.kind)))
            .collect();
        Self { config, keys }
    }

    /// Version of the settings; 0 before the first.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.config.version
    }

    /// A site and its settings.
    #[must_use]
    pub fn site(&self, site: &str) -> Option<(&SiteId, &SiteSettings)> {
        let site = SiteId::parse(site).ok()?;
        self.config.sites.get_key_value(&site)
    }

    /// All sites.
    pub fn sites(&self) -> impl Iterator<Item = (&SiteId, &SiteSettings)> {
        self.config.sites.iter()
    }

    /// Site and kind of a key.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<(&SiteId, KeyKind)> {
        self.keys.get(&key_hash(key)).map(|(site, kind)| (site, *kind))
    }
}
