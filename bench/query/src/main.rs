//! The driver of `cargo xtask bench query`: a month of a shop in the engine, thirty queries of a
//! dashboard asked of its snapshot, and the same rows in databases, asked the same.

mod args;
mod shop;
mod engine;
mod questions;
mod tables;
mod report;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::args::Options;

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse()?;
    if options.is_alone {
        return Ok(writeln!(io::stdout(), "{}", engine::measure(&options)?)?);
    }
    let mut found = json!({"machine": report::machine(), "ours": apart()?});
    for name in ["duckdb", "clickhouse"].into_iter().filter(|_| !options.is_without_peers) {
        let peer = peer(name, &options)?;
        agrees(name, &found["ours"], &peer)?;
        found[name] = peer;
    }
    let text = report::markdown(&found);
    fs::write(options.folder.join("query.json"), serde_json::to_string_pretty(&found)?)?;
    fs::write(options.folder.join("query.md"), &text)?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Measures the engine in a process of its own, which has the same arguments.
fn apart() -> Result<Value> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let mut command = Command::new(env::current_exe()?);
    command.args(arguments).arg("--alone").stdout(Stdio::piped());
    let output = command.spawn()?.wait_with_output()?;
    ensure!(output.status.success(), "the engine failed");
    serde_json::from_slice(&output.stdout).context("what the engine found")
}

/// Asks a database.
fn peer(name: &str, options: &Options) -> Result<Value> {
    let output = Command::new(&options.python)
        .arg(options.scripts.join("run.py"))
        .args([name, &options.rounds.to_string()])
        .arg(&options.folder)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} does not start", options.python.display()))?
        .wait_with_output()?;
    ensure!(output.status.success(), "{name} failed");
    let text = String::from_utf8(output.stdout)?;
    serde_json::from_str(text.lines().last().unwrap_or_default()).context(name.to_owned())
}

/// How far an estimate may be off, as a part of the truth.
const OFF_MAX: f64 = 0.05;

/// Whether a database found as many rows, and the same sum of their first number.
fn agrees(name: &str, ours: &Value, theirs: &Value) -> Result<()> {
    let all = ours["questions"].as_array().context("no questions")?;
    for (at, question) in all.iter().enumerate() {
        let (found, other) = (&question["found"], &theirs["questions"][at]["found"]);
        let sum = |found: &Value| found[1].as_f64().context("no sum");
        let off = (sum(found)? - sum(other)?).abs();
        let may = if question["is_exact"] == true { 0.5 } else { OFF_MAX * sum(other)? };
        let is_same = found[0] == other[0] && off <= may;
        ensure!(is_same, "{}: {name} found {other}, not {found}", question["name"]);
    }
    Ok(())
}
