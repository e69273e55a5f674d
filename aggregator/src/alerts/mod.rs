//! Alerts: rules over the metrics of queries, what they found, and who is told of it.
//!
//! A rule is read from the settings (`rule`), measured as a query is (`measure`), and put through
//! a state machine without a clock (`machine`). What was found and whom it is still to be told
//! stands in the book of the site (`book`), which is in the log like everything else, so that a
//! start neither forgets an alert nor tells it twice.

pub mod target;
pub mod rule;
pub mod measure;
pub mod machine;
pub mod shelf;
pub mod book;
pub mod checks;
pub mod notice;
pub mod report;
