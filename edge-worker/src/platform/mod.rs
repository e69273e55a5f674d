//! The platform: the only place that names the `worker` crate.
//!
//! Thin shells around the pure parts: load state, call the pure type, save, set the alarm. What is
//! in memory is only what nobody was told is done, or a copy of what is stored: a panic anywhere in
//! the isolate, a deploy or ten idle seconds take all memory away.

mod archive;
mod bindings;
mod directory;
mod events;
mod forward;
mod glue;
mod head;
mod limiter;
mod routes;
mod settings;
mod shard;
mod storage;
mod wake;

use worker::worker_sys::web_sys;
use worker::{Context, Env, Request, Result, ScheduleContext, ScheduledEvent, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<web_sys::Response> {
    routes::answer(request, &env, &context).await
}

/// Each minute: wakes the shards that may hold a backlog.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    wake::wake_all(&env).await;
}
