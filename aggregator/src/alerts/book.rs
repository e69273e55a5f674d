//! What a site's alerts are, and who is still to be told of them.
//!
//! The book changes by entries of the log alone, and every change says the same twice: a rule
//! fires only where it does not, and a finding is raised once however often it is found.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::machine::Standing;
use super::shelf::Shelf;
use crate::reconcile::run::{RUNS_MAX, Run};

/// Alerts that are kept: the newest.
pub const ALERTS_MAX: usize = 20_000;
/// Deliveries that are kept beside those still to be made: the newest.
pub const DELIVERIES_MAX: usize = 2_000;

/// Where an alert comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A rule of the settings.
    Rule,
    /// Orders or payments that look like fraud.
    Fraud,
    /// Something of the program's own that is looked after: it goes on until it is over.
    Check,
    /// Somebody tries whether alerts arrive.
    Test,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Names it among all of all sites.
    pub id: String,
    /// Where it comes from.
    pub kind: Kind,
    /// The name of its rule.
    pub rule: String,
    /// How bad it is.
    pub severity: String,
    /// For people.
    pub message: String,
    /// When it began, epoch ms.
    pub at_ms: i64,
    /// When it was over.
    pub resolved_at_ms: Option<i64>,
    /// What was said then.
    pub resolution: Option<String>,
    /// When somebody took note of it.
    pub acknowledged_at_ms: Option<i64>,
    /// What it was found by, as a JSON object.
    pub evidence: String,
    /// Under which it is found once; of rules none.
    pub key: Option<String>,
    /// Who is told.
    pub to: Vec<String>,
}

/// An alert that is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// Where it comes from.
    pub kind: Kind,
    /// The name of its rule.
    pub rule: String,
    /// How bad it is.
    pub severity: String,
    /// For people.
    pub message: String,
    /// When it began, epoch ms.
    pub at_ms: i64,
    /// What it was found by, as a JSON object.
    pub evidence: String,
    /// Under which it is found once; of rules none.
    pub key: Option<String>,
    /// Who is told.
    pub to: Vec<String>,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// An alert by its number, which begins, or is over.
    Alert(u64, State),
    /// The report of a local day, in days since 1970.
    Report(i64),
}

/// How an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on.
    Firing,
    /// It is over.
    Resolved,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It is to be made at an instant.
    Waits(i64),
    /// It was made.
    Done(i64),
    /// Nobody tries any more.
    GivenUp(i64),
}

/// Something to tell somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Names it for its receiver, who sees it again if an answer was lost.
    pub id: String,
    /// What.
    pub what: What,
    /// Whom: the name of a webhook, or a mail address.
    pub to: String,
    /// Since when, epoch ms.
    pub since_ms: i64,
    /// How often it was tried.
    pub tries: u32,
    /// What the last try came to, for people.
    pub said: Option<String>,
    /// What became of it.
    pub fate: Fate,
}

/// One change of a book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Something was found.
    Raise(Raised),
    /// A rule is resolved.
    Resolve {
        /// Which.
        rule: String,
        /// When, epoch ms.
        at_ms: i64,
        /// For people.
        message: String,
    },
    /// A check is resolved.
    ResolveCheck {
        /// Which.
        rule: String,
        /// When, epoch ms.
        at_ms: i64,
        /// For people.
        message: String,
    },
    /// An hour was compared with payments.
    Reconciled(Box<Run>),
    /// From which instant on hours are compared with payments, epoch ms; none are any more.
    ReconcileFrom(Option<i64>),
    /// Somebody took note of an alert.
    Acknowledge {
        /// Its number.
        alert: u64,
        /// When, epoch ms.
        at_ms: i64,
    },
    /// A delivery was tried.
    Tried {
        /// Its number.
        delivery: u64,
        /// What it came to, for people.
        said: Option<String>,
        /// What becomes of it.
        fate: Fate,
    },
    /// Records with smaller numbers were looked at.
    Examined(u32),
    /// A day is to be reported.
    Report {
        /// In days since 1970.
        day: i64,
        /// When, epoch ms.
        at_ms: i64,
        /// To whom.
        to: Vec<String>,
        /// Whether somebody asked for it, who gets it however often it was sent.
        is_asked: bool,
    },
}

/// What there is one of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Records with smaller numbers were looked at.
    pub examined: u32,
    /// The last day that was reported.
    pub reported_day: Option<i64>,
    /// When each rule was resolved last.
    pub resolved: std::collections::BTreeMap<String, i64>,
    /// From which instant on hours are compared with payments, epoch ms.
    pub reconciled_from_ms: Option<i64>,
}

