//! `GET /api/stats` and `GET /api/stats/cities`, of the key's own site unless another is named.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::App;
use super::access::OwnReader;
use super::openapi::{MaybeOfSite, shapes};
use super::problem::Problem;
use super::query::answer;
use crate::query::course;

/// Revenue, orders and their mean value, in the currency of the site.
#[utoipa::path(
    get, path = "/api/stats", tag = "queries",
    params(MaybeOfSite),
    security(("read" = [])),
    responses((status = 200, description = "the numbers", body = shapes::CourseTotals)),
)]
pub async fn get(
    State(app): State<App>,
    OwnReader { site, .. }: OwnReader,
) -> Result<Json<Value>, Problem> {
    answer(&app, move |view, now_ms| course::totals(view, &site.id, now_ms)).await
}

/// Revenue by city, the largest first.
#[utoipa::path(
    get, path = "/api/stats/cities", tag = "queries",
    params(MaybeOfSite),
    security(("read" = [])),
    responses((status = 200, description = "the cities", body = Vec<shapes::CourseCity>)),
)]
pub async fn cities(
    State(app): State<App>,
    OwnReader { site, .. }: OwnReader,
) -> Result<Json<Value>, Problem> {
    answer(&app, move |view, now_ms| course::cities(view, &site.id, now_ms)).await
}
