//! How soon what a frame says is seen in a query, while other shards send as well.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::pack;
use crate::stream::{self, Plan};
use crate::whole::Lane;
use edgetally_bench_process::Program;

/// A site of its own, whose events can be counted.
pub const SITE: &str = "probe";
const PROBES: usize = 200;
const PACE: Duration = Duration::from_millis(25);

/// Milliseconds from before a frame is sent until a query counts its event.
pub fn measure(program: &Program, sent: &[Lane<'_>], rest: &[Lane<'_>]) -> Result<Value> {
    let events = stream::events(&Plan::of_five(PROBES as u32, 7));
    let frames: Vec<Vec<u8>> = events
        .iter()
        .take(PROBES)
        .map(|event| pack::frame_of_site(std::slice::from_ref(event), SITE))
        .collect::<Result<_>>()?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let others = scope.spawn(|| slowly(program, sent, rest, &is_over));
        let mut times = Vec::new();
        for (at, frame) in frames.iter().enumerate() {
            times.push(probe(program, at as u64 + 1, frame)?);
            thread::sleep(PACE);
        }
        is_over.store(true, Ordering::Relaxed);
        others.join().map_err(|_| anyhow::anyhow!("a sender stopped"))??;
        times.sort_by(f64::total_cmp);
        let part = |share: usize| times.get(times.len() * share / 100).copied();
        Ok(json!({"probes": times.len(), "p50_ms": part(50), "p99_ms": part(99)}))
    })
}

fn probe(program: &Program, number: u64, frame: &[u8]) -> Result<f64> {
    let query = json!({"site_id": SITE, "metrics": ["events"], "date_range": "all"});
    let begun = Instant::now();
    thread::scope(|scope| {
        let sent = scope.spawn(|| program.send(&ureq::agent(), "v1|apac|probe", number, &[frame]));
        let seen = loop {
            let answer = program.ask("POST", "/v1/query", &query)?;
            if answer.pointer("/results/0/metrics/0").and_then(Value::as_u64) >= Some(number) {
                break begun.elapsed();
            }
            ensure!(begun.elapsed() < Duration::from_secs(60), "an event is not seen: {answer}");
        };
        sent.join().map_err(|_| anyhow::anyhow!("a sender stopped"))??;
        Ok(seen.as_secs_f64() * 1e3)
    })
}

/// The frames that are left, one every few milliseconds, and all of them in the end.
fn slowly(
    program: &Program,
    sent: &[Lane<'_>],
    rest: &[Lane<'_>],
    is_over: &AtomicBool,
) -> Result<()> {
    let agent = ureq::agent();
    let longest = rest.iter().map(|lane| lane.frames.len()).max().context("no shards")?;
    for at in 0..longest {
        for (before, lane) in sent.iter().zip(rest) {
            let Some(frame) = lane.frames.get(at) else { continue };
            let number = (before.frames.len() + at) as u64 + 1;
            program.send(&agent, &lane.shard, number, &[frame])?;
            if !is_over.load(Ordering::Relaxed) {
                thread::sleep(2 * PACE);
            }
        }
    }
    Ok(())
}
