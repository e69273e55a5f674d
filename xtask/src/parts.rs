//! Builds the parts: SDK, then the worker that embeds it; dashboard, then the aggregator that
//! embeds that.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::paths::Paths;
use crate::run::step;
use crate::stamp::Stamp;
use crate::tools;

/// Builds what has changed of the SDK, the worker, the dashboard and the aggregator.
pub fn build(paths: &Paths) -> Result<()> {
    build_sdk(paths)?;
    build_worker(paths)?;
    build_dashboard(paths)?;
    step(
        "build the aggregator",
        Command::new("cargo").args(["build", "--package", "aggregator"]).current_dir(&paths.root),
    )
}

/// `sdk-js/dist/`: the files that the worker serves.
pub fn build_sdk(paths: &Paths) -> Result<()> {
    let folder = paths.root.join("sdk-js");
    let dist = folder.join("dist");
    let inputs = ["src", "build.mjs", "package.json", "tsconfig.json"];
    let mut inputs = inputs.map(|name| folder.join(name)).to_vec();
    inputs.push(paths.root.join("package-lock.json"));
    let stamp = Stamp::of(dist.join(".stamp"), &inputs)?;
    let files = ["e.js", "e.full.js", "e.vitals.js", "e.debug.js", "e.datalayer.js"];
    if stamp.is_fresh() && files.iter().all(|file| dist.join(file).exists()) {
        return Ok(());
    }
    step(
        "build the SDK",
        Command::new("npm")
            .args(["run", "build"])
            .current_dir(&folder)
            .env("PATH", paths.path_variable()?),
    )?;
    for file in files {
        ensure!(dist.join(file).exists(), "the SDK's build made no dist/{file}");
    }
    stamp.write()
}

/// `aggregator/dashboard/dist/`: the page and its files, which the aggregator embeds.
pub fn build_dashboard(paths: &Paths) -> Result<()> {
    let folder = paths.root.join("aggregator/dashboard");
    let dist = folder.join("dist");
    let inputs = ["src", "build.mjs", "index.html", "package.json", "tsconfig.json"];
    let mut inputs = inputs.map(|name| folder.join(name)).to_vec();
    inputs.push(paths.root.join("package-lock.json"));
    let stamp = Stamp::of(dist.join(".stamp"), &inputs)?;
    let page = dist.join("index.html");
    if stamp.is_fresh() && page.exists() {
        return Ok(());
    }
    step(
        "build the dashboard",
        Command::new("npm")
            .args(["run", "build"])
            .current_dir(&folder)
            .env("PATH", paths.path_variable()?),
    )?;
    ensure!(page.exists(), "the dashboard's build made no dist/index.html");
    stamp.write()
}

/// `edge-worker/build/`: the worker as wrangler deploys it.
pub fn build_worker(paths: &Paths) -> Result<()> {
    let root = &paths.root;
    let inputs = [
        "edge-worker/src",
        "edge-worker/data",
        "edge-worker/Cargo.toml",
        "proto/src",
        "proto/data",
        "proto/Cargo.toml",
        "sdk-js/dist",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "package-lock.json",
    ];
    // Cargo is quick to see that nothing changed; wasm-opt would run again in any case.
    let output = root.join("edge-worker/build");
    let stamp = Stamp::of(output.join(".stamp"), &inputs.map(|name| root.join(name)))?;
    if stamp.is_fresh() && output.join("index.js").exists() && output.join("index_bg.wasm").exists()
    {
        return Ok(());
    }
    step(
        "build the worker",
        Command::new(paths.cargo_tool("worker-build"))
            .arg("--release")
            .current_dir(root.join("edge-worker"))
            .envs(tools::worker_build_env(paths)?),
    )?;
    shrink_module(paths)?;
    stamp.write()
}

/// The features that worker-build itself lets wasm-opt write: no more than workerd reads.
const WASM_FEATURES: [&str; 7] = [
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-reference-types",
    "--enable-exception-handling",
];

/// Makes the worker's module smaller: a second pass over what worker-build made, and out with what
/// nobody reads there, names of functions and of tools.
fn shrink_module(paths: &Paths) -> Result<()> {
    let module = paths.root.join("edge-worker/build/index_bg.wasm");
    step(
        "shrink the worker's module",
        Command::new(paths.node_bin().join("wasm-opt"))
            .args(WASM_FEATURES)
            .args(["-Os", "--strip-debug", "--strip-producers", "--strip-target-features"])
            .arg(&module)
            .arg("-o")
            .arg(&module)
            .env("PATH", paths.path_variable()?),
    )
}
