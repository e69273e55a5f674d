//! The real aggregator as a process of its own, to be killed and started again.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::dev::within;
use crate::http;
use crate::peer::SECRET;

const ADMIN_KEY: &str = "ak_of_tests";
const START_LIMIT: Duration = Duration::from_mins(1);

/// An aggregator on a port and a folder that it keeps between its lives.
pub struct Aggregator {
    port: u16,
    data: PathBuf,
    child: Option<Child>,
}

impl Aggregator {
    /// Starts it on a folder and a free port.
    pub fn start(data: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut aggregator = Self { port, data: data.to_path_buf(), child: None };
        aggregator.start_again()?;
        Ok(aggregator)
    }

    /// Starts it again on the same port and folder, and waits until it is ready.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "it runs");
        fs::create_dir_all(&self.data)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.data.with_extension("log"))
            .context("its log")?;
        let child = Command::new(program())
            .arg("serve")
            .env("EDGETALLY_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("EDGETALLY_DATA", &self.data)
            .env("EDGETALLY_ADMIN_KEY", ADMIN_KEY)
            .env("EDGETALLY_EDGE_SECRET", SECRET)
            .env_remove("EDGETALLY_SOAK")
            .env_remove("EDGETALLY_XTASK")
            .env_remove("EDGETALLY_DEV_JSON")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("edgetally is not built")?;
        self.child = Some(child);
        let ready = self.url("/readyz");
        within("the aggregator", START_LIMIT, || {
            Ok(http::get(&ready).ok().filter(|answer| answer.status == 200).map(|_| ()))
        })
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Takes a backup and gives its file.
    pub fn back_up(&self) -> Result<PathBuf> {
        let made = self.call("POST", "/v1/backup", &Value::Null)?;
        Ok(made["path"].as_str().context("a path")?.into())
    }

    /// Kills it, and goes on at the same port from a backup in another folder.
    pub fn move_to(&mut self, data: &Path, backup: &Path) -> Result<()> {
        self.kill()?;
        let mut restore = Command::new(program());
        restore.arg("restore").arg("--from").arg(backup).arg("--data").arg(data);
        let output = restore.output().context("edgetally is not built")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.data = data.to_path_buf();
        self.start_again()
    }

    /// The key that opens all of its routes.
    pub fn admin_key(&self) -> &str {
        ADMIN_KEY
    }

    /// Its URL with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Makes or changes a site.
    pub fn put_site(&self, site: &str, settings: &Value) -> Result<()> {
        self.call("PUT", &format!("/v1/sites/{site}"), settings).map(|_| ())
    }

    /// Makes a key of a site.
    pub fn create_key(&self, site: &str, kind: &str) -> Result<String> {
        let key = self.call("POST", "/v1/keys", &json!({"site": site, "kind": kind}))?;
        Ok(key["key"].as_str().context("a key")?.to_owned())
    }

    /// Asks for metrics of a site over all time.
    pub fn totals(&self, site: &str, metrics: &[&str]) -> Result<Value> {
        let query = json!({"site_id": site, "metrics": metrics, "date_range": "all"});
        let report = self.call("POST", "/v1/query", &query)?;
        Ok(report["results"][0]["metrics"].clone())
    }

    /// What it knows of the shards.
    pub fn edges(&self) -> Result<Value> {
        self.call("GET", "/v1/edges", &Value::Null)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let bearer = format!("Bearer {ADMIN_KEY}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http::send(method, &self.url(path), &headers, body.as_bytes())?;
        ensure!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        answer.json()
    }
}

fn program() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| crate::root().join("target")).join("debug/edgetally")
}

impl Drop for Aggregator {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
