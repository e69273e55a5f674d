//! The other side of a worker under test: answers like an aggregator, fails on demand, and keeps
//! books by the contract alone, so that it shares no code with the real one.

pub mod books;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edgetally_proto::edge_config::{EdgeConfig, EdgeKey, KeyKind};
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::sign::{self, Backlog, FramesHead, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use books::{Books, Source, Verdict};

/// What workers under test sign with.
pub const SECRET: &str = "a secret of tests";

/// What goes wrong with a request for frames.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is answered so and not looked at.
    Answer(u16, Value),
    /// It is never answered.
    Hang,
    /// It is taken, and the answer breaks off.
    AnswerLost,
    /// It is taken after this time.
    Slow(Duration),
}

/// What goes wrong with requests for settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConfigFault {
    /// Nothing.
    #[default]
    None,
    /// They are refused for now.
    Away,
    /// They are never answered.
    Hang,
    /// They are signed with another secret.
    Forged,
    /// They are signed and hold no settings.
    NoSettings,
}

#[derive(Default)]
struct Inner {
    config: EdgeConfig,
    config_fault: ConfigFault,
    books: Books,
    next: VecDeque<Fault>,
    standing: Option<Fault>,
    /// Shards with a request that has not ended.
    busy: BTreeSet<String>,
    /// Requests for frames, by what they were answered.
    answers: BTreeMap<u16, usize>,
}

type Shared = Arc<Mutex<Inner>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running peer. Dropping it closes its port.
pub struct Peer {
    url: String,
    shared: Shared,
    // An option, because a runtime is moved to be shut down.
    runtime: Option<Runtime>,
}

impl Peer {
    /// Starts a peer that knows no site yet, on a free port.
    pub fn start() -> Result<Self> {
        let shared = Shared::default();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/v1/frames", post(frames))
            .route("/v1/edge/config", get(config))
            .layer(axum::extract::DefaultBodyLimit::max(8 << 20))
            .with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, shared, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes or changes a site with the keys `wk_<site>` and `sk_<site>`; the worker hears of it
    /// when it asks.
    pub fn put_site(&self, site: &str, settings: SiteSettings) -> Result<()> {
        let id = SiteId::parse(site).context("a site id")?;
        let mut inner = lock(&self.shared);
        let config = &mut inner.config;
        if config.sites.insert(id.clone(), settings).is_none() {
            for (kind, prefix) in [(KeyKind::Write, "wk"), (KeyKind::Server, "sk")] {
                let hash = sign::key_hash(&format!("{prefix}_{site}"));
                config.keys.push(EdgeKey { hash, site: id.clone(), kind });
            }
        }
        config.version += 1;
        Ok(())
    }

    /// What goes wrong with requests for settings from now on.
    pub fn set_config(&self, fault: ConfigFault) {
        lock(&self.shared).config_fault = fault;
    }

    /// What goes wrong with every request for frames from now on.
    pub fn set(&self, fault: Fault) {
        let mut inner = lock(&self.shared);
        inner.next.clear();
        inner.standing = Some(fault);
    }

    /// What goes wrong with the next requests for frames, one each, before what is set.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.shared).next.extend(faults);
    }

    /// Faults of [`Self::next`] that no request met yet.
    pub fn faults_left(&self) -> usize {
        lock(&self.shared).next.len()
    }

    /// Falls back to the first so many frames of every numbering.
    pub fn forget_after(&self, count: usize) {
        lock(&self.shared).books.forget_after(count);
    }

    /// The books as they are now.
    pub fn books(&self) -> Books {
        lock(&self.shared).books.clone()
    }

    /// Requests for frames that were answered with a status; 0 stands for those never answered.
    pub fn answered(&self, status: u16) -> usize {
        lock(&self.shared).answers.get(&status).copied().unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Requests that hang are hanging on purpose.
            runtime.shutdown_background();
        }
    }
}

/// Notes that a shard has a request under way, until it is dropped.
struct UnderWay {
    shared: Shared,
    shard: String,
}

