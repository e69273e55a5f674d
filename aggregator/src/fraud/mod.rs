//! Orders and payments that look like fraud, found among applied, distinct events.
//!
//! Every record is looked at once: how far it came stands in the book of alerts, in one entry of
//! the log with what was found. What is remembered between two looks is bounded, and is worked out
//! again at a start from the records before.

mod trail;

use std::collections::BTreeMap;
use std::sync::Arc;

use edgetally_proto::money::{Currency, Money, format_minor, parse_minor};
use edgetally_proto::record::{ADDRESS, COUPON, Fact, Flags, NETWORK};
use edgetally_proto::settings::{Amount, Fraud, SiteSettings};
use edgetally_proto::time::{DAY_MS, MINUTE_MS};
use serde_json::{Value, json};

use crate::alerts::book::{Change, Kind, Raised};
use crate::orders::ledger::OrderKey;
use crate::orders::returns::RefundFault;
use crate::orders::told;
use crate::rates::Rates;
use crate::records::Stored;
use crate::site::credits::OrderRow;
use crate::texts::text_of;
use crate::view::SiteView;
use trail::Trails;

/// What is above this is suspicious if the settings say nothing: 50,000,000 đồng.
const HIGH_VALUE: &str = "50000000";
/// Records looked at again at a start, so that the trails of those before are known.
const REWIND_MAX: u32 = 200_000;
/// Records of one look; the rest follows at the next one.
const RECORDS_MAX: u32 = 500_000;
/// Orders that the back office tells of are looked at if they were placed no longer before: who
/// takes in years of old orders does not want to hear of each large one.
const TOLD_WITHIN_MS: i64 = DAY_MS;
/// A start looks back further than the longest window by this.
const REWIND_MS: i64 = 10 * MINUTE_MS;

/// What is remembered of a site.
#[derive(Debug, Default)]
pub struct Watch {
    /// Records with smaller numbers were looked at; none before the first look.
    examined: Option<u32>,
    /// Orders by user.
    orders: Trails,
    /// Failed payments by client, user, address and network.
    failures: Trails,
    /// Accounts by coupon and device.
    coupons: Trails,
}

/// A look at some records.
struct Look<'a> {
    site: &'a SiteView,
    fraud: &'a Fraud,
    rates: Rates,
    limit: Option<Money>,
    found: Vec<Raised>,
    /// Whether what is found is known from before a start.
    is_rewinding: bool,
}

impl Watch {
    /// What the records say that came since the last look.
    pub fn look(&mut self, site: &SiteView, settings: &SiteSettings) -> Vec<Change> {
        let end = site.records.len();
        let done = site.alerts.marks.examined;
        if done >= end && self.examined.is_some() {
            return Vec::new();
        }
        let mut look = Look {
            site,
            fraud: &settings.fraud,
            rates: Rates::of(settings),
            limit: limit(settings),
            found: Vec::new(),
            is_rewinding: true,
        };
        // Another state, of a backup, is looked at anew.
        if self.examined != Some(done) {
            *self = Self::default();
            (rewound(site, done, &settings.fraud)..done.min(end))
                .for_each(|number| self.record(number, &mut look));
        }
        look.is_rewinding = false;
        let end = end.min(done.saturating_add(RECORDS_MAX));
        (done..end).for_each(|number| self.record(number, &mut look));
        self.examined = Some(end);
        if end == done {
            return Vec::new();
        }
        let found = look.found.into_iter().map(Change::Raise);
        found.chain([Change::Examined(end)]).collect()
    }

    fn record(&mut self, number: u32, look: &mut Look<'_>) {
        let Some((_, name)) = look.site.records.moment(number) else { return };
        let name = text_of(&look.site.texts, name);
        let is_failure = name == "payment_failed";
        let is_refund = name == "refund";
        let is_told = name == told::NAME;
        let is_sale = is_told || matches!(name, "purchase" | "order_created" | "payment_success");
        if !is_failure && !is_refund && !is_sale {
            return;
        }
        let Some(record) = look.site.records.get(number) else { return };
        if is_told && record.received_at_ms - record.occurred_at_ms > TOLD_WITHIN_MS {
            return;
        }
        let Some(fact) = record.fact.clone() else { return };
        if record.is_superseded || record.flags.has(Flags::ERASED) {
            return;
        }
        if is_failure {
            return self.failure(&record, &fact, look);
        }
        let row = OrderKey::of(&fact).and_then(|key| look.site.order(&key)).cloned();
        row.iter().for_each(|row| look.refunds(row));
        let Some(row) = row.filter(|row| row.order.is_booked && is_sale) else { return };
        look.high_value(&row);
        self.velocity(&row, look);
        self.coupon(&row, &record, &fact, look);
    }

