//! The live stream of a site: what to say, and when.
//!
//! A second is told once, two seconds after its end; what changes in it later is told as a
//! correction. Pure: the clock is an argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use edgetally_proto::money::Currency;
use edgetally_proto::time::{HOUR_MS, SECOND_MS, second_of};
use serde_json::{Value, json};

use crate::alerts::notice;
use crate::facts::campaign::channel_of;
use crate::merge::Measure;
use crate::orders::ledger::OrderChange;
use crate::presence::Days;
use crate::query::report::money;
use crate::query::run::revenue;
use crate::site::Effects;
use crate::texts::text_of;
use crate::view::SiteView;

/// A second is told this long after its end.
const TICK_DELAY_MS: i64 = 2 * SECOND_MS;
/// Running numbers come no more often than this.
const NOW_EVERY_MS: i64 = SECOND_MS;
/// Seconds whose numbers are remembered, to tell whether a change matters.
const HISTORY_S: i64 = 600;
/// After a pause of the program, at most this many seconds are told.
const CATCH_UP_S: i64 = 60;
/// Messages kept for readers who come back.
const RING: usize = 2_048;
/// Bytes of those messages; an order may have two hundred lines.
const RING_BYTES: usize = 8 << 20;
/// Numbers for which there is room in each millisecond since the last start: many more than
/// there are messages, and still whole numbers of JavaScript.
const IDS_PER_MS: u64 = 1_024;
/// Orders older than this are imports, not news.
const ORDER_AGE_MS: i64 = 24 * HOUR_MS;
/// Corrections of one step; a backfill may touch any number of seconds.
const CORRECTIONS_MAX: usize = 600;

/// The numbers of one second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    revenue: Vec<(Currency, i128)>,
    orders: i64,
    events: i64,
    pageviews: i64,
    payments_succeeded: i64,
    payments_failed: i64,
    concurrent_visitors: usize,
}

/// One message with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Grows by one; `Last-Event-ID` brings it back.
    pub id: u64,
    /// JSON, shared by all readers.
    pub data: Arc<str>,
}

/// The stream of one site.
#[derive(Debug, Clone)]
pub struct Stream {
    currency: Currency,
    next_id: u64,
    ring: VecDeque<Message>,
    ring_bytes: usize,
    /// What was told of the last seconds.
    told: BTreeMap<i64, Figures>,
    last_tick: i64,
    last_now_ms: i64,
    /// Seconds that changed after they were told.
    changed: BTreeSet<i64>,
}

impl Stream {
    /// A stream that begins now. Numbers go on growing when the program starts again, because
    /// they begin with the clock.
    #[must_use]
    pub fn new(currency: Currency, now_ms: i64) -> Self {
        Self {
            currency,
            next_id: u64::try_from(now_ms).unwrap_or_default().saturating_mul(IDS_PER_MS),
            ring: VecDeque::new(),
            ring_bytes: 0,
            told: BTreeMap::new(),
            last_tick: second_of(now_ms - TICK_DELAY_MS) - 1,
            last_now_ms: 0,
            changed: BTreeSet::new(),
        }
    }

    /// What is to be said at this moment.
    pub fn step(
        &mut self,
        site: &SiteView,
        changes: Option<&Effects>,
        now_ms: i64,
    ) -> Vec<Message> {
        let mut said = Vec::new();
        if let Some(changes) = changes {
            let told = changes.seconds.iter().filter(|second| **second <= self.last_tick);
            self.changed.extend(told);
            for change in &changes.orders {
                said.extend(order(change, site, now_ms));
            }
            let alerts = changes.alerts.iter();
            said.extend(alerts.map(|told| notice::live(&told.alert, told.state, &site.zone)));
        }
        said.extend(self.ticks(site, now_ms));
        if now_ms - self.last_now_ms >= NOW_EVERY_MS {
            self.last_now_ms = now_ms;
            said.extend(self.corrections(site, now_ms));
            said.push(self.full("now", second_of(now_ms), site, now_ms));
        }
        said.into_iter().map(|message| self.keep(message)).collect()
    }

    fn keep(&mut self, message: Value) -> Message {
        let message = self.numbered(self.next_id, message);
        self.next_id += 1;
        self.ring_bytes += message.data.len();
        self.ring.push_back(message.clone());
        while self.ring.len() > RING || self.ring_bytes > RING_BYTES {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.data.len();
        }
        message
    }

    /// The number stands in the message too: a WebSocket has no other place for it.
    fn numbered(&self, id: u64, mut message: Value) -> Message {
        message["seq"] = json!(id);
        Message { id, data: message.to_string().into() }
    }

    /// The messages after one; none where some of them are kept no more, or were never said.
    #[must_use]
    pub fn since(&self, id: u64) -> Option<Vec<Message>> {
        let oldest = self.ring.front().map_or(self.next_id, |first| first.id);
        let is_kept = id.saturating_add(1) >= oldest && id < self.next_id;
        is_kept.then(|| self.ring.iter().filter(|message| message.id > id).cloned().collect())
    }