impl UnderWay {
    fn begin(shared: &Shared, shard: &str) -> Self {
        let mut inner = lock(shared);
        if !inner.busy.insert(shard.to_owned()) {
            let finding = format!("{shard} has two requests under way");
            inner.books.findings.push(finding);
        }
        Self { shared: Arc::clone(shared), shard: shard.to_owned() }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.shared).busy.remove(&self.shard);
    }
}

async fn frames(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let Some((source, first, last)) = read_head(&headers, &body) else {
        let finding = format!("a request that is not signed as it should be: {headers:?}");
        lock(&shared).books.findings.push(finding);
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let _under_way = UnderWay::begin(&shared, &source.0);
    let fault = {
        let mut inner = lock(&shared);
        let fault = inner.next.pop_front().or_else(|| inner.standing.clone());
        if fault == Some(Fault::Hang) {
            *inner.answers.entry(0).or_default() += 1;
        }
        fault.unwrap_or(Fault::None)
    };
    match &fault {
        Fault::Hang => std::future::pending().await,
        Fault::Slow(time) => tokio::time::sleep(*time).await,
        Fault::None | Fault::Answer(..) | Fault::AnswerLost => {}
    }
    let (status, answer) = match &fault {
        Fault::Answer(status, answer) => (*status, answer.clone()),
        _ => apply(&shared, &source, (first, last), &body),
    };
    *lock(&shared).answers.entry(status).or_default() += 1;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if fault == Fault::AnswerLost {
        let pieces = [Ok("{\"acked\":"), Err(io::Error::other("the line is cut"))];
        return Body::from_stream(tokio_stream::iter(pieces)).into_response();
    }
    (status, answer.to_string()).into_response()
}

fn apply(shared: &Shared, source: &Source, (first, last): (u64, u64), body: &[u8]) -> (u16, Value) {
    match lock(shared).books.take(source, first, last, body) {
        Ok(Verdict::Acked(acked)) => {
            let limits = json!({"max_bytes": 4 << 20, "min_interval_ms": 50});
            let answer =
                json!({"acked": acked, "keep_from": 1, "limits": limits, "config_version": 1});
            (200, answer)
        }
        Ok(Verdict::Expected(number)) => (409, json!({"expected": number})),
        Ok(Verdict::Fork) => (409, json!({"fork": true})),
        Err(error) => (400, json!({"detail": error})),
    }
}

/// Source and numbers of a request, if it is signed.
fn read_head(headers: &HeaderMap, body: &[u8]) -> Option<(Source, u64, u64)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (shard, epoch) = (text(header::SHARD)?, text(header::EPOCH)?);
    let first = text(header::FIRST)?.parse().ok()?;
    let last = text(header::LAST)?.parse().ok()?;
    let number = |name: &str| text(name).and_then(|digits| digits.parse().ok());
    let numbers = (number(header::HEAD), number(header::LEFT));
    let backlog = match numbers {
        (Some(head), Some(left)) => Some(Backlog { head, left }),
        _ => None,
    };
    let head = FramesHead { shard, epoch, first, last, backlog };
    let is_signed = sign::frames_verify(SECRET, &head, body, text(header::SIGNATURE)?);
    is_signed.then(|| ((shard.to_owned(), epoch.to_owned()), first, last))
}

async fn config(State(shared): State<Shared>) -> Response {
    let (fault, read) = {
        let inner = lock(&shared);
        (inner.config_fault, serde_json::to_vec(&inner.config))
    };
    let secret = if fault == ConfigFault::Forged { "another secret" } else { SECRET };
    let body = match (fault, read) {
        (ConfigFault::Hang, _) => std::future::pending().await,
        (ConfigFault::Away, _) | (_, Err(_)) => {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        (ConfigFault::NoSettings, Ok(_)) => b"no settings".to_vec(),
        (ConfigFault::None | ConfigFault::Forged, Ok(body)) => body,
    };
    ([(header::SIGNATURE, sign::config_answer(secret, &body))], body).into_response()
}
