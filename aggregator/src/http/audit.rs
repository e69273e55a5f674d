//! `GET /v1/audit`: who changed what, the newest first.

use axum::Json;
use axum::extract::State;
use edgetally_proto::ids::SiteId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Admin;
use super::extract::Params;
use super::openapi::shapes;
use super::problem::Problem;
use super::{App, list};
use crate::audit::Note;
use crate::zone::Zone;

/// Which part of the list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Only what concerns a site, whether there still is one of that name or not.
    site: Option<String>,
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

fn row(note: &Note) -> Value {
    json!({
        "at": Zone::default().rfc3339(note.at_ms),
        "who": note.who,
        "act": note.act,
        "site": note.site,
        "about": note.about,
    })
}

/// Who changed what, the newest first.
#[utoipa::path(
    get, path = "/v1/audit", tag = "administration",
    params(Part),
    security(("admin" = [])),
    responses(
        (
            status = 200, description = "a page, the newest first",
            body = shapes::Page<shapes::Note>,
        ),
    ),
)]
pub async fn get(
    State(app): State<App>,
    _: Admin,
    Params(part): Params<Part>,
) -> Result<Json<Value>, Problem> {
    let site: Option<SiteId> =
        part.site.as_deref().map(|text| list::site(Some(text))).transpose()?;
    let limit = list::limit(part.limit.as_deref())?;
    let after = part.after.as_deref().map(str::parse::<u64>).transpose();
    let after = after.map_err(|_| Problem::invalid("after", "this is not what next said"))?;
    let view = app.engine.shared.view.load_full();
    let is_asked = |note: &Note| site.is_none() || note.site == site;
    let mut notes = view.audit.newest(after).filter(|(_, note)| is_asked(note));
    let page: Vec<(u64, Value)> =
        notes.by_ref().take(limit).map(|(number, note)| (number, row(note))).collect();
    let last = page.last().map(|(number, _)| number.to_string());
    let next = if notes.next().is_some() { last } else { None };
    let results: Vec<Value> = page.into_iter().map(|(_, row)| row).collect();
    Ok(Json(json!({"results": results, "next": next})))
}
