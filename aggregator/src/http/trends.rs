//! `GET /v1/trends` and `GET /v1/experiments/{id}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use edgetally_proto::settings::Span;
use edgetally_proto::time::{DAY_MS, HOUR_MS, LATEST_MS, SECOND_MS};
use serde::Deserialize;
use serde_json::Value;

use super::access::Reader;
use super::extract::Named;
use super::openapi::{OfSite, shapes};
use super::problem::Problem;
use super::{App, list, query};
use crate::query::range::Range;
use crate::query::{experiment, trends};

/// What to look for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `products` (also without it), `pages` or `search_terms`.
    kind: Option<String>,
    /// How long "now" is: `1h` without it, `1m` to `1d`.
    window: Option<String>,
    /// How long the time before it is that it is held against: `24h` without it, up to `28d`.
    baseline: Option<String>,
    /// Most rows, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// A span of whole seconds.
fn span(field: &str, text: Option<&str>, usual_ms: i64, most_ms: i64) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(usual_ms) };
    let span = Span::try_from(text.to_owned()).map_err(|error| Problem::invalid(field, error))?;
    let is_fine = span.ms % SECOND_MS == 0 && (60 * SECOND_MS..=most_ms).contains(&span.ms);
    if is_fine { Ok(span.ms) } else { Err(Problem::invalid(field, "it is too short or too long")) }
}

/// What rises now, against its own past.
#[utoipa::path(
    get, path = "/v1/trends", tag = "queries",
    params(OfSite, Wanted),
    security(("read" = [])),
    responses((status = 200, description = "the strongest first", body = shapes::Trends)),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<Wanted>,
) -> Result<Json<Value>, Problem> {
    let kind = asked.kind.as_deref().unwrap_or("products");
    let found = trends::KINDS.iter().find(|(name, _)| *name == kind);
    let Some((_, dimension)) = found else {
        return Err(Problem::invalid("kind", "this is products, pages or search_terms"));
    };
    let ask = trends::Ask {
        site: site.id,
        dimension,
        window_ms: span("window", asked.window.as_deref(), HOUR_MS, DAY_MS)?,
        baseline_ms: span("baseline", asked.baseline.as_deref(), DAY_MS, 28 * DAY_MS)?,
        limit: list::limit(asked.limit.as_deref())?,
    };
    query::answer(&app, move |view, now_ms| trends::rising(view, &ask, now_ms)).await
}

/// Of an experiment.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// A local date or an instant, in.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
    /// The variant with which the others are compared: `control`, or the first by name.
    control: Option<String>,
    /// The shares that variants were meant to have, such as `a:2,b:1`; the same without it.
    weights: Option<String>,
}

fn weights(text: Option<&str>) -> Result<BTreeMap<String, f64>, Problem> {
    let wrong = || Problem::invalid("weights", "these are no weights such as a:2,b:1");
    let parts = text.into_iter().flat_map(|text| text.split(','));
    let one = |part: &str| {
        let (name, weight) = part.rsplit_once(':').ok_or_else(wrong)?;
        let weight: f64 = weight.trim().parse().map_err(|_| wrong())?;
        let is_fine = weight.is_finite() && weight > 0.0;
        if is_fine { Ok((name.trim().to_owned(), weight)) } else { Err(wrong()) }
    };
    parts.map(one).collect()
}

/// What came of the variants of an experiment.
#[utoipa::path(
    get, path = "/v1/experiments/{id}", tag = "queries",
    params(OfSite, Of, ("id" = String, Path)),
    security(("read" = [])),
    responses(
        (status = 200, description = "its variants", body = shapes::Experiment),
        (
            status = 404, description = "`not_found`: nobody saw it",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn experiment(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<Of>,
    Named(id): Named,
) -> Result<Json<Value>, Problem> {
    let (from, to) = list::ends(asked.from.as_deref(), asked.to.as_deref(), &site.zone)?;
    let range = Range { from_ms: from.unwrap_or(0), to_ms: to.unwrap_or(LATEST_MS) };
    let ask = experiment::Ask {
        id,
        range,
        weights: weights(asked.weights.as_deref())?,
        control: asked.control,
        currency: site.settings.currency,
    };
    let state = site.view(&app);
    let work =
        move |_: &crate::view::View, _| Ok(experiment::answer(&state, &ask).unwrap_or(Value::Null));
    let Json(answer) = query::answer(&app, work).await?;
    match answer {
        Value::Null => Err(Problem::not_found("nobody saw this experiment")),
        answer => Ok(Json(answer)),
    }
}
