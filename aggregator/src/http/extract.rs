//! Parts of a request whose refusals look like every other one.

use axum::body::{Body as Stream, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
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

impl Body {
    /// Reads it to its end.
    ///
    /// # Errors
    /// If it is too large, or breaks off.
    pub async fn read(body: Stream) -> Result<Self, Problem> {
        let mut stream = body.into_data_stream();
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

/// Reads a body that nobody wants, within reason.
pub async fn drain(body: Stream) {
    let mut stream = body.into_data_stream();
    let mut bytes = 0usize;
    while let Some(Ok(chunk)) = stream.next().await {
        bytes = bytes.saturating_add(chunk.len());
        if bytes > DRAIN_BYTES_MAX {
            break;
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Self::read(request.into_body()).await
    }
}

/// The parameters behind the question mark.
pub struct Params<T>(pub T);

impl Params<()> {
    /// Takes one parameter out; gives its value and the text of the others.
    ///
    /// # Errors
    /// If it is said twice.
    pub fn split(query: &str, name: &str) -> Result<(Option<String>, String), Problem> {
        let mut rest = form_urlencoded::Serializer::new(String::new());
        let mut found = None;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if key != name {
                rest.append_pair(&key, &value);
            } else if found.replace(value.into_owned()).is_some() {
                return Err(Problem::invalid(name, "this is said twice"));
            }
        }
        Ok((found, rest.finish()))
    }
}

impl<T: DeserializeOwned> Params<T> {
    /// Reads the text behind the question mark.
    ///
    /// # Errors
    /// If a parameter is not known, or not what it should be; the problem names it.
    pub fn read(query: &str) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let reader = serde_urlencoded::Deserializer::new(pairs);
        serde_path_to_error::deserialize(reader).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let detail = error.inner().to_string();
            // The name of a parameter that is not known, or is missing, stands in the text only.
            let named = detail.split('`').nth(1).unwrap_or("query").to_owned();
            Problem::invalid(if path == "." || path == "?" { named } else { path }, detail)
        })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}

/// What the address names, decoded.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        read.map(|Path(name)| Self(name))
            .map_err(|rejection| Problem::invalid("path", rejection.body_text()))
    }
}
