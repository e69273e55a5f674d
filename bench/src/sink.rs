//! Stands in for the aggregator: hands out signed settings, acknowledges every frame, and counts
//! what came. It shares the core of the load, so that workerd is measured alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edgetally_bench_path::traffic::{KEY, SITE};
use edgetally_proto::edge_config::{EdgeConfig, EdgeKey, KeyKind};
use edgetally_proto::frame;
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::sign::{self, header};
use serde_json::json;
use tokio::net::TcpListener;

/// What signs frames and settings here.
pub const SECRET: &str = "the secret of a benchmark";

/// What came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Received {
    /// Requests.
    pub requests: u64,
    /// Frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records of events in them.
    pub records: u64,
    /// Frames that had come before, as after an acknowledgement that was lost.
    pub repeated: u64,
    /// Bodies that were no frames.
    pub damaged: u64,
}

/// What came, and the last number of each shard and epoch.
#[derive(Default)]
struct Books {
    received: Received,
    last: BTreeMap<(String, String), u64>,
}

/// The stand-in, running.
pub struct Sink {
    /// Where it listens.
    pub url: String,
    books: Arc<Mutex<Books>>,
}

impl Sink {
    /// Starts it on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let books = Arc::default();
        let config = Arc::new(serde_json::to_string(&config()?)?);
        let router = Router::new()
            .route("/v1/edge/config", get(move || settings(Arc::clone(&config))))
            .route("/v1/frames", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&books));
        // It runs until the driver ends.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, books })
    }

    /// What came so far.
    pub fn received(&self) -> Received {
        lock(&self.books).received
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

fn config() -> Result<EdgeConfig> {
    let site = SiteId::parse(SITE)?;
    let settings = SiteSettings { origins: vec!["*".to_owned()], ..SiteSettings::default() };
    let key = EdgeKey { hash: sign::key_hash(KEY), site: site.clone(), kind: KeyKind::Write };
    Ok(EdgeConfig { version: 1, sites: [(site, settings)].into(), keys: vec![key] })
}

async fn settings(config: Arc<String>) -> Response {
    let signature = sign::config_answer(SECRET, config.as_bytes());
    ([(header::SIGNATURE, signature)], config.as_str().to_owned()).into_response()
}

async fn take(State(books): State<Arc<Mutex<Books>>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let number = |name: &str| text(name).parse::<u64>().unwrap_or_default();
    let (first, last) = (number(header::FIRST), number(header::LAST));
    let mut books = lock(&books);
    let Books { received, last: known } = &mut *books;
    let known = known.entry((text(header::SHARD), text(header::EPOCH))).or_default();
    received.requests += 1;
    received.bytes += body.len() as u64;
    let mut rest = body.as_ref();
    for sequence in first..=last {
        let (Ok(head), Ok(batch)) = (frame::peek(rest), frame::decode(rest)) else {
            received.damaged += 1;
            break;
        };
        rest = rest.get(head.bytes..).unwrap_or_default();
        if sequence <= *known {
            received.repeated += 1;
            continue;
        }
        *known = sequence;
        received.frames += 1;
        received.records += batch.sites.iter().map(|site| site.records.len() as u64).sum::<u64>();
    }
    let limits = json!({"max_bytes": 4 << 20, "min_interval_ms": 50});
    let answer = json!({"acked": last, "keep_from": 1, "limits": limits, "config_version": 1});
    answer.to_string().into_response()
}
