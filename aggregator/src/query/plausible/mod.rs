//! Plausible's Stats API v2: its names, its forms, our numbers.
//!
//! A query is put into our names, planned and answered like every other one, and its rows are told
//! as Plausible tells them. Names that only we have pass as they are. docs/plausible.md says where
//! the two differ.

mod ask;
mod filters;
mod names;
mod show;

use std::collections::HashMap;

use edgetally_proto::ids::SiteId;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use super::compare::{self, Compared, Comparison};
use super::metric::Dimension;
use super::range::DateRange;
use super::request::{self, Direction, Plan};
use super::run::{self, Row, Value};
use super::{QueryError, report};
use crate::view::{SiteView, View};
use ask::{Asked, Whole};

/// Rows of an answer that asks for no number of them.
const LIMIT_DEFAULT: usize = 10_000;

/// `POST /api/v2/query`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = PlausibleQuery)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The site.
    #[schema(value_type = String)]
    pub site_id: SiteId,
    /// What to measure.
    pub metrics: Vec<String>,
    /// When: a word such as `7d`, or `[from, to]`.
    #[schema(value_type = Json)]
    pub date_range: DateRange,
    /// What to break it down by.
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// Which events or visits to count.
    #[serde(default)]
    pub filters: Vec<Json>,
    /// Order of the rows: `[name, "asc" or "desc"]`.
    #[schema(value_type = Option<Vec<Vec<String>>>)]
    #[serde(default)]
    pub order_by: Option<Vec<(String, Direction)>>,
    /// What else to say.
    #[serde(default)]
    pub include: Include,
    /// Which rows.
    #[serde(default)]
    pub pagination: Pagination,
    /// What p50, p75, p95 and p99 are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
}

/// What else to say.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = PlausibleInclude)]
#[serde(default, deny_unknown_fields)]
pub struct Include {
    /// Imported numbers: there are none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub imports: bool,
    /// The name of every row of time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub time_labels: bool,
    /// How many rows there are without pagination.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub total_rows: bool,
    /// Bounds of each number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bounds: bool,
    /// Another stretch to compare with.
    #[schema(value_type = Option<Json>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// Which rows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = PlausiblePagination)]
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

/// Reads a query and answers it.
///
/// # Errors
/// If the query is wrong or cannot be answered exactly.
pub fn answer(view: &View, query: &Request, now_ms: i64) -> Result<Json, QueryError> {
    let (site, currency) = super::site_of(view, &query.site_id)?;
    let asked = ask::read(query, &site, now_ms)?;
    let mut plan = request::plan(&asked.ours, &site, currency, now_ms)?;
    plan.rates = super::rates_of(view, &query.site_id, currency);
    plan.shop = super::shop::Shop::of(view, &query.site_id);
    plan.check_params()?;
    let mut rows = run::run(&plan, &site)?;
    let compared = query.include.comparison.as_ref();
    let compared = compared
        .map(|with| compare::compare(with, &asked.ours.date_range, &plan, &site))
        .transpose()?;
    // Plausible tells no row of time in which nothing happened, unless another is set beside it.
    if compared.is_none() && plan.dimensions.iter().any(|by| matches!(by, Dimension::Time(_))) {
        rows.retain(|row| row.values.iter().any(|value| !show::is_nothing(value)));
    }
    let wholes = asked
        .wholes
        .iter()
        .map(|whole| Answered::of(whole, &asked, &plan, &site))
        .collect::<Result<Vec<_>, _>>()?;
    let told = Told { query, asked: &asked, plan: &plan, wholes: &wholes };
    let mut meta = report::meta(view, &site, now_ms);
    told.add_meta(&mut meta, &rows);
    let page = rows.iter().skip(query.pagination.offset).take(query.pagination.limit);
    let results: Vec<Json> = page.map(|row| told.row(row, compared.as_ref())).collect();
    Ok(json!({"results": results, "meta": meta, "query": told.echo(&site)}))
}

/// The visitors of whom shares are told, by the dimensions that matter to them.
struct Answered {
    rows: HashMap<Vec<String>, i128>,
    /// Places of those dimensions among those of the query.
    places: Vec<usize>,
}

impl Answered {
    fn of(whole: &Whole, asked: &Asked, plan: &Plan, site: &SiteView) -> Result<Self, QueryError> {
        let query = request::Request {
            metrics: vec!["visitors".to_owned()],
            dimensions: whole
                .places
                .iter()
                .filter_map(|at| asked.ours.dimensions.get(*at).cloned())
                .collect(),
            filters: whole.filters.clone(),
            order_by: None,
            measure: None,
            pagination: request::Pagination::default(),
            include: request::Include::default(),
            ..asked.ours.clone()
        };
        let plan = request::plan(&query, site, plan.currency, plan.now_ms)?;
        let count = |row: &Row| row.values.first().and_then(show::number).unwrap_or(0);
        let rows = run::run(&plan, site)?;
        let rows = rows.iter().map(|row| (row.dimensions.clone(), count(row))).collect();
        Ok(Self { rows, places: whole.places.clone() })
    }

