//! Routes of the worker, and how each is answered.

use edgetally_proto::archive::ROUTE;
use serde_json::json;
use worker::worker_sys::web_sys;
use worker::{Context, Env, Headers, Method, Request, Response, Result};

use super::events::{self, platform_failed};
use super::{archive, bindings, glue, settings, wake};
use crate::collect::{self, Access, Head, Problem};
use crate::compat::{ga4, plausible, segment};

/// The SDK's files, under their names.
const SDK: [(&str, &str); 5] = [
    ("e.js", include_str!("../../../sdk-js/dist/e.js")),
    ("e.full.js", include_str!("../../../sdk-js/dist/e.full.js")),
    ("e.vitals.js", include_str!("../../../sdk-js/dist/e.vitals.js")),
    ("e.debug.js", include_str!("../../../sdk-js/dist/e.debug.js")),
    ("e.datalayer.js", include_str!("../../../sdk-js/dist/e.datalayer.js")),
];
/// Browsers may keep the current SDK for an hour, and a version of it for ever.
const CURRENT: &str = "public, max-age=3600";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// What a route takes events by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Events,
    Ga4 { debug: bool },
    Plausible,
    Segment(segment::Call),
}

impl Route {
    fn of_path(path: &str) -> Option<Self> {
        match path {
            "/v1/events" => Some(Self::Events),
            "/mp/collect" => Some(Self::Ga4 { debug: false }),
            "/debug/mp/collect" => Some(Self::Ga4 { debug: true }),
            "/api/event" => Some(Self::Plausible),
            path => segment::Call::of_path(path).map(Self::Segment),
        }
    }
}

/// Answers a request.
pub async fn answer(request: Request, env: &Env, context: &Context) -> Result<web_sys::Response> {
    wake::wake_once(env, context);
    let path = request.path();
    let answer = match (request.method(), Route::of_path(&path)) {
        (Method::Options, _) => preflight(),
        (Method::Post, Some(route)) => return post(route, request, env).await,
        (_, Some(_)) => {
            events::drain(request).await;
            let answer = refuse(&Problem::new(405, "method_not_allowed", "use POST"))?;
            answer.headers().set("Allow", "POST, OPTIONS")?;
            Ok(answer)
        }
        (_, None) if path == ROUTE || path.starts_with(&format!("{ROUTE}/")) => {
            match archive::answer(request, env).await {
                Ok(answer) => answer,
                Err(problem) => refuse(&problem),
            }
        }
        (Method::Get | Method::Head, None) if path == "/healthz" => health(env),
        (Method::Get | Method::Head, None) => sdk(&path),
        _ => refuse(&Problem::new(404, "not_found", "there is no such route")),
    };
    answer.map(Into::into)
}

fn health(env: &Env) -> Result<Response> {
    let version = env!("CARGO_PKG_VERSION");
    let archive = if bindings::bucket(env).is_some() { "on" } else { "off" };
    Response::from_json(&json!({"status": "ok", "archive": archive, "version": version}))
}

async fn post(route: Route, request: Request, env: &Env) -> Result<web_sys::Response> {
    let answer = match route {
        Route::Events => post_events(request, env).await,
        Route::Ga4 { debug } => post_ga4(request, env, debug).await.map(exposed),
        Route::Plausible => post_plausible(request, env).await.map(exposed),
        Route::Segment(call) => post_segment(request, env, call).await.map(exposed),
    };
    answer.unwrap_or_else(|problem| refuse(&problem).map(Into::into))
}

/// An answer, or why the request is refused.
type Answer<T = Response> = std::result::Result<Result<T>, Problem>;

fn exposed(answer: Result<Response>) -> Result<web_sys::Response> {
    let answer = answer?;
    expose(answer.headers())?;
    Ok(answer.into())
}

