//! `POST /v1/query` and `POST /v1/funnel`.

use axum::Json;
use axum::extract::State;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::{NamesSite, ReaderTold};
use super::openapi::{MaybeOfSite, shapes};
use super::problem::Problem;
use super::{App, now_ms};
use crate::query::{self, QueryError, funnel, plausible, request::Request};
use crate::view::View;

/// Reads a JSON body; an error names the member.
///
/// # Errors
/// If it is no JSON, or not of this type.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader);
    let value = read.map_err(|error| {
        // A question mark stands for a member whose name was not read.
        let path = error.path().to_string();
        let path = path.trim_end_matches('?').trim_end_matches('.');
        Problem::invalid(if path.is_empty() { "body" } else { path }, error.inner().to_string())
    })?;
    reader.end().map_err(|error| Problem::invalid("body", error.to_string()))?;
    Ok(value)
}

/// Reads a JSON body in which every member counts; one that is not known is an error.
///
/// # Errors
/// If it is no JSON, not of this type, or has a member that the type has not.
pub fn json_strict<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let value = json(body)?;
    let mut unknown = None;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_ignored::deserialize(&mut reader, |path| {
        unknown.get_or_insert_with(|| path_text(&path));
    });
    let _same: T = read.map_err(|error| Problem::invalid("body", error.to_string()))?;
    match unknown {
        Some(path) => Err(Problem::invalid(&path, "there is no such member")),
        None => Ok(value),
    }
}

/// A path as `a.b[0].c`.
fn path_text(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", path_text(parent)),
        Path::Map { parent, key } => match path_text(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => path_text(parent),
    }
}

impl NamesSite for Request {
    fn site(&self) -> Option<&str> {
        Some(self.site_id.as_str())
    }
}

impl NamesSite for funnel::Request {
    fn site(&self) -> Option<&str> {
        Some(self.site_id.as_str())
    }
}

/// Answers a query.
#[utoipa::path(
    post, path = "/v1/query", tag = "queries",
    params(MaybeOfSite),
    request_body = Request,
    security(("read" = [])),
    responses(
        (status = 200, description = "the report", body = shapes::Report),
        (
            status = 404, description = "`unknown_site`: there is no such site",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 422,
            description = "`unsupported_combination` names the pair; `range_too_fine`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn post(
    State(app): State<App>,
    ReaderTold { asked, .. }: ReaderTold<Request>,
) -> Result<Json<Value>, Problem> {
    answer(&app, move |view, now_ms| query::answer(view, &asked, now_ms)).await
}

impl NamesSite for plausible::Request {
    fn site(&self) -> Option<&str> {
        Some(self.site_id.as_str())
    }
}

/// Answers a query as Plausible's Stats API v2 does, errors included.
#[utoipa::path(
    post, path = "/api/v2/query", tag = "queries",
    params(MaybeOfSite),
    request_body = plausible::Request,
    security(("read" = [])),
    responses(
        (status = 200, description = "the report", body = shapes::PlausibleReport),
        (
            status = 404, description = "`unknown_site`: there is no such site",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 422,
            description = "`unsupported_combination` names the pair; `range_too_fine`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn post_plausible(
    State(app): State<App>,
    told: Result<ReaderTold<plausible::Request>, Problem>,
) -> Result<Json<Value>, Problem> {
    let ReaderTold { asked, .. } = told.map_err(Problem::with_error)?;
    let answered = answer(&app, move |view, now_ms| plausible::answer(view, &asked, now_ms)).await;
    answered.map_err(Problem::with_error)
}

/// Answers a funnel.
#[utoipa::path(
    post, path = "/v1/funnel", tag = "queries",
    params(MaybeOfSite),
    request_body = funnel::Request,
    security(("read" = [])),
    responses(
        (status = 200, description = "the funnel", body = shapes::Funnel),
        (
            status = 404, description = "`unknown_site`: there is no such site",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 422,
            description = "`unsupported_combination` names the pair; `range_too_fine`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn post_funnel(
    State(app): State<App>,
    ReaderTold { asked, .. }: ReaderTold<funnel::Request>,
) -> Result<Json<Value>, Problem> {
    answer(&app, move |view, now_ms| funnel::answer(view, &asked, now_ms)).await
}

/// Works out an answer from the snapshot of this moment, beside the threads of requests.
pub(super) async fn answer(
    app: &App,
    work: impl FnOnce(&View, i64) -> Result<Value, QueryError> + Send + 'static,
) -> Result<Json<Value>, Problem> {
    let view = app.engine.shared.view.load_full();
    let now_ms = now_ms();
    let answered = tokio::task::spawn_blocking(move || work(&view, now_ms));
    let answer = answered.await.map_err(|error| {
        let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "fatal", error.to_string())
    })?;
    Ok(Json(answer?))
}
