//! The run: orders into the program and into PostgreSQL, a start after `kill -9`, then questions.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use edgetally_bench_process::{Program, remove, size};
use serde_json::{Value, json};

use crate::args::Options;
use crate::ask;
use crate::postgres::Postgres;
use crate::shop::{SITE, Shop, ZONE};

/// Requests that are under way at once.
const CONNECTIONS: usize = 4;
/// Orders of a request: as many as it may have.
const BATCH: u64 = 1_000;
/// A checkpoint is saved within this time after the last order.
const SAVED_AFTER: Duration = Duration::from_secs(45);

/// The program with the key that its orders come with.
pub struct Running {
    /// The program.
    pub program: Program,
    /// The server key.
    pub key: String,
}

/// Says how far the run is, since it takes minutes.
pub fn say(text: &str) {
    // Without anybody to read it there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

impl Running {
    /// Sends the orders of a range; all of them must be new.
    pub fn send(
        &self,
        agent: &ureq::Agent,
        shop: &Shop,
        numbers: std::ops::Range<u64>,
    ) -> Result<()> {
        let count = numbers.end - numbers.start;
        let body = shop.body(numbers);
        let (status, text) =
            self.program.call(agent, ("POST", "/v1/orders"), Some(&self.key), body)?;
        ensure!(status == 200, "orders were refused: {text}");
        let answer: Value = serde_json::from_str(&text)?;
        ensure!(answer["created"] == count, "not all orders were new: {text:.400}");
        Ok(())
    }

    /// Sends all of them, with several requests under way at once.
    fn send_all(&self, shop: &Shop) -> Result<()> {
        let next = AtomicU64::new(0);
        let tenth = (shop.orders / 10).max(BATCH);
        let begun = Instant::now();
        let send = || -> Result<()> {
            let agent = ureq::agent();
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= shop.orders {
                    return Ok(());
                }
                self.send(&agent, shop, first..(first + BATCH).min(shop.orders))?;
                if first % tenth < BATCH {
                    let (seconds, memory) = (begun.elapsed().as_secs(), self.program.memory()?.0);
                    say(&format!("{first} orders after {seconds} s, {} MB", memory >> 20));
                }
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(send)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| anyhow::anyhow!("a sender stopped"))?
            })
        })
    }
}

/// A site with a server key.
fn open(program: Program) -> Result<Running> {
    let settings = json!({"timezone": ZONE, "currency": "VND"});
    program.ask("PUT", &format!("/v1/sites/{SITE}"), &settings)?;
    let key = program.ask("POST", "/v1/keys", &json!({"site": SITE, "kind": "server"}))?;
    let key = key["key"].as_str().context("no key")?.to_owned();
    Ok(Running { program, key })
}

/// Measures everything.
pub fn measure(options: &Options) -> Result<Value> {
    let shop = Shop { orders: options.orders, seed: options.seed };
    let data = options.folder.join("data");
    remove(&data)?;
    let Running { program, key } = open(Program::start(&options.program, &data)?)?;
    let empty = program.memory()?.0;
    let running = Running { program, key };
    let (begun, processor) = (Instant::now(), running.program.processor_seconds()?);
    running.send_all(&shop)?;
    let seconds = begun.elapsed().as_secs_f64();
    let processor = running.program.processor_seconds()? - processor;
    let (memory, _) = running.program.memory()?;
    thread::sleep(SAVED_AFTER);
    let (rested, peak) = running.program.memory()?;
    let disk = size(&data)?;
    let Running { program, key } = running;
    program.kill()?;
    say("start after kill -9");
    let program = Program::start(&options.program, &data)?;
    let start_seconds = program.start_seconds;
    let (after_start, start_peak) = program.memory()?;
    let running = Running { program, key };
    let peer = if options.is_alone {
        None
    } else {
        say("the same orders into PostgreSQL");
        let folder = std::env::temp_dir().join(format!("orders-{}", std::process::id()));
        Some((Postgres::start(&folder, &shop)?, folder))
    };
    say("questions");
    let questions = ask::measure(&running, peer.as_ref().map(|(peer, _)| peer), &shop, options)?;
    let load = peer.as_ref().map(|(peer, _)| peer.load);
    if let Some((peer, folder)) = peer {
        drop(peer);
        remove(&folder)?;
    }
    drop(running);
    remove(&data)?;
    Ok(json!({
        "orders": shop.orders, "seconds": seconds, "processor_seconds": processor,
        "empty_bytes": empty, "memory_bytes": memory, "rested_bytes": rested, "peak_bytes": peak,
        "disk_bytes": disk, "start_seconds": start_seconds, "after_start_bytes": after_start,
        "start_peak_bytes": start_peak, "postgres_seconds": load, "questions": questions,
    }))
}
