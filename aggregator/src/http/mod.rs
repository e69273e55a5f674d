//! The HTTP interface.

pub mod access;
pub mod admin;
pub mod audit;
pub mod auth;
pub mod costs;
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
pub mod pages;
pub mod people;
pub mod problem;
pub mod query;
pub mod rejects;
pub mod secure;
pub mod stats;
pub mod stock;
pub mod sockets;
pub mod tls;

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use edgetally_proto::sign::key_hash;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::login::Logins;
use crate::store::engine::{Engine, Stage};
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
    /// Whether connections are encrypted here.
    pub is_tls: bool,
    /// How many exports may begin now.
    pub exports: Arc<Semaphore>,
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
            is_tls: config.tls.is_some(),
            exports: Arc::new(Semaphore::new(export::EXPORTS_MAX)),
        }
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

/// All routes.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/v1/edges", get(edges::get))
        .route("/v1/live", get(live::get))
        .route("/v1/live/ws", get(live::socket::get))
        .route("/v1/query", post(query::post))
        .route("/api/v2/query", post(query::post_plausible))
        .route("/api/stats", get(stats::get))
        .route("/api/stats/cities", get(stats::cities))
        .route("/v1/costs", post(costs::post))
        .route("/v1/stock", get(stock::get))
        .route("/v1/funnel", post(query::post_funnel))
        .route("/v1/people/merge", post(merge::post).delete(merge::undo).get(merge::get))
        .route("/v1/people/merge/undo", post(merge::undo))
        .route("/v1/people/{person}", get(people::show::get).delete(people::delete))
        .route("/v1/people/{person}/export", get(people::show::export))
        .route("/v1/sessions", get(facts::sessions))
        .route("/v1/orders", get(facts::orders))
        .route("/v1/orders/{transaction}", get(facts::order))
        .route("/v1/export/{what}", get(export::get))
        .route("/v1/rejects", get(rejects::get))
        .route("/v1/rejects/replay", post(rejects::replay::post))
        .route("/v1/sites", get(admin::sites))
        .route("/v1/sites/{site}", get(admin::site).put(admin::put_site).delete(admin::delete_site))
        .route("/v1/keys", get(admin::keys).post(admin::post_key))
        .route("/v1/keys/{id}", delete(admin::delete_key))
        .route("/v1/links", get(links::get).post(links::post))
        .route("/v1/links/{id}", delete(links::delete))
        .route("/v1/audit", get(audit::get))
        .route("/v1/login", post(login::login))
        .route("/v1/logout", post(login::logout))
        .route_layer(middleware::from_fn_with_state(app.clone(), only_when_ready));
    Router::new()
        .route("/v1/frames", post(frames::post))
        .route("/v1/edge/config", get(frames::config))
        .merge(api)
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::get))
        .merge(pages::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), secure::headers))
        .with_state(app)
}

async fn only_when_ready(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.ready() {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn healthz() -> &'static str {
    "ok"
}

async fn readyz(State(app): State<App>) -> Response {
    match app.engine.shared.stage() {
        Stage::Ready => "ready".into_response(),
        stage => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{stage:?}").to_lowercase()).into_response()
        }
    }
}

async fn not_found() -> Problem {
    Problem::not_found("there is no such route")
}

async fn not_allowed(method: Method) -> Problem {
    let detail = format!("{method} is not allowed here");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
