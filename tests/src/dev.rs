//! The whole system as processes, started the way everyone starts it: `cargo xtask dev --json`.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Answer};

// A cold build of all parts fits; a hang does not wait for ever.
const READY_LIMIT: Duration = Duration::from_mins(20);

// The aggregator alone may take ten seconds to close its store.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running system with its own ports and, unless told otherwise, its own data.
///
/// Dropping it ends every process of it.
pub struct Dev {
    child: Child,
    stdin: Option<ChildStdin>,
    ready: Value,
    // Removed with the value, after the processes have ended.
    _own_data: Option<TempDir>,
}

impl Dev {
    /// Starts a system on free ports with data of its own.
    pub fn start() -> Result<Self> {
        let data = tempfile::Builder::new().prefix("edgetally-").tempdir()?;
        let mut dev = Self::start_on(data.path())?;
        dev._own_data = Some(data);
        Ok(dev)
    }

    /// Starts a system on free ports with the data of a folder, which it keeps.
    pub fn start_on(data: &Path) -> Result<Self> {
        Self::start_with(data, &[])
    }

    /// Starts a system with further options of `cargo xtask dev`.
    pub fn start_with(data: &Path, options: &[&str]) -> Result<Self> {
        fs::create_dir_all(data)?;
        let log = data.join("dev.log");
        let mut command = dev_command();
        command.args(["--json", "--edge-port", "0", "--port", "0", "--data"]).arg(data);
        let mut child = command
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .process_group(0)
            .spawn()
            .context("cargo xtask dev cannot be started")?;
        let stdin = child.stdin.take();
        let mut dev = Self { child, stdin, ready: Value::Null, _own_data: None };
        dev.ready =
            dev.read_ready_line().with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(dev)
    }

    /// The ready line as it was printed.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// The worker's URL with a path.
    pub fn edge(&self, path: &str) -> String {
        format!("{}{path}", self.text("edge"))
    }

    /// The aggregator's URL with a path.
    pub fn aggregator(&self, path: &str) -> String {
        format!("{}{path}", self.text("aggregator"))
    }

    /// A member of the ready line that is text, such as `site` or `write_key`.
    pub fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_default()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        PathBuf::from(self.text("data"))
    }

    /// The current process id of `aggregator` or `workerd`, from `pids.json`.
    pub fn pid(&self, name: &str) -> Result<i32> {
        let text = fs::read_to_string(self.data().join("pids.json")).context("pids.json")?;
        let pids: Value = serde_json::from_str(&text).context("pids.json")?;
        let pid = pids[name].as_i64().with_context(|| format!("pids.json has no {name}"))?;
        Ok(i32::try_from(pid)?)
    }

    /// Kills `aggregator` or `workerd` without a warning, and returns the process id it had.
    pub fn kill(&self, name: &str) -> Result<i32> {
        let pid = self.pid(name)?;
        kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("kill {name}"))?;
        Ok(pid)
    }

    /// Sends events to the worker as JSON; with a key in the header if one is given.
    pub fn collect(&self, key: Option<&str>, batch: &Value) -> Result<Answer> {
        http::post_json(&self.edge("/v1/events"), key, batch)
    }

    /// Asks `POST /v1/query` with the read key.
    pub fn query(&self, query: &Value) -> Result<Value> {
        let answer =
            http::post_json(&self.aggregator("/v1/query"), Some(self.text("read_key")), query)?;
        anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
        answer.json()
    }

    /// Ends the system by closing its stdin, and tells how it ended.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.end()
    }

    /// Ends the system by a signal to `cargo xtask dev`, and tells how it ended.
    pub fn stop_by(mut self, signal: Signal) -> Result<ExitStatus> {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal)?;
        self.wait()
    }

    fn end(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        self.wait()
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let child = &mut self.child;
        within("cargo xtask dev to end", STOP_LIMIT, || Ok(child.try_wait()?))
    }

    fn read_ready_line(&mut self) -> Result<Value> {
        let stdout = self.child.stdout.take().context("stdout")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let line = lines.recv_timeout(READY_LIMIT).context("cargo xtask dev never got ready")?;
        serde_json::from_str(&line).with_context(|| format!("the ready line is no JSON: {line}"))
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if self.end().is_err() {
            // The last resort: its guard ends the parts.
            let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Repeats `probe` until it finds something.
///
/// # Errors
/// After `limit`, with what it was waiting for; and at once when the probe fails.
pub fn within<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if started.elapsed() >= limit {
            bail!("waited {limit:?} for {what}");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

// Under `cargo xtask test` everything is built already, and the program is named.
fn dev_command() -> Command {
    match env::var_os("EDGETALLY_XTASK") {
        Some(xtask) => {
            let mut command = Command::new(xtask);
            command.args(["dev", "--no-build"]);
            command
        }
        None => {
            let mut command = Command::new("cargo");
            command.args(["xtask", "dev"]).current_dir(crate::root());
            command
        }
    }
}
