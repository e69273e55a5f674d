//! `GET /v1/sessions` and `GET /v1/orders`: facts, one by one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::settings::SiteSettings;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Reader;
use super::extract::Named;
use super::list;
use super::openapi::{OfSite, shapes};
use super::problem::Problem;
use super::{App, now_ms};
use crate::facts::{changes, list as pages, order, session};
use crate::orders::ledger::{DEFAULT_PLATFORM, OrderKey};
use crate::view::SiteView;

/// Which facts.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// A local date or an instant, in.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
    /// `user`, `client`, `person`, `order`: whose.
    user: Option<String>,
    client: Option<String>,
    person: Option<String>,
    order: Option<String>,
    platform: Option<String>,
    /// Of sessions: what changed since, in the order of `rev`.
    changes_since: Option<String>,
    /// `events`: with the ids of their events.
    include: Option<String>,
    /// `newest`: the newest first; `oldest` without it.
    sort: Option<String>,
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

impl List {
    fn ask(&self, site: &SiteView) -> Result<pages::Ask, Problem> {
        let (from, to) = list::ends(self.from.as_deref(), self.to.as_deref(), &site.zone)?;
        let after = self.after.as_deref().map(|text| {
            let detail = "this is not what next said";
            pages::place(text).ok_or_else(|| Problem::invalid("after", detail))
        });
        Ok(pages::Ask {
            from_ms: from.unwrap_or(i64::MIN),
            to_ms: to.unwrap_or(i64::MAX),
            after: after.transpose()?,
            is_newest_first: self.is_newest_first()?,
            limit: list::limit(self.limit.as_deref())?,
            user: self.user.clone(),
            client: self.client.clone(),
            person: self.person.clone(),
            order: self.order.clone(),
            platform: self.platform.clone(),
        })
    }

    fn is_newest_first(&self) -> Result<bool, Problem> {
        match self.sort.as_deref() {
            None | Some("oldest") => Ok(false),
            Some("newest") => Ok(true),
            Some(_) => Err(Problem::invalid("sort", "rows are sorted oldest or newest first")),
        }
    }

    /// The number after which changes are wanted, if they are.
    fn since(&self) -> Result<Option<u64>, Problem> {
        let Some(since) = &self.changes_since else { return Ok(None) };
        let others = [
            ("user", &self.user),
            ("client", &self.client),
            ("person", &self.person),
            ("order", &self.order),
            ("platform", &self.platform),
            ("sort", &self.sort),
            ("after", &self.after),
        ];
        if let Some((name, _)) = others.into_iter().find(|(_, value)| value.is_some()) {
            return Err(Problem::invalid(name, "this does not go with changes_since"));
        }
        let wrong = |_| Problem::invalid("changes_since", "this is no rev");
        since.parse().map(Some).map_err(wrong)
    }

    fn with_events(&self) -> Result<bool, Problem> {
        match self.include.as_deref() {
            None => Ok(false),
            Some("events") => Ok(true),
            Some(_) => Err(Problem::invalid("include", "only events can be included")),
        }
    }
}

/// Works on a thread that may take its time.
///
/// # Errors
/// If the work failed.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
    })
}

/// How sessions of a site are told now.
pub fn told_of_sessions(settings: &SiteSettings, with_events: bool) -> session::Told {
    session::Told {
        lateness_ms: settings.lateness.ms,
        currency: settings.currency,
        now_ms: now_ms(),
        with_events,
    }
}

/// How orders of a site are told now.
pub fn told_of_orders(settings: &SiteSettings) -> order::Told {
    order::Told { freeze_ms: settings.attribution.freeze.ms, now_ms: now_ms() }
}

/// Sessions of a site, by start; or what changed of them.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "facts",
    params(OfSite, List),
    security(("read" = [])),
    responses((status = 200, description = "a page", body = shapes::Sessions)),
)]
pub async fn sessions(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<List>,
) -> Result<Json<Value>, Problem> {
    let view = site.view(&app);
    let (ask, with_events) = (asked.ask(&view)?, asked.with_events()?);
    let told = told_of_sessions(&site.settings, with_events);
    if let Some(since) = asked.since()? {
        let (from_ms, to_ms, limit) = (ask.from_ms, ask.to_ms, ask.limit);
        let ask = changes::Ask { since, from_ms, to_ms, limit };
        return blocking(move || changes::changes(&view, &ask, &told)).await.map(Json);
    }
    blocking(move || pages::sessions(&view, &ask, &told)).await.map(Json)
}

/// Orders of a site, by order time.
#[utoipa::path(
    get, path = "/v1/orders", tag = "facts",
    params(OfSite, List),
    security(("read" = [])),
    responses((status = 200, description = "a page", body = shapes::Page<shapes::Order>)),
)]
pub async fn orders(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<List>,
) -> Result<Json<Value>, Problem> {
    let view = site.view(&app);
    let ask = asked.ask(&view)?;
    if asked.changes_since.is_some() {
        return Err(Problem::invalid("changes_since", "only sessions have changes_since"));
    }
    let told = told_of_orders(&site.settings);
    blocking(move || pages::orders(&view, &ask, &told)).await.map(Json)
}

/// Which order.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    platform: Option<String>,
}

/// One order.
#[utoipa::path(
    get, path = "/v1/orders/{transaction}", tag = "facts",
    params(OfSite, Which, ("transaction" = String, Path, description = "its `transaction_id`")),
    security(("read" = [])),
    responses(
        (status = 200, description = "the order", body = shapes::Order),
        (
            status = 404, description = "`not_found`: there is no such order; `unknown_site`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn order(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<Which>,
    Named(transaction): Named,
) -> Result<Json<Value>, Problem> {
    let view = site.view(&app);
    let platform = asked.platform.as_deref().unwrap_or(DEFAULT_PLATFORM).into();
    let key = OrderKey { platform, transaction: transaction.into() };
    let row = view.order(&key).ok_or_else(|| Problem::not_found("there is no such order"))?;
    Ok(Json(json!(order::order_json(&view, row, &told_of_orders(&site.settings)))))
}
