//! The few numbers of `GET /api/stats`, as plain numbers in the site's currency.

use edgetally_proto::ids::SiteId;
use edgetally_proto::money::{Currency, format_minor};
use serde_json::{Number, Value as Json, json};

use super::range::{self, DateRange};
use super::request::Request;
use super::run::{self, Value, half_even};
use super::{QueryError, rates_of, request, site_of};
use crate::rates::Rates;
use crate::view::View;

fn number(minor: i128, currency: Currency) -> Json {
    format_minor(minor, currency).parse::<Number>().map_or(Json::Null, Json::Number)
}

/// A sum in the site's currency: by its rates if they cover all of it, else what is in that
/// currency already.
fn own(amounts: &[(Currency, i128)], rates: &Rates) -> i128 {
    rates.convert(amounts).unwrap_or_else(|| {
        amounts.iter().filter(|(code, _)| *code == rates.currency()).map(|(_, minor)| minor).sum()
    })
}

/// Revenue, booked orders and their mean value, of all time: 0 without orders.
///
/// # Errors
/// If there is no such site.
pub fn totals(view: &View, site: &SiteId, now_ms: i64) -> Result<Json, QueryError> {
    let (state, currency) = site_of(view, site)?;
    let rates = rates_of(view, site, currency);
    let range = range::resolve(&DateRange::Named("all".to_owned()), &state, now_ms)?;
    let sum = state.sales.between(range.from_ms, range.to_ms);
    let amounts = run::revenue(&sum, currency);
    let is_covered = rates.convert(&amounts).is_some();
    let takings = sum.takings.iter().filter(|(code, _)| is_covered || *code == currency);
    let orders: i64 = takings.map(|(_, takings)| takings.orders).sum();
    let revenue = own(&amounts, &rates);
    let mean = if orders > 0 { half_even(revenue, i128::from(orders)) } else { 0 };
    Ok(json!({
        "totalRevenue": number(revenue, currency),
        "totalOrders": sum.orders,
        "avgOrderValue": number(mean, currency),
    }))
}

/// Revenue by the city that orders go to, of all time, the largest first.
///
/// # Errors
/// If there is no such site, or there are too many cities.
pub fn cities(view: &View, site: &SiteId, now_ms: i64) -> Result<Json, QueryError> {
    let (state, currency) = site_of(view, site)?;
    let rates = rates_of(view, site, currency);
    let query = Request {
        site_id: site.clone(),
        metrics: vec!["revenue".to_owned(), "orders".to_owned()],
        date_range: DateRange::Named("all".to_owned()),
        dimensions: vec!["visit:city".to_owned()],
        filters: Vec::new(),
        order_by: None,
        pagination: request::Pagination::default(),
        measure: None,
        include: request::Include::default(),
    };
    let plan = request::plan(&query, &state, currency, now_ms)?;
    let rows = run::run(&plan, &state)?.into_iter().filter_map(|row| {
        let city = row.dimensions.into_iter().next()?;
        match row.values.as_slice() {
            [Value::Money(Some(_)), Value::Count(0)] => None,
            [Value::Money(Some(amounts)), _] => Some((own(amounts, &rates), city)),
            _ => None,
        }
    });
    let mut rows: Vec<(i128, String)> = rows.collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let told = rows
        .into_iter()
        .map(|(revenue, city)| json!({"city": city, "revenue": number(revenue, currency)}));
    Ok(told.collect())
}
