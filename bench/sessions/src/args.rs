//! The command line: where things are, how long the stream is, and which parts run.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use lexopt::prelude::*;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The making of the stream, which is kept for the others.
    Stream,
    /// The engine alone, on one core.
    Pure,
    /// Memory of a person with five events.
    Memory,
    /// The whole program as a process.
    Whole,
    /// The same result, computed in one batch by databases.
    Batch,
}

impl Part {
    const ALL: [Self; 5] = [Self::Stream, Self::Pure, Self::Memory, Self::Whole, Self::Batch];

    /// Its name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Pure => "pure",
            Self::Memory => "memory",
            Self::Whole => "whole",
            Self::Batch => "batch",
        }
    }

    fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|part| part.name() == name);
        found.with_context(|| format!("there is no part {name}"))
    }
}

/// Paths and choices of a run.
#[derive(Debug)]
pub struct Options {
    /// The scripts of the batch databases.
    pub scripts: PathBuf,
    /// Python with the databases in it.
    pub python: PathBuf,
    /// The built program.
    pub program: PathBuf,
    /// Where stream, data and report are.
    pub folder: PathBuf,
    /// Events of the stream, about.
    pub events: u64,
    /// What the stream is drawn from.
    pub seed: u64,
    /// The one part that this process measures.
    pub alone: Option<Part>,
    only: Vec<Part>,
}

impl Options {
    /// Reads the arguments.
    pub fn parse() -> Result<Self> {
        let mut parser = lexopt::Parser::from_env();
        let (mut root, mut target, mut alone, mut only) = (None, None, None, Vec::new());
        let (mut events, mut seed) = (10_000_000, 1);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("root") => root = Some(PathBuf::from(parser.value()?)),
                Long("target") => target = Some(PathBuf::from(parser.value()?)),
                Long("events") => events = parser.value()?.parse()?,
                Long("seed") => seed = parser.value()?.parse()?,
                Long("only") => only.push(Part::parse(&parser.value()?.string()?)?),
                Long("alone") => alone = Some(Part::parse(&parser.value()?.string()?)?),
                other => return Err(other.unexpected().into()),
            }
        }
        let (root, target) =
            (root.context("--root is missing")?, target.context("--target is missing")?);
        let folder = target.join("bench/sessions");
        fs::create_dir_all(&folder)?;
        Ok(Self {
            scripts: root.join("bench/sessions/batch"),
            python: root.join(".tools/python/bin/python"),
            program: target.join("release/edgetally"),
            folder,
            events,
            seed,
            alone,
            only,
        })
    }

    /// Whether a part runs.
    pub fn runs(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// The file of the stream's frames.
    pub fn frames(&self) -> PathBuf {
        self.folder.join(format!("{}-{}.frames", self.events, self.seed))
    }

    /// The file of the stream's events, for databases.
    pub fn table(&self) -> PathBuf {
        self.folder.join(format!("{}-{}.csv", self.events, self.seed))
    }
}
