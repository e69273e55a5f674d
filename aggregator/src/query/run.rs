//! Computes the rows of a plan from the snapshot of a site.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use edgetally_proto::money::Currency;
use edgetally_proto::sketch::quantile::{Between, Quantiles};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::QueryError;
use super::buckets::{Bucket, ROWS_MAX};
use super::metric::{Dimension, Metric};
use super::request::{Direction, OrderKey, Plan};
use super::scan::{self, Cell};
use crate::estimate::{self, Estimate};
use crate::merge::Measure;
use crate::merge::sketches::Reading;
use crate::orders::sales::{Sum, Takings};
use crate::presence::sealed::{EXACT_VISITS_MAX, Heads};
use crate::texts::{TextId, text_of};
use crate::view::SiteView;

/// One number of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A count.
    Count(i64),
    /// A ratio or a mean, times a hundred; none where it is undefined.
    Percent(Option<i64>),
    /// Minor units by currency; none where it is undefined.
    Money(Option<Vec<(Currency, i128)>>),
    /// A count as a sketch tells it.
    About(Estimate),
    /// Where a quantile lies, and the decimals of its whole numbers; none without numbers.
    Quantile(Option<(Between, u32)>),
}

impl Value {
    fn of(heads: Heads) -> Self {
        match heads {
            Heads::Exact(count) => Self::Count(count),
            Heads::About(estimate) => Self::About(estimate),
        }
    }

    /// Orders values; undefined ones come first, money goes by its first currency.
    fn compare(&self, other: &Self) -> Ordering {
        let key = |value: &Self| match value {
            Self::Count(count) => Some(i128::from(*count)),
            Self::Percent(percent) => percent.map(i128::from),
            Self::About(estimate) => Some(i128::from(estimate.value)),
            Self::Quantile(quantile) => quantile.map(|(between, _)| i128::from(between.middle())),
            Self::Money(money) => money.as_ref().and_then(|m| m.first()).map(|(_, minor)| *minor),
        };
        key(self).cmp(&key(other))
    }
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which bucket of the plan it is of.
    pub bucket: usize,
    /// Its dimensions.
    pub dimensions: Vec<String>,
    /// Its metrics.
    pub values: Vec<Value>,
}

/// What is counted of the events of one name.
#[derive(Debug, Default)]
struct Named {
    events: i64,
    of_bots: i64,
    late: i64,
    visitors: Heads,
}

/// Sums of one bucket.
#[derive(Debug, Default)]
struct Sums {
    names: BTreeMap<TextId, Named>,
    rejects: BTreeMap<&'static str, i64>,
    duplicates: i64,
    visitors: Heads,
    concurrent: i64,
    sales: Sum,
    clients: Option<Estimate>,
    readings: Quantiles,
    /// What is summed up row by row.
    rows: Cell,
}

/// The rows of a plan, in order.
///
/// # Errors
/// If they are too many.
pub fn run(plan: &Plan, site: &SiteView) -> Result<Vec<Row>, QueryError> {
    let fine = too_fine(plan, site)?;
    let plan = fine.as_ref().unwrap_or(plan);
    if plan.is_scan() {
        let mut rows = scan::run(plan, site)?;
        sort(&mut rows, plan);
        return Ok(rows);
    }
    let passes = Passing { plan, site, judged: RefCell::default() };
    let needs_rows = plan.metrics.iter().any(Metric::is_scanned);
    let (mut cells, _) = if needs_rows { scan::cells(plan, site) } else { Default::default() };
    let rows_of = |(at, bucket): (usize, &Bucket)| {
        let rows = cells.remove(&(at, SmallVec::new())).unwrap_or_default();
        Sums { rows, ..sums(plan, site, bucket, &passes) }
    };
    let sums: Vec<Sums> = plan.buckets.iter().enumerate().map(rows_of).collect();
    let mut rows = Vec::new();
    let inner = inner_keys(plan, site, &sums);
    if plan.buckets.len().saturating_mul(inner.len()) > ROWS_MAX {
        let detail = format!("the answer has more than {ROWS_MAX} rows; take a coarser time");
        return Err(QueryError::TooFine { detail });
    }
    for (at, (bucket, sums)) in plan.buckets.iter().zip(&sums).enumerate() {
        for key in &inner {
            let dimensions = plan.dimensions.iter().map(|dimension| match dimension {
                Dimension::Time(_) => bucket.label.clone(),
                _ => key.text.clone(),
            });
            let values = plan.metrics.iter().map(|metric| value(*metric, plan, site, sums, key));
            let (dimensions, values) = (dimensions.collect(), values.collect());
            rows.push(Row { bucket: at, dimensions, values });
        }
    }
    sort(&mut rows, plan);
    Ok(rows)
}

