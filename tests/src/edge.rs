//! The built worker alone in workerd, beside whatever stands in for the aggregator.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use edgetally_proto::sign::{self, header};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::dev::within;
use crate::http::{self, Answer};
use crate::peer::SECRET;

const START_LIMIT: Duration = Duration::from_mins(2);
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How a worker is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where its objects keep their data; what is there already stays.
    pub data: PathBuf,
    /// Where it finds the aggregator.
    pub aggregator: String,
    /// Whether the cron runs by itself, at the start and each minute.
    pub cron: bool,
    /// The port that it listens on; 0 is a free one.
    pub port: u16,
    /// Whether a second instance runs on the same objects.
    pub twin: bool,
    /// What operations on its bucket meet from the start, if it can be made to fail: a fault of
    /// [`Edge::bucket`], or null for nothing.
    pub gate: Option<Value>,
    /// Whether its clock can be set, see [`Edge::clock`].
    pub clock: bool,
    /// Variables that `wrangler.toml` has other values for, as `NAME=VALUE`.
    pub vars: Vec<String>,
}

/// A running worker. Dropping it ends its processes.
pub struct Edge {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    ready: Value,
    log: PathBuf,
    /// What its clock showed when it was set, when that was, and how fast it runs since.
    clock: (u64, Instant, u32),
}

impl Edge {
    /// Starts a worker on a free port and waits until it serves.
    pub fn start(options: &Options) -> Result<Self> {
        fs::create_dir_all(&options.data)?;
        let root = crate::root();
        let log = options.data.join("worker.log");
        let mut command = Command::new(root.join("node_modules/node/bin/node"));
        command
            .arg(root.join("edge-worker/dev/serve.mjs"))
            .arg("--persist")
            .arg(options.data.join("objects"))
            .arg("--var")
            .arg(format!("AGGREGATOR_URL={}", options.aggregator))
            .args(["--secret", "EDGE_SECRET", "--commands", "--port", &options.port.to_string()])
            .args((!options.cron).then_some("--no-cron"))
            .args(options.twin.then_some("--twin"))
            .args(options.gate.iter().flat_map(|fault| ["--gate".to_owned(), fault.to_string()]))
            .args(options.clock.then_some("--clock"))
            .args(options.vars.iter().flat_map(|var| ["--var", var]))
            .env("EDGE_SECRET", SECRET)
            .current_dir(&root);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .process_group(0)
            .spawn()
            .context("the worker's runner cannot be started")?;
        let stdin = child.stdin.take();
        let lines = lines_of(child.stdout.take().context("stdout")?);
        let clock = (now_ms(), Instant::now(), 1);
        let mut edge = Self { child, stdin, lines, ready: Value::Null, log, clock };
        edge.ready = edge.answer(START_LIMIT)?;
        Ok(edge)
    }

