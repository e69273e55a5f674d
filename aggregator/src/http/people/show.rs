//! `GET /v1/people/{person}` and `.../export`: what is known of a person.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use edgetally_proto::ids::SiteId;
use edgetally_proto::record::Letter;
use edgetally_proto::settings::SiteSettings;
use serde_json::{Value, json};

use super::{ask, misunderstood, person};
use crate::audit::Act;
use crate::facts::person as told;
use crate::http::access::{AdminOf, Reader};
use crate::http::auth::noted;
use crate::http::extract::Named;
use crate::http::openapi::{OfSite, shapes};
use crate::http::problem::Problem;
use crate::http::{App, facts};
use crate::local::{Answer, Ask};
use crate::site::{Copied, Known};
use crate::story;
use crate::tombstones::Person;
use crate::view::SiteView;

fn nobody() -> Problem {
    Problem::not_found("nothing is known of this person")
}

fn told_of(settings: &SiteSettings) -> told::Told {
    let sessions = facts::told_of_sessions(settings, false);
    told::Told { sessions, orders: facts::told_of_orders(settings) }
}

/// What the thread that owns the state knows of a person.
async fn known(
    app: &App,
    site: &SiteId,
    person: Person,
    with_records: bool,
) -> Result<(Option<Known>, Copied), Problem> {
    let asked = Ask::Know { site: site.clone(), person, with_records };
    let Answer::Known(known) = ask(app, asked, None).await? else { return Err(misunderstood()) };
    Ok(*known)
}

/// What is known of a person.
#[utoipa::path(
    get, path = "/v1/people/{person}", tag = "persons",
    params(
        OfSite,
        (
            "person" = String, Path,
            description = "`u:<user>`, `c:<client>` or `c:<client>#<logout>`",
        ),
    ),
    security(("read" = [])),
    responses(
        (status = 200, description = "the person", body = shapes::Person),
        (
            status = 404,
            description = "`not_found`: nothing is known of this person; `unknown_site`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, .. }: Reader,
    Named(text): Named,
) -> Result<Json<Value>, Problem> {
    let person = person(&app, &site.id, "person", &text)?;
    let known = known(&app, &site.id, person, false).await?.0.ok_or_else(nobody)?;
    // The snapshot is taken after the answer, so it holds all that the answer speaks of.
    let view = site.view(&app);
    let answer = facts::blocking(move || {
        let Known { name, number, sources } = known;
        let log = story::log(sources, view.as_ref());
        told::person_json(&site.id, &view, (&name, number), &log, &told_of(&site.settings))
    });
    answer.await?.map(Json).ok_or_else(nobody)
}

fn letter_json(view: &SiteView, letter: &Letter) -> Value {
    let event: Value =
        serde_json::from_str(&letter.event).unwrap_or_else(|_| Value::String(letter.event.clone()));
    json!({"kind": "rejected_event", "rejected_event": {
        "received_at": view.zone.rfc3339(letter.received_at_ms),
        "code": letter.code.as_str(),
        "field": letter.field,
        "message": letter.message,
        "event": event,
    }})
}

/// A copy of all that is known: one JSON object a line.
fn copy(
    view: &SiteView,
    person: &Person,
    (known, copied): (Option<Known>, Copied),
    settings: &SiteSettings,
) -> Option<String> {
    let Copied { records, letters } = copied;
    if known.is_none() && records.is_empty() && letters.is_empty() {
        return None;
    }
    let (number, sources) = known.map(|known| (known.number, known.sources)).unwrap_or_default();
    let log = story::log(sources, view);
    let who = (person.to_string(), number);
    let mut lines = told::export(view, (&who.0, who.1), &log, &records, &told_of(settings));
    lines.extend(letters.iter().map(|letter: &Arc<Letter>| letter_json(view, letter)));
    Some(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// A copy of everything that is known of a person, one JSON object a line.
#[utoipa::path(
    get, path = "/v1/people/{person}/export", tag = "persons",
    params(
        OfSite,
        (
            "person" = String, Path,
            description = "`u:<user>`, `c:<client>` or `c:<client>#<logout>`",
        ),
    ),
    security(("admin" = [])),
    responses(
        (
            status = 200, description = "lines of JSON", body = String,
            content_type = "application/x-ndjson",
        ),
        (
            status = 404,
            description = "`not_found`: nothing is known of this person; `unknown_site`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn export(
    State(app): State<App>,
    AdminOf { caller, site, .. }: AdminOf,
    Named(text): Named,
) -> Result<Response, Problem> {
    let person = person(&app, &site.id, "person", &text)?;
    let known = known(&app, &site.id, person.clone(), true).await?;
    let (view, settings) = (site.view(&app), site.settings);
    let body = facts::blocking(move || copy(&view, &person, known, &settings)).await?;
    let body = body.ok_or_else(nobody)?;
    noted(&app, caller.note(Act::Export, Some(&site.id), None)).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
