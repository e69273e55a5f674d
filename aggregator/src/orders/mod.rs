//! Orders: what the events of one order say together, and the sums over all of them.

pub mod ledger;
pub mod returns;
pub mod sales;
pub mod settle;
