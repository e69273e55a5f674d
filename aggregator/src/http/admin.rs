//! Sites and keys: what administrators write.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::channel::check_rules;
use edgetally_proto::edge_config::KeyKind;
use edgetally_proto::ids::SiteId;
use edgetally_proto::limits::SPREAD_MAX;
use edgetally_proto::settings::{HOME_REGIONS, SiteSettings};
use edgetally_proto::sign::key_hash;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::access::{Admin, AdminSent};
use super::auth::random_hex;
use super::extract::{Named, Params};
use super::openapi::shapes;
use super::problem::Problem;
use super::{App, query};
use crate::alerts::rule;
use crate::audit::{Act, Note};
use crate::directory::{AdminWrite, Key};
use crate::rates;
use crate::store::engine::Command;
use crate::zone::Zone;

/// Most custom parameters that can be kept.
const PARAMS_KEEP_MAX: usize = 20;
/// Longest name of one.
const PARAM_BYTES_MAX: usize = 64;
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
const KEY_BYTES: usize = 32;

/// Which part of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The last id of the part before.
    after: Option<String>,
}

/// Cuts a list, ordered by id, to the part that was asked for.
///
/// # Errors
/// If the limit is none.
pub fn page(
    page: &Page,
    rows: impl Iterator<Item = (String, Value)>,
) -> Result<Json<Value>, Problem> {
    let limit = page.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", format!("the limit is 1 to {LIMIT_MAX}")));
    }
    let is_after = |id: &str| page.after.as_deref().is_none_or(|after| id > after);
    let mut rest = rows.filter(|(id, _)| is_after(id));
    let part: Vec<(String, Value)> = rest.by_ref().take(limit).collect();
    let last = part.last().map(|(id, _)| id.clone());
    let next = if rest.next().is_some() { last } else { None };
    let results: Vec<Value> = part.into_iter().map(|(_, row)| row).collect();
    Ok(Json(json!({"results": results, "next": next})))
}

/// Makes a write durable, with the note of who did it, and gives the version after it.
///
/// # Errors
/// If the program takes none now.
pub async fn write(app: &App, write: AdminWrite, note: Note) -> Result<u64, Problem> {
    let (reply, version) = oneshot::channel();
    app.engine.send(Command::Write { write, note, reply })?;
    version.await.map_err(|_| Problem::not_ready())
}

fn site_id(text: &str) -> Result<SiteId, Problem> {
    SiteId::parse(text).map_err(|error| Problem::invalid("site", error.to_string()))
}

fn site_json(app: &App, site: &SiteId) -> Result<Value, Problem> {
    let view = app.engine.shared.view.load();
    let entry = view.directory.sites.get(site).ok_or_else(Problem::unknown_site)?;
    Ok(json!({"site": site, "version": entry.version, "settings": entry.settings}))
}

/// Sites with their settings.
#[utoipa::path(
    get, path = "/v1/sites", tag = "administration",
    params(Page),
    security(("admin" = [])),
    responses((status = 200, description = "a page, by name", body = shapes::Page<shapes::Site>)),
)]
pub async fn sites(
    State(app): State<App>,
    _: Admin,
    Params(part): Params<Page>,
) -> Result<Json<Value>, Problem> {
    let view = app.engine.shared.view.load();
    let rows = view.directory.sites.iter().map(|(site, entry)| {
        let row = json!({"site": site, "version": entry.version, "settings": entry.settings});
        (site.to_string(), row)
    });
    page(&part, rows)
}

/// A site with its settings.
#[utoipa::path(
    get, path = "/v1/sites/{site}", tag = "administration",
    params(("site" = String, Path)),
    security(("admin" = [])),
    responses((status = 200, description = "the site", body = shapes::Site)),
)]
pub async fn site(
    State(app): State<App>,
    _: Admin,
    Named(site): Named,
) -> Result<Json<Value>, Problem> {
    site_json(&app, &site_id(&site)?).map(Json)
}

/// Makes a site, or replaces its settings.
#[utoipa::path(
    put, path = "/v1/sites/{site}", tag = "administration",
    params(("site" = String, Path)),
    request_body(
        content = std::collections::HashMap<String, Value>,
        description = "all settings; what is left out has its default",
    ),
    security(("admin" = [])),
    responses((status = 200, description = "the site as it is now", body = shapes::Site)),
)]
pub async fn put_site(
    State(app): State<App>,
    Named(site): Named,
    AdminSent { caller, body, .. }: AdminSent,
) -> Result<Json<Value>, Problem> {
    let site = site_id(&site)?;
    let settings: SiteSettings = query::json_strict(&body)?;
    check(&settings)?;
    let settings = Box::new(settings);
    let about = changed(&app, &site, &settings);
    let note = caller.note(Act::PutSite, Some(&site), about);
    let at_ms = note.at_ms;
    write(&app, AdminWrite::PutSite { site: site.clone(), settings, at_ms }, note).await?;
    site_json(&app, &site).map(Json)
}

