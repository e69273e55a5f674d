//! Parts of a request whose refusals look like every other one.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A whole body, within the limit of the router.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            let detail = rejection.body_text();
            match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
                }
                _ => Problem::invalid("body", detail),
            }
        })
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
