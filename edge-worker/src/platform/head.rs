//! What counts of a request, read from the platform: headers, address, place, network.

use edgetally_proto::visitor::Place;
use worker::{Cf, Request};

use crate::agent::Hints;
use crate::bots::Network;
use crate::collect::Head;

impl Head {
    /// What counts of a request.
    pub fn of(request: &Request) -> Self {
        let header = |name: &str| request.headers().get(name).ok().flatten();
        let has = |name: &str| request.headers().has(name).unwrap_or(false);
        Self {
            content_type: header("Content-Type"),
            content_encoding: header("Content-Encoding"),
            origin: header("Origin"),
            authorization: header("Authorization"),
            user_agent: header("User-Agent").unwrap_or_default(),
            gpc: header("Sec-GPC").as_deref() == Some("1"),
            address: header("CF-Connecting-IP").unwrap_or_else(|| "127.0.0.1".to_owned()),
            hints: Hints {
                brands: header("Sec-CH-UA"),
                mobile: header("Sec-CH-UA-Mobile"),
                platform: header("Sec-CH-UA-Platform"),
            },
            has_accept: has("Accept"),
            has_accept_language: has("Accept-Language"),
            has_sec_fetch: has("Sec-Fetch-Mode"),
            is_secure: is_secure(request),
            place: request.cf().and_then(place),
            network: request.cf().map(network).unwrap_or_default(),
        }
    }
}

/// Browsers send `Sec-Fetch-*` to secure addresses only; the machine itself counts as one.
fn is_secure(request: &Request) -> bool {
    let url = request.url().ok();
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    is_local || url.is_some_and(|url| url.scheme() == "https")
}

fn place(cf: &Cf) -> Option<Place> {
    Place::of(cf.country().as_deref(), cf.region().as_deref(), cf.city().as_deref())
}

fn network(cf: &Cf) -> Network {
    let managed = cf.bot_management();
    let is_verified = managed.as_ref().is_some_and(|managed| managed.verified_bot());
    let category = cf.verified_bot_category().unwrap_or_default();
    Network {
        number: cf.asn(),
        human_score: managed.map_or(0, |managed| managed.score()),
        is_verified_bot: is_verified || !category.is_empty(),
    }
}