/// An alert as those hear of it who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The alert.
    pub alert: Arc<Alert>,
    /// How it is now.
    pub state: State,
}

/// The alerts of a site. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// Alerts by number.
    pub alerts: Shelf<Alert>,
    /// What is to be told, and what was.
    pub deliveries: Shelf<Delivery>,
    /// Hours that were compared with payments, by their number since 1970.
    pub runs: Shelf<Run>,
    /// What there is one of.
    pub marks: Arc<Marks>,
    is_marks_dirty: bool,
    firing: OrdMap<Arc<str>, u64>,
    checks: OrdMap<Arc<str>, u64>,
    keys: OrdMap<Arc<str>, u64>,
    waiting: OrdMap<u64, ()>,
}

/// The number of an alert out of its id.
#[must_use]
pub fn number_of(id: &str) -> Option<u64> {
    id.rsplit_once('-')?.1.parse().ok()
}

impl Book {
    /// What is known of a rule from before.
    #[must_use]
    pub fn standing(&self, rule: &str) -> Standing {
        let is_firing = self.firing.contains_key(rule);
        Standing { is_firing, resolved_at_ms: self.marks.resolved.get(rule).copied() }
    }

    /// Names of the rules that fire.
    pub fn firing(&self) -> impl Iterator<Item = &str> {
        self.firing.keys().map(AsRef::as_ref)
    }

    /// Whether a check fires.
    #[must_use]
    pub fn is_check_firing(&self, rule: &str) -> bool {
        self.checks.contains_key(rule)
    }

