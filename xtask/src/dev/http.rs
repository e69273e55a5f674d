//! Small HTTP requests to the parts on this machine.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ureq::Agent;

/// An agent that stays on this machine, whatever proxy the environment names.
fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

/// Whether a GET answers 200 within a second.
pub fn answers(url: &str) -> bool {
    agent(Duration::from_secs(1)).get(url).call().is_ok_and(|answer| answer.status() == 200)
}

/// Sends JSON with a key and returns the JSON of a successful answer.
pub fn send_json(method: &str, url: &str, key: &str, body: &Value) -> Result<Value> {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("Authorization", format!("Bearer {key}"))
        .header("Content-Type", "application/json")
        .body(body.to_string())
        .with_context(|| format!("{method} {url}"))?;
    let mut answer =
        agent(Duration::from_secs(10)).run(request).with_context(|| format!("{method} {url}"))?;
    let text = answer.body_mut().read_to_string().with_context(|| format!("{method} {url}"))?;
    let status = answer.status();
    ensure!(status.is_success(), "{method} {url} answered {status}: {text}");
    serde_json::from_str(&text).with_context(|| format!("{method} {url} answered {text}"))
}
