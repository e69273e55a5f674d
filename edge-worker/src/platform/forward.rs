//! Forwarding: one task a shard, one request in flight, committed frames only, in order.

use std::rc::Rc;
use std::time::Duration;

use edgetally_proto::sign::{self, Backlog, FramesHead, header};
use futures_util::future::{Either, select};
use serde_json::Value;
use worker::{AbortController, Delay, Fetch, Headers, Result, console_error, console_log};

use super::shard::Core;
use super::{archive, bindings};
use crate::outbox::{Next, Reply};
use crate::shard::{Outgoing, Parcel};

/// Tries of one task before it leaves the rest to the alarm, so that an object whose aggregator is
/// away for long may sleep.
const TRIES_MAX: u32 = 30;
/// How long to wait before the bucket is asked again for frames.
const REFILL_PAUSE_MS: i64 = 2_000;
/// How long the aggregator may take for one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Starts the task, unless it runs or there is nothing to send.
pub fn start(core: &Rc<Core>) -> Result<()> {
    let started = core.with(|memory| {
        let start = !memory.forwarding && memory.shard.has_backlog();
        memory.forwarding |= start;
        Ok(start)
    })?;
    if started {
        let task = Rc::clone(core);
        core.state.wait_until(async move {
            let outcome = run(&task).await;
            // Memory that was thrown away meanwhile has no task either.
            let ended = task.with(|memory| {
                memory.forwarding = false;
                Ok(())
            });
            if let Err(error) = outcome.and(ended) {
                console_error!("forward: {error}");
            }
        });
    }
    Ok(())
}

async fn run(core: &Rc<Core>) -> Result<()> {
    let mut tries = 0;
    while tries < TRIES_MAX {
        let parcel = match core.with(|memory| Ok(memory.shard.parcel()?))? {
            None => return Ok(()),
            Some(Outgoing::Parcel(parcel)) => parcel,
            Some(Outgoing::Missing { spilled, name }) => {
                if !archive::refill(core, spilled, name).await? {
                    tries += 1;
                    pause(REFILL_PAUSE_MS).await;
                }
                continue;
            }
        };
        let answer = send(core, &parcel).await.unwrap_or_else(|error| {
            console_log!("forward: {error}");
            Answer { reply: Reply::Unavailable, keep_from: None, pause_ms: 0 }
        });
        let Answer { reply, keep_from, pause_ms } = answer;
        let epoch = bindings::epoch()?;
        let next = core.with(|memory| {
            let next = memory.shard.finish(&parcel, reply, epoch)?;
            if let Some(number) = keep_from {
                memory.shard.note_keep_from(parcel.epoch, number);
            }
            Ok(next)
        })?;
        match next {
            Next::Rest => return Ok(()),
            Next::Send => {
                tries = 0;
                pause(pause_ms).await;
            }
            Next::Retry { after_ms } => {
                tries += 1;
                pause(after_ms).await;
            }
            Next::NewEpoch { base } => {
                console_error!("forward: epoch {epoch} begins after frame {base}");
            }
        }
    }
    Ok(())
}

async fn pause(ms: i64) {
    if ms > 0 {
        Delay::from(Duration::from_millis(ms.unsigned_abs())).await;
    }
}

/// What the aggregator answered.
struct Answer {
    reply: Reply,
    /// No backup of it needs frames before this number.
    keep_from: Option<u64>,
    /// How long it asks to wait before the next request.
    pause_ms: i64,
}

async fn send(core: &Rc<Core>, parcel: &Parcel) -> Result<Answer> {
    let url = bindings::aggregator_url(&core.env, "/v1/frames")?;
    let secret = bindings::edge_secret(&core.env)?;
    let shard = core.state.id().name().ok_or("the shard has no name")?;
    let epoch = parcel.epoch.to_string();
    let (first, last) = (parcel.first, parcel.last);
    let backlog = Some(Backlog { head: parcel.head, left: parcel.left });
    let head = FramesHead { shard: &shard, epoch: &epoch, first, last, backlog };
    let headers = Headers::new();
    headers.set("Content-Type", "application/cbor")?;
    headers.set(header::SHARD, &shard)?;
    headers.set(header::EPOCH, &epoch)?;
    headers.set(header::FIRST, &first.to_string())?;
    headers.set(header::LAST, &last.to_string())?;
    headers.set(header::HEAD, &parcel.head.to_string())?;
    headers.set(header::LEFT, &parcel.left.to_string())?;
    headers.set(header::SIGNATURE, &sign::frames(&secret, &head, &parcel.body))?;
    let request = bindings::post(&url, headers, &parcel.body)?;
    let abort = AbortController::default();
    let signal = abort.signal();
    let fetch = Fetch::Request(request);
    let sent = Box::pin(async move {
        let mut answer = fetch.send_with_signal(&signal).await?;
        let status = answer.status_code();
        Ok::<_, worker::Error>((status, answer.text().await?))
    });
    match select(sent, Box::pin(Delay::from(TIMEOUT))).await {
        Either::Left((answer, _)) => answer.map(|(status, body)| judge(status, &body)),
        Either::Right(_) => {
            abort.abort();
            Err("the aggregator takes too long".into())
        }
    }
}

fn judge(status: u16, body: &str) -> Answer {
    let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let number = |name: &str| body.get(name).and_then(Value::as_u64);
    let pause_ms = body.pointer("/limits/min_interval_ms").and_then(Value::as_i64).unwrap_or(0);
    let reply = match (status, number("acked"), number("expected")) {
        (200, Some(acked), _) => Reply::Acked(acked),
        (422, Some(acked), _) => {
            console_error!("forward: frame {acked} could not be read and was put aside");
            Reply::Acked(acked)
        }
        (409, _, Some(expected)) => Reply::Expected(expected),
        (409, _, _) if body.get("fork") == Some(&Value::Bool(true)) => Reply::Fork,
        (status, _, _) => {
            console_log!("forward: the aggregator answered {status}");
            Reply::Unavailable
        }
    };
    Answer { reply, keep_from: number("keep_from"), pause_ms }
}
