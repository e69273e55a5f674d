//! The HTTP interface.

pub mod access;
pub mod admin;
pub mod alerts;
pub mod audit;
pub mod auth;
pub mod costs;
pub mod backup;
pub mod edges;
pub mod export;
pub mod extract;
pub mod facts;
pub mod frames;
pub mod links;
pub mod list;
pub mod live;
pub mod login;
pub mod metrics;
pub mod openapi;
pub mod orders;
pub mod pages;
pub mod people;
pub mod postgres;
pub mod problem;
pub mod query;
pub mod reconcile;
pub mod rejects;
pub mod secure;
pub mod stats;
pub mod stock;
pub mod sockets;
pub mod tls;
pub mod trends;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use edgetally_proto::sign::key_hash;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::login::Logins;
use crate::store::engine::{Engine, Stage};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use metrics::Metrics;
use people::merge;
use problem::Problem;

/// What every handler sees.
#[derive(Clone)]
pub struct App {
    /// The thread that owns the state.
    pub engine: Engine,
    /// Hash of the admin key of the environment.
    pub admin_hash: Option<Arc<str>>,
    /// Signs what goes between workers and aggregator.
    pub edge_secret: Arc<str>,
    /// What is counted of requests.
    pub metrics: Arc<Metrics>,
    /// Settings for the workers, by version.
    pub edge_config: Arc<Mutex<Option<(u64, Bytes)>>>,
    /// Live streams.
    pub hub: Arc<live::hub::Hub>,
    /// Who is logged in.
    pub logins: Arc<Mutex<Logins>>,
    /// What logging in needs.
    pub door: Arc<login::Door>,
    /// The description of all routes.
    pub openapi: Arc<OnceLock<Bytes>>,
    /// Whether connections are encrypted here.
    pub is_tls: bool,
    /// The data folder.
    pub data: Arc<Path>,
    /// How many exports may begin now.
    pub exports: Arc<Semaphore>,
    /// Rebuilds of daily statistics.
    pub jobs: Arc<orders::jobs::Jobs>,
    /// Comparisons with payments by schedule.
    pub reconciliations: Arc<reconcile::schedule::Schedule>,
}

impl App {
    /// The handlers' view of a program with this configuration.
    #[must_use]
    pub fn new(engine: Engine, config: &Config) -> Self {
        Self {
            engine,
            admin_hash: config.admin_key.as_deref().map(|key| key_hash(key).into()),
            edge_secret: config.edge_secret.as_str().into(),
            metrics: Arc::default(),
            edge_config: Arc::default(),
            hub: Arc::default(),
            logins: Arc::default(),
            door: Arc::new(login::Door::new(config.password_hash.as_deref())),
            openapi: Arc::default(),
            is_tls: config.tls.is_some(),
            data: config.data.as_path().into(),
            exports: Arc::new(Semaphore::new(export::EXPORTS_MAX)),
            jobs: Arc::default(),
            reconciliations: Arc::default(),
        }
    }

    /// Why the thread that owns the state did not answer.
    #[must_use]
    pub fn unanswered(&self) -> Problem {
        if self.engine.shared.is_full() { Problem::disk_full() } else { Problem::not_ready() }
    }

    /// Refuses while the state is not there.
    ///
    /// # Errors
    /// If the program is starting or ending.
    pub fn ready(&self) -> Result<(), Problem> {
        if self.engine.shared.stage() == Stage::Ready { Ok(()) } else { Err(Problem::not_ready()) }
    }
}

/// The clock, in epoch milliseconds.
#[expect(clippy::disallowed_methods, reason = "requests are where time enters")]
#[must_use]
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// All routes, as they describe themselves.
fn routes(app: &App) -> OpenApiRouter<App> {
    let api = OpenApiRouter::new()
        .routes(routes!(edges::get))
        .routes(routes!(live::get))
        .routes(routes!(live::socket::get))
        .routes(routes!(query::post))
        .routes(routes!(query::post_plausible))
        .routes(routes!(stats::get))
        .routes(routes!(stats::cities))
        .routes(routes!(costs::post))
        .routes(routes!(stock::get))
        .routes(routes!(query::post_funnel))
        .merge(alerts::routes())
        .routes(routes!(trends::get))
        .routes(routes!(trends::experiment))
        .routes(routes!(merge::post, merge::undo, merge::get))
        .routes(routes!(merge::undo_by_post))
        .routes(routes!(people::show::get, people::delete))
        .routes(routes!(people::show::export))
        .routes(routes!(facts::sessions))
        .routes(routes!(facts::orders, orders::tell::post))
        .routes(routes!(orders::tell::import))
        .routes(routes!(orders::daily::get))
        .routes(routes!(orders::daily::rebuild))
        .routes(routes!(orders::daily::validate))
        .routes(routes!(orders::daily::all_jobs))
        .routes(routes!(orders::daily::job))
        .routes(routes!(reconcile::post))
        .routes(routes!(reconcile::runs::get))
        .routes(routes!(reconcile::runs::one))
        .routes(routes!(facts::order))
        .routes(routes!(export::get))
        .routes(routes!(rejects::get))
        .routes(routes!(rejects::replay::post))
        .routes(routes!(admin::sites))
        .routes(routes!(admin::site, admin::put_site, admin::delete_site))
        .routes(routes!(backup::post))
        .routes(routes!(backup::list))
        .routes(routes!(backup::get, backup::delete))
        .routes(routes!(admin::keys, admin::post_key))
        .routes(routes!(admin::delete_key))
        .routes(routes!(links::get, links::post))
        .routes(routes!(links::delete))
        .routes(routes!(audit::get))
        .routes(routes!(login::login))
        .routes(routes!(login::logout))
        .route_layer(middleware::from_fn_with_state(app.clone(), only_when_ready));
    OpenApiRouter::new()
        .routes(routes!(frames::post))
        .routes(routes!(frames::config))
        .merge(api)
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics::get))
        .routes(routes!(openapi::get))
}

/// Everything that is served.
pub fn router(app: App) -> Router {
    let (router, api) = routes(&app).split_for_parts();
    let text = serde_json::to_vec_pretty(&openapi::described(api)).unwrap_or_default();
    // Another router of the same program describes the same.
    let _ = app.openapi.set(text.into());
    router
        .merge(pages::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), metrics::measure))
        .layer(middleware::from_fn_with_state(app.clone(), secure::headers))
        .with_state(app)
}

async fn only_when_ready(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.ready() {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Whether the program runs.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain")),
)]
async fn healthz() -> &'static str {
    "ok"
}

/// Whether the state is back.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "`ready`", body = String, content_type = "text/plain"),
        (
            status = 503, description = "not yet, or not any more", body = String,
            content_type = "text/plain",
        ),
    ),
)]
async fn readyz(State(app): State<App>) -> Response {
    match app.engine.shared.stage() {
        Stage::Ready => "ready".into_response(),
        stage => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{stage:?}").to_lowercase()).into_response()
        }
    }
}

/// What is sent to nowhere is read to its end all the same: a connection that closes on a sender
/// takes the answer with it.
async fn not_found(request: Request) -> Problem {
    extract::drain(request.into_body()).await;
    Problem::not_found("there is no such route")
}

async fn not_allowed(method: Method, request: Request) -> Problem {
    extract::drain(request.into_body()).await;
    let detail = format!("{method} is not allowed here");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
