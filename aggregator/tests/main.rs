//! One test binary: whole parts together, and the built program as a process.

mod support;

mod api;
mod durability;
mod examples;
mod laws;
mod live;