fn query(request: &Request, name: &str) -> Option<String> {
    // Most requests have no query; to take a URL apart for nothing is not cheap.
    if !request.inner().url().contains('?') {
        return None;
    }
    let url = request.url().ok()?;
    url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

async fn post_events(request: Request, env: &Env) -> Answer<web_sys::Response> {
    let head = Head::of(&request);
    if let Err(problem) = head.check_media() {
        events::drain(request).await;
        return Err(problem);
    }
    let dry_run = query(&request, "validate").as_deref() == Some("1");
    let (body, current) = events::receive(request, env, &head).await?;
    let batch = collect::parse(&body)?;
    let outcome = events::accept(env, &head, &batch, current, Access::Key, dry_run).await?;
    Ok(Ok(glue::json(&outcome.to_json(&batch), 202)))
}

/// GA4 answers 204 whatever it thinks of the events, and tells on the debug route only.
async fn post_ga4(request: Request, env: &Env, debug: bool) -> Answer {
    let site = query(&request, "measurement_id").or_else(|| query(&request, "firebase_app_id"));
    let secret = query(&request, "api_secret").unwrap_or_default();
    let head = Head::of(&request).with_key(&secret);
    let (body, current) = events::receive(request, env, &head).await?;
    let mapped = ga4::parse(&site.unwrap_or_default(), &body)?;
    let batch = collect::parse_mapped(&mapped)?;
    let outcome = events::accept(env, &head, &batch, current, Access::ServerKey, debug).await?;
    if debug {
        return Ok(Response::from_json(&ga4::validation_messages(&outcome.rejected)));
    }
    Ok(Response::empty().map(|answer| answer.with_status(204)))
}

/// Plausible's scripts look at the header to learn that an event was not taken.
async fn post_plausible(request: Request, env: &Env) -> Answer {
    let head = Head { authorization: None, ..Head::of(&request) };
    let (body, current) = events::receive(request, env, &head).await?;
    let mapped = plausible::parse(&body)?;
    let batch = collect::parse_mapped(&mapped)?;
    let outcome = events::accept(env, &head, &batch, current, Access::Origin, false).await?;
    let answer = || -> Result<Response> {
        let answer = Response::ok("ok")?.with_status(202);
        if !outcome.rejected.is_empty() {
            answer.headers().set("x-plausible-dropped", "1")?;
        }
        Ok(answer)
    };
    Ok(answer())
}

/// The key says which site it is; browsers put it into the body.
async fn post_segment(request: Request, env: &Env, call: segment::Call) -> Answer {
    let head = Head::of(&request);
    let in_header = head.basic_user();
    let head = match &in_header {
        Some(key) => head.with_key(key),
        None => Head { authorization: None, ..head },
    };
    let (body, current) = events::receive(request, env, &head).await?;
    let in_body = segment::write_key(&body)?;
    let key = in_header.clone().or(in_body).unwrap_or_default();
    let current = match current.settings.key(&key) {
        Some(_) => current,
        None => settings::refresh(env, true).await.map_err(platform_failed)?,
    };
    let known = current.settings.key(&key).map(|(site, _)| site.to_string());
    let Some(site) = known else {
        return Err(Problem::new(401, "key_invalid", "the key is missing or not known"));
    };
    let mapped = segment::parse(call, &site, &body)?;
    let mut batch = collect::parse_mapped(&mapped)?;
    batch.key = in_header.is_none().then_some(key);
    events::accept(env, &head, &batch, current, Access::Key, false).await?;
    Ok(Response::from_json(&json!({"success": true})))
}

fn preflight() -> Result<Response> {
    let answer = Response::empty()?.with_status(204);
    let headers = answer.headers();
    headers.set("Access-Control-Allow-Origin", "*")?;
    headers.set("Access-Control-Allow-Methods", "POST, OPTIONS")?;
    headers.set("Access-Control-Allow-Headers", "Authorization, Content-Type, Content-Encoding")?;
    headers.set("Access-Control-Max-Age", "86400")?;
    Ok(answer)
}

/// `/e.js` and its like, and `/e/<version>/e.js`.
fn sdk(path: &str) -> Result<Response> {
    let name = path.trim_start_matches('/');
    let versioned = name.strip_prefix("e/").and_then(|rest| rest.split_once('/'));
    let (name, cache) = match versioned {
        Some((env!("CARGO_PKG_VERSION"), name)) => (name, IMMUTABLE),
        Some(_) => ("", CURRENT),
        None => (name, CURRENT),
    };
    let Some((_, script)) = SDK.into_iter().find(|(file, _)| *file == name) else {
        return refuse(&Problem::new(404, "not_found", "there is no such route"));
    };
    let answer = Response::ok(script)?;
    let headers = answer.headers();
    headers.set("Content-Type", "text/javascript; charset=utf-8")?;
    headers.set("Cache-Control", cache)?;
    headers.set("Access-Control-Allow-Origin", "*")?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    Ok(answer)
}

fn expose(headers: &Headers) -> Result<()> {
    headers.set("Access-Control-Allow-Origin", "*")?;
    headers.set("Access-Control-Expose-Headers", "Retry-After, x-plausible-dropped")?;
    headers.set("Cache-Control", "no-store")
}

fn refuse(problem: &Problem) -> Result<Response> {
    let answer = Response::from_json(&problem.to_json())?.with_status(problem.status);
    expose(answer.headers())?;
    answer.headers().set("Content-Type", "application/problem+json")?;
    if let Some(seconds) = problem.retry_after_s() {
        answer.headers().set("Retry-After", &seconds.to_string())?;
    }
    Ok(answer)
}
