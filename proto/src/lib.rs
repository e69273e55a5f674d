//! The pure core that the edge and the aggregator share.
//!
//! It holds what crosses between them (frames and what is in them) and the rules that both must
//! apply alike: ids, money, time arithmetic, limits, validation. There is no clock, no I/O, no
//! async, no randomness and no `usize` on the wire here: `now` is an argument, so the same code
//! runs in tests, in simulations, in the aggregator and in wasm at the edge.
//!
//! Modules stand in the order in which data meets them.

pub mod error;
pub mod ids;
pub mod limits;
pub mod money;
pub mod time;

pub mod visitor;
pub mod sketch;

pub mod vital;

pub mod back_office;
pub mod record;
pub mod copies;
pub mod rollup;

pub mod campaign;
pub mod channel;
pub mod event;
pub mod json;
pub mod raw;
pub mod validate;

pub mod batch;
pub mod weight;
mod interner;
pub mod window;
pub mod columns;
pub mod frame;

pub mod archive;

pub mod edge_config;
pub mod settings;
pub mod sign;