/// The plan row by row, if it asks for seconds or minutes that rollups do not hold any more.
///
/// # Errors
/// If it asks for what only rollups tell.
fn too_fine(plan: &Plan, site: &SiteView) -> Result<Option<Plan>, QueryError> {
    let is_edges = |metric: &Metric| matches!(metric, Metric::Rejected | Metric::Duplicates);
    let asks = plan.metrics.iter().any(|metric| is_edges(metric) || metric.is_of_events());
    // By the settings too, so that an answer does not depend on when what is old was dropped.
    let kept = plan.shop.kept(plan.now_ms);
    let covers = |Bucket { range, .. }: &Bucket| {
        let (from_ms, to_ms) = (range.from_ms, range.to_ms);
        kept.covers(from_ms, to_ms) && site.counters.covers(from_ms, to_ms)
    };
    if !asks || plan.buckets.iter().all(covers) {
        return Ok(None);
    }
    if plan.metrics.iter().any(is_edges) {
        let detail = "rejected and duplicates are not kept as finely for so long; take whole \
                      quarters of an hour";
        return Err(QueryError::TooFine { detail: detail.to_owned() });
    }
    Ok(Some(Plan { is_too_fine: true, ..plan.clone() }))
}

/// Which names the filter lets pass, each judged once.
struct Passing<'a> {
    plan: &'a Plan,
    site: &'a SiteView,
    judged: RefCell<FxHashMap<TextId, bool>>,
}

impl Passing<'_> {
    fn name(&self, name: TextId) -> bool {
        let judge = || self.text(text_of(&self.site.texts, name));
        self.plan.filter.is_none() || *self.judged.borrow_mut().entry(name).or_insert_with(judge)
    }

    fn text(&self, text: &str) -> bool {
        let filter = self.plan.filter.as_ref();
        filter.is_none_or(|filter| filter.passes(&|_| text.to_owned()))
    }
}

fn sums(plan: &Plan, site: &SiteView, bucket: &Bucket, passing: &Passing<'_>) -> Sums {
    let range = bucket.range;
    let mut sums = Sums::default();
    let passes = |name: TextId| passing.name(name);
    let needs = |wanted: fn(&Metric) -> bool| plan.metrics.iter().any(wanted);
    if needs(|metric| metric.is_counted()) {
        site.counters.visit(range.from_ms, range.to_ms, |measure, count| match measure {
            Measure::Events { name, bot, .. } if passes(name) => {
                let cell = sums.names.entry(name).or_default();
                *if bot { &mut cell.of_bots } else { &mut cell.events } += count;
            }
            Measure::Events { .. } | Measure::Dropped => {}
            Measure::Rejects(code) if !passing.text(code.as_str()) => {}
            Measure::Rejects(code) => *sums.rejects.entry(code.as_str()).or_default() += count,
            Measure::Duplicates | Measure::LateDuplicates => sums.duplicates += count,
        });
    }
    if needs(|metric| *metric == Metric::LateEvents) {
        site.late.visit(range.from_ms, range.to_ms, |measure, count| match measure {
            Measure::Events { name, .. } if passes(name) => {
                sums.names.entry(name).or_default().late += count;
            }
            _ => {}
        });
    }
    if needs(|metric| matches!(metric, Metric::Visitors | Metric::ReturningVisitors)) {
        visitors(plan, site, bucket, &passes, &mut sums);
    }
    if needs(|metric| matches!(metric, Metric::ConcurrentVisitors)) {
        sums.concurrent = count(site.presence.concurrent(range.to_ms.min(plan.now_ms)));
    }
    if needs(|metric| matches!(metric, Metric::Clients)) {
        let clients = site.sketches.clients(range.from_ms, range.to_ms);
        sums.clients = Some(estimate::distinct(&clients));
    }
    if let Some(reading) = plan.measure {
        sums.readings = site.sketches.readings(range.from_ms, range.to_ms, reading);
    }
    if needs(|metric| metric.is_of_orders()) {
        sums.sales = site.sales.between(range.from_ms, range.to_ms);
    }
    sums
}

