//! Tests of the shared core through its public face; the same run natively and under wasm32.

#![cfg_attr(
    target_arch = "wasm32",
    allow(dead_code, reason = "property tests run natively only")
)]

mod golden;
#[cfg(not(target_arch = "wasm32"))]
mod laws;
mod samples;
mod validate;
