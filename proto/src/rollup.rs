//! Counters, one cell for a key, merged by addition.
//!
//! They are sums, so a frame must be applied exactly once; the sequence protocol sees to that.

use crate::error::RejectCode;
use crate::event::Platform;
use crate::record::{Flags, Record, Ref};
use crate::time::second_of;

/// Accepted events of one UTC second, name and platform. Of bots apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// UTC second of the event time, from the epoch.
    pub second: i64,
    /// Name, in the tables of the site.
    pub name: Ref,
    /// Where the events came from.
    pub platform: Platform,
    /// Whether bots sent them.
    pub bot: bool,
}

impl CounterKey {
    /// The cell that a record counts in.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            second: second_of(record.occurred_at_ms),
            name: record.name,
            platform: record.platform,
            bot: record.flags.has(Flags::BOT),
        }
    }
}

/// Rejected events of one UTC second of receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RejectKey {
    /// UTC second of receipt, from the epoch.
    pub second: i64,
    /// Why.
    pub code: RejectCode,
}
