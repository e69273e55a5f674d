//! Requests to a running aggregator.

use std::io::Read;
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take to begin, or to go on.
const PATIENCE: Duration = Duration::from_mins(5);

/// Which aggregator, and with what key.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// URL of the aggregator.
    #[arg(long, env = "EDGETALLY_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The key; without it EDGETALLY_ADMIN_KEY. Better in the environment than on the line.
    #[arg(long, env = "EDGETALLY_KEY", hide_env_values = true)]
    pub key: Option<String>,
}

/// Why there is no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answered.
    #[error("{url} does not answer: {error}")]
    Away {
        /// Where.
        url: String,
        /// Why.
        error: String,
    },
    /// It was refused.
    #[error("{status} {code}: {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// The problem's detail.
        detail: String,
    },
}

impl Target {
    /// Asks; the body is read by the caller.
    ///
    /// # Errors
    /// If nobody answers, or with something else than 2xx.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<impl Read + use<>, ClientError> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let away = |error: &dyn std::fmt::Display| ClientError::Away {
            url: self.url.clone(),
            error: error.to_string(),
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(PATIENCE));
        let agent: ureq::Agent = config.build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        let key = self.key.clone().or_else(|| std::env::var("EDGETALLY_ADMIN_KEY").ok());
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let text = body.map(Value::to_string).unwrap_or_default();
        let request = request.header("content-type", "application/json").body(text);
        let request = request.map_err(|error| away(&error))?;
        let answer = agent.run(request).map_err(|error| away(&error))?;
        let status = answer.status();
        let mut body = answer.into_body();
        if status.is_success() {
            return Ok(body.into_reader());
        }
        let text = body.read_to_string().unwrap_or_default();
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let member = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let (status, code, detail) = (status.as_u16(), member("code"), member("detail"));
        Err(ClientError::Refused { status, code, detail })
    }

    /// Asks for JSON; an answer without a body is null.
    ///
    /// # Errors
    /// As [`Target::ask`], or if the answer is no JSON.
    pub fn json(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let mut text = String::new();
        let broken = |error: std::io::Error| ClientError::Away {
            url: self.url.clone(),
            error: error.to_string(),
        };
        self.ask(method, path, body)?.read_to_string(&mut text).map_err(broken)?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| broken(error.into()))
    }
}
