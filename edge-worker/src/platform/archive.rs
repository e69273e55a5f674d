//! The bucket: one task a shard carries out what its archivist asks for, one operation at a time;
//! and the routes by which the aggregator reads and rewrites the archive.

use std::rc::Rc;
use std::time::Duration;

use edgetally_proto::archive::{Listing, Object, ROUTE};
use edgetally_proto::ids::ShardName;
use edgetally_proto::sign::{self, header};
use futures_util::future::{Either, select};
use worker::{
    Bucket, Conditional, Delay, Env, Method, Request, Response, Result, console_error, console_log,
};

use super::bindings;
use super::shard::Core;
use crate::archivist::{Condition, Operation, Orders, Outcome};
use crate::collect::Problem;
use crate::store::Spilled;

/// How long the bucket may take for one operation of a shard.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest object that may be written by a request.
const PUT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Objects of one page of a list.
const PAGE: u32 = 1_000;
/// An etag that fits every object.
const ANY: &str = "*";

/// What a shard's archivist is asked for, if there is a bucket.
pub fn orders(core: &Core) -> Option<Orders> {
    bindings::bucket(&core.env)?;
    let shard = ShardName::parse(&core.state.id().name()?).ok()?;
    Some(Orders { shard, after_ms: bindings::archive_after_ms(&core.env) })
}

/// Starts the task, unless it runs or nothing is due.
pub fn start(core: &Rc<Core>) -> Result<()> {
    let Some(bucket) = bindings::bucket(&core.env) else { return Ok(()) };
    let started = core.with(|memory| {
        let is_due = memory.shard.archive_wait_ms(bindings::now_ms()) == Some(0);
        let start = !memory.archiving && is_due;
        memory.archiving |= start;
        Ok(start.then_some(memory.life))
    })?;
    if let Some(life) = started {
        let task = Rc::clone(core);
        core.state.wait_until(async move {
            let outcome = run(&task, &bucket, life).await;
            // Memory that came in its place has no task, or one of its own.
            let ended = task.with(|memory| {
                memory.archiving &= memory.life != life;
                Ok(())
            });
            if let Err(error) = outcome.and(ended) {
                console_error!("archive: {error}");
            }
        });
    }
    Ok(())
}

async fn run(core: &Rc<Core>, bucket: &Bucket, life: u32) -> Result<()> {
    loop {
        let mark = bindings::mark()?;
        let operation = core.with(|memory| match memory.life == life {
            true => Ok(memory.shard.archive(mark, bindings::now_ms())?),
            false => Ok(None),
        })?;
        let Some(operation) = operation else { return Ok(()) };
        let outcome = perform_in_time(bucket, operation).await.unwrap_or_else(|error| {
            console_log!("archive: {error}");
            Outcome::Failed
        });
        core.with(|memory| match memory.life == life {
            true => Ok(memory.shard.archived(outcome, bindings::now_ms())?),
            false => Ok(()),
        })?;
    }
}

/// An operation that the bucket never answers must not keep all later ones waiting. It may still
/// be carried out, at any time: whatever is done again is done under the same name or condition.
async fn perform_in_time(bucket: &Bucket, operation: Operation) -> Result<Outcome> {
    let performed = Box::pin(perform(bucket, operation));
    match select(performed, Box::pin(Delay::from(TIMEOUT))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err("the bucket takes too long".into()),
    }
}

async fn perform(bucket: &Bucket, operation: Operation) -> Result<Outcome> {
    match operation {
        Operation::Get { name } => {
            let Some(object) = bucket.get(name).execute().await? else {
                return Ok(Outcome::Absent);
            };
            let etag = object.etag();
            let body = object.body().ok_or("the bucket gave no body")?.bytes().await?;
            Ok(Outcome::Found { body, etag })
        }
        Operation::Put { name, body, condition } => {
            let condition = match condition {
                Condition::Absent => {
                    Conditional { etag_does_not_match: Some(ANY.to_owned()), ..Default::default() }
                }
                Condition::Unchanged { etag } => {
                    Conditional { etag_matches: Some(etag), ..Default::default() }
                }
            };
            let put = bucket.put(name, body).only_if(condition).execute().await?;
            Ok(if put.is_some() { Outcome::Done } else { Outcome::Conflict })
        }
        Operation::Delete { names } => {
            bucket.delete_multiple(names).await?;
            Ok(Outcome::Done)
        }
    }
}

/// Reads an object of frames and hands it to the shard; says whether it could be read.
pub async fn refill(core: &Rc<Core>, spilled: Spilled, name: String) -> Result<bool> {
    let bucket = bindings::bucket(&core.env).ok_or("there is no bucket to read frames from")?;
    let object = match perform_in_time(&bucket, Operation::Get { name: name.clone() }).await {
        Ok(Outcome::Found { body, .. }) => Some(body),
        Ok(_) => None,
        Err(error) => {
            console_log!("archive: {name}: {error}");
            return Ok(false);
        }
    };
    let epoch = bindings::epoch()?;
    let lost = core.with(|memory| Ok(memory.shard.refill(spilled, object.as_deref(), epoch)?))?;
    if lost {
        console_error!("archive: {name} is gone or damaged; epoch {epoch} begins after it");
    }
    Ok(true)
}

