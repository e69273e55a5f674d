//! The answer to a query, as JSON.

use edgetally_proto::money::{Currency, format_minor};
use serde_json::{Number, Value as Json, json};

use super::compare::Compared;
use super::metric::Metric;
use super::request::{Plan, Request};
use super::run::{Row, Value};
use crate::view::{SiteView, View};

/// Money as reports show it.
#[must_use]
pub fn money(all: &[(Currency, i128)]) -> Json {
    let one = |(currency, minor): &(Currency, i128)| {
        let amount = format_minor(*minor, *currency);
        json!({"currency": currency.code(), "amount": amount})
    };
    all.iter().map(one).collect()
}

/// A number as reports show it.
#[must_use]
pub fn json_of(value: &Value) -> Json {
    match value {
        Value::Count(count) => json!(count),
        Value::Money(Some(all)) => money(all),
        Value::Percent(Some(percent)) => hundredths(i128::from(*percent)),
        Value::About(estimate) => json!(estimate.value),
        Value::Quantile(Some((between, decimals))) => decimal(between.middle(), *decimals),
        Value::Percent(None) | Value::Money(None) | Value::Quantile(None) => Json::Null,
    }
}

/// Hundredths with the two decimals of reports.
#[must_use]
pub fn hundredths(number: i128) -> Json {
    let (sign, of) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
    let text = format!("{sign}{}.{:02}", of / 100, of % 100);
    text.parse::<Number>().map_or(Json::Null, Json::Number)
}

/// A whole number with the last of its digits behind the point.
fn decimal(number: u64, decimals: u32) -> Json {
    let (unit, width) = (10u64.pow(decimals), usize::try_from(decimals).unwrap_or_default());
    let text = match width {
        0 => number.to_string(),
        _ => format!("{}.{:0width$}", number / unit, number % unit),
    };
    text.parse::<Number>().map_or(Json::Null, Json::Number)
}

/// Lower and upper bound of a number; none of exact ones.
#[must_use]
pub fn bounds_of(value: &Value) -> Json {
    match value {
        Value::About(estimate) => json!([estimate.low, estimate.high]),
        Value::Quantile(Some((between, decimals))) if between.low < between.high => {
            json!([decimal(between.low, *decimals), decimal(between.high, *decimals)])
        }
        _ => Json::Null,
    }
}

/// Sums of money in the site's currency by its rates, one a metric; null where a currency has no
/// rate, where the metric is no money, and for a mean over several currencies.
#[must_use]
pub fn converted(plan: &Plan, values: &[Value]) -> Json {
    let pairs = plan.metrics.iter().zip(values);
    let one = |(metric, value): (&Metric, &Value)| {
        let Value::Money(Some(all)) = value else { return Json::Null };
        if *metric == Metric::Aov && all.len() > 1 {
            return Json::Null;
        }
        let into = plan.rates.currency();
        let sum = plan.rates.convert(all).map(|minor| money(&[(into, minor)]));
        sum.and_then(|mut one| one.get_mut(0).map(Json::take)).unwrap_or_default()
    };
    pairs.map(one).collect()
}

/// What is said of every answer: how fresh it is.
#[must_use]
pub fn meta(view: &View, site: &SiteView, now_ms: i64) -> Json {
    json!({
        "snapshot": view.number,
        "watermark": view.watermark_ms(now_ms).map(|ms| site.zone.rfc3339(ms)),
        "lagging": view.lagging(now_ms),
    })
}

/// Puts an answer together.
#[must_use]
pub fn report(
    plan: &Plan,
    query: &Request,
    rows: Vec<Row>,
    compared: Option<&Compared>,
    view: &View,
    site: &SiteView,
    now_ms: i64,
) -> Json {
    let total = rows.len();
    let with_rates = !plan.rates.is_empty() && plan.metrics.iter().any(|by| by.is_money());
    let page = rows.into_iter().skip(query.pagination.offset).take(query.pagination.limit);
    let results: Vec<Json> = page
        .map(|row| {
            let metrics: Vec<Json> = row.values.iter().map(json_of).collect();
            let mut result = json!({"dimensions": row.dimensions, "metrics": metrics});
            if query.include.bounds {
                result["bounds"] = row.values.iter().map(bounds_of).collect();
            }
            if with_rates {
                result["converted"] = converted(plan, &row.values);
            }
            if let Some(compared) = compared {
                result["comparison"] = compared.beside(&row, plan, query.include.bounds);
            }
            result
        })
        .collect();
    let mut meta = meta(view, site, now_ms);
    if with_rates {
        meta["rates"] = plan.rates.told();
    }
    if query.include.bounds {
        let named = plan.metrics.iter().zip(&query.metrics);
        // Row by row only quantiles are estimated.
        let is_counted =
            |metric: &Metric| plan.is_scan() && !matches!(metric, Metric::Percentile(_));
        let named = named.filter(|(metric, _)| !is_counted(metric));
        let methods = named.filter_map(|(metric, name)| Some((name, metric.method()?)));
        meta["estimates"] = methods.map(|(name, method)| (name.clone(), json!(method))).collect();
    }
    if query.include.total_rows {
        meta["total_rows"] = json!(total);
    }
    let mut echo = serde_json::to_value(query).unwrap_or_default();
    let range = plan.range;
    echo["date_range"] = json!([site.zone.rfc3339(range.from_ms), site.zone.rfc3339(range.to_ms)]);
    if let Some(compared) = compared {
        echo["comparison_date_range"] = compared.range(&site.zone);
    }
    json!({"results": results, "meta": meta, "query": echo})
}