    /// Many orders of one user.
    fn velocity(&mut self, row: &OrderRow, look: &mut Look<'_>) {
        let Some(person) = row.credit.person.map(|person| look.site.person(person)) else { return };
        let rule = &look.fraud.velocity;
        if rule.orders == 0 {
            return;
        }
        let (limit, window_ms) = (rule.orders as usize, rule.window.ms);
        let at = (row.order.at_ms, name_of(&row.key));
        let Some(run) = self.orders.add(&person, at, limit, window_ms) else { return };
        let message = format!(
            "{person} ordered {} times within {}, more than {limit} times",
            run.len(),
            rule.window
        );
        let evidence = json!({"person": person, "orders": names(&run), "from": look.time(&run, 0),
            "to": look.time(&run, run.len() - 1), "limit": limit, "window": rule.window});
        let first_beyond = run.get(limit).map_or_else(String::new, |(_, name)| name.to_string());
        let key = format!("VELOCITY {person} {first_beyond}");
        let at_ms = run.get(limit).map_or(row.order.at_ms, |(at_ms, _)| *at_ms);
        look.find("VELOCITY", "CRITICAL", message, at_ms, evidence, key);
    }

    /// Many failed payments of one client, user, address or network.
    fn failure(&mut self, record: &Stored, fact: &Fact, look: &mut Look<'_>) {
        let texts = &look.site.texts;
        let param = |name: &str| fact.params.iter().find(|(known, _)| known == name);
        let by =
            |kind: &str, text: &str| (!text.is_empty()).then(|| (kind.to_owned(), text.to_owned()));
        let subjects = [
            record.user.and_then(|user| by("user", text_of(texts, user))),
            (record.client != 0).then(|| by("client", text_of(texts, record.client))).flatten(),
            param(ADDRESS).and_then(|(_, hash)| by("address", hash)),
            param(NETWORK).and_then(|(_, hash)| by("network", hash)),
        ];
        let rule = &look.fraud.card_testing;
        if rule.failures == 0 {
            return;
        }
        let mut beyond = BTreeMap::new();
        let mut longest: Vec<(i64, Arc<str>)> = Vec::new();
        for (kind, name) in subjects.into_iter().flatten() {
            // Behind one network there are many who have nothing to do with each other.
            let times = if kind == "network" { NETWORK_TIMES } else { 1 };
            let limit = (rule.failures as usize).saturating_mul(times);
            let at = (record.occurred_at_ms, record.id.to_string().into());
            let trail = format!("{kind} {name}");
            if let Some(run) = self.failures.add(&trail, at, limit, rule.window.ms) {
                if run.len() > longest.len() {
                    longest = run;
                }
                beyond.insert(kind, name);
            }
        }
        let Some((kind, name)) = beyond.iter().next() else { return };
        let count = longest.len();
        let message = format!("{count} payments of {kind} {name} failed within {}", rule.window);
        let key = format!("CARD_TESTING {kind} {name} {}", record.id);
        let evidence = json!({"by": beyond, "events": names(&longest),
            "from": look.time(&longest, 0), "to": look.time(&longest, count - 1),
            "limit": rule.failures, "window": rule.window});
        look.find("CARD_TESTING", "CRITICAL", message, record.occurred_at_ms, evidence, key);
    }

    /// One coupon used by many accounts on one device.
    fn coupon(&mut self, row: &OrderRow, record: &Stored, fact: &Fact, look: &mut Look<'_>) {
        let Some((_, coupon)) = fact.params.iter().find(|(name, _)| name == COUPON) else { return };
        let (Some(user), true) = (record.user, record.client != 0) else { return };
        let (user, client) =
            (text_of(&look.site.texts, user), text_of(&look.site.texts, record.client));
        let rule = &look.fraud.coupon_abuse;
        if rule.accounts == 0 {
            return;
        }
        let trail = format!("{client} {coupon}");
        let at = (row.order.at_ms, user.into());
        let limit = rule.accounts as usize;
        let Some(run) = self.coupons.add(&trail, at, limit, rule.window.ms) else { return };
        let count = run.len();
        let message = format!("{count} accounts used coupon {coupon} on device {client}");
        let evidence = json!({"coupon": coupon, "client": client, "users": names(&run),
            "order": name_of(&row.key).as_ref(), "limit": limit, "window": rule.window});
        let key = format!("COUPON_ABUSE {client} {coupon} {}", name_of(&row.key));
        look.find("COUPON_ABUSE", "HIGH", message, row.order.at_ms, evidence, key);
    }
}

/// A network is suspicious after so many times the failures of an address.
const NETWORK_TIMES: usize = 5;

