//! workerd, run directly: one process for each contestant, without a proxy before it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const START_LIMIT: Duration = Duration::from_secs(20);
/// Ticks of a second in `/proc/<pid>/stat`; Linux has used this one for decades.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: f64 = 4_096.0;

/// Who runs where: workerd on one core, everything else on another.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    load: Option<CpuSet>,
    workerd: Option<CpuSet>,
}

impl Cores {
    /// Takes the first core for the load and the last one for workerd, if there are two.
    pub fn take() -> Self {
        let allowed = sched_getaffinity(Pid::from_raw(0)).ok();
        let is_set = |core: &usize| allowed.is_some_and(|set| set.is_set(*core) == Ok(true));
        let cores: Vec<usize> = (0..CpuSet::count()).filter(is_set).collect();
        let one = |core: usize| {
            let mut set = CpuSet::new();
            set.set(core).ok().map(|()| set)
        };
        let cores = match cores.as_slice() {
            [load, .., workerd] => Self { load: one(*load), workerd: one(*workerd) },
            _ => Self { load: None, workerd: None },
        };
        pin(cores.load);
        cores
    }

    /// Whether workerd has a core of its own.
    pub fn are_apart(&self) -> bool {
        self.workerd.is_some()
    }
}

// Where it is not permitted everything runs anywhere, and the report says so by its numbers.
fn pin(cores: Option<CpuSet>) {
    if let Some(set) = cores {
        let _permitted = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

/// A worker's modules and bindings, as the text of workerd's configuration.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Name and path of each module: the entry first; `.wasm` ones are told by their names.
    pub modules: Vec<(String, PathBuf)>,
    /// Bindings as `name`, right-hand side.
    pub bindings: Vec<(String, String)>,
    /// Classes of Durable Objects with SQLite.
    pub classes: Vec<String>,
    /// The platform's date that it is written for.
    pub compatibility_date: String,
    /// The module of a service that stands in for a bucket, if it has one.
    pub bucket: Option<PathBuf>,
    /// Flags of V8.
    pub v8_flags: Vec<String>,
}

impl Worker {
    /// A worker of one file, with a store, that is otherwise run as this one is.
    pub fn other(&self, path: &Path) -> Self {
        Self {
            modules: vec![("main.js".to_owned(), path.to_path_buf())],
            bindings: vec![("STORE".to_owned(), "durableObjectNamespace = \"Store\"".to_owned())],
            classes: vec!["Store".to_owned()],
            ..self.clone()
        }
    }

    /// The same without a store.
    pub fn stateless(self) -> Self {
        Self { bindings: Vec::new(), classes: Vec::new(), ..self }
    }

    /// The same with a bucket, to which everything goes once a second.
    pub fn with_bucket(mut self, module: PathBuf) -> Self {
        self.bucket = Some(module);
        self.bindings.extend([
            ("ARCHIVE".to_owned(), "r2Bucket = \"bucket\"".to_owned()),
            ("ARCHIVE_SECONDS".to_owned(), "text = \"1\"".to_owned()),
        ]);
        self
    }

    /// Our own worker, with the names of `wrangler.toml`.
    pub fn edge(root: &Path, aggregator_url: &str, secret: &str) -> Result<Self> {
        let text = fs::read_to_string(root.join("wrangler.toml")).context("wrangler.toml")?;
        let config: toml::Table = text.parse()?;
        let objects = config.get("durable_objects").and_then(|objects| objects.get("bindings"));
        let objects = objects.and_then(toml::Value::as_array).context("durable_objects")?;
        let name = |object: &toml::Value, member: &str| -> Result<String> {
            let name = object.get(member).and_then(toml::Value::as_str);
            Ok(name.with_context(|| format!("a durable object without {member}"))?.to_owned())
        };
        let mut classes = Vec::new();
        let mut bindings = vec![
            ("AGGREGATOR_URL".to_owned(), format!("text = \"{aggregator_url}\"")),
            ("EDGE_SECRET".to_owned(), format!("text = \"{secret}\"")),
        ];
        for object in objects {
            let class = name(object, "class_name")?;
            let binding = format!("durableObjectNamespace = \"{class}\"");
            bindings.push((name(object, "name")?, binding));
            classes.push(class);
        }
        let date = config.get("compatibility_date").and_then(toml::Value::as_str);
        let build = root.join("edge-worker/build");
        let modules = ["index.js", "index_bg.wasm"].map(|name| (name.to_owned(), build.join(name)));
        let compatibility_date = date.context("compatibility_date")?.to_owned();
        let modules = modules.into();
        let (bucket, v8_flags) = (None, Vec::new());
        Ok(Self { modules, bindings, classes, compatibility_date, bucket, v8_flags })
    }

    fn config(&self, storage: &Path) -> String {
        let module = |(name, _): &(String, PathBuf)| {
            let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
            format!("(name = \"{name}\", {kind} = embed \"{name}\")")
        };
        let list = |items: Vec<String>| items.join(",\n    ");
        let modules = list(self.modules.iter().map(module).collect());
        let binding = |(name, value): &(String, String)| format!("(name = \"{name}\", {value})");
        let bindings = list(self.bindings.iter().map(binding).collect());
        let class = |class: &String| {
            format!("(className = \"{class}\", uniqueKey = \"{class}\", enableSql = true)")
        };
        let classes = list(self.classes.iter().map(class).collect());
        let flags: Vec<String> = self.v8_flags.iter().map(|flag| format!("\"{flag}\"")).collect();
        let flags = flags.join(", ");
        let bucket = self.bucket.as_ref().map_or_else(String::new, |_| {
            let modules = "modules = [(name = \"bucket.js\", esModule = embed \"bucket.js\")]";
            let date = &self.compatibility_date;
            format!("(name = \"bucket\", worker = (compatibilityDate = \"{date}\", {modules})),")
        });
        format!(
            "using Workerd = import \"/workerd/workerd.capnp\";

const config :Workerd.Config = (
  services = [
    (name = \"main\", worker = .worker),
    (name = \"storage\", disk = (path = \"{storage}\", writable = true)),
    {bucket}
    (name = \"internet\", network = (allow = [\"private\", \"public\"])),
  ],
  sockets = [(name = \"http\", address = \"127.0.0.1:0\", http = (), service = \"main\")],
  v8Flags = [{flags}],
);

const worker :Workerd.Worker = (
  compatibilityDate = \"{date}\",
  durableObjectStorage = (localDisk = \"storage\"),
  modules = [
    {modules}
  ],
  bindings = [
    {bindings}
  ],
  durableObjectNamespaces = [
    {classes}
  ],
);
",
            storage = storage.display(),
            date = self.compatibility_date,
        )
    }
}

/// A running workerd; ended and its data removed with the value.
pub struct Workerd {
    /// Where its worker listens, as `127.0.0.1:port`.
    pub address: String,
    child: Child,
    _data: TempDir,
}

impl Workerd {
    /// Starts a worker on data of its own and waits until it listens.
    pub async fn start(
        program: &Path,
        worker: &Worker,
        folder: &Path,
        cores: &Cores,
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let data = tempfile::Builder::new().prefix("workerd-").tempdir_in(folder)?;
        let storage = data.path().join("storage");
        fs::create_dir_all(&storage)?;
        // workerd embeds only what lies beside its configuration.
        let bucket = worker.bucket.iter().map(|path| ("bucket.js", path));
        let modules = worker.modules.iter().map(|(name, path)| (name.as_str(), path));
        for (name, path) in modules.chain(bucket) {
            fs::copy(path, data.path().join(name)).with_context(|| path.display().to_string())?;
        }
        let config = data.path().join("config.capnp");
        fs::write(&config, worker.config(&storage))?;
        // A child inherits the cores of its parent.
        pin(cores.workerd);
        let child = Command::new(program)
            .args(["serve", "--control-fd=1"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        pin(cores.load);
        let mut child = child.with_context(|| program.display().to_string())?;
        let stdout = child.stdout.take().context("stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(START_LIMIT, lines.next_line()).await.context("workerd is silent")??;
        let event: Value = serde_json::from_str(&line.context("workerd ended")?)?;
        let Some(port) = event.get("port").and_then(Value::as_u64) else {
            bail!("workerd said {event}");
        };
        Ok(Self { address: format!("127.0.0.1:{port}"), child, _data: data })
    }

    fn pid(&self) -> Result<String> {
        Ok(self.child.id().context("workerd ended")?.to_string())
    }

    /// Processor seconds that it has taken so far.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds_of(&self.pid()?)
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<f64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid()?))?;
        let pages = statm.split_whitespace().nth(1).context("/proc/<pid>/statm")?;
        Ok(pages.parse::<f64>()? * PAGE_BYTES)
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}

/// Processor seconds that a process has taken so far, of all its threads, user and system.
pub fn cpu_seconds_of(pid: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name stands in parentheses and may hold blanks.
    let (_, fields) = stat.rsplit_once(')').context("/proc/<pid>/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}
