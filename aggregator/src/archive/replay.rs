//! `edgetally replay`: what an archive holds comes into a state again, each event once.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use edgetally_proto::archive::Line;
use edgetally_proto::ids::SiteId;
use edgetally_proto::limits::WINDOW_BYTES_MAX;
use edgetally_proto::window::Window;
use serde::Serialize;
use tokio::sync::oneshot;

use super::bucket::{Bucket, BucketError};
use super::offline;
use super::reading::{self, Folder};
use crate::local::{Answer, Ask};
use crate::store::engine::{Command, Engine};
use crate::tombstones::{self, Erasure};

/// Events of one frame.
const WINDOW_EVENTS: usize = 4_096;
/// Frames on their way to the thread that owns the state.
const UNDER_WAY_MAX: usize = 4;
/// How often it says how far it is.
const PROGRESS: Duration = Duration::from_secs(2);

const AFTER_HELP: &str = "\
Events are looked up by their ids, so a state that holds them already stays as it is, and a replay
that was cut short is simply begun again. The sites must exist; put their settings first. Rejected
events and what the edge dropped as repeats are not in an archive.

Prints one JSON object. Exit code 0 if all of the archive was read, 1 if not, 2 for wrong usage.";

/// Rebuilds the state of a data folder from a raw archive, while nothing else uses the folder.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
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
    /// Goes on where parts are missing or damaged, and lists them.
    #[arg(long)]
    allow_missing: bool,
}

/// What was read of one site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SiteSummary {
    /// Objects of events.
    pub parts: u64,
    /// Events in them.
    pub events: u64,
    /// Of them, events that the state held already, or that were erased.
    pub known: u64,
    /// Erasures that the archive remembers and the state did not.
    pub erasures: usize,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// By site.
    pub sites: BTreeMap<SiteId, SiteSummary>,
    /// Parts that no manifest lists yet; they were read.
    pub unlisted: u64,
    /// Objects that manifests list and that are not there.
    pub missing: Vec<String>,
    /// Objects that are not what was written, with what is wrong.
    pub damaged: Vec<String>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let read = |engine: &Engine, bucket: &dyn Bucket| {
        let mut replay = Replay::new(engine, bucket, args.allow_missing);
        replay.all(args.site.as_ref()).map(|()| replay.summary)
    };
    offline::run(&args.from, &args.data, read, |_| true)
}

/// One replay.
pub struct Replay<'a> {
    engine: &'a Engine,
    bucket: &'a dyn Bucket,
    allow_missing: bool,
    window: Window,
    newest_ms: i64,
    under_way: VecDeque<(SiteId, oneshot::Receiver<Answer>)>,
    said_at: Instant,
    /// What was read so far.
    pub summary: Summary,
}

fn fault(text: impl Into<String>) -> BucketError {
    BucketError(text.into())
}

impl<'a> Replay<'a> {
    /// One that begins.
    #[expect(clippy::disallowed_methods, reason = "it says how far it is, by the clock")]
    #[must_use]
    pub fn new(engine: &'a Engine, bucket: &'a dyn Bucket, allow_missing: bool) -> Self {
        Self {
            engine,
            bucket,
            allow_missing,
            window: Window::default(),
            newest_ms: 0,
            under_way: VecDeque::new(),
            said_at: Instant::now(),
            summary: Summary::default(),
        }
    }

    /// Reads all of a site, or of all sites.
    ///
    /// # Errors
    /// If a site is not there, or the archive cannot be read whole.
    pub fn all(&mut self, site: Option<&SiteId>) -> Result<(), BucketError> {
        let bucket = self.bucket;
        reading::folders(bucket, site, |site, folder| self.folder(site, folder))?;
        while !self.under_way.is_empty() {
            self.await_oldest()?;
        }
        Ok(())
    }

    fn folder(&mut self, site: &SiteId, folder: &Folder) -> Result<(), BucketError> {
        if !self.summary.sites.contains_key(site) {
            self.begin(site)?;
        }
        let listed = match folder.manifest(self.bucket)? {
            Ok(listed) => listed,
            Err(error) => {
                self.report_damaged(error)?;
                return Ok(());
            }
        };
        for part in listed.parts().filter(|part| !folder.parts.contains(&part.name)) {
            self.report_missing(format!("{}{}", folder.name, part.name))?;
        }
        for file in &folder.parts {
            let name = format!("{}{file}", folder.name);
            let Some((object, _)) = self.bucket.get(&name)? else {
                self.report_missing(name)?;
                continue;
            };
            let read = match listed.lines_of(file, &object) {
                Ok(expected) => {
                    self.summary.unlisted += u64::from(expected.is_none());
                    self.part(site, &object, expected)?
                }
                Err(error) => Err(error.to_owned()),
            };
            if let Err(error) = read {
                self.report_damaged(format!("{name}: {error}"))?;
            }
            self.send(site)?;
        }
        Ok(())
    }

