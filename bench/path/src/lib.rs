//! The pure path of a request, what it is held against, and the traffic that both are measured
//! with: natively as a library, in workerd as a wasm module of its own.

pub mod path;
pub mod traffic;

#[cfg(target_arch = "wasm32")]
mod wasm;
