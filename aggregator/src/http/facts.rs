//! `GET /v1/sessions` and `GET /v1/orders`: facts, one by one.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use serde::Deserialize;
use serde_json::{Value, json};

use super::extract::Params;
use super::problem::Problem;
use super::{App, auth, now_ms};
use crate::facts::{list, order, session};
use crate::orders::ledger::{DEFAULT_PLATFORM, OrderKey};
use crate::query::range::end_of_range;
use crate::view::SiteView;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// Which facts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct List {
    site: Option<String>,
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
    /// `events`: with the ids of their events.
    include: Option<String>,
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

impl List {
    fn site(&self) -> Result<SiteId, Problem> {
        let text = self.site.as_deref();
        let text = text.ok_or_else(|| Problem::invalid("site", "say whose, as site=..."))?;
        SiteId::parse(text).map_err(|error| Problem::invalid("site", error.to_string()))
    }

    fn ask(&self, site: &SiteView) -> Result<list::Ask, Problem> {
        let end = |field: &str, text: &Option<String>| {
            let range = text.as_deref().map(|text| end_of_range(text, &site.zone)).transpose();
            range.map_err(|detail| Problem::invalid(field, detail))
        };
        let (from, to) = (end("from", &self.from)?, end("to", &self.to)?);
        if from.zip(to).is_some_and(|(from, to)| from.from_ms >= to.to_ms) {
            return Err(Problem::invalid("to", "nothing lies between from and to"));
        }
        let limit = self.limit.as_deref().map_or(Ok(LIMIT_DEFAULT), str::parse).ok();
        let limit = limit.filter(|limit| (1..=LIMIT_MAX).contains(limit));
        let after = self.after.as_deref().map(|text| {
            let detail = "this is not what next said";
            list::place(text).ok_or_else(|| Problem::invalid("after", detail))
        });
        Ok(list::Ask {
            from_ms: from.map_or(i64::MIN, |from| from.from_ms),
            to_ms: to.map_or(i64::MAX, |to| to.to_ms),
            after: after.transpose()?,
            limit: limit.ok_or_else(|| {
                Problem::invalid("limit", format!("the limit is 1 to {LIMIT_MAX}"))
            })?,
            user: self.user.clone(),
            client: self.client.clone(),
            person: self.person.clone(),
            order: self.order.clone(),
            platform: self.platform.clone(),
        })
    }

    fn with_events(&self) -> Result<bool, Problem> {
        match self.include.as_deref() {
            None => Ok(false),
            Some("events") => Ok(true),
            Some(_) => Err(Problem::invalid("include", "only events can be included")),
        }
    }
}

/// A site's snapshot and settings, for whoever may read it.
fn open(
    app: &App,
    headers: &HeaderMap,
    site: &SiteId,
) -> Result<(std::sync::Arc<SiteView>, SiteSettings), Problem> {
    auth::reader(app, headers, Some(site))?;
    let view = app.engine.shared.view.load();
    let entry = view.directory.sites.get(site).ok_or_else(Problem::unknown_site)?;
    let zone = crate::zone::Zone::parse(&entry.settings.timezone).unwrap_or_default();
    let empty = || SiteView { zone, ..SiteView::default() }.into();
    Ok((view.sites.get(site).cloned().unwrap_or_else(empty), entry.settings.clone()))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
    })
}

fn told_of_orders(settings: &SiteSettings) -> order::Told {
    let (window, freeze) = (&settings.attribution.window, &settings.attribution.freeze);
    order::Told { window_ms: window.ms, freeze_ms: freeze.ms, now_ms: now_ms() }
}

/// `GET /v1/sessions`
pub async fn sessions(
    State(app): State<App>,
    headers: HeaderMap,
    list: Result<Params<List>, Problem>,
) -> Result<Json<Value>, Problem> {
    // Whoever has no key learns nothing, not even that the request is wrong.
    auth::reader(&app, &headers, None)?;
    let Params(list) = list?;
    let (site, settings) = open(&app, &headers, &list.site()?)?;
    let (ask, with_events) = (list.ask(&site)?, list.with_events()?);
    let told = session::Told {
        gap_ms: settings.session.gap.ms,
        lateness_ms: settings.lateness.ms,
        currency: settings.currency,
        now_ms: now_ms(),
        with_events,
    };
    blocking(move || list::sessions(&site, &ask, &told)).await.map(Json)
}

/// `GET /v1/orders`
pub async fn orders(
    State(app): State<App>,
    headers: HeaderMap,
    list: Result<Params<List>, Problem>,
) -> Result<Json<Value>, Problem> {
    auth::reader(&app, &headers, None)?;
    let Params(list) = list?;
    let (site, settings) = open(&app, &headers, &list.site()?)?;
    let ask = list.ask(&site)?;
    let told = told_of_orders(&settings);
    blocking(move || list::orders(&site, &ask, &told)).await.map(Json)
}

/// Which order.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    site: Option<String>,
    platform: Option<String>,
}

/// `GET /v1/orders/{transaction_id}`
pub async fn order(
    State(app): State<App>,
    Path(transaction): Path<String>,
    headers: HeaderMap,
    which: Result<Params<Which>, Problem>,
) -> Result<Json<Value>, Problem> {
    auth::reader(&app, &headers, None)?;
    let Params(Which { site, platform }) = which?;
    let list = List { site, ..List::default() };
    let (site, settings) = open(&app, &headers, &list.site()?)?;
    let platform = platform.as_deref().unwrap_or(DEFAULT_PLATFORM).into();
    let key = OrderKey { platform, transaction: transaction.into() };
    let row = site.order_places.get(&key).and_then(|place| site.orders.get(place));
    let row = row.ok_or_else(|| Problem::not_found("there is no such order"))?;
    Ok(Json(json!(order::order_json(&site, row, &told_of_orders(&settings)))))
}
