//! Load: a bounded number of connections, each with one request under way at a time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use edgetally_bench_path::traffic::{AGENT, Chance, Template};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::workerd::Workerd;

/// Before a measurement: connections are made, caches fill.
const WARM: Duration = Duration::from_millis(1_500);
/// However slow the machine is, warming ends.
const WARM_MAX: Duration = Duration::from_secs(30);
const READY_TRIES: usize = 50;
const READY_PAUSE: Duration = Duration::from_millis(200);

/// How to send.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Requests open at once at most.
    pub connections: usize,
    /// Length of the measurement.
    pub measured: Duration,
    /// Time from one request of a connection to the next; none: at once after the answer.
    pub pace: Option<Duration>,
    /// Requests before the measurement, so that what is compiled late is compiled.
    pub warm_requests: u64,
    /// Where the random ids of this run begin.
    pub seed: u64,
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Requests answered 202 with all events accepted, within the measurement.
    pub requests: u64,
    /// Their events.
    pub events: u64,
    /// Requests answered in any other way.
    pub refused: u64,
    /// The first of those answers.
    pub refusal: Option<String>,
    /// Seconds of the measurement.
    pub seconds: f64,
    /// Processor seconds of workerd meanwhile.
    pub cpu_seconds: f64,
    /// Milliseconds from request to answer: the middle, and the slowest of a hundred.
    pub p50_ms: f64,
    /// The slowest of a hundred.
    pub p99_ms: f64,
    /// Events accepted in all of the run, warming included.
    pub accepted: u64,
}

#[derive(Default)]
struct Tally {
    outcome: RefCell<Outcome>,
    micros: RefCell<Vec<u64>>,
    answered: Cell<u64>,
    is_measured: Cell<bool>,
    is_over: Cell<bool>,
}

/// Connects to a worker.
pub async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender; what goes wrong is seen by the request that it belongs to.
    tokio::task::spawn_local(async move {
        let _ended = connection.await;
    });
    Ok(sender)
}

/// Sends one request and reads the answer.
pub async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes)> {
    connection.ready().await?;
    let answer = connection.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

/// A batch as a page sends it.
pub fn batch(template: &Template, chance: &mut Chance) -> Result<Request<Full<Bytes>>> {
    let body = Full::new(Bytes::from(template.stamped(chance)));
    Ok(Request::post("/v1/events")
        .header("Host", "edge.example")
        .header("Content-Type", "text/plain;charset=UTF-8")
        .header("Origin", "https://shop.example")
        .header("Referer", "https://shop.example/")
        .header("User-Agent", AGENT)
        .header("Accept", "*/*")
        .header("Accept-Language", "vi-VN,vi;q=0.9,en;q=0.8")
        .header("CF-Connecting-IP", &template.address)
        .body(body)?)
}

/// Sends a batch until it is taken: a worker that just started may have no settings yet. Says how
/// many events were accepted.
pub async fn ready(workerd: &Workerd, template: &Template) -> Result<u64> {
    let mut chance = Chance::new(u64::MAX);
    let sends = async {
        let mut connection = connect(&workerd.address).await?;
        let mut last = String::new();
        for _ in 0..READY_TRIES {
            let (status, body) = send(&mut connection, batch(template, &mut chance)?).await?;
            if status == 202 {
                return Ok(template.events as u64);
            }
            last = String::from_utf8_lossy(&body).into_owned();
            sleep(READY_PAUSE).await;
        }
        bail!("it takes nothing: {last}")
    };
    LocalSet::new().run_until(sends).await
}

/// Sends the templates' batches round and round, and measures.
pub async fn run(workerd: &Workerd, templates: &[Template], plan: Plan) -> Result<Outcome> {
    let tally = Rc::new(Tally::default());
    let templates: Rc<[Template]> = templates.into();
    LocalSet::new()
        .run_until(async {
            let mut tasks = Vec::new();
            for at in 0..plan.connections {
                let tally = Rc::clone(&tally);
                let sends = keep_sending(
                    workerd.address.clone(),
                    Rc::clone(&templates),
                    at,
                    plan,
                    Rc::clone(&tally),
                );
                tasks.push(tokio::task::spawn_local(sends));
            }
            warm(&tally, plan.warm_requests).await;
            let (begun, cpu) = (Instant::now(), workerd.cpu_seconds()?);
            tally.is_measured.set(true);
            sleep(plan.measured).await;
            tally.is_measured.set(false);
            let cpu_seconds = workerd.cpu_seconds()? - cpu;
            let seconds = begun.elapsed().as_secs_f64();
            tally.is_over.set(true);
            for task in tasks {
                task.await??;
            }
            Ok(summed(&tally, seconds, cpu_seconds))
        })
        .await
}

async fn warm(tally: &Tally, requests: u64) {
    let begun = Instant::now();
    sleep(WARM).await;
    while tally.answered.get() < requests && begun.elapsed() < WARM_MAX {
        sleep(Duration::from_millis(50)).await;
    }
}

fn summed(tally: &Tally, seconds: f64, cpu_seconds: f64) -> Outcome {
    let mut micros = tally.micros.borrow_mut();
    micros.sort_unstable();
    let at = |percent: usize| {
        let micros = micros.get(micros.len() * percent / 100).copied().unwrap_or_default();
        micros as f64 / 1_000.0
    };
    let (p50_ms, p99_ms) = (at(50), at(99));
    Outcome { seconds, cpu_seconds, p50_ms, p99_ms, ..tally.outcome.borrow().clone() }
}

async fn keep_sending(
    address: String,
    templates: Rc<[Template]>,
    at: usize,
    plan: Plan,
    tally: Rc<Tally>,
) -> Result<()> {
    let mut chance = Chance::new(plan.seed.wrapping_add((at as u64) << 32));
    // Spread over a whole pace, or a tenth of a second, so that connections do not march in step.
    let spread = plan.pace.unwrap_or(Duration::from_millis(100)).as_micros();
    let part = u128::from(at as u64) * spread / u128::from(plan.connections.max(1) as u64);
    sleep(Duration::from_micros(u64::try_from(part)?)).await;
    let mut connection = connect(&address).await.context("connecting to workerd")?;
    let mut next = at;
    while !tally.is_over.get() {
        let template = templates.get(next % templates.len()).context("no traffic")?;
        next += plan.connections;
        let request = batch(template, &mut chance)?;
        let begun = Instant::now();
        let (status, body) = send(&mut connection, request).await?;
        note(&tally, template.events as u64, begun, status, &body);
        if let Some(pace) = plan.pace {
            sleep(pace.saturating_sub(begun.elapsed())).await;
        }
    }
    Ok(())
}

fn note(tally: &Tally, events: u64, begun: Instant, status: u16, body: &Bytes) {
    tally.answered.set(tally.answered.get() + 1);
    let mut outcome = tally.outcome.borrow_mut();
    let head = format!("{{\"accepted\":{events}");
    let is_whole = body.strip_prefix(head.as_bytes()).is_some_and(|rest| !rest[0].is_ascii_digit());
    if status != 202 || !is_whole {
        outcome.refused += 1;
        let text = String::from_utf8_lossy(body);
        outcome.refusal.get_or_insert_with(|| format!("{status} {text}"));
        return;
    }
    outcome.accepted += events;
    if tally.is_measured.get() {
        outcome.requests += 1;
        outcome.events += events;
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        tally.micros.borrow_mut().push(micros);
    }
}
