//! `/v1/people/merge`: an administrator says that a person is a user, or takes it back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::event::user_id;
use edgetally_proto::ids::UserId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ask, misunderstood, person};
use crate::audit::Act;
use crate::http::access::{AdminTold, NamesSite, Reader, Site};
use crate::http::openapi::{MaybeOfSite, OfSite, shapes};
use crate::http::problem::Problem;
use crate::http::{App, list, now_ms};
use crate::local::{Answer, Ask};
use crate::merges::Refusal;
use crate::site::Moved;
use crate::tombstones::Person;

/// Who is who.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The site, if the address does not name it.
    #[serde(alias = "site_id")]
    site: Option<String>,
    /// `u:<user>`, `c:<client>` or `c:<client>#<logout>`.
    from: String,
    /// `u:<user>`.
    into: String,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Same => Self::invalid("into", detail),
            Refusal::Apart(..) => Self::not_found(detail),
            Refusal::Already(..) | Refusal::Circle(..) | Refusal::Full => {
                Self::new(StatusCode::CONFLICT, "conflict", detail)
            }
        }
    }
}

impl NamesSite for Merge {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

/// The user of a person who is one; `field` is where he is named.
fn user(field: &str, person: &Person) -> Result<UserId, Problem> {
    let Person::User(user) = person else {
        return Err(Problem::invalid(field, "only a user can be merged into, as u:<user id>"));
    };
    Ok(user.clone())
}

/// A user id that pages send when nobody is signed in is nobody.
fn check_user(field: &str, person: &Person) -> Result<(), Problem> {
    let Person::User(user) = person else { return Ok(()) };
    match user_id(user.as_str()) {
        Ok(Some(_)) => Ok(()),
        _ => Err(Problem::invalid(field, format!("{:?} is no user id", user.as_str()))),
    }
}

async fn change(
    app: App,
    AdminTold { caller, site, asked: merge, .. }: AdminTold<Merge>,
    is_undo: bool,
) -> Result<Json<Value>, Problem> {
    let zone = Site::find(&app, site.clone())?.zone;
    let from = person(&app, &site, "from", &merge.from)?;
    let into = person(&app, &site, "into", &merge.into)?;
    check_user("from", &from)?;
    check_user("into", &into)?;
    let into = user("into", &into)?;
    let (told_from, told_into) = (from.to_string(), format!("u:{into}"));
    let asked = Ask::Merge { site: site.clone(), from, into, is_undo };
    let act = if is_undo { Act::Unmerge } else { Act::Merge };
    let note = Some(caller.note(act, Some(&site), None));
    let Answer::Merged(moved) = ask(&app, asked, note).await? else { return Err(misunderstood()) };
    let Moved { events, clients, is_new } = moved?;
    Ok(Json(json!({
        "site": site,
        "from": told_from,
        "into": told_into,
        "merged": !is_undo,
        "changed": is_new,
        "at": zone.rfc3339(now_ms()),
        "events": events,
        "clients": clients,
    })))
}

/// Says that a person is a user; answers when it is durable.
#[utoipa::path(
    post, path = "/v1/people/merge", tag = "persons",
    params(MaybeOfSite),
    request_body = Merge,
    security(("admin" = [])),
    responses(
        (status = 200, description = "what went over", body = shapes::Merged),
        (
            status = 409,
            description = "`conflict`: this and an earlier merge do not go together",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn post(State(app): State<App>, told: AdminTold<Merge>) -> Result<Json<Value>, Problem> {
    change(app, told, false).await
}

/// Takes a merge back; answers when it is durable.
#[utoipa::path(
    delete, path = "/v1/people/merge", tag = "persons",
    params(MaybeOfSite),
    request_body = Merge,
    security(("admin" = [])),
    responses(
        (status = 200, description = "what went back", body = shapes::Merged),
        (
            status = 404, description = "`not_found`: there is no such merge; `unknown_site`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 409, description = "`conflict`", body = shapes::Problem,
            content_type = "application/problem+json",
        ),
    ),
)]
pub async fn undo(State(app): State<App>, told: AdminTold<Merge>) -> Result<Json<Value>, Problem> {
    change(app, told, true).await
}

/// Takes a merge back, for clients that send no body with DELETE.
#[utoipa::path(
    post, path = "/v1/people/merge/undo", tag = "persons",
    params(MaybeOfSite),
    request_body = Merge,
    security(("admin" = [])),
    responses(
        (status = 200, description = "what went back", body = shapes::Merged),
        (
            status = 404, description = "`not_found`: there is no such merge; `unknown_site`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 409, description = "`conflict`", body = shapes::Problem,
            content_type = "application/problem+json",
        ),
    ),
)]
pub async fn undo_by_post(
    State(app): State<App>,
    told: AdminTold<Merge>,
) -> Result<Json<Value>, Problem> {
    change(app, told, true).await
}

/// Merges and undone merges, in their order.
#[utoipa::path(
    get, path = "/v1/people/merge", tag = "persons",
    params(OfSite, list::Page),
    security(("read" = [])),
    responses((status = 200, description = "a page", body = shapes::Page<shapes::MergeRow>)),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, asked: part, .. }: Reader<list::Page>,
) -> Result<Json<Value>, Problem> {
    let limit = list::limit(part.limit.as_deref())?;
    let after = part.after.as_deref().map_or(Ok(0), str::parse::<usize>);
    let after = after.map_err(|_| Problem::invalid("after", "this is not what next said"))?;
    let merges = site.view(&app).merges.clone();
    let rows = merges.iter().skip(after).take(limit).map(|change| {
        json!({
            "from": change.from.to_string(),
            "into": format!("u:{}", change.into),
            "op": if change.is_undo { "undo" } else { "merge" },
            "at": site.zone.rfc3339(change.at_ms),
        })
    });
    let results: Vec<Value> = rows.collect();
    let end = after + results.len();
    let next = (end < merges.len()).then(|| end.to_string());
    Ok(Json(json!({"results": results, "next": next})))
}
