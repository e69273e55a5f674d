//! `edgetally reconcile` and `edgetally rebuild`: orders against payments, statistics against
//! orders.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::client::Target;
use super::{end, say};

/// How often a job is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What to compare with what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site.
    #[arg(long)]
    site: String,
    /// The first local date or instant.
    #[arg(long)]
    from: String,
    /// The last local date, or the first instant after.
    #[arg(long)]
    to: String,
    /// Of one order platform only.
    #[arg(long)]
    platform: Option<String>,
    /// The database of payments, `postgres://...`, as the aggregator reaches it. Better in the
    /// environment than on the line.
    #[arg(long, env = "EDGETALLY_PAYMENTS", hide_env_values = true, conflicts_with = "csv")]
    postgres: Option<String>,
    /// Its table or view.
    #[arg(long, default_value = "payments")]
    table: String,
    /// Payments in a file with the columns `order_id, amount, status, created_at`.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The rows that do not match as CSV into this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Compares: 0 if everything matches, 1 if not.
pub fn run(args: &Args) -> ExitCode {
    match compare(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> io::Result<bool> {
    let csv = args.csv.as_ref().map(fs::read_to_string).transpose()?;
    let asked = json!({
        "site": args.site, "from": args.from, "to": args.to, "platform": args.platform,
        "postgres": if csv.is_some() { None } else { args.postgres.clone() },
        "table": args.table, "csv": csv,
        "format": if args.out.is_some() { "json+csv" } else { "json" },
    });
    let answer = args.target.json("POST", "/v1/reconcile", Some(&asked));
    let mut report = answer.map_err(io::Error::other)?;
    if let Some(out) = &args.out {
        let rows = report.as_object_mut().and_then(|members| members.remove("csv"));
        let rows = rows.and_then(|rows| rows.as_str().map(str::to_owned));
        let rows = rows.ok_or_else(|| io::Error::other("the answer has no rows as CSV"))?;
        fs::write(out, rows)?;
    }
    say(&report.to_string())?;
    let is_none = |name: &str| report[name].as_u64() == Some(0);
    let is_readable = report["unreadable"].as_array().is_some_and(Vec::is_empty);
    Ok(["missing_here", "missing_there", "different"].into_iter().all(is_none) && is_readable)
}

/// Which days.
#[derive(Debug, clap::Args)]
pub struct RebuildArgs {
    /// The site.
    #[arg(long)]
    site: String,
    /// The first local date; without both ends the days that changed.
    #[arg(long)]
    from: Option<String>,
    /// The last local date.
    #[arg(long)]
    to: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Rebuilds daily statistics: 0 if all of it is done, 1 if not.
pub fn rebuild(args: &RebuildArgs) -> ExitCode {
    end(wait_for_job(args))
}

fn wait_for_job(args: &RebuildArgs) -> io::Result<Value> {
    let ask = |method: &str, path: &str, body: Option<&Value>| {
        args.target.json(method, path, body).map_err(io::Error::other)
    };
    let asked = json!({"site": args.site, "from": args.from, "to": args.to});
    let started = ask("POST", "/v1/orders/rebuild", Some(&asked))?;
    let path = format!("/v1/jobs/{}", started["job"].as_str().unwrap_or_default());
    let progress = ProgressBar::new(0);
    loop {
        let job = ask("GET", &path, None)?;
        progress.set_length(job["days_total"].as_u64().unwrap_or_default());
        progress.set_position(job["days_done"].as_u64().unwrap_or_default());
        match job["state"].as_str() {
            Some("done") => {
                progress.finish_and_clear();
                return Ok(job);
            }
            Some("failed") => {
                return Err(io::Error::other(
                    job["error"].as_str().unwrap_or("it failed").to_owned(),
                ));
            }
            _ => thread::sleep(LOOK_EVERY),
        }
    }
}
