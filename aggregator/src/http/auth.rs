//! Who asks: keys in the header, compared in constant time.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use edgetally_proto::edge_config::KeyKind;
use edgetally_proto::ids::SiteId;
use edgetally_proto::sign::key_hash;
use subtle::ConstantTimeEq;

use super::App;
use super::problem::Problem;

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
    /// What names him without opening anything: the id of a key, or `environment`.
    pub name: String,
    /// What he may do.
    pub may: May,
}

/// The key of the environment, by name.
const ENVIRONMENT: &str = "environment";

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // The scheme is read as RFC 9110 says, in any case.
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

impl Caller {
    /// Finds out who asks.
    ///
    /// # Errors
    /// If the request bears no key, or one that is not known.
    pub fn of(app: &App, parts: &Parts) -> Result<Self, Problem> {
        let hash = key_hash(bearer(&parts.headers).ok_or_else(Problem::key_invalid)?);
        let is_same = |known: &str| bool::from(known.as_bytes().ct_eq(hash.as_bytes()));
        if app.admin_hash.as_deref().is_some_and(is_same) {
            return Ok(Self { name: ENVIRONMENT.to_owned(), may: May::All });
        }
        let view = app.engine.shared.view.load();
        let key = view.directory.keys.values().find(|key| is_same(&key.hash));
        let key = key.ok_or_else(Problem::key_invalid)?;
        let may = match key.kind {
            KeyKind::Admin => May::All,
            kind => May::Site(key.site.clone(), kind),
        };
        Ok(Self { name: key.id.clone(), may })
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
}
