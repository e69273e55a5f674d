//! Our orders beside the payments of somebody else: what is in both, in one, or different.

pub mod csv;
pub mod plan;
pub mod run;

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::fmt::Write;

use edgetally_proto::money::{Currency, format_minor, parse_minor};
use edgetally_proto::time::{HOUR_MS, second_of};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::calendar::Calendar;
use crate::query::report::hundredths;
use crate::query::run::half_even;
use crate::view::SiteView;
use run::Total;

/// How far beside the range the other half of a pair is looked for: an order of just before
/// midnight may be paid after it.
pub const MARGIN_MS: i64 = 24 * HOUR_MS;

/// Words for a payment that came in, whatever happened to it later.
const PAID: [&str; 10] = [
    "paid",
    "success",
    "succeeded",
    "successful",
    "completed",
    "captured",
    "settled",
    "refunded",
    "partially_refunded",
    "ok",
];

/// One payment, as it is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The order's number.
    pub order_id: String,
    /// A decimal number in major units.
    pub amount: String,
    /// How it stands.
    pub status: String,
    /// When, epoch ms.
    pub created_at_ms: i64,
}

impl Payment {
    fn is_paid(&self) -> bool {
        PAID.contains(&self.status.trim().to_lowercase().as_str())
    }
}

/// What is compared.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The first instant, epoch ms.
    pub from_ms: i64,
    /// The first instant after the range.
    pub to_ms: i64,
    /// Of one order platform only.
    pub platform: Option<String>,
    /// The currency of payments whose order we do not know.
    pub currency: Currency,
}

/// What is wrong with a payment or an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Paid there, and no booked order here.
    MissingHere,
    /// Booked here, and no payment there.
    MissingThere,
    /// In both, for another amount.
    Different,
}

impl Kind {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingHere => "missing_here",
            Self::MissingThere => "missing_there",
            Self::Different => "different",
        }
    }
}

/// One row that does not match; amounts in minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is wrong.
    pub kind: Kind,
    /// The order.
    pub order_id: String,
    /// Our amount and order time.
    pub here: Option<(i64, i64)>,
    /// Their amount and the time of the first payment.
    pub there: Option<(i64, i64)>,
    /// Of both.
    pub currency: Currency,
}

/// Sums of one hour or second in one currency: ours and theirs.
type Sums = BTreeMap<(i64, Currency), [(u64, i128); 2]>;

/// What the comparison came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Orders that are in both for the same amount.
    pub matched: usize,
    /// All others.
    pub found: Vec<Found>,
    /// Payments that nobody could read, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Payments that did not come in: failed, pending.
    pub unpaid: usize,
    hours: Sums,
    seconds: Sums,
}

struct Side {
    amount: i64,
    at_ms: i64,
    currency: Currency,
}

/// Compares the booked orders of a range with payments, which may reach [`MARGIN_MS`] beyond it.
#[must_use]
pub fn compare(site: &SiteView, payments: &[Payment], ask: &Ask) -> Report {
    let mut report = Report::default();
    let (from_ms, to_ms) = (ask.from_ms, ask.to_ms);
    let is_within = |at_ms: i64| (from_ms..to_ms).contains(&at_ms);
    let (here, alone) = booked(site, ask);
    let there = read(payments, &here, ask, &mut report);
    for (order_id, paid) in &there {
        let ours = here.get(order_id);
        if is_within(paid.at_ms) {
            report.add_sums(&site.zone, 1, paid);
            if ours.is_none() {
                report.push(Kind::MissingHere, order_id, None, Some(paid));
            }
        }
    }
    for (order_id, ours) in here.iter().filter(|(_, ours)| is_within(ours.at_ms)) {
        report.add_sums(&site.zone, 0, ours);
        match there.get(order_id) {
            None => report.push(Kind::MissingThere, order_id, Some(ours), None),
            Some(paid) if paid.amount != ours.amount => {
                report.push(Kind::Different, order_id, Some(ours), Some(paid));
            }
            Some(_) => report.matched += 1,
        }
    }
    for (order_id, ours) in alone.iter().filter(|(_, ours)| is_within(ours.at_ms)) {
        report.add_sums(&site.zone, 0, ours);
        report.push(Kind::MissingThere, order_id, Some(ours), None);
    }
    report.found.sort_by(|a, b| (a.kind, &a.order_id).cmp(&(b.kind, &b.order_id)));
    report
}

