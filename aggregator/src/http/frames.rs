//! `POST /v1/frames` and `GET /v1/edge/config`: what goes between workers and aggregator.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edgetally_proto::ids::{Epoch, ShardName};
use edgetally_proto::limits::{FRAMES_BYTES_MAX, FRAMES_PER_REQUEST_MAX};
use edgetally_proto::sign::{self, Backlog, FramesHead};
use serde_json::json;
use tokio::sync::oneshot;

use super::extract::Body;
use super::openapi::shapes;
use super::problem::Problem;
use super::{App, now_ms};
use crate::apply::Outcome;
use crate::dedup::Source;
use crate::intake::{self, Intake};
use crate::store::engine::{Command, FramesReply};

/// Requests of one shard need not come faster than this.
const INTERVAL_MS: u32 = 50;

struct Head<'a> {
    source: Source,
    signed: FramesHead<'a>,
    signature: &'a str,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Problem> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| Problem::invalid(name, "the header is missing"))
}

fn head(headers: &HeaderMap) -> Result<Head<'_>, Problem> {
    let number = |name: &str| {
        let value = text(headers, name)?;
        value.parse::<u64>().map_err(|_| Problem::invalid(name, "is no number"))
    };
    let signature = headers.get(sign::header::SIGNATURE).and_then(|value| value.to_str().ok());
    let (shard, epoch) = (text(headers, sign::header::SHARD)?, text(headers, sign::header::EPOCH)?);
    let source = Source {
        shard: ShardName::parse(shard)
            .map_err(|error| Problem::invalid(sign::header::SHARD, error.to_string()))?,
        epoch: Epoch::parse(epoch)
            .ok_or_else(|| Problem::invalid(sign::header::EPOCH, "is not 32 hex digits"))?,
    };
    let (first, last) = (number(sign::header::FIRST)?, number(sign::header::LAST)?);
    let backlog = match headers.contains_key(sign::header::HEAD) {
        true => {
            let (head, left) = (number(sign::header::HEAD)?, number(sign::header::LEFT)?);
            Some(Backlog { head, left })
        }
        false => None,
    };
    let signed = FramesHead { shard, epoch, first, last, backlog };
    Ok(Head { source, signed, signature: signature.unwrap_or_default() })
}

/// Takes frames of a shard; answers only when they are durable.
#[utoipa::path(
    post, path = "/v1/frames", tag = "edge",
    params(
        ("Edgetally-Shard" = String, Header),
        ("Edgetally-Epoch" = String, Header),
        ("Edgetally-First" = u64, Header),
        ("Edgetally-Last" = u64, Header),
    ),
    request_body(
        content = Vec<u8>, content_type = "application/cbor",
        description = "1 to 64 frames, at most 4 MiB",
    ),
    security(("edge" = [])),
    responses(
        (status = 200, description = "durable up to `acked`", body = shapes::Acked),
        (
            status = 401, description = "`signature_invalid`", body = shapes::Problem,
            content_type = "application/problem+json",
        ),
        (
            status = 409,
            description = "`{expected}`: a number is missing before these; `{fork}`: other \
                bytes under a known number",
            body = std::collections::HashMap<String, serde_json::Value>,
        ),
        (
            status = 422, description = "the last frame could not be read and counts as dead",
            body = shapes::Acked,
        ),
        (
            status = 503, description = "`unsupported_version`, `not_ready` or `overloaded`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let Head { source, signed, signature } = head(&headers)?;
    if !sign::frames_verify(&app.edge_secret, &signed, &body, signature) {
        let detail = "the signature does not fit headers and body";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "signature_invalid", detail));
    }
    let (first, last, backlog) = (signed.first, signed.last, signed.backlog);
    // Reading a large body takes milliseconds, in which other requests go on.
    let read = tokio::task::spawn_blocking(move || intake::read(first, last, &body)).await;
    let intake = read
        .map_err(|error| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
        })?
        .map_err(|error| Problem::invalid("body", error.to_string()))?;
    let Intake { frames, unsupported } = intake;
    if let (Some(version), true) = (unsupported, frames.is_empty()) {
        app.metrics.unsupported.fetch_add(1, Ordering::Relaxed);
        let detail =
            format!("version {version} of the frame is not known here; upgrade this first");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "unsupported_version", detail));
    }
    let has_more = unsupported.is_some() || frames.len() == FRAMES_PER_REQUEST_MAX;
    let (reply, answer) = oneshot::channel();
    app.engine.send(Command::Frames { source, frames, has_more, backlog, reply })?;
    let reply = answer.await.map_err(|_| app.unanswered())?;
    Ok(respond(&reply))
}

fn respond(reply: &FramesReply) -> Response {
    let (status, body) = match reply.outcome {
        Outcome::Gap { expected } => (StatusCode::CONFLICT, json!({"expected": expected})),
        Outcome::Fork => (StatusCode::CONFLICT, json!({"fork": true})),
        Outcome::Acked | Outcome::Dead => {
            let is_dead = reply.outcome == Outcome::Dead;
            let status = if is_dead { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            (
                status,
                json!({
                    "acked": reply.acked,
                    "keep_from": reply.keep_from,
                    "limits": {"max_bytes": FRAMES_BYTES_MAX, "min_interval_ms": INTERVAL_MS},
                    "config_version": reply.config_version,
                }),
            )
        }
    };
    (status, Json(body)).into_response()
}

/// Settings and hashes of keys for the workers, signed both ways.
#[utoipa::path(
    get, path = "/v1/edge/config", tag = "edge",
    params(("Edgetally-At" = i64, Header, description = "epoch ms")),
    security(("edge" = [])),
    responses(
        (
            status = 200, description = "`Edgetally-Signature` signs it",
            body = std::collections::HashMap<String, serde_json::Value>,
        ),
        (
            status = 401, description = "`signature_invalid`", body = shapes::Problem,
            content_type = "application/problem+json",
        ),
    ),
)]
pub async fn config(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let at = text(&headers, sign::header::AT)?;
    let at_ms: i64 = at.parse().map_err(|_| Problem::invalid(sign::header::AT, "is no number"))?;
    let signature = headers.get(sign::header::SIGNATURE).and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default();
    if !sign::config_request_verify(&app.edge_secret, at_ms, now_ms(), signature) {
        let detail = "the signature does not fit, or the clocks are more than five minutes apart";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "signature_invalid", detail));
    }
    app.ready()?;
    let body = edge_config(&app)?;
    let signature = sign::config_answer(&app.edge_secret, &body);
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(signature) = HeaderValue::from_str(&signature) {
        headers.insert(sign::header::SIGNATURE, signature);
    }
    Ok(response)
}

/// Written once for each version: every shard asks each second.
fn edge_config(app: &App) -> Result<Bytes, Problem> {
    let view = app.engine.shared.view.load();
    let mut cached = app.edge_config.lock().unwrap_or_else(PoisonError::into_inner);
    if cached.as_ref().is_none_or(|(version, _)| *version != view.directory.version) {
        let json = serde_json::to_vec(&view.directory.edge_config());
        let json = json.map_err(|error| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
        })?;
        *cached = Some((view.directory.version, json.into()));
    }
    Ok(cached.as_ref().map(|(_, bytes)| bytes.clone()).unwrap_or_default())
}
