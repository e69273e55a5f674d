//! Routes of the worker: `POST /v1/events`, the SDK, health.

use std::collections::{BTreeMap, HashSet};

use edgetally_proto::batch::Batch;
use edgetally_proto::event::Event;
use edgetally_proto::frame;
use edgetally_proto::raw::RawBatch;
use edgetally_proto::time::second_of;
use edgetally_proto::validate::{Rules, Visitor, ids_of, validate};
use futures_util::StreamExt;
use futures_util::future::join_all;
use worker::{Context, Env, Headers, Method, Request, Response, Result};

use super::bindings;
use super::limiter;
use super::settings::{self, Current};
use super::wake;
use crate::accumulate::Window;
use crate::collect::{self, Head, Outcome, Problem, Sender, body_too_large};
use crate::enrich::enrich;
use crate::route::shard_of;

/// The SDK's files, under their names.
const SDK: [(&str, &str); 3] = [
    ("e.js", include_str!("../../../sdk-js/dist/e.js")),
    ("e.full.js", include_str!("../../../sdk-js/dist/e.full.js")),
    ("e.vitals.js", include_str!("../../../sdk-js/dist/e.vitals.js")),
];
/// Browsers may keep the current SDK for an hour, and a version of it for ever.
const CURRENT: &str = "public, max-age=3600";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Answers a request.
pub async fn answer(request: Request, env: &Env, context: &Context) -> Result<Response> {
    let waking = env.clone();
    context.wait_until(async move { wake::wake_once(&waking).await });
    let path = request.path();
    match (request.method(), path.as_str()) {
        (Method::Post, "/v1/events") => post_events(request, env).await,
        (Method::Options, _) => preflight(),
        (_, "/v1/events") => {
            let problem = Problem::new(405, "method_not_allowed", "use POST");
            let answer = refuse(&problem)?;
            answer.headers().set("Allow", "POST, OPTIONS")?;
            Ok(answer)
        }
        (Method::Get | Method::Head, "/healthz") => {
            let version = env!("CARGO_PKG_VERSION");
            let body = serde_json::json!({"status": "ok", "archive": "off", "version": version});
            Response::from_json(&body)
        }
        (Method::Get | Method::Head, path) => sdk(path),
        _ => refuse(&Problem::new(404, "not_found", "there is no such route")),
    }
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
    headers.set("Access-Control-Expose-Headers", "Retry-After")?;
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

async fn post_events(request: Request, env: &Env) -> Result<Response> {
    match collect_events(request, env).await {
        Ok(body) => {
            let answer = Response::from_json(&body)?.with_status(202);
            expose(answer.headers())?;
            Ok(answer)
        }
        Err(problem) => refuse(&problem),
    }
}

fn head_of(request: &Request) -> Head {
    let header = |name: &str| request.headers().get(name).ok().flatten();
    Head {
        content_type: header("Content-Type"),
        content_encoding: header("Content-Encoding"),
        origin: header("Origin"),
        authorization: header("Authorization"),
        user_agent: header("User-Agent").unwrap_or_default(),
        gpc: header("Sec-GPC").as_deref() == Some("1"),
        address: header("CF-Connecting-IP").unwrap_or_else(|| "127.0.0.1".to_owned()),
    }
}

fn platform_failed(error: worker::Error) -> Problem {
    Problem::overloaded(error.to_string())
}

/// Reads the body, never more than one chunk beyond its limit.
async fn read(mut request: Request, bytes_max: usize) -> std::result::Result<Vec<u8>, Problem> {
    let length = request.headers().get("Content-Length").ok().flatten();
    if length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|n| n > bytes_max) {
        return Err(body_too_large(bytes_max));
    }
    let Ok(mut stream) = request.stream() else {
        return Ok(Vec::new());
    };
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        body.extend_from_slice(&chunk.map_err(platform_failed)?);
        if body.len() > bytes_max {
            return Err(body_too_large(bytes_max));
        }
    }
    Ok(body)
}

/// The way of a request, step by step; each step may refuse all of it.
async fn collect_events(
    request: Request,
    env: &Env,
) -> std::result::Result<serde_json::Value, Problem> {
    let head = head_of(&request);
    head.check_media()?;
    let query = request.url().ok().and_then(|url| url.query().map(str::to_owned));
    let dry_run = query.is_some_and(|query| query.split('&').any(|pair| pair == "validate=1"));
    let current = settings_for(env, &head).await?;
    let bytes_max = head.body_bytes_max(&current.settings);
    let body = collect::unpack(&head, read(request, bytes_max).await?, bytes_max)?;
    let batch = collect::parse(&body)?;
    let current = settings_of(env, &head, &batch, current).await?;
    let sender = collect::authorize(&head, &batch, &current.settings)?;
    limiter::admit(env, &sender, &head.address).await?;
    collect::check_count(&batch, sender.server_key)?;
    let (mut outcome, events) = judge(&head, &batch, &sender, &current)?;
    if dry_run {
        count_repeats(&events, &mut outcome);
    } else {
        store(env, &batch, &sender, events, &mut outcome).await?;
    }
    Ok(outcome.to_json(&batch.events))
}

