//! The rules of a site, one by one; they stand in its settings.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::settings::SiteSettings;
use serde_json::{Value, json};

use super::super::access::{AdminOf, Reader, Site};
use super::super::admin;
use super::super::auth::Caller;
use super::super::extract::{Body, Named};
use super::super::openapi::{OfSite, shapes};
use super::super::problem::Problem;
use super::super::{App, query};
use super::GONE;
use crate::audit::Act;
use crate::directory::AdminWrite;

/// The rules of a site, as they are written in its settings.
#[utoipa::path(
    get, path = "/v1/alerts/rules", tag = "alerts",
    params(OfSite),
    security(("read" = [])),
    responses((status = 200, description = "all of them", body = shapes::Page<shapes::Rule>)),
)]
pub async fn get(State(app): State<App>, Reader { site, .. }: Reader) -> Json<Value> {
    let view = site.view(&app);
    let rows = site.settings.alerts.iter().map(|rule| {
        let name = rule["name"].as_str().unwrap_or_default();
        let mut row = rule.clone();
        row["is_firing"] = json!(view.alerts.standing(name).is_firing);
        row
    });
    Json(json!({"results": rows.collect::<Vec<Value>>(), "next": null}))
}

async fn write(app: &App, caller: &Caller, site: &Site, told: SiteSettings) -> Result<(), Problem> {
    admin::check(&told)?;
    let note = caller.note(Act::PutSite, Some(&site.id), Some("alerts".to_owned()));
    let (at_ms, settings) = (note.at_ms, Box::new(told));
    let write = AdminWrite::PutSite { site: site.id.clone(), settings, at_ms };
    admin::write(app, write, note).await.map(drop)
}

/// Makes a rule, or replaces the one of its name.
#[utoipa::path(
    put, path = "/v1/alerts/rules/{name}", tag = "alerts",
    params(OfSite, ("name" = String, Path)),
    request_body(
        content = std::collections::HashMap<String, Value>,
        description = "the rule; its name may be left out",
    ),
    security(("admin" = [])),
    responses((status = 200, description = "the rule", body = shapes::Rule)),
)]
pub async fn put(
    State(app): State<App>,
    AdminOf { caller, site, .. }: AdminOf,
    Named(name): Named,
    Body(body): Body,
) -> Result<Json<Value>, Problem> {
    let mut rule: Value = query::json(&body)?;
    if !rule.is_object() {
        return Err(Problem::invalid("body", "a rule is an object"));
    }
    if rule.get("name").is_some_and(|told| *told != json!(name)) {
        return Err(Problem::invalid("name", "the address has another name"));
    }
    rule["name"] = json!(name);
    let mut settings = site.settings.clone();
    match settings.alerts.iter_mut().find(|known| known["name"] == json!(name)) {
        Some(known) => *known = rule.clone(),
        None => settings.alerts.push(rule.clone()),
    }
    write(&app, &caller, &site, settings).await?;
    Ok(Json(rule))
}

/// Takes a rule away. If it fires it is resolved.
#[utoipa::path(
    delete, path = "/v1/alerts/rules/{name}", tag = "alerts",
    params(OfSite, ("name" = String, Path)),
    security(("admin" = [])),
    responses(
        (status = 204, description = "it is gone"),
        (
            status = 404, description = "`not_found`: there is no such rule",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn delete(
    State(app): State<App>,
    AdminOf { caller, site, .. }: AdminOf,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    let mut settings = site.settings.clone();
    let before = settings.alerts.len();
    settings.alerts.retain(|rule| rule["name"] != json!(name));
    if settings.alerts.len() == before {
        return Err(Problem::not_found("there is no such rule"));
    }
    write(&app, &caller, &site, settings).await?;
    Ok(GONE)
}
