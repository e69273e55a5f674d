//! The same result, computed in one batch by databases on the same machine.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::args::Options;

/// Runs every database, each in a process of its own.
pub fn measure(options: &Options) -> Result<Value> {
    let mut found = serde_json::Map::new();
    for name in ["duckdb", "clickhouse"] {
        let output = Command::new(&options.python)
            .arg(options.scripts.join("run.py"))
            .arg(name)
            .arg(options.table())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", options.python.display()))?
            .wait_with_output()?;
        ensure!(output.status.success(), "{name} failed");
        let text = String::from_utf8(output.stdout)?;
        let last = text.lines().last().unwrap_or_default();
        found.insert(name.to_owned(), serde_json::from_str(last).context(name)?);
    }
    Ok(json!(found))
}

/// Whether the databases found what the program shows, where both ran.
pub fn agrees(found: &Value) -> Result<()> {
    let (Some(whole), Some(batch)) = (found.get("whole"), found.get("batch")) else {
        return Ok(());
    };
    for (name, of_database) in batch.as_object().context("no databases")? {
        for what in ["sessions", "orders"] {
            let (ours, theirs) = (&whole[what], &of_database[what]);
            ensure!(ours == theirs, "{what} of {name} are others:\n{theirs}\nthan ours:\n{ours}");
        }
    }
    Ok(())
}
