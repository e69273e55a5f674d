//! `POST /v1/costs`: what a site paid for its campaigns.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use edgetally_proto::campaign::fold;
use edgetally_proto::limits::TEXT_CHARS_MAX;
use edgetally_proto::money::{Currency, parse_minor};
use edgetally_proto::settings::SiteSettings;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{ServerTold, Site};
use super::openapi::{MaybeOfSite, shapes};
use super::problem::Problem;
use super::{App, people};
use crate::audit::Act;
use crate::costs::{Cost, Of};
use crate::local::{Answer, Ask};

/// Most costs of one request.
const COSTS_MAX: usize = 1_000;

/// One cost, as written.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = Cost)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// A date of the site.
    date: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    medium: String,
    #[serde(default)]
    campaign: String,
    /// A number or a decimal text, in major units.
    cost: Value,
    currency: Option<String>,
}

/// The body: a list, of the site that key or address name.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Rows(Vec<Row>);

impl super::access::NamesSite for Rows {
    fn site(&self) -> Option<&str> {
        None
    }
}

/// Days since 1970.
fn day_number(date: Date) -> i64 {
    let since = date.since(jiff::civil::date(1970, 1, 1));
    since.map_or(0, |span| i64::from(span.get_days()))
}

impl Row {
    /// The cost, and whether it had to be rounded.
    fn read(&self, at: usize, settings: &SiteSettings) -> Result<(Cost, bool), Problem> {
        let wrong =
            |member: &str, detail: &str| Problem::invalid(format!("[{at}].{member}"), detail);
        let date: Option<Date> = self.date.parse().ok().filter(|_| self.date.len() == 10);
        let date = date.ok_or_else(|| wrong("date", "this is no date such as 2026-03-02"))?;
        let text = |member: &str, text: &str| {
            if text.chars().count() > TEXT_CHARS_MAX {
                return Err(wrong(member, "this is too long"));
            }
            Ok(fold(text))
        };
        let of = Of {
            day: day_number(date),
            source: text("source", &self.source)?,
            medium: text("medium", &self.medium)?,
            campaign: text("campaign", &self.campaign)?,
        };
        if of.source.is_empty() && of.medium.is_empty() && of.campaign.is_empty() {
            return Err(wrong("source", "name a source, a medium or a campaign"));
        }
        let currency = self.currency.as_deref().map_or(Some(settings.currency), Currency::parse);
        let currency = currency.ok_or_else(|| wrong("currency", "no ISO 4217 currency"))?;
        let digits = match &self.cost {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            _ => return Err(wrong("cost", "a cost is a number or a decimal text")),
        };
        let parsed = parse_minor(&digits, currency.exponent())
            .map_err(|error| wrong("cost", &format!("this {error}")))?;
        if parsed.minor < 0 {
            return Err(wrong("cost", "a cost is at least 0"));
        }
        let channel = of.channel(&settings.channel_rules);
        Ok((Cost { of, channel, minor: parsed.minor, currency }, parsed.rounded))
    }
}

/// Takes costs of campaigns in, all or none; answers when they are durable.
#[utoipa::path(
    post, path = "/v1/costs", tag = "administration",
    params(MaybeOfSite),
    request_body = Vec<Row>,
    security(("server" = [])),
    responses((status = 200, description = "what became of them", body = shapes::Costs)),
)]
pub async fn post(
    State(app): State<App>,
    ServerTold { caller, site, asked: Rows(rows), .. }: ServerTold<Rows>,
) -> Result<Json<Value>, Problem> {
    let Site { id: site, settings, .. } = Site::find(&app, site)?;
    if rows.len() > COSTS_MAX {
        return Err(Problem::invalid("body", format!("at most {COSTS_MAX} costs at once")));
    }
    let (mut costs, mut warnings, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (at, row) in rows.iter().enumerate() {
        let (cost, is_rounded) = row.read(at, &settings)?;
        if !seen.insert(cost.of.clone()) {
            let detail = "there is another cost of this date, source, medium and campaign";
            return Err(Problem::invalid(format!("[{at}]"), detail));
        }
        if is_rounded {
            let field = format!("[{at}].cost");
            warnings.push(json!({"index": at, "code": "value_rounded", "field": field}));
        }
        costs.push(cost);
    }
    let about = format!("{} costs", costs.len());
    let note = caller.note(Act::PutCosts, Some(&site), Some(about));
    match people::ask(&app, Ask::Costs { site, costs }, Some(note)).await? {
        Answer::Costs(outcome) => Ok(Json(json!({
            "created": outcome.created,
            "updated": outcome.updated,
            "unchanged": outcome.unchanged,
            "warnings": warnings,
        }))),
        _ => Err(people::misunderstood()),
    }
}
