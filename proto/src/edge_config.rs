//! What the aggregator tells the workers: settings of sites and hashes of keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::SiteId;
use crate::settings::SiteSettings;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// Sends events from browsers; public.
    Write,
    /// Sends events and orders from the shop's servers.
    Server,
    /// Reads reports.
    Read,
    /// Everything, on every site.
    Admin,
}

impl KeyKind {
    /// The prefix that tells people which kind a key is.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Write => "wk_",
            Self::Server => "sk_",
            Self::Read => "rk_",
            Self::Admin => "ak_",
        }
    }
}

/// A key as the workers know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeKey {
    /// [`crate::sign::key_hash`] of the key.
    pub hash: String,
    /// The site it belongs to.
    pub site: SiteId,
    /// Write or server; the workers need no other kind.
    pub kind: KeyKind,
}

/// Answer of `GET /v1/edge/config`, signed over its bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeConfig {
    /// Grows with every change.
    pub version: u64,
    /// Settings by site.
    pub sites: BTreeMap<SiteId, SiteSettings>,
    /// Write and server keys.
    pub keys: Vec<EdgeKey>,
}