/// Settings that know the key of the header, if the aggregator does: it decides how much is read.
async fn settings_for(env: &Env, head: &Head) -> std::result::Result<Current, Problem> {
    let current = settings::current(env).await.map_err(platform_failed)?;
    match head.bearer() {
        Some(key) if current.settings.key(key).is_none() => {
            settings::refresh(env, true).await.map_err(platform_failed)
        }
        _ => Ok(current),
    }
}

/// Settings by which a batch is judged: asked for anew before its site or key is refused.
async fn settings_of(
    env: &Env,
    head: &Head,
    batch: &RawBatch,
    current: Current,
) -> std::result::Result<Current, Problem> {
    match collect::authorize(head, batch, &current.settings) {
        Err(problem) if collect::may_be_stale(&problem) => {
            settings::refresh(env, true).await.map_err(platform_failed)
        }
        _ => Ok(current),
    }
}

/// Validates and enriches the events; the refused are in the outcome.
fn judge(
    head: &Head,
    batch: &RawBatch,
    sender: &Sender<'_>,
    current: &Current,
) -> std::result::Result<(Outcome, Vec<Event>), Problem> {
    let nonce = bindings::random::<8>().map_err(platform_failed)?;
    let rules = Rules {
        site: sender.site,
        settings: sender.settings,
        server_key: sender.server_key,
        received_at_ms: bindings::now_ms(),
        sent_at_ms: batch.sent_at_ms,
        ids: ids_of(sender.settings, batch.consent, head.gpc),
        visitor: Visitor {
            address: &head.address,
            user_agent: &head.user_agent,
            salt: current.salt.as_bytes(),
        },
        nonce: u64::from_le_bytes(nonce),
    };
    let mut outcome = Outcome::default();
    let mut events = Vec::with_capacity(batch.events.len());
    for (index, raw) in batch.events.iter().enumerate() {
        let judged = validate(raw, index, &rules).and_then(|(event, warnings)| {
            let bots = sender.settings.bots;
            Ok((enrich(event, bots, sender.server_key, &head.user_agent)?, warnings))
        });
        match judged {
            Ok((event, warnings)) => {
                outcome.warnings.extend(warnings.into_iter().map(|warning| (index, warning)));
                events.push(event);
            }
            Err(reject) => outcome.rejected.push((index, reject)),
        }
    }
    Ok((outcome, events))
}

/// Counts the repeats within a batch that is only checked.
fn count_repeats(events: &[Event], outcome: &mut Outcome) {
    let distinct: HashSet<_> = events.iter().map(|event| (&event.client, &event.id)).collect();
    outcome.accepted = distinct.len();
    outcome.duplicates = events.len() - outcome.accepted;
}

/// Hands events and counts to their shards; done when all of them have committed.
async fn store(
    env: &Env,
    batch: &RawBatch,
    sender: &Sender<'_>,
    events: Vec<Event>,
    outcome: &mut Outcome,
) -> std::result::Result<(), Problem> {
    let now_ms = bindings::now_ms();
    let home = &sender.settings.home_region;
    let mut shards: BTreeMap<String, Window> = BTreeMap::new();
    for event in events {
        let client = event.client.as_ref().map(|client| client.as_str());
        let shard = shard_of(sender.site, home, client);
        shards.entry(shard).or_default().fold(sender.site, event);
    }
    if !outcome.rejected.is_empty() || batch.dropped > 0 {
        let shard = shards.keys().next().cloned();
        let shard = shard.unwrap_or_else(|| shard_of(sender.site, home, None));
        let window = shards.entry(shard).or_default();
        for (_, reject) in &outcome.rejected {
            window.count_reject(sender.site, second_of(now_ms), reject.code);
        }
        if batch.dropped > 0 {
            window.count_dropped(sender.site, second_of(now_ms), batch.dropped);
        }
    }
    let sends = shards.iter_mut().map(|(shard, window)| admit(env, shard, window.seal(now_ms)));
    for admitted in join_all(sends).await {
        for new in admitted.map_err(platform_failed)? {
            outcome.accepted += usize::from(new);
            outcome.duplicates += usize::from(!new);
        }
    }
    Ok(())
}

/// Whether each record of a batch was new to its shard, once the shard has committed.
async fn admit(env: &Env, shard: &str, batch: Batch) -> Result<Vec<bool>> {
    let stub = bindings::shard(env, shard)?;
    let mut answer = bindings::call(&stub, bindings::ADMIT, &frame::encode(&batch)).await?;
    if answer.status_code() != 200 {
        return Err(answer.text().await?.into());
    }
    Ok(answer.bytes().await?.into_iter().map(|new| new == 1).collect())
}
