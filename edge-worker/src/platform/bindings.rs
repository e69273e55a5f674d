//! Names of bindings and objects, each declared once.

use edgetally_proto::ids::{Epoch, Mark};
use edgetally_proto::limits::ARCHIVE_AFTER_MS;
use worker::js_sys::Uint8Array;
use worker::{Bucket, Env, Headers, Method, Request, RequestInit, Response, Result, Stub};

/// Durable Objects that hold a share of the clients.
const SHARD: &str = "SHARD";
/// Durable Objects that hold token buckets.
const LIMITER: &str = "LIMITER";
/// The Durable Object that holds the last signed settings.
const DIRECTORY: &str = "DIRECTORY";
/// The bucket of the raw archive and of frames; the worker runs without it too.
const ARCHIVE: &str = "ARCHIVE";
/// After how many seconds what was committed goes to the bucket.
const ARCHIVE_SECONDS: &str = "ARCHIVE_SECONDS";
/// Where the aggregator listens.
const AGGREGATOR_URL: &str = "AGGREGATOR_URL";
/// What frames and settings are signed with.
const EDGE_SECRET: &str = "EDGE_SECRET";

/// Buckets are spread over this many objects for each site.
const LIMITERS: u64 = 8;

/// The path on which a shard takes events.
pub const ADMIT: &str = "/admit";
/// The header in which a shard says of each record whether it was new: `1` or `0`.
pub const NEWS: &str = "Edgetally-News";
/// The path on which a shard is woken.
pub const WAKE: &str = "/wake";

/// The URL of a route of the aggregator.
pub fn aggregator_url(env: &Env, path: &str) -> Result<String> {
    let base = env.var(AGGREGATOR_URL)?.to_string();
    Ok(format!("{}{path}", base.trim_end_matches('/')))
}

/// The edge secret.
pub fn edge_secret(env: &Env) -> Result<String> {
    Ok(env.secret(EDGE_SECRET)?.to_string())
}

/// The bucket, if there is one.
pub fn bucket(env: &Env) -> Option<Bucket> {
    env.bucket(ARCHIVE).ok()
}

/// After how many milliseconds what was committed goes to the bucket.
pub fn archive_after_ms(env: &Env) -> i64 {
    let seconds = env.var(ARCHIVE_SECONDS).ok().and_then(|text| text.to_string().parse().ok());
    seconds.map_or(ARCHIVE_AFTER_MS, |seconds: u32| i64::from(seconds) * 1_000)
}

/// The name of a new epoch.
pub fn epoch() -> Result<Epoch> {
    Ok(Epoch(random()?))
}

/// What tells the next object of the bucket apart from all others.
pub fn mark() -> Result<Mark> {
    Ok(Mark(random()?))
}

/// The shard with a name, made near its region when it is first met.
pub fn shard(env: &Env, name: &str) -> Result<Stub> {
    let region = name.split('|').nth(1).unwrap_or_default();
    env.durable_object(SHARD)?.get_by_name_with_location_hint(name, region)
}

/// Binding, name and region of a shard, as [`super::glue::ask`] takes them.
pub fn shard_of(name: &str) -> (&'static str, &str, Option<&str>) {
    (SHARD, name, name.split('|').nth(1))
}

/// Binding and name of the limiter that holds the bucket of a key.
pub fn limiter(site: &str, key: &str) -> (&'static str, String) {
    let part = xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % LIMITERS;
    (LIMITER, format!("v1|{site}|{part}"))
}

/// The directory.
pub fn directory(env: &Env) -> Result<Stub> {
    env.durable_object(DIRECTORY)?.get_by_name("v1|directory")
}

/// Posts bytes to a URL.
pub fn post(url: &str, headers: Headers, body: &[u8]) -> Result<Request> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_body(Some(Uint8Array::from(body).into()));
    Request::new_with_init(url, &init)
}

/// Posts bytes to a path of an object.
pub async fn call(stub: &Stub, path: &str, body: &[u8]) -> Result<Response> {
    stub.fetch_with_request(post(&format!("https://object{path}"), Headers::new(), body)?).await
}

/// Epoch milliseconds by the platform's clock, which stands still between two I/O operations.
#[expect(clippy::disallowed_methods, reason = "the one clock of the worker")]
pub fn now_ms() -> i64 {
    worker::js_sys::Date::now() as i64
}

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|error| worker::Error::RustError(error.to_string()))?;
    Ok(bytes)
}
