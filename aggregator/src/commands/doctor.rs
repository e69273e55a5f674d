//! `edgetally doctor`: looks at everything that serving needs, and says what to do.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::{USAGE, now_ms, say};
use crate::checkpoint::Position;
use crate::config::Config;
use crate::store::recover::Layout;
use crate::store::{log, room, snapshot};

/// Secrets shorter than this are guessed.
const SECRET_BYTES_MIN: usize = 16;
/// Less than this on the disk is a matter of days.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Signed requests are refused beyond five minutes; events are dated wrongly long before.
const CLOCK_MS_MAX: i64 = 5_000;
/// Nothing was built before 2026.
const EARLIEST_MS: i64 = 1_767_225_600_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file of `serve`.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Does not read the log and the snapshot from end to end.
    #[arg(long)]
    quick: bool,
}

/// What was found of one thing.
enum Finding {
    Good(String),
    /// It works, but not for long, or not well.
    Doubt(String),
    /// It does not work: what is wrong, and what to do.
    Bad(String),
}

use Finding::{Bad, Doubt, Good};

/// Looks at everything: 0 if serving would work, 1 if something is wrong, 2 if the configuration
/// cannot be read.
pub fn run(args: &Args) -> ExitCode {
    let text = args.config.as_ref().map(fs::read_to_string).transpose();
    let text = text.map_err(|error| format!("the file cannot be read: {error}"));
    let environment = |name: &str| std::env::var(name).ok();
    let config = text.and_then(|text| {
        Config::read(text.as_deref(), environment).map_err(|error| error.to_string())
    });
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            // Whoever closed the output sees the exit code.
            let _ = tell("configuration", &Bad(error));
            return ExitCode::from(USAGE);
        }
    };
    let mut is_well = true;
    for (name, finding) in examine(&config, args.quick) {
        is_well &= !matches!(finding, Bad(_));
        if tell(name, &finding).is_err() {
            return ExitCode::FAILURE;
        }
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(name: &str, finding: &Finding) -> io::Result<()> {
    let (mark, text) = match finding {
        Good(text) => ("ok  ", text),
        Doubt(text) => ("warn", text),
        Bad(text) => ("FAIL", text),
    };
    say(&format!("{mark} {name}: {text}"))
}

fn examine(config: &Config, is_quick: bool) -> Vec<(&'static str, Finding)> {
    let is_running = is_locked(&Layout::below(&config.data).lock);
    let mut findings = vec![
        ("configuration", Good("read".to_owned())),
        ("secrets", secrets(config)),
        ("clock", clock(now_ms())),
        ("data folder", data(config, is_running)),
        ("disk", disk(&config.data)),
        ("address", address(config, is_running)),
        ("worker", worker(config)),
    ];
    if !is_quick {
        findings.push(("snapshot", kept_snapshot(config)));
        findings.push(("log", kept_log(config, is_running)));
    }
    findings
}

fn secrets(config: &Config) -> Finding {
    let is_short = |secret: &String| secret.len() < SECRET_BYTES_MIN;
    if is_short(&config.edge_secret) {
        return Doubt(format!(
            "EDGETALLY_EDGE_SECRET is shorter than {SECRET_BYTES_MIN} bytes: take a random one"
        ));
    }
    match &config.admin_key {
        None => Doubt("EDGETALLY_ADMIN_KEY is not set: only admin keys made before work".into()),
        Some(key) if is_short(key) => Doubt(format!(
            "EDGETALLY_ADMIN_KEY is shorter than {SECRET_BYTES_MIN} bytes: take a random one"
        )),
        Some(_) => Good("set".to_owned()),
    }
}

fn clock(now_ms: i64) -> Finding {
    if now_ms < EARLIEST_MS {
        return Bad("the clock is before 2026: set it, and keep it by NTP".to_owned());
    }
    Good("after 2026".to_owned())
}

/// Whether a program uses the folder.
fn is_locked(path: &Path) -> bool {
    let locked = fs::File::open(path).map(|file| file.try_lock());
    matches!(locked, Ok(Err(fs::TryLockError::WouldBlock)))
}

fn data(config: &Config, is_running: bool) -> Finding {
    let data = config.data.display();
    if is_running {
        return Good(format!("{data} is used by a running program"));
    }
    let probe = config.data.join(".doctor");
    let tried = fs::create_dir_all(&config.data)
        .and_then(|()| fs::write(&probe, b"x"))
        .and_then(|()| fs::remove_file(&probe));
    match tried {
        Ok(()) => Good(format!("{data} can be written")),
        Err(error) => Bad(format!("{data} cannot be written ({error}): give it to this user")),
    }
}

fn disk(data: &Path) -> Finding {
    match room::free_bytes(data) {
        Err(error) => Bad(format!("the system does not say what is free: {error}")),
        Ok(free) if free < room_kept() => Bad(format!(
            "{free} bytes are free, below the {} that are kept free: nothing is taken; make room",
            room_kept()
        )),
        Ok(free) if free < FREE_BYTES_MIN => {
            Doubt(format!("only {free} bytes are free: make room soon"))
        }
        Ok(free) => Good(format!("{free} bytes are free")),
    }
}

fn room_kept() -> u64 {
    crate::store::recover::KEEP_FREE_BYTES
}

fn get(url: &str) -> Result<(u16, Option<i64>), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let answer = agent.get(url).call().map_err(|error| error.to_string())?;
    let date = answer.headers().get("date").and_then(|value| value.to_str().ok());
    let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    let date = date.map(|zoned| zoned.timestamp().as_millisecond());
    Ok((answer.status().as_u16(), date))
}

