//! Compares each hour with the payments of its site, once, as the setting `reconcile` says.
//!
//! That an hour was compared, what came of it and who is to be told stand in one entry of the log.
//! The file of what does not match is written before: killed in between, the hour is compared
//! again and its file written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edgetally_proto::ids::SiteId;
use edgetally_proto::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use tokio::sync::mpsc;

use super::super::{App, alerts, facts, now_ms, postgres};
use crate::alerts::book::Change;
use crate::alerts::checks;
use crate::directory::SiteEntry;
use crate::reconcile::plan::{self, Plan, SETTLE_MS};
use crate::reconcile::run::{RUNS_MAX, Run, number_of};
use crate::reconcile::{self, Ask, MARGIN_MS, Payment};
use crate::store::engine::Stage;
use crate::store::files;
use crate::view::{SiteView, View};

const STEP: Duration = Duration::from_secs(1);
/// The longest pause between two tries of an hour.
const PAUSE_MS_MAX: i64 = 5 * MINUTE_MS;
/// So long after a start a shard that says nothing has nothing to say.
const UNHEARD_MS: i64 = MINUTE_MS;
/// So long a shard is waited for that has not sent what it took.
const BEHIND_MS_MAX: i64 = HOUR_MS;
/// Most bytes of the files of a site; the oldest go.
const FILES_BYTES_MAX: u64 = 256 << 20;
/// Stands between the name of a site and that of an hour; no site has it.
const MARK: char = '~';

/// Why a site's next hour is not compared yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// What the last try came to, for people.
    pub error: String,
    /// Since when, epoch ms.
    pub since_ms: i64,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried again.
    pub again_at_ms: i64,
}

/// What is remembered since the start of the program.
#[derive(Debug, Default)]
pub struct Schedule {
    waits: Mutex<BTreeMap<SiteId, Waits>>,
    /// Hours that were compared.
    pub runs: AtomicU64,
    /// Tries that came to nothing.
    pub failures: AtomicU64,
}

impl Schedule {
    /// Why the next hour of a site waits.
    #[must_use]
    pub fn waits(&self, site: &SiteId) -> Option<Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).get(site).cloned()
    }

    fn fail(&self, site: &SiteId, error: String, now_ms: i64) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let before = self.waits(site);
        let (since_ms, tries) = before.map_or((now_ms, 0), |known| (known.since_ms, known.tries));
        let pause_ms = (5 * SECOND_MS).saturating_mul(1 << tries.min(10)).min(PAUSE_MS_MAX);
        let again_at_ms = now_ms + pause_ms;
        let waits = Waits { error, since_ms, tries: tries + 1, again_at_ms };
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).insert(site.clone(), waits);
    }

    fn succeed(&self, site: &SiteId) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.forget(site);
    }

    fn forget(&self, site: &SiteId) {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).remove(site);
    }
}

/// The hours of a site that are to be compared, the oldest first.
#[must_use]
pub fn due(entry: &SiteEntry, plan: &Plan, state: &SiteView, now_ms: i64) -> Vec<(i64, i64)> {
    let begun = state.alerts.marks.reconciled_from_ms;
    let Some(from_ms) = begun.map(|begun_ms| plan.since_ms.unwrap_or(begun_ms)) else {
        return Vec::new();
    };
    let runs = &state.alerts.runs;
    let is_done = |at_ms: i64| number_of(at_ms).is_none_or(|number| runs.get(number).is_some());
    plan::due(&entry.calendar(), from_ms, now_ms, is_done)
}

/// Whether what was sold until an instant is here, as far as anybody knows: shards that were not
/// heard since the start get a moment to say whether they hold something.
fn is_complete(view: &View, until_ms: i64, up_since_ms: i64, now_ms: i64) -> bool {
    if now_ms - up_since_ms.max(until_ms + SETTLE_MS) > BEHIND_MS_MAX {
        return true;
    }
    view.edges.values().filter(|edge| edge.last > 0).all(|edge| {
        let is_unheard = edge.heard_at_ms == 0 && now_ms - up_since_ms < UNHEARD_MS;
        let is_behind = edge.has_backlog && edge.tally.committed_at_ms < until_ms;
        !is_unheard && !is_behind
    })
}

