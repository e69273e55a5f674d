//! The way of a batch through the worker, step by step; each step may refuse all of it.

use std::collections::{BTreeMap, HashSet};

use edgetally_proto::raw::RawBatch;
use edgetally_proto::time::second_of;
use edgetally_proto::validate::{Ids, Rules, Visitor, ids_of};
use futures_util::StreamExt;
use futures_util::future::join_all;
use worker::{Env, Request, Result};

use super::bindings;
use super::glue;
use super::limiter;
use super::settings::{self, Current};
use crate::collect::{self, Access, Head, Outcome, Problem, Sender, body_too_large};
use crate::enrich::Seen;
use crate::judge::{Judged, judge, lines};
use crate::route::shard_of;
use crate::waiting::encode_admission;
use edgetally_proto::window::Window;

/// Bytes of a body that is refused which are still read.
const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A failure of the platform: not all is known to be durable.
pub fn platform_failed(error: worker::Error) -> Problem {
    Problem::overloaded(error.to_string())
}

/// Reads the body. What is beyond its limit is read too, up to [`DRAIN_BYTES_MAX`], and dropped:
/// a sender that is still sending when the connection closes never sees the answer.
async fn read(mut request: Request, bytes_max: usize) -> std::result::Result<Vec<u8>, Problem> {
    let Ok(mut stream) = request.stream() else { return Ok(Vec::new()) };
    let (mut body, mut bytes) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(platform_failed)?;
        bytes += chunk.len();
        if bytes <= bytes_max {
            body.extend_from_slice(&chunk);
        } else if bytes > DRAIN_BYTES_MAX {
            break;
        }
    }
    if bytes > bytes_max { Err(body_too_large(bytes_max)) } else { Ok(body) }
}

/// Reads and drops a body that nobody looks at, so that the sender sees the answer.
pub async fn drain(request: Request) {
    // Whatever goes wrong with it, the answer stands already.
    let _dropped = read(request, 0).await;
}

/// Reads a body, bounded by what the key of the header may send, and unpacks it.
pub async fn receive(
    request: Request,
    env: &Env,
    head: &Head,
) -> std::result::Result<(Vec<u8>, Current), Problem> {
    head.check_encoding()?;
    let current = settings_for(env, head).await?;
    let bytes_max = head.body_bytes_max(&current.settings);
    // A stream is only for what may be too much: it costs several times as much as a small body.
    let body = match head.content_length {
        Some(bytes) if bytes <= bytes_max => glue::body(&request).await.map_err(platform_failed)?,
        _ => read(request, bytes_max).await?,
    };
    Ok((collect::unpack(head, body, bytes_max)?, current))
}

/// Takes a batch, or refuses all of it. A dry run judges the events and stores nothing.
pub async fn accept(
    env: &Env,
    head: &Head,
    batch: &RawBatch<'_>,
    current: Current,
    access: Access,
    dry_run: bool,
) -> std::result::Result<Outcome, Problem> {
    let current = settings_of(env, access, head, batch, current).await?;
    let sender = collect::authorize(access, head, batch, &current.settings)?;
    limiter::admit(env, &sender, &head.address).await?;
    collect::check_count(batch, sender.server_key)?;
    // What is only checked leaves nothing behind.
    let is_archived = !dry_run && bindings::bucket(env).is_some();
    let (judged, lines) = judge_batch(access, head, batch, &sender, &current, is_archived)?;
    if dry_run {
        return Ok(count_repeats(judged));
    }
    store(env, batch, &sender, judged, lines).await
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
    access: Access,
    head: &Head,
    batch: &RawBatch<'_>,
    current: Current,
) -> std::result::Result<Current, Problem> {
    match collect::authorize(access, head, batch, &current.settings) {
        Err(problem) if collect::may_be_stale(&problem) => {
            settings::refresh(env, true).await.map_err(platform_failed)
        }
        _ => Ok(current),
    }
}

