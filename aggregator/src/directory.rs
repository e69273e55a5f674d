//! Sites, their settings, and keys: what administrators write.

use std::collections::BTreeMap;

use edgetally_proto::edge_config::{EdgeConfig, EdgeKey, KeyKind};
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::{Session, SiteSettings, Span};
use edgetally_proto::time::DAY_MS;
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::eras::Eras;
use crate::presence::Days;
use crate::zone::Zone;

/// What of a site's settings acts forwards only, as it was up to an instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Former {
    /// A local midnight, epoch ms.
    pub until_ms: i64,
    /// Zone of the site's days.
    pub timezone: String,
    /// How its sessions were cut.
    pub session: Session,
    /// How old a touch could be.
    pub window: Span,
}

impl Former {
    fn of(settings: &SiteSettings, until_ms: i64) -> Self {
        let SiteSettings { timezone, session, attribution, .. } = settings;
        let (timezone, session) = (timezone.clone(), session.clone());
        Self { until_ms, timezone, session, window: attribution.window }
    }
}

/// A site's settings and the version of the directory at which they were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteEntry {
    /// The settings.
    pub settings: SiteSettings,
    /// Grows with every write of any site or key.
    pub version: u64,
    /// What held before, from the oldest on.
    #[serde(default)]
    pub formers: Vec<Former>,
}

impl SiteEntry {
    /// The days of the site.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        self.eras(|former| Zone::parse(&former.timezone).unwrap_or_default()).into()
    }

    /// Something of the settings, by the time it held.
    pub fn eras<T: PartialEq>(&self, of: impl Fn(&Former) -> T) -> Eras<T> {
        let now = Former::of(&self.settings, i64::MAX);
        let mut all = self.formers.iter().chain([&now]);
        let first = all.next().unwrap_or(&now);
        let (mut eras, mut from_ms) = (Eras::from(of(first)), first.until_ms);
        for former in all {
            eras = eras.then(from_ms, of(former));
            from_ms = former.until_ms;
        }
        eras
    }

    /// The entry after new settings, of a site that has events: what acts forwards only does so
    /// from the next local midnight on. What was to begin at that midnight never does.
    fn after(&self, settings: &SiteSettings, at_ms: i64) -> Vec<Former> {
        let calendar = self.calendar();
        let midnight_ms = calendar.start_of(calendar.day_of(at_ms) + 1);
        let mut formers = self.formers.clone();
        if formers.last().is_none_or(|former| former.until_ms < midnight_ms) {
            formers.push(Former::of(&self.settings, midnight_ms));
        }
        let is_same = |former: &mut Former| *former == Former::of(settings, former.until_ms);
        formers.pop_if(is_same);
        formers
    }
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

/// A public link as it is kept: what it bears opens the reports of one site, for reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Names the link without opening anything.
    pub id: String,
    /// SHA-256 of what it bears.
    pub hash: String,
    /// Its site.
    pub site: SiteId,
    /// When it was made, epoch ms.
    pub at_ms: i64,
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
        /// When, epoch ms; of writes from before that was noted 0, and then all of them acts for
        /// all time.
        #[serde(default)]
        at_ms: i64,
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
    /// Adds a public link.
    PutLink(Link),
    /// Revokes a public link.
    DeleteLink {
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
    /// Public links by id.
    pub links: BTreeMap<String, Link>,
}

