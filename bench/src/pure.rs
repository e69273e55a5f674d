//! The pure path, native and as wasm inside workerd, on the same bytes; and Criterion's estimates
//! of the native one.
//!
//! Both are told by processor time from outside: workerd's clocks stand still between two I/O
//! operations, and a busy machine takes time from either.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use edgetally_bench_path::path;
use edgetally_bench_path::traffic::{Chance, SITE, T, Template};
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::args::Options;
use crate::load;
use crate::whole::median;
use crate::workerd::{Cores, Worker, Workerd, cpu_seconds_of};

/// Events in a batch.
const SIZES: [usize; 3] = [1, 3, 50];
const ROUNDS: usize = 3;
/// How long one measurement is to take.
const SPAN: Duration = Duration::from_millis(500);

/// Measures everything there is of the pure path.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Value> {
    let module = |name: &str| (name.to_owned(), options.module.join(name));
    let entry = ("main.js".to_owned(), options.contestant("pure.js"));
    let worker = Worker {
        modules: vec![entry, module("pure.js"), module("pure_bg.wasm")],
        bindings: Vec::new(),
        classes: Vec::new(),
        compatibility_date: "2026-04-01".to_owned(),
        bucket: None,
        v8_flags: options.v8_flags.clone(),
    };
    let workerd = Workerd::start(&options.workerd(), &worker, &options.data, cores).await?;
    let mut rows = Vec::new();
    for size in SIZES {
        let body = Template::new(1, size, T).stamped(&mut Chance::new(7));
        rows.push(compare(&workerd, &body, size).await?);
    }
    workerd.stop().await?;
    Ok(json!({"rows": rows, "criterion": criterion(&options.criterion)?}))
}

async fn compare(workerd: &Workerd, body: &[u8], events: usize) -> Result<Value> {
    let site = SiteId::parse(SITE)?;
    let settings = SiteSettings::default();
    let collect = || path::collect(black_box(body), &site, &settings) > 0;
    let parse = || path::parse(black_box(body));
    let mut times = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    // As many calls in wasm as fill the span if it were three times slower; the first round, in
    // which it is still being compiled well, is not counted.
    let calls = |seconds: f64| (SPAN.as_secs_f64() / 3.0 / seconds) as u32;
    let (calls_collect, calls_parse) = (calls(native(&collect)?), calls(native(&parse)?));
    in_wasm(workerd, "/collect", body, calls_collect).await?;
    in_wasm(workerd, "/parse", body, calls_parse).await?;
    for _ in 0..ROUNDS {
        let found = [
            native(&collect)?,
            native(&parse)?,
            in_wasm(workerd, "/collect", body, calls_collect).await?,
            in_wasm(workerd, "/parse", body, calls_parse).await?,
        ];
        times.iter_mut().zip(found).for_each(|(times, found)| times.push(found));
    }
    let per_event = |times: Vec<f64>| median(times) * 1e9 / events as f64;
    let [collect, parse, wasm_collect, wasm_parse] = times.map(per_event);
    Ok(json!({"events": events, "json_bytes": body.len(), "native_ns": collect,
        "native_parse_ns": parse, "wasm_ns": wasm_collect, "wasm_parse_ns": wasm_parse,
        "native_to_parse": collect / parse, "wasm_to_native": wasm_collect / collect}))
}

/// Seconds of one call, natively.
fn native(call: &dyn Fn() -> bool) -> Result<f64> {
    let (begun, cpu) = (Instant::now(), cpu_seconds_of("self")?);
    let mut calls = 0_u32;
    while begun.elapsed() < SPAN {
        for _ in 0..16 {
            anyhow::ensure!(call(), "the batch was refused");
        }
        calls += 16;
    }
    Ok((cpu_seconds_of("self")? - cpu) / f64::from(calls))
}

/// Seconds of one call in workerd: what a request of many takes more than one of none.
async fn in_wasm(workerd: &Workerd, path: &str, body: &[u8], times: u32) -> Result<f64> {
    let ask = async |times: u32| -> Result<f64> {
        let cpu = workerd.cpu_seconds()?;
        let mut connection = load::connect(&workerd.address).await?;
        let body = Full::new(Bytes::copy_from_slice(body));
        let request = Request::post(format!("{path}?times={times}")).body(body)?;
        let request = with_host(request);
        let (status, answer) = load::send(&mut connection, request).await?;
        anyhow::ensure!(status == 200, "{path}: {}", String::from_utf8_lossy(&answer));
        let found: f64 = std::str::from_utf8(&answer)?.parse()?;
        anyhow::ensure!(times == 0 || found > 0.0, "{path} refused the batch");
        Ok(workerd.cpu_seconds()? - cpu)
    };
    LocalSet::new()
        .run_until(async { Ok((ask(times).await? - ask(0).await?) / f64::from(times)) })
        .await
}

fn with_host(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let host = hyper::header::HeaderValue::from_static("edge.example");
    request.headers_mut().insert(hyper::header::HOST, host);
    request
}

/// Nanoseconds of one iteration by group and benchmark, as Criterion left them.
fn criterion(folder: &Path) -> Result<Value> {
    let mut groups = serde_json::Map::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Value::Null) };
    for group in entries.flatten() {
        let name = group.file_name().to_string_lossy().into_owned();
        if !name.ends_with("events") && !name.ends_with("event") {
            continue;
        }
        let mut benches = serde_json::Map::new();
        for bench in fs::read_dir(group.path())?.flatten() {
            let file = bench.path().join("new/estimates.json");
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let estimates: Value = serde_json::from_str(&text)?;
            let time = estimates.pointer("/median/point_estimate").context("no median")?;
            benches.insert(bench.file_name().to_string_lossy().into_owned(), time.clone());
        }
        groups.insert(name, benches.into());
    }
    Ok(groups.into())
}