fn names(run: &[(i64, Arc<str>)]) -> Value {
    run.iter().map(|(_, name)| name.as_ref()).collect()
}

fn name_of(key: &OrderKey) -> Arc<str> {
    match key.platform.as_ref() {
        crate::orders::ledger::DEFAULT_PLATFORM => key.transaction.as_ref().into(),
        platform => format!("{platform}/{}", key.transaction).into(),
    }
}

/// Above what an order is suspicious.
fn limit(settings: &SiteSettings) -> Option<Money> {
    let (amount, currency) = match &settings.fraud.high_value {
        Some(Amount { amount, currency }) => (amount.as_str(), *currency),
        None => (HIGH_VALUE, Currency::parse("VND")?),
    };
    let minor = parse_minor(amount, currency.exponent()).ok()?.minor;
    Some(Money { minor, currency })
}

/// From which record on a start looks again.
fn rewound(site: &SiteView, done: u32, fraud: &Fraud) -> u32 {
    let Fraud { velocity, card_testing, coupon_abuse, .. } = fraud;
    let windows = [velocity.window.ms, card_testing.window.ms, coupon_abuse.window.ms];
    let back_ms = windows.into_iter().max().unwrap_or(0).saturating_add(REWIND_MS);
    let received = |number: u32| site.records.get(number).map(|record| record.received_at_ms);
    let Some(last_ms) = done.checked_sub(1).and_then(received) else { return done };
    let floor = done.saturating_sub(REWIND_MAX);
    // Steps double, because reading a record may take reading its block.
    let mut back = 1_024;
    while back < done - floor {
        if received(done - back).is_some_and(|ms| ms < last_ms.saturating_sub(back_ms)) {
            return done - back;
        }
        back *= 2;
    }
    floor
}

impl Look<'_> {
    fn time(&self, run: &[(i64, Arc<str>)], at: usize) -> Option<String> {
        run.get(at).map(|(ms, _)| self.site.zone.rfc3339(*ms))
    }

    /// An order that is worth more than most.
    fn high_value(&mut self, row: &OrderRow) {
        let (Some(value), Some(limit)) = (row.order.value, self.limit) else { return };
        let minor = if value.currency == limit.currency {
            i128::from(value.minor)
        } else {
            // Without a rate there is nothing to hold it against.
            let own = self.rates.convert(&[(value.currency, i128::from(value.minor))]);
            let Some(minor) = own.filter(|_| self.rates.currency() == limit.currency) else {
                return;
            };
            minor
        };
        if minor <= i128::from(limit.minor) {
            return;
        }
        let shown = |money: Money| {
            json!({"currency": money.currency.code(),
                "amount": format_minor(i128::from(money.minor), money.currency)})
        };
        let order = name_of(&row.key);
        let amount = format_minor(i128::from(value.minor), value.currency);
        let message = format!("order {order} is worth {amount} {}", value.currency.code());
        let person = row.credit.person.map(|person| self.site.person(person));
        let evidence = json!({"orders": [order.as_ref()], "transaction_id": row.key.transaction,
            "platform": row.key.platform, "person": person, "value": shown(value),
            "limit": shown(limit)});
        let key = format!("HIGH_VALUE {} {}", row.key.platform, row.key.transaction);
        self.find("HIGH_VALUE", "HIGH", message, row.order.at_ms, evidence, key);
    }

    /// Refunds of which something is not booked.
    fn refunds(&mut self, row: &OrderRow) {
        for refund in &row.refunds {
            let Some(fault) = refund.fault else { continue };
            let (what, code) = match fault {
                RefundFault::Currency => ("is in another currency than its order", "currency"),
                RefundFault::TooMuch => {
                    ("asks for more than is left of its order", "more_than_left")
                }
            };
            let (order, id) = (name_of(&row.key), &refund.refund_id);
            let message = format!("refund {id} of order {order} {what}");
            let evidence = json!({"orders": [order.as_ref()], "refund_id": id, "fault": code,
                "transaction_id": row.key.transaction, "platform": row.key.platform});
            let key = format!("REFUND_FAULT {order} {id}");
            self.find("REFUND_FAULT", "MEDIUM", message, refund.at_ms, evidence, key);
        }
    }

    fn find(
        &mut self,
        rule: &str,
        severity: &str,
        message: String,
        at_ms: i64,
        evidence: Value,
        key: String,
    ) {
        if self.is_rewinding || self.site.alerts.knows(&key) {
            return;
        }
        self.found.push(Raised {
            kind: Kind::Fraud,
            rule: rule.to_owned(),
            severity: severity.to_owned(),
            message,
            at_ms,
            evidence: evidence.to_string(),
            key: Some(key),
            to: self.fraud.to.clone(),
        });
    }
}
