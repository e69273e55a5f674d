//! The suites, with the time that each may take on two cores after an empty start.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::paths::Paths;
use crate::run::answer;
use crate::suites::counts::Counting;
use crate::tools;

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// What comes before the suites.
pub const PREPARATION: &str = "tools and parts";

// Minutes on two cores that have nothing else to do, after an empty start.
const BUDGETS: [(&str, u64); 13] = [
    (PREPARATION, 14),
    ("format", 1),
    ("clippy", 5),
    ("clippy on wasm32", 2),
    ("clippy on what is fuzzed", 1),
    ("licences and advisories", 1),
    ("unit tests", 12),
    ("proto on wasm32", 3),
    ("parts together", 12),
    ("SDK checks", 1),
    ("SDK size", 1),
    ("dashboard checks", 1),
    ("browser", 6),
];

// Together they stay within the hour that a run before a merge may take.
const _: () = {
    let (mut sum, mut index) = (0, 0);
    while index < BUDGETS.len() {
        sum += BUDGETS[index].1;
        index += 1;
    }
    assert!(sum <= 60);
};

/// How long a suite may take.
pub fn budget(name: &str) -> Duration {
    let minutes =
        BUDGETS.iter().find(|(known, _)| *known == name).map_or(0, |(_, minutes)| *minutes);
    Duration::from_mins(minutes)
}

/// One suite.
pub struct Suite {
    /// What it is called.
    pub name: &'static str,
    /// How its tests are counted.
    pub counting: Counting,
    /// What it does.
    pub work: Work,
}

/// What a suite does.
pub enum Work {
    /// Runs a program.
    Run(Program),
    /// Nothing here, for a reason that is nobody's fault.
    Skip(String),
    /// Nothing, because something is missing that must be there: a failure.
    Impossible(String),
}

/// A program with its arguments, folder and environment.
pub struct Program {
    words: Vec<OsString>,
    folder: PathBuf,
    env: Vec<(OsString, OsString)>,
}

impl Program {
    fn new(folder: &Path, line: &str) -> Self {
        let words = line.split_whitespace().map(OsString::from).collect();
        Self { words, folder: folder.to_path_buf(), env: Vec::new() }
    }

    fn arg(mut self, word: impl Into<OsString>) -> Self {
        self.words.push(word.into());
        self
    }

    fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The command that runs it.
    pub fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command.args(words).current_dir(&self.folder).envs(self.env.iter().cloned());
        command
    }
}

/// The environment in which tests start this very program, on the parts that are built already.
pub fn dev_env() -> Result<[(&'static str, OsString); 1]> {
    Ok([("EDGETALLY_XTASK", std::env::current_exe()?.into())])
}

/// All suites, in the order of what they build on.
pub fn suites(paths: &Paths) -> Result<Vec<Suite>> {
    let mut suites = lints(&paths.root);
    suites.extend(rust_tests(paths)?);
    suites.extend(script_tests(paths)?);
    Ok(suites)
}

fn lints(root: &Path) -> Vec<Suite> {
    let cargo = |name, line: &str| Suite {
        name,
        counting: Counting::AsOne,
        work: Work::Run(Program::new(root, line)),
    };
    let mut deny = cargo("licences and advisories", "cargo deny --all-features check");
    if answer(Command::new("cargo").args(["deny", "--version"])).is_none() {
        deny.work = Work::Skip("cargo-deny is not installed".into());
    }
    let wasm = format!(
        "cargo clippy -p edge-worker -p edgetally-proto --target {WASM_TARGET} -- -D warnings"
    );
    // The functions alone: the targets around them need what nightly brings.
    let fuzzed = "cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --lib \
        -- -D warnings";
    vec![
        cargo("format", "cargo fmt --all --check"),
        cargo("clippy", "cargo clippy --workspace --all-targets -- -D warnings"),
        cargo("clippy on wasm32", &wasm),
        cargo("clippy on what is fuzzed", fuzzed),
        deny,
    ]
}

fn rust_tests(paths: &Paths) -> Result<Vec<Suite>> {
    let cargo = |line: &str| Program::new(&paths.root, line);
    let native = cargo("cargo test --workspace --exclude edgetally-tests --no-fail-fast");
    let runner = paths.cargo_tool("wasm-bindgen-test-runner");
    let wasm = cargo("cargo test -p edgetally-proto --no-fail-fast --target")
        .arg(WASM_TARGET)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
        .env("PATH", paths.path_variable()?);
    let [(variable, xtask)] = dev_env()?;
    let together = cargo("cargo test -p edgetally-tests --no-fail-fast").env(variable, xtask);
    let all = [("unit tests", native), ("proto on wasm32", wasm), ("parts together", together)];
    let suite =
        |(name, program)| Suite { name, counting: Counting::Libtest, work: Work::Run(program) };
    Ok(all.map(suite).into())
}

fn script_tests(paths: &Paths) -> Result<Vec<Suite>> {
    let check = |name, folder, line| -> Result<Suite> {
        let folder = paths.root.join(folder);
        let program = Program::new(&folder, line).env("PATH", paths.path_variable()?);
        Ok(Suite { name, counting: Counting::AsOne, work: Work::Run(program) })
    };
    Ok(vec![
        check("SDK checks", "sdk-js", "npm run check")?,
        check("SDK size", "sdk-js", "npm run size")?,
        check("dashboard checks", "aggregator/dashboard", "npm run check")?,
        browser_tests(paths)?,
    ])
}

fn browser_tests(paths: &Paths) -> Result<Suite> {
    let folders = ["aggregator/dashboard/test", "tests/browser"];
    let folders = folders.map(|folder| paths.root.join(folder));
    let files = folders.iter().flat_map(|folder| files_named(folder, ".test.mjs")).collect();
    Ok(Suite { name: "browser", counting: Counting::Tap, work: in_browser(paths, files)? })
}

/// The tests that take an hour, in a browser.
pub fn browser_soak(paths: &Paths) -> Result<Work> {
    in_browser(paths, files_named(&paths.root.join("tests/browser"), ".soak.mjs"))
}

fn in_browser(paths: &Paths, files: Vec<PathBuf>) -> Result<Work> {
    let work = if files.is_empty() {
        Work::Impossible("there is no browser test".into())
    } else {
        match tools::chromium() {
            Err(error) => Work::Impossible(format!("{error:#}")),
            Ok(chromium) => {
                let [(variable, xtask)] = dev_env()?;
                let mut program = Program::new(&paths.root, "")
                    .arg(paths.node())
                    .arg("--test")
                    .arg("--test-reporter=tap")
                    // Browsers on two cores: one file at a time keeps their clocks honest.
                    .arg("--test-concurrency=1")
                    .env("PATH", paths.path_variable()?)
                    .env("CHROMIUM", chromium)
                    .env(variable, xtask);
                program.words.extend(files.into_iter().map(OsString::from));
                Work::Run(program)
            }
        }
    };
    Ok(work)
}

fn files_named(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.as_os_str().to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}
