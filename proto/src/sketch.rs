//! Sketches: numbers that would need every event to be exact, in little room and with bounds.
//!
//! The same events give the same bytes, in whatever order they come and on every platform: only
//! integers are kept, and what is written has one form.

pub mod distinct;
pub mod hash;
pub mod quantile;