/// The booked orders of a range and of its margin, by number. Several of one number, of different
/// platforms, are added, since a payment does not say of which it is; those in another currency
/// stand alone.
fn booked<'a>(site: &'a SiteView, ask: &Ask) -> (FxHashMap<&'a str, Side>, Vec<(&'a str, Side)>) {
    let mut here: FxHashMap<&str, Side> = FxHashMap::default();
    let mut alone = Vec::new();
    let (from_ms, to_ms) =
        (ask.from_ms.saturating_sub(MARGIN_MS), ask.to_ms.saturating_add(MARGIN_MS));
    for (_, row) in site.orders.range((from_ms, 0)..(to_ms, 0)) {
        let Some(value) = row.order.value.filter(|_| row.order.is_booked) else { continue };
        if ask.platform.as_deref().is_some_and(|name| name != row.key.platform.as_ref()) {
            continue;
        }
        let side = Side { amount: value.minor, at_ms: row.order.at_ms, currency: value.currency };
        match here.entry(row.key.transaction.as_ref()) {
            Entry::Vacant(free) => drop(free.insert(side)),
            Entry::Occupied(mut known) if known.get().currency == side.currency => {
                let known = known.get_mut();
                known.amount = known.amount.saturating_add(side.amount);
            }
            Entry::Occupied(_) => alone.push((row.key.transaction.as_ref(), side)),
        }
    }
    (here, alone)
}

/// What came in for each order; several payments of one are added.
fn read<'a>(
    payments: &'a [Payment],
    here: &FxHashMap<&str, Side>,
    ask: &Ask,
    report: &mut Report,
) -> FxHashMap<&'a str, Side> {
    // What lies beside the range is read for its pairs and counted by who asks for it.
    let is_counted = |payment: &Payment| (ask.from_ms..ask.to_ms).contains(&payment.created_at_ms);
    let mut there: FxHashMap<&str, Side> = FxHashMap::default();
    for payment in payments {
        if !payment.is_paid() {
            report.unpaid += usize::from(is_counted(payment));
            continue;
        }
        let order_id = payment.order_id.as_str();
        let currency = here.get(order_id).map_or(ask.currency, |ours| ours.currency);
        let mut refuse = |why: String| {
            if is_counted(payment) {
                report.unreadable.push((payment.order_id.clone(), why));
            }
        };
        match parse_minor(payment.amount.trim(), currency.exponent()) {
            Err(error) => refuse(format!("the amount {error}")),
            // Rounding would make what is different equal.
            Ok(parsed) if parsed.rounded => {
                refuse(format!("the amount has more decimals than {currency}"));
            }
            Ok(parsed) => {
                let at_ms = payment.created_at_ms;
                let side = there.entry(order_id).or_insert(Side { amount: 0, at_ms, currency });
                side.amount = side.amount.saturating_add(parsed.minor);
                side.at_ms = side.at_ms.min(at_ms);
            }
        }
    }
    there
}

impl Report {
    fn add_sums(&mut self, zone: &Calendar, which: usize, side: &Side) {
        let hour = zone.hour_of(side.at_ms).0;
        let second = second_of(side.at_ms) * 1_000;
        for (sums, slot) in [(&mut self.hours, hour), (&mut self.seconds, second)] {
            let sums = sums.entry((slot, side.currency)).or_default();
            if let Some((count, amount)) = sums.get_mut(which) {
                *count += 1;
                *amount += i128::from(side.amount);
            }
        }
    }

    fn push(&mut self, kind: Kind, order_id: &str, here: Option<&Side>, there: Option<&Side>) {
        let Some(currency) = here.or(there).map(|side| side.currency) else { return };
        let told = |side: &Side| (side.amount, side.at_ms);
        self.found.push(Found {
            kind,
            order_id: order_id.to_owned(),
            here: here.map(told),
            there: there.map(told),
            currency,
        });
    }