    /// The visitors among whom those of a row are.
    fn beside(&self, row: &Row) -> i128 {
        let places = self.places.iter();
        let key: Vec<String> = places.filter_map(|at| row.dimensions.get(*at).cloned()).collect();
        self.rows.get(&key).copied().unwrap_or(0)
    }
}

/// Everything that rows are told by.
struct Told<'a> {
    query: &'a Request,
    asked: &'a Asked,
    plan: &'a Plan,
    wholes: &'a [Answered],
}

impl Told<'_> {
    fn add_meta(&self, meta: &mut Json, rows: &[Row]) {
        let include = &self.query.include;
        if include.imports {
            meta["imports_included"] = json!(false);
            meta["imports_skip_reason"] = json!("no_imported_data");
        }
        if include.time_labels {
            let labels = self.plan.buckets.iter().map(|row| show::time(&row.label));
            meta["time_labels"] = labels.collect();
        }
        if include.total_rows {
            meta["total_rows"] = json!(rows.len());
        }
        if include.bounds {
            let named = self.plan.metrics.iter().zip(&self.asked.ours.metrics);
            let methods = named.filter_map(|(metric, name)| Some((name, metric.method()?)));
            meta["estimates"] =
                methods.map(|(name, method)| (name.clone(), json!(method))).collect();
        }
        let warnings = self.asked.metrics.iter().zip(&self.query.metrics).filter(|(shown, _)| {
            let at = shown.place();
            shown.is_revenue()
                && rows.iter().any(|row| row.values.get(at).is_some_and(show::is_mixed))
        });
        let warnings: serde_json::Map<String, Json> = warnings
            .map(|(_, name)| {
                let text = "Revenue metrics are null where there is more than one currency.";
                let code = "no_single_revenue_currency";
                (name.clone(), json!({"code": code, "warning": text}))
            })
            .collect();
        if !warnings.is_empty() {
            meta["metric_warnings"] = warnings.into();
        }
    }

    fn row(&self, row: &Row, compared: Option<&Compared>) -> Json {
        let dimensions = self.dimensions(&row.dimensions);
        let metrics: Vec<Json> =
            self.asked.metrics.iter().map(|shown| self.metric(*shown, row, &row.values)).collect();
        let mut told = json!({"dimensions": dimensions, "metrics": metrics});
        if self.query.include.bounds {
            let value = |shown: &show::Shown| row.values.get(shown.place());
            let bounds = |shown: &show::Shown| value(shown).map_or(Json::Null, report::bounds_of);
            told["bounds"] = self.asked.metrics.iter().map(bounds).collect();
        }
        if let Some(compared) = compared {
            told["comparison"] = self.comparison(row, compared);
        }
        told
    }

    fn dimensions(&self, values: &[String]) -> Vec<String> {
        let said = self.asked.dimensions.iter();
        said.map(|(at, kind)| kind.shown(values.get(*at).map_or("", String::as_str))).collect()
    }

    fn metric(&self, shown: show::Shown, row: &Row, values: &[Value]) -> Json {
        let Some(value) = values.get(shown.place()) else { return Json::Null };
        match shown {
            show::Shown::Share { whole, .. } => {
                let of = self.wholes.get(whole).map_or(0, |whole| whole.beside(row));
                show::share(show::number(value).unwrap_or(0), of)
            }
            _ => shown.json(value),
        }
    }

    /// Shares of visitors are not compared: their wholes are of the newer stretch.
    fn comparison(&self, row: &Row, compared: &Compared) -> Json {
        let Some((dimensions, values)) = compared.row_beside(row, self.plan) else {
            return Json::Null;
        };
        let pair = |shown: &show::Shown| {
            let at = shown.place();
            row.values.get(at).zip(values.get(at)).filter(|_| !shown.is_share())
        };
        let shown = self.asked.metrics.iter();
        let metrics: Vec<Json> = shown
            .clone()
            .map(|shown| pair(shown).map_or(Json::Null, |(_, then)| shown.json(then)))
            .collect();
        let change: Vec<Json> = shown
            .map(|shown| pair(shown).map_or(Json::Null, |(now, then)| shown.change(now, then)))
            .collect();
        json!({"dimensions": self.dimensions(&dimensions), "metrics": metrics, "change": change})
    }

    /// The query as it was understood; both ends of the range are in it.
    fn echo(&self, site: &SiteView) -> Json {
        let range = self.plan.range;
        let end = |ms: i64| site.zone.rfc3339(ms).replace(".000", "");
        let mut echo = json!({
            "site_id": self.query.site_id,
            "metrics": self.query.metrics,
            "date_range": [end(range.from_ms), end((range.to_ms - 1_000).max(range.from_ms))],
            "filters": self.query.filters,
            "dimensions": self.asked.names,
            "order_by": self.asked.order_by,
            "include": self.query.include,
            "pagination": self.query.pagination,
        });
        if let Some(measure) = &self.query.measure {
            echo["measure"] = json!(measure);
        }
        echo
    }
}
