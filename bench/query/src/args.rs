//! The command line: where things are and how large the shop is.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use lexopt::prelude::*;

/// Paths and choices of a run.
#[derive(Debug)]
pub struct Options {
    /// The scripts of the databases.
    pub scripts: PathBuf,
    /// Python with the databases in it.
    pub python: PathBuf,
    /// Where tables and report are.
    pub folder: PathBuf,
    /// Days of the shop.
    pub days: u32,
    /// Sessions of a day, about.
    pub sessions: u32,
    /// How often each question is asked.
    pub rounds: u32,
    /// What everything is drawn from.
    pub seed: u64,
    /// Whether this process measures the engine.
    pub is_alone: bool,
    /// Whether no database is asked.
    pub is_without_peers: bool,
}

impl Options {
    /// Reads the arguments.
    pub fn parse() -> Result<Self> {
        let mut parser = lexopt::Parser::from_env();
        let (mut root, mut target) = (None, None);
        let (mut days, mut sessions, mut rounds, mut seed) = (30, 30_000, 15, 1);
        let (mut is_alone, mut is_without_peers) = (false, false);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("root") => root = Some(PathBuf::from(parser.value()?)),
                Long("target") => target = Some(PathBuf::from(parser.value()?)),
                Long("days") => days = parser.value()?.parse()?,
                Long("sessions") => sessions = parser.value()?.parse()?,
                Long("rounds") => rounds = parser.value()?.parse()?,
                Long("seed") => seed = parser.value()?.parse()?,
                Long("alone") => is_alone = true,
                Long("without-peers") => is_without_peers = true,
                other => return Err(other.unexpected().into()),
            }
        }
        let root = root.context("--root is missing")?;
        let folder = target.context("--target is missing")?.join("bench/query");
        fs::create_dir_all(&folder)?;
        Ok(Self {
            scripts: root.join("bench/query/peers"),
            python: root.join(".tools/python/bin/python"),
            folder,
            days,
            sessions,
            rounds,
            seed,
            is_alone,
            is_without_peers,
        })
    }
}
