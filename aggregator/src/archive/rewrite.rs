//! Rewriting an archive after an erasure: lines of erased persons go, the money of their orders
//! stays as nobody's.
//!
//! Each part is replaced whole. What is about to be put is noted beside the manifest first, so that
//! a reader, and whoever goes on after a crash, knows a new part from a damaged one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use edgetally_proto::archive::Line;
use edgetally_proto::archive::manifest::{Manifest, Part};
use edgetally_proto::archive::names::MANIFEST;
use edgetally_proto::ids::SiteId;
use edgetally_proto::record::Flags;
use flate2::{Compression, GzBuilder};
use serde::Serialize;

use super::bucket::{Bucket, BucketError, Only};
use super::offline;
use super::reading::{self, Folder, Intent, Listed, REWRITE};
use super::replay::read_erasures;
use crate::store::engine::Engine;
use crate::tombstones::{self, Erasure, Told, Tombstones};

/// How often an object that changes meanwhile is read again before it is given up.
const CONFLICTS_MAX: usize = 16;

/// Rewrites a raw archive by the erasures of a data folder, while nothing else uses the folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The archive: the URL of a worker (EDGETALLY_EDGE_SECRET must be set), or a folder with a
    /// copy of its bucket.
    #[arg(long, value_name = "URL|DIR")]
    from: String,
    /// Only this site.
    #[arg(long, value_parser = SiteId::parse)]
    site: Option<SiteId>,
    /// The data folder.
    #[arg(long, value_name = "DIR", env = "EDGETALLY_DATA", default_value = "data")]
    data: PathBuf,
}

/// What a rewrite did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    /// Parts that were read.
    pub parts: u64,
    /// Of them, parts that were replaced.
    pub replaced: u64,
    /// Lines that are gone.
    pub dropped: u64,
    /// Lines of which the money stays.
    pub money: u64,
    /// Objects that could not be read and were left as they are, with what is wrong.
    pub damaged: Vec<String>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let all = |engine: &Engine, bucket: &dyn Bucket| {
        let mut all = Rewritten::default();
        let view = engine.shared.view.load_full();
        for (site, state) in &view.sites {
            if args.site.as_ref().is_none_or(|only| only == site) && !state.erasures.is_empty() {
                rewrite(bucket, site, &state.erasures, &mut all)?;
            }
        }
        Ok(all)
    };
    offline::run(&args.from, &args.data, all, |all| all.damaged.is_empty())
}

/// Rewrites the archive of a site. Run again it goes on where it stopped.
///
/// # Errors
/// If the bucket does not answer.
pub fn rewrite(
    bucket: &dyn Bucket,
    site: &SiteId,
    erasures: &[Arc<Erasure>],
    done: &mut Rewritten,
) -> Result<(), BucketError> {
    let mut tombstones = Tombstones::default();
    for erasure in remember(bucket, site, erasures)? {
        tombstones.push(erasure);
    }
    reading::folders(bucket, Some(site), |_, folder| {
        let mut rewriting = Rewriting { bucket, folder, tombstones: &tombstones, done: &mut *done };
        rewriting.run()
    })
}

/// Lets the archive remember the erasures, before anything else: whoever reads it from now on obeys
/// them. Gives all that it remembers.
fn remember(
    bucket: &dyn Bucket,
    site: &SiteId,
    erasures: &[Arc<Erasure>],
) -> Result<Vec<Erasure>, BucketError> {
    let name = tombstones::object_name(site);
    for _ in 0..CONFLICTS_MAX {
        let etag = bucket.get(&name)?.map(|(_, etag)| etag);
        let mut all = read_erasures(bucket, site)?;
        let before = all.len();
        for erasure in erasures {
            if !all.contains(erasure) {
                all.push(erasure.as_ref().clone());
            }
        }
        let mut body = Vec::new();
        ciborium::into_writer(&all, &mut body).map_err(|error| BucketError(error.to_string()))?;
        let only = etag.as_deref().map_or(Only::Absent, Only::Unchanged);
        if all.len() == before || bucket.put(&name, &body, only)? {
            return Ok(all);
        }
    }
    Err(BucketError(format!("{name} changes all the time")))
}

/// One folder.
struct Rewriting<'a> {
    bucket: &'a dyn Bucket,
    folder: &'a Folder,
    tombstones: &'a Tombstones,
    done: &'a mut Rewritten,
}

/// A part that is to be replaced.
struct Fresh {
    part: Part,
    object: Vec<u8>,
    dropped: u64,
    money: u64,
}

