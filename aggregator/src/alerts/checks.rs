//! Alerts of the program's own: an hour that does not match its payments, and days of orders that
//! wait to be worked out again.

use edgetally_proto::money::format_minor;
use edgetally_proto::settings::SiteSettings;
use serde_json::json;

use super::book::{Book, Change, Kind, Raised};
use super::target;
use crate::calendar::Calendar;
use crate::reconcile::plan::Plan;
use crate::reconcile::run::{Run, Total};
use crate::view::SiteView;

/// An hour does not match its payments.
pub const RECONCILIATION: &str = "RECONCILIATION";
/// Many days of orders wait to be worked out again.
pub const REBUILD_QUEUE: &str = "REBUILD_QUEUE";
/// More days than these are many.
pub const WAITING_DAYS_MAX: usize = 100;

fn raise(
    (rule, severity): (&str, &str),
    message: String,
    at_ms: i64,
    evidence: serde_json::Value,
    to: Vec<String>,
) -> Change {
    Change::Raise(Raised {
        kind: Kind::Check,
        rule: rule.to_owned(),
        severity: severity.to_owned(),
        message,
        at_ms,
        evidence: evidence.to_string(),
        key: None,
        to,
    })
}

/// What the number of days that wait changes; all webhooks of the site are told.
#[must_use]
pub fn rebuild_queue(
    is_firing: bool,
    days: usize,
    settings: &SiteSettings,
    now_ms: i64,
) -> Option<Change> {
    let is_beyond = days > WAITING_DAYS_MAX;
    if is_beyond == is_firing {
        return None;
    }
    let message = format!("{days} days of orders wait to be worked out again");
    if is_firing {
        let rule = REBUILD_QUEUE.to_owned();
        return Some(Change::ResolveCheck { rule, at_ms: now_ms, message });
    }
    let targets = target::targets(settings).unwrap_or_default();
    let to = targets.into_iter().map(|target| target.name).collect();
    let evidence = json!({"days": days, "limit": WAITING_DAYS_MAX});
    Some(raise((REBUILD_QUEUE, "MEDIUM"), message, now_ms, evidence, to))
}

/// What the setting itself changes: from when on hours are compared, and that none are any more.
#[must_use]
pub fn begun(is_planned: bool, state: &SiteView, zone: &Calendar, now_ms: i64) -> Vec<Change> {
    let is_begun = state.alerts.marks.reconciled_from_ms.is_some();
    let is_firing = state.alerts.is_check_firing(RECONCILIATION);
    match (is_planned, is_begun || is_firing) {
        (true, _) if !is_begun => vec![Change::ReconcileFrom(Some(zone.hour_of(now_ms).0))],
        (false, true) => {
            let (rule, at_ms) = (RECONCILIATION.to_owned(), now_ms);
            let message = "hours are compared with payments no more".to_owned();
            vec![Change::ResolveCheck { rule, at_ms, message }, Change::ReconcileFrom(None)]
        }
        _ => Vec::new(),
    }
}

fn told(total: &Total) -> String {
    let amount = |minor: i128| format_minor(minor, total.currency);
    let percent = total.apart_hundredths().unwrap_or(0);
    let (whole, part) = (percent / 100, percent % 100);
    let paid = amount(total.there);
    format!("{} of {paid} {} ({whole}.{part:02} %)", amount(total.apart), total.currency)
}

