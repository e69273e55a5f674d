//! Reading the archive: its folders in order, each held against its manifest.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use edgetally_proto::archive::manifest::{Manifest, Part};
use edgetally_proto::archive::names::{MANIFEST, RAW, RawName};
use edgetally_proto::ids::SiteId;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, BucketError};

/// What a rewrite notes beside a manifest before it replaces parts, and removes when both fit.
pub const REWRITE: &str = "rewrite.json";

/// The parts that a rewrite is about to put, as the manifest will list them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// By name.
    pub parts: Vec<Part>,
}

/// The folder of one site, hour and shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Its name, with a slash at its end.
    pub name: String,
    /// File names of the parts that are there, by sequence.
    pub parts: Vec<String>,
    /// Whether its manifest is there.
    pub has_manifest: bool,
    /// Whether a rewrite was begun and not ended.
    pub has_intent: bool,
}

impl Folder {
    fn add(&mut self, file: &str) {
        match file {
            MANIFEST => self.has_manifest = true,
            REWRITE => self.has_intent = true,
            part => self.parts.push(part.to_owned()),
        }
    }

    /// Reads its manifest; an empty one where there is none.
    ///
    /// # Errors
    /// If the bucket does not answer. A damaged manifest is told as text.
    pub fn manifest(&self, bucket: &dyn Bucket) -> Result<Result<Listed, String>, BucketError> {
        let mut listed = Listed::default();
        if self.has_intent
            && let Some((body, _)) = bucket.get(&format!("{}{REWRITE}", self.name))?
        {
            let intent: Intent = serde_json::from_slice(&body).unwrap_or_default();
            let parts = intent.parts.into_iter();
            listed.intended = parts.map(|part| (part.name.clone(), part)).collect();
        }
        if !self.has_manifest {
            return Ok(Ok(listed));
        }
        let name = format!("{}{MANIFEST}", self.name);
        let Some((body, etag)) = bucket.get(&name)? else {
            return Ok(Err(format!("{name} is gone")));
        };
        Ok(match Manifest::read(&body) {
            Ok(manifest) => {
                listed.manifest = Some((manifest, etag));
                Ok(listed)
            }
            Err(error) => Err(format!("{name} is damaged: {error}")),
        })
    }
}

/// What a folder should hold.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The manifest with its etag.
    pub manifest: Option<(Manifest, String)>,
    /// What a rewrite that was cut short wanted to put, by file name.
    pub intended: BTreeMap<String, Part>,
}

impl Listed {
    /// The parts that should be there.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.manifest.iter().flat_map(|(manifest, _)| &manifest.parts)
    }

    /// How many lines a part should have.
    ///
    /// # Errors
    /// If the part is listed, and these are not its bytes.
    pub fn lines_of(&self, file: &str, object: &[u8]) -> Result<Option<u64>, &'static str> {
        let listed = self.manifest.as_ref().and_then(|(manifest, _)| manifest.part(file));
        let fitting = [self.intended.get(file), listed].into_iter().flatten();
        match (fitting.into_iter().find(|part| part.fits(object)), listed) {
            (Some(part), _) => Ok(Some(part.lines)),
            (None, None) => Ok(None),
            (None, Some(_)) => Err("its bytes are not those that its manifest lists"),
        }
    }
}

/// Calls `visit` for every folder of a site, or of all, in the order of their names: by site, hour
/// and shard.
///
/// # Errors
/// If the bucket does not answer, or `visit` fails.
pub fn folders(
    bucket: &dyn Bucket,
    site: Option<&SiteId>,
    mut visit: impl FnMut(&SiteId, &Folder) -> Result<(), BucketError>,
) -> Result<(), BucketError> {
    let prefix = site.map_or_else(|| RAW.to_owned(), |site| format!("{RAW}{site}/"));
    let mut open: Option<(SiteId, Folder)> = None;
    let mut cursor: Option<String> = None;
    loop {
        let page = bucket.page(&prefix, cursor.as_deref())?;
        for object in &page.results {
            let Some((dir, file)) = object.name.rsplit_once('/') else { continue };
            let manifest = format!("{dir}/{MANIFEST}");
            // What an archive does not name is none of its business, such as drafts of a copy.
            let known = if file == REWRITE { &manifest } else { &object.name };
            let Some(name) = RawName::parse(known) else { continue };
            let dir = format!("{dir}/");
            if open.as_ref().is_none_or(|(_, folder)| folder.name != dir) {
                if let Some((site, folder)) = &open {
                    visit(site, folder)?;
                }
                open = Some((name.site, Folder { name: dir, ..Folder::default() }));
            }
            if let Some((_, folder)) = &mut open {
                folder.add(file);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    open.map_or(Ok(()), |(site, folder)| visit(&site, &folder))
}

/// Calls `visit` for every line of a part.
///
/// # Errors
/// What is wrong with the part, or what `visit` says.
pub fn lines(
    object: &[u8],
    expected: Option<u64>,
    mut visit: impl FnMut(&str) -> Result<(), String>,
) -> Result<u64, String> {
    let mut reader = BufReader::new(MultiGzDecoder::new(object));
    let (mut text, mut count) = (String::new(), 0);
    loop {
        text.clear();
        let read = reader.read_line(&mut text).map_err(|error| error.to_string())?;
        if read == 0 {
            break;
        }
        count += 1;
        visit(text.trim_end_matches('\n')).map_err(|error| format!("line {count}: {error}"))?;
    }
    match expected {
        Some(expected) if expected != count => {
            Err(format!("{count} lines, though its manifest lists {expected}"))
        }
        _ => Ok(count),
    }
}
