//! The fuzz targets, run for a bounded time each. They need nightly and cargo-fuzz.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::run::{self, answer};

const TARGETS: [&str; 3] = ["request", "compat", "frame"];
const SECONDS: u64 = 30 * 60;
// Larger inputs only repeat what smaller ones do, and take their time.
const BYTES_MAX: u32 = 16 * 1024;

/// Fuzzes each target for `EDGETALLY_FUZZ_SECONDS`, half an hour by default; says whether all of
/// them are sound.
pub fn run(paths: &Paths) -> Result<bool> {
    if answer(Command::new("cargo").args(["+nightly", "fuzz", "--version"])).is_none() {
        run::say_out("\n== fuzzing: skipped, the nightly toolchain or cargo-fuzz is missing")?;
        return Ok(true);
    }
    let seconds = match env::var("EDGETALLY_FUZZ_SECONDS") {
        Ok(text) => text.parse().context("EDGETALLY_FUZZ_SECONDS is no number of seconds")?,
        Err(_) => SECONDS,
    };
    let mut sound = true;
    for target in TARGETS {
        run::say_out(&format!("\n== fuzzing {target} for {seconds} s"))?;
        sound &= fuzz(paths, target, seconds)?;
    }
    Ok(sound)
}

fn fuzz(paths: &Paths, target: &str, seconds: u64) -> Result<bool> {
    // What is learned stays here; the seeds in the tree are only read.
    let learned = paths.target.join("fuzz-corpus").join(target);
    fs::create_dir_all(&learned).with_context(|| learned.display().to_string())?;
    let folders: [OsString; 2] =
        [learned.into(), paths.root.join("fuzz/corpus").join(target).into()];
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", "run", target]).args(folders).arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={BYTES_MAX}"),
        "-print_final_stats=1".to_owned(),
    ]);
    run::stream(command.current_dir(&paths.root), |line| {
        // A line for every new input would bury the findings.
        if !line.starts_with('#') {
            let _ = run::say_out(line);
        }
    })
}
