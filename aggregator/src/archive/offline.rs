//! What the commands share that work on an archive and on a data folder nothing else uses.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::bucket::{Bucket, BucketError};
use crate::config::MEMORY;
use crate::store::engine::{Engine, Stage};
use crate::store::recover::Layout;
use crate::store::writer;

/// Opens archive and state, works, closes the state and prints what was done as JSON.
///
/// Exit code 0 if all went well and the outcome `is_whole`, 1 if not, 2 if there is no such
/// archive.
pub(super) fn run<T: Serialize>(
    from: &str,
    data: &Path,
    work: impl FnOnce(&Engine, &dyn Bucket) -> Result<T, BucketError>,
    is_whole: impl FnOnce(&T) -> bool,
) -> ExitCode {
    let secret = std::env::var("EDGETALLY_EDGE_SECRET").ok();
    let bucket = match super::open(from, secret.as_deref()) {
        Ok(bucket) => bucket,
        Err(error) => {
            tracing::error!("--from: {error}");
            return ExitCode::from(2);
        }
    };
    let (engine, thread) = match writer::start(Layout::below(data).within(Some(MEMORY))) {
        Ok(started) => started,
        Err(error) => {
            tracing::error!(%error, "the state cannot be opened");
            return ExitCode::FAILURE;
        }
    };
    let outcome = wait_ready(&engine).and_then(|()| work(&engine, bucket.as_ref()));
    engine.stop();
    if let Err(error) = thread.join().unwrap_or(Err(writer::WriterError::Saver)) {
        tracing::error!("{error}");
        return ExitCode::FAILURE;
    }
    match outcome {
        Ok(done) if is_whole(&done) => say(&done),
        Ok(done) => {
            say(&done);
            ExitCode::FAILURE
        }
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a command did.
fn say(done: &impl Serialize) -> ExitCode {
    let text = serde_json::to_string(done).unwrap_or_default();
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn wait_ready(engine: &Engine) -> Result<(), BucketError> {
    loop {
        match engine.shared.stage() {
            Stage::Ready => return Ok(()),
            Stage::Recovering => std::thread::sleep(Duration::from_millis(5)),
            Stage::Stopped => return Err(BucketError("the state is not back".to_owned())),
        }
    }
}
