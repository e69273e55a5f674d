//! The engine: fed with the month, then asked, alone and while it takes in more.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use aggregator::apply::{Changed, World};
use aggregator::dedup::Source;
use aggregator::directory::AdminWrite;
use aggregator::query::{self, funnel};
use aggregator::view::View;
use anyhow::{Context, Result};
use edgetally_proto::event::Event;
use edgetally_proto::ids::{Epoch, ShardName, SiteId};
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::time::HOUR_MS;
use edgetally_proto::window::Window;
use serde_json::{Value, json};

use crate::args::Options;
use crate::questions::{self, By, Question};
use crate::shop::Shop;
use crate::tables;

const SITE: &str = "bench";
/// Events of one batch.
const BATCH_EVENTS: usize = 1_000;
/// Visits that are drawn at once.
const VISITS: u32 = 2_000;

struct Engine {
    world: World,
    source: Source,
    site: SiteId,
    now_ms: i64,
}

impl Engine {
    fn new(now_ms: i64) -> Result<Self> {
        let (mut world, site) = (World::default(), SiteId::parse(SITE)?);
        let mut settings =
            SiteSettings { timezone: "Asia/Ho_Chi_Minh".to_owned(), ..SiteSettings::default() };
        settings.currency = edgetally_proto::money::Currency::parse("VND").context("VND")?;
        let write =
            AdminWrite::PutSite { site: site.clone(), settings: Box::new(settings), at_ms: 0 };
        world.write(&write, &mut Changed::default());
        let source = Source { shard: ShardName::parse("v1|apac|0")?, epoch: Epoch([1; 16]) };
        Ok(Self { world, source, site, now_ms })
    }

    /// Takes in events by the time of their receipt; gives how many.
    fn take(&mut self, mut events: Vec<Event>, mut seen: impl FnMut(View) -> bool) -> Result<u64> {
        events.retain(|event| event.received_at_ms < self.now_ms);
        events.sort_by_key(|event| event.received_at_ms);
        let mut taken = 0;
        for chunk in events.chunks(BATCH_EVENTS) {
            let mut window = Window::default();
            chunk.iter().for_each(|event| window.fold(&self.site, event.clone()));
            let (batch, mut changed) = (window.seal(self.now_ms), Changed::default());
            self.world.apply(&self.source, Some(&batch), self.now_ms, &mut changed);
            taken += chunk.len() as u64;
            if !seen(self.world.view(&changed)) {
                break;
            }
        }
        Ok(taken)
    }
}

/// Everything that is measured of the engine.
pub fn measure(options: &Options) -> Result<Value> {
    let now_ms = questions::now_ms(options.days);
    let shop = Shop::new(options.sessions, options.seed)?;
    let mut engine = Engine::new(now_ms)?;
    let (before, begun) = (resident_bytes()?, Instant::now());
    let mut events = 0;
    for day in 0..options.days {
        let visits = (0..options.sessions).map(|number| shop.visit(day, number));
        let visits = visits.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        events += engine.take(visits, |_| true)?;
    }
    engine.world.seal(now_ms, &mut Changed::default());
    let view = engine.world.view_all();
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = resident_bytes()?.saturating_sub(before);
    let site = view.sites.get(&engine.site).context("no site")?;
    let (sessions, orders) = (site.sessions.len(), site.orders.len());
    let all = questions::all(options.days);
    fs::write(options.folder.join("questions.json"), json!(asked_of_peers(&all)).to_string())?;
    let first: Vec<f64> = ask_all(&view, &all, now_ms, 1)?.into_iter().flatten().collect();
    let alone = ask_all(&view, &all, now_ms, options.rounds)?;
    let found = all.iter().map(|question| found(&view, question, now_ms));
    let found = found.collect::<Result<Vec<_>>>()?;
    if !options.is_without_peers {
        tables::write(site, &options.folder)?;
    }
    drop(view);
    let (busy, rate) = while_taking(&mut engine, &shop, &all, options)?;
    let questions = all.iter().enumerate().map(|(at, question)| {
        json!({
            "name": question.name,
            "by": if question.by == By::Rollups { "rollups" } else { "rows" },
            "found": found[at],
            "is_exact": question.is_exact,
            "first_ms": first[at],
            "alone": percentiles(&alone[at]),
            "busy": percentiles(&busy[at]),
        })
    });
    Ok(json!({
        "events": events, "sessions": sessions, "orders": orders, "load_seconds": seconds,
        "bytes": bytes, "events_per_second_while_asked": rate,
        "questions": questions.collect::<Vec<_>>(),
    }))
}

