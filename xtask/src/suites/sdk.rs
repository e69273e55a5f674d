//! `cargo xtask bench sdk`: what the SDK takes of a page's main thread, by a trace of Chromium.

use std::process::{Command, ExitCode};

use anyhow::Result;

use super::pass_through;
use crate::paths::Paths;
use crate::{parts, stop, tools};

/// Builds the SDK and runs the driver, which prints the report.
pub fn bench_sdk(paths: &Paths) -> Result<ExitCode> {
    stop::watch_signals()?;
    tools::install(paths)?;
    parts::build_sdk(paths)?;
    let mut driver = Command::new(paths.node());
    driver
        .arg("bench/sdk/main.mjs")
        .current_dir(&paths.root)
        .env("PATH", paths.path_variable()?)
        .env("CHROMIUM", tools::chromium()?);
    pass_through(paths, &mut driver)
}
