//! The limiter object: token buckets of one site, exact because one object holds each of them.
//!
//! They live in memory only: an object that lost its memory was idle long enough for its buckets
//! to be full again.

use std::cell::RefCell;

use edgetally_proto::settings::Rate;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::bindings;
use crate::collect::{Problem, Sender};
use crate::rate_limit::{Admission, Buckets, bucket_of_address};

/// Buckets by key.
#[durable_object(fetch)]
pub struct Limiter {
    buckets: RefCell<Buckets>,
}

impl DurableObject for Limiter {
    fn new(_state: State, _env: Env) -> Self {
        Self { buckets: RefCell::default() }
    }

    /// Takes a token; answers how long to wait in milliseconds, 0 if the request passes.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let asked: (String, Rate) = request.json().await?;
        let (key, rate) = asked;
        let wait_ms = match self.buckets.borrow_mut().admit(&key, &rate, bindings::now_ms()) {
            Admission::Admitted => 0,
            Admission::Limited { retry_after_ms } => retry_after_ms,
        };
        Response::ok(wait_ms.to_string())
    }
}

async fn take(env: &Env, site: &str, key: &str, rate: &Rate) -> Result<i64> {
    let body = serde_json::to_vec(&(key, rate))?;
    let mut answer = bindings::call(&bindings::limiter(env, site, key)?, "/take", &body).await?;
    let text = answer.text().await?;
    text.parse().map_err(|_| worker::Error::RustError("the limiter answered no number".to_owned()))
}

/// Takes one token for a request, from the bucket of its address and from that of the site.
pub async fn admit(
    env: &Env,
    sender: &Sender<'_>,
    address: &str,
) -> std::result::Result<(), Problem> {
    let limits = &sender.settings.rate_limit;
    let site = sender.site.as_str();
    let address = format!("address|{}", bucket_of_address(address));
    let buckets = [
        (!sender.server_key).then_some((address.as_str(), &limits.per_address)),
        limits.per_site.as_ref().map(|rate| ("site", rate)),
    ];
    for (key, rate) in buckets.into_iter().flatten() {
        match take(env, site, key, rate).await {
            Ok(0) => {}
            Ok(wait_ms) => return Err(Problem::rate_limited(wait_ms)),
            Err(error) => return Err(Problem::overloaded(format!("limiter: {error}"))),
        }
    }
    Ok(())
}
