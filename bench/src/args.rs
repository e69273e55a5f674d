//! The command line: where things are, and which parts run.

use std::path::PathBuf;

use anyhow::{Context, Result};
use lexopt::prelude::*;

/// Paths and choices of a run.
#[derive(Debug)]
pub struct Options {
    /// The repository.
    pub root: PathBuf,
    /// The folder of the wasm module of the pure path.
    pub module: PathBuf,
    /// Criterion's folder of estimates.
    pub criterion: PathBuf,
    /// Where the report goes.
    pub out: PathBuf,
    /// Where Durable Objects are kept meanwhile: in memory if the system has a folder there, so
    /// that no contestant waits for the disk, which other programs use too.
    pub data: PathBuf,
    /// Seconds of one measurement of the whole worker.
    pub seconds: u64,
    /// How often each contestant is measured.
    pub rounds: usize,
    /// Requests that are open at once.
    pub connections: usize,
    /// Whether the contestants of the whole worker have a bucket.
    pub archive: bool,
    /// Flags of V8, such as `--perf-basic-prof`, which names compiled functions for `perf`.
    pub v8_flags: Vec<String>,
    only: Vec<String>,
    workers: Vec<String>,
    sizes: Vec<usize>,
}

impl Options {
    /// Reads the arguments.
    pub fn parse() -> Result<Self> {
        let mut parser = lexopt::Parser::from_env();
        let (mut root, mut target) = (None, None);
        let (mut v8_flags, mut workers, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        let mut archive = false;
        let (mut seconds, mut rounds, mut connections, mut only) = (3, 3, 1_024, Vec::new());
        while let Some(arg) = parser.next()? {
            match arg {
                Long("root") => root = Some(PathBuf::from(parser.value()?)),
                Long("target") => target = Some(PathBuf::from(parser.value()?)),
                Long("seconds") => seconds = parser.value()?.parse()?,
                Long("rounds") => rounds = parser.value()?.parse()?,
                Long("connections") => connections = parser.value()?.parse()?,
                Long("archive") => archive = true,
                Long("only") => only.push(parser.value()?.parse()?),
                Long("worker") => workers.push(parser.value()?.parse()?),
                Long("size") => sizes.push(parser.value()?.parse()?),
                Long("v8-flag") => v8_flags.push(parser.value()?.parse()?),
                other => return Err(other.unexpected().into()),
            }
        }
        let target = target.context("--target is missing")?;
        let shared = PathBuf::from("/dev/shm");
        Ok(Self {
            root: root.context("--root is missing")?,
            module: target.join("bench/pure"),
            criterion: target.join("criterion"),
            out: target.join("bench"),
            data: if shared.is_dir() { shared } else { target.join("bench/data") },
            seconds,
            rounds,
            connections,
            archive,
            v8_flags,
            only,
            workers,
            sizes,
        })
    }

    /// Whether a part runs.
    pub fn runs(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == part)
    }

    /// Whether a contestant takes part.
    pub fn has_worker(&self, name: &str) -> bool {
        self.workers.is_empty() || self.workers.iter().any(|worker| worker == name)
    }

    /// Whether batches of a size are sent.
    pub fn has_size(&self, size: usize) -> bool {
        self.sizes.is_empty() || self.sizes.contains(&size)
    }

    /// The program workerd, as npm installed it.
    pub fn workerd(&self) -> PathBuf {
        self.root.join("node_modules/workerd/bin/workerd")
    }

    /// The folder of the built worker.
    pub fn build(&self) -> PathBuf {
        self.root.join("edge-worker/build")
    }

    /// A worker of the benchmark.
    pub fn contestant(&self, name: &str) -> PathBuf {
        self.root.join("bench/workers").join(name)
    }
}
