//! Which of several copies of an event stands (semantics, section 4): the one received first, and
//! of those received in the same millisecond the one whose content has the smallest hash.
//!
//! The hash is worked out where copies meet, from what a record says; it does not travel.

use xxhash_rust::xxh3::Xxh3;

use crate::event::Platform;
use crate::record::{Fact, Flags};
use crate::visitor::Device;

/// What a record says beside its id and its time of receipt, with its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its client; empty if it has none.
    pub client: &'a str,
    /// The user id it carries.
    pub user: Option<&'a str>,
    /// Where it came from.
    pub platform: Platform,
    /// Event time, epoch ms.
    pub occurred_at_ms: i64,
    /// Marks.
    pub flags: Flags,
    /// Path of its page.
    pub page: Option<&'a str>,
    /// Host of its referrer.
    pub referrer: Option<&'a str>,
    /// Its campaign, as JSON.
    pub campaign: Option<&'a str>,
    /// Its channel, as JSON; empty if it has none.
    pub grade: &'a str,
    /// Its place, as JSON; empty if it has none.
    pub place: &'a str,
    /// What its visitor used.
    pub device: Device,
    /// What it says beside its record; the number of the record is no part of it.
    pub fact: Option<&'a Fact>,
}

impl Said<'_> {
    /// XXH3-64 of all of it, the same on every platform.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut hash = Xxh3::new();
        let present = [self.name, self.client, self.grade, self.place].map(Some);
        let texts = [self.user, self.page, self.referrer, self.campaign];
        for text in present.into_iter().chain(texts) {
            // Length plus one before each, so that absent is not empty and nothing runs together.
            let length = text.map_or(0, |text| text.len() as u64 + 1);
            hash.update(&length.to_le_bytes());
            hash.update(text.unwrap_or_default().as_bytes());
        }
        hash.update(&[self.platform as u8, self.flags.0]);
        let (kind, browser, system) = self.device.into();
        hash.update(&[kind, browser, system]);
        hash.update(&self.occurred_at_ms.to_le_bytes());
        if let Some(fact) = self.fact {
            let mut bytes = Vec::new();
            let written = ciborium::into_writer(&Fact { record: 0, ..fact.clone() }, &mut bytes);
            debug_assert!(written.is_ok(), "a vector takes every byte");
            hash.update(&bytes);
        }
        hash.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Said<'static> {
        Said {
            name: "purchase",
            client: "c-1",
            user: Some("u"),
            platform: Platform::Web,
            occurred_at_ms: 1,
            flags: Flags(0),
            page: None,
            referrer: Some("a.example"),
            campaign: None,
            grade: "",
            place: "",
            device: Device::default(),
            fact: None,
        }
    }

    #[test]
    fn every_member_counts() {
        let fact = Fact { refund_id: Some("r".to_owned()), ..Fact::default() };
        let others = [
            Said { name: "refund", ..said() },
            Said { client: "c-2", ..said() },
            Said { user: None, ..said() },
            Said { user: Some(""), ..said() },
            Said { platform: Platform::Ios, ..said() },
            Said { occurred_at_ms: 2, ..said() },
            Said { flags: Flags::BOT, ..said() },
            Said { page: Some("a.example"), referrer: None, ..said() },
            Said { campaign: Some("{}"), ..said() },
            Said { grade: "{}", ..said() },
            Said { place: "{}", ..said() },
            Said { device: Device::from((0, 1, 0)), ..said() },
            Said { fact: Some(&fact), ..said() },
        ];
        let mut hashes: Vec<u64> = others.iter().map(Said::hash).collect();
        hashes.push(said().hash());
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), others.len() + 1);
    }

    #[test]
    fn the_place_in_a_frame_does_not() {
        let (here, there) = (Fact { record: 3, ..Fact::default() }, Fact::default());
        let hash = |fact| Said { fact: Some(fact), ..said() }.hash();
        assert_eq!(hash(&here), hash(&there));
    }
}
