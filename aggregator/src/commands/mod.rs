//! What the program does beside serving: asking a running one, and looking after a data folder.

pub mod client;
pub mod export;

/// A command that was given wrongly.
pub const USAGE: u8 = 2;
