//! `POST /v1/rejects/replay`: rejected events judged again, and taken in if they pass.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::event::Event;
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::validate::Reject;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::List;
use crate::audit::Act;
use crate::http::App;
use crate::http::access::{AdminTold, NamesSite, Site};
use crate::http::list::LIMIT_MAX;
use crate::http::openapi::{MaybeOfSite, shapes};
use crate::http::problem::Problem;
use crate::local::{Answer, Ask};
use crate::rejects::again::judge;
use crate::rejects::page::{Page, Row, page};
use crate::store::engine::Command;

/// Refusals that one answer shows.
const SHOWN_MAX: usize = 100;

/// Which rejected events.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Again {
    site: Option<String>,
    code: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<u64>,
    #[serde(alias = "cursor")]
    after: Option<String>,
}

impl NamesSite for Again {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

impl From<Again> for List {
    fn from(again: Again) -> Self {
        let Again { site: _, code, from, to, limit, after } = again;
        let limit = limit.unwrap_or(LIMIT_MAX as u64).to_string();
        Self { code, from, to, limit: Some(limit), after }
    }
}

fn fatal(error: impl Into<String>) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error)
}

type Judged = (Row, Result<Event, Reject>);

fn judge_page(page: Page, site: &SiteId, settings: &SiteSettings) -> Vec<Judged> {
    let judged = |row: Row| {
        let result = judge(site, settings, row.place, &row.letter);
        (row, result)
    };
    page.rows.into_iter().map(judged).collect()
}

/// The id as it was sent, whatever it was.
fn id_of(event: &str) -> Value {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    event.get("id").cloned().unwrap_or_default()
}

fn refusal(row: &Row, reject: &Reject) -> Value {
    let Reject { code, field, message } = reject;
    json!({"id": id_of(&row.letter.event), "code": code, "field": field, "message": message})
}

/// Judges a page of rejected events again, the newest first.
#[utoipa::path(
    post, path = "/v1/rejects/replay", tag = "facts",
    params(MaybeOfSite),
    request_body = Again,
    security(("admin" = [])),
    responses((status = 200, description = "what became of them", body = shapes::Replayed)),
)]
pub async fn post(
    State(app): State<App>,
    AdminTold { caller, site, asked, .. }: AdminTold<Again>,
) -> Result<Json<Value>, Problem> {
    let Site { settings, zone, .. } = Site::find(&app, site.clone())?;
    let ask = List::from(asked).ask(&zone)?;
    let view = app.engine.shared.view.load_full();
    let buckets = view.sites.get(&site).map(|state| state.rejects.clone()).unwrap_or_default();
    let of = site.clone();
    let read = move || {
        let page = page(&buckets, &ask);
        (page.next, judge_page(page, &of, &settings))
    };
    let (next, rows) =
        tokio::task::spawn_blocking(read).await.map_err(|error| fatal(error.to_string()))?;
    let judged = rows.iter().map(|(row, result)| (row.place, result.clone())).collect();
    let (reply, answer) = oneshot::channel();
    let note = Some(caller.note(Act::Replay, Some(&site), None));
    app.engine.send(Command::Local { ask: Ask::Letters { site, judged }, note, reply })?;
    let letters = match answer.await.map_err(|_| Problem::not_ready())? {
        Answer::Letters(letters) => letters,
        Answer::Failed(error) => return Err(fatal(error)),
        _ => return Err(fatal("another answer than was asked for")),
    };
    let refused = rows.iter().filter(|(row, _)| letters.rejected.contains(&row.place));
    let refused = refused.filter_map(|(row, result)| Some(refusal(row, result.as_ref().err()?)));
    Ok(Json(json!({
        "replayed": letters.replayed,
        "accepted": letters.accepted,
        "duplicates": letters.duplicates,
        "rejected": refused.take(SHOWN_MAX).collect::<Vec<Value>>(),
        "next": next.map(|next| next.to_string()),
    })))
}
