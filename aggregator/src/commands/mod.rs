//! What the program does beside serving: asking a running one, and looking after a data folder.

pub mod backup;
pub mod client;
pub mod doctor;
pub mod export;
pub mod keys;
pub mod load;
pub mod reconcile;

use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::Value;

/// A command that was given wrongly.
pub const USAGE: u8 = 2;

/// Prints what a command has to say, to whoever reads it.
fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}

/// Prints what was done as JSON, or logs why it was not.
fn end<E: std::fmt::Display>(done: Result<Value, E>) -> ExitCode {
    let told = done.map(|done| if done.is_null() { Ok(()) } else { say(&done.to_string()) });
    match told {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "commands are where time enters")]
fn now_ms() -> i64 {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
