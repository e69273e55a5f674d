//! What the parts say.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::ChildStdout;
use std::thread;

use serde_json::Value;

/// Reads the part's one JSON line, then goes on reading so that the part never waits for us.
pub fn hear(stdout: ChildStdout, announce: impl Fn(Value) + Send + 'static) {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Ok(line) = serde_json::from_str::<Value>(&line) {
                announce(line);
            }
        }
    });
}

/// The end of a log, with its name.
pub fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(20)..].join("\n");
    format!("{}:\n{shown}", log.display())
}
