//! `GET /v1/live`: server-sent events.

pub mod hub;
pub mod socket;

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream as Events;
use serde::Deserialize;

use super::App;
use super::access::Reader;
use super::openapi::OfSite;
use super::problem::Problem;
use hub::Listener;

/// From where on to listen.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct From {
    /// For who cannot send the header `Last-Event-ID`.
    last_event_id: Option<String>,
}

/// Begins to listen.
fn open(app: &App, reader: &Reader<From>, headers: &HeaderMap) -> Result<Listener, Problem> {
    let last_id = last_id(headers, reader.asked.last_event_id.as_deref())?;
    let listener = Listener::open(app, &reader.site.id, &reader.caller, last_id);
    listener.ok_or_else(Problem::unknown_site)
}

/// The number of the last message heard.
fn last_id(headers: &HeaderMap, parameter: Option<&str>) -> Result<Option<u64>, Problem> {
    // A browser sends the header by itself when it comes back, and it is the newer one then.
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let (name, text) = match (header, parameter) {
        (Some(text), _) => ("Last-Event-ID", text),
        (None, Some(text)) => ("last_event_id", text),
        (None, None) => return Ok(None),
    };
    let wrong = |_| Problem::invalid(name, "this is no number of a message");
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
}

/// The stream of a site, as server-sent events.
#[utoipa::path(
    get, path = "/v1/live", tag = "live",
    params(
        OfSite, From,
        (
            "last-event-id" = Option<String>, Header,
            description = "the last `id:` that was seen; what was missed comes first",
        ),
    ),
    security(("read" = [])),
    responses(
        (
            status = 200, description = "one message a line of `data:`, JSON", body = String,
            content_type = "text/event-stream",
        ),
    ),
)]
pub async fn get(
    State(app): State<App>,
    reader: Reader<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Events<Item = Result<Event, Infallible>>>, Problem> {
    let listener = open(&app, &reader, &headers)?;
    // A reader that is too slow is dropped: it comes back with its last id.
    let events = futures_util::stream::unfold(listener, |mut listener| async move {
        let message = listener.next().await.ok()?;
        let event = Event::default().id(message.id.to_string()).data(&*message.data);
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
