//! The sessions that begin in one quarter of an hour.

use std::sync::OnceLock;

use super::Dictionaries;
use super::codes::Codes;
use super::events::Events;
use crate::merge::Level;
use crate::people::SessionRow;
use crate::presence::PersonId;
use crate::records::{Clues, Origin};
use crate::sessionize::Why;
use crate::texts::TextId;
use crate::view::SiteView;

/// One session of a chunk, without what it can be grouped by.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Milliseconds from the beginning of the quarter to its first event.
    pub begins_ms: u32,
    /// Milliseconds from its first event to its last.
    pub lasts_ms: u32,
    /// Record of its first event.
    pub record: u32,
    /// Whose it is.
    pub person: PersonId,
    /// How many activity events it has.
    pub events: u32,
    /// Of them, page views; the two highest bits say whether something was ordered in it, and
    /// whether it is the first of its person.
    views: u32,
}

const CONVERTED: u32 = 1 << 31;
const FIRST: u32 = 1 << 30;

impl Row {
    /// None if a number does not fit, which takes a session of seven weeks.
    fn of(site: &SiteView, row: &SessionRow, from_ms: i64) -> Option<Self> {
        let is_converted = site.orders_of(row.record).next().is_some();
        let marks = if is_converted { CONVERTED } else { 0 }
            | if row.why == Why::FIRST { FIRST } else { 0 };
        Some(Self {
            begins_ms: u32::try_from(row.start_ms - from_ms).ok()?,
            lasts_ms: u32::try_from(row.end_ms - row.start_ms).ok()?,
            record: row.record,
            person: row.person,
            events: row.events,
            views: (row.pageviews < FIRST).then_some(row.pageviews | marks)?,
        })
    }

    /// How many page views it has.
    #[must_use]
    pub fn views(&self) -> u32 {
        self.views & (FIRST - 1)
    }

    /// Whether something was ordered in it.
    #[must_use]
    pub fn is_converted(&self) -> bool {
        self.views & CONVERTED != 0
    }

    /// Whether it is the first of its person.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.views & FIRST != 0
    }
}

/// The sessions that begin in one quarter of an hour, in the order of their beginning.
#[derive(Debug)]
pub struct Chunk {
    /// Of when it is.
    pub stamp: u64,
    /// When the quarter begins.
    pub from_ms: i64,
    /// When the last event of any of them is.
    pub ends_ms: i64,
    /// The sessions.
    pub rows: Box<[Row]>,
    /// Their attributed touches.
    pub touches: Codes,
    /// Where their first events came from.
    pub origins: Codes,
    /// Their first pages.
    pub entries: Codes,
    /// Their last pages.
    pub exits: Codes,
    /// Their activity, once somebody asked for it; none if it cannot be held.
    pub(super) events: OnceLock<Option<Events>>,
}

impl Chunk {
    /// The activity of its sessions, if it was asked for.
    #[must_use]
    pub fn events(&self) -> Option<&Events> {
        self.events.get()?.as_ref()
    }

    /// Bytes that it takes, without events.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let codes = [&self.touches, &self.origins, &self.entries, &self.exits];
        let codes: usize = codes.into_iter().map(Codes::bytes).sum();
        size_of::<Self>() + self.rows.len() * size_of::<Row>() + codes
    }
}

/// A chunk before its values have codes.
#[derive(Debug)]
pub(super) struct Raw {
    from_ms: i64,
    ends_ms: i64,
    rows: Vec<Row>,
    touches: Vec<Option<Clues>>,
    origins: Vec<Option<Origin>>,
    entries: Vec<Option<TextId>>,
    exits: Vec<Option<TextId>>,
}

impl Raw {
    /// Reads the sessions of a quarter of an hour; none if one of them cannot be held.
    pub(super) fn of(site: &SiteView, quarter: i64) -> Option<Self> {
        let from_ms = quarter * Level::Quarter.slot_ms();
        let to_ms = from_ms + Level::Quarter.slot_ms();
        let mut raw = Self {
            from_ms,
            ends_ms: from_ms,
            rows: Vec::new(),
            touches: Vec::new(),
            origins: Vec::new(),
            entries: Vec::new(),
            exits: Vec::new(),
        };
        for (_, row) in site.sessions.range((from_ms, 0)..(to_ms, 0)) {
            raw.ends_ms = raw.ends_ms.max(row.end_ms);
            raw.rows.push(Row::of(site, row, from_ms)?);
            let touch = row.attributed.and_then(|touch| site.records.clues(touch.record));
            raw.touches.push(touch);
            raw.origins.push(site.records.origin(row.record));
            raw.entries.push(row.entry_page);
            raw.exits.push(row.exit_page);
        }
        Some(raw)
    }

    /// The chunk, as it was at a stamp.
    pub(super) fn coded(self, stamp: u64, dictionaries: &mut Dictionaries) -> Chunk {
        Chunk {
            stamp,
            from_ms: self.from_ms,
            ends_ms: self.ends_ms,
            rows: self.rows.into(),
            touches: dictionaries.touches.codes(&self.touches),
            origins: dictionaries.origins.codes(&self.origins),
            entries: dictionaries.pages.codes(&self.entries),
            exits: dictionaries.pages.codes(&self.exits),
            events: OnceLock::new(),
        }
    }
}