/// Compares for as long as the program runs, one hour of each site at a time.
pub async fn run(app: App) {
    let up_since_ms = now_ms();
    let mut under_way: Vec<SiteId> = Vec::new();
    let mut sites: BTreeSet<SiteId> = BTreeSet::new();
    let (done, mut finished) = mpsc::unbounded_channel();
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while let Ok(site) = finished.try_recv() {
            under_way.retain(|known| *known != site);
        }
        if app.engine.shared.stage() != Stage::Ready {
            continue;
        }
        let view = app.engine.shared.view.load_full();
        if !sites.iter().eq(view.directory.sites.keys()) {
            sites = view.directory.sites.keys().cloned().collect();
            let (folder, view) = (folder(&app.data), view.clone());
            // What a site leaves behind goes with it.
            let _ = facts::blocking(move || prune(&folder, &view)).await;
        }
        for (site, entry) in &view.directory.sites {
            let Some((plan, hour)) = next(&app, &view, site, entry, now_ms()) else { continue };
            if under_way.contains(site) || !is_complete(&view, hour.1, up_since_ms, now_ms()) {
                continue;
            }
            under_way.push(site.clone());
            let (app, site, done) = (app.clone(), site.clone(), done.clone());
            tokio::spawn(async move {
                one(&app, &site, &plan, hour).await;
                // Nobody waits for it when the program ends.
                let _ = done.send(site);
            });
        }
    }
}

/// The hour of a site that is compared next, if its time has come.
fn next(
    app: &App,
    view: &View,
    site: &SiteId,
    entry: &SiteEntry,
    now_ms: i64,
) -> Option<(Plan, (i64, i64))> {
    let Ok(Some(plan)) = plan::plan(&entry.settings) else {
        app.reconciliations.forget(site);
        return None;
    };
    let rests = app.reconciliations.waits(site).is_some_and(|waits| now_ms < waits.again_at_ms);
    let state = view.sites.get(site).filter(|_| !rests)?;
    let hour = due(entry, &plan, state, now_ms).first().copied()?;
    Some((plan, hour))
}

async fn one(app: &App, site: &SiteId, plan: &Plan, hour: (i64, i64)) {
    match compare(app, site, plan, hour).await {
        Ok(run) => {
            app.reconciliations.succeed(site);
            let Run { matched, missing_here, missing_there, different, .. } = run;
            let is_beyond = run.is_beyond();
            let hour = run.id();
            tracing::info!(
                %site, hour, matched, missing_here, missing_there, different, is_beyond,
                "compared an hour with its payments"
            );
        }
        Err(error) => {
            tracing::warn!(%site, error, "an hour waits to be compared with its payments");
            // Who it is that asks is nobody's business but the administrator's, who has the log.
            let short = error.split(": ").next().unwrap_or_default().to_owned();
            app.reconciliations.fail(site, short, now_ms());
        }
    }
}

/// The payments around an hour.
async fn read(plan: &Plan, (from_ms, to_ms): (i64, i64)) -> Result<Vec<Payment>, String> {
    let unset = || format!("the variable {} is not set", plan.database_env);
    let url = std::env::var(&plan.database_env).map_err(|_| unset())?;
    let (from_ms, to_ms) = (from_ms - MARGIN_MS, to_ms + MARGIN_MS);
    let ask = postgres::Ask { table: plan.table.clone(), from_ms, to_ms };
    postgres::read(&url, &ask).await.map_err(|error| error.to_string())
}

async fn compare(app: &App, site: &SiteId, plan: &Plan, hour: (i64, i64)) -> Result<Run, String> {
    let payments = read(plan, hour).await?;
    let view = app.engine.shared.view.load_full();
    let entry = view.directory.sites.get(site).ok_or("the site is gone")?;
    let (zone, currency) = (entry.calendar(), entry.settings.currency);
    let state = view.sites.get(site).cloned().unwrap_or_default();
    let (from_ms, to_ms) = hour;
    let ask = Ask { from_ms, to_ms, platform: plan.platform.clone(), currency };
    let tries = app.reconciliations.waits(site).map_or(0, |waits| waits.tries) + 1;
    let (folder, limit, of) = (folder(&app.data), plan.limit, site.clone());
    let days = zone.clone();
    let work = move || -> Result<(Run, Arc<SiteView>), String> {
        let report = reconcile::compare(&state, &payments, &ask);
        let run = Run { tries, ..Run::of(&report, hour, limit) };
        let written = write(&folder, &of, &run, &report.csv(&days));
        written.map_err(|error| format!("the file cannot be written: {error}"))?;
        Ok((run, state))
    };
    let compared = facts::blocking(work).await.map_err(|problem| problem.to_string())?;
    let (run, state) = compared?;
    let now_ms = now_ms();
    let run = Run { compared_at_ms: now_ms, ..run };
    let mut changes = vec![Change::Reconciled(Box::new(run.clone()))];
    changes.extend(checks::verdict(&run, plan, &state.alerts, &zone, now_ms));
    let taken = alerts::change(app, site, changes, None).await;
    taken.map_err(|problem| format!("it cannot be written down: {problem}"))?;
    let view = app.engine.shared.view.load_full();
    let folder = self::folder(&app.data);
    // Those that are too many are found again at the next hour.
    let _ = facts::blocking(move || prune(&folder, &view)).await;
    Ok(run)
}

