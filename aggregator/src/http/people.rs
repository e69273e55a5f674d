//! `DELETE /v1/people/{person}`: erases a person and says what was erased.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use edgetally_proto::ids::SiteId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::extract::Params;
use super::problem::Problem;
use super::{App, auth, now_ms};
use crate::local::{Answer, Ask};
use crate::store::engine::Command;
use crate::tombstones::{Person, Veiled};
use crate::zone::Zone;

/// Whose person.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Whose {
    site: Option<String>,
}

fn fatal(error: impl Into<String>) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error)
}

fn salt() -> Result<Veiled, Problem> {
    let mut salt = Veiled::default();
    getrandom::fill(&mut salt).map_err(|error| fatal(error.to_string()))?;
    Ok(salt)
}

/// Erases a person; answers when it is durable.
pub async fn delete(
    State(app): State<App>,
    Path(person): Path<String>,
    headers: HeaderMap,
    whose: Result<Params<Whose>, Problem>,
) -> Result<Json<Value>, Problem> {
    // Whoever has no key learns nothing, not even that the request is wrong.
    auth::admin(&app, &headers)?;
    let Params(whose) = whose?;
    let site = whose.site.ok_or_else(|| Problem::invalid("site", "say whose, as site=..."))?;
    let site = SiteId::parse(&site).map_err(|error| Problem::invalid("site", error.to_string()))?;
    let view = app.engine.shared.view.load_full();
    let settings = view.directory.sites.get(&site).ok_or_else(Problem::unknown_site)?;
    let zone = Zone::parse(&settings.settings.timezone).unwrap_or_default();
    let texts = view.sites.get(&site).map(|state| state.texts.clone()).unwrap_or_default();
    let is_client = |client: &str| texts.iter().any(|text| text.as_ref() == client);
    let parsed =
        Person::parse(&person, is_client).map_err(|detail| Problem::invalid("person", detail))?;
    let (reply, answer) = oneshot::channel();
    let ask = Ask::Erase { site: site.clone(), person: parsed, salt: salt()? };
    app.engine.send(Command::Local { ask, reply })?;
    let report = match answer.await.map_err(|_| Problem::not_ready())? {
        Answer::Erased(report) => report,
        Answer::Failed(error) => return Err(fatal(error)),
        _ => return Err(fatal("another answer than was asked for")),
    };
    Ok(Json(json!({
        "site": site,
        "person": person,
        "erased_at": zone.rfc3339(now_ms()),
        "events": report.events,
        "orders_kept": report.orders_kept,
        "clients": report.clients,
        "fell_back": report.fell_back,
        "rejected_events": report.letters,
    })))
}
