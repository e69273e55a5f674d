//! `cargo xtask test | soak | bench`: every suite, its budget, and how many tests passed.

mod counts;
mod list;
mod fuzz;
mod edge;
mod sdk;
mod sessions;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;

pub use edge::bench_edge;
pub use sdk::bench_sdk;
pub use sessions::{bench_orders, bench_query, bench_sessions};

use crate::paths::Paths;
use crate::suites::counts::Counts;
use crate::suites::list::{Suite, Work};
use crate::{parts, run, stop, tools};

/// Runs every suite, whatever the others say. The last line is `N passed, N failed`.
pub fn test(paths: &Paths) -> Result<ExitCode> {
    stop::watch_signals()?;
    let started = Instant::now();
    let mut total = prepare(paths)?;
    let mut failures = Vec::new();
    for suite in list::suites(paths)? {
        total += run_suite(&suite, &mut failures)?;
    }
    let elapsed = started.elapsed();
    run::say_out(&format!("\nall suites: {}", clock(elapsed)))?;
    // What failed is told again where a reader looks first.
    for failure in failures {
        run::say_out(&failure)?;
    }
    run::say_out(&format!("{} passed, {} failed", total.passed, total.failed))?;
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests at full length, optimised, an hour of the live page, then the fuzz targets.
pub fn soak(paths: &Paths) -> Result<ExitCode> {
    stop::watch_signals()?;
    tools::install(paths)?;
    tools::install_for_tests(paths)?;
    tools::postgres()?;
    parts::build(paths)?;
    let mut command = Command::new("cargo");
    command
        .args(["test", "--release", "--workspace", "--no-fail-fast"])
        .envs(list::dev_env()?)
        .env("EDGETALLY_SOAK", "1");
    let tested = pass_through(paths, &mut command)?;
    let watched = soak_browser(paths)?;
    let sound = fuzz::run(paths)? && watched;
    Ok(if sound { tested } else { ExitCode::FAILURE })
}

fn soak_browser(paths: &Paths) -> Result<bool> {
    match list::browser_soak(paths)? {
        Work::Run(work) => run::stream(&mut work.command(), |line| {
            let _ = run::say_out(line);
        }),
        Work::Skip(why) | Work::Impossible(why) => run::say_out(&why).map(|()| false),
    }
}

/// Runs the benchmarks.
pub fn bench(paths: &Paths) -> Result<ExitCode> {
    stop::watch_signals()?;
    pass_through(paths, Command::new("cargo").args(["bench", "--workspace"]))
}

// A machine that cannot build still runs what can run, so that every failure is seen at once.
fn prepare(paths: &Paths) -> Result<Counts> {
    head(list::PREPARATION)?;
    let started = Instant::now();
    let result = tools::install(paths)
        .and_then(|()| tools::install_for_tests(paths))
        .and_then(|()| parts::build(paths))
        .and_then(|()| tools::postgres());
    stop::check()?;
    let counts = Counts::of_one(result.is_ok());
    if let Err(error) = result {
        run::say_out(&format!("{error:#}"))?;
    }
    foot(list::PREPARATION, counts, started.elapsed())?;
    Ok(counts)
}

/// Runs a suite; what failed is added to `failures`, a line each.
fn run_suite(suite: &Suite, failures: &mut Vec<String>) -> Result<Counts> {
    let work = match &suite.work {
        Work::Run(work) => work,
        Work::Skip(why) => {
            run::say_out(&format!("\n== {}: skipped, {why}", suite.name))?;
            return Ok(Counts::default());
        }
        Work::Impossible(why) => {
            head(suite.name)?;
            run::say_out(why)?;
            failures.push(format!("{}: {why}", suite.name));
            foot(suite.name, Counts::of_one(false), Duration::ZERO)?;
            return Ok(Counts::of_one(false));
        }
    };
    head(suite.name)?;
    let started = Instant::now();
    let mut found = Counts::default();
    let fine = run::stream(&mut work.command(), |line| {
        found += suite.counting.of_line(line);
        if let Some(failure) = suite.counting.failure_of_line(line) {
            failures.push(format!("{}: {failure}", suite.name));
        }
        // A closed stdout ends the run at the next line of our own.
        let _ = run::say_out(line);
    })?;
    let counts = suite.counting.settle(found, fine);
    if counts.failed > found.failed {
        failures.push(format!("{}: failed", suite.name));
    }
    foot(suite.name, counts, started.elapsed())?;
    Ok(counts)
}

fn head(name: &str) -> Result<()> {
    run::say_out(&format!("\n== {name} (budget {})", clock(list::budget(name))))
}

fn foot(name: &str, counts: Counts, elapsed: Duration) -> Result<()> {
    let Counts { passed, failed } = counts;
    let over = if elapsed > list::budget(name) { ", OVER BUDGET" } else { "" };
    run::say_out(&format!("-- {passed} passed, {failed} failed in {}{over}", clock(elapsed)))
}

fn pass_through(paths: &Paths, command: &mut Command) -> Result<ExitCode> {
    let fine = run::stream(command.current_dir(&paths.root), |line| {
        let _ = run::say_out(line);
    })?;
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}