impl Rewriting<'_> {
    fn run(&mut self) -> Result<(), BucketError> {
        let listed = match self.folder.manifest(self.bucket)? {
            Ok(listed) => listed,
            Err(error) => {
                self.done.damaged.push(error);
                return Ok(());
            }
        };
        let mut has_intent = self.folder.has_intent;
        for file in &self.folder.parts {
            let name = format!("{}{file}", self.folder.name);
            let Some((object, _)) = self.bucket.get(&name)? else { continue };
            self.done.parts += 1;
            let expected = match self.settle(&listed, file, &object)? {
                Ok(expected) => expected,
                Err(error) => {
                    self.done.damaged.push(format!("{name}: {error}"));
                    continue;
                }
            };
            match self.fresh(file, &object, expected) {
                Ok(None) => {}
                Ok(Some(fresh)) => {
                    has_intent = true;
                    self.replace(&listed, &name, fresh)?;
                }
                Err(error) => self.done.damaged.push(format!("{name}: {error}")),
            }
        }
        match has_intent {
            true => self.bucket.delete(&format!("{}{REWRITE}", self.folder.name)),
            false => Ok(()),
        }
    }

    /// Lists a part that a rewrite put and did not come to list; gives how many lines it has.
    fn settle(
        &self,
        listed: &Listed,
        file: &str,
        object: &[u8],
    ) -> Result<Result<Option<u64>, &'static str>, BucketError> {
        let held = listed.manifest.as_ref().and_then(|(manifest, _)| manifest.part(file));
        let is_put = listed.intended.get(file).filter(|part| part.fits(object));
        if let (Some(part), Some(held)) = (is_put, held)
            && part != held
        {
            self.list(part)?;
        }
        Ok(listed.lines_of(file, object))
    }

    /// The part without what was erased; none if there is nothing of that in it.
    fn fresh(
        &self,
        file: &str,
        object: &[u8],
        expected: Option<u64>,
    ) -> Result<Option<Fresh>, String> {
        let (mut kept, mut lines, mut dropped, mut money) = (Vec::new(), 0, 0, 0);
        reading::lines(object, expected, |text| {
            let line = Line::parse(text).map_err(|error| error.to_string())?;
            let event = line.event().map_err(|error| error.to_string())?;
            let client = event.client.as_ref().map_or("", |client| client.as_str());
            let told = Told {
                client,
                user: event.user.as_ref().map(|user| user.as_str()),
                id: Some(&event.id),
                occurred_at_ms: event.occurred_at_ms,
            };
            let salt = self.tombstones.erased_by(&told).filter(|_| !event.flags.has(Flags::ERASED));
            let rest = match salt {
                None => Some(text.to_owned()),
                Some(_) if !tombstones::is_money(event.name.as_str(), event.fact.as_deref()) => {
                    dropped += 1;
                    None
                }
                Some(salt) => {
                    money += 1;
                    let id = tombstones::money_id(&salt, client, &event.id);
                    Some(line.without_person(&event, id))
                }
            };
            if let Some(rest) = rest {
                lines += 1;
                kept.extend_from_slice(rest.as_bytes());
                kept.push(b'\n');
            }
            Ok(())
        })?;
        if dropped + money == 0 {
            return Ok(None);
        }
        // Equal lines give equal bytes: no name and no time in the head.
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::default());
        let written = encoder.write_all(&kept).and_then(|()| encoder.finish());
        let object = written.map_err(|error: io::Error| error.to_string())?;
        let part = Part::of(file.to_owned(), lines, &object);
        Ok(Some(Fresh { part, object, dropped, money }))
    }

    fn replace(&mut self, listed: &Listed, name: &str, fresh: Fresh) -> Result<(), BucketError> {
        let Fresh { part, object, dropped, money } = fresh;
        let intent = serde_json::to_vec(&Intent { parts: vec![part.clone()] }).unwrap_or_default();
        self.bucket.put(&format!("{}{REWRITE}", self.folder.name), &intent, Only::Always)?;
        self.bucket.put(name, &object, Only::Always)?;
        let is_listed = listed.manifest.as_ref().is_some_and(|(m, _)| m.part(&part.name).is_some());
        if is_listed {
            self.list(&part)?;
        }
        self.done.replaced += 1;
        self.done.dropped += dropped;
        self.done.money += money;
        Ok(())
    }

    /// Lists a part in the manifest, which its shard may change meanwhile.
    fn list(&self, part: &Part) -> Result<(), BucketError> {
        let name = format!("{}{MANIFEST}", self.folder.name);
        for _ in 0..CONFLICTS_MAX {
            let Some((body, etag)) = self.bucket.get(&name)? else { return Ok(()) };
            let mut manifest = Manifest::read(&body).map_err(BucketError)?;
            manifest.list(part.clone());
            let json = manifest.to_json();
            if self.bucket.put(&name, json.as_bytes(), Only::Unchanged(&etag))? {
                return Ok(());
            }
        }
        Err(BucketError(format!("{name} changes all the time")))
    }
}
