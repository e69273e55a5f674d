//! `GET /v1/edges`: how far every shard has come.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::access::AnyReader;
use super::openapi::shapes;
use super::{App, now_ms};
use crate::view::{EdgeState, LAGGING_MS};
use crate::zone::Zone;

fn time(ms: i64) -> Option<String> {
    (ms > 0).then(|| Zone::default().rfc3339(ms))
}

/// Shards, and the sums over them: accepted = applied + late duplicates + dead + in flight.
#[utoipa::path(
    get, path = "/v1/edges", tag = "operations",
    security(("read" = [])),
    responses((status = 200, description = "how far every shard has come", body = shapes::Edges)),
)]
pub async fn get(State(app): State<App>, _: AnyReader) -> Json<Value> {
    let view = app.engine.shared.view.load();
    let now_ms = now_ms();
    let shards: Vec<Value> = view
        .edges
        .iter()
        .map(|(source, edge)| {
            json!({
                "shard": source.shard,
                "epoch": source.epoch.to_string(),
                "last_sequence": edge.last,
                "head_sequence": edge.head.max(edge.last),
                "in_flight": edge.left,
                "gaps": edge.gaps,
                "replays": edge.replays,
                "forks": edge.forks,
                "lag_ms": edge.lag_ms,
                "frames": edge.tally.frames,
                "dead": edge.tally.dead,
                "accepted": edge.tally.accepted,
                "late_duplicates": edge.tally.late_duplicates,
                "committed_at": time(edge.tally.committed_at_ms),
                "heard_at": time(edge.heard_at_ms),
                "lagging": edge.has_backlog && now_ms - edge.heard_at_ms > LAGGING_MS,
            })
        })
        .collect();
    let sum = |of: fn(&EdgeState) -> u64| view.edges.values().map(of).sum::<u64>();
    let (read, late) = (sum(|e| e.tally.accepted), sum(|e| e.tally.late_duplicates));
    let dead = sum(|e| e.tally.dead);
    // As each shard said with its last request; what it took since then it says with the next one.
    let in_flight = sum(|e| e.left);
    let totals = json!({
        "accepted": read + dead + in_flight,
        "applied": read - late,
        "late_duplicates": late,
        "dead": dead,
        "in_flight": in_flight,
    });
    Json(json!({"shards": shards, "totals": totals}))
}
