//! `GET /v1/stock`: what is left of each product.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Reader;
use super::openapi::{OfSite, shapes};
use super::problem::Problem;
use super::{App, list};

/// Which part of the list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// One product alone.
    item_id: Option<String>,
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

/// What is left of each product, by id.
#[utoipa::path(
    get, path = "/v1/stock", tag = "facts",
    params(OfSite, Part),
    security(("read" = [])),
    responses((status = 200, description = "a page", body = shapes::Page<shapes::Stock>)),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<Part>,
) -> Result<Json<Value>, Problem> {
    let limit = list::limit(asked.limit.as_deref())?;
    let view = site.view(&app);
    let wanted = asked.item_id.as_deref();
    let mut rows = view
        .stock
        .left(asked.after.as_deref())
        .filter(|left| wanted.is_none_or(|wanted| wanted == left.item_id));
    let page: Vec<_> = rows.by_ref().take(limit).collect();
    let last = page.last().map(|left| left.item_id.to_owned());
    let next = if rows.next().is_some() { last } else { None };
    let results = page.iter().map(|left| {
        let entry = site.settings.catalog.get(left.item_id);
        json!({
            "item_id": left.item_id,
            "item_name": entry.map(|entry| entry.name.as_str()).filter(|name| !name.is_empty()),
            "stock": left.stock,
            "updated_at": site.zone.rfc3339(left.at_ms),
        })
    });
    Ok(Json(json!({"results": results.collect::<Vec<Value>>(), "next": next})))
}
