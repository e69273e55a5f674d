//! Plausible's Events API: `POST /api/event`. <https://plausible.io/docs/events-api>

use edgetally_proto::raw::{RawBatch, parse_json};
use serde_json::Value;

use super::{Members, batch, copy, invalid, object, snake_case};
use crate::collect::Problem;

/// Reads a body. The long names of members are the documented ones, the short ones those of
/// Plausible's own scripts.
///
/// # Errors
/// 400.
pub fn parse(body: &[u8]) -> Result<RawBatch, Problem> {
    let members = object(body)?;
    let member = |long: &str, short: &str| members.get(long).or_else(|| members.get(short));
    let text = |long: &str, short: &str| member(long, short).and_then(Value::as_str);
    let site = text("domain", "d").ok_or_else(|| invalid("domain", "must be a string"))?;
    let name = text("name", "n").ok_or_else(|| invalid("name", "must be a string"))?;
    let url = text("url", "u").ok_or_else(|| invalid("url", "must be a string"))?;
    let mut params = props(member("props", "p"))?;
    for alias in ["order_id", "transaction_id"] {
        if let Some(id) = params.get(alias).filter(|id| !id.is_null()).cloned() {
            params.insert("transaction_id".to_owned(), id);
        }
    }
    if let Some(Value::Object(revenue)) = parsed(member("revenue", "$"), "revenue")? {
        copy(&revenue, "amount", &mut params, "value");
        copy(&revenue, "currency", &mut params, "currency");
    }
    let mut context = Members::new();
    context.insert("page_url".to_owned(), url.into());
    if let Some(referrer) = text("referrer", "r") {
        context.insert("referrer".to_owned(), referrer.into());
    }
    let name = if name == "pageview" { "page_view".to_owned() } else { snake_case(name) };
    let mut event = Members::new();
    event.insert("name".to_owned(), name.into());
    event.insert("params".to_owned(), params.into());
    event.insert("context".to_owned(), context.into());
    Ok(batch(site, None, vec![event]))
}

/// A member that may be JSON inside a string.
fn parsed(member: Option<&Value>, field: &str) -> Result<Option<Value>, Problem> {
    match member {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            parse_json(text.as_bytes()).map(Some).map_err(|_| invalid(field, "must be an object"))
        }
        Some(value) => Ok(Some(value.clone())),
    }
}

fn props(member: Option<&Value>) -> Result<Members, Problem> {
    match parsed(member, "props")? {
        None => Ok(Members::new()),
        Some(Value::Object(props)) => Ok(props),
        Some(_) => Err(invalid("props", "must be an object")),
    }
}