    /// Whether something was found already.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Deliveries to be made, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, &Delivery)> {
        let numbers = self.waiting.keys();
        numbers.filter_map(|number| Some((*number, self.deliveries.get(*number)?)))
    }

    /// Carries out a change; gives what those who watch hear of it. `site` is whose book it is.
    pub fn apply(&mut self, site: &str, change: Change) -> Option<Told> {
        match change {
            Change::Raise(raised) => self.raise(site, raised),
            Change::Resolve { rule, at_ms, message } => {
                let number = self.firing.remove(rule.as_str())?;
                self.change_marks(|marks| {
                    marks.resolved.insert(rule, at_ms);
                });
                self.resolve(number, at_ms, message)
            }
            Change::ResolveCheck { rule, at_ms, message } => {
                let number = self.checks.remove(rule.as_str())?;
                self.resolve(number, at_ms, message)
            }
            Change::Reconciled(run) => {
                self.keep_run(*run);
                None
            }
            Change::ReconcileFrom(from_ms) => {
                self.change_marks(|marks| marks.reconciled_from_ms = from_ms);
                None
            }
            Change::Acknowledge { alert, at_ms } => {
                let mut known = self.alerts.get(alert)?.clone();
                known.acknowledged_at_ms = known.acknowledged_at_ms.or(Some(at_ms));
                self.alerts.put(alert, known);
                None
            }
            Change::Tried { delivery, said, fate } => {
                let known = self.deliveries.get(delivery)?;
                let tries = known.tries + 1;
                let tried = Delivery { tries, said, fate, ..known.clone() };
                if !matches!(fate, Fate::Waits(_)) {
                    self.waiting.remove(&delivery);
                }
                self.deliveries.put(delivery, tried);
                self.forget_deliveries();
                None
            }
            Change::Examined(record) => {
                self.change_marks(|marks| marks.examined = marks.examined.max(record));
                None
            }
            Change::Report { day, at_ms, to, is_asked } => {
                let is_new = self.marks.reported_day.is_none_or(|known| known < day);
                if is_new && !is_asked {
                    self.change_marks(|marks| marks.reported_day = Some(day));
                }
                if is_new || is_asked {
                    let about = format!("{site}-report-{day}-{at_ms}");
                    self.deliver(&about, What::Report(day), &to, at_ms);
                }
                None
            }
        }
    }

    fn change_marks(&mut self, change: impl FnOnce(&mut Marks)) {
        change(Arc::make_mut(&mut self.marks));
        self.is_marks_dirty = true;
    }

    fn raise(&mut self, site: &str, raised: Raised) -> Option<Told> {
        let Raised { kind, rule, severity, message, at_ms, evidence, key, to } = raised;
        let is_known = match kind {
            Kind::Rule => self.firing.contains_key(rule.as_str()),
            Kind::Check => self.checks.contains_key(rule.as_str()),
            Kind::Fraud => key.as_deref().is_some_and(|key| self.knows(key)),
            Kind::Test => false,
        };
        if is_known {
            return None;
        }
        let number = self.alerts.end();
        let id = format!("{site}-{at_ms}-{number}");
        // A try is over at once.
        let resolved_at_ms = (kind == Kind::Test).then_some(at_ms);
        let (resolution, acknowledged_at_ms) = (None, None);
        let alert = Alert {
            id,
            kind,
            rule,
            severity,
            message,
            at_ms,
            resolved_at_ms,
            resolution,
            acknowledged_at_ms,
            evidence,
            key,
            to,
        };
        self.index(number, &alert);
        let about = format!("{}.firing", alert.id);
        self.deliver(&about, What::Alert(number, State::Firing), &alert.to, at_ms);
        self.alerts.put(number, alert.clone());
        self.forget_alerts();
        Some(Told { alert: Arc::new(alert), state: State::Firing })
    }

    fn resolve(&mut self, number: u64, at_ms: i64, message: String) -> Option<Told> {
        let mut alert = self.alerts.get(number)?.clone();
        alert.resolved_at_ms = Some(at_ms);
        alert.resolution = Some(message);
        let about = format!("{}.resolved", alert.id);
        self.deliver(&about, What::Alert(number, State::Resolved), &alert.to, at_ms);
        self.alerts.put(number, alert.clone());
        Some(Told { alert: Arc::new(alert), state: State::Resolved })
    }

    /// An hour is compared once; the oldest go.
    fn keep_run(&mut self, run: Run) {
        let Some(number) = run.number().filter(|number| self.runs.get(*number).is_none()) else {
            return;
        };
        self.runs.put(number, run);
        while self.runs.rows().len() > RUNS_MAX {
            let Some(oldest) = self.runs.rows().get_min().map(|(number, _)| *number) else {
                return;
            };
            self.runs.remove(oldest);
        }
    }

    fn deliver(&mut self, about: &str, what: What, to: &[String], at_ms: i64) {
        for to in to {
            let number = self.deliveries.end();
            let id = format!("{about}.{to}");
            let (to, fate) = (to.clone(), Fate::Waits(at_ms));
            let delivery = Delivery { id, what, to, since_ms: at_ms, tries: 0, said: None, fate };
            self.deliveries.put(number, delivery);
            self.waiting.insert(number, ());
        }
    }

    fn index(&mut self, number: u64, alert: &Alert) {
        if alert.resolved_at_ms.is_none() {
            // What fired under this name before is over.
            let _before = match alert.kind {
                Kind::Rule => self.firing.insert(alert.rule.as_str().into(), number),
                Kind::Check => self.checks.insert(alert.rule.as_str().into(), number),
                Kind::Fraud | Kind::Test => None,
            };
        }
        if let Some(key) = &alert.key {
            self.keys.insert(key.as_str().into(), number);
        }
    }

    /// The oldest go, but not those that go on.
    fn forget_alerts(&mut self) {
        while self.alerts.rows().len() > ALERTS_MAX {
            let is_over = |alert: &Alert| {
                !matches!(alert.kind, Kind::Rule | Kind::Check) || alert.resolved_at_ms.is_some()
            };
            let oldest = self.alerts.rows().iter().find(|(_, alert)| is_over(alert));
            let Some((number, alert)) = oldest.map(|(number, alert)| (*number, alert.clone()))
            else {
                return;
            };
            if let Some(key) = &alert.key {
                self.keys.remove(key.as_str());
            }
            self.alerts.remove(number);
        }
    }

    fn forget_deliveries(&mut self) {
        while self.deliveries.rows().len() > DELIVERIES_MAX + self.waiting.len() {
            let rows = self.deliveries.rows().keys();
            let Some(number) = rows.copied().find(|number| !self.waiting.contains_key(number))
            else {
                return;
            };
            self.deliveries.remove(number);
        }
    }

    /// What there is one of, if it changed since the last call.
    pub fn take_marks(&mut self) -> Option<Arc<Marks>> {
        std::mem::take(&mut self.is_marks_dirty).then(|| self.marks.clone())
    }

    /// Puts alerts back as they were stored.
    pub fn restore_alerts(&mut self, rows: Vec<(u64, Alert)>) {
        rows.iter().for_each(|(number, alert)| self.index(*number, alert));
        self.alerts.restore(rows);
    }

    /// Puts deliveries back as they were stored.
    pub fn restore_deliveries(&mut self, rows: Vec<(u64, Delivery)>) {
        let waits = rows.iter().filter(|(_, delivery)| matches!(delivery.fate, Fate::Waits(_)));
        self.waiting.extend(waits.map(|(number, _)| (*number, ())));
        self.deliveries.restore(rows);
    }
}

#[cfg(test)]
mod tests;
