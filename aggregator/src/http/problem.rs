//! Errors as `application/problem+json` (RFC 9457).

use std::fmt;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::query::QueryError;
use crate::store::engine::Refusal;

/// An error as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    retry_after_ms: Option<u64>,
    /// Whether the text is there as `error` too.
    has_error: bool,
}

impl Problem {
    /// An error with a stable code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            retry_after_ms: None,
            has_error: false,
        }
    }

    /// A member of the request that is wrong.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
        Self { field: Some(field.into()), ..problem }
    }

    /// The same with its text as `error` too, where clients of Plausible look for it.
    #[must_use]
    pub fn with_error(self) -> Self {
        Self { has_error: true, ..self }
    }

    /// No key, or one that is not known.
    #[must_use]
    pub fn key_invalid() -> Self {
        let detail = "send a known key as Authorization: Bearer";
        Self::new(StatusCode::UNAUTHORIZED, "key_invalid", detail)
    }

    /// A key of another kind or site.
    pub fn key_forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "key_forbidden", detail)
    }

    /// A site that nobody has made.
    #[must_use]
    pub fn unknown_site() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_site", "there is no such site")
    }

    /// Something else that is not there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Something that may be tried again after some ms.
    pub fn rate_limited(detail: impl Into<String>, wait_ms: u64) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
        Self { retry_after_ms: Some(wait_ms), ..problem }
    }

    /// The disk takes nothing more.
    #[must_use]
    pub fn disk_full() -> Self {
        let detail = "the disk is full: nothing is taken until there is room; send it again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk_full", detail)
    }

    /// The program is starting or ending.
    #[must_use]
    pub fn not_ready() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "the state is being brought back")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        match error {
            QueryError::Invalid { field, detail } => Self::invalid(field, detail),
            QueryError::Unsupported { detail } => {
                Self::new(unprocessable, "unsupported_combination", detail)
            }
            QueryError::TooFine { detail } => Self::new(unprocessable, "range_too_fine", detail),
            QueryError::UnknownSite => Self::unknown_site(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotReady => Self::not_ready(),
            Refusal::Full => Self::disk_full(),
            Refusal::Overloaded => {
                let detail = "too many requests wait; send it again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:edgetally:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if self.has_error {
            body["error"] = body["detail"].clone();
        }
        if let Some(field) = self.field {
            body["field"] = field.into();
        }
        if let Some(wait_ms) = self.retry_after_ms {
            body["retry_after_ms"] = wait_ms.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(wait_ms) = self.retry_after_ms {
            headers.insert(header::RETRY_AFTER, wait_ms.div_ceil(1_000).max(1).into());
        } else if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
