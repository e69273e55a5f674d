//! The whole worker against two others: the same requests, the same runtime, one core.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use edgetally_bench_path::traffic::Template;
use edgetally_proto::archive::{Listing, ROUTE};
use edgetally_proto::sign::{self, header};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::args::Options;
use crate::load::{self, Outcome, Plan};
use crate::sink::{SECRET, Sink};
use crate::workerd::{Cores, Worker, Workerd};

/// Events in a batch.
const SIZES: [usize; 4] = [1, 3, 10, 50];
/// Requests before the first measurement of each contestant and size.
const WARM_REQUESTS: u64 = 6_000;
/// Browsers that take turns.
const BROWSERS: usize = 4_000;

struct Contestant {
    name: &'static str,
    workerd: Workerd,
    accepted: u64,
}

/// Epoch milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Measures all contestants in turn, round after round, so that a busy machine is busy for all.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Value> {
    let sink = Sink::start().await?;
    let edge = Worker::edge(&options.root, &sink.url, SECRET)?;
    let edge = Worker { v8_flags: options.v8_flags.clone(), ..edge };
    let file = |name: &str| edge.other(&options.contestant(name));
    let (minimal, per_event) = (file("minimal.js"), file("per_event.js"));
    let workers = [("edge", edge), ("minimal", minimal), ("per_event", per_event)];
    let mut contestants = Vec::new();
    for (name, worker) in workers.into_iter().filter(|(name, _)| options.has_worker(name)) {
        let worker = match options.archive {
            true => worker.with_bucket(options.contestant("bucket.js")),
            false => worker,
        };
        let workerd = Workerd::start(&options.workerd(), &worker, &options.data, cores).await?;
        let accepted = load::ready(&workerd, &Template::new(0, 1, now_ms())).await?;
        contestants.push(Contestant { name, workerd, accepted });
    }
    let mut rows = Vec::new();
    for size in SIZES.into_iter().filter(|size| options.has_size(*size)) {
        rows.extend(of_size(options, &mut contestants, size).await?);
    }
    let edge = contestants.iter().find(|contestant| contestant.name == "edge");
    let accepted = edge.map_or(0, |edge| edge.accepted);
    let received = settled(&sink, accepted).await;
    ensure!(received.damaged == 0, "the worker forwarded something that is no frame");
    ensure!(
        received.records == accepted,
        "{accepted} events were accepted, but this was forwarded: {received:?}"
    );
    let mut objects = 0;
    if let Some(edge) = edge.filter(|_| options.archive) {
        objects = archived(&edge.workerd).await?;
        ensure!(objects > 0, "nothing was archived");
    }
    let forwarded = json!({"events": received.records, "frames": received.frames,
        "requests": received.requests, "bytes": received.bytes});
    for contestant in contestants {
        contestant.workerd.stop().await?;
    }
    Ok(json!({"connections": options.connections, "seconds": options.seconds,
        "rounds": options.rounds, "archive": options.archive, "objects": objects,
        "rows": rows, "forwarded": forwarded}))
}

/// How many objects are in the bucket.
async fn archived(workerd: &Workerd) -> Result<usize> {
    let at_ms = now_ms();
    let signature = sign::archive_request(SECRET, "GET", ROUTE, at_ms, b"");
    let request = Request::get(ROUTE)
        .header("Host", "edge.example")
        .header(header::AT, at_ms.to_string())
        .header(header::SIGNATURE, signature)
        .body(Full::new(Bytes::new()))?;
    let asked = async {
        let mut connection = load::connect(&workerd.address).await?;
        load::send(&mut connection, request).await
    };
    let (status, body) = LocalSet::new().run_until(asked).await?;
    ensure!(status == 200, "{}", String::from_utf8_lossy(&body));
    let listing: Listing = serde_json::from_slice(&body)?;
    Ok(listing.results.len())
}

/// What was forwarded, once all of it was.
async fn settled(sink: &Sink, accepted: u64) -> crate::sink::Received {
    for _ in 0..200 {
        if sink.received().records >= accepted {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    sink.received()
}

async fn of_size(
    options: &Options,
    contestants: &mut [Contestant],
    size: usize,
) -> Result<Vec<Value>> {
    let at_ms = now_ms();
    let templates: Vec<Template> = (0..BROWSERS).map(|n| Template::new(n, size, at_ms)).collect();
    let mut outcomes: Vec<Vec<Outcome>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..options.rounds {
        for (contestant, outcomes) in contestants.iter_mut().zip(&mut outcomes) {
            let seed = ((size * 100 + round) as u64) << 48;
            let plan = Plan {
                connections: options.connections,
                measured: Duration::from_secs(options.seconds),
                pace: None,
                warm_requests: if round == 0 { WARM_REQUESTS } else { 0 },
                seed,
            };
            let outcome = load::run(&contestant.workerd, &templates, plan).await?;
            ensure!(outcome.refused == 0, "{}: {:?}", contestant.name, outcome.refusal);
            contestant.accepted += outcome.accepted;
            outcomes.push(outcome);
        }
    }
    let rows = contestants.iter().zip(&outcomes);
    Ok(rows.map(|(contestant, outcomes)| row(contestant.name, size, outcomes)).collect())
}

fn row(name: &str, size: usize, outcomes: &[Outcome]) -> Value {
    let middle = |of: fn(&Outcome) -> f64| median(outcomes.iter().map(of).collect());
    json!({
        "worker": name,
        "events_per_request": size,
        "requests_per_second": middle(|o| o.requests as f64 / o.seconds),
        "events_per_second": middle(|o| o.events as f64 / o.seconds),
        "events_per_cpu_second": middle(|o| o.events as f64 / o.cpu_seconds),
        "cpu_ms_per_1000_events": middle(|o| o.cpu_seconds * 1e6 / o.events as f64),
        "cpu_us_per_request": middle(|o| o.cpu_seconds * 1e6 / o.requests as f64),
        "p50_ms": middle(|o| o.p50_ms),
        "p99_ms": middle(|o| o.p99_ms),
    })
}
