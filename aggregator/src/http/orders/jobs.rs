//! Rebuilds of daily statistics: a queue of jobs, of which one runs at a time, 100 days a batch.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use edgetally_proto::ids::SiteId;
use serde_json::{Value, json};

use super::compare::compare;
use crate::alerts::checks::WAITING_DAYS_MAX;
use crate::calendar::Calendar;
use crate::http::{App, facts, now_ms, people};
use crate::local::Ask;
use crate::orders::daily::Day;
use crate::orders::rebuild::BATCH;
use crate::orders::statistics::date_of;

/// Jobs that are remembered.
const KEPT: usize = 100;
/// How often days that are over and dirty are rebuilt by themselves.
const EVERY: Duration = Duration::from_secs(60);

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Queued,
    Running,
    Done,
    Failed,
}

/// One rebuild.
#[derive(Debug, Clone)]
pub struct Job {
    id: String,
    site: SiteId,
    stage: Stage,
    days: Vec<Day>,
    done: usize,
    orders: i64,
    differences: usize,
    created_ms: i64,
    finished_ms: Option<i64>,
    error: Option<String>,
}

/// Jobs since the start of the program, the newest last.
#[derive(Debug, Default)]
pub struct Jobs {
    jobs: Mutex<VecDeque<Job>>,
    turn: tokio::sync::Mutex<()>,
    count: AtomicU64,
}

impl Job {
    /// Of which site it is.
    #[must_use]
    pub fn site(&self) -> &SiteId {
        &self.site
    }

    /// As JSON, with times of the site's zone.
    #[must_use]
    pub fn json(&self, zone: &Calendar) -> Value {
        let stage = match self.stage {
            Stage::Queued => "queued",
            Stage::Running => "running",
            Stage::Done => "done",
            Stage::Failed => "failed",
        };
        let days = self.days.iter().map(|day| date_of(*day).to_string());
        json!({
            "job": self.id,
            "kind": "rebuild",
            "site": self.site,
            "state": stage,
            "days": days.collect::<Vec<_>>(),
            "days_total": self.days.len(),
            "days_done": self.done,
            "batches": self.days.len().div_ceil(BATCH),
            "orders": self.orders,
            "differences": self.differences,
            "created_at": zone.rfc3339(self.created_ms),
            "finished_at": self.finished_ms.map(|at_ms| zone.rfc3339(at_ms)),
            "error": self.error,
        })
    }
}

impl Jobs {
    /// A job by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Job> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|job| job.id == id).cloned()
    }

    /// Jobs of a site, the newest first.
    #[must_use]
    pub fn of(&self, site: &SiteId) -> Vec<Job> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().rev().filter(|job| job.site == *site).cloned().collect()
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = jobs.iter_mut().find(|job| job.id == id) {
            change(job);
        }
    }

    fn push(&self, job: Job) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push_back(job);
        if jobs.len() > KEPT {
            let is_over = |job: &Job| matches!(job.stage, Stage::Done | Stage::Failed);
            if let Some(at) = jobs.iter().position(is_over) {
                jobs.remove(at);
            }
        }
    }
}

/// Queues a rebuild of some days; gives its id.
pub fn start(app: &App, site: SiteId, days: Vec<Day>) -> String {
    let created_ms = now_ms();
    // Unique over starts of the program as well.
    let id = format!("{created_ms}-{}", app.jobs.count.fetch_add(1, Ordering::Relaxed));
    let job = Job {
        id: id.clone(),
        site,
        stage: Stage::Queued,
        days,
        done: 0,
        orders: 0,
        differences: 0,
        created_ms,
        finished_ms: None,
        error: None,
    };
    app.jobs.push(job.clone());
    let app = app.clone();
    tokio::spawn(async move {
        let _turn = app.jobs.turn.lock().await;
        let result = run(&app, &job).await;
        app.jobs.change(&job.id, |job| {
            job.stage = if result.is_ok() { Stage::Done } else { Stage::Failed };
            job.finished_ms = Some(now_ms());
            job.error = result.err();
        });
    });
    id
}

async fn run(app: &App, job: &Job) -> Result<(), String> {
    app.jobs.change(&job.id, |job| job.stage = Stage::Running);
    for days in job.days.chunks(BATCH) {
        let view = app.engine.shared.view.load();
        let Some(view) = view.sites.get(&job.site).cloned() else { return Ok(()) };
        let (held, batch) = (view.clone(), days.to_vec());
        let compared = facts::blocking(move || compare(&held, &batch)).await;
        let (differences, orders) = compared.map_err(|problem| problem.to_string())?;
        if let Some(first) = differences.first() {
            tracing::error!(site = %job.site, ?first, "statistics differ from their orders");
        }
        let seen = |day: &Day| Some((*day, *view.daily.dirty().get(day)?));
        let clean: Vec<(Day, u64)> = days.iter().filter_map(seen).collect();
        let mut wrong: Vec<Day> = differences.iter().map(|found| found.cell.day).collect();
        wrong.dedup();
        let ask = Ask::Rebuilt { site: job.site.clone(), clean, wrong };
        people::ask(app, ask, None).await.map_err(|problem| problem.to_string())?;
        app.jobs.change(&job.id, |job| {
            job.done += days.len();
            job.orders += orders;
            job.differences += differences.len();
        });
    }
    Ok(())
}

/// Rebuilds the dirty days of all sites that are over, for as long as the program runs.
pub async fn keep_clean(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if app.ready().is_err() {
            continue;
        }
        let view = app.engine.shared.view.load_full();
        for (site, state) in &view.sites {
            let today = crate::presence::Days::day_of(&state.zone, now_ms());
            let dirty = state.daily.dirty().range(..today).map(|(day, _)| *day);
            let dirty: Vec<Day> = dirty.collect();
            if dirty.len() > WAITING_DAYS_MAX {
                tracing::warn!(%site, days = dirty.len(), "many days of orders wait for a rebuild");
            }
            if !dirty.is_empty() {
                start(&app, site.clone(), dirty);
            }
        }
    }
}
