//! Questions: whether all sides answer the same, then how long each takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::args::Options;
use crate::postgres::Postgres;
use crate::questions::{QUESTIONS, Question};
use crate::shop::{SITE, Shop};
use crate::whole::{Running, say};

/// Orders that come in while questions are asked: so many every so often, 2,000 a second.
const STREAM: (u64, Duration) = (100, Duration::from_millis(50));
/// A question that takes long is asked less often.
const BUDGET: Duration = Duration::from_secs(30);
/// How often PostgreSQL is asked: the orders, and its table of days.
const PEER_CALLS: [usize; 2] = [3, 20];

/// The path of a call by its number.
type Path = Box<dyn Fn(u64) -> String>;

/// Times of calls, milliseconds, ascending.
#[derive(Debug, Clone, Default)]
struct Times(Vec<f64>);

impl Times {
    fn json(mut self) -> Value {
        self.0.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = ((self.0.len() as f64 * part).ceil() as usize).saturating_sub(1);
            self.0.get(place).copied()
        };
        json!({"calls": self.0.len(), "p50": at(0.5), "p99": at(0.99), "longest": self.0.last()})
    }
}

/// Answers each question and compares; then times all of them alone and while orders come in.
pub fn measure(
    running: &Running,
    peer: Option<&Postgres>,
    shop: &Shop,
    options: &Options,
) -> Result<Value> {
    let agent = ureq::agent();
    let mut rows = Vec::new();
    for question in &QUESTIONS {
        let ours = lines(running, &agent, question)?;
        ensure!(!ours.is_empty(), "{}: no rows", question.name);
        for sql in [question.raw_sql(), question.daily_sql()] {
            let Some(peer) = peer else { continue };
            let theirs = peer.lines(&sql)?;
            let first = ours.iter().zip(&theirs).find(|(a, b)| a != b);
            ensure!(
                first.is_none() && ours.len() == theirs.len(),
                "{}: {} and {} rows, {first:?}",
                question.name,
                ours.len(),
                theirs.len(),
            );
        }
        rows.push(ours.len());
    }
    let mut paths: Vec<(&str, Path)> = Vec::new();
    for question in &QUESTIONS {
        let path = question.path();
        paths.push((question.name, Box::new(move |_| path.clone())));
    }
    let known = *shop;
    paths.push(("one order", Box::new(move |call| one(&known, call))));
    paths.push(("100 orders of a day", Box::new(page)));
    let alone = time_all(running, &paths, options)?;
    let busy = while_orders_come(running, shop, || time_all(running, &paths, options))?;
    let mut found = Vec::new();
    for (at, (((name, _), alone), busy)) in paths.iter().zip(alone).zip(busy).enumerate() {
        let mut row = json!({
            "question": name, "rows": rows.get(at), "alone": alone.json(), "busy": busy.json(),
        });
        if let (Some(peer), Some(question)) = (peer, QUESTIONS.get(at)) {
            let [raw, daily] = PEER_CALLS;
            row["raw"] = Times(peer.time(&question.raw_sql(), raw)?).json();
            row["daily"] = Times(peer.time(&question.daily_sql(), daily)?).json();
        }
        say(&row.to_string());
        found.push(row);
    }
    Ok(json!(found))
}

fn one(shop: &Shop, call: u64) -> String {
    let order = shop.order(call.wrapping_mul(0x9E37_79B9_7F4A_7C15) % shop.orders.max(1));
    format!("/v1/orders/{}?site={SITE}&platform={}", order.code, order.platform)
}

fn page(call: u64) -> String {
    format!("/v1/orders?site={SITE}&limit=100&from=2026-0{}-1{}", 1 + call % 9, call % 10)
}

fn time_all(running: &Running, paths: &[(&str, Path)], options: &Options) -> Result<Vec<Times>> {
    let agent = ureq::agent();
    let mut all = Vec::new();
    for (name, path) in paths {
        let mut times = Times::default();
        let begun = Instant::now();
        for call in 0..options.calls as u64 {
            let path = path(call);
            let asked = Instant::now();
            let (status, text) =
                running.program.call(&agent, ("GET", &path), None, String::new())?;
            times.0.push(asked.elapsed().as_secs_f64() * 1_000.0);
            ensure!(status == 200, "{name}: {text}");
            if begun.elapsed() > BUDGET {
                break;
            }
        }
        all.push(times);
    }
    Ok(all)
}

fn while_orders_come<T>(
    running: &Running,
    shop: &Shop,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let stream = scope.spawn(|| -> Result<()> {
            let (agent, (count, every)) = (ureq::agent(), STREAM);
            let mut first = shop.orders;
            while !is_over.load(Ordering::Relaxed) {
                let due = Instant::now() + every;
                running.send(&agent, shop, first..first + count)?;
                first += count;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            Ok(())
        });
        let found = work();
        is_over.store(true, Ordering::Relaxed);
        stream.join().map_err(|_| anyhow::anyhow!("the stream of orders stopped"))??;
        found
    })
}

/// The answer as PostgreSQL tells it: all pages of it.
fn lines(running: &Running, agent: &ureq::Agent, question: &Question) -> Result<Vec<String>> {
    let (mut lines, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("{}{after}", question.path());
        let (status, text) = running.program.call(agent, ("GET", &path), None, String::new())?;
        ensure!(status == 200, "{}: {text}", question.name);
        let page: Value = serde_json::from_str(&text)?;
        for row in page["results"].as_array().context("no results")? {
            lines.push(line(question, row));
        }
        let Some(next) = page["next"].as_str() else { return Ok(lines) };
        after = format!("&after={next}");
    }
}

fn line(question: &Question, row: &Value) -> String {
    let numbers = [
        "currency",
        "total_orders",
        "completed_orders",
        "cancelled_orders",
        "gross_merchandise_value",
        "total_revenue",
        "total_discount",
    ];
    let names = ["stat_date"].iter().chain(question.by).chain(&numbers);
    let text = |name: &&str| match &row[*name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    names.map(text).collect::<Vec<_>>().join(",")
}
