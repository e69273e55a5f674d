//! Looks at every site once a second: at its rules, at what new records say of fraud, and whether
//! the report of a day is due.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use edgetally_proto::ids::SiteId;
use edgetally_proto::time::HOUR_MS;
use serde_json::json;

use super::super::{App, now_ms};
use super::change;
use crate::alerts::book::{Change, Kind, Raised};
use crate::alerts::checks;
use crate::alerts::machine::{self, Turn};
use crate::alerts::measure;
use crate::alerts::rule::{Rule, When, rules};
use crate::directory::SiteEntry;
use crate::fraud::Watch;
use crate::presence::Days;
use crate::store::engine::Stage;
use crate::view::{SiteView, View};

const STEP: Duration = Duration::from_secs(1);
/// The report of a day is sent so long after its end: by then late events are in.
const REPORT_AFTER_MS: i64 = 6 * HOUR_MS;
/// A rule rests for so many times as long as it took to be measured.
const REST: i64 = 10;
/// Changes of one entry of the log.
const CHANGES_MAX: usize = 1_000;

/// What is remembered of a site between two looks.
#[derive(Default)]
struct Known {
    /// The version of the settings that the rules are of.
    version: Option<u64>,
    rules: Arc<Vec<Rule>>,
    /// Since when each rule holds without a break, epoch ms.
    held: HashMap<String, i64>,
    /// When rules that take long to measure are measured again, epoch ms.
    rests_until: HashMap<String, i64>,
    fraud: Watch,
}

/// Looks for as long as the program runs.
pub async fn run(app: App) {
    let mut known: BTreeMap<SiteId, Known> = BTreeMap::new();
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if app.engine.shared.stage() != Stage::Ready {
            continue;
        }
        let view = app.engine.shared.view.load_full();
        known.retain(|site, _| view.directory.sites.contains_key(site));
        for (site, entry) in &view.directory.sites {
            let of_site = known.entry(site.clone()).or_default();
            // A look at many records takes a while, in which requests go on.
            let look = || of_site.look(site, entry, &view, now_ms());
            let mut changes = tokio::task::block_in_place(look);
            while !changes.is_empty() {
                let rest = changes.split_off(changes.len().min(CHANGES_MAX));
                // What was not taken is found again at the next look.
                if let Err(problem) = change(&app, site, changes, None).await {
                    tracing::warn!(%site, ?problem, "alerts wait");
                    of_site.fraud = Watch::default();
                    break;
                }
                changes = rest;
            }
        }
    }
}

impl Known {
    fn look(&mut self, site: &SiteId, entry: &SiteEntry, view: &View, now_ms: i64) -> Vec<Change> {
        if self.version != Some(entry.version) {
            self.version = Some(entry.version);
            self.rules = Arc::new(rules(site, &entry.settings));
            self.rests_until.clear();
        }
        let nothing = Arc::default();
        let state: &Arc<SiteView> = view.sites.get(site).unwrap_or(&nothing);
        let mut changes = Vec::new();
        for rule in self.rules.clone().iter() {
            changes.extend(self.judge(rule, state, view, now_ms));
        }
        let gone = state.alerts.firing().filter(|name| !self.rules.iter().any(|r| r.name == *name));
        changes.extend(gone.map(|name| Change::Resolve {
            rule: name.to_owned(),
            at_ms: now_ms,
            message: format!("{name}: the rule is gone"),
        }));
        changes.extend(self.fraud.look(state, &entry.settings));
        changes.extend(report(entry, state, now_ms));
        changes.extend(own(entry, state, now_ms));
        changes
    }

