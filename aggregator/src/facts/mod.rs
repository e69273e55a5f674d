//! Facts as JSON: sessions, orders and persons, read from a snapshot.

pub mod campaign;
pub mod list;
pub mod order;
pub mod session;
