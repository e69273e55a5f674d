//! `GET /metrics`: for Prometheus. No sales figures: it takes no key.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request as HttpRequest, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::export::EXPORTS_MAX;
use super::reconcile::schedule;
use super::{App, now_ms};
use crate::reconcile::plan;
use crate::store::engine::Stage;
use crate::store::{files, room};
use crate::view::{EdgeState, View};

/// A request by what it asked and how it ended; the route as it is written down, never an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

/// Seconds; targets are 5 and 50 ms.
const BOUNDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How long requests took.
#[derive(Debug, Clone)]
pub struct Times(Family<Request, Histogram, fn() -> Histogram>);

impl Default for Times {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(BOUNDS)))
    }
}

/// What is counted of requests.
#[derive(Debug, Default)]
pub struct Metrics {
    /// How long they took.
    pub times: Times,
    /// Requests with a frame of a version not known here.
    pub unsupported: AtomicU64,
    /// Readers of the live stream.
    pub live_readers: AtomicU64,
    /// Readers dropped because they were too slow.
    pub live_dropped: AtomicU64,
}

/// Numbers for Prometheus; no sales figures.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (
            status = 200, description = "OpenMetrics text", body = String,
            content_type = "application/openmetrics-text",
        ),
    ),
)]
pub async fn get(State(app): State<App>) -> Response {
    let mut registry = Registry::with_prefix("edgetally");
    let view = app.engine.shared.view.load();
    edges(&mut registry, &view);
    let is_ready = i64::from(app.engine.shared.stage() == Stage::Ready);
    gauge(&mut registry, "ready", "1 once the state is back", is_ready);
    let lagging = i64::try_from(view.lagging(now_ms()).len()).unwrap_or(i64::MAX);
    gauge(&mut registry, "shards_lagging", "Shards with a backlog that fell silent", lagging);
    let syncs = *app.engine.shared.syncs.lock().unwrap_or_else(PoisonError::into_inner);
    counter(&mut registry, "log_syncs", "Ticks made durable", syncs.count);
    counter(&mut registry, "log_bytes", "Bytes written to the log", syncs.bytes);
    registry.register(
        "log_sync_seconds",
        "Time spent writing and syncing the log",
        ConstCounter::new(syncs.seconds),
    );
    let load = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
    let unsupported = load(&app.metrics.unsupported);
    counter(&mut registry, "frames_unsupported", "Requests with a later version", unsupported);
    let readers = i64::try_from(load(&app.metrics.live_readers)).unwrap_or(i64::MAX);
    gauge(&mut registry, "live_readers", "Readers of the live stream", readers);
    let dropped = load(&app.metrics.live_dropped);
    counter(&mut registry, "live_readers_dropped", "Live readers that were too slow", dropped);
    let times = app.metrics.times.0.clone();
    registry.register("request_seconds", "From a request to the head of its answer", times);
    let dirty = view.sites.values().map(|site| site.daily.dirty().len()).sum::<usize>();
    let dirty = i64::try_from(dirty).unwrap_or(i64::MAX);
    gauge(&mut registry, "orders_dirty_days", "Days of orders that wait for a rebuild", dirty);
    reconciliations(&mut registry, &app, &view);
    resources(&mut registry, &app);
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Measures a request; what is no route has no name.
#[expect(clippy::disallowed_methods, reason = "the time of a request is measured")]
pub async fn measure(State(app): State<App>, request: HttpRequest, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    // Methods are the caller's own words.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let started = Instant::now();
    let response = next.run(request).await;
    let labels = Request { method, route, status: response.status().as_u16() };
    app.metrics.times.0.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
    response
}

/// Hours that are compared with payments, and those that wait for it.
fn reconciliations(registry: &mut Registry, app: &App, view: &View) {
    let load = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
    let known = &app.reconciliations;
    counter(registry, "reconciliations", "Hours compared with payments", load(&known.runs));
    let help = "Tries to compare an hour with payments that failed";
    counter(registry, "reconciliation_failures", help, load(&known.failures));
    let now_ms = now_ms();
    let waiting = view.directory.sites.iter().map(|(site, entry)| {
        let plan = plan::plan(&entry.settings).ok().flatten();
        let due = |(plan, state)| schedule::due(entry, &plan, state, now_ms).len();
        plan.zip(view.sites.get(site)).map_or(0, |(plan, state)| due((plan, state.as_ref())))
    });
    let waiting = i64::try_from(waiting.sum::<usize>()).unwrap_or(i64::MAX);
    gauge(registry, "reconciliation_hours_waiting", "Hours still to be compared", waiting);
}

/// Memory, disk, and what is under way.
fn resources(registry: &mut Registry, app: &App) {
    let whole = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let shared = &app.engine.shared;
    gauge(registry, "disk_full", "1 while the disk has no room", shared.is_full().into());
    if let Ok(free) = room::free_bytes(&app.data) {
        gauge(registry, "disk_free_bytes", "Free where the data folder lies", whole(free));
    }
    for (part, name, help) in [
        ("log", "log_disk_bytes", "Segments of the log"),
        ("sled", "store_disk_bytes", "Checkpoints"),
        ("snapshot.bin", "snapshot_disk_bytes", "The plain snapshot"),
        ("backups", "backups_disk_bytes", "Backups in the data folder"),
    ] {
        gauge(registry, name, help, whole(files::bytes_below(&app.data.join(part))));
    }
    if let Some(bytes) = resident_bytes() {
        gauge(registry, "memory_bytes", "Resident memory", whole(bytes));
    }
    let exports = EXPORTS_MAX.saturating_sub(app.exports.available_permits());
    gauge(registry, "exports", "Exports under way", i64::try_from(exports).unwrap_or(i64::MAX));
    let now_ms = now_ms();
    if let Some(at_ms) = shared.view.load().watermark_ms(now_ms) {
        let age = (now_ms - at_ms).max(0);
        gauge(registry, "watermark_age_milliseconds", "How old the oldest numbers are", age);
    }
}

/// Where the system tells it.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn edges(registry: &mut Registry, view: &View) {
    let sum = |of: fn(&EdgeState) -> u64| view.edges.values().map(of).sum::<u64>();
    for (name, help, of) in [
        ("frames_applied", "Frames applied", (|e| e.tally.frames) as fn(&EdgeState) -> u64),
        ("frames_dead", "Frames that nobody could read", |e| e.tally.dead),
        ("events_accepted", "Events in applied frames", |e| e.tally.accepted),
        ("events_late_duplicates", "Events held already", |e| e.tally.late_duplicates),
        ("frame_gaps", "Frames refused because others were missing", |e| e.gaps),
        ("frame_replays", "Frames known already", |e| e.replays),
        ("frame_forks", "Frames that came with other bytes", |e| e.forks),
    ] {
        counter(registry, name, help, sum(of));
    }
    let lag = view.edges.values().map(|edge| edge.lag_ms).max().unwrap_or(0);
    gauge(registry, "shard_lag_milliseconds", "Largest lag of a shard's last frame", lag);
}