impl Directory {
    /// The directory after a write; `is_told` says of a site whether it has events.
    #[must_use]
    pub fn after(&self, write: &AdminWrite, is_told: impl Fn(&SiteId) -> bool) -> Self {
        let mut next = self.clone();
        next.version += 1;
        let version = next.version;
        match write {
            AdminWrite::PutSite { site, settings, at_ms } => {
                let known = self.sites.get(site).filter(|_| *at_ms >= DAY_MS && is_told(site));
                let formers = known.map(|entry| entry.after(settings, *at_ms)).unwrap_or_default();
                let entry = SiteEntry { settings: settings.as_ref().clone(), version, formers };
                next.sites.insert(site.clone(), entry);
            }
            AdminWrite::DeleteSite { site } => {
                next.sites.remove(site);
                next.keys.retain(|_, key| key.site != *site);
                next.links.retain(|_, link| link.site != *site);
            }
            AdminWrite::PutKey(key) => {
                next.keys.insert(key.id.clone(), key.clone());
            }
            AdminWrite::DeleteKey { id } => {
                next.keys.remove(id);
            }
            AdminWrite::PutLink(link) => {
                next.links.insert(link.id.clone(), link.clone());
            }
            AdminWrite::DeleteLink { id } => {
                next.links.remove(id);
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
            AdminWrite::PutSite { site: site("a"), settings: Box::default(), at_ms: 1 },
            AdminWrite::PutSite { site: site("b"), settings: Box::default(), at_ms: 1 },
            AdminWrite::PutKey(key("1", "a", KeyKind::Write)),
            AdminWrite::PutKey(key("2", "b", KeyKind::Server)),
            AdminWrite::PutKey(key("3", "b", KeyKind::Read)),
            AdminWrite::DeleteSite { site: site("a") },
        ] {
            directory = directory.after(&write, |_| false);
        }
        assert_eq!(directory.version, 6);
        assert_eq!(directory.sites.len(), 1);
        assert_eq!(directory.keys.keys().collect::<Vec<_>>(), ["2", "3"]);
        let edge = directory.edge_config();
        assert_eq!((edge.version, edge.keys.len()), (6, 1));
    }

    /// 2026-03-02T10:00:00+07:00
    const AT: i64 = 1_772_420_400_000;
    const MIDNIGHT: i64 = 1_772_470_800_000;

    fn put(directory: &Directory, gap: &str, zone: &str, at_ms: i64, is_told: bool) -> Directory {
        let mut settings = SiteSettings { timezone: zone.to_owned(), ..SiteSettings::default() };
        settings.session.gap = Span::try_from(gap.to_owned()).unwrap();
        let site = SiteId::parse("a").unwrap();
        let write = AdminWrite::PutSite { site, settings: Box::new(settings), at_ms };
        directory.after(&write, |_| is_told)
    }

    fn gaps(directory: &Directory) -> Vec<(i64, String)> {
        let entry = directory.sites.values().next().unwrap();
        let eras = entry.eras(|former| former.session.gap.to_string());
        eras.spans().map(|(from_ms, _, gap)| (from_ms, gap.clone())).collect()
    }

    #[test]
    fn settings_act_from_the_next_midnight_on_once_there_are_events() {
        let zone = "Asia/Ho_Chi_Minh";
        let first = |gap: &str| (i64::MIN, gap.to_owned());
        let made = put(&Directory::default(), "30m", zone, AT, false);
        let other = put(&made, "20m", zone, AT, false);
        assert_eq!(gaps(&other), [first("20m")]);
        let told = put(&other, "10m", zone, AT + 5, true);
        assert_eq!(gaps(&told), [first("20m"), (MIDNIGHT, "10m".to_owned())]);
        // Another word on the same day replaces it, and the old one takes it back.
        let again = put(&told, "15m", zone, AT + 10, true);
        assert_eq!(gaps(&again), [first("20m"), (MIDNIGHT, "15m".to_owned())]);
        assert_eq!(gaps(&put(&again, "20m", zone, AT + 20, true)), [first("20m")]);
        // A day later both stay; what does not act forwards only changes nothing.
        let day = MIDNIGHT + DAY_MS;
        let next =
            put(&put(&again, "15m", zone, MIDNIGHT + 1, true), "5m", zone, MIDNIGHT + 2, true);
        let all = [first("20m"), (MIDNIGHT, "15m".to_owned()), (day, "5m".to_owned())];
        assert_eq!(gaps(&next), all);
        let text = serde_json::to_string(&next).unwrap();
        assert_eq!(serde_json::from_str::<Directory>(&text).unwrap(), next);
        let moved = put(&made, "30m", "Asia/Tokyo", AT, true);
        let calendar = moved.sites.values().next().unwrap().calendar();
        assert_eq!(calendar.rfc3339(MIDNIGHT - 1), "2026-03-02T23:59:59.999+07:00");
        assert_eq!(calendar.rfc3339(MIDNIGHT), "2026-03-03T02:00:00.000+09:00");
    }
}
