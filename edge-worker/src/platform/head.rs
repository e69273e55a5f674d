//! What counts of a request, read from the platform: headers, address, place, network.

use edgetally_proto::visitor::Place;
use worker::Request;

use super::glue;
use crate::agent::Hints;
use crate::bots::Network;
use crate::collect::Head;

/// Stands for a header or fact that is not there.
const ABSENT: &str = "\0";

impl Head {
    /// What counts of a request.
    pub fn of(request: &Request) -> Self {
        let facts = glue::facts(request);
        let mut facts = facts.split('\n').map(|fact| (fact != ABSENT).then_some(fact));
        let mut next = || facts.next().flatten();
        let url = next().unwrap_or_default();
        let mut text = || next().map(str::to_owned);
        Self {
            is_secure: is_secure(url),
            content_type: text(),
            content_encoding: text(),
            content_length: text().and_then(|length| length.parse().ok()),
            origin: text(),
            authorization: text(),
            user_agent: text().unwrap_or_default(),
            gpc: text().as_deref() == Some("1"),
            address: text().unwrap_or_else(|| "127.0.0.1".to_owned()),
            hints: Hints { brands: text(), mobile: text(), platform: text() },
            has_accept: next().is_some(),
            has_accept_language: next().is_some(),
            has_sec_fetch: next().is_some(),
            place: Place::of(next(), next(), next()),
            network: Network {
                number: next().and_then(|number| number.parse().ok()),
                human_score: next().and_then(|score| score.parse().ok()).unwrap_or_default(),
                is_verified_bot: next().is_some() | next().is_some_and(|name| !name.is_empty()),
            },
        }
    }
}

/// Browsers send `Sec-Fetch-*` to secure addresses only; the machine itself counts as one.
fn is_secure(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.strip_prefix("[::1]").map_or(authority, |_| "[::1]");
    let host = host.split_once(':').filter(|_| !host.starts_with('[')).map_or(host, |(h, _)| h);
    scheme == "https" || ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}
