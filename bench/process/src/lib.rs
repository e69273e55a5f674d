//! Processes: the program under measurement, and what one takes of memory and processor.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use edgetally_proto::sign::{self, FramesHead, header};
use serde_json::Value;

/// What signs frames here.
const SECRET: &str = "the secret of a benchmark";
const ADMIN: &str = "ak_of_a_benchmark";
const EPOCH: &str = "0123456789abcdef0123456789abcdef";

/// Ticks of the system's clock in a second, the same on every Linux.
const TICKS: f64 = 100.0;

/// Removes a folder, if there is one.
///
/// # Errors
/// If it cannot be removed.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Bytes of a file, or of all files below a folder; 0 if there is none.
///
/// # Errors
/// If one cannot be read.
pub fn size(path: &Path) -> Result<u64> {
    let about = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        about => about?,
    };
    if about.is_file() {
        return Ok(about.len());
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}

/// Resident memory of a process (`self` or its id).
///
/// # Errors
/// If there is no such process.
pub fn resident_bytes(process: &str) -> Result<u64> {
    status(process, "VmRSS:")
}

fn status(process: &str, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no memory")?;
    Ok(kilobytes.parse::<u64>()? * 1_024)
}

/// Processor time of this process.
///
/// # Errors
/// If the system does not tell.
pub fn seconds_of_processor() -> Result<f64> {
    seconds_of("self")
}

fn seconds_of(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("no times")?;
    let times = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(times.sum::<Result<f64, _>>()? / TICKS)
}

/// The running program; killed when dropped.
pub struct Program {
    child: Child,
    base: String,
    /// Seconds from its start until it took requests.
    pub start_seconds: f64,
}

impl Program {
    /// Starts it and waits until it takes requests.
    ///
    /// # Errors
    /// If it ends before.
    pub fn start(program: &Path, data: &Path) -> Result<Self> {
        let begun = Instant::now();
        let mut child = Command::new(program)
            .arg("serve")
            .env("EDGETALLY_LISTEN", "127.0.0.1:0")
            .env("EDGETALLY_DATA", data)
            .env("EDGETALLY_ADMIN_KEY", ADMIN)
            .env("EDGETALLY_EDGE_SECRET", SECRET)
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let mut lines = BufReader::new(child.stderr.take().context("no log")?).lines();
        let mut base = None;
        for line in lines.by_ref() {
            if let Some((_, rest)) = line?.split_once("address=") {
                base = rest.split_whitespace().next().map(|address| format!("http://{address}"));
                break;
            }
        }
        // Read on, so that it can write.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let base = base.context("the program ended before it listened")?;
        let mut program = Self { child, base, start_seconds: 0.0 };
        while program.get("/readyz").is_err() {
            ensure!(program.child.try_wait()?.is_none(), "the program ended while it started");
            std::thread::sleep(Duration::from_millis(5));
        }
        program.start_seconds = begun.elapsed().as_secs_f64();
        Ok(program)
    }

    fn get(&self, path: &str) -> Result<()> {
        ureq::get(format!("{}{path}", self.base)).call()?;
        Ok(())
    }

    /// A request of an administrator with a JSON body.
    ///
    /// # Errors
    /// If it is refused, or the answer is no JSON.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {ADMIN}"))
            .body(body.to_string())?;
        let text = ureq::run(request)?.body_mut().with_config().limit(1 << 30).read_to_string()?;
        serde_json::from_str(&text).context("the answer is no JSON")
    }

    /// A request with the key of somebody: its status and its answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn call(
        &self,
        agent: &ureq::Agent,
        (method, path): (&str, &str),
        key: Option<&str>,
        body: String,
    ) -> Result<(u16, String)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", key.unwrap_or(ADMIN)))
            .header("content-type", "application/json")
            .body(body)?;
        let mut answer = agent.run(request)?;
        let text = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        Ok((answer.status().as_u16(), text))
    }

    /// Sends frames of a shard; they must all be acknowledged.
    ///
    /// # Errors
    /// If they are not.
    pub fn send(
        &self,
        agent: &ureq::Agent,
        shard: &str,
        first: u64,
        frames: &[&[u8]],
    ) -> Result<()> {
        let last = first + frames.len() as u64 - 1;
        let head = FramesHead { shard, epoch: EPOCH, first, last, backlog: None };
        let body = frames.concat();
        let request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}/v1/frames", self.base))
            .header(header::SHARD, shard)
            .header(header::EPOCH, EPOCH)
            .header(header::FIRST, first.to_string())
            .header(header::LAST, last.to_string())
            .header(header::SIGNATURE, sign::frames(SECRET, &head, &body))
            .body(body)?;
        let answer: Value =
            serde_json::from_str(&agent.run(request)?.body_mut().read_to_string()?)?;
        ensure!(answer["acked"] == last, "frames of {shard} were not taken: {answer}");
        Ok(())
    }

    /// Its resident memory, and the most that it ever was.
    ///
    /// # Errors
    /// If it has ended.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let id = self.child.id().to_string();
        Ok((status(&id, "VmRSS:")?, status(&id, "VmHWM:")?))
    }

    /// Its processor time.
    ///
    /// # Errors
    /// If it has ended.
    pub fn processor_seconds(&self) -> Result<f64> {
        seconds_of(&self.child.id().to_string())
    }

    /// kill -9.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
