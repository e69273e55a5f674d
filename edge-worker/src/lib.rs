//! The Cloudflare Worker: validates, rate-limits and pre-aggregates events next to the visitor.
//!
//! Only [`platform`] names the platform's crate; every other file is pure, takes `now` as an
//! argument, and runs natively in tests. Modules stand in the order in which an event meets them.

pub mod config;

pub mod collect;
pub mod compat;
pub mod rate_limit;
pub mod leases;

pub mod agent;
pub mod bots;
pub mod enrich;
pub mod judge;
pub mod route;

pub mod known_ids;

pub mod outbox;
pub mod store;
pub mod waiting;
pub mod archivist;
pub mod shard;

#[cfg(all(target_arch = "wasm32", not(feature = "pure")))]
pub mod platform;