    /// For who missed what is not kept: what lies before `second` is to be read anew, what comes
    /// after it is told from here on. It bears the number of the last message before.
    #[must_use]
    pub fn reset(&self, site: &SiteView) -> Message {
        let second = site.zone.rfc3339((self.last_tick + 1) * SECOND_MS);
        self.numbered(self.next_id.saturating_sub(1), json!({"type": "reset", "second": second}))
    }

    /// In which currency an empty sum is told.
    pub fn set_currency(&mut self, currency: Currency) {
        self.currency = currency;
    }

    fn ticks(&mut self, site: &SiteView, now_ms: i64) -> Vec<Value> {
        let due = second_of(now_ms - TICK_DELAY_MS) - 1;
        let first = (self.last_tick + 1).max(due - CATCH_UP_S);
        let mut said = Vec::new();
        for second in first..=due {
            self.told.insert(second, figures(second, site, self.currency, now_ms));
            said.push(self.full("tick", second, site, now_ms));
        }
        self.last_tick = self.last_tick.max(due);
        self.told = self.told.split_off(&(due - HISTORY_S));
        said
    }

    /// Seconds told before that are different now.
    fn corrections(&mut self, site: &SiteView, now_ms: i64) -> Vec<Value> {
        let changed = std::mem::take(&mut self.changed);
        let Some(first) = changed.iter().find(|second| self.told.contains_key(second)) else {
            let old = changed.iter().take(CORRECTIONS_MAX);
            return old.map(|second| self.correction(*second, site, now_ms)).collect();
        };
        // Who is present at one moment is present for five minutes.
        let concurrent = site.presence.concurrent_by_second(*first, self.last_tick);
        let mut differ: BTreeSet<i64> = changed.range(..first).copied().collect();
        for (second, concurrent_visitors) in (*first..).zip(concurrent) {
            let Some(told) = self.told.get_mut(&second) else { continue };
            let mut fresh = told.clone();
            if changed.contains(&second) {
                fresh = figures(second, site, self.currency, now_ms);
            }
            fresh.concurrent_visitors = concurrent_visitors;
            if fresh != *told {
                *told = fresh;
                differ.insert(second);
            }
        }
        // Seconds are told again as long as they are kept.
        let is_kept =
            |second: &i64| site.counters.covers(second * SECOND_MS, (second + 1) * SECOND_MS);
        let differ = differ.into_iter().filter(is_kept).take(CORRECTIONS_MAX);
        differ.map(|second| self.correction(second, site, now_ms)).collect()
    }

    fn correction(&self, second: i64, site: &SiteView, now_ms: i64) -> Value {
        let figures = figures(second, site, self.currency, now_ms);
        members("correction", second, &figures, site)
    }

    /// A message with the numbers of a second and of the day so far.
    fn full(&self, kind: &str, second: i64, site: &SiteView, now_ms: i64) -> Value {
        let figures = figures(second, site, self.currency, now_ms);
        let mut message = members(kind, second, &figures, site);
        message["today"] = today(site, self.currency, now_ms);
        message["lag_ms"] = json!(site.lag_ms);
        message
    }
}

fn members(kind: &str, second: i64, figures: &Figures, site: &SiteView) -> Value {
    json!({
        "type": kind,
        "second": site.zone.rfc3339(second * SECOND_MS),
        "revenue": money(&figures.revenue),
        "orders": figures.orders,
        "events": figures.events,
        "pageviews": figures.pageviews,
        "payments_succeeded": figures.payments_succeeded,
        "payments_failed": figures.payments_failed,
        "concurrent_visitors": figures.concurrent_visitors,
    })
}

/// The numbers of a second, the same as a query by second gives.
fn figures(second: i64, site: &SiteView, currency: Currency, now_ms: i64) -> Figures {
    let (from, to) = (second * SECOND_MS, (second + 1) * SECOND_MS);
    let mut figures = Figures::default();
    site.counters.visit(from, to, |measure, count| {
        let Measure::Events { name, bot: false, .. } = measure else { return };
        figures.events += count;
        match text_of(&site.texts, name) {
            "page_view" => figures.pageviews += count,
            "payment_success" => figures.payments_succeeded += count,
            "payment_failed" => figures.payments_failed += count,
            _ => {}
        }
    });
    let sum = site.sales.between(from, to);
    figures.orders = sum.orders;
    figures.revenue = revenue(&sum, currency);
    figures.concurrent_visitors = site.presence.concurrent(to.min(now_ms));
    figures
}

/// The numbers of the site's day, which begins and ends on a quarter of an hour in every zone.
fn today(site: &SiteView, currency: Currency, now_ms: i64) -> Value {
    let day = site.zone.day_of(now_ms);
    let (from, to) = (site.zone.start_of(day), site.zone.start_of(day + 1));
    let mut events = 0;
    site.counters.visit(from, to, |measure, count| {
        if matches!(measure, Measure::Events { bot: false, .. }) {
            events += count;
        }
    });
    let sum = site.sales.between(from, to);
    json!({
        "revenue": money(&revenue(&sum, currency)),
        "orders": sum.orders,
        "events": events,
        "sessions": site.sessions_between(from, to),
        "visitors": site.presence.distinct(from, to, None, &site.zone),
    })
}

