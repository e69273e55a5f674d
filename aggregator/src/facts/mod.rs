//! Facts as JSON: sessions, orders and persons, read from a snapshot.

pub mod campaign;
pub mod changes;
pub mod event;
pub mod list;
pub mod order;
pub mod person;
pub mod session;