/// Asks while another thread takes in visits of the last hour, as fast as it can; gives the times
/// and how many events a second it took in.
fn while_taking(
    engine: &mut Engine,
    shop: &Shop,
    all: &[Question],
    options: &Options,
) -> Result<(Vec<Vec<f64>>, f64)> {
    let now_ms = engine.now_ms;
    let newest = Mutex::new(engine.world.view_all());
    let (is_done, begun) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        let feeder = scope.spawn(|| feed(engine, shop, &is_done, &newest));
        let times = (0..options.rounds).map(|_| {
            let one = |question| {
                let view = newest.lock().map(|view| view.clone());
                Ok(ask(&view.ok().context("the feeder panicked")?, question, now_ms)?.1)
            };
            all.iter().map(one).collect::<Result<Vec<f64>>>()
        });
        let times: Result<Vec<Vec<f64>>> = times.collect();
        is_done.store(true, Ordering::Relaxed);
        let taken = feeder.join().ok().context("the feeder panicked")??;
        let times = times?;
        let of = |at: usize| times.iter().filter_map(|round| round.get(at).copied()).collect();
        let times = (0..all.len()).map(of).collect();
        Ok((times, taken as f64 / begun.elapsed().as_secs_f64()))
    })
}

/// Takes in visits until it is done; gives how many events.
fn feed(
    engine: &mut Engine,
    shop: &Shop,
    is_done: &AtomicBool,
    newest: &Mutex<View>,
) -> Result<u64> {
    let (now_ms, mut number, mut taken) = (engine.now_ms, 0, 0);
    while !is_done.load(Ordering::Relaxed) {
        let visits = (number..number + VISITS).map(|number| {
            let before_ms = HOUR_MS - HOUR_MS * i64::from(number % VISITS) / i64::from(VISITS);
            shop.visit_at(u32::MAX, number, now_ms - before_ms)
        });
        let visits = visits.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        number += VISITS;
        taken += engine.take(visits, |view| {
            if let Ok(mut newest) = newest.lock() {
                *newest = view;
            }
            !is_done.load(Ordering::Relaxed)
        })?;
    }
    Ok(taken)
}

fn asked_of_peers(all: &[Question]) -> Vec<Value> {
    let asked = all.iter().map(|question| json!({"name": question.name, "sql": question.sql}));
    asked.collect()
}

/// Milliseconds of each question, so many times.
fn ask_all(view: &View, all: &[Question], now_ms: i64, rounds: u32) -> Result<Vec<Vec<f64>>> {
    let times = |question: &Question| {
        (0..rounds).map(|_| Ok(ask(view, question, now_ms)?.1)).collect::<Result<Vec<_>>>()
    };
    all.iter().map(times).collect()
}

/// The answer, and milliseconds from the query as JSON to the answer as JSON text.
fn ask(view: &View, question: &Question, now_ms: i64) -> Result<(Value, f64)> {
    let mut query = question.query.clone();
    query["site_id"] = json!(SITE);
    let is_funnel = query.as_object_mut().and_then(|query| query.remove("funnel")).is_some();
    let begun = Instant::now();
    let answer = match is_funnel {
        true => funnel::answer(view, &serde_json::from_value(query)?, now_ms),
        false => query::answer(view, &serde_json::from_value(query)?, now_ms),
    };
    let answer = answer.map_err(|error| anyhow::anyhow!("{}: {error:?}", question.name))?;
    let length = answer.to_string().len();
    let spent = begun.elapsed().as_secs_f64() * 1e3;
    anyhow::ensure!(length > 0, "an empty answer");
    Ok((answer, spent))
}

/// Rows whose first number is not 0, and the sum of it.
fn found(view: &View, question: &Question, now_ms: i64) -> Result<Value> {
    let (answer, _) = ask(view, question, now_ms)?;
    let rows = answer["results"].as_array().context("no rows")?;
    let number = |row: &Value| match row["steps"][0]["count"].as_f64() {
        Some(count) => count,
        None => row["metrics"][0].to_string().parse().unwrap_or_default(),
    };
    let numbers: Vec<f64> = rows.iter().map(number).filter(|number| *number != 0.0).collect();
    Ok(json!([numbers.len(), numbers.iter().sum::<f64>()]))
}

fn percentiles(times: &[f64]) -> Value {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
        times.get(rank).copied().unwrap_or(f64::NAN)
    };
    json!({"p50": at(50), "p95": at(95), "p99": at(99)})
}

fn resident_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let number = line.split_whitespace().nth(1).context("no number")?;
    Ok(number.parse::<u64>()? * 1_024)
}
