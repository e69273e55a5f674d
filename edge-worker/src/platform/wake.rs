//! Waking: after a start, shards that hold a backlog would sleep on until their next event.

use std::cell::Cell;

use futures_util::future::join_all;
use worker::{Context, Env, Result};

use super::{bindings, directory};

/// Shards that are woken at the same time.
const AT_ONCE: usize = 16;

thread_local! {
    static WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// Wakes every shard of the map once in the life of an isolate, beside the request.
pub fn wake_once(env: &Env, context: &Context) {
    if !WOKEN.replace(true) {
        let env = env.clone();
        context.wait_until(async move {
            let all = wake_all(&env).await;
            WOKEN.set(all);
        });
    }
}

/// Wakes every shard that any settings ever sent events to; says whether all were reached.
pub async fn wake_all(env: &Env) -> bool {
    let names = match names(env).await {
        Ok(names) => names,
        Err(error) => {
            worker::console_log!("wake: {error}");
            return false;
        }
    };
    let mut all = true;
    for names in names.chunks(AT_ONCE) {
        for woken in join_all(names.iter().map(|name| wake(env, name))).await {
            if let Err(error) = woken {
                // The others must not wait for it.
                worker::console_log!("wake: {error}");
                all = false;
            }
        }
    }
    all
}

async fn names(env: &Env) -> Result<Vec<String>> {
    let url = format!("https://object{}", directory::SHARDS);
    bindings::directory(env)?.fetch_with_str(&url).await?.json().await
}

async fn wake(env: &Env, name: &str) -> Result<()> {
    let answer = bindings::call(&bindings::shard(env, name)?, bindings::WAKE, &[]).await?;
    match answer.status_code() {
        200..300 => Ok(()),
        status => Err(format!("{name} answered {status}").into()),
    }
}
