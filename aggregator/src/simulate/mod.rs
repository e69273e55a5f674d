//! `edgetally simulate`: visitors and orders against a worker, and at the end what was stored.
//!
//! In the order data meets them: the shop, a visit planned in it, a visitor who makes it, the crowd
//! of all visitors, the events they send and when, the answers, and the count of what they confirm.

mod shop;
mod cart;
mod journey;
mod checkout;
mod visitor;
mod crowd;
mod event;
mod pace;
mod sender;
mod answer;
mod tally;
mod summary;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use signal_hook::consts::TERM_SIGNALS;

use crowd::Crowd;
use pace::Pace;
use sender::{Run, Target};
use summary::Summary;
use tally::Tally;

/// The worker of `cargo xtask dev`.
const DEFAULT_EDGE: &str = "http://127.0.0.1:8787";

const AFTER_HELP: &str = "\
The same seed plays the same visits. Ids of events, clients, users and orders are made from the seed
and the run id, so each run makes events of its own; a run repeated with its seed and --run-id is
answered with duplicates. Events that got no answer are sent again with the same ids.

Prints one JSON object: what the worker confirmed, in the terms of POST /v1/query.
Exit code 0 if every event was confirmed, 1 if some were not, 2 for wrong usage.";

/// Sends simulated visits and orders to a worker and prints what was stored as one JSON object.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Address of the worker.
    #[arg(long, value_name = "URL", default_value = DEFAULT_EDGE, value_parser = edge_url)]
    edge: String,
    /// Site to send to.
    #[arg(long, default_value = "demo")]
    site: String,
    /// Server key of the site.
    #[arg(long, env = "EDGETALLY_SERVER_KEY", hide_env_values = true)]
    key: String,
    /// Events a second.
    #[arg(long, default_value = "50", value_parser = rate)]
    rate: f64,
    /// How long to send, such as 30s, 10m or 1h.
    #[arg(long, default_value = "30s", value_parser = duration)]
    duration: Duration,
    /// Seed of the visits.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tells runs of one seed apart; up to 24 characters [default: the time of the start].
    #[arg(long, value_parser = run_id)]
    run_id: Option<String>,
    /// Share of suspicious orders: half above 50,000,000 VND, half more than ten by one user
    /// within a minute.
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = share)]
    suspicious: f64,
    /// Most events of one request.
    #[arg(long, value_name = "EVENTS", default_value_t = 50,
        value_parser = clap::value_parser!(u16).range(1..=BATCH_EVENTS_MAX))]
    batch: u16,
}

/// As many of the largest events as fit into the 1 MiB that a server key may send.
const BATCH_EVENTS_MAX: i64 = 500;

#[derive(Serialize)]
struct Report<'a> {
    seed: u64,
    run_id: &'a str,
    duration_ms: i64,
    #[serde(flatten)]
    summary: Summary,
}

/// Runs the simulation.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    let start_ms = sender::epoch_ms();
    let stop = match stop_on_signals() {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("cannot listen for signals: {error}")),
    };
    let run_id = args.run_id.unwrap_or_else(|| start_ms.to_string());
    let pace = Pace { rate: args.rate, duration: args.duration };
    let mut crowd = Crowd::new(args.seed, &run_id, pace.crowd_size(), args.suspicious);
    let tally = Mutex::new(Tally::default());
    let progress = progress_bar(pace.event_count());
    let endpoint = format!("{}/v1/events", args.edge);
    let run = Run {
        target: Target { endpoint, site: args.site, key: args.key },
        pace,
        batch_events: usize::from(args.batch),
        tally: &tally,
        stop: &stop,
        progress: &progress,
        refusal: Mutex::new(None),
        refusal_grace: sender::REFUSAL_GRACE,
    };
    run.play(&mut crowd, start_ms);
    progress.finish_and_clear();
    let refusal = run.refusal.into_inner().unwrap_or_else(PoisonError::into_inner);
    let summary = tally.into_inner().unwrap_or_else(PoisonError::into_inner).summary();
    let is_complete = summary.is_complete();
    let duration_ms = sender::epoch_ms() - start_ms;
    let report = Report { seed: args.seed, run_id: &run_id, duration_ms, summary };
    if let Err(error) = print(&report) {
        return fail(&format!("cannot print the result: {error}"));
    }
    match refusal {
        Some(why) => fail(&format!("the worker refused the events: {why}")),
        None if is_complete => ExitCode::SUCCESS,
        None => fail("some events were not confirmed within five minutes, or before the stop"),
    }
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "edgetally simulate: {message}");
    ExitCode::FAILURE
}

