//! The driver of `cargo xtask bench sessions`. The program that it measures is built before it
//! starts; the databases that it is compared with are installed then as well.

mod args;
mod stream;
mod pack;
mod pure;
mod whole;
mod visible;
mod batch;
mod report;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::args::{Options, Part};

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse()?;
    if let Some(part) = options.alone {
        let found = alone(part, &options)?;
        return Ok(writeln!(io::stdout(), "{found}")?);
    }
    let mut found = serde_json::Map::new();
    found.insert("machine".to_owned(), report::machine());
    found.insert("stream".to_owned(), apart(Part::Stream)?);
    for part in [Part::Pure, Part::Memory, Part::Whole, Part::Batch] {
        if options.runs(part) {
            found.insert(part.name().to_owned(), apart(part)?);
        }
    }
    let found = json!(found);
    let text = report::markdown(&found);
    fs::write(options.folder.join("sessions.json"), serde_json::to_string_pretty(&found)?)?;
    fs::write(options.folder.join("sessions.md"), &text)?;
    io::stdout().write_all(text.as_bytes())?;
    batch::agrees(&found)
}

/// Measures one part in this process.
fn alone(part: Part, options: &Options) -> Result<Value> {
    match part {
        Part::Stream => pack::make(options),
        Part::Pure => pure::measure(options),
        Part::Memory => pure::memory(options),
        Part::Whole => whole::measure(options),
        Part::Batch => batch::measure(options),
    }
}

/// Measures one part in a process of its own, so that no part has the memory of another. It has
/// the same arguments.
fn apart(part: Part) -> Result<Value> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let mut command = Command::new(env::current_exe()?);
    command.args(arguments).args(["--alone", part.name()]).stdout(Stdio::piped());
    let output = command.spawn()?.wait_with_output()?;
    ensure!(output.status.success(), "the part {} failed", part.name());
    serde_json::from_slice(&output.stdout).context(part.name())
}
