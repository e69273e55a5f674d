//! Manifests: which parts the folder of one site, hour and shard must hold.
//!
//! A part is put first and listed then, and only what is listed is deleted from the shard. So a
//! part that is listed and not there is lost, and one that is there and not listed yet is whole and
//! will be put again under its name.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::ids::{ShardName, SiteId};

/// The list of one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The site.
    pub site: SiteId,
    /// The UTC hour of receipt, as `YYYY-MM-DDTHH`.
    pub hour: String,
    /// The shard, as it is called.
    pub shard: ShardName,
    /// Its parts, by name.
    pub parts: Vec<Part>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// File name, see [`super::names::part`].
    pub name: String,
    /// How many events.
    pub lines: u64,
    /// Bytes of the object.
    pub bytes: u64,
    /// XXH3-64 of the object's bytes, 16 hex digits.
    pub xxh3: String,
}

impl Part {
    /// Describes the bytes of a part.
    #[must_use]
    pub fn of(name: String, lines: u64, object: &[u8]) -> Self {
        let xxh3 = format!("{:016x}", xxh3_64(object));
        Self { name, lines, bytes: object.len() as u64, xxh3 }
    }

    /// Whether these are the part's bytes.
    #[must_use]
    pub fn fits(&self, object: &[u8]) -> bool {
        *self == Self::of(self.name.clone(), self.lines, object)
    }
}

impl Manifest {
    /// A list without parts.
    #[must_use]
    pub fn new(site: SiteId, hour: i64, shard: ShardName) -> Self {
        Self { site, hour: super::names::hour_text(hour), shard, parts: Vec::new() }
    }

    /// Lists a part; another of its name gives way.
    pub fn list(&mut self, part: Part) {
        match self.parts.binary_search_by(|known| known.name.cmp(&part.name)) {
            Ok(at) => self.parts[at] = part,
            Err(at) => self.parts.insert(at, part),
        }
    }

    /// The part with a file name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// If it is no manifest; the text says why.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_listed_once() {
        let (site, shard) =
            (SiteId::parse("demo").unwrap(), ShardName::parse("v1|apac|3").unwrap());
        let mut manifest = Manifest::new(site, 492_339, shard);
        for (name, object) in [("b", "old"), ("a", "other"), ("b", "new")] {
            manifest.list(Part::of(name.to_owned(), 1, object.as_bytes()));
        }
        assert_eq!(manifest.parts.len(), 2);
        assert!(manifest.part("b").unwrap().fits(b"new"));
        assert!(!manifest.part("b").unwrap().fits(b"old"));
        assert_eq!(manifest.hour, "2026-03-02T03");
        assert_eq!(Manifest::read(manifest.to_json().as_bytes()), Ok(manifest));
    }
}
