//! The edgetally program.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aggregator::commands::{self, USAGE};
use aggregator::config::Config;
use aggregator::http::{self, App, tls};
use aggregator::store::engine::Engine;
use aggregator::store::recover::Layout;
use aggregator::store::writer::{self, WriterError};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

// Every event makes and drops small things, which this allocator does in half of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Real-time analytics for online shops.
#[derive(Debug, Parser)]
#[command(name = "edgetally", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take frames from the workers, keep their numbers, answer queries.
    ///
    /// EDGETALLY_EDGE_SECRET must be set, EDGETALLY_ADMIN_KEY should be. EDGETALLY_LISTEN and
    /// EDGETALLY_DATA go before the file.
    Serve {
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Send simulated visits and orders to a worker.
    Simulate(aggregator::simulate::Args),
    /// Rebuild the state of a data folder from a raw archive.
    Replay(aggregator::archive::replay::Args),
    /// Print what to set as EDGETALLY_PASSWORD_HASH, for the password on the first line of stdin.
    HashPassword,
    /// Write a list of a running aggregator into a file.
    Export(commands::export::Args),
    /// Take a backup of a running aggregator.
    Backup(commands::backup::BackupArgs),
    /// Make a data folder of a backup.
    Restore(commands::backup::RestoreArgs),
    /// List, make and delete keys of a running aggregator.
    Keys(commands::keys::Args),
    /// Look at everything that serving needs, and say what to do.
    ///
    /// Exit code 0 if serving works, 1 if not, 2 if the configuration cannot be read.
    Doctor(commands::doctor::Args),
    /// Compare the orders of a running aggregator with the payments of a database or a file.
    ///
    /// Prints the report as JSON; exit code 1 if anything does not match.
    Reconcile(commands::reconcile::Args),
    /// Load orders or sessions of a running aggregator into a PostgreSQL warehouse.
    ///
    /// Goes on where a load was broken off.
    Load(commands::load::Args),
    /// Work daily statistics of orders out again from the orders.
    Rebuild(commands::reconcile::RebuildArgs),
    /// Rewrite a raw archive so that it no longer holds what was erased.
    Scrub(aggregator::archive::rewrite::Args),
}

fn main() -> ExitCode {
    // clap ends with 2 by itself when it is called wrongly.
    let command = Cli::parse().command;
    if !matches!(command, Command::Simulate(_) | Command::HashPassword) {
        start_log();
    }
    match command {
        Command::Serve { config } => serve(config.as_deref()),
        Command::Simulate(args) => aggregator::simulate::run(args),
        Command::Replay(args) => aggregator::archive::replay::run(&args),
        Command::HashPassword => hash_password(),
        Command::Export(args) => commands::export::run(&args),
        Command::Backup(args) => commands::backup::back_up(&args),
        Command::Restore(args) => commands::backup::restore(&args),
        Command::Keys(args) => commands::keys::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Reconcile(args) => commands::reconcile::run(&args),
        Command::Load(args) => commands::load::run(&args),
        Command::Rebuild(args) => commands::reconcile::rebuild(&args),
        Command::Scrub(args) => aggregator::archive::rewrite::run(&args),
    }
}

fn hash_password() -> ExitCode {
    let mut line = String::new();
    if std::io::stdin().is_terminal() {
        eprintln!("The password, and Enter (it is shown as you type):");
    }
    let read = std::io::stdin().read_line(&mut line).map_err(|error| error.to_string());
    let hash = read.and_then(|_| http::login::hash_password(line.trim_end_matches(['\r', '\n'])));
    match hash {
        Ok(hash) if writeln!(std::io::stdout(), "{hash}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(USAGE)
        }
    }
}

fn serve(path: Option<&std::path::Path>) -> ExitCode {
    let text = match path.map(std::fs::read_to_string).transpose() {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, ?path, "the configuration cannot be read");
            return ExitCode::from(USAGE);
        }
    };
    let config = match Config::read(text.as_deref(), |name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(USAGE);
        }
    };
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("EDGETALLY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var("EDGETALLY_LOG_FORMAT").as_deref() {
        // One object a line, for programs that read logs.
        Ok("json") => log.json().flatten_event(true).init(),
        _ => log.with_ansi(is_terminal).init(),
    }
}

fn run(config: &Config) -> Result<(), Box<dyn std::error::Error>> {
    let tls = config.tls.as_ref().map(|tls| tls::load(&tls.certificate, &tls.key)).transpose()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let layout = Layout::below(&config.data)
        .within(Some(config.memory))
        .keeping_free(config.keep_free_bytes);
    let (engine, thread) = writer::start(layout)?;
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("watcher".to_owned()).spawn(move || {
        let result = thread.join().unwrap_or(Err(WriterError::Saver));
        // Nobody waits any more when the program ends first.
        let _ = ended.send(result);
    })?;
    if let Some(edge) = &config.edge {
        aggregator::archive::job::start(engine.shared.clone(), edge, config)?;
    }
    if config.admin_key.is_none() {
        tracing::warn!("EDGETALLY_ADMIN_KEY is not set: only admin keys made before work");
    }
    runtime.block_on(listen(config, tls, engine, end))
}

type End = tokio::sync::oneshot::Receiver<Result<(), WriterError>>;

async fn listen(
    config: &Config,
    tls: Option<Arc<tls::ServerConfig>>,
    engine: Engine,
    mut end: End,
) -> Result<(), Box<dyn std::error::Error>> {
    http::sockets::raise_limit();
    // Before anybody can know that the program runs.
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = tokio::net::TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, data = %config.data.display(), tls = tls.is_some(), "listening");
    let app = App::new(engine.clone(), config);
    let hub = app.hub.clone();
    tokio::spawn(http::live::hub::run(app.clone()));
    tokio::spawn(http::alerts::watch::run(app.clone()));
    let post = http::alerts::send::Post::new(config);
    tokio::spawn(http::alerts::send::run(app.clone(), post));
    tokio::spawn(http::orders::jobs::keep_clean(app.clone()));
    tokio::spawn(http::reconcile::schedule::run(app.clone()));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut graceful = stopped.clone();
    let server = tls::serve(listener, tls, http::router(app), async move {
        // A closed channel means that the program ends as well.
        let _ = graceful.wait_for(|stop| *stop).await;
    });
    let server = tokio::spawn(server);
    tokio::select! {
        ended = &mut end => return Ok(ended??),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    // Requests under way get their answer first; streams never end by themselves.
    stop.send_replace(true);
    hub.close();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), server).await;
    let stopping = tokio::task::spawn_blocking(move || engine.stop());
    let ended = end.await?;
    stopping.await?;
    Ok(ended?)
}
