//! The sums of one row of an answer, and the number of each metric.

use edgetally_proto::record::Flags;
use edgetally_proto::sketch::quantile::Quantiles;
use edgetally_proto::time::HOUR_MS;
use roaring::RoaringBitmap;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::quick::Tally;
use crate::merge::sketches::Reading;
use crate::orders::sales::{Sum, Takings};
use crate::people::SessionRow;
use crate::query::costs::{self, Costs};
use crate::query::metric::Metric;
use crate::query::request::Plan;
use crate::query::run::{Value, half_even, mean_of, money_of};
use crate::records::Stored;
use crate::sessionize::Why;
use crate::texts::TextId;
use crate::view::SiteView;

/// The sums of one row of an answer.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    sessions: i64,
    /// Sessions of one activity.
    bounces: i64,
    duration_ms: i64,
    views: i64,
    /// Sessions in which something was ordered.
    converted: i64,
    /// Persons whose first activity of all it is.
    pub new_visitors: i64,
    /// Who was active.
    pub visitors: RoaringBitmap,
    /// Who was active in the last five minutes.
    pub concurrent: RoaringBitmap,
    /// Booked orders, or their lines.
    pub sales: Sum,
    /// What campaigns cost.
    pub costs: Costs,
    /// By place of the metric: how many events it counts.
    pub counts: SmallVec<[i64; 4]>,
    /// Payments that failed.
    failed: i64,
    clients: FxHashSet<TextId>,
    readings: Quantiles,
}

/// What events of a name count for: one bit for each metric, by its place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Role {
    counts: u32,
    is_failed: bool,
    is_paid: bool,
}

impl Role {
    /// What events of a name count for under a plan.
    #[must_use]
    pub fn of(name: &str, plan: &Plan) -> Self {
        let is_counted = |metric: &Metric| match metric {
            Metric::Events(wanted) => wanted.is_none_or(|wanted| wanted == name),
            Metric::PaymentSuccessRate => name == "payment_success",
            _ => false,
        };
        let bits = plan.metrics.iter().enumerate().filter(|(_, metric)| is_counted(metric));
        let counts = bits.fold(0, |counts, (at, _)| counts | 1 << at);
        Self { counts, is_failed: name == "payment_failed", is_paid: name == "payment_success" }
    }

    /// One bit for each metric that counts such an event, by its place.
    #[must_use]
    pub fn counts(self) -> u32 {
        self.counts
    }
}

impl Cell {
    /// A cell of orders alone.
    #[must_use]
    pub fn of(sales: &Sum) -> Self {
        Self { sales: sales.clone(), ..Self::default() }
    }

    /// Adds a session that begins in the row.
    pub fn add_session(&mut self, site: &SiteView, row: &SessionRow) {
        self.sessions += 1;
        self.bounces += i64::from(row.events == 1);
        self.duration_ms += row.end_ms - row.start_ms;
        self.views += i64::from(row.pageviews);
        self.converted += i64::from(site.orders_of(row.record).next().is_some());
        self.new_visitors += i64::from(row.why == Why::FIRST);
    }

    /// Adds sums over sessions that begin in the row.
    pub fn add_tally(&mut self, tally: &Tally) {
        self.sessions += tally.sessions;
        self.bounces += tally.bounces;
        self.duration_ms += tally.duration_ms;
        self.views += tally.views;
        self.converted += tally.converted;
        self.new_visitors += tally.firsts;
    }

