//! The whole program: frames of several shards over HTTP, made durable, and queries.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::args::Options;
use crate::pack::{self, Packed, SHARDS, SITE};
use crate::visible;
use edgetally_bench_process::{Program, remove, size};

/// Frames of a request: about as many bytes as it may have.
const FRAMES_PER_REQUEST: usize = 64;
/// Frames that are held back, to come slowly while it is measured how soon things are seen.
pub const HELD_BACK: usize = 100;
/// A checkpoint is saved within this time after the last frame.
const SAVED_AFTER: Duration = Duration::from_secs(45);

/// The frames of one shard.
pub struct Lane<'a> {
    /// Name of the shard.
    pub shard: String,
    /// What it has.
    pub frames: Vec<&'a [u8]>,
}

fn lanes<'a>(frames: &[Packed<'a>]) -> Vec<Lane<'a>> {
    let of_shard = |shard| frames.iter().filter(move |packed| packed.shard == shard);
    let lane = |shard| Lane {
        shard: format!("v1|apac|{shard}"),
        frames: of_shard(shard).map(|packed| packed.bytes).collect(),
    };
    (0..SHARDS).map(lane).collect()
}

/// Rate, memory, delay, size on disk, recovery, and the numbers to compare.
pub fn measure(options: &Options) -> Result<Value> {
    let file = fs::read(options.frames())?;
    let frames = pack::frames(&file);
    let (most, rest) = frames.split_at(frames.len().saturating_sub(HELD_BACK));
    let events: u64 = most.iter().map(|packed| u64::from(packed.events)).sum();
    let all: u64 = frames.iter().map(|packed| u64::from(packed.events)).sum();
    let data = options.folder.join("data");
    remove(&data)?;
    let program = Program::start(&options.program, &data)?;
    for site in [SITE, visible::SITE] {
        let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND"});
        program.ask("PUT", &format!("/v1/sites/{site}"), &settings)?;
    }
    let (begun, processor) = (Instant::now(), program.processor_seconds()?);
    send_all(&program, &lanes(most))?;
    let seconds = begun.elapsed().as_secs_f64();
    let processor = program.processor_seconds()? - processor;
    let (memory, peak) = program.memory()?;
    let visible = visible::measure(&program, &lanes(most), &lanes(rest))?;
    let sessions = rows(&program, "sessions", json!(["time:day", "visit:channel"]))?;
    let orders = rows(&program, "orders", json!(["visit:channel"]))?;
    program.kill()?;
    let unsaved = Program::start(&options.program, &data)?;
    let recovery = unsaved.start_seconds;
    thread::sleep(SAVED_AFTER);
    let disk = disk(&data)?;
    unsaved.kill()?;
    let saved = Program::start(&options.program, &data)?;
    let again = rows(&saved, "sessions", json!(["time:day", "visit:channel"]))?;
    anyhow::ensure!(again == sessions, "the sessions are others after kill -9");
    let saved_seconds = saved.start_seconds;
    drop(saved);
    remove(&data)?;
    Ok(json!({
        "events": events, "seconds": seconds, "processor_seconds": processor,
        "events_per_second": events as f64 / seconds,
        "memory_bytes": memory, "peak_bytes": peak,
        "bytes_per_event": memory as f64 / all as f64,
        "visible": visible,
        "recovery_seconds": recovery, "saved_recovery_seconds": saved_seconds,
        "disk": disk, "all_events": all,
        "sessions": sessions, "orders": orders,
    }))
}

/// Every shard has one request in flight, as at the edge.
fn send_all(program: &Program, lanes: &[Lane<'_>]) -> Result<()> {
    thread::scope(|scope| {
        let send = |lane: &Lane<'_>| -> Result<()> {
            let (agent, mut first) = (ureq::agent(), 1);
            for frames in lane.frames.chunks(FRAMES_PER_REQUEST) {
                program.send(&agent, &lane.shard, first, frames)?;
                first += frames.len() as u64;
            }
            Ok(())
        };
        let threads: Vec<_> = lanes.iter().map(|lane| scope.spawn(move || send(lane))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| anyhow::anyhow!("a sender stopped"))?
        })
    })
}

/// The rows of a query over everything: the values of its dimensions, then the number.
fn rows(program: &Program, metric: &str, dimensions: Value) -> Result<Vec<(String, u64)>> {
    let metrics = [metric];
    let query = json!({
        "site_id": SITE, "metrics": metrics, "dimensions": dimensions, "date_range": "all",
    });
    let answer = program.ask("POST", "/v1/query", &query)?;
    let results = answer["results"].as_array().context("no rows")?;
    let mut rows = Vec::new();
    for row in results {
        let dimensions: Vec<&str> = row["dimensions"]
            .as_array()
            .context("no dimensions")?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let number = row.pointer("/metrics/0").and_then(Value::as_u64).context("no number")?;
        if number > 0 {
            rows.push((dimensions.join(" "), number));
        }
    }
    rows.sort();
    Ok(rows)
}

/// Bytes of each kind of file.
fn disk(data: &Path) -> Result<Value> {
    let bytes = |name: &str| -> Result<u64> { size(&data.join(name)) };
    Ok(json!({"log": bytes("log")?, "sled": bytes("sled")?, "snapshot": bytes("snapshot.bin")?}))
}
