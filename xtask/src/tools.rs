//! Installs what a fresh machine lacks, into the project alone.
//!
//! Given are rustup, cargo, Node with npm and a C compiler. Everything else is put into `.tools/`
//! and `node_modules/`, once.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::run::{answer, step};
use crate::stamp::Stamp;

// Of the same minor version as the `worker` crate, as worker-build itself demands.
const WORKER_BUILD: &str = "0.8.7";
const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Installs all tools that building and running need.
pub fn install(paths: &Paths) -> Result<()> {
    install_wasm_target()?;
    // npm waits for the network and cargo for the processor: together they take no longer than one.
    thread::scope(|scope| {
        let node = scope.spawn(|| install_node_tools(paths));
        let cargo = install_cargo_tools(paths);
        let node = node.join().map_err(|_| anyhow::anyhow!("the installation of npm stopped"))?;
        cargo.and(node)
    })
}

/// Installs what only tests need: schemathesis, where there is a Python for it.
pub fn install_for_tests(paths: &Paths) -> Result<()> {
    let folder = paths.tools().join("schemathesis");
    let wanted = paths.root.join("xtask/schemathesis.txt");
    let stamp = Stamp::of(folder.join(".installed"), std::slice::from_ref(&wanted))?;
    if stamp.is_fresh() {
        return Ok(());
    }
    if answer(Command::new("python3").arg("--version")).is_none() {
        bail!("python3 is missing: tests of the HTTP interface need Python 3.10 with venv");
    }
    step("make a Python environment", Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    step(
        "install schemathesis (pip)",
        Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "-q", "--no-deps", "-r"])
            .arg(&wanted),
    )?;
    stamp.write()
}

fn install_wasm_target() -> Result<()> {
    let sysroot = answer(Command::new("rustc").args(["--print", "sysroot"]))
        .context("rustc is missing: install Rust with rustup, https://rustup.rs")?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET);
    if library.exists() {
        return Ok(());
    }
    step("install the wasm32 target", Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

fn install_node_tools(paths: &Paths) -> Result<()> {
    let lock = [paths.root.join("package.json"), paths.root.join("package-lock.json")];
    let stamp = Stamp::of(paths.root.join("node_modules/.installed"), &lock)?;
    if stamp.is_fresh() && paths.node().exists() {
        return Ok(());
    }
    if answer(Command::new("npm").arg("--version")).is_none() {
        bail!("npm is missing: install Node 20 or newer with npm, https://nodejs.org");
    }
    step(
        "install Node 22, wrangler, esbuild, TypeScript, binaryen (npm)",
        Command::new("npm").arg("ci").current_dir(&paths.root),
    )?;
    stamp.write()
}

fn install_cargo_tools(paths: &Paths) -> Result<()> {
    let lock = fs::read_to_string(paths.root.join("Cargo.lock")).context("Cargo.lock")?;
    let bindgen = locked_version(&lock, "wasm-bindgen")
        .context("Cargo.lock names no wasm-bindgen: the worker cannot be built")?;
    let mut built = false;
    // worker-build brings a lock file that resolves. That of wasm-bindgen-cli names a release that
    // its registry has taken back, so it is resolved afresh.
    for (name, version, flags) in [
        ("wasm-bindgen-cli", bindgen, &["--no-default-features"][..]),
        ("worker-build", WORKER_BUILD, &["--locked"]),
    ] {
        if is_installed(paths, name, version) {
            continue;
        }
        built = true;
        step(
            &format!("install {name} {version} (cargo)"),
            &mut cargo_install(paths, name, version, flags),
        )?;
    }
    if built {
        // Nearly a gigabyte that only a change of versions would use again.
        fs::remove_dir_all(paths.tools().join("build")).context(".tools/build")?;
    }
    Ok(())
}

fn cargo_install(paths: &Paths, name: &str, version: &str, flags: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["install", name, "--version", version, "--root"])
        .arg(paths.tools())
        .args(flags)
        .current_dir(&paths.root)
        // One folder for both: they share many crates.
        .env("CARGO_TARGET_DIR", paths.tools().join("build"))
        // They work for seconds a day; half the time to build them is worth more than their speed.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    command
}

fn is_installed(paths: &Paths, name: &str, version: &str) -> bool {
    fs::read_to_string(paths.tools().join(".crates.toml"))
        .is_ok_and(|list| list.contains(&format!("\"{name} {version} (")))
}

/// The version of a package in the text of a Cargo.lock.
fn locked_version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let start = lock.find(&entry)? + entry.len();
    lock[start..].split('"').next()
}

/// The environment in which worker-build uses our tools instead of downloading its own.
pub fn worker_build_env(paths: &Paths) -> Result<Vec<(&'static str, std::ffi::OsString)>> {
    Ok(vec![
        ("WASM_BINDGEN_BIN", paths.cargo_tool("wasm-bindgen").into()),
        ("WASM_OPT_BIN", paths.node_bin().join("wasm-opt").into()),
        ("ESBUILD_BIN", paths.node_bin().join("esbuild").into()),
        ("PATH", paths.path_variable()?),
    ])
}

/// Finds Chromium for the browser tests; installs it where that is permitted.
///
/// # Errors
/// One line that says what is missing.
pub fn chromium() -> Result<PathBuf> {
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    install_package("Chromium", "chromium")?;
    find_chromium().context(
        "Chromium is missing: install it through the system's packages, or name it in CHROMIUM",
    )
}

/// Installs a package of the system where that is permitted; elsewhere nothing happens.
fn install_package(name: &str, package: &str) -> Result<()> {
    let has_apt = answer(Command::new("apt-get").arg("--version")).is_some();
    if !has_apt || !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    step("apt-get update", Command::new("apt-get").args(["update", "-q"]))?;
    let install = ["install", "-q", "-y", "--no-install-recommends", package];
    step(
        &format!("install {name} (apt-get)"),
        Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// Sees to it that the tests find a PostgreSQL server to start; installs one where that is
/// permitted.
///
/// # Errors
/// One line that says what is missing.
pub fn postgres() -> Result<()> {
    if has_postgres() {
        return Ok(());
    }
    install_package("PostgreSQL", "postgresql")?;
    if has_postgres() {
        return Ok(());
    }
    anyhow::bail!("PostgreSQL is missing: install the package postgresql (15 or newer)")
}

fn has_postgres() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin/initdb")).any(|path| path.is_file())
}

fn find_chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named)).filter(|path| path.exists());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let search = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&search)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.exists());
    on_path.or_else(|| {
        let mac = Path::new("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
        mac.exists().then(|| mac.to_path_buf())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_tells_the_version_of_exactly_the_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"9.9.9\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
