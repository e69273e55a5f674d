//! x
pub mod dedup;
pub mod merge;
pub mod texts;
pub mod identity;
pub mod records;
pub mod timeline;
pub mod orders;
pub mod presence;
pub mod zone;
pub mod site;
