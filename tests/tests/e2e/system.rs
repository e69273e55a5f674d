//! What the end-to-end tests share: one running system, a site of one's own, questions to it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

/// Settings that reach the edge are in force after this long at most.
pub const SETTINGS_LIMIT: Duration = Duration::from_secs(2);
/// What was accepted is in the aggregator after this long at most, on a machine that also builds.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);
/// Nothing may change any more once the numbers are right: the shards send about once a second.
const SETTLING: Duration = Duration::from_millis(2_500);

/// The system that tests share as long as one of them uses it.
pub fn shared() -> Arc<Dev> {
    static SHARED: Mutex<Weak<Dev>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(dev) = shared.upgrade() {
        return dev;
    }
    let dev = Arc::new(Dev::start().expect("the system gets ready"));
    *shared = Arc::downgrade(&dev);
    dev
}

/// A site of a test's own, with its keys.
pub struct Site {
    pub id: String,
    pub write_key: String,
    pub server_key: String,
}

impl Site {
    /// Makes a site and waits until the worker knows it, which may take two seconds and no more.
    pub fn create(dev: &Dev, id: &str, settings: &Value) -> Self {
        put_settings(dev, id, settings);
        let site = Self {
            id: id.to_owned(),
            write_key: create_key(dev, id, "write"),
            server_key: create_key(dev, id, "server"),
        };
        let probe = json!({"site": id, "events": []});
        within("the worker to know a new site", SETTINGS_LIMIT, || {
            let answer = dev.collect(Some(&site.server_key), &probe)?;
            Ok((answer.status == 202).then_some(()))
        })
        .expect("known in time");
        site
    }

    /// Sends events with the server key and returns the body of the 202.
    pub fn send(&self, dev: &Dev, events: &[Value]) -> Value {
        let batch = json!({"site": self.id, "sent_at": now_ms(), "events": events});
        let answer = dev.collect(Some(&self.server_key), &batch).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json().expect("a 202 has a body")
    }

    /// Asks for metrics over all time; one row for each value of the dimensions.
    pub fn query(&self, dev: &Dev, metrics: &[&str], dimensions: &[&str]) -> Vec<Row> {
        self.query_range(dev, metrics, dimensions, "all")
    }

    /// Asks for metrics of a range; one row for each value of the dimensions.
    pub fn query_range(
        &self,
        dev: &Dev,
        metrics: &[&str],
        dimensions: &[&str],
        range: &str,
    ) -> Vec<Row> {
        let query = json!({
            "site_id": self.id, "metrics": metrics, "date_range": range, "dimensions": dimensions,
        });
        let url = dev.aggregator("/v1/query");
        let answer = http::post_json(&url, Some(dev.text("admin_key")), &query);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let report = answer.json().expect("a report");
        let rows = report["results"].as_array().expect("results").clone();
        rows.into_iter().map(Row).collect()
    }

    /// The numbers of one row over all time.
    pub fn totals(&self, dev: &Dev, metrics: &[&str]) -> Value {
        match self.query(dev, metrics, &[]).as_slice() {
            [row] => row.0["metrics"].clone(),
            rows => panic!("{} rows without dimensions", rows.len()),
        }
    }

    /// Events by name over all time, names without events left out.
    pub fn events_by_name(&self, dev: &Dev) -> BTreeMap<String, i64> {
        let rows = self.query(dev, &["events"], &["event:name"]);
        let counted = rows.iter().map(|row| (row.dimension(0), row.count(0)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Waits until the totals are as expected, and sees that they stay so.
    pub fn expect_totals(&self, dev: &Dev, metrics: &[&str], expected: &Value) {
        let mut last = Value::Null;
        let reached = within("the expected totals", ARRIVAL_LIMIT, || {
            last = self.totals(dev, metrics);
            Ok((last == *expected).then_some(()))
        });
        assert!(reached.is_ok(), "{metrics:?} are {last}, not {expected}");
        thread::sleep(SETTLING);
        assert_eq!(self.totals(dev, metrics), *expected, "{metrics:?} changed afterwards");
    }
}

/// A row of a report.
#[derive(Debug)]
pub struct Row(Value);

impl Row {
    /// The value of a dimension.
    pub fn dimension(&self, at: usize) -> String {
        self.0["dimensions"][at].as_str().expect("a dimension").to_owned()
    }

    /// An amount of a currency without decimals, the only one of its list.
    pub fn money(&self, at: usize, currency: &str) -> i64 {
        let list = &self.0["metrics"][at];
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
        assert_eq!(list[0]["currency"], json!(currency));
        list[0]["amount"].as_str().and_then(|text| text.parse().ok()).expect("an amount")
    }

    /// A metric that counts.
    pub fn count(&self, at: usize) -> i64 {
        self.0["metrics"][at].as_i64().expect("a count")
    }
}

/// Creates or replaces a site.
pub fn put_settings(dev: &Dev, id: &str, settings: &Value) {
    let url = dev.aggregator(&format!("/v1/sites/{id}"));
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let answer = http::send("PUT", &url, &headers, settings.to_string().as_bytes());
    let answer = answer.expect("an answer");
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

/// Makes a key of a site.
pub fn create_key(dev: &Dev, site: &str, kind: &str) -> String {
    let body = json!({"site": site, "kind": kind});
    let answer = http::post_json(&dev.aggregator("/v1/keys"), Some(dev.text("admin_key")), &body);
    let answer = answer.expect("an answer");
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    let key = answer.json().expect("a key");
    key["key"].as_str().expect("a key").to_owned()
}

/// Epoch milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292278994")
}

/// Whether the long runs are asked for, at full numbers.
pub fn is_soak() -> bool {
    std::env::var_os("EDGETALLY_SOAK").is_some_and(|value| value == "1")
}

/// Starts `edgetally simulate` against a site.
pub fn start_simulate(dev: &Dev, site: &Site, flags: &[&str]) -> Child {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(std::path::PathBuf::from);
    let target = target.unwrap_or_else(|| edgetally_tests::root().join("target"));
    Command::new(target.join("debug/edgetally"))
        .args(["simulate", "--edge", &dev.edge(""), "--site", &site.id])
        .args(flags)
        .env("EDGETALLY_SERVER_KEY", &site.server_key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("edgetally is built")
}

/// Waits for the simulator's end and returns what it says it sent.
pub fn finish_simulate(child: Child) -> Value {
    let started = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "after {:?}: {told}", started.elapsed());
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// Waits until the aggregator's numbers are those that the simulator says were stored.
pub fn expect_as_simulated(dev: &Dev, site: &Site, sent: &Value) {
    let of = |name: &str| sent[name].clone();
    let metrics =
        ["events", "orders", "revenue", "visitors", "payments_succeeded", "payments_failed"];
    let expected = Value::Array(metrics.iter().map(|name| of(name)).collect());
    site.expect_totals(dev, &metrics, &expected);
    let by_name: BTreeMap<String, i64> =
        serde_json::from_value(of("by_name")).expect("events by name");
    assert_eq!(site.events_by_name(dev), by_name);
}

/// Nothing in the worker's log may speak of a panic.
pub fn assert_no_panic(dev: &Dev) {
    let path = dev.data().join("logs/worker.log");
    let log = std::fs::read_to_string(&path).expect("the worker's log");
    for word in ["panicked", "RuntimeError", "unreachable", "Uncaught"] {
        let line = log.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "in {}", path.display());
    }
}
