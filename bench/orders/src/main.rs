//! The driver of `cargo xtask bench orders`. The program that it measures is built before it
//! starts, and PostgreSQL installed.

mod args;
mod shop;
mod questions;
mod postgres;
mod whole;
mod ask;
mod report;

use std::fs;
use std::io::{self, Write};

use anyhow::Result;

use crate::args::Options;

fn main() -> Result<()> {
    let options = Options::parse()?;
    let found = whole::measure(&options)?;
    let text = report::markdown(&found);
    fs::write(options.folder.join("orders.json"), serde_json::to_string_pretty(&found)?)?;
    fs::write(options.folder.join("orders.md"), &text)?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}
