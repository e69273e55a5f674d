//! What a server key says of the visitor it speaks of. A write key is public: what it says of
//! places and devices is not looked at.

use core::net::IpAddr;
use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use super::fields::{Path, Reject, reject, text};
use super::{Rules, Visitor};
use crate::archive::scrub;
use crate::campaign::Click;
use crate::error::RejectCode;
use crate::json::Json;
use crate::raw::ContextMembers;
use crate::record::{ADDRESS, COUPON, Fact, NETWORK};
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

/// Puts the parameters that the site keeps beside what the event says of itself: texts, numbers and
/// truth values, as they were written; blank ones are absent. Of visitors without consent nothing
/// is kept that tells who they are.
pub(super) fn with_params(
    fact: Option<Fact>,
    name: &str,
    params: Option<Json<'_>>,
    visitor: &Visitor<'_>,
    rules: &Rules<'_>,
    cookieless: bool,
) -> Option<Fact> {
    let settings = rules.settings;
    // Coupons are kept where it is asked who uses them.
    let is_sale = matches!(name, "purchase" | "order_created");
    let coupon = is_sale && settings.fraud.coupon_abuse.accounts > 0;
    let keep = &settings.params.keep;
    let members = params.filter(|_| !keep.is_empty() || coupon).and_then(Json::members);
    let is_kept = |name: &str| keep.iter().any(|known| known == name) || coupon && name == COUPON;
    let mut kept: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in members.into_iter().flatten() {
        let Some(value) = plain(value).filter(|_| is_kept(name)) else {
            continue;
        };
        if cookieless && !scrub::is_anonymous(name, value, &settings.channel_rules) {
            continue;
        }
        // Of a member that is there twice the last one counts, as everywhere.
        kept.insert(name, value);
    }
    let suspicion = suspicion(name, visitor, rules);
    kept.extend(suspicion.iter().map(|(name, hash)| (*name, hash.as_str())));
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let params: Vec<_> = kept.into_iter().map(own).collect();
    match params.is_empty() {
        true => fact,
        false => Some(Fact { params, ..fact.unwrap_or_default() }),
    }
}

/// What a failed payment is told apart by, where card testing is looked for: hashes of the address
/// and of its network, under the salt of the day, which is forgotten after two.
fn suspicion(name: &str, visitor: &Visitor<'_>, rules: &Rules<'_>) -> Vec<(&'static str, String)> {
    // A shop's server that names no address is not who pays.
    let is_buyer = !rules.server_key || visitor.address != rules.visitor.address;
    let is_watched = rules.settings.fraud.card_testing.failures > 0;
    let is_asked = name == "payment_failed" && is_watched && is_buyer;
    let Ok(address) = visitor.address.trim().parse::<IpAddr>() else { return Vec::new() };
    if !is_asked || visitor.salt.is_empty() {
        return Vec::new();
    }
    let (own, network): (Vec<u8>, Vec<u8>) = match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (vec![a, b, c, d], vec![a, b, c])
        }
        // The half that one visitor cannot vary, and what a provider gives to one customer.
        IpAddr::V6(v6) => {
            let all = v6.octets();
            (all.iter().take(8).copied().collect(), all.iter().take(6).copied().collect())
        }
    };
    let hash = |part: &[u8]| {
        let site = rules.site.as_str().as_bytes();
        let all = [visitor.salt, &[0], site, &[0], part].concat();
        format!("{:032x}", xxh3_128(&all))
    };
    vec![(ADDRESS, hash(&own)), (NETWORK, hash(&network))]
}

fn plain(value: Json<'_>) -> Option<&str> {
    let is_plain = !value.is_null() && !value.is_object() && value.items().is_none();
    let text = value.as_str().or(is_plain.then(|| value.raw()))?.trim();
    (!text.is_empty()).then_some(text)
}

/// Puts a click id beside what the event says of itself.
pub(super) fn with_click(fact: Option<Fact>, click: Option<Click>) -> Option<Fact> {
    match click {
        None => fact,
        click => Some(Fact { click: click.map(Box::new), ..fact.unwrap_or_default() }),
    }
}
