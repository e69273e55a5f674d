//! `POST /v1/reconcile`: our orders beside the payments of a database or a CSV file.

pub mod runs;
pub mod schedule;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::access::{AdminTold, NamesSite, Site};
use super::facts::blocking;
use super::openapi::{MaybeOfSite, shapes};
use super::postgres;
use super::problem::Problem;
use super::{App, list, now_ms};
use crate::reconcile::plan::is_table;
use crate::reconcile::{self, Ask, MARGIN_MS, Payment};

/// Rows of each list of an answer; CSV has all of them.
const ROWS_MAX: usize = 1_000;

/// What to compare with what.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = Reconcile)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    #[serde(alias = "site_id")]
    site: Option<String>,
    /// A local date or an instant, in.
    from: String,
    /// A local date, in, or an instant, not in.
    to: String,
    /// Of one order platform only.
    platform: Option<String>,
    /// A PostgreSQL database: `postgres://user:password@host/database?sslmode=...`, or
    /// `host=/folder user=...`.
    postgres: Option<String>,
    /// Its table or view; `payments` without it.
    table: Option<String>,
    /// Instead of a database: a CSV file with `order_id, amount, status, created_at`.
    csv: Option<String>,
    /// `json`; `csv` for all rows that do not match; `json+csv` for both, these rows as a text in
    /// the member `csv`.
    format: Option<String>,
}

/// What an answer is.
enum Form {
    Json,
    Csv,
    Both,
}

impl NamesSite for Asked {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

impl Asked {
    fn form(&self) -> Result<Form, Problem> {
        match self.format.as_deref() {
            None | Some("json") => Ok(Form::Json),
            Some("csv") => Ok(Form::Csv),
            Some("json+csv") => Ok(Form::Both),
            Some(_) => Err(Problem::invalid("format", "a format is json, csv or json+csv")),
        }
    }

    async fn payments(&self, (from_ms, to_ms): (i64, i64)) -> Result<Vec<Payment>, Problem> {
        let table = self.table.clone().unwrap_or_else(|| "payments".to_owned());
        if !is_table(&table) {
            return Err(Problem::invalid("table", "this is no name of a table"));
        }
        match (&self.postgres, &self.csv) {
            (Some(url), None) => {
                let ask = postgres::Ask { table, from_ms, to_ms };
                postgres::read(url, &ask).await.map_err(|error| {
                    Problem::new(StatusCode::BAD_GATEWAY, "database", error.to_string())
                })
            }
            (None, Some(text)) => {
                reconcile::csv::read(text).map_err(|detail| Problem::invalid("csv", detail))
            }
            _ => Err(Problem::invalid("postgres", "say either postgres or csv")),
        }
    }
}

/// Compares the booked orders of a range with payments.
#[utoipa::path(
    post, path = "/v1/reconcile", tag = "orders",
    params(MaybeOfSite),
    request_body = Asked,
    security(("admin" = [])),
    responses(
        (status = 200, description = "what does not match", body = shapes::Reconciliation),
        (
            status = 502, description = "`database`: it does not answer as it should",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn post(
    State(app): State<App>,
    AdminTold { site, asked, .. }: AdminTold<Asked>,
) -> Result<Response, Problem> {
    let site = Site::find(&app, site)?;
    let (form, zone) = (asked.form()?, site.zone.clone());
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (from, to) = (said(&asked.from), said(&asked.to));
    let missing = |field: &str| Problem::invalid(field, "say which days, as local dates");
    let (from_ms, to_ms) = list::ends(from.as_deref(), to.as_deref(), &zone)?;
    let from_ms = from_ms.ok_or_else(|| missing("from"))?;
    let to_ms = to_ms.ok_or_else(|| missing("to"))?;
    let payments = asked.payments((from_ms - MARGIN_MS, to_ms + MARGIN_MS)).await?;
    let currency = site.settings.currency;
    let ask = Ask { from_ms, to_ms, platform: asked.platform, currency };
    let view = site.view(&app);
    let report = blocking(move || reconcile::compare(&view, &payments, &ask)).await?;
    if matches!(form, Form::Csv) {
        let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
        return Ok((kind, report.csv(&zone)).into_response());
    }
    let mut answer = report.json(&zone, ROWS_MAX);
    if matches!(form, Form::Both) {
        answer["csv"] = report.csv(&zone).into();
    }
    answer["compared_at"] = zone.rfc3339(now_ms()).into();
    Ok(Json(answer).into_response())
}