/// Where the files lie.
fn folder(data: &Path) -> PathBuf {
    data.join("reconciliations")
}

/// The file of an hour.
#[must_use]
pub fn file(data: &Path, site: &SiteId, run: &Run) -> PathBuf {
    path_in(&folder(data), site, run)
}

fn path_in(folder: &Path, site: &SiteId, run: &Run) -> PathBuf {
    folder.join(format!("{site}{MARK}{}.csv", run.id()))
}

fn write(folder: &Path, site: &SiteId, run: &Run, csv: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    files::write_whole(&path_in(folder, site, run), csv.as_bytes())
}

/// Lets go of the oldest files of each site, and of those of sites that are gone.
fn prune(folder: &Path, view: &View) {
    let mut by_site: BTreeMap<String, Vec<(PathBuf, u64)>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((site, _)) = name.split_once(MARK) else { continue };
        let bytes = entry.metadata().map_or(0, |meta| meta.len());
        by_site.entry(site.to_owned()).or_default().push((entry.path(), bytes));
    }
    for (site, mut rows) in by_site {
        let is_known = view.directory.sites.keys().any(|known| known.as_str() == site);
        rows.sort();
        let (mut count, mut bytes) = (0, 0u64);
        for (path, size) in rows.into_iter().rev() {
            count += 1;
            bytes = bytes.saturating_add(size);
            if is_known && (count <= 1 || (count <= RUNS_MAX && bytes <= FILES_BYTES_MAX)) {
                continue;
            }
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "an old file cannot be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::ids::{Epoch, ShardName};

    use super::*;
    use crate::dedup::{Source, Tally};
    use crate::view::EdgeState;

    fn view(heard_at_ms: i64, committed_at_ms: i64, has_backlog: bool) -> View {
        let mut view = View::default();
        let source = Source { shard: ShardName::parse("a").unwrap(), epoch: Epoch([0; 16]) };
        let tally = Tally { committed_at_ms, ..Tally::default() };
        let edge = EdgeState { last: 1, tally, heard_at_ms, has_backlog, ..EdgeState::default() };
        view.edges.insert(source, edge);
        view
    }

    #[test]
    fn an_hour_waits_for_shards_that_hold_its_orders_but_not_for_ever() {
        let (end, up) = (HOUR_MS, 2 * HOUR_MS);
        let complete = |view: &View, after_s: i64| is_complete(view, end, up, up + after_s * 1_000);
        assert!(complete(&View::default(), 0));
        let unheard = view(0, end + 1, false);
        assert!(!complete(&unheard, 59) && complete(&unheard, 60));
        let behind = view(up, end - 1, true);
        assert!(!complete(&behind, 3_600) && complete(&behind, 3_601));
        assert!(complete(&view(up, end, true), 0) && complete(&view(up, 5, false), 0));
    }

    #[test]
    fn files_of_sites_that_are_gone_go_and_the_newest_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut view = View::default();
        let site = SiteId::parse("demo").unwrap();
        let entry = SiteEntry { settings: Default::default(), version: 1, formers: Vec::new() };
        std::sync::Arc::make_mut(&mut view.directory).sites.insert(site, entry);
        for name in ["demo~20260302T0300Z.csv", "demo~20260302T0400Z.csv", "gone~1.csv", "other"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        for n in 0..RUNS_MAX {
            std::fs::write(dir.path().join(format!("demo~2027{n:04}.csv")), "x").unwrap();
        }
        prune(dir.path(), &view);
        let left = |name: &str| dir.path().join(name).exists();
        assert!(!left("gone~1.csv") && left("other"));
        assert!(!left("demo~20260302T0400Z.csv") && left("demo~20270000.csv"));
    }
}
