//! What a rule measures, by the same way as a query.

use edgetally_proto::money::Currency;
use edgetally_proto::time::{DAY_MS, MINUTE_MS, SECOND_MS};

use super::rule::{DECIMALS, Rule, When};
use crate::query::range::DateRange;
use crate::query::run::{Value, half_even};
use crate::query::{self, Measured, QueryError};
use crate::view::View;
use crate::zone::Zone;

/// What a rule reads at an instant, with [`DECIMALS`] decimals: its metric, or by how many percent
/// it grew; none if that is undefined.
///
/// # Errors
/// If it cannot be asked for any more.
pub fn reading(rule: &Rule, view: &View, now_ms: i64) -> Result<Option<i128>, QueryError> {
    match rule.when {
        When::Above(_) | When::Below(_) | When::NoData => {
            let measured = window(rule, view, now_ms - now_ms.rem_euclid(SECOND_MS), now_ms)?;
            Ok(scaled(&measured))
        }
        When::ChangeAbove(_) | When::ChangeBelow(_) => {
            // Of minutes there are sums for a month, of seconds not for a week.
            let end_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
            let now = window(rule, view, end_ms, now_ms)?;
            let then = window(rule, view, end_ms - 7 * DAY_MS, now_ms)?;
            let is_share = now.metric.is_share();
            Ok(scaled(&now).zip(scaled(&then)).and_then(|(now, then)| growth(now, then, is_share)))
        }
    }
}

fn growth(now: i128, then: i128, is_share: bool) -> Option<i128> {
    if is_share {
        return Some(now - then);
    }
    let percent = 100 * unit(DECIMALS);
    (then != 0).then(|| half_even(percent * (now - then), then.abs()))
}

fn window(rule: &Rule, view: &View, end_ms: i64, now_ms: i64) -> Result<Measured, QueryError> {
    let text = |ms| Zone::default().rfc3339(ms);
    let range = DateRange::Between([text(end_ms - rule.window_ms), text(end_ms)]);
    let asked = query::request::Request { date_range: range, ..rule.query.clone() };
    query::measure(view, &asked, now_ms)
}

fn unit(decimals: u32) -> i128 {
    10i128.pow(decimals)
}

fn scaled(measured: &Measured) -> Option<i128> {
    let with =
        |number: i128, decimals: u32| number.checked_mul(unit(DECIMALS.checked_sub(decimals)?));
    match measured.value.as_ref()? {
        Value::Count(count) => with(i128::from(*count), 0),
        Value::Percent(percent) => with(i128::from((*percent)?), 2),
        Value::About(estimate) => with(i128::from(estimate.value), 0),
        Value::Quantile(quantile) => {
            let (between, decimals) = (*quantile)?;
            with(i128::from(between.middle()), decimals)
        }
        Value::Money(all) => {
            let all = all.as_ref()?;
            let own = |(code, _): &&(Currency, i128)| *code == measured.currency;
            // Sums of other currencies count by the site's rates, where it has them.
            let sum = measured.rates.convert(all);
            let minor = sum.or_else(|| all.iter().find(own).map(|(_, minor)| *minor))?;
            with(minor, measured.currency.exponent())
        }
    }
}

/// A reading for people, without decimals that say nothing.
#[must_use]
pub fn text(reading: i128) -> String {
    let (sign, of) = (if reading < 0 { "-" } else { "" }, reading.unsigned_abs());
    let unit = unit(DECIMALS).unsigned_abs();
    let whole = format!("{sign}{}", of / unit);
    let rest = format!("{:04}", of % unit);
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { whole } else { format!("{whole}.{rest}") }
}

/// Whether nothing at all is what a metric says.
#[must_use]
pub fn is_nothing(reading: Option<i128>) -> bool {
    reading.is_none_or(|reading| reading == 0)
}

/// The metric of a rule as written.
#[must_use]
pub fn metric_of(rule: &Rule) -> &str {
    rule.query.metrics.first().map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_told_without_empty_decimals() {
        let all = [(0, "0"), (950_000, "95"), (-125_000, "-12.5"), (1, "0.0001")];
        for (reading, told) in all {
            assert_eq!(text(reading), told);
        }
        assert_eq!(growth(500_000, 1_000_000, false), Some(-500_000));
        assert_eq!(growth(500_000, 1_000_000, true), Some(-500_000));
        assert_eq!(growth(500_000, 0, false), None);
    }
}