    /// How many rows are of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.found.iter().filter(|found| found.kind == kind).count()
    }

    /// Our sum and theirs in each currency, and how much of it does not match.
    #[must_use]
    pub fn totals(&self) -> Vec<Total> {
        let mut totals: BTreeMap<Currency, Total> = BTreeMap::new();
        for ((_, currency), [here, there]) in &self.hours {
            let total = totals.entry(*currency).or_insert_with(|| Total::of(*currency));
            total.orders += here.0;
            total.payments += there.0;
            total.here += here.1;
            total.there += there.1;
        }
        for found in &self.found {
            let total = totals.entry(found.currency).or_insert_with(|| Total::of(found.currency));
            total.apart += found.difference().abs();
        }
        totals.into_values().collect()
    }

    /// The report as JSON, with the first rows of each list; `cut` names those that have more.
    #[must_use]
    pub fn json(&self, zone: &Calendar, rows_max: usize) -> Value {
        let found = self.found.iter().map(|row| row.json(zone));
        let unreadable = self.unreadable.iter();
        let unreadable = unreadable.map(|(id, why)| json!({"order_id": id, "message": why}));
        let seconds = self.seconds.iter().filter(|(_, [here, there])| here != there);
        let hours = self.hours.iter().map(|sums| sums_json(sums, zone));
        let seconds = seconds.map(|sums| sums_json(sums, zone));
        // One more tells that there are more.
        let most = rows_max + 1;
        let mut lists = [
            ("unreadable", unreadable.take(most).collect::<Vec<Value>>()),
            ("results", found.take(most).collect()),
            ("hours", hours.take(most).collect()),
            ("seconds", seconds.take(most).collect()),
        ];
        let cut = lists.iter().filter(|(_, rows)| rows.len() > rows_max);
        let cut: Vec<&str> = cut.map(|(name, _)| *name).collect();
        let mut report = json!({
            "matched": self.matched,
            "missing_here": self.count(Kind::MissingHere),
            "missing_there": self.count(Kind::MissingThere),
            "different": self.count(Kind::Different),
            "unpaid": self.unpaid,
            "totals": self.totals().iter().map(total_json).collect::<Vec<_>>(),
            "cut": cut,
        });
        for (name, rows) in &mut lists {
            rows.truncate(rows_max);
            report[*name] = std::mem::take(rows).into();
        }
        report
    }

    /// Every row that does not match, as CSV.
    #[must_use]
    pub fn csv(&self, zone: &Calendar) -> String {
        let mut text =
            "kind,order_id,currency,here,there,difference,at_here,at_there\r\n".to_owned();
        for row in &self.found {
            let amount = |side: Option<(i64, i64)>| {
                side.map_or_else(String::new, |(minor, _)| row.amount(i128::from(minor)))
            };
            let time = |side: Option<(i64, i64)>| side.map(|(_, at)| zone.rfc3339(at));
            let [at_here, at_there] =
                [row.here, row.there].map(time).map(Option::unwrap_or_default);
            // Writing into a text cannot fail.
            let _ = write!(
                text,
                "{},{},{},{},{},{},{at_here},{at_there}\r\n",
                row.kind.name(),
                quoted(&row.order_id),
                row.currency,
                amount(row.here),
                amount(row.there),
                row.amount(row.difference()),
            );
        }
        text
    }
}

/// The sums of an hour or a second.
fn sums_json(
    ((at_ms, currency), [here, there]): (&(i64, Currency), &[(u64, i128); 2]),
    zone: &Calendar,
) -> Value {
    json!({
        "at": zone.rfc3339(*at_ms),
        "currency": currency.code(),
        "orders": here.0,
        "payments": there.0,
        "here": format_minor(here.1, *currency),
        "there": format_minor(there.1, *currency),
        "difference": format_minor(here.1 - there.1, *currency),
    })
}

/// A total, and by how many percent our sum is off.
fn total_json(total: &Total) -> Value {
    let apart = (total.here - total.there).abs();
    let percent = || hundredths(half_even(10_000 * apart, total.there));
    let mut row = total.json();
    row["difference_percent"] = (total.there > 0).then(percent).into();
    row
}

/// A cell that no spreadsheet takes for a formula, in quotes.
fn quoted(text: &str) -> String {
    let mark =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']) { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

impl Found {
    fn amount(&self, minor: i128) -> String {
        format_minor(minor, self.currency)
    }

    fn difference(&self) -> i128 {
        let minor = |side: Option<(i64, i64)>| side.map_or(0, |(minor, _)| i128::from(minor));
        minor(self.here) - minor(self.there)
    }

    fn json(&self, zone: &Calendar) -> Value {
        let side = |side: Option<(i64, i64)>| {
            side.map(|(minor, at_ms)| {
                json!({"amount": self.amount(i128::from(minor)), "at": zone.rfc3339(at_ms)})
            })
        };
        json!({
            "kind": self.kind.name(),
            "order_id": self.order_id,
            "currency": self.currency.code(),
            "here": side(self.here),
            "there": side(self.there),
            "difference": self.amount(self.difference()),
        })
    }
}
