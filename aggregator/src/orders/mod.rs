//! Orders: what the events of one order and the back office say together, and the sums over all of
//! them.

pub mod cells;
pub mod daily;
pub mod draft;
pub mod ledger;
pub mod markets;
pub mod rebuild;
pub mod returns;
pub mod sales;
pub mod settle;
pub mod statistics;
pub mod told;