    fn judge(&mut self, rule: &Rule, state: &SiteView, view: &View, now_ms: i64) -> Option<Change> {
        if self.rests_until.get(&rule.name).is_some_and(|until_ms| now_ms < *until_ms) {
            return None;
        }
        let began_ms = super::super::now_ms();
        let reading = measure::reading(rule, view, now_ms).unwrap_or_else(|error| {
            tracing::debug!(rule = rule.name, ?error, "a rule cannot be measured");
            None
        });
        // One rule over many rows must not keep the others from their second.
        let took_ms = super::super::now_ms() - began_ms;
        self.rests_until.insert(rule.name.clone(), now_ms + took_ms * REST);
        let standing = state.alerts.standing(&rule.name);
        let mut held = self.held.get(&rule.name).copied();
        let side = machine::side(rule, reading);
        let turn = machine::step(rule, standing, &mut held, side, now_ms);
        match held {
            Some(since_ms) => drop(self.held.insert(rule.name.clone(), since_ms)),
            None => drop(self.held.remove(&rule.name)),
        }
        match turn? {
            Turn::Fire => {
                Some(Change::Raise(raised(rule, reading, held.unwrap_or(now_ms), now_ms)))
            }
            Turn::Resolve => Some(Change::Resolve {
                rule: rule.name.clone(),
                at_ms: now_ms,
                message: format!("{}: {} again", rule.name, told(rule, reading)),
            }),
        }
    }
}

/// What a rule reads, for people.
fn told(rule: &Rule, reading: Option<i128>) -> String {
    let metric = measure::metric_of(rule);
    let value = reading.map_or_else(|| "undefined".to_owned(), measure::text);
    match rule.when {
        When::Above(_) | When::Below(_) | When::NoData => format!("{metric} is {value}"),
        When::ChangeAbove(_) | When::ChangeBelow(_) => {
            format!("{metric} changed by {value} % since last week")
        }
    }
}

fn limit_of(rule: &Rule) -> String {
    match rule.when {
        When::Above(limit) | When::ChangeAbove(limit) => format!("above {}", measure::text(limit)),
        When::Below(limit) | When::ChangeBelow(limit) => format!("below {}", measure::text(limit)),
        When::NoData => "no data".to_owned(),
    }
}

fn raised(rule: &Rule, reading: Option<i128>, since_ms: i64, now_ms: i64) -> Raised {
    let limit = limit_of(rule);
    let held_s = (now_ms - since_ms) / 1_000;
    let message = format!("{}: {}, {limit}, for {held_s} s", rule.name, told(rule, reading));
    let evidence = json!({
        "metric": measure::metric_of(rule),
        "value": reading.map(measure::text),
        "limit": limit,
        "window_s": rule.window_ms / 1_000,
        "held_s": held_s,
    });
    Raised {
        kind: Kind::Rule,
        rule: rule.name.clone(),
        severity: rule.severity.clone(),
        message,
        at_ms: now_ms,
        evidence: evidence.to_string(),
        key: None,
        to: rule.to.clone(),
    }
}

/// What the program looks after by itself.
fn own(entry: &SiteEntry, state: &SiteView, now_ms: i64) -> Vec<Change> {
    let calendar = entry.calendar();
    let today = calendar.day_of(now_ms);
    let waiting = state.daily.dirty().range(..today).count();
    let is_firing = state.alerts.is_check_firing(checks::REBUILD_QUEUE);
    let queue = checks::rebuild_queue(is_firing, waiting, &entry.settings, now_ms);
    let is_planned = entry.settings.reconcile.is_some();
    let begun = checks::begun(is_planned, state, &calendar, now_ms);
    queue.into_iter().chain(begun).collect()
}

/// The report of yesterday, once it is due.
fn report(entry: &SiteEntry, state: &SiteView, now_ms: i64) -> Option<Change> {
    let to = entry.settings.mail.daily_report_to.clone();
    let calendar = entry.calendar();
    let today = calendar.day_of(now_ms);
    let is_due = now_ms >= calendar.start_of(today) + REPORT_AFTER_MS;
    let is_sent = state.alerts.marks.reported_day.is_some_and(|day| day >= today - 1);
    (is_due && !is_sent && !to.is_empty()).then_some(Change::Report {
        day: today - 1,
        at_ms: now_ms,
        to,
        is_asked: false,
    })
}
