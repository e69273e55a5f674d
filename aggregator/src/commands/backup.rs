//! `edgetally backup` and `edgetally restore`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::Target;
use super::export::fetch;
use super::{end, now_ms};
use crate::store::{backup, snapshot};

/// Where the backup goes.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// Fetches the backup into this file and removes it from the aggregator's data folder;
    /// without it the file stays there, below `backups/`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Takes a backup of a running aggregator: 0 if it is whole, 1 if not.
pub fn back_up(args: &BackupArgs) -> ExitCode {
    end(take(args))
}

fn take(args: &BackupArgs) -> io::Result<Value> {
    let ask =
        |method: &str, path: &str| args.target.json(method, path, None).map_err(io::Error::other);
    let made = ask("POST", "/v1/backup")?;
    let Some(out) = &args.out else { return Ok(made) };
    let path = format!("/v1/backups/{}", made["name"].as_str().unwrap_or_default());
    let bytes = fetch(args.target.ask("GET", &path, None).map_err(io::Error::other)?, out)?;
    snapshot::verify(out).map_err(io::Error::other)?;
    ask("DELETE", &path)?;
    Ok(json!({"path": out.display().to_string(), "bytes": bytes, "taken_at": made["taken_at"]}))
}

/// Which backup, and where to.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The backup, or the `snapshot.bin` of a data folder.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The data folder, which must be empty or not there.
    #[arg(long, value_name = "DIR", env = "EDGETALLY_DATA", default_value = "data")]
    data: PathBuf,
}

/// Makes a data folder of a backup: 0 if it is whole, 1 if there is none afterwards.
pub fn restore(args: &RestoreArgs) -> ExitCode {
    end(bring_back(&args.from, &args.data))
}

fn bring_back(from: &Path, data: &Path) -> io::Result<Value> {
    let position = backup::restore(from, data, now_ms()).map_err(io::Error::other)?;
    Ok(json!({"data": data.display().to_string(), "segment": position.segment}))
}
