//! `cargo xtask dev`: all parts on this machine, kept running until someone asks to stop.

mod state;
mod ports;
mod http;
mod groups;
pub mod guard;
mod part;
mod output;
mod supervisor;
mod provision;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::args::DevOptions;
use crate::dev::part::{Layout, Part};
use crate::dev::state::Secrets;
use crate::dev::supervisor::Supervisor;
use crate::paths::Paths;
use crate::{parts, run, stop, tools};

/// The site that `dev` makes.
pub const SITE: &str = "demo";

// Recovery of a large store takes a while; a part that hangs should not look like one.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Installs, builds and runs everything; returns when asked to stop.
pub fn dev(paths: &Paths, options: &DevOptions) -> Result<()> {
    stop::watch_signals()?;
    if options.json {
        stop::watch_stdin();
    }
    if !options.no_build {
        eprintln!("cargo xtask dev");
        tools::install(paths)?;
        parts::build(paths)?;
    }
    let data = data_folder(paths, options)?;
    // Held until the end: two runs on one folder would corrupt it.
    let _lock = lock(&data)?;
    let edge_port = ports::choose(options.edge_port, "--edge-port", &[])?;
    let port = ports::choose(options.port, "--port", &[edge_port])?;
    let shop_port = ports::choose(0, "shop", &[edge_port, port])?;
    let secrets = Secrets::load_or_make(&data)?;
    let mut layout = Layout { paths, data: &data, port, edge_port, shop_port, secrets };
    let mut supervisor = Supervisor::new(&data)?;
    let result = serve(&mut supervisor, &mut layout, options);
    supervisor.stop_all();
    result
}

fn serve(supervisor: &mut Supervisor, layout: &mut Layout<'_>, options: &DevOptions) -> Result<()> {
    supervisor.start(Part::aggregator(layout))?;
    supervisor.wait_ready("aggregator", START_LIMIT)?;
    provision::provision(&layout.aggregator_url(), layout.data, &mut layout.secrets)?;
    supervisor.start(Part::worker(layout))?;
    supervisor.wait_ready("worker", START_LIMIT)?;
    supervisor.start(Part::shop(layout)?)?;
    supervisor.wait_ready("shop", START_LIMIT)?;
    if options.seed_demo {
        supervisor.start(Part::simulator(layout)?)?;
    }
    let ready = ready_line(layout, supervisor)?;
    if options.json {
        run::say_out(&ready.to_string())?;
    } else {
        tell_human(layout)?;
    }
    while !stop::requested() {
        supervisor.pump(Duration::from_millis(100))?;
    }
    Ok(())
}

fn ready_line(layout: &Layout<'_>, supervisor: &Supervisor) -> Result<Value> {
    let secrets = &layout.secrets;
    Ok(json!({
        "edge": layout.edge_url(),
        "aggregator": layout.aggregator_url(),
        "shop": layout.shop_url(),
        "site": SITE,
        "write_key": secrets.write_key,
        "server_key": secrets.server_key,
        "read_key": secrets.read_key,
        "admin_key": secrets.admin_key,
        "data": layout.data.to_str().context("--data is not UTF-8")?,
        "pids": supervisor.pids(),
    }))
}

fn tell_human(layout: &Layout<'_>) -> Result<()> {
    let secrets = &layout.secrets;
    let read_key = secrets.read_key.as_deref().unwrap_or_default();
    let lines = [
        ("dashboard", format!("{}/#site={SITE}&key={read_key}", layout.aggregator_url())),
        ("shop", layout.shop_url()),
        ("worker", layout.edge_url()),
        ("aggregator", layout.aggregator_url()),
        ("data", layout.data.display().to_string()),
        ("keys", state::keys_file(layout.data).display().to_string()),
    ];
    for (name, value) in lines {
        run::say_out(&format!("  {name:<11} {value}"))?;
    }
    run::say_out("Ctrl-C stops everything.")
}

fn data_folder(paths: &Paths, options: &DevOptions) -> Result<PathBuf> {
    let folder = match &options.data {
        Some(folder) => std::path::absolute(folder)?,
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
            paths.target.join(format!("dev-{now}"))
        }
    };
    fs::create_dir_all(folder.join("logs"))
        .with_context(|| format!("--data {} cannot be made", folder.display()))?;
    Ok(folder)
}

fn lock(data: &Path) -> Result<File> {
    let file = File::create(data.join("lock")).context("lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("--data {} is in use by another `cargo xtask dev`", data.display())
        }
        Err(TryLockError::Error(error)) => Err(error).context("lock"),
    }
}
