//! Hours that were compared with payments: the list, and what did not match in one of them.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::access::{Reader, Site};
use super::super::extract::Named;
use super::super::openapi::{OfSite, shapes};
use super::super::problem::Problem;
use super::super::{App, facts, list, now_ms};
use super::schedule;
use crate::reconcile::plan;

/// How the comparison by schedule stands; null if the settings ask for none.
fn state(app: &App, site: &Site) -> Value {
    let Ok(Some(plan)) = plan::plan(&site.settings) else { return Value::Null };
    let view = app.engine.shared.view.load();
    let entry = view.directory.sites.get(&site.id);
    let hours =
        entry.map_or_else(Vec::new, |entry| schedule::due(entry, &plan, &site.view(app), now_ms()));
    let waits = app.reconciliations.waits(&site.id);
    json!({
        "limit_percent": crate::alerts::measure::text(plan.limit),
        "hours_waiting": hours.len(),
        "waits": waits.map(|waits| json!({
            "error": waits.error,
            "since": site.zone.rfc3339(waits.since_ms),
            "tries": waits.tries,
            "again_at": site.zone.rfc3339(waits.again_at_ms),
        })),
    })
}

/// Hours that were compared with payments, the newest first.
#[utoipa::path(
    get, path = "/v1/reconciliations", tag = "orders",
    params(OfSite, list::Page),
    security(("read" = [])),
    responses((status = 200, description = "a page", body = shapes::Reconciliations)),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<list::Page>,
) -> Result<Json<Value>, Problem> {
    let limit = list::limit(asked.limit.as_deref())?;
    let after = asked.after.as_deref().map(str::parse::<u64>).transpose();
    let after = after.map_err(|_| Problem::invalid("after", "this is not what next said"))?;
    let view = site.view(&app);
    let rows = view.alerts.runs.rows().iter().rev();
    let mut rows = rows.filter(|(number, _)| after.is_none_or(|after| **number < after));
    let part: Vec<_> = rows.by_ref().take(limit).collect();
    let last = part.last().map(|(number, _)| number.to_string());
    let next = if rows.next().is_some() { last } else { None };
    let results: Vec<Value> = part.iter().map(|(_, run)| run.json(&site.zone)).collect();
    Ok(Json(json!({"results": results, "next": next, "schedule": state(&app, &site)})))
}

/// How one is shown.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Form {
    /// `json`, or `csv` for the rows that do not match.
    format: Option<String>,
}

/// One hour that was compared; as CSV, every row that does not match.
#[utoipa::path(
    get, path = "/v1/reconciliations/{id}", tag = "orders",
    params(OfSite, Form, ("id" = String, Path)),
    security(("read" = [])),
    responses(
        (status = 200, description = "the hour", body = shapes::HourReconciled),
        (
            status = 404, description = "`not_found`: no such hour, or its file is kept no more",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn one(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<Form>,
    Named(id): Named,
) -> Result<Response, Problem> {
    let view = site.view(&app);
    let run = view.alerts.runs.rows().values().find(|run| run.id() == id);
    let run = run.ok_or_else(|| Problem::not_found("this hour was not compared"))?;
    match asked.format.as_deref() {
        None | Some("json") => Ok(Json(run.json(&site.zone)).into_response()),
        Some("csv") => {
            let path = schedule::file(&app.data, &site.id, run);
            let text = facts::blocking(move || std::fs::read(path)).await?;
            let gone = "its file is kept no more: POST /v1/reconcile compares the hour again";
            let text = text.map_err(|_| Problem::not_found(gone))?;
            Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
        }
        Some(_) => Err(Problem::invalid("format", "a format is json or csv")),
    }
}
