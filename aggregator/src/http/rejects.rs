//! `GET /v1/rejects`: rejected events in full, the newest first.

pub mod replay;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::time::{EARLIEST_MS, HOUR_MS, LATEST_MS};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::access::Reader;
use super::list;
use super::openapi::{OfSite, shapes};
use super::problem::Problem;
use crate::calendar::Calendar;
use crate::rejects::page::{self, Ask, Page, Place, Tally};

/// Which rejected events.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    code: Option<String>,
    /// A local date or an instant, in.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

impl List {
    fn ask(&self, zone: &Calendar) -> Result<Ask, Problem> {
        let code = |name: &str| {
            let detail = || format!("{name:?} is no code of a rejected event");
            page::code_of(name).ok_or_else(|| Problem::invalid("code", detail()))
        };
        let place = |text: &str| {
            let detail = "this is not what next said";
            Place::parse(text).ok_or_else(|| Problem::invalid("after", detail))
        };
        let (from, to) = list::ends(self.from.as_deref(), self.to.as_deref(), zone)?;
        let within = |ms: i64| ms.clamp(EARLIEST_MS, LATEST_MS);
        Ok(Ask {
            code: self.code.as_deref().map(code).transpose()?,
            from_ms: from.map_or(EARLIEST_MS, within),
            to_ms: to.map_or(LATEST_MS, within),
            after: self.after.as_deref().map(place).transpose()?,
            limit: list::limit(self.limit.as_deref())?,
        })
    }
}

fn tally_json(tally: &Tally, zone: &Calendar) -> Value {
    json!({
        "hour": zone.rfc3339(tally.key.hour.saturating_mul(HOUR_MS)),
        "code": tally.key.code,
        "rejected": tally.rejected,
        "kept": tally.kept,
        "not_kept": tally.not_kept(),
        "replayed": tally.replayed,
    })
}

fn page_json(page: &Page, zone: &Calendar) -> Value {
    let rows = page.rows.iter().map(|row| row.json(zone));
    let hours = page.hours.iter().map(|tally| tally_json(tally, zone));
    json!({
        "results": rows.collect::<Vec<Value>>(),
        "next": page.next.map(|next| next.to_string()),
        "hours": hours.collect::<Vec<Value>>(),
    })
}

/// Rejected events, the newest first.
#[utoipa::path(
    get, path = "/v1/rejects", tag = "facts",
    params(OfSite, List),
    security(("read" = [])),
    responses((status = 200, description = "a page, the newest first", body = shapes::Rejects)),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<List>,
) -> Result<Json<Value>, Problem> {
    let zone = site.zone.clone();
    let ask = asked.ask(&zone)?;
    let buckets = site.view(&app).rejects.clone();
    let read = move || page_json(&page::page(&buckets, &ask), &zone);
    let answer = tokio::task::spawn_blocking(read).await;
    answer.map(Json).map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
    })
}