/// Names of the settings that will be others, for the audit log; none of a new site.
fn changed(app: &App, site: &SiteId, settings: &SiteSettings) -> Option<String> {
    let view = app.engine.shared.view.load();
    let before = serde_json::to_value(&view.directory.sites.get(site)?.settings).ok()?;
    let after = serde_json::to_value(settings).ok()?;
    let members = after.as_object()?.iter().filter(|(name, value)| before.get(name) != Some(value));
    Some(members.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "))
}

/// Judges settings before they are written.
///
/// # Errors
/// If a member is wrong, which is named.
pub(super) fn check(settings: &SiteSettings) -> Result<(), Problem> {
    if Zone::parse(&settings.timezone).is_none() {
        let detail = format!("{:?} is no IANA zone", settings.timezone);
        return Err(Problem::invalid("timezone", detail));
    }
    if settings.params.keep.len() > PARAMS_KEEP_MAX {
        let detail = format!("at most {PARAMS_KEEP_MAX} parameters are kept");
        return Err(Problem::invalid("params.keep", detail));
    }
    let fits =
        |name: &String| (1..=PARAM_BYTES_MAX).contains(&name.len()) && !name.starts_with('~');
    if let Some(at) = settings.params.keep.iter().position(|name| !fits(name)) {
        let detail =
            format!("the name of a parameter has 1 to {PARAM_BYTES_MAX} bytes, no ~ first");
        return Err(Problem::invalid(format!("params.keep[{at}]"), detail));
    }
    if settings.session.gap.ms == 0 {
        return Err(Problem::invalid("session.gap", "a gap of nothing ends every session"));
    }
    if !HOME_REGIONS.contains(&settings.home_region.as_str()) {
        let detail = format!("must be one of {}", HOME_REGIONS.join(", "));
        return Err(Problem::invalid("home_region", detail));
    }
    if !(1..=SPREAD_MAX).contains(&settings.spread) || !settings.spread.is_power_of_two() {
        let detail = format!("must be a power of two, 1 to {SPREAD_MAX}");
        return Err(Problem::invalid("spread", detail));
    }
    rule::check(settings).map_err(|fault| Problem::invalid(fault.field, fault.message))?;
    rates::check(&settings.rates).map_err(|error| Problem::invalid(error.field, error.message))?;
    check_rules(&settings.channel_rules)
        .map_err(|error| Problem::invalid(error.field, error.message))?;
    Ok(())
}

/// Removes a site: settings, keys, links and everything counted.
#[utoipa::path(
    delete, path = "/v1/sites/{site}", tag = "administration",
    params(("site" = String, Path)),
    security(("admin" = [])),
    responses((status = 204, description = "it is gone")),
)]
pub async fn delete_site(
    State(app): State<App>,
    Admin { caller, .. }: Admin,
    Named(site): Named,
) -> Result<StatusCode, Problem> {
    let site = site_id(&site)?;
    site_json(&app, &site)?;
    let note = caller.note(Act::DeleteSite, Some(&site), None);
    write(&app, AdminWrite::DeleteSite { site }, note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which key to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Whose.
    #[schema(value_type = String)]
    site: SiteId,
    /// `write`, `server`, `read` or `admin`.
    #[schema(value_type = String)]
    kind: KeyKind,
}

/// Makes a key. It is shown in this answer and never again.
#[utoipa::path(
    post, path = "/v1/keys", tag = "administration", request_body = NewKey,
    security(("admin" = [])),
    responses((status = 200, description = "the key", body = shapes::MadeKey)),
)]
pub async fn post_key(
    State(app): State<App>,
    AdminSent { caller, body, .. }: AdminSent,
) -> Result<Json<Value>, Problem> {
    let NewKey { site, kind } = query::json(&body)?;
    if !app.engine.shared.view.load().directory.sites.contains_key(&site) {
        return Err(Problem::invalid("site", "there is no such site"));
    }
    let key = format!("{}{}", kind.prefix(), random_hex(KEY_BYTES)?);
    let id = format!("key_{}", random_hex(KEY_BYTES / 4)?);
    let kept = Key { id: id.clone(), hash: key_hash(&key), site: site.clone(), kind };
    let about = format!("{id} ({})", format!("{kind:?}").to_lowercase());
    let note = caller.note(Act::CreateKey, Some(&site), Some(about));
    write(&app, AdminWrite::PutKey(kept), note).await?;
    let body = json!({"id": id, "key": key, "site": site, "kind": kind});
    Ok(Json(body))
}

/// Keys, without themselves.
#[utoipa::path(
    get, path = "/v1/keys", tag = "administration",
    params(Page),
    security(("admin" = [])),
    responses((status = 200, description = "a page, by id", body = shapes::Page<shapes::Key>)),
)]
pub async fn keys(
    State(app): State<App>,
    _: Admin,
    Params(part): Params<Page>,
) -> Result<Json<Value>, Problem> {
    let view = app.engine.shared.view.load();
    let rows = view
        .directory
        .keys
        .values()
        .map(|key| (key.id.clone(), json!({"id": key.id, "site": key.site, "kind": key.kind})));
    page(&part, rows)
}

/// Removes a key.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "administration",
    params(("id" = String, Path)),
    security(("admin" = [])),
    responses(
        (status = 204, description = "it opens nothing any more"),
        (
            status = 404, description = "`not_found`: there is no such key",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn delete_key(
    State(app): State<App>,
    Admin { caller, .. }: Admin,
    Named(id): Named,
) -> Result<StatusCode, Problem> {
    let view = app.engine.shared.view.load_full();
    let key = view.directory.keys.get(&id);
    let key = key.ok_or_else(|| Problem::not_found("there is no such key"))?;
    let note = caller.note(Act::DeleteKey, Some(&key.site), Some(id.clone()));
    write(&app, AdminWrite::DeleteKey { id }, note).await?;
    Ok(StatusCode::NO_CONTENT)
}
