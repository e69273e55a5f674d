//! Plausible's Events API: `POST /api/event`. <https://plausible.io/docs/events-api>

use edgetally_proto::json::{Doc, Json};
use edgetally_proto::limits::JSON_DEPTH_MAX;

use super::{Members, Part, batch, invalid, object, snake_case};
use crate::collect::Problem;

/// Maps a body to the body of a batch. The long names of members are the documented ones, the
/// short ones those of Plausible's own scripts.
///
/// # Errors
/// 400.
pub fn parse(body: &[u8]) -> Result<String, Problem> {
    let doc = object(body)?;
    let member = |long: &str, short: &str| doc.root().get(long).or_else(|| doc.root().get(short));
    let text = |long: &str, short: &str| member(long, short).and_then(Json::as_str);
    let site = text("domain", "d").ok_or_else(|| invalid("domain", "must be a string"))?;
    let name = text("name", "n").ok_or_else(|| invalid("name", "must be a string"))?;
    let url = text("url", "u").ok_or_else(|| invalid("url", "must be a string"))?;
    let (props, revenue) = (member("props", "p"), member("revenue", "$"));
    let (props_doc, revenue_doc) = (inner(props, "props")?, inner(revenue, "revenue")?);
    let props = parsed(props, props_doc.as_ref());
    if !props.is_null() && !props.is_object() {
        return Err(invalid("props", "must be an object"));
    }
    let mut params = Members::all_of(props);
    params.copy(props, "order_id", "transaction_id");
    params.copy(props, "transaction_id", "transaction_id");
    let revenue = parsed(revenue, revenue_doc.as_ref());
    params.copy(revenue, "amount", "value");
    params.copy(revenue, "currency", "currency");
    let mut context = Members::default();
    context.insert("page_url", Part::Text(url.into()));
    if let Some(referrer) = text("referrer", "r") {
        context.insert("referrer", Part::Text(referrer.into()));
    }
    let name = if name == "pageview" { "page_view".to_owned() } else { snake_case(name) };
    let mut event = Members::default();
    event.insert("name", Part::Text(name.into()));
    event.insert("params", Part::Object(params));
    event.insert("context", Part::Object(context));
    Ok(batch(site, vec![event]).to_json())
}

/// The JSON inside a member that is a string.
fn inner<'t>(member: Option<Json<'t>>, field: &str) -> Result<Option<Doc<'t>>, Problem> {
    let Some(text) = member.and_then(Json::as_str) else { return Ok(None) };
    let doc = Doc::parse(text.as_bytes(), JSON_DEPTH_MAX);
    doc.map(Some).map_err(|_| invalid(field, "must be an object"))
}

/// A member that may be JSON inside a string.
fn parsed<'t>(member: Option<Json<'t>>, inner: Option<&'t Doc<'t>>) -> Json<'t> {
    inner.map(Doc::root).or(member).unwrap_or_default()
}
