//! Answers queries from a snapshot: pure, and never a wrong number.
//!
//! What cannot be answered exactly is refused with the pair that does not fit.

pub mod buckets;
pub mod compare;
pub mod costs;
pub mod course;
pub mod dimension;
pub mod filter;
pub mod experiment;
pub mod funnel;
pub mod matrix;
pub mod metric;
pub mod plausible;
pub mod range;
pub mod report;
pub mod request;
pub mod run;
pub mod scan;
pub mod shop;
pub mod symbols;
pub mod trends;
pub mod visit;

use std::sync::Arc;

use edgetally_proto::ids::SiteId;
use edgetally_proto::money::Currency;
use serde_json::Value;

use crate::rates::Rates;
use crate::view::{SiteView, View};

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The query itself is wrong.
    #[error("{field}: {detail}")]
    Invalid {
        /// Path of the member.
        field: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A metric cannot be broken down, filtered or had in this way.
    #[error("{detail}")]
    Unsupported {
        /// The pair, or the member.
        detail: String,
    },
    /// Too many rows, or finer than is kept.
    #[error("{detail}")]
    TooFine {
        /// What to do about it.
        detail: String,
    },
    /// There is no such site.
    #[error("there is no such site")]
    UnknownSite,
}

impl QueryError {
    /// An error in a member of the query.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), detail: detail.into() }
    }
}

/// Reads a query and answers it.
///
/// # Errors
/// If the query is wrong or cannot be answered exactly.
pub fn answer(view: &View, query: &request::Request, now_ms: i64) -> Result<Value, QueryError> {
    let (site, currency) = site_of(view, &query.site_id)?;
    let mut plan = request::plan(query, &site, currency, now_ms)?;
    plan.rates = rates_of(view, &query.site_id, currency);
    plan.shop = shop::Shop::of(view, &query.site_id);
    plan.check_params()?;
    let rows = run::run(&plan, &site)?;
    let compared = query.include.comparison.as_ref();
    let compared = compared.map(|with| compare::compare(with, &query.date_range, &plan, &site));
    let compared = compared.transpose()?;
    Ok(report::report(&plan, query, rows, compared.as_ref(), view, &site, now_ms))
}

/// One number, and what it is to be read by.
#[derive(Debug)]
pub struct Measured {
    /// What was measured.
    pub metric: metric::Metric,
    /// The number; none if there is no row.
    pub value: Option<run::Value>,
    /// The site's currency.
    pub currency: Currency,
    /// The site's rates into it.
    pub rates: Arc<Rates>,
}

/// Measures the first metric of a query without dimensions.
///
/// # Errors
/// If the query is wrong or cannot be answered exactly.
pub fn measure(view: &View, query: &request::Request, now_ms: i64) -> Result<Measured, QueryError> {
    let (site, currency) = site_of(view, &query.site_id)?;
    let mut plan = request::plan(query, &site, currency, now_ms)?;
    plan.rates = rates_of(view, &query.site_id, currency);
    plan.shop = shop::Shop::of(view, &query.site_id);
    plan.check_params()?;
    let value = run::run(&plan, &site)?.pop().and_then(|mut row| row.values.drain(..).next());
    let nothing = || QueryError::invalid("metrics", "name a metric");
    let metric = plan.metrics.first().copied().ok_or_else(nothing)?;
    Ok(Measured { metric, value, currency, rates: plan.rates })
}

/// The rates of a site into its currency.
fn rates_of(view: &View, site: &SiteId, currency: Currency) -> Arc<Rates> {
    let entry = view.directory.sites.get(site);
    Arc::new(entry.map_or_else(|| Rates::none(currency), |entry| Rates::of(&entry.settings)))
}

/// The snapshot of a site, and its currency.
fn site_of(view: &View, site: &SiteId) -> Result<(Arc<SiteView>, Currency), QueryError> {
    let entry = view.directory.sites.get(site).ok_or(QueryError::UnknownSite)?;
    let empty = || Arc::new(SiteView { zone: entry.calendar(), ..SiteView::default() });
    Ok((view.sites.get(site).cloned().unwrap_or_else(empty), entry.settings.currency))
}
