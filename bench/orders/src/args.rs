//! The command line: where things are, and how many orders there are.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use lexopt::prelude::*;

/// Paths and choices of a run.
#[derive(Debug)]
pub struct Options {
    /// The built program.
    pub program: PathBuf,
    /// Where data and report are.
    pub folder: PathBuf,
    /// How many orders.
    pub orders: u64,
    /// What they are drawn from.
    pub seed: u64,
    /// How often each question is asked.
    pub calls: usize,
    /// Whether PostgreSQL is left out.
    pub is_alone: bool,
}

impl Options {
    /// Reads the arguments.
    pub fn parse() -> Result<Self> {
        let mut parser = lexopt::Parser::from_env();
        let mut target = None;
        let (mut orders, mut seed, mut calls, mut is_alone) = (10_000_000, 1, 1_000, false);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("root") => drop(parser.value()?),
                Long("target") => target = Some(PathBuf::from(parser.value()?)),
                Long("orders") => orders = parser.value()?.parse()?,
                Long("seed") => seed = parser.value()?.parse()?,
                Long("calls") => calls = parser.value()?.parse()?,
                Long("without-peers") => is_alone = true,
                other => return Err(other.unexpected().into()),
            }
        }
        let target = target.context("--target is missing")?;
        let folder = target.join("bench/orders");
        fs::create_dir_all(&folder)?;
        let program = target.join("release/edgetally");
        Ok(Self { program, folder, orders, seed, calls, is_alone })
    }
}