impl Metric {
    fn is_counted(self) -> bool {
        let is_sketched = matches!(self, Self::Clients | Self::Percentile(_));
        let elsewhere = self.is_of_costs()
            || self.is_of_orders()
            || self.is_of_visitors()
            || self.is_of_sessions();
        let is_apart = matches!(self, Self::ConcurrentVisitors | Self::LateEvents);
        !elsewhere && !is_sketched && !is_apart
    }

    /// Whether it needs a look at every session of the range.
    fn is_scanned(&self) -> bool {
        self.is_of_sessions()
            || self.is_of_costs()
            || matches!(self, Self::NewVisitors | Self::ReturningVisitors)
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn visitors(
    plan: &Plan,
    site: &SiteView,
    bucket: &Bucket,
    passes: &impl Fn(TextId) -> bool,
    sums: &mut Sums,
) {
    let (range, zone) = ((bucket.range.from_ms, bucket.range.to_ms), &site.zone);
    if plan.dimensions.contains(&Dimension::EventName) {
        let by_name = site.presence.visitors_by_name(range, zone, EXACT_VISITS_MAX);
        for (name, heads) in by_name.into_iter().filter(|(name, _)| passes(*name)) {
            sums.names.entry(name).or_default().visitors = heads;
        }
        return;
    }
    let wanted: Option<&dyn Fn(TextId) -> bool> =
        if plan.filter.is_some() { Some(passes) } else { None };
    sums.visitors = site.presence.visitors(range, wanted, zone, EXACT_VISITS_MAX);
}

/// What a row is about beside its time.
struct InnerKey {
    text: String,
    name: Option<TextId>,
}

/// The names or codes of the answer: those with anything in it, in any bucket.
fn inner_keys(plan: &Plan, site: &SiteView, sums: &[Sums]) -> Vec<InnerKey> {
    if plan.dimensions.contains(&Dimension::EventName) {
        let shows_bots = plan.metrics.contains(&Metric::BotEvents);
        let seen = sums.iter().flat_map(|sums| &sums.names);
        let shown = seen.filter(|(_, named)| {
            let of_bots = shows_bots && named.of_bots != 0;
            of_bots || named.events != 0 || named.late != 0 || named.visitors.value() != 0
        });
        let names: BTreeSet<TextId> = shown.map(|(name, _)| *name).collect();
        let key = |name| InnerKey { text: text_of(&site.texts, name).to_owned(), name: Some(name) };
        return names.into_iter().map(key).collect();
    }
    if plan.dimensions.contains(&Dimension::RejectCode) {
        let codes: BTreeSet<&str> =
            sums.iter().flat_map(|sums| sums.rejects.keys().copied()).collect();
        return codes
            .into_iter()
            .map(|code| InnerKey { text: code.to_owned(), name: None })
            .collect();
    }
    vec![InnerKey { text: String::new(), name: None }]
}

fn value(metric: Metric, plan: &Plan, site: &SiteView, sums: &Sums, key: &InnerKey) -> Value {
    let named = |wanted: Option<&str>| -> i64 {
        let of_row = |name: &TextId| key.name.is_none_or(|row| row == *name);
        let of_metric =
            |name: &TextId| wanted.is_none_or(|wanted| text_of(&site.texts, *name) == wanted);
        let names = sums.names.iter().filter(|(name, _)| of_row(name) && of_metric(name));
        names.map(|(_, named)| named.events).sum()
    };
    let of_row = |count: fn(&Named) -> i64| -> i64 {
        let names = sums.names.iter().filter(|(name, _)| key.name.is_none_or(|row| row == **name));
        names.map(|(_, named)| count(named)).sum()
    };
    match metric {
        Metric::Events(wanted) => Value::Count(named(wanted)),
        Metric::BotEvents => Value::Count(of_row(|named| named.of_bots)),
        Metric::LateEvents => Value::Count(of_row(|named| named.late)),
        Metric::PaymentSuccessRate => {
            let (good, bad) = (named(Some("payment_success")), named(Some("payment_failed")));
            Value::Percent((good + bad > 0).then(|| {
                half_even(10_000 * i128::from(good), i128::from(good + bad)).try_into().unwrap_or(0)
            }))
        }
        Metric::Visitors => Value::of(match key.name {
            Some(name) => sums.names.get(&name).map(|named| named.visitors).unwrap_or_default(),
            None => sums.visitors,
        }),
        Metric::ReturningVisitors => Value::of(sums.visitors.without(sums.rows.new_visitors)),
        Metric::ConcurrentVisitors => Value::Count(sums.concurrent),
        _ if metric.is_scanned() => sums.rows.value(0, metric, plan),
        _ if metric.is_of_orders() => Cell::of(&sums.sales).value(0, metric, plan),
        Metric::Rejected if plan.dimensions.contains(&Dimension::RejectCode) => {
            Value::Count(sums.rejects.get(key.text.as_str()).copied().unwrap_or(0))
        }
        Metric::Rejected => Value::Count(sums.rejects.values().sum()),
        Metric::Duplicates => Value::Count(sums.duplicates),
        Metric::Clients => sums.clients.map_or(Value::Count(0), Value::About),
        Metric::Percentile(percent) => {
            let decimals = plan.measure.map_or(0, Reading::decimals);
            Value::Quantile(sums.readings.percentile(percent).map(|between| (between, decimals)))
        }
        // The two arms for whole families have taken all others.
        _ => Value::Count(0),
    }
}

/// Revenue by currency, the site's own first, which is there even if it is nothing.
#[must_use]
pub fn revenue(sum: &Sum, currency: Currency) -> Vec<(Currency, i128)> {
    money_of(sum, currency, |takings| takings.minor)
}

/// Amounts by currency, the site's own first, which is there even if it is nothing.
#[must_use]
pub fn money_of(sum: &Sum, currency: Currency, of: fn(&Takings) -> i128) -> Vec<(Currency, i128)> {
    let mut all: Vec<_> = sum.takings.iter().map(|(code, takings)| (*code, of(takings))).collect();
    if all.is_empty() {
        all.push((currency, 0));
    }
    all.sort_by_key(|(code, _)| (*code != currency, *code));
    all
}

/// Mean values of orders by currency; none without orders.
#[must_use]
pub fn mean_of(sum: &Sum, currency: Currency) -> Option<Vec<(Currency, i128)>> {
    let sold = sum.takings.iter().filter(|(_, takings)| takings.orders > 0);
    let mut all: Vec<_> = sold
        .map(|(code, takings)| (*code, half_even(takings.minor, i128::from(takings.orders))))
        .collect();
    all.sort_by_key(|(code, _)| (*code != currency, *code));
    (!all.is_empty()).then_some(all)
}

/// Division of numbers that are not negative, rounded half to even.
#[must_use]
pub fn half_even(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    match (rest * 2).cmp(&divisor) {
        Ordering::Greater => quotient + 1,
        Ordering::Equal => quotient + quotient.rem_euclid(2),
        Ordering::Less => quotient,
    }
}

fn sort(rows: &mut [Row], plan: &Plan) {
    rows.sort_by(|a, b| {
        let keys = plan.order_by.iter().map(|(key, direction)| {
            let order = match key {
                OrderKey::Metric(at) => match (a.values.get(*at), b.values.get(*at)) {
                    (Some(a), Some(b)) => a.compare(b),
                    _ => Ordering::Equal,
                },
                // Labels of a repeated hour order by offset, so time goes by the bucket.
                OrderKey::Dimension(at) => match plan.dimensions.get(*at) {
                    Some(Dimension::Time(_)) => a.bucket.cmp(&b.bucket),
                    _ => a.dimensions.get(*at).cmp(&b.dimensions.get(*at)),
                },
            };
            if *direction == Direction::Desc { order.reverse() } else { order }
        });
        let mut keys = keys.filter(|order| *order != Ordering::Equal);
        keys.next().unwrap_or_else(|| (a.bucket, &a.dimensions).cmp(&(b.bucket, &b.dimensions)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_round_half_to_even() {
        for (dividend, divisor, expected) in
            [(5, 2, 2), (7, 2, 4), (10, 4, 2), (11, 4, 3), (1, 3, 0), (2, 3, 1), (0, 9, 0)]
        {
            assert_eq!(half_even(dividend, divisor), expected, "{dividend}/{divisor}");
        }
    }
}
