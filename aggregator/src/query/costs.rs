//! What campaigns cost, and what came of it: known by local day, source, medium and campaign.

use edgetally_proto::money::Currency;

use super::QueryError;
use super::buckets::Bucket;
use super::metric::{Dimension, Unit, Visit};
use super::request::Plan;
use super::run::half_even;
use super::symbols::NONE;
use crate::calendar::Calendar;
use crate::costs::{Cost, between};
use crate::presence::Days;
use crate::rates::Rates;
use crate::view::SiteView;

/// Whether costs are known by a dimension.
#[must_use]
pub fn goes_with(dimension: Dimension) -> bool {
    use Visit::{Campaign, Channel, Medium, Source};
    match dimension {
        Dimension::Time(unit) => matches!(unit, Unit::Day | Unit::Week | Unit::Month),
        Dimension::Visit(by) => matches!(by, Channel | Source | Medium | Campaign),
        _ => false,
    }
}

/// Refuses rows of which costs are not known, because they begin or end within a day. The day that
/// runs counts as a whole.
///
/// # Errors
/// If there is such a row.
pub fn check(rows: &[Bucket], zone: &Calendar, now_ms: i64) -> Result<(), QueryError> {
    let is_midnight = |ms: i64| zone.start_of(zone.day_of(ms)) == ms;
    let is_whole = |row: &Bucket| {
        is_midnight(row.range.from_ms) && (is_midnight(row.range.to_ms) || row.range.to_ms > now_ms)
    };
    if rows.iter().all(is_whole) {
        return Ok(());
    }
    let detail = "cost and roas are known by the day: date_range must begin and end at midnight";
    Err(QueryError::Unsupported { detail: detail.to_owned() })
}

fn value(cost: &Cost, by: Dimension) -> String {
    let text = match by {
        Dimension::Visit(Visit::Channel) => &cost.channel,
        Dimension::Visit(Visit::Source) => &cost.of.source,
        Dimension::Visit(Visit::Medium) => &cost.of.medium,
        Dimension::Visit(Visit::Campaign) => &cost.of.campaign,
        _ => "",
    };
    if text.is_empty() { NONE.to_owned() } else { text.to_owned() }
}

/// Gives every cost of a row of time that passes the filter to `add`, with the values of the
/// dimensions beside time.
pub fn add(
    plan: &Plan,
    site: &SiteView,
    bucket: &Bucket,
    add: &mut impl FnMut(Vec<String>, &Cost),
) {
    let (from_ms, to_ms) = (bucket.range.from_ms, bucket.range.to_ms);
    let days = (site.zone.day_of(from_ms), site.zone.day_of(to_ms.saturating_sub(1)) + 1);
    if from_ms >= to_ms {
        return;
    }
    for cost in between(&site.costs, days.0, days.1) {
        if plan.filter.as_ref().is_none_or(|filter| filter.passes(&|by| value(cost, by))) {
            let keys = plan.dimensions.iter().filter(|by| !matches!(by, Dimension::Time(_)));
            add(keys.map(|by| value(cost, *by)).collect(), cost);
        }
    }
}

/// Sums of costs by currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs(Vec<(Currency, i128)>);

impl Costs {
    /// Adds one.
    pub fn add(&mut self, cost: &Cost) {
        let minor = i128::from(cost.minor);
        match self.0.iter_mut().find(|(currency, _)| *currency == cost.currency) {
            Some((_, sum)) => *sum += minor,
            None => self.0.push((cost.currency, minor)),
        }
    }

    /// The sums, the site's own currency first, which is there if there is no other.
    #[must_use]
    pub fn money(&self, currency: Currency) -> Vec<(Currency, i128)> {
        let mut all = self.0.clone();
        if all.is_empty() {
            all.push((currency, 0));
        }
        all.sort_by_key(|(code, _)| (*code != currency, *code));
        all
    }
}

/// Revenue by cost, in hundredths: of one currency as it is, of several by the site's rates. None
/// without costs, and where a currency has no rate.
#[must_use]
pub fn roas(revenue: &[(Currency, i128)], costs: &Costs, rates: &Rates) -> Option<i64> {
    let some = |all: &[(Currency, i128)]| {
        all.iter().copied().filter(|(_, minor)| *minor != 0).collect::<Vec<_>>()
    };
    let (revenue, costs) = (some(revenue), some(&costs.0));
    let (currency, _) = *costs.first()?;
    let is_one = revenue.iter().chain(&costs).all(|(code, _)| *code == currency);
    let sum = |all: &[(Currency, i128)]| {
        if is_one {
            return Some(all.iter().map(|(_, minor)| *minor).sum());
        }
        rates.convert(all)
    };
    let (revenue, cost): (i128, i128) = (sum(&revenue)?, sum(&costs)?);
    (cost > 0).then(|| i64::try_from(half_even(100 * revenue, cost)).unwrap_or(i64::MAX))
}
