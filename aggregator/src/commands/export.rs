//! `edgetally export`: a list of a running aggregator as a file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use super::client::Target;

/// Which list.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Sessions,
    Orders,
    Daily,
    Rejects,
    Timeseries,
}

/// In what form.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    Csv,
    Ndjson,
    Parquet,
}

/// How long a row of a time series is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Length {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// What to export, and to where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which list.
    what: What,
    /// The site.
    #[arg(long)]
    site: String,
    /// The first local date or instant.
    #[arg(long)]
    from: Option<String>,
    /// The last local date, or the first instant after.
    #[arg(long)]
    to: Option<String>,
    /// In what form.
    #[arg(long, value_enum, default_value = "csv")]
    format: Form,
    /// Of time series: how long a row is.
    #[arg(long, value_enum)]
    interval: Option<Length>,
    /// The file; without it the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The route with its parameters.
fn path(args: &Args) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("site", &args.site).append_pair("format", &name(&args.format));
    let interval = args.interval.as_ref().map(name);
    let rest = [("from", &args.from), ("to", &args.to), ("interval", &interval)];
    for (name, value) in rest {
        value.as_ref().map(|value| query.append_pair(name, value));
    }
    format!("/v1/export/{}?{}", name(&args.what), query.finish())
}

/// Runs the command: 0 if the file is whole, 1 if not.
pub fn run(args: &Args) -> ExitCode {
    let fetched = args.target.ask("GET", &path(args), None).map_err(io::Error::other);
    let written = fetched.and_then(|answer| match &args.out {
        Some(path) => fetch(answer, path),
        None => io::copy(&mut { answer }, &mut io::stdout().lock()),
    });
    match written {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes an answer into a file, which is there only when it is whole.
///
/// # Errors
/// If the answer breaks off, or the disk refuses.
pub(super) fn fetch(mut answer: impl Read, path: &Path) -> io::Result<u64> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let draft = path.with_file_name(name);
    let copied = copy(&mut answer, &draft);
    match &copied {
        Ok(_) => fs::rename(&draft, path)?,
        // The part may not even have been begun.
        Err(_) => drop(fs::remove_file(&draft)),
    }
    copied
}

fn copy(answer: &mut impl Read, draft: &Path) -> io::Result<u64> {
    let progress = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} ({bytes_per_sec})") {
        progress.set_style(style);
    }
    let mut file = progress.wrap_write(File::create(draft)?);
    let bytes = io::copy(answer, &mut file)?;
    file.flush()?;
    progress.finish_and_clear();
    File::open(draft)?.sync_all()?;
    Ok(bytes)
}
