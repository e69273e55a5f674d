//! A query as written, and the plan it becomes.

use std::sync::Arc;

use edgetally_proto::ids::SiteId;
use edgetally_proto::money::Currency;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::QueryError;
use super::buckets::{self, Bucket};
use super::compare::Comparison;
use super::costs;
use super::filter::{self, Filter};
use super::metric::{self, Dimension, Metric};
use super::range::{self, DateRange, Range};
use super::shop::Shop;
use crate::calendar::Calendar;
use crate::merge::sketches::Reading;
use crate::rates::Rates;
use crate::view::SiteView;

/// Most metrics of one query.
const METRICS_MAX: usize = 30;
/// Rows of an answer that asks for no number of them.
const LIMIT_DEFAULT: usize = buckets::ROWS_MAX;

/// `POST /v1/query`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Query)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The site.
    #[schema(value_type = String)]
    pub site_id: SiteId,
    /// What to measure.
    pub metrics: Vec<String>,
    /// When: a word such as `7d`, or `[from, to]`.
    #[schema(value_type = Value)]
    pub date_range: DateRange,
    /// What to break it down by.
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// Which events to count.
    #[serde(default)]
    pub filters: Vec<Value>,
    /// Order of the rows: `[name, "asc" or "desc"]`.
    #[schema(value_type = Option<Vec<Vec<String>>>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_by: Option<Vec<(String, Direction)>>,
    /// Which rows.
    #[serde(default)]
    pub pagination: Pagination,
    /// What p50, p75, p95 and p99 are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// What else to say.
    #[serde(default)]
    pub include: Include,
}

/// Which way rows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// Which rows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pagination {
    /// How many.
    pub limit: usize,
    /// After how many.
    pub offset: usize,
}

impl Default for Pagination {
    fn default() -> Self {
        Self { limit: LIMIT_DEFAULT, offset: 0 }
    }
}

/// What else to say.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Include {
    /// Bounds of each number.
    pub bounds: bool,
    /// How many rows there are without pagination.
    pub total_rows: bool,
    /// Another stretch to compare with.
    #[schema(value_type = Option<Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// What to order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKey {
    /// A metric, by its place in the query.
    Metric(usize),
    /// A dimension, by its place in the query.
    Dimension(usize),
}

/// A query that can be answered.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What to measure.
    pub metrics: Vec<Metric>,
    /// What to break it down by.
    pub dimensions: Vec<Dimension>,
    /// The whole stretch.
    pub range: Range,
    /// Its rows; one without a name where time is no dimension.
    pub buckets: Vec<Bucket>,
    /// Which events to count.
    pub filter: Option<Filter>,
    /// What quantiles are of.
    pub measure: Option<Reading>,
    /// Order of the rows.
    pub order_by: Vec<(OrderKey, Direction)>,
    /// Currency of an empty sum.
    pub currency: Currency,
    /// The site's rates into that currency.
    pub rates: Arc<Rates>,
    /// The instant of the answer.
    pub now_ms: i64,
    /// The settings of its site.
    pub shop: Shop,
    /// Whether rollups are too coarse for it.
    pub is_too_fine: bool,
}

impl Plan {
    /// Whether it is answered from sessions and orders, row by row.
    #[must_use]
    pub fn is_scan(&self) -> bool {
        if self.is_too_fine {
            return true;
        }
        let all_by_name = self.metrics.iter().all(|metric| metric.takes_names());
        self.asked().iter().any(|by| match by {
            Dimension::Time(_) | Dimension::RejectCode => false,
            Dimension::EventName => !all_by_name,
            _ => true,
        })
    }

    /// The dimensions that it is broken down and filtered by.
    #[must_use]
    pub fn asked(&self) -> Vec<Dimension> {
        let filtered = self.filter.as_ref().map(Filter::dimensions).unwrap_or_default();
        self.dimensions.iter().copied().chain(filtered).collect()
    }

    /// Checks the parameters that it asks for.
    ///
    /// # Errors
    /// If the site does not keep one of them.
    pub fn check_params(&self) -> Result<(), QueryError> {
        let keep = self.shop.settings().map(|settings| settings.params.keep.as_slice());
        let keep = keep.unwrap_or_default();
        for by in self.asked() {
            let Dimension::Param(name) = by else { continue };
            if !keep.iter().any(|kept| kept == name.as_str()) {
                let detail = format!(
                    "no metric can be had by {}, which is not in the site's params.keep",
                    metric::name_of(by)
                );
                return Err(QueryError::Unsupported { detail });
            }
        }
        Ok(())
    }
}

