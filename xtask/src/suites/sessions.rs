//! `cargo xtask bench sessions`, `bench query` and `bench orders`: builds the program and installs
//! the databases that it is compared with, then hands over to the driver.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use super::pass_through;
use crate::paths::Paths;
use crate::run::step;
use crate::{stop, tools};

/// What pip installs.
const DATABASES: [&str; 2] = ["duckdb==2.0.0", "chdb==4.4.0"];

/// Builds, installs, and runs the driver, which prints the report.
pub fn bench_sessions(paths: &Paths, options: &[OsString]) -> Result<ExitCode> {
    bench(paths, "edgetally-bench-sessions", options)
}

/// The same for queries.
pub fn bench_query(paths: &Paths, options: &[OsString]) -> Result<ExitCode> {
    bench(paths, "edgetally-bench-query", options)
}

/// The same for orders.
pub fn bench_orders(paths: &Paths, options: &[OsString]) -> Result<ExitCode> {
    stop::watch_signals()?;
    tools::postgres()?;
    drive(paths, "edgetally-bench-orders", options)
}

fn bench(paths: &Paths, name: &str, options: &[OsString]) -> Result<ExitCode> {
    stop::watch_signals()?;
    install_databases(paths)?;
    drive(paths, name, options)
}

fn drive(paths: &Paths, name: &str, options: &[OsString]) -> Result<ExitCode> {
    let packages = ["--package", "aggregator", "--package", name];
    step(
        "build the program and the driver",
        Command::new("cargo")
            .args(["build", "--release", "--bins"])
            .args(packages)
            .current_dir(&paths.root),
    )?;
    let mut driver = Command::new(paths.target.join("release").join(name));
    driver.arg("--root").arg(&paths.root).arg("--target").arg(&paths.target).args(options);
    pass_through(paths, &mut driver)
}

/// Into `.tools/python`, once for each version.
fn install_databases(paths: &Paths) -> Result<()> {
    let folder = paths.tools().join("python");
    let (stamp, wanted) = (folder.join(".installed"), DATABASES.join(" "));
    if fs::read_to_string(&stamp).is_ok_and(|kept| kept == wanted) {
        return Ok(());
    }
    step("make a Python environment", Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    step(
        "install DuckDB and ClickHouse's engine (pip)",
        Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "-q"])
            .args(DATABASES),
    )?;
    fs::write(&stamp, wanted).context(".tools/python/.installed")
}
