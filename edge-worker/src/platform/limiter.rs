//! The limiter object: token buckets of one site, exact because one object holds each of them.
//!
//! They live in memory only: an object that lost its memory was idle long enough for its buckets
//! to be full again.

use std::cell::RefCell;

use edgetally_proto::settings::Rate;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::bindings;
use super::glue;
use crate::collect::{Problem, Sender};
use crate::leases::Leases;
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

    /// Takes a token, and a few for the next requests if that was asked for; answers how long to
    /// wait in milliseconds, 0 if the request passes, and how many more were given.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (key, rate, may_lease): (String, Rate, bool) = request.json().await?;
        let now_ms = bindings::now_ms();
        let mut buckets = self.buckets.borrow_mut();
        let answer = match buckets.admit(&key, &rate, now_ms) {
            Admission::Admitted if may_lease => (0, buckets.lease(&key, now_ms)),
            Admission::Admitted => (0, 0),
            Admission::Limited { retry_after_ms } => (retry_after_ms, 0),
        };
        Response::from_json(&answer)
    }
}

thread_local! {
    /// What this isolate may decide by itself.
    static LEASES: RefCell<Leases> = RefCell::default();
}

/// Asks the limiter for a token; how long to wait in milliseconds, 0 if the request passes.
async fn take(env: &Env, site: &str, key: &str, rate: &Rate, may_lease: bool) -> Result<i64> {
    let (binding, name) = bindings::limiter(site, key);
    // Leases end by the time at which they were asked for, so never after the limiter's own end.
    let asked_at_ms = bindings::now_ms();
    let body = serde_json::to_vec(&(key, rate, may_lease))?;
    let answer = glue::ask(env, (binding, &name, None), "/take", &body).await?;
    let (wait_ms, more): (i64, u32) = serde_json::from_slice(&answer)?;
    let lease_key = format!("{site}|{key}");
    LEASES.with_borrow_mut(|leases| leases.keep(lease_key, wait_ms, more, asked_at_ms));
    Ok(wait_ms)
}

/// What this isolate decides by itself, if it may; else the limiter is asked.
async fn wait_ms(env: &Env, site: &str, key: &str, rate: &Rate, may_lease: bool) -> Result<i64> {
    let known =
        LEASES.with_borrow_mut(|leases| leases.take(&format!("{site}|{key}"), bindings::now_ms()));
    match known {
        Some(Admission::Admitted) => Ok(0),
        Some(Admission::Limited { retry_after_ms }) => Ok(retry_after_ms),
        None => take(env, site, key, rate, may_lease).await,
    }
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
    // Tokens of the site are never leased: all isolates use that bucket.
    let buckets = [
        (!sender.server_key).then_some((address.as_str(), &limits.per_address, true)),
        limits.per_site.as_ref().map(|rate| ("site", rate, false)),
    ];
    for (key, rate, may_lease) in buckets.into_iter().flatten() {
        match wait_ms(env, site, key, rate, may_lease).await {
            Ok(0) => {}
            Ok(wait_ms) => return Err(Problem::rate_limited(wait_ms)),
            Err(error) => return Err(Problem::overloaded(format!("limiter: {error}"))),
        }
    }
    Ok(())
}
