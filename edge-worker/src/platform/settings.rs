//! The isolate's copy of the settings: a cache, refreshed from the directory object.

use std::cell::RefCell;
use std::rc::Rc;

use edgetally_proto::sign::header;
use worker::{Env, Result};

use super::{bindings, directory};
use crate::config::{AGE_MS_MAX, Settings};

/// Settings and the salt of the day.
#[derive(Clone)]
pub struct Current {
    /// The settings.
    pub settings: Rc<Settings>,
    /// Salt of cookieless clients.
    pub salt: Rc<str>,
    at_ms: i64,
}

thread_local! {
    static CACHE: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Settings not older than [`AGE_MS_MAX`] plus the directory's own age.
pub async fn current(env: &Env) -> Result<Current> {
    let now_ms = bindings::now_ms();
    let cached = CACHE.with_borrow(Clone::clone);
    match cached {
        Some(cached) if now_ms - cached.at_ms < AGE_MS_MAX => Ok(cached),
        _ => refresh(env, false).await,
    }
}

/// Settings asked for anew; `force` makes the directory ask the aggregator.
pub async fn refresh(env: &Env, force: bool) -> Result<Current> {
    let cached = CACHE.with_borrow(Clone::clone);
    let have = cached.as_ref().map_or(0, |cached| cached.settings.version());
    let force = if force { "&force=1" } else { "" };
    let at_ms = bindings::now_ms();
    let url = format!("https://object/?have={have}{force}");
    let mut answer = bindings::directory(env)?.fetch_with_str(&url).await?;
    let salt: Rc<str> = answer.headers().get(directory::SALT)?.unwrap_or_default().into();
    let settings = match (answer.status_code(), cached) {
        (204, Some(cached)) => cached.settings,
        (200, _) => {
            let signature = answer.headers().get(header::SIGNATURE)?.unwrap_or_default();
            let secret = bindings::edge_secret(env)?;
            let body = answer.bytes().await?;
            let settings = Settings::of_answer(&secret, &body, &signature);
            Rc::new(settings.ok_or("the settings are not signed with our secret")?)
        }
        (status, _) => return Err(format!("the directory answered {status}").into()),
    };
    let current = Current { settings, salt, at_ms };
    CACHE.set(Some(current.clone()));
    Ok(current)
}
