//! What the tests share: events made into frames, and the program as a process.

pub mod archive;
pub mod cellar;
pub mod events;
pub mod postgres;
pub mod python;
pub mod receiver;
pub mod server;
pub mod shop;
pub mod snapshot;
pub mod stream;
