//! `/v1/links`: public links, which open the reports of one site to whoever has them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use edgetally_proto::ids::SiteId;
use edgetally_proto::sign::key_hash;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{Admin, AdminTold, NamesSite, Site};
use super::admin::{self, Page};
use super::auth::random_hex;
use super::extract::{Named, Params};
use super::openapi::{MaybeOfSite, shapes};
use super::problem::Problem;
use super::{App, login, now_ms};
use crate::audit::Act;
use crate::directory::{AdminWrite, Link};
use crate::zone::Zone;

/// Whose reports.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    site: Option<String>,
}

impl NamesSite for NewLink {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

/// The address to hand on. What opens it stands behind `#`, which browsers send to nobody.
fn url(app: &App, headers: &HeaderMap, site: &SiteId, token: &str) -> String {
    let scheme = if login::is_secure(app, headers) { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let base = host.map(|host| format!("{scheme}://{host}")).unwrap_or_default();
    format!("{base}/#site={site}&key={token}")
}

fn row(link: &Link) -> Value {
    json!({"id": link.id, "site": link.site, "created_at": Zone::default().rfc3339(link.at_ms)})
}

/// Makes a public link. What opens it is shown in this answer and never again.
#[utoipa::path(
    post, path = "/v1/links", tag = "administration",
    params(MaybeOfSite),
    request_body = NewLink,
    security(("admin" = [])),
    responses((status = 200, description = "the link", body = shapes::MadeLink)),
)]
pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    AdminTold { caller, site, .. }: AdminTold<NewLink>,
) -> Result<Json<Value>, Problem> {
    Site::find(&app, site.clone())?;
    let token = format!("pl_{}", random_hex(32)?);
    let id = format!("link_{}", random_hex(8)?);
    let url = url(&app, &headers, &site, &token);
    let note = caller.note(Act::CreateLink, Some(&site), Some(id.clone()));
    let link = Link { id, hash: key_hash(&token), site, at_ms: now_ms() };
    let mut answer = row(&link);
    admin::write(&app, AdminWrite::PutLink(link), note).await?;
    answer["url"] = url.into();
    answer["token"] = token.into();
    Ok(Json(answer))
}

/// Public links, without what opens them.
#[utoipa::path(
    get, path = "/v1/links", tag = "administration",
    params(Page),
    security(("admin" = [])),
    responses((status = 200, description = "a page, by id", body = shapes::Page<shapes::Link>)),
)]
pub async fn get(
    State(app): State<App>,
    _: Admin,
    Params(part): Params<Page>,
) -> Result<Json<Value>, Problem> {
    let view = app.engine.shared.view.load();
    admin::page(&part, view.directory.links.values().map(|link| (link.id.clone(), row(link))))
}

/// Revokes a public link.
#[utoipa::path(
    delete, path = "/v1/links/{id}", tag = "administration",
    params(("id" = String, Path)),
    security(("admin" = [])),
    responses(
        (status = 204, description = "it opens nothing any more"),
        (
            status = 404, description = "`not_found`: there is no such link",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn delete(
    State(app): State<App>,
    Admin { caller, .. }: Admin,
    Named(id): Named,
) -> Result<StatusCode, Problem> {
    let view = app.engine.shared.view.load_full();
    let link = view.directory.links.get(&id);
    let link = link.ok_or_else(|| Problem::not_found("there is no such link"))?;
    let note = caller.note(Act::DeleteLink, Some(&link.site), Some(id.clone()));
    admin::write(&app, AdminWrite::DeleteLink { id }, note).await?;
    Ok(StatusCode::NO_CONTENT)
}
