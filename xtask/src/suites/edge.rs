//! `cargo xtask bench edge`: builds what is compared, then hands over to the driver.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use super::pass_through;
use crate::paths::Paths;
use crate::run::step;
use crate::{parts, stop, tools};

const WASM_TARGET: &str = "wasm32-unknown-unknown";
const PATH_MODULE: &str = "edgetally_bench_path.wasm";

/// Builds the worker as it is deployed and the pure path as a module of its own, lets Criterion
/// measure the native path, and runs the driver, which prints the report.
pub fn bench_edge(paths: &Paths, options: &[OsString]) -> Result<ExitCode> {
    stop::watch_signals()?;
    tools::install(paths)?;
    parts::build_sdk(paths)?;
    parts::build_worker(paths)?;
    build_pure_path(paths)?;
    step(
        "build the driver",
        cargo(paths).args(["build", "--release", "--package", "edgetally-bench"]),
    )?;
    if wants(options, "pure") {
        step(
            "measure the native path (Criterion)",
            cargo(paths)
                .args(["bench", "--package", "edge-worker", "--bench", "collect", "--"])
                .args(["--warm-up-time", "1", "--measurement-time", "3"]),
        )?;
    }
    let mut driver = Command::new(paths.target.join("release/edgetally-bench"));
    driver.arg("--root").arg(&paths.root).arg("--target").arg(&paths.target).args(options);
    pass_through(paths, &mut driver)
}

fn cargo(paths: &Paths) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&paths.root);
    command
}

/// Whether a part of the benchmark runs: all do unless some are named.
fn wants(options: &[OsString], part: &str) -> bool {
    let is_choice = |pair: &[OsString]| pair.first().is_some_and(|word| word == "--only");
    let mut chosen = options.windows(2).filter(|pair| is_choice(pair)).peekable();
    chosen.peek().is_none() || chosen.any(|pair| pair.get(1).is_some_and(|word| word == part))
}

/// `target/bench/pure/`: made by the same tools with the same settings as the worker.
fn build_pure_path(paths: &Paths) -> Result<()> {
    let package = ["--package", "edgetally-bench-path", "--target", WASM_TARGET];
    step("build the pure path", cargo(paths).args(["build", "--release"]).args(package))?;
    let folder = paths.target.join("bench/pure");
    step(
        "bind the pure path",
        Command::new(paths.cargo_tool("wasm-bindgen"))
            .args(["--target", "web", "--no-typescript", "--out-name", "pure", "--out-dir"])
            .arg(&folder)
            .arg(paths.target.join(WASM_TARGET).join("release").join(PATH_MODULE)),
    )?;
    let module = folder.join("pure_bg.wasm");
    step(
        "optimise the pure path",
        Command::new(paths.node_bin().join("wasm-opt"))
            .arg("-O")
            .args(["--enable-bulk-memory", "--enable-nontrapping-float-to-int"])
            .args(["--enable-sign-ext", "--enable-mutable-globals", "--enable-multivalue"])
            .args(["--enable-reference-types", "--debuginfo"])
            .arg(&module)
            .arg("-o")
            .arg(&module)
            .env("PATH", paths.path_variable()?),
    )
}
