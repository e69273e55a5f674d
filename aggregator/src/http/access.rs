//! Who may do what, as extractors: a handler that takes one is not reached by anybody else.
//!
//! They look in one order, so that whoever has no key learns nothing, not even that the request
//! is wrong: key (401), its kind (403), the site (400, 403 if the key is of another one, 404), and
//! only then what else is asked.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use edgetally_proto::edge_config::KeyKind;
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::auth::{Caller, May};
use super::extract::{Body, Params, drain};
use super::problem::Problem;
use super::{App, list, query};
use crate::calendar::Calendar;
use crate::view::SiteView;

/// What a key must be good for.
pub trait Role: Send + Sync + 'static {
    /// The kind of key that is enough; an admin key always is.
    const KIND: KeyKind;
    /// Whether a request that names no site is about the key's own.
    const OWN_SITE: bool = false;

    /// Lets pass whoever may.
    ///
    /// # Errors
    /// If the key is of another kind.
    fn admit(caller: &Caller) -> Result<(), Problem> {
        match caller.may {
            May::All => Ok(()),
            May::Site(_, kind) if kind == Self::KIND => Ok(()),
            May::Site(..) => {
                let name = format!("{:?}", Self::KIND).to_lowercase();
                Err(Problem::key_forbidden(format!("this takes a key of kind {name}")))
            }
        }
    }
}

/// Reads reports.
pub struct Read;
/// Reads reports, of the key's own site unless another one is named.
pub struct ReadOwn;
/// Tells of orders and costs, from the shop's servers.
pub struct Serve;
/// Changes what others see.
pub struct Manage;

impl Role for Read {
    const KIND: KeyKind = KeyKind::Read;
}

impl Role for ReadOwn {
    const KIND: KeyKind = KeyKind::Read;
    const OWN_SITE: bool = true;
}

impl Role for Serve {
    const KIND: KeyKind = KeyKind::Server;
    const OWN_SITE: bool = true;
}

impl Role for Manage {
    const KIND: KeyKind = KeyKind::Admin;
}

/// A request without further parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A site that there is.
#[derive(Clone)]
pub struct Site {
    /// Its name.
    pub id: SiteId,
    /// Its settings.
    pub settings: SiteSettings,
    /// Its days.
    pub zone: Calendar,
}

impl Site {
    /// The site of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(app: &App, id: SiteId) -> Result<Self, Problem> {
        let view = app.engine.shared.view.load();
        let entry = view.directory.sites.get(&id).ok_or_else(Problem::unknown_site)?;
        Ok(Self { settings: entry.settings.clone(), zone: entry.calendar(), id })
    }

    /// What is known of it at this moment.
    pub fn view(&self, app: &App) -> Arc<SiteView> {
        let view = app.engine.shared.view.load();
        let (zone, rev_base) = (self.zone.clone(), view.rev_base);
        let empty = || SiteView { zone, rev_base, ..SiteView::default() }.into();
        view.sites.get(&self.id).cloned().unwrap_or_else(empty)
    }
}

/// Whoever has a key of that role, whatever the site; before a body is read.
pub struct By<R: Role> {
    /// Who.
    pub caller: Caller,
    role: PhantomData<R>,
}

/// A reader, of whichever site.
pub type AnyReader = By<Read>;
/// An administrator.
pub type Admin = By<Manage>;

impl<R: Role> By<R> {
    fn of(app: &App, parts: &Parts) -> Result<Self, Problem> {
        let caller = Caller::of(app, parts)?;
        R::admit(&caller)?;
        Ok(Self { caller, role: PhantomData })
    }

    /// The site that a request names, or may leave out.
    fn site(&self, named: Option<&str>) -> Result<SiteId, Problem> {
        let site = match self.caller.own_site().filter(|_| R::OWN_SITE) {
            Some(own) if named.is_none() => own.clone(),
            _ => list::site(named)?,
        };
        self.caller.on(&site)?;
        Ok(site)
    }
}

impl<R: Role> FromRequestParts<App> for By<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Self::of(app, parts)
    }
}

/// Whoever has a key of that role, and the body as it was sent.
pub struct Sent<R: Role> {
    /// Who.
    pub caller: Caller,
    /// The whole body.
    pub body: Bytes,
    role: PhantomData<R>,
}

/// An administrator and what he sent.
pub type AdminSent = Sent<Manage>;

impl<R: Role> FromRequest<App> for Sent<R> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (by, _, body) = admitted::<R>(request, app).await?;
        Ok(Self { caller: by.caller, body, role: PhantomData })
    }
}

/// Who sent a request, its address and its body. The body of whoever is refused is read too, and
/// dropped: a sender that is still sending when the connection closes never sees the answer.
async fn admitted<R: Role>(request: Request, app: &App) -> Result<(By<R>, Parts, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    match By::of(app, &parts) {
        Ok(by) => {
            let Body(body) = Body::read(body).await?;
            Ok((by, parts, body))
        }
        Err(problem) => {
            drain(body).await;
            Err(problem)
        }
    }
}

/// A site of the address (`?site=`), for whoever has a key of that role, and the other parameters.
pub struct Of<R: Role, T> {
    /// Who.
    pub caller: Caller,
    /// The site.
    pub site: Site,
    /// The parameters but `site`.
    pub asked: T,
    role: PhantomData<R>,
}

/// A reader of a site.
pub type Reader<T = Nothing> = Of<Read, T>;
/// A reader of a site; his key says of which where the address does not.
pub type OwnReader<T = Nothing> = Of<ReadOwn, T>;
/// An administrator who speaks of a site.
pub type AdminOf<T = Nothing> = Of<Manage, T>;
/// A server of a site; its key says of which where the address does not.
pub type Server<T = Nothing> = Of<Serve, T>;

impl<R: Role, T: DeserializeOwned> FromRequestParts<App> for Of<R, T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let by = By::<R>::of(app, parts)?;
        let (site, rest) = Params::split(parts.uri.query().unwrap_or_default(), "site")?;
        let site = Site::find(app, by.site(site.as_deref())?)?;
        let asked = Params::read(&rest)?.0;
        Ok(Self { caller: by.caller, site, asked, role: PhantomData })
    }
}

/// A body that may name a site.
pub trait NamesSite: DeserializeOwned {
    /// The site, as it is written there.
    fn site(&self) -> Option<&str>;
}

/// A JSON body about a site, which the body names, or the address, for whoever has a key of that
/// role. Whether there is such a site is not asked.
pub struct Told<R: Role, T> {
    /// Who.
    pub caller: Caller,
    /// The name of the site.
    pub site: SiteId,
    /// The body.
    pub asked: T,
    role: PhantomData<R>,
}

/// What a reader asks by a body.
pub type ReaderTold<T> = Told<Read, T>;
/// What a server tells of a site; its key says of which where neither address nor body does.
pub type ServerTold<T> = Told<Serve, T>;
/// What an administrator says of a site.
pub type AdminTold<T> = Told<Manage, T>;

impl<R: Role, T: NamesSite> FromRequest<App> for Told<R, T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (by, parts, body) = admitted::<R>(request, app).await?;
        let (address, rest) = Params::split(parts.uri.query().unwrap_or_default(), "site")?;
        let Params(Nothing {}) = Params::read(&rest)?;
        let asked: T = query::json(&body)?;
        let (address, told) = (address.as_deref(), asked.site());
        if address.is_some() && told.is_some() && address != told {
            return Err(Problem::invalid("site", "the address names another site"));
        }
        let site = by.site(told.or(address))?;
        Ok(Self { caller: by.caller, site, asked, role: PhantomData })
    }
}