    /// The first folder of a site: it must exist, and obeys what its archive remembers.
    fn begin(&mut self, site: &SiteId) -> Result<(), BucketError> {
        if !self.engine.shared.view.load().directory.sites.contains_key(site) {
            return Err(fault(format!(
                "the site {site:?} is not known in this data folder; start the aggregator and put \
                 its settings with PUT /v1/sites/{site} first, or name another site with --site"
            )));
        }
        let remembered = read_erasures(self.bucket, site)?;
        let ask = Ask::Remember { site: site.clone(), erasures: remembered };
        let erasures = match self.ask(ask)?.blocking_recv() {
            Ok(Answer::Remembered(count)) => count,
            _ => return Err(fault("the state stopped")),
        };
        let summary = SiteSummary { erasures, ..SiteSummary::default() };
        self.summary.sites.insert(site.clone(), summary);
        Ok(())
    }

    /// Folds the lines of a part; what is wrong with the part is told as text.
    fn part(
        &mut self,
        site: &SiteId,
        object: &[u8],
        expected: Option<u64>,
    ) -> Result<Result<(), String>, BucketError> {
        let mut stopped = None;
        let read = reading::lines(object, expected, |line| {
            let (of, event) = Line::read(line).map_err(|error| error.to_string())?;
            if of != *site {
                return Err(format!("it is of the site {of}"));
            }
            self.newest_ms = self.newest_ms.max(event.received_at_ms);
            self.window.fold(site, event);
            let is_full = self.window.events() >= WINDOW_EVENTS;
            if is_full || self.window.bytes() > WINDOW_BYTES_MAX {
                self.send(site).map_err(|error| stopped.insert(error).to_string())?;
            }
            Ok(())
        });
        if let Some(summary) = self.summary.sites.get_mut(site) {
            summary.parts += u64::from(read.is_ok());
        }
        stopped.map_or(Ok(read.map(drop)), Err)
    }

    /// Hands over what was folded, and waits where too much is under way.
    fn send(&mut self, site: &SiteId) -> Result<(), BucketError> {
        if !self.window.is_empty() {
            let ask = Ask::Fold(self.window.seal(self.newest_ms));
            let answer = self.ask(ask)?;
            self.under_way.push_back((site.clone(), answer));
        }
        while self.under_way.len() > UNDER_WAY_MAX {
            self.await_oldest()?;
        }
        Ok(())
    }

    fn ask(&self, ask: Ask) -> Result<oneshot::Receiver<Answer>, BucketError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.engine.send(Command::Local { ask, note: None, reply });
        sent.map(|()| answer)
            .map_err(|refusal| fault(format!("the state takes no more: {refusal:?}")))
    }

    fn await_oldest(&mut self) -> Result<(), BucketError> {
        let Some((site, answer)) = self.under_way.pop_front() else { return Ok(()) };
        let summary = self.summary.sites.entry(site).or_default();
        match answer.blocking_recv() {
            Ok(Answer::Folded { events, known }) => {
                summary.events += events;
                summary.known += known;
            }
            Ok(Answer::Failed(error)) => return Err(fault(error)),
            _ => return Err(fault("the state stopped")),
        }
        self.say_progress();
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "it says how far it is, by the clock")]
    fn say_progress(&mut self) {
        if self.said_at.elapsed() >= PROGRESS {
            self.said_at = Instant::now();
            let sum =
                |of: fn(&SiteSummary) -> u64| self.summary.sites.values().map(of).sum::<u64>();
            let (parts, events) = (sum(|site| site.parts), sum(|site| site.events));
            tracing::info!(parts, events, "replaying the archive");
        }
    }

    fn report_missing(&mut self, name: String) -> Result<(), BucketError> {
        if !self.allow_missing {
            return Err(fault(format!("{name} is missing; --allow-missing goes on without it")));
        }
        tracing::warn!(name, "missing");
        self.summary.missing.push(name);
        Ok(())
    }

    fn report_damaged(&mut self, what: String) -> Result<(), BucketError> {
        if !self.allow_missing {
            return Err(fault(format!("{what}; --allow-missing goes on without the rest of it")));
        }
        tracing::warn!(what, "damaged");
        self.summary.damaged.push(what);
        Ok(())
    }
}

/// The erasures that an archive remembers of a site.
///
/// # Errors
/// If the bucket does not answer, or holds what is none.
pub fn read_erasures(bucket: &dyn Bucket, site: &SiteId) -> Result<Vec<Erasure>, BucketError> {
    let name = tombstones::object_name(site);
    let Some((body, _)) = bucket.get(&name)? else { return Ok(Vec::new()) };
    ciborium::from_reader(body.as_slice())
        .map_err(|error| fault(format!("{name} is damaged: {error}")))
}
