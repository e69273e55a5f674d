//! What a server key says of the visitor it speaks of. A write key is public: what it says of
//! places and devices is not looked at.

use super::fields::{Path, Reject, reject, text};
use super::{Rules, Visitor};
use crate::campaign::Click;
use crate::error::RejectCode;
use crate::json::Json;
use crate::raw::ContextMembers;
use crate::record::Fact;
use crate::visitor::{Place, country_code};

/// A member of the context that only a server key may set; none where it is blank or no text.
pub(super) fn named<'t>(member: Option<Json<'t>>, rules: &Rules<'_>) -> Option<&'t str> {
    let named = member.filter(|_| rules.server_key)?.as_str()?;
    (!named.trim().is_empty()).then_some(named)
}

/// The request's visitor, or whom a server key speaks of.
pub(super) fn of<'t>(context: &ContextMembers<'t>, rules: &Rules<'t>) -> Visitor<'t> {
    Visitor {
        address: named(context.ip, rules).unwrap_or(rules.visitor.address),
        user_agent: named(context.user_agent, rules).unwrap_or(rules.visitor.user_agent),
        salt: rules.visitor.salt,
    }
}

/// The place that a server key names.
pub(super) fn named_place(
    context: &ContextMembers<'_>,
    rules: &Rules<'_>,
) -> Result<Option<Place>, Reject> {
    if !rules.server_key {
        return Ok(None);
    }
    let country = text(context.country, Path::Event("context.country"))?;
    let region = text(context.region, Path::Event("context.region"))?;
    let city = text(context.city, Path::Event("context.city"))?;
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