/// What a run of an hour changes: more does not match than may, or no longer so. An hour that is
/// made up after later ones ends nothing.
#[must_use]
pub fn verdict(
    run: &Run,
    plan: &Plan,
    book: &Book,
    zone: &Calendar,
    now_ms: i64,
) -> Option<Change> {
    let is_firing = book.is_check_firing(RECONCILIATION);
    let newest = book.runs.rows().get_max().map(|(_, run)| run.from_ms);
    let is_late = newest.is_some_and(|newest_ms| run.from_ms < newest_ms);
    if run.is_beyond() == is_firing || is_firing && is_late {
        return None;
    }
    let hour = format!("from {} to {}", zone.rfc3339(run.from_ms), zone.rfc3339(run.to_ms));
    if is_firing {
        let (rule, at_ms) = (RECONCILIATION.to_owned(), now_ms);
        let message = format!("orders {hour} match their payments again");
        return Some(Change::ResolveCheck { rule, at_ms, message });
    }
    let beyond = run.totals.iter().filter(|total| total.is_beyond(run.limit)).map(told);
    let beyond = beyond.collect::<Vec<_>>().join(", ");
    let Run { missing_here, missing_there, different, .. } = run;
    let message = format!(
        "orders {hour} do not match their payments by {beyond}: {missing_here} missing here, \
         {missing_there} missing there, {different} different"
    );
    Some(raise((RECONCILIATION, "HIGH"), message, now_ms, run.json(zone), plan.to.clone()))
}

#[cfg(test)]
mod tests {
    use edgetally_proto::money::Currency;

    use super::*;
    use crate::alerts::book::State;

    fn run(hour: i64, apart: i128) -> Run {
        let currency = Currency::USD;
        let (here, there) = (10_000 - apart, 10_000);
        let total = Total { currency, orders: 9, payments: 10, here, there, apart };
        Run {
            from_ms: hour * 3_600_000,
            to_ms: (hour + 1) * 3_600_000,
            compared_at_ms: 0,
            tries: 1,
            matched: 9,
            missing_here: 1,
            missing_there: 0,
            different: 0,
            unreadable: 0,
            unpaid: 0,
            totals: vec![total],
            limit: 10_000,
        }
    }

    /// Hours in the order in which they are compared; what is told of each.
    fn play(hours: &[(i64, i128)]) -> Vec<Option<State>> {
        let plan = Plan {
            database_env: String::new(),
            table: String::new(),
            platform: None,
            since_ms: None,
            limit: 10_000,
            to: vec!["ops".to_owned()],
        };
        let (mut book, zone) = (Book::default(), Calendar::default());
        let mut step = |(hour, apart): &(i64, i128)| {
            let run = run(*hour, *apart);
            let change = verdict(&run, &plan, &book, &zone, 7);
            book.apply("s", Change::Reconciled(Box::new(run)));
            change.and_then(|change| book.apply("s", change)).map(|told| told.state)
        };
        hours.iter().map(&mut step).collect()
    }

    #[test]
    fn an_hour_beyond_fires_once_and_a_later_one_ends_it() {
        let (firing, resolved) = (Some(State::Firing), Some(State::Resolved));
        let hours = [(5, 100), (6, 101), (7, 500), (4, 0), (8, 100), (9, 0), (10, 102)];
        let expected = [None, firing, None, None, resolved, None, firing];
        assert_eq!(play(&hours), expected);
    }

    #[test]
    fn the_message_says_how_much_does_not_match() {
        let totals = run(0, 123).totals;
        assert_eq!(told(&totals[0]), "1.23 of 100.00 USD (1.23 %)");
    }

    #[test]
    fn more_than_a_hundred_days_fire_and_a_hundred_end_it() {
        let hooks = json!({"webhooks": [{"name": "ops", "url": "http://a/"}]});
        let settings: SiteSettings = serde_json::from_value(hooks).unwrap();
        let mut book = Book::default();
        let told = [100, 101, 300, 101, 100, 0].map(|days| {
            let is_firing = book.is_check_firing(REBUILD_QUEUE);
            let change = rebuild_queue(is_firing, days, &settings, 7)?;
            book.apply("s", change).map(|told| (told.state, told.alert.to.clone()))
        });
        let ops = vec!["ops".to_owned()];
        let (firing, resolved) = ((State::Firing, ops.clone()), (State::Resolved, ops));
        assert_eq!(told, [None, Some(firing), None, None, Some(resolved), None]);
    }
}
