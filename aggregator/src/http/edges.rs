//! `GET /v1/edges`: how far every shard has come.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::access::AnyReader;
use super::openapi::shapes;
use super::{App, now_ms};
use crate::dedup::{Share, Source, Tally};
use crate::view::{EdgeState, LAGGING_MS};
use crate::zone::Zone;

fn time(ms: i64) -> Option<String> {
    (ms > 0).then(|| Zone::default().rfc3339(ms))
}

/// How far a shard has come, as far as the asker may know.
struct Shown {
    last: u64,
    head: u64,
    tally: Tally,
    /// None if it is not known whose they are.
    in_flight: Option<u64>,
    heard_at_ms: i64,
    /// From the commit of its last frame to its arrival.
    lag_ms: i64,
}

/// All of it.
fn whole(edge: &EdgeState) -> Shown {
    let head = edge.head.max(edge.last);
    let EdgeState { last, tally, heard_at_ms, lag_ms, .. } = *edge;
    Shown { last, head, tally, in_flight: Some(edge.left), heard_at_ms, lag_ms }
}

/// What it brought of one site. Whose the events are that it has not sent yet, nobody knows.
fn share(edge: &EdgeState, share: &Share, lag_ms: i64) -> Shown {
    let Share { last, tally } = *share;
    let in_flight = (edge.left == 0).then_some(0);
    Shown { last, head: last, tally, in_flight, heard_at_ms: 0, lag_ms }
}

fn row(source: &Source, edge: &EdgeState, shown: &Shown, now_ms: i64) -> Value {
    let Shown { last, head, tally, in_flight, heard_at_ms, lag_ms } = shown;
    json!({
        "shard": source.shard,
        "epoch": source.epoch.to_string(),
        "last_sequence": last,
        "head_sequence": head,
        "in_flight": in_flight,
        "gaps": edge.gaps,
        "replays": edge.replays,
        "forks": edge.forks,
        "lag_ms": lag_ms,
        "frames": tally.frames,
        "dead": tally.dead,
        "accepted": tally.accepted,
        "late_duplicates": tally.late_duplicates,
        "committed_at": time(tally.committed_at_ms),
        "heard_at": time(*heard_at_ms),
        "lagging": edge.has_backlog && now_ms - edge.heard_at_ms > LAGGING_MS,
    })
}

/// The sums of what is shown. What is in flight is as each shard said with its last request: what
/// it took since then it says with the next one.
fn totals(shown: &[(&Source, &EdgeState, Shown)]) -> Value {
    let sum = |of: fn(&Tally) -> u64| shown.iter().map(|(.., shown)| of(&shown.tally)).sum::<u64>();
    let (read, late) = (sum(|tally| tally.accepted), sum(|tally| tally.late_duplicates));
    let dead = sum(|tally| tally.dead);
    let in_flight: Option<u64> = shown.iter().map(|(.., shown)| shown.in_flight).sum();
    json!({
        "accepted": read + dead + in_flight.unwrap_or(0),
        "applied": read - late,
        "late_duplicates": late,
        "dead": dead,
        "in_flight": in_flight,
    })
}

/// Shards, and the sums over them: accepted = applied + late duplicates + dead + in flight. A key
/// of one site among several sees what the shards brought of it.
#[utoipa::path(
    get, path = "/v1/edges", tag = "operations",
    security(("read" = [])),
    responses((status = 200, description = "how far every shard has come", body = shapes::Edges)),
)]
pub async fn get(State(app): State<App>, reader: AnyReader) -> Json<Value> {
    let view = app.engine.shared.view.load();
    let own = reader.caller.own_site().filter(|_| view.directory.sites.len() > 1);
    let shown: Vec<(&Source, &EdgeState, Shown)> = match own {
        None => view.edges.iter().map(|(source, edge)| (source, edge, whole(edge))).collect(),
        Some(site) => {
            let lag_ms = view.sites.get(site).map_or(0, |site| site.lag_ms);
            let of_site = view.shares.iter().filter(|((whose, _), _)| whose == site);
            let known = of_site.filter_map(|((_, source), of)| {
                view.edges.get(source).map(|edge| (source, edge, share(edge, of, lag_ms)))
            });
            known.collect()
        }
    };
    let now_ms = now_ms();
    let rows = shown.iter().map(|(source, edge, shown)| row(source, edge, shown, now_ms));
    Json(json!({"shards": rows.collect::<Vec<_>>(), "totals": totals(&shown)}))
}
