//! What a server key says of the visitor it speaks of. A write key is public: what it says of
//! places and devices is not looked at.

use serde_json::{Map, Value};

use super::fields::{Path, Reject, reject, text};
use super::{Rules, Visitor};
use crate::campaign::Click;
use crate::error::RejectCode;
use crate::record::Fact;
use crate::visitor::{Place, country_code};

/// A member of the context that only a server key may set; none where it is blank or no text.
pub(super) fn named<'a>(
    context: &'a Map<String, Value>,
    rules: &Rules<'_>,
    name: &str,
) -> Option<&'a str> {
    let member = context.get(name).filter(|_| rules.server_key)?.as_str()?;
    (!member.trim().is_empty()).then_some(member)
}

/// The request's visitor, or whom a server key speaks of.
pub(super) fn of<'a>(context: &'a Map<String, Value>, rules: &Rules<'a>) -> Visitor<'a> {
    Visitor {
        address: named(context, rules, "ip").unwrap_or(rules.visitor.address),
        user_agent: named(context, rules, "user_agent").unwrap_or(rules.visitor.user_agent),
        salt: rules.visitor.salt,
    }
}

/// The place that a server key names.
pub(super) fn named_place(
    context: &Map<String, Value>,
    rules: &Rules<'_>,
) -> Result<Option<Place>, Reject> {
    if !rules.server_key {
        return Ok(None);
    }
    let country = text(context.get("country"), Path::Event("context.country"))?;
    let region = text(context.get("region"), Path::Event("context.region"))?;
    let city = text(context.get("city"), Path::Event("context.city"))?;
    let is_unknown = |code: &str| code.trim().eq_ignore_ascii_case("XX");
    if country.is_some_and(|code| !is_unknown(code) && country_code(code).is_none()) {
        let message = "must be two letters of ISO 3166";
        return Err(reject(RejectCode::ValueInvalid, Path::Event("context.country"), message));
    }
    Ok(Place::of(country, region, city))
}

/// Puts a click id beside what the event says of itself.
pub(super) fn with_click(fact: Option<Fact>, click: Option<Click>) -> Option<Fact> {
    match click {
        None => fact,
        click => Some(Fact { click: click.map(Box::new), ..fact.unwrap_or_default() }),
    }
}