    /// Adds to what a metric counts.
    pub fn count(&mut self, metric: usize, by: i64) {
        if self.counts.len() <= metric {
            self.counts.resize(metric + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(metric) {
            *count += by;
        }
    }

    /// Adds an event of the row.
    pub fn add_event(&mut self, plan: &Plan, record: &Stored, role: Role) {
        let is_bot = record.flags.has(Flags::BOT);
        let is_late = record.received_at_ms - record.occurred_at_ms > HOUR_MS;
        for (at, metric) in plan.metrics.iter().enumerate() {
            let counts = match metric {
                Metric::Events(_) | Metric::PaymentSuccessRate => {
                    !is_bot && role.counts >> at & 1 == 1
                }
                Metric::BotEvents => is_bot,
                Metric::LateEvents => !is_bot && is_late,
                _ => false,
            };
            if counts {
                self.count(at, 1);
            }
        }
        if is_bot {
            return;
        }
        if plan.metrics.contains(&Metric::PaymentSuccessRate) {
            self.failed += i64::from(role.is_failed);
        }
        let has_client = record.client != 0 && !record.flags.has(Flags::ERASED);
        if has_client && plan.metrics.contains(&Metric::Clients) {
            self.clients.insert(record.client);
        }
        let fact = record.fact.as_deref();
        let number = match plan.measure {
            Some(Reading::PaymentLatency) if role.is_paid => {
                fact.and_then(|fact| fact.latency_ms).map(u64::from)
            }
            Some(Reading::WebVital(of)) => {
                let vital = fact.and_then(|fact| fact.vital);
                vital.filter(|vital| vital.metric == of).map(|vital| vital.value)
            }
            _ => None,
        };
        if let Some(number) = number {
            self.readings.insert(number);
        }
    }

    /// Whether anything is in it that a plan asks for.
    #[must_use]
    pub fn is_told(&self, plan: &Plan) -> bool {
        let someone = !self.visitors.is_empty() || !self.concurrent.is_empty();
        let something = self.sessions > 0 || self.failed > 0 || !self.readings.is_empty();
        let is_pending = plan.metrics.contains(&Metric::OrdersPending) && self.sales.pending > 0;
        let ordered = self.sales.orders > 0 || is_pending;
        let counted = self.counts.iter().any(|count| *count != 0) || !self.clients.is_empty();
        let paid = self.costs != Costs::default();
        paid || someone || something || ordered || counted
    }

    /// The number of a metric of the plan, by its place.
    #[must_use]
    pub fn value(&self, at: usize, metric: Metric, plan: &Plan) -> Value {
        let mean = |sum: i64, unit: i128| {
            let of = i128::from(self.sessions) * unit;
            (of > 0).then(|| ratio(100 * i128::from(sum), of))
        };
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let persons = |of: &RoaringBitmap| i64::try_from(of.len()).unwrap_or(i64::MAX);
        let visitors = persons(&self.visitors);
        let counted = self.counts.get(at).copied().unwrap_or_default();
        let money =
            |of: fn(&Takings) -> i128| Value::Money(Some(money_of(&self.sales, plan.currency, of)));
        match metric {
            Metric::Events(_) | Metric::BotEvents | Metric::LateEvents => Value::Count(counted),
            Metric::PaymentSuccessRate => Value::Percent(share(counted, counted + self.failed)),
            Metric::Clients => Value::Count(count(self.clients.len())),
            Metric::Percentile(percent) => {
                let decimals = plan.measure.map_or(0, Reading::decimals);
                let between = self.readings.percentile(percent);
                Value::Quantile(between.map(|between| (between, decimals)))
            }
            Metric::ConcurrentVisitors => Value::Count(persons(&self.concurrent)),
            Metric::Sessions => Value::Count(self.sessions),
            Metric::BounceRate => Value::Percent(share(self.bounces, self.sessions)),
            Metric::ConversionRate => Value::Percent(share(self.converted, self.sessions)),
            Metric::SessionDuration => Value::Percent(mean(self.duration_ms, 1_000)),
            Metric::ViewsPerSession => Value::Percent(mean(self.views, 1)),
            Metric::Visitors => Value::Count(visitors),
            Metric::NewVisitors => Value::Count(self.new_visitors),
            Metric::ReturningVisitors => Value::Count(visitors - self.new_visitors),
            Metric::Orders => Value::Count(self.sales.orders),
            Metric::OrdersPending => Value::Count(self.sales.pending),
            Metric::Units => Value::Count(self.sales.units),
            Metric::Revenue => money(|takings| takings.minor),
            Metric::Refunds => money(|takings| takings.refunds),
            Metric::NetRevenue => money(|takings| takings.minor - takings.refunds),
            Metric::Gmv => money(|takings| takings.gmv),
            Metric::Nmv => money(|takings| takings.nmv),
            Metric::Aov => Value::Money(mean_of(&self.sales, plan.currency)),
            Metric::Cost => Value::Money(Some(self.costs.money(plan.currency))),
            Metric::Roas => {
                let revenue = money_of(&self.sales, plan.currency, |takings| takings.minor);
                Value::Percent(costs::roas(&revenue, &self.costs, &plan.rates))
            }
            Metric::Rejected | Metric::Duplicates => Value::Count(0),
        }
    }
}

/// Hundredths of a percent that a part is of a whole; none of nothing.
#[must_use]
pub fn share(part: i64, of: i64) -> Option<i64> {
    (of > 0).then(|| ratio(10_000 * i128::from(part), i128::from(of)))
}

fn ratio(part: i128, of: i128) -> i64 {
    i64::try_from(half_even(part, of)).unwrap_or(i64::MAX)
}
