//! What the worker takes before it does anything, and what a busy shard takes: size of the module,
//! time to start, memory.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use edge_worker::route::shard_of;
use edgetally_bench_path::traffic::{SITE, Template};
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::args::Options;
use crate::load::{self, Plan};
use crate::sink::{SECRET, Sink};
use crate::whole::{median, now_ms};
use crate::workerd::{Cores, Worker, Workerd};

const STARTS: usize = 5;
/// Together they send 300 requests a second of three events.
const CONNECTIONS: usize = 150;
const PACE: Duration = Duration::from_millis(500);
const EVENTS: usize = 3;
const MINUTE: Duration = Duration::from_secs(60);

/// Size, start and memory.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Value> {
    let sink = Sink::start().await?;
    let edge = Worker::edge(&options.root, &sink.url, SECRET)?;
    let empty = edge.other(&options.contestant("empty.js"));
    Ok(json!({
        "module": module(options)?,
        "start": start(options, cores, &edge, &empty.stateless()).await?,
        "memory": memory(options, cores, &edge).await?,
    }))
}

fn module(options: &Options) -> Result<Value> {
    let gzip = |name: &str| -> Result<(usize, usize)> {
        let bytes = fs::read(options.build().join(name)).context(name.to_owned())?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&bytes)?;
        Ok((bytes.len(), packed.finish()?.len()))
    };
    let (wasm, wasm_gzip) = gzip("index_bg.wasm")?;
    let (script, script_gzip) = gzip("index.js")?;
    Ok(json!({"wasm_bytes": wasm, "script_bytes": script, "gzip_bytes": wasm_gzip + script_gzip}))
}

/// Milliseconds from the start of the process to its first answer, against an empty worker.
async fn start(options: &Options, cores: &Cores, edge: &Worker, empty: &Worker) -> Result<Value> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (worker, times) in [edge, empty].into_iter().zip(&mut times) {
            let begun = Instant::now();
            let folder = &options.data;
            let workerd = Workerd::start(&options.workerd(), worker, folder, cores).await?;
            healthy(&workerd).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            workerd.stop().await?;
        }
    }
    let [edge, empty] = times.map(median);
    Ok(json!({"edge_ms": edge, "empty_ms": empty, "difference_ms": edge - empty}))
}

async fn healthy(workerd: &Workerd) -> Result<()> {
    LocalSet::new()
        .run_until(async {
            let mut connection = load::connect(&workerd.address).await?;
            let request = Request::get("/healthz").header("Host", "edge.example");
            let request = request.body(Full::new(Bytes::new()))?;
            let (status, _) = load::send(&mut connection, request).await?;
            ensure!(status == 200, "/healthz answered {status}");
            Ok(())
        })
        .await
}

/// Growth of workerd's resident memory while one shard takes its full load for a minute.
async fn memory(options: &Options, cores: &Cores, edge: &Worker) -> Result<Value> {
    let folder = &options.data;
    let workerd = Workerd::start(&options.workerd(), edge, folder, cores).await?;
    let templates = of_one_shard()?;
    let plan = |measured| Plan {
        connections: CONNECTIONS,
        measured,
        pace: Some(PACE),
        warm_requests: 0,
        seed: 1,
    };
    // A short run of a few requests first: what any worker takes to serve is not the shard's.
    load::ready(&workerd, templates.first().context("no traffic")?).await?;
    let few = Plan { connections: 2, ..plan(Duration::from_secs(1)) };
    load::run(&workerd, &templates, few).await?;
    let before = workerd.resident_bytes()?;
    let mut peak = before;
    let sampled = async {
        loop {
            sleep(Duration::from_secs(1)).await;
            peak = workerd.resident_bytes().unwrap_or_default().max(peak);
        }
    };
    let busy = Plan { seed: 2, ..plan(MINUTE) };
    let outcome = tokio::select! {
        outcome = load::run(&workerd, &templates, busy) => outcome?,
        () = sampled => anyhow::bail!("sampling never ends"),
    };
    ensure!(outcome.refused == 0, "{:?}", outcome.refusal);
    let after = workerd.resident_bytes()?;
    workerd.stop().await?;
    let requests = outcome.requests as f64 / outcome.seconds;
    Ok(json!({"requests_per_second": requests, "events": outcome.accepted,
        "before_bytes": before, "after_bytes": after, "peak_bytes": peak,
        "growth_bytes": peak - before, "p50_ms": outcome.p50_ms, "p99_ms": outcome.p99_ms,
        "cpu_share": outcome.cpu_seconds / outcome.seconds}))
}

fn of_one_shard() -> Result<Vec<Template>> {
    let site = SiteId::parse(SITE)?;
    let settings = SiteSettings::default();
    let shard = |template: &Template| shard_of(&site, &settings, Some(&template.client));
    let at_ms = now_ms();
    let all: Vec<Template> = (0..4_000).map(|n| Template::new(n, EVENTS, at_ms)).collect();
    let first = all.first().map(shard).context("no traffic")?;
    Ok(all.into_iter().filter(|template| shard(template) == first).collect())
}
