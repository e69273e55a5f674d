//! Tests of the shared core through its public face; the same run natively and under wasm32.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and may say what it measured"
)]

#[cfg(not(target_arch = "wasm32"))]
mod archive;
mod channel;
mod golden;
#[cfg(not(target_arch = "wasm32"))]
mod json;
#[cfg(not(target_arch = "wasm32"))]
mod laws;
mod samples;
#[cfg(not(target_arch = "wasm32"))]
mod sizes;
mod sketches;
mod validate;