    /// The worker's URL with a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready["url"].as_str().unwrap_or_default())
    }

    /// The second instance's URL with a path.
    pub fn twin_url(&self, path: &str) -> String {
        format!("{}{path}", self.ready["twin_url"].as_str().unwrap_or_default())
    }

    /// Sends events as JSON with a key in the header.
    pub fn collect(&self, key: &str, batch: &Value) -> Result<Answer> {
        http::post_json(&self.url("/v1/events"), Some(key), batch)
    }

    /// Takes the memory of every object away, whatever it does, as the platform may at any time.
    pub fn abort(&mut self) -> Result<()> {
        self.abort_after(Duration::ZERO)
    }

    /// The same a little later, while the caller does something else.
    pub fn abort_after(&mut self, time: Duration) -> Result<()> {
        let after_ms = u64::try_from(time.as_millis())?;
        self.command(&json!({"do": "abort", "after_ms": after_ms})).map(|_| ())
    }

    /// Evicts an object that does nothing.
    ///
    /// # Errors
    /// If the object is not in memory.
    pub fn evict(&mut self, class: &str, name: &str) -> Result<()> {
        self.command(&json!({"do": "evict", "class": class, "name": name})).map(|_| ())
    }

    /// Runs the cron of a minute.
    pub fn cron(&mut self) -> Result<()> {
        self.command(&json!({"do": "cron"})).map(|_| ())
    }

    /// Says what operations on the bucket meet from now on, see `edge-worker/dev/commands.mjs`;
    /// gives the number of those that met something before, by operation and by what they met.
    pub fn bucket(&mut self, fault: &Value) -> Result<Value> {
        let mut answer = self.command(&json!({"do": "bucket", "fault": fault}))?;
        Ok(answer["met"].take())
    }

    /// Moves the worker's clock ahead and lets it run so many times as fast.
    pub fn clock(&mut self, ahead: Duration, speed: u32) -> Result<()> {
        let ahead_ms = u64::try_from(ahead.as_millis())?;
        self.command(&json!({"do": "clock", "ahead_ms": ahead_ms, "speed": speed}))?;
        self.clock = (self.now_ms() + ahead_ms, Instant::now(), speed);
        Ok(())
    }

    /// What the worker's clock shows, epoch ms.
    pub fn now_ms(&self) -> u64 {
        let (shown, since, speed) = self.clock;
        let passed = u64::try_from(since.elapsed().as_millis()).unwrap_or_default();
        shown + passed * u64::from(speed)
    }

    /// Asks for what is in the bucket.
    pub fn archive(&self, target: &str) -> Result<Answer> {
        let at_ms = i64::try_from(self.now_ms())?;
        let signature = sign::archive_request(SECRET, "GET", target, at_ms, b"");
        let at = at_ms.to_string();
        let headers = [(header::AT, at.as_str()), (header::SIGNATURE, signature.as_str())];
        http::send("GET", &self.url(target), &headers, b"")
    }

    /// Ends it as a deploy does: what is under way is cut off, what is stored stays.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    /// Kills the runtime without a warning and waits for its end.
    pub fn kill(mut self) -> Result<()> {
        let pid = self.ready["workerd_pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        kill(Pid::from_raw(pid.context("a pid")?), Signal::SIGKILL)?;
        let child = &mut self.child;
        within("the runner to see it", STOP_LIMIT, || Ok(child.try_wait()?.map(|_| ())))
    }

    /// What the worker wrote so far.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    fn command(&mut self, command: &Value) -> Result<Value> {
        let stdin = self.stdin.as_mut().context("it was stopped")?;
        writeln!(stdin, "{command}")?;
        stdin.flush()?;
        let answer = self.answer(STOP_LIMIT)?;
        match answer["error"].as_str() {
            Some(error) => bail!("{command}: {error}"),
            None => Ok(answer),
        }
    }

    fn answer(&self, limit: Duration) -> Result<Value> {
        let log = || fs::read_to_string(&self.log).unwrap_or_default();
        let line = self.lines.recv_timeout(limit).with_context(log)?;
        serde_json::from_str(&line).with_context(|| format!("no JSON: {line}"))
    }

    fn end(&mut self) -> Result<()> {
        drop(self.stdin.take());
        let child = &mut self.child;
        let status = within("the worker to end", STOP_LIMIT, || Ok(child.try_wait()?))?;
        ensure!(status.success(), "the worker's runner ended with {status}");
        Ok(())
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if self.end().is_err() {
            let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

fn lines_of(stdout: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Runs SQL on the storage of every object of a class, while no worker uses it.
///
/// # Errors
/// If there is no such object, or SQLite does not take it.
pub fn run_sql(data: &Path, class: &str, sql: &str) -> Result<()> {
    let folder = data.join("objects/do").join(format!("edgetally-edge-{class}"));
    let mut objects = 0;
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let is_store = path.extension().is_some_and(|extension| extension == "sqlite");
        if !is_store || path.ends_with("metadata.sqlite") {
            continue;
        }
        objects += 1;
        let status = Command::new(crate::root().join("node_modules/node/bin/node"))
            .args(["--no-warnings", "-e", RUN_SQL])
            .arg(&path)
            .arg(sql)
            .status()?;
        ensure!(status.success(), "{sql}");
    }
    ensure!(objects > 0, "{class} has no object");
    Ok(())
}

// Node has SQLite built in; no library is linked for the few statements of tests.
const RUN_SQL: &str = "const { DatabaseSync } = require('node:sqlite');\
    const [, file, sql] = process.argv;\
    const base = new DatabaseSync(file); base.exec(sql); base.close();";
