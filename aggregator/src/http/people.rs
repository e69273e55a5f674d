//! `/v1/people`: what is known of a person, merges, and erasing a person.

pub mod merge;
pub mod show;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::ids::SiteId;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::access::AdminOf;
use super::extract::Named;
use super::openapi::{OfSite, shapes};
use super::problem::Problem;
use super::{App, now_ms};
use crate::audit::{Act, Note};
use crate::local::{Answer, Ask};
use crate::store::engine::Command;
use crate::tombstones::{Person, Veiled};

fn fatal(error: impl Into<String>) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error)
}

/// The thread that owns the state answered something else than it was asked.
pub(super) fn misunderstood() -> Problem {
    fatal("another answer than was asked for")
}

fn salt() -> Result<Veiled, Problem> {
    let mut salt = Veiled::default();
    getrandom::fill(&mut salt).map_err(|error| fatal(error.to_string()))?;
    Ok(salt)
}

/// Reads a person of a site; `field` is where he is named.
fn person(app: &App, site: &SiteId, field: &str, text: &str) -> Result<Person, Problem> {
    let view = app.engine.shared.view.load();
    let texts = view.sites.get(site).map(|state| state.texts.clone()).unwrap_or_default();
    let is_client = |client: &str| texts.iter().any(|text| text == client);
    Person::parse(text, is_client).map_err(|detail| Problem::invalid(field, detail))
}

/// Asks the thread that owns the state; it answers when what it did is durable, with the note of
/// who asked.
pub(super) async fn ask(app: &App, ask: Ask, note: Option<Note>) -> Result<Answer, Problem> {
    let (reply, answer) = oneshot::channel();
    app.engine.send(Command::Local { ask, note, reply })?;
    match answer.await.map_err(|_| Problem::not_ready())? {
        Answer::Failed(error) => Err(fatal(error)),
        answer => Ok(answer),
    }
}

/// Erases a person, and whoever was merged with him.
#[utoipa::path(
    delete, path = "/v1/people/{person}", tag = "persons",
    params(
        OfSite,
        (
            "person" = String, Path,
            description = "`u:<user>`, `c:<client>` or `c:<client>#<logout>`",
        ),
    ),
    security(("admin" = [])),
    responses((status = 200, description = "what was erased", body = shapes::Erased)),
)]
pub async fn delete(
    State(app): State<App>,
    AdminOf { caller, site, .. }: AdminOf,
    Named(text): Named,
) -> Result<Json<Value>, Problem> {
    let (site, zone) = (site.id, site.zone);
    let person = person(&app, &site, "person", &text)?;
    let erase = Ask::Erase { site: site.clone(), person, salt: salt()? };
    let note = Some(caller.note(Act::Erase, Some(&site), None));
    let Answer::Erased(report) = ask(&app, erase, note).await? else { return Err(misunderstood()) };
    Ok(Json(json!({
        "site": site,
        "person": text,
        "persons": report.persons,
        "erased_at": zone.rfc3339(now_ms()),
        "events": report.events,
        "orders_kept": report.orders_kept,
        "clients": report.clients,
        "fell_back": report.fell_back,
        "rejected_events": report.letters,
    })))
}