/// An order that has just been booked.
fn order(change: &OrderChange, site: &SiteView, now_ms: i64) -> Option<Value> {
    let (None, Some(order)) = (change.before, change.after) else { return None };
    if now_ms - order.at_ms > ORDER_AGE_MS {
        return None;
    }
    let touch = site.order(&change.key).and_then(|row| row.credit.touch);
    let value = order.value.map(|value| money(&[(value.currency, i128::from(value.minor))]));
    let items: Vec<Value> = change
        .fact
        .iter()
        .flat_map(|fact| &fact.items)
        .map(|item| json!({"item_id": item.id, "item_name": item.name, "quantity": item.quantity}))
        .collect();
    Some(json!({
        "type": "order",
        "transaction_id": change.key.transaction,
        "value": value.and_then(|list| list.get(0).cloned()),
        "channel": channel_of(site, touch),
        "city": change.fact.as_ref().and_then(|fact| fact.shipping_city.clone()),
        "items": items,
        "at": site.zone.rfc3339(order.at_ms),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::settle::Order;

    const NOW: i64 = 1_772_420_400_000;

    fn kinds(messages: &[Message]) -> Vec<String> {
        let kind = |message: &Message| {
            let value: Value = serde_json::from_str(&message.data).unwrap();
            format!("{} {}", value["type"].as_str().unwrap(), value["orders"])
        };
        messages.iter().map(kind).collect()
    }

    fn sold(site: &mut SiteView, at_ms: i64) -> Effects {
        let order = Order { at_ms, is_booked: true, units: 1, ..Order::default() };
        site.sales.change(&order, true);
        Effects { seconds: [second_of(at_ms)].into_iter().collect(), ..Effects::default() }
    }

    #[test]
    fn a_second_is_told_two_seconds_after_its_end_and_corrected_later() {
        let mut site = SiteView::default();
        let mut stream = Stream::new(Currency::USD, NOW);
        assert_eq!(kinds(&stream.step(&site, None, NOW)), ["now 0"]);
        assert_eq!(kinds(&stream.step(&site, None, NOW + 999)), [""; 0]);
        // The second that began 2 s before the start ends 1 s before it.
        let effects = sold(&mut site, NOW - 1_500);
        let said = stream.step(&site, Some(&effects), NOW + 1_000);
        assert_eq!(kinds(&said), ["tick 1", "now 0"]);
        let effects = sold(&mut site, NOW - 1_400);
        assert_eq!(kinds(&stream.step(&site, Some(&effects), NOW + 1_500)), [""; 0]);
        let said = stream.step(&site, None, NOW + 2_000);
        assert_eq!(kinds(&said), ["tick 0", "correction 2", "now 0"]);
        assert_eq!(kinds(&stream.step(&site, None, NOW + 3_000)), ["tick 0", "now 0"]);
    }

    #[test]
    fn who_comes_back_gets_what_was_missed() {
        let site = SiteView::default();
        let mut stream = Stream::new(Currency::USD, NOW);
        let mut said = Vec::new();
        for second in 0..5 {
            said.extend(stream.step(&site, None, NOW + second * 1_000));
        }
        let ids: Vec<u64> = said.iter().map(|message| message.id).collect();
        assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1));
        let missed = stream.since(ids[3]).unwrap();
        assert_eq!(missed.iter().map(|message| message.id).collect::<Vec<_>>(), ids[4..]);
        let newest = ids.last().unwrap();
        assert_eq!(stream.since(*newest), Some(Vec::new()), "nothing was missed");
        for unknown in [3, ids[0] - 2, newest + 1, u64::MAX] {
            assert_eq!(stream.since(unknown), None, "{unknown} cannot be resumed");
        }
        let reset = stream.reset(&site);
        let said: Value = serde_json::from_str(&reset.data).unwrap();
        assert_eq!((reset.id, &said["seq"]), (*newest, &json!(newest)));
        // Seconds up to the one that ended 2 s before the last step were told.
        assert_eq!(said["second"], site.zone.rfc3339(NOW + 2_000));
    }

    /// However large the orders are, what is kept of them stays small.
    #[test]
    fn what_is_kept_is_bounded() {
        let mut stream = Stream::new(Currency::USD, NOW);
        let first = stream.keep(json!({"type": "order"})).id;
        for _ in 0..40 {
            stream.keep(json!({"type": "order", "items": "x".repeat(1 << 20)}));
        }
        assert!(stream.ring.iter().map(|message| message.data.len()).sum::<usize>() <= RING_BYTES);
        assert_eq!(stream.since(first), None);
        for _ in 0..3_000 {
            stream.keep(json!({"type": "order"}));
        }
        assert_eq!(stream.ring.len(), RING);
    }
}