fn print(report: &Report<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, report)?;
    writeln!(out)?;
    out.flush()
}

/// A first signal ends the run in good order, with its count; a second one ends it at once.
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in TERM_SIGNALS {
        signal_hook::flag::register_conditional_shutdown(*signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(*signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Drawn on a terminal only.
fn progress_bar(event_count: u64) -> ProgressBar {
    let template = "{elapsed_precise} {wide_bar} {human_pos}/{human_len} confirmed {msg}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(event_count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn edge_url(text: &str) -> Result<String, String> {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err("must start with http:// or https://".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1_000_000.0 => Ok(rate),
        _ => Err("must be a number above 0, at most 1000000".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    match Duration::try_from(span) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be longer than nothing".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("must be a percentage from 0 to 100, such as 5%".to_owned()),
    }
}

fn run_id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > event::RUN_ID_BYTES_MAX {
        return Err(format!("must have 1 to {} bytes", event::RUN_ID_BYTES_MAX));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn parse(flags: &str) -> Result<Args, clap::Error> {
        let words = ["simulate", "--key", "sk_test"].into_iter().chain(flags.split_whitespace());
        Command::try_parse_from(words).map(|command| command.args)
    }

    #[test]
    fn flags_are_read() {
        let args = parse("--edge http://127.0.0.1:9/ --rate 500 --duration 1m --suspicious 2.5%")
            .expect("good flags");
        assert_eq!(args.edge, "http://127.0.0.1:9");
        assert_eq!((args.rate, args.suspicious), (500.0, 0.025));
        assert_eq!(args.duration, Duration::from_secs(60));
        let args = parse("").expect("no flags");
        assert_eq!((args.rate, args.suspicious, args.seed), (50.0, 0.05, 1));
        assert_eq!((args.site.as_str(), args.batch, args.run_id), ("demo", 50, None));
    }

    #[test]
    fn wrong_flags_are_named() {
        for (flags, flag) in [
            ("--rate 0", "--rate"),
            ("--rate NaN", "--rate"),
            ("--duration 0s", "--duration"),
            ("--duration=-3s", "--duration"),
            ("--duration soon", "--duration"),
            ("--suspicious 101%", "--suspicious"),
            ("--batch 501", "--batch"),
            ("--batch 0", "--batch"),
            ("--edge 127.0.0.1:8787", "--edge"),
            ("--run-id 1234567890123456789012345", "--run-id"),
        ] {
            let message = parse(flags).expect_err(flags).to_string();
            assert!(message.contains(flag), "{message}");
        }
    }

    #[test]
    fn a_full_batch_fits_into_a_request() {
        let mut crowd = Crowd::new(1, "test", 500, 0.05);
        let largest = (0..50_000).map(|at| crowd.next(1_700_000_000_000 + at)).max_by_key(size);
        let bytes = largest.as_ref().map(size).unwrap_or_default();
        let most = BATCH_EVENTS_MAX as usize * (bytes + 1) + 200;
        assert!(most <= edgetally_proto::limits::SERVER_BODY_BYTES_MAX, "{bytes} bytes an event");
    }

    fn size(event: &event::Event) -> usize {
        serde_json::to_vec(event).expect("serializes").len()
    }
}
