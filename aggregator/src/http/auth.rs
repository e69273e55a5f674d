//! Who asks: keys in the header, compared in constant time, or the cookie of a login.

use std::sync::PoisonError;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use edgetally_proto::edge_config::KeyKind;
use edgetally_proto::ids::SiteId;
use edgetally_proto::sign::key_hash;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use super::problem::Problem;
use super::{App, now_ms};
use crate::audit::{Act, Note};
use crate::store::engine::Command;

/// The cookie of a login.
pub const COOKIE: &str = "edgetally_login";
/// The key of the environment, by name.
const ENVIRONMENT: &str = "environment";

/// What whoever asks may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum May {
    /// Everything, on every site.
    All,
    /// What a key of that kind opens, on one site.
    Site(SiteId, KeyKind),
}

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What names him without opening anything: the id of a key or link, `environment`, or
    /// `login:<id>`.
    pub name: String,
    /// What he may do.
    pub may: May,
}

/// What stands before the id of a login in a caller's name.
const LOGIN: &str = "login:";
/// What stands before a key among the protocols that a page offers for a WebSocket.
const OFFERED: &str = "bearer.";

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // The scheme is read as RFC 9110 says, in any case.
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Pages cannot set headers of a WebSocket; addresses end up in logs.
fn offered(headers: &HeaderMap) -> Option<&str> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = offers.filter_map(|value| value.to_str().ok());
    let mut offers = offers.flat_map(|value| value.split(','));
    offers.find_map(|offer| offer.trim().strip_prefix(OFFERED))
}

/// What the cookie of a login holds.
#[must_use]
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim())
}

/// Refuses what a page of somewhere else has a browser send along with our cookie.
///
/// # Errors
/// If another origin sent the request, or it changes something and nothing says who sent it.
pub fn same_origin(parts: &Parts) -> Result<(), Problem> {
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let is_read = matches!(parts.method, Method::GET | Method::HEAD)
        && !parts.headers.contains_key(header::UPGRADE);
    let is_ours = match text("sec-fetch-site") {
        // Whoever types the address comes from nowhere.
        Some(site) => site == "same-origin" || is_read && site == "none",
        None => match (text("origin"), text("host")) {
            (Some(origin), Some(host)) => {
                origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
            }
            (Some(_), None) => false,
            (None, _) => is_read,
        },
    };
    if is_ours {
        return Ok(());
    }
    let detail = "with the cookie of a login only pages of this address may ask this";
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
}

impl Caller {
    /// Finds out who asks. A key in the header goes before the cookie.
    ///
    /// # Errors
    /// If the request bears no key and no login, or one that is not known; if a page of somewhere
    /// else sent it with the cookie.
    pub fn of(app: &App, parts: &Parts) -> Result<Self, Problem> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Self::by_key(app, bearer(&parts.headers).ok_or_else(Problem::key_invalid)?);
        }
        if let Some(key) = offered(&parts.headers) {
            return Self::by_key(app, key);
        }
        let hash = key_hash(cookie(&parts.headers).ok_or_else(Problem::key_invalid)?);
        let logins = app.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let id = logins.find(&hash, now_ms()).ok_or_else(Problem::key_invalid)?;
        let caller = Self { name: format!("{LOGIN}{id}"), may: May::All };
        same_origin(parts).map(|()| caller)
    }

    /// Whether what was opened with this is still open: the key or link is there, the login holds.
    #[must_use]
    pub fn is_admitted(&self, app: &App) -> bool {
        if let Some(id) = self.name.strip_prefix(LOGIN) {
            let logins = app.logins.lock().unwrap_or_else(PoisonError::into_inner);
            return logins.holds(id, now_ms());
        }
        let directory = &app.engine.shared.view.load().directory;
        let name = self.name.as_str();
        name == ENVIRONMENT
            || directory.keys.contains_key(name)
            || directory.links.contains_key(name)
    }

    fn by_key(app: &App, key: &str) -> Result<Self, Problem> {
        let hash = key_hash(key);
        let is_same = |known: &str| bool::from(known.as_bytes().ct_eq(hash.as_bytes()));
        if app.admin_hash.as_deref().is_some_and(is_same) {
            return Ok(Self { name: ENVIRONMENT.to_owned(), may: May::All });
        }
        let directory = &app.engine.shared.view.load().directory;
        if let Some(key) = directory.keys.values().find(|key| is_same(&key.hash)) {
            let may = match key.kind {
                KeyKind::Admin => May::All,
                kind => May::Site(key.site.clone(), kind),
            };
            return Ok(Self { name: key.id.clone(), may });
        }
        let link = directory.links.values().find(|link| is_same(&link.hash));
        let link = link.ok_or_else(Problem::key_invalid)?;
        Ok(Self { name: link.id.clone(), may: May::Site(link.site.clone(), KeyKind::Read) })
    }

    /// The site of the key, where it has one.
    #[must_use]
    pub fn own_site(&self) -> Option<&SiteId> {
        match &self.may {
            May::All => None,
            May::Site(site, _) => Some(site),
        }
    }

    /// Lets pass whoever may do something on a site.
    ///
    /// # Errors
    /// If the key belongs to another one.
    pub fn on(&self, site: &SiteId) -> Result<(), Problem> {
        match self.own_site() {
            Some(own) if own != site => {
                Err(Problem::key_forbidden("the key belongs to another site"))
            }
            _ => Ok(()),
        }
    }

    /// A note for the audit log that he does something now.
    #[must_use]
    pub fn note(&self, act: Act, site: Option<&SiteId>, about: Option<String>) -> Note {
        Note { at_ms: now_ms(), who: self.name.clone(), act, site: site.cloned(), about }
    }
}

/// Makes a note durable that goes with no change of the state.
///
/// # Errors
/// If the program takes none now.
pub async fn noted(app: &App, note: Note) -> Result<(), Problem> {
    let (reply, done) = oneshot::channel();
    app.engine.send(Command::Note { note, reply })?;
    done.await.map_err(|_| Problem::not_ready())
}

/// Something that nobody can guess, as hexadecimal digits.
///
/// # Errors
/// If the system gives no randomness.
pub fn random_hex(bytes: usize) -> Result<String, Problem> {
    let mut random = vec![0u8; bytes];
    getrandom::fill(&mut random).map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
    })?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_come_as_a_protocol() {
        let check = |offered: &str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offered.parse().unwrap());
            assert_eq!(super::offered(&headers), expected, "{offered}");
        };
        check("edgetally, bearer.rk_1", Some("rk_1"));
        check("bearer.rk_1,edgetally", Some("rk_1"));
        check("edgetally", None);
    }
}