/// Checks a query and works out its rows.
///
/// # Errors
/// If it is wrong, or asks for what does not go together.
pub fn plan(
    query: &Request,
    site: &SiteView,
    currency: Currency,
    now_ms: i64,
) -> Result<Plan, QueryError> {
    let metrics = named(&query.metrics, "metrics", metric::metric)?;
    if metrics.is_empty() || metrics.len() > METRICS_MAX {
        return Err(QueryError::invalid("metrics", format!("name 1 to {METRICS_MAX} metrics")));
    }
    let dimensions = named(&query.dimensions, "dimensions", metric::dimension)?;
    let filter = filter::parse(&query.filters)?;
    check_pairs(query, &metrics, &dimensions, filter.as_ref())?;
    let measure = measure(query, &metrics)?;
    if query.pagination.limit == 0 || query.pagination.limit > buckets::ROWS_MAX {
        let detail = format!("the limit is 1 to {}", buckets::ROWS_MAX);
        return Err(QueryError::invalid("pagination.limit", detail));
    }
    let range = range::resolve(&query.date_range, site, now_ms)?;
    let buckets = rows_of(&dimensions, range, &site.zone)?;
    if metrics.iter().any(|metric| metric.is_of_costs()) {
        costs::check(&buckets, &site.zone, now_ms)?;
    }
    let order_by = order(query, &dimensions)?;
    let rates = Arc::new(Rates::none(currency));
    Ok(Plan {
        metrics,
        dimensions,
        range,
        buckets,
        filter,
        measure,
        order_by,
        currency,
        rates,
        now_ms,
        shop: Shop::default(),
        is_too_fine: false,
    })
}

/// The rows of time that some dimensions ask for; one without a name if time is none of them.
///
/// # Errors
/// If time is to be broken down in two ways, or there are too many rows.
pub fn rows_of(
    dimensions: &[Dimension],
    range: Range,
    zone: &Calendar,
) -> Result<Vec<Bucket>, QueryError> {
    let mut units = dimensions.iter().filter_map(|dimension| match dimension {
        Dimension::Time(unit) => Some(*unit),
        _ => None,
    });
    match (units.next(), units.next()) {
        (None, _) => Ok(vec![Bucket { range, label: String::new() }]),
        (Some(unit), None) => buckets::cut(range, unit, zone),
        (Some(_), Some(_)) => {
            let detail = "time can be broken down in one way only";
            Err(QueryError::invalid("dimensions", detail))
        }
    }
}

/// What quantiles are of: named if, and only if, one is asked for.
fn measure(query: &Request, metrics: &[Metric]) -> Result<Option<Reading>, QueryError> {
    let is_asked = metrics.iter().any(|metric| matches!(metric, Metric::Percentile(_)));
    match (&query.measure, is_asked) {
        (None, false) => Ok(None),
        (Some(name), true) => metric::measure(name).map(Some),
        (None, true) => Err(QueryError::invalid("measure", "p50 to p99 need a measure".to_owned())),
        (Some(_), false) => Err(QueryError::invalid(
            "measure",
            "only p50, p75, p95 and p99 have a measure".to_owned(),
        )),
    }
}

/// Reads names, of which none may be there twice.
///
/// # Errors
/// If one is unknown or there twice; the field is `member[at]`.
pub fn named<T: Copy + PartialEq>(
    names: &[String],
    member: &str,
    read: impl Fn(&str, &str) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    let mut all = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let field = format!("{member}[{at}]");
        let one = read(name, &field)?;
        if all.contains(&one) {
            return Err(QueryError::invalid(field, format!("{name:?} is there twice")));
        }
        all.push(one);
    }
    Ok(all)
}

fn check_pairs(
    query: &Request,
    metrics: &[Metric],
    dimensions: &[Dimension],
    filter: Option<&Filter>,
) -> Result<(), QueryError> {
    for (metric, name) in metrics.iter().zip(&query.metrics) {
        let with = |what: &str| QueryError::Unsupported {
            detail: format!("the metric {name} cannot be had {what}"),
        };
        for (dimension, by) in dimensions.iter().zip(&query.dimensions) {
            if !metric.goes_with(*dimension) {
                return Err(with(&format!("by {by}")));
            }
        }
        for by in filter.map(Filter::dimensions).unwrap_or_default() {
            if !metric.goes_with(by) {
                return Err(with(&format!("with a filter on {}", metric::name_of(by))));
            }
        }
    }
    Ok(())
}

fn order(
    query: &Request,
    dimensions: &[Dimension],
) -> Result<Vec<(OrderKey, Direction)>, QueryError> {
    let Some(order_by) = &query.order_by else {
        // Time runs forwards; other rows come with the largest first.
        let time = dimensions.iter().position(|d| matches!(d, Dimension::Time(_)));
        return Ok(match time {
            Some(at) => vec![
                (OrderKey::Dimension(at), Direction::Asc),
                (OrderKey::Metric(0), Direction::Desc),
            ],
            None => vec![(OrderKey::Metric(0), Direction::Desc)],
        });
    };
    let place = |names: &[String], name: &String| names.iter().position(|known| known == name);
    let read = |(at, (name, direction)): (usize, &(String, Direction))| {
        let key = place(&query.metrics, name)
            .map(OrderKey::Metric)
            .or_else(|| place(&query.dimensions, name).map(OrderKey::Dimension));
        let detail = format!("{name:?} is neither among the metrics nor the dimensions");
        key.map(|key| (key, *direction))
            .ok_or_else(|| QueryError::invalid(format!("order_by[{at}]"), detail))
    };
    order_by.iter().enumerate().map(read).collect()
}
