//! `POST /v1/orders` and `POST /v1/orders/import`: versions of orders, each judged by itself.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use edgetally_proto::ids::SiteId;
use edgetally_proto::money::Currency;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::access::{NamesSite, Server, ServerTold, Site};
use crate::http::extract::{Body, drain};
use crate::http::openapi::{MaybeOfSite, shapes};
use crate::http::problem::Problem;
use crate::http::{App, people};
use crate::local::{Answer, Ask};
use crate::orders::draft::{Draft, Read, Refusal, canonical};
use crate::orders::markets::Market;
use crate::orders::told::{Became, Told};

/// Most orders of one request, and of one step of an import.
const ORDERS_MAX: usize = 1_000;

/// The body: a list, of the site that key or address name, or an object with `site` and `orders`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub struct Rows {
    site: Option<String>,
    orders: Vec<Value>,
}

impl TryFrom<Value> for Rows {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let expected = "orders are a list, or an object with site and orders";
        match value {
            Value::Array(orders) => Ok(Self { site: None, orders }),
            Value::Object(mut members) => {
                let site = members.remove("site").or_else(|| members.remove("site_id"));
                let site = site.and_then(|site| Some(site.as_str()?.to_owned()));
                match members.remove("orders") {
                    Some(Value::Array(orders)) => Ok(Self { site, orders }),
                    _ => Err(expected),
                }
            }
            _ => Err(expected),
        }
    }
}

impl NamesSite for Rows {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

/// What is said of each row, in the order of the rows.
#[derive(Debug, Default)]
struct Judged {
    results: Vec<Value>,
    warnings: Vec<Value>,
    counts: [usize; 5],
}

impl Judged {
    fn refuse(&mut self, at: usize, code: Option<&str>, refusal: &Refusal) {
        let Refusal { code: why, field, message, row } = refusal;
        let mut result = json!({
            "index": at, "order_code": code, "status": "rejected", "code": why, "field": field,
            "message": message,
        });
        if let Some(row) = row {
            result["row"] = json!(row);
        }
        self.results.push(result);
        let [.., rejected] = &mut self.counts;
        *rejected += 1;
    }

    fn take(&mut self, at: usize, told: &Told, became: Became) {
        let code = told.fact.transaction.as_ref().map(|code| code.as_str());
        self.results.push(json!({"index": at, "order_code": code, "status": became.name()}));
        let place = match became {
            Became::Created => 0,
            Became::Updated => 1,
            Became::Unchanged => 2,
            Became::Stale => 3,
        };
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    fn answer(mut self) -> Value {
        self.results.sort_by_key(|row| row["index"].as_u64());
        let [created, updated, unchanged, stale, rejected] = self.counts;
        json!({
            "orders": self.results.len(),
            "created": created,
            "updated": updated,
            "unchanged": unchanged,
            "stale": stale,
            "rejected": rejected,
            "results": self.results,
            "warnings": self.warnings,
        })
    }
}

/// Reads drafts, tells those that are whole to the thread that owns the state, and waits until
/// they are durable.
async fn take(
    app: &App,
    site: &SiteId,
    currency: Currency,
    drafts: Vec<Result<Draft, Refusal>>,
) -> Result<Value, Problem> {
    let mut judged = Judged::default();
    let mut whole = Vec::new();
    for (at, draft) in drafts.into_iter().enumerate() {
        let code = draft.as_ref().ok().and_then(|draft| draft.code.text().ok().flatten());
        match draft.and_then(|draft| draft.read(currency)) {
            Ok(Read { told, rounded }) => {
                let warning = |field| json!({"index": at, "code": "value_rounded", "field": field});
                judged.warnings.extend(rounded.into_iter().map(warning));
                whole.push((at, told));
            }
            Err(refusal) => judged.refuse(at, code.as_deref(), &refusal),
        }
    }
    for part in whole.chunks(ORDERS_MAX) {
        let told: Vec<Told> = part.iter().map(|(_, told)| told.clone()).collect();
        let ask = Ask::Orders { site: site.clone(), told };
        let Answer::Orders(became) = people::ask(app, ask, None).await? else {
            return Err(people::misunderstood());
        };
        for ((at, told), became) in part.iter().zip(became) {
            judged.take(*at, told, became);
        }
    }
    Ok(judged.answer())
}

/// Takes versions of orders in; answers when they are durable.
#[utoipa::path(
    post, path = "/v1/orders", tag = "orders",
    params(MaybeOfSite),
    request_body(
        content = Vec<shapes::OrderRow>,
        description = "up to 1,000; or an object with `site` and `orders`",
    ),
    security(("server" = [])),
    responses((status = 200, description = "what became of each", body = shapes::OrdersTold)),
)]
pub async fn post(
    State(app): State<App>,
    ServerTold { site, asked: Rows { orders, .. }, .. }: ServerTold<Rows>,
) -> Result<Json<Value>, Problem> {
    let Site { id, settings, .. } = Site::find(&app, site)?;
    if orders.len() > ORDERS_MAX {
        let detail = format!("at most {ORDERS_MAX} orders at once");
        return Err(Problem::invalid("orders", detail));
    }
    let draft = |row: &Value| match row {
        Value::Object(_) => Ok(canonical(row)),
        _ => Err(Refusal::new("value_invalid", "", "an order is an object")),
    };
    let drafts = orders.iter().map(draft).collect();
    take(&app, &id, settings.currency, drafts).await.map(Json)
}

/// Whose format.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// `tiktok`, `shopee`, `lazada` or `shopify`.
    #[param(required = true)]
    platform: String,
}

/// A file for a site: whoever may not send it is refused before it is read.
pub struct File {
    server: Server<Of>,
    body: Bytes,
}

impl FromRequest<App> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        use axum::extract::FromRequestParts;
        let (mut parts, body) = request.into_parts();
        match Server::<Of>::from_request_parts(&mut parts, app).await {
            Ok(server) => Ok(Self { server, body: Body::read(body).await?.0 }),
            Err(problem) => {
                drain(body).await;
                Err(problem)
            }
        }
    }
}

/// Takes a marketplace's own orders in, JSON or CSV; answers when they are durable.
#[utoipa::path(
    post, path = "/v1/orders/import", tag = "orders",
    params(MaybeOfSite, Of),
    request_body(
        content((Value = "application/json"), (String = "text/csv")),
        description = "up to 4 MiB in the marketplace's own format",
    ),
    security(("server" = [])),
    responses((status = 200, description = "what became of each", body = shapes::OrdersTold)),
)]
pub async fn import(State(app): State<App>, file: File) -> Result<Json<Value>, Problem> {
    let File { server: Server { site, asked, .. }, body } = file;
    let market = Market::parse(&asked.platform).ok_or_else(|| {
        Problem::invalid("platform", "a platform is tiktok, shopee, lazada or shopify")
    })?;
    let drafts = market.read(&body).map_err(|detail| Problem::invalid("body", detail))?;
    take(&app, &site.id, site.settings.currency, drafts).await.map(Json)
}