fn address(config: &Config, is_running: bool) -> Finding {
    let listen = config.listen;
    if !is_running {
        return match TcpListener::bind(listen) {
            Ok(_) => Good(format!("{listen} is free")),
            Err(error) => Bad(format!("{listen} cannot be listened on ({error}): take another")),
        };
    }
    match get(&format!("http://{listen}/readyz")) {
        Ok((200, _)) => Good(format!("{listen} answers and is ready")),
        Ok((status, _)) => Doubt(format!("{listen} answers {status}: it starts or stops")),
        Err(error) => Doubt(format!("{listen} does not answer ({error}): does it serve by TLS?")),
    }
}

fn worker(config: &Config) -> Finding {
    let Some(edge) = &config.edge else {
        return Good("none is configured; without it nobody rewrites the archive".to_owned());
    };
    let url = format!("{}/healthz", edge.trim_end_matches('/'));
    match get(&url) {
        Err(error) => Bad(format!("{url} does not answer: {error}")),
        Ok((200, date)) => {
            // The header has whole seconds.
            let off_ms = date.map_or(0, |date| (now_ms() - date - 500).abs());
            if off_ms > CLOCK_MS_MAX {
                return Bad(format!("its clock and this one are {off_ms} ms apart: keep by NTP"));
            }
            Good(format!("{url} answers, the clocks agree"))
        }
        Ok((status, _)) => Bad(format!("{url} answers {status}: is this the worker?")),
    }
}

fn kept_snapshot(config: &Config) -> Finding {
    let path = Layout::below(&config.data).snapshot;
    if !path.exists() {
        return Good("there is none yet".to_owned());
    }
    match snapshot::verify(&path) {
        Ok(()) => Good(format!("{} is whole", path.display())),
        Err(error) => Bad(format!(
            "{error}: a running program writes a new one within the hour; keep sled and log"
        )),
    }
}

fn kept_log(config: &Config, is_running: bool) -> Finding {
    let folder = Layout::below(&config.data).log;
    if is_running {
        return Good("in use, not read".to_owned());
    }
    if !folder.exists() {
        return Good("there is none yet".to_owned());
    }
    let read = || -> Result<usize, log::LogError> {
        let Some(first) = log::segments(&folder)?.first().copied() else { return Ok(0) };
        let mut groups = 0;
        log::inspect(&folder, Position { segment: first, offset: 0 }, |_| {
            groups += 1;
            Ok(())
        })?;
        Ok(groups)
    };
    match read() {
        Ok(groups) => Good(format!("{groups} groups are whole")),
        Err(error) => Bad(error.to_string()),
    }
}
