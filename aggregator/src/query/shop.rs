//! What queries need of a site's settings.

use std::sync::Arc;

use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::{CatalogItem, SiteSettings};

use crate::directory::Directory;
use crate::merge::kept::Kept;
use crate::view::View;

/// The settings of the site of a query, in the snapshot that they are of.
#[derive(Debug, Clone, Default)]
pub struct Shop(Option<(Arc<Directory>, SiteId)>);

impl Shop {
    /// The settings of a site.
    #[must_use]
    pub fn of(view: &View, site: &SiteId) -> Self {
        Self(Some((view.directory.clone(), site.clone())))
    }

    /// The settings, if the site has any.
    #[must_use]
    pub fn settings(&self) -> Option<&SiteSettings> {
        let (directory, site) = self.0.as_ref()?;
        directory.sites.get(site).map(|entry| &entry.settings)
    }

    /// How far back its settings keep seconds and minutes at an instant.
    #[must_use]
    pub fn kept(&self, now_ms: i64) -> Kept {
        let settings = self.settings();
        settings.map(|settings| Kept::under(&settings.retention, now_ms)).unwrap_or_default()
    }

    /// What the catalog says of a product.
    #[must_use]
    pub fn product(&self, id: &str) -> Option<&CatalogItem> {
        self.settings()?.catalog.get(id)
    }
}
