//! `GET /v1/orders/daily`, `POST /v1/orders/rebuild`, `GET /v1/jobs`, `GET /v1/orders/validate`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::compare::compare;
use super::jobs;
use crate::http::access::{AdminTold, AnyReader, NamesSite, Reader, Site};
use crate::http::extract::Named;
use crate::http::facts::blocking;
use crate::http::openapi::{MaybeOfSite, OfSite, shapes};
use crate::http::problem::Problem;
use crate::http::{App, list, now_ms};
use crate::orders::daily::Day;
use crate::orders::rebuild::days_between;
use crate::orders::statistics::{Ask, By, Page, Period, Row, rows};
use crate::presence::Days;
use crate::view::SiteView;

/// Differences that an answer lists.
const DIFFERENCES_MAX: usize = 1_000;

/// Which days.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Range {
    /// A local date or an instant, in.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
}

/// The first and the last day of a range; of one without ends, those that have orders.
fn days(site: &SiteView, from: Option<&str>, to: Option<&str>) -> Result<(Day, Day), Problem> {
    let (from, to) = list::ends(from, to, &site.zone)?;
    let dirty = site.daily.dirty();
    let changed = dirty.get_min().zip(dirty.get_max()).map(|(a, b)| (a.0, b.0));
    let spans = [site.daily.span(), changed].into_iter().flatten();
    let (first, last) = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0));
    let first = from.map_or(first, |ms| site.zone.day_of(ms));
    Ok((first, to.map_or(last, |ms| site.zone.day_of(ms - 1)).max(first)))
}

/// Which statistics.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// A local date or an instant, in.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
    /// Of one order platform only.
    platform: Option<String>,
    /// `platform`, `category`, `region`, or several of them with commas; `platform` without it.
    group_by: Option<String>,
    /// `day`, `week` or `month`; `day` without it.
    period: Option<String>,
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

impl Asked {
    fn ask(&self, site: &SiteView) -> Result<Ask, Problem> {
        let (first, last) = days(site, self.from.as_deref(), self.to.as_deref())?;
        let by = |name: &str| By::ALL.into_iter().find(|by| by.name() == name.trim());
        let group = self.group_by.as_deref().unwrap_or("platform");
        let mut by: Vec<By> = group.split(',').map(by).collect::<Option<_>>().ok_or_else(|| {
            Problem::invalid("group_by", "rows are grouped by platform, category or region")
        })?;
        by.sort();
        by.dedup();
        let period = self.period.as_deref().unwrap_or("day");
        let detail = "a period is day, week or month";
        let period = Period::parse(period).ok_or_else(|| Problem::invalid("period", detail))?;
        Ok(Ask { first, last, platform: self.platform.clone(), by, period })
    }

    /// How many rows were on the pages before.
    fn skipped(&self) -> Result<usize, Problem> {
        let wrong = |_| Problem::invalid("after", "this is not what next said");
        self.after.as_deref().map_or(Ok(0), |text| text.parse().map_err(wrong))
    }
}

/// A page of statistics.
#[derive(Debug, Serialize)]
pub struct Statistics {
    results: Vec<Row>,
    next: Option<String>,
    dirty_days: usize,
}

/// Statistics of orders by day, week or month.
#[utoipa::path(
    get, path = "/v1/orders/daily", tag = "orders",
    params(OfSite, Asked),
    security(("read" = [])),
    responses((status = 200, description = "a page", body = shapes::DailyPage)),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<Asked>,
) -> Result<Json<Statistics>, Problem> {
    let view = site.view(&app);
    let (ask, skipped) = (asked.ask(&view)?, asked.skipped()?);
    let limit = list::limit(asked.limit.as_deref())?;
    let dirty = view.daily.dirty().len();
    let page = Page { skip: skipped, limit };
    let (results, has_more) = blocking(move || rows(&view, &ask, page, now_ms())).await?;
    let next = has_more.then(|| skipped.saturating_add(limit).to_string());
    Ok(Json(Statistics { results, next, dirty_days: dirty }))
}

/// What to rebuild.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = Rebuild)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    #[serde(alias = "site_id")]
    site: Option<String>,
    /// A local date or an instant, in; without both ends the days that changed.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
}

impl NamesSite for Rebuild {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

/// Works days out again from the orders: those of a range, or those that changed.
#[utoipa::path(
    post, path = "/v1/orders/rebuild", tag = "orders",
    params(MaybeOfSite),
    request_body = Rebuild,
    security(("admin" = [])),
    responses((status = 202, description = "the job", body = shapes::JobStarted)),
)]
pub async fn rebuild(
    State(app): State<App>,
    AdminTold { site, asked, .. }: AdminTold<Rebuild>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let site = Site::find(&app, site)?;
    let view = site.view(&app);
    let days = if asked.from.is_none() && asked.to.is_none() {
        view.daily.dirty().keys().copied().collect()
    } else {
        let (first, last) = days(&view, asked.from.as_deref(), asked.to.as_deref())?;
        days_between(&view.daily, first, last)
    };
    let job = jobs::start(&app, site.id, days);
    Ok((StatusCode::ACCEPTED, Json(json!({"job": job}))))
}

/// How far a job is.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "orders",
    params(("id" = String, Path, description = "`job` of the answer that started it")),
    security(("read" = [])),
    responses(
        (status = 200, description = "the job", body = shapes::Job),
        (
            status = 404, description = "`not_found`: there is no such job since the last start",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn job(
    State(app): State<App>,
    reader: AnyReader,
    Named(id): Named,
) -> Result<Json<Value>, Problem> {
    let job = app.jobs.get(&id).ok_or_else(|| Problem::not_found("there is no such job"))?;
    reader.caller.on(job.site())?;
    let site = Site::find(&app, job.site().clone())?;
    Ok(Json(job.json(&site.zone)))
}

/// Jobs of a site since the last start, the newest first.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "orders",
    params(OfSite),
    security(("read" = [])),
    responses((status = 200, description = "the newest 100", body = shapes::Page<shapes::Job>)),
)]
pub async fn all_jobs(
    State(app): State<App>,
    Reader { site, .. }: Reader,
) -> Result<Json<Value>, Problem> {
    let jobs: Vec<Value> = app.jobs.of(&site.id).iter().map(|job| job.json(&site.zone)).collect();
    Ok(Json(json!({"results": jobs, "next": null})))
}

/// Statistics against the orders: every number that is different.
#[utoipa::path(
    get, path = "/v1/orders/validate", tag = "orders",
    params(OfSite, Range),
    security(("read" = [])),
    responses((status = 200, description = "what differs", body = shapes::Validation)),
)]
pub async fn validate(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<Range>,
) -> Result<Json<Value>, Problem> {
    let view = site.view(&app);
    let (first, last) = days(&view, asked.from.as_deref(), asked.to.as_deref())?;
    let days = days_between(&view.daily, first, last);
    let count = days.len();
    let (differences, orders) = blocking(move || compare(&view, &days)).await?;
    let listed = differences.iter().flat_map(crate::orders::rebuild::Difference::rows);
    let listed: Vec<Value> = listed.take(DIFFERENCES_MAX).collect();
    Ok(Json(json!({
        "valid": differences.is_empty(),
        "days": count,
        "orders": orders,
        "differences": listed,
    })))
}
