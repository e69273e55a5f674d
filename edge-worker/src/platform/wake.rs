//! Waking: after a start, shards that hold a backlog would sleep on until their next event.

use std::cell::Cell;
use std::collections::BTreeSet;

use worker::{Env, Result};

use super::{bindings, settings};
use crate::route::{region, shards_of_region};

thread_local! {
    static WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// Wakes every shard of the map once in the life of an isolate.
pub async fn wake_once(env: &Env) {
    if !WOKEN.replace(true) && !wake_all(env).await {
        WOKEN.set(false);
    }
}

/// Wakes every shard of the regions that sites live in; says whether all were reached.
pub async fn wake_all(env: &Env) -> bool {
    let outcome = wake_regions(env).await;
    if let Err(error) = &outcome {
        worker::console_log!("wake: {error}");
    }
    outcome.is_ok()
}

async fn wake_regions(env: &Env) -> Result<()> {
    let current = settings::current(env).await?;
    let regions: BTreeSet<&str> =
        current.settings.sites().map(|(_, site)| region(&site.home_region)).collect();
    for name in regions.into_iter().flat_map(shards_of_region) {
        bindings::call(&bindings::shard(env, &name)?, bindings::WAKE, &[]).await?;
    }
    Ok(())
}
