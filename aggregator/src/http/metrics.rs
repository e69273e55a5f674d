//! `GET /metrics`: for Prometheus. No sales figures: it takes no key.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::{App, now_ms};
use crate::store::engine::Stage;
use crate::view::{EdgeState, View};

/// What is counted of requests.
#[derive(Debug, Default)]
pub struct Metrics {
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
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
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
