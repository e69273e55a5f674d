//! Who may do what: keys in the header, compared in constant time.

use axum::http::{HeaderMap, header};
use edgetally_proto::edge_config::KeyKind;
use edgetally_proto::ids::SiteId;
use edgetally_proto::sign::key_hash;
use subtle::ConstantTimeEq;

use super::App;
use super::problem::Problem;

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// An admin key: everything, on every site.
    Admin,
    /// A key of one site.
    Site(SiteId, KeyKind),
}

/// Finds out whose key a request bears.
///
/// # Errors
/// If it bears none, or one that is not known.
pub fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = value.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let hash = key_hash(key.ok_or_else(Problem::key_invalid)?);
    let is_same = |known: &str| bool::from(known.as_bytes().ct_eq(hash.as_bytes()));
    if app.admin_hash.as_deref().is_some_and(is_same) {
        return Ok(Caller::Admin);
    }
    let view = app.engine.shared.view.load();
    let found = view.directory.keys.values().find(|key| is_same(&key.hash));
    match found {
        Some(key) if key.kind == KeyKind::Admin => Ok(Caller::Admin),
        Some(key) => Ok(Caller::Site(key.site.clone(), key.kind)),
        None => Err(Problem::key_invalid()),
    }
}

/// Lets admin keys pass.
///
/// # Errors
/// If the key is of another kind.
pub fn admin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    match caller(app, headers)? {
        Caller::Admin => Ok(()),
        Caller::Site(..) => Err(Problem::key_forbidden("this takes an admin key")),
    }
}

/// Lets read keys pass, of a given site if there is one.
///
/// # Errors
/// If the key is of another kind or site.
pub fn reader(app: &App, headers: &HeaderMap, site: Option<&SiteId>) -> Result<(), Problem> {
    match caller(app, headers)? {
        Caller::Admin => Ok(()),
        Caller::Site(_, kind) if kind != KeyKind::Read => {
            Err(Problem::key_forbidden("this takes a read key"))
        }
        Caller::Site(own, _) if site.is_some_and(|site| *site != own) => {
            Err(Problem::key_forbidden("the key belongs to another site"))
        }
        Caller::Site(..) => Ok(()),
    }
}
