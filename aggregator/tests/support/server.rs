//! The built program as a process, and requests to it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use edgetally_proto::sign::{self, Backlog, FramesHead, header};
use serde_json::{Value, json};

pub const SECRET: &str = "edge-secret-of-the-tests";
pub const ADMIN: &str = "ak_of_the_tests";
pub const EPOCH: &str = "0123456789abcdef0123456789abcdef";
pub const SHARD: &str = "v1|apac|0";

/// A running aggregator; killed when dropped.
pub struct Server {
    child: Option<Child>,
    pub base: String,
    agent: ureq::Agent,
    log: Arc<Mutex<String>>,
}

/// How a program ended that did not get to listen.
pub struct Refused {
    pub status: ExitStatus,
    pub log: String,
}

fn binary(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgetally"));
    command
        .arg("serve")
        .env("EDGETALLY_LISTEN", "127.0.0.1:0")
        .env("EDGETALLY_DATA", data)
        .env("EDGETALLY_ADMIN_KEY", ADMIN)
        .env("EDGETALLY_EDGE_SECRET", SECRET)
        .stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts the program and waits until it is ready.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Starts the program with more variables in its environment.
    pub fn start_with(data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = binary(data);
        command.envs(variables.iter().copied());
        let started = Self::try_launch(command, "http", agent());
        started.unwrap_or_else(|refused| panic!("it ended: {}", refused.log))
    }

    /// Starts the program with a configuration that has TLS; the agent trusts its certificate.
    pub fn start_tls(data: &Path, config: &Path, agent: ureq::Agent) -> Self {
        let started = Self::try_start_tls(data, config, agent);
        started.unwrap_or_else(|refused| panic!("it ended: {}", refused.log))
    }

    /// The same; gives its log if it ends before it is ready.
    pub fn try_start_tls(data: &Path, config: &Path, agent: ureq::Agent) -> Result<Self, Refused> {
        let mut command = binary(data);
        command.arg("--config").arg(config);
        Self::try_launch(command, "https", agent)
    }

    /// Starts the program; gives its log if it ends before it is ready.
    pub fn try_start(data: &Path) -> Result<Self, Refused> {
        Self::try_launch(binary(data), "http", agent())
    }

    fn try_launch(mut command: Command, scheme: &str, agent: ureq::Agent) -> Result<Self, Refused> {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut base = None;
        for line in lines.by_ref() {
            let line = line.unwrap();
            log.lock().unwrap().push_str(&format!("{line}\n"));
            if let Some((_, rest)) = line.split_once("address=") {
                base = Some(format!("{scheme}://{}", rest.split_whitespace().next().unwrap()));
                break;
            }
        }
        let kept = log.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                reader.join().unwrap();
                let log = log.lock().unwrap().clone();
                return Err(Refused { status, log });
            }
            let base = base.clone().unwrap_or_default();
            let ready = agent.get(format!("{base}/readyz")).call();
            if ready.is_ok_and(|answer| answer.status() == 200) {
                return Ok(Self { child: Some(child), base, agent, log });
            }
            assert!(Instant::now() < deadline, "not ready: {}", log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// One that somebody else runs.
    pub fn at(base: &str) -> Self {
        Self { child: None, base: base.to_owned(), agent: agent(), log: Arc::default() }
    }

    /// Waits until it is ready.
    pub fn await_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while ureq::get(format!("{}/readyz", self.base)).call().is_err() {
            assert!(Instant::now() < deadline, "not ready");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn pid(&self) -> String {
        self.child.as_ref().unwrap().id().to_string()
    }

    /// Status of a query, to see whether the site is known.
    pub fn query_status(&self) -> u16 {
        let query = json!({"site_id": "demo", "metrics": ["events"], "date_range": "day"});
        self.call("POST", "/v1/query", ADMIN, Some(query)).0
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Whether the log says something, or does so soon: it is read beside the requests.
    pub fn logs(&self, text: &str) -> bool {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.log().contains(text) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.log().contains(text)
    }

    /// kill -9.
    pub fn kill(mut self) {
        let child = self.child.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> ExitStatus {
        let pid = self.pid();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.as_mut().unwrap().wait().unwrap()
    }

    /// A request with a JSON body; status and body of the answer.
    pub fn call(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> (u16, Value) {
        let (status, text) = self.call_text(method, path, key, body.map(|body| body.to_string()));
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub fn call_text(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: Option<String>,
    ) -> (u16, String) {
        let request = ureq::http::Request::builder().method(method).uri(self.base.clone() + path);
        let request = match key {
            "" => request,
            key => request.header("authorization", format!("Bearer {key}")),
        };
        let (status, _, text) = self.run(request, body);
        (status, text)
    }

    /// Status of a request, whose answer may never end.
    pub fn status(&self, method: &str, path: &str, key: &str, body: Option<&str>) -> u16 {
        let request = ureq::http::Request::builder().method(method).uri(self.base.clone() + path);
        let request = match key {
            "" => request,
            key => request.header("authorization", format!("Bearer {key}")),
        };
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        answer.unwrap().status().as_u16()
    }

    /// A request with these headers; status, headers and body of the answer.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> (u16, ureq::http::HeaderMap, String) {
        let uri = self.base.clone() + path;
        let request = ureq::http::Request::builder().method(method).uri(uri);
        let with = |request: ureq::http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        self.run(headers.iter().fold(request, with), body.map(str::to_owned))
    }

    fn run(
        &self,
        request: ureq::http::request::Builder,
        body: Option<String>,
    ) -> (u16, ureq::http::HeaderMap, String) {
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap();
        let body = answer.body_mut().with_config().limit(1 << 30);
        let text = body.read_to_string().unwrap();
        (answer.status().as_u16(), answer.headers().clone(), text)
    }

    /// A request without a body; status and bytes of the answer.
    pub fn call_bytes(&self, method: &str, path: &str, key: &str) -> (u16, Vec<u8>) {
        let request = ureq::http::Request::builder().method(method).uri(self.base.clone() + path);
        let request = request.header("authorization", format!("Bearer {key}"));
        let mut answer = agent().run(request.body(()).unwrap()).unwrap();
        let bytes = answer.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        (answer.status().as_u16(), bytes)
    }

    /// Makes the demo site.
    pub fn make_site(&self) {
        let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND"});
        assert_eq!(self.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    }

    /// Sends frames of the test shard.
    pub fn frames(&self, first: u64, frames: &[Vec<u8>]) -> (u16, Value) {
        let last = first + frames.len() as u64 - 1;
        let head = FramesHead { shard: SHARD, epoch: EPOCH, first, last, backlog: None };
        self.signed(&head, &frames.concat(), SECRET).unwrap()
    }

    /// Sends a frames request as it is; none if the connection broke.
    pub fn signed(&self, head: &FramesHead<'_>, body: &[u8], secret: &str) -> Option<(u16, Value)> {
        let mut request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}/v1/frames", self.base))
            .header("content-type", "application/cbor")
            .header(header::SHARD, head.shard)
            .header(header::EPOCH, head.epoch)
            .header(header::FIRST, head.first.to_string())
            .header(header::LAST, head.last.to_string())
            .header(header::SIGNATURE, sign::frames(secret, head, body));
        if let Some(Backlog { head, left }) = head.backlog {
            request = request.header(header::HEAD, head).header(header::LEFT, left);
        }
        let mut answer = self.agent.run(request.body(body).unwrap()).ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&text).unwrap()))
    }

    /// The rows of a query over everything.
    pub fn query(&self, metrics: &[&str], dimensions: &[&str]) -> Vec<(Vec<String>, Vec<Value>)> {
        let query = json!({
            "site_id": "demo", "metrics": metrics, "dimensions": dimensions, "date_range": "all",
        });
        let (status, answer) = self.call("POST", "/v1/query", ADMIN, Some(query));
        assert_eq!(status, 200, "{answer}");
        rows(&answer)
    }
}

/// Rows of an answer.
pub fn rows(answer: &Value) -> Vec<(Vec<String>, Vec<Value>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |row: &Value| {
        let dimensions = row["dimensions"].as_array().unwrap().iter().map(text).collect();
        (dimensions, row["metrics"].as_array().unwrap().clone())
    };
    answer["results"].as_array().unwrap().iter().map(row).collect()
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)));
    config.build().into()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The only file in a folder below the data folder whose name ends so, the last by name.
pub fn last_file(dir: &Path, ending: &str) -> PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().ends_with(ending)).max().unwrap()
}