/// Validates and enriches the events; with their lines for the archive, if there is one.
fn judge_batch(
    access: Access,
    head: &Head,
    batch: &RawBatch<'_>,
    sender: &Sender<'_>,
    current: &Current,
    is_archived: bool,
) -> std::result::Result<(Judged, Vec<String>), Problem> {
    let nonce = bindings::random::<8>().map_err(platform_failed)?;
    let ids = match (access, ids_of(sender.settings, batch.consent, head.gpc)) {
        (Access::Origin, Ids::Used) => Ids::Cookieless,
        (_, ids) => ids,
    };
    let rules = Rules {
        site: sender.site,
        settings: sender.settings,
        server_key: sender.server_key,
        received_at_ms: bindings::now_ms(),
        sent_at_ms: batch.sent_at_ms,
        ids,
        visitor: Visitor {
            address: &head.address,
            user_agent: &head.user_agent,
            salt: current.salt.as_bytes(),
        },
        nonce: u64::from_le_bytes(nonce),
    };
    let judged = judge(batch, &rules, &Seen::of(head));
    let lines = if is_archived { lines(batch, &rules, &judged) } else { Vec::new() };
    Ok((judged, lines))
}

/// Counts the repeats within a batch that is only checked.
fn count_repeats(judged: Judged) -> Outcome {
    let Judged { events, mut outcome, .. } = judged;
    let distinct: HashSet<_> = events.iter().map(|event| (&event.client, &event.id)).collect();
    outcome.accepted = distinct.len();
    outcome.duplicates = events.len() - outcome.accepted;
    outcome
}

/// What goes to one shard.
#[derive(Default)]
struct Parcel {
    window: Window,
    /// A line for each of its events, where there is an archive.
    lines: Vec<String>,
}

/// Hands events and counts to their shards; done when all of them have committed.
async fn store(
    env: &Env,
    batch: &RawBatch<'_>,
    sender: &Sender<'_>,
    judged: Judged,
    lines: Vec<String>,
) -> std::result::Result<Outcome, Problem> {
    let Judged { events, mut outcome, letters } = judged;
    let now_ms = bindings::now_ms();
    let mut shards: BTreeMap<String, Parcel> = BTreeMap::new();
    let mut lines = lines.into_iter();
    for event in events {
        let client = event.client.as_ref().map(|client| client.as_str());
        let shard = shard_of(sender.site, sender.settings, client);
        let parcel = shards.entry(shard).or_default();
        parcel.window.fold(sender.site, event);
        parcel.lines.extend(lines.next());
    }
    if !outcome.rejected.is_empty() || batch.dropped > 0 {
        let shard = shards.keys().next().cloned();
        let shard = shard.unwrap_or_else(|| shard_of(sender.site, sender.settings, None));
        let window = &mut shards.entry(shard).or_default().window;
        for (_, reject) in &outcome.rejected {
            window.count_reject(sender.site, second_of(now_ms), reject.code);
        }
        for letter in letters {
            window.keep_letter(sender.site, letter);
        }
        if batch.dropped > 0 {
            window.count_dropped(sender.site, second_of(now_ms), batch.dropped);
        }
    }
    let sends = shards.iter_mut().map(|(shard, parcel)| {
        let batch = parcel.window.seal(now_ms);
        let records = batch.sites.iter().map(|site| site.records.len()).sum();
        admit(env, shard, encode_admission(&batch, &parcel.lines), records)
    });
    for admitted in join_all(sends).await {
        for new in admitted.map_err(platform_failed)? {
            outcome.accepted += usize::from(new);
            outcome.duplicates += usize::from(!new);
        }
    }
    Ok(outcome)
}

/// Whether each record of a batch was new to its shard, once the shard has committed.
async fn admit(env: &Env, shard: &str, body: Vec<u8>, records: usize) -> Result<Vec<bool>> {
    let object = bindings::shard_of(shard);
    let news = glue::ask_head(env, object, bindings::ADMIT, &body, bindings::NEWS).await?;
    if news.len() != records {
        return Err("the shard did not say what became of each event".into());
    }
    Ok(news.bytes().map(|new| new == b'1').collect())
}
