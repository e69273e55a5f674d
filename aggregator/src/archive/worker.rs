//! The bucket of a worker, by its signed routes.

use std::time::{Duration, SystemTime};

use edgetally_proto::archive::{Listing, ROUTE};
use edgetally_proto::sign::{archive_request, header};

use super::bucket::{Bucket, BucketError, Only};
use crate::address::encoded;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_mins(2);
/// Pauses before a request that got no answer, or a passing refusal, is sent again.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
];
/// Largest object that is read.
const OBJECT_BYTES_MAX: u64 = 256 << 20;

/// A worker's bucket.
#[derive(Debug)]
pub struct Worker {
    base: String,
    secret: String,
    agent: ureq::Agent,
}

struct Answer {
    status: u16,
    etag: String,
    body: Vec<u8>,
}

#[expect(clippy::disallowed_methods, reason = "requests are signed with the time")]
fn now_ms() -> i64 {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

fn path_of(name: &str) -> String {
    let parts: Vec<String> = name.split('/').map(|part| encoded(part).to_string()).collect();
    format!("{ROUTE}/{}", parts.join("/"))
}

impl Worker {
    /// The bucket of the worker at a URL.
    #[must_use]
    pub fn new(base: &str, secret: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(TIMEOUT));
        let agent = config.build().into();
        Self { base: base.trim_end_matches('/').to_owned(), secret: secret.to_owned(), agent }
    }

    /// Asks until there is an answer that is no passing refusal.
    fn ask(
        &self,
        method: &str,
        target: &str,
        extra: Option<(&str, &str)>,
        body: Option<&[u8]>,
    ) -> Result<Answer, BucketError> {
        let mut pauses = PAUSES.iter();
        loop {
            let said = match self.attempt(method, target, extra, body) {
                Ok(answer) if answer.status < 500 && answer.status != 429 => return Ok(answer),
                Ok(answer) => format!("status {}", answer.status),
                Err(error) => error.to_string(),
            };
            let Some(pause) = pauses.next() else {
                return Err(BucketError(format!("{method} {}{target}: {said}", self.base)));
            };
            tracing::warn!(method, target, said, "asking the worker again");
            std::thread::sleep(*pause);
        }
    }

    fn attempt(
        &self,
        method: &str,
        target: &str,
        extra: Option<(&str, &str)>,
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let at_ms = now_ms();
        let bytes = body.unwrap_or_default();
        let signature = archive_request(&self.secret, method, target, at_ms, bytes);
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.base))
            .header(header::AT, at_ms.to_string())
            .header(header::SIGNATURE, signature);
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        let mut answer = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok());
        let etag = etag.unwrap_or_default().trim_matches('"').to_owned();
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(OBJECT_BYTES_MAX).read_to_vec()?;
        Ok(Answer { status, etag, body })
    }

    fn refused(&self, method: &str, target: &str, answer: &Answer) -> BucketError {
        let said = String::from_utf8_lossy(&answer.body);
        let said = said.chars().take(300).collect::<String>();
        BucketError(format!("{method} {}{target}: {} {said}", self.base, answer.status))
    }
}

impl Bucket for Worker {
    fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, BucketError> {
        let mut target = format!("{ROUTE}?prefix={}", encoded(prefix));
        if let Some(cursor) = cursor {
            target.push_str(&format!("&cursor={}", encoded(cursor)));
        }
        let answer = self.ask("GET", &target, None, None)?;
        if answer.status != 200 {
            return Err(self.refused("GET", &target, &answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| BucketError(format!("GET {}{target}: {error}", self.base)))
    }

    fn get(&self, name: &str) -> Result<Option<(Vec<u8>, String)>, BucketError> {
        let target = path_of(name);
        let answer = self.ask("GET", &target, None, None)?;
        // Without a bucket the worker answers 404 too, but to the list before it as well.
        match answer.status {
            200 => Ok(Some((answer.body, answer.etag))),
            404 => Ok(None),
            _ => Err(self.refused("GET", &target, &answer)),
        }
    }

    fn put(&self, name: &str, body: &[u8], only: Only<'_>) -> Result<bool, BucketError> {
        let target = path_of(name);
        let extra = match only {
            Only::Always => None,
            Only::Absent => Some(("If-None-Match", "*")),
            Only::Unchanged(etag) => Some(("If-Match", etag)),
        };
        let answer = self.ask("PUT", &target, extra, Some(body))?;
        match answer.status {
            200..=299 => Ok(true),
            412 => Ok(false),
            _ => Err(self.refused("PUT", &target, &answer)),
        }
    }

    fn delete(&self, name: &str) -> Result<(), BucketError> {
        let target = path_of(name);
        let answer = self.ask("DELETE", &target, None, None)?;
        match answer.status {
            200..=299 | 404 => Ok(()),
            _ => Err(self.refused("DELETE", &target, &answer)),
        }
    }
}
