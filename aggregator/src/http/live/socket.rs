//! `GET /v1/live/ws`: the live stream over a WebSocket.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::hub::{End, Listener};
use super::{From, open};
use crate::http::App;
use crate::http::access::Reader;
use crate::http::openapi::{OfSite, shapes};
use crate::http::problem::Problem;

/// The protocol that is spoken; browsers offer it beside their key.
const PROTOCOL: &str = "edgetally";
/// Silence is broken so often, both ways.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Heartbeats that may go without an answer.
const UNANSWERED_MAX: u8 = 2;
/// A message that takes longer to hand over has a reader who does not read.
const SEND_LIMIT: Duration = Duration::from_secs(15);
/// Nothing is expected from readers.
const MESSAGE_BYTES_MAX: usize = 4_096;

const CLOSE_AWAY: u16 = 1001;
const CLOSE_POLICY: u16 = 1008;
const CLOSE_AGAIN_LATER: u16 = 1013;

/// The stream of a site, over a WebSocket.
#[utoipa::path(
    get, path = "/v1/live/ws", tag = "live",
    params(OfSite, From),
    security(("read" = [])),
    responses(
        (status = 101, description = "one message a frame, the same JSON as of `/v1/live`"),
        (
            status = 426, description = "`upgrade_required`: this is no WebSocket handshake",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn get(
    State(app): State<App>,
    reader: Reader<From>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let listener = open(&app, &reader, &headers)?;
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", rejection.body_text())
    })?;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| speak(socket, listener)))
}

async fn speak(mut socket: WebSocket, mut listener: Listener) {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let mut unanswered = 0;
    loop {
        let frame = tokio::select! {
            message = listener.next() => match message {
                Ok(message) => Frame::text(&*message.data),
                Err(end) => {
                    // Who is gone is not told why.
                    let _ = send(&mut socket, Frame::Close(Some(close(end)))).await;
                    return;
                }
            },
            heard = socket.recv() => match heard {
                // What readers say means nothing, but that they are there.
                Some(Ok(_)) => {
                    unanswered = 0;
                    continue;
                }
                Some(Err(_)) | None => return,
            },
            _ = heartbeat.tick() => {
                if unanswered == UNANSWERED_MAX {
                    return;
                }
                unanswered += 1;
                Frame::Ping(axum::body::Bytes::new())
            }
        };
        if !send(&mut socket, frame).await {
            return;
        }
    }
}

/// Whether the reader took it in time.
async fn send(socket: &mut WebSocket, frame: Frame) -> bool {
    matches!(tokio::time::timeout(SEND_LIMIT, socket.send(frame)).await, Ok(Ok(())))
}

fn close(end: End) -> CloseFrame {
    let (code, reason) = match end {
        End::Slow => (CLOSE_AGAIN_LATER, "too slow; come back with last_event_id"),
        End::Forbidden => (CLOSE_POLICY, "the key opens this no more"),
        End::Over => (CLOSE_AWAY, "the stream has ended"),
    };
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
}