/// Answers a request for the archive.
pub async fn answer(
    mut request: Request,
    env: &Env,
) -> std::result::Result<Result<Response>, Problem> {
    let body = match request.method() {
        Method::Put => request.bytes().await.unwrap_or_default(),
        _ => Vec::new(),
    };
    authorize(&request, env, &body)?;
    let Some(bucket) = bindings::bucket(env) else {
        return Err(Problem::new(404, "not_found", "this worker has no bucket"));
    };
    let path = request.path();
    let name = path.strip_prefix(ROUTE).and_then(|rest| rest.strip_prefix('/'));
    let name = name.map(|name| name.to_owned()).filter(|name| !name.is_empty());
    match (request.method(), name) {
        (Method::Get, None) => Ok(list(&request, &bucket).await),
        (Method::Get, Some(name)) => get(&bucket, name).await,
        (Method::Put, Some(name)) => put(&request, &bucket, name, body).await,
        (Method::Delete, Some(name)) => {
            Ok(bucket.delete(name).await.and_then(|()| Ok(Response::empty()?.with_status(204))))
        }
        _ => Err(Problem::new(405, "method_not_allowed", "use GET, PUT or DELETE")),
    }
}

fn authorize(request: &Request, env: &Env, body: &[u8]) -> std::result::Result<(), Problem> {
    let header = |name: &str| request.headers().get(name).ok().flatten().unwrap_or_default();
    let at_ms: i64 = header(header::AT).parse().unwrap_or(0);
    let signature = header(header::SIGNATURE);
    let secret = bindings::edge_secret(env).unwrap_or_default();
    let url = request.url().ok();
    let target = url.as_ref().map_or_else(String::new, |url| match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    });
    let (method, when) = (request.method().to_string(), (at_ms, bindings::now_ms()));
    let is_signed = !secret.is_empty()
        && sign::archive_request_verify(&secret, (&method, &target), when, body, &signature);
    if !is_signed {
        let detail = "the signature does not fit, or the clocks are more than five minutes apart";
        return Err(Problem::new(401, "signature_invalid", detail));
    }
    if body.len() > PUT_BYTES_MAX {
        return Err(Problem::new(413, "body_too_large", "an object has at most 64 MiB"));
    }
    Ok(())
}

async fn list(request: &Request, bucket: &Bucket) -> Result<Response> {
    let asked = |name: &str| {
        let url = request.url().ok()?;
        let value = url.query_pairs().find(|(n, _)| n == name)?.1.into_owned();
        (!value.is_empty()).then_some(value)
    };
    let mut list = bucket.list().limit(PAGE);
    if let Some(prefix) = asked("prefix") {
        list = list.prefix(prefix);
    }
    if let Some(cursor) = asked("cursor") {
        list = list.cursor(cursor);
    }
    let page = list.execute().await?;
    let results = page.objects().into_iter().map(|object| Object {
        name: object.key(),
        bytes: object.size(),
        etag: object.etag(),
    });
    let next = if page.truncated() { page.cursor() } else { None };
    Response::from_json(&Listing { results: results.collect(), next })
}

async fn get(bucket: &Bucket, name: String) -> std::result::Result<Result<Response>, Problem> {
    let read = async {
        let Some(object) = bucket.get(name).execute().await? else { return Ok(None) };
        let body = object.body().ok_or("the bucket gave no body")?.response_body()?;
        let answer = Response::from_body(body)?;
        answer.headers().set("ETag", &object.http_etag())?;
        answer.headers().set("Content-Type", "application/octet-stream")?;
        Ok(Some(answer))
    };
    match read.await {
        Ok(Some(answer)) => Ok(Ok(answer)),
        Ok(None) => Err(Problem::new(404, "not_found", "there is no such object")),
        Err(error) => Ok(Err(error)),
    }
}

/// Writes an object; with `If-Match` only over the one of that etag, with `If-None-Match: *` only
/// if there is none.
async fn put(
    request: &Request,
    bucket: &Bucket,
    name: String,
    body: Vec<u8>,
) -> std::result::Result<Result<Response>, Problem> {
    let header = |name: &str| {
        let value = request.headers().get(name).ok().flatten();
        value.map(|etag| etag.trim_matches('"').to_owned())
    };
    let (etag_matches, etag_does_not_match) = (header("If-Match"), header("If-None-Match"));
    let mut writing = bucket.put(name, body);
    if etag_matches.is_some() || etag_does_not_match.is_some() {
        let condition = Conditional { etag_matches, etag_does_not_match, ..Default::default() };
        writing = writing.only_if(condition);
    }
    match writing.execute().await {
        Ok(Some(object)) => Ok(Response::empty().and_then(|answer| {
            answer.headers().set("ETag", &object.http_etag())?;
            Ok(answer.with_status(204))
        })),
        Ok(None) => Err(Problem::new(412, "conflict", "the object is not the one expected")),
        Err(error) => Ok(Err(error)),
    }
}
