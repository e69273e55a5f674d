//! Parts of a request whose refusals look like every other one.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use edgetally_proto::limits::FRAMES_BYTES_MAX;
use serde::de::DeserializeOwned;
use tokio_stream::StreamExt;

use super::problem::Problem;

/// Bytes of a body that is refused which are still read.
const DRAIN_BYTES_MAX: usize = 4 * FRAMES_BYTES_MAX;

/// A whole body of at most [`FRAMES_BYTES_MAX`]. What is beyond that is read too, within reason,
/// and dropped: a sender that is still sending when the connection closes never sees the answer.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let mut stream = request.into_body().into_data_stream();
        let (mut body, mut bytes) = (Vec::new(), 0usize);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| Problem::invalid("body", error.to_string()))?;
            bytes = bytes.saturating_add(chunk.len());
            if bytes <= FRAMES_BYTES_MAX {
                body.extend_from_slice(&chunk);
            } else if bytes > DRAIN_BYTES_MAX {
                break;
            }
        }
        if bytes > FRAMES_BYTES_MAX {
            let detail = format!("the body exceeds {FRAMES_BYTES_MAX} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
        }
        Ok(Self(body.into()))
    }
}

/// The parameters behind the question mark.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        let problem = |text: String| {
            // The reader names the parameter before the colon.
            let text = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, rest)| rest);
            let (field, detail) = text.split_once(": ").unwrap_or(("query", text));
            Problem::invalid(field, detail)
        };
        read.map(|Query(value)| Self(value)).map_err(|rejection| problem(rejection.body_text()))
    }
}
