//! The activity of the sessions of a chunk.

use std::ops::Range;

use super::Dictionaries;
use super::chunk::Chunk;
use super::codes::Codes;
use crate::texts::TextId;
use crate::view::SiteView;

/// The activity of the sessions of a chunk, one session after the other, each in order.
#[derive(Debug)]
pub struct Events {
    /// Where the activity of each session ends.
    ends: Box<[u32]>,
    /// Milliseconds from the beginning of the quarter to each event.
    pub after_ms: Box<[u32]>,
    /// Their records.
    pub records: Box<[u32]>,
    /// Their names.
    pub names: Codes,
    /// Their pages.
    pub pages: Codes,
}

impl Events {
    /// Where the activity of a session stands, by its place in the chunk.
    #[must_use]
    pub fn of_session(&self, at: usize) -> Range<usize> {
        let end = |at: usize| self.ends.get(at).and_then(|end| usize::try_from(*end).ok());
        let first = at.checked_sub(1).and_then(end).unwrap_or_default();
        first..end(at).unwrap_or(first)
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * (self.ends.len() + self.after_ms.len() + self.records.len())
            + self.names.bytes()
            + self.pages.bytes()
    }
}

/// Events before their values have codes.
#[derive(Debug, Default)]
pub(super) struct Raw {
    ends: Vec<u32>,
    after_ms: Vec<u32>,
    records: Vec<u32>,
    names: Vec<Option<TextId>>,
    pages: Vec<Option<TextId>>,
}

impl Raw {
    /// Reads the activity of a chunk's sessions; none if it cannot be held.
    pub(super) fn of(site: &SiteView, chunk: &Chunk) -> Option<Self> {
        let mut raw = Self::default();
        for row in &chunk.rows {
            let start_ms = chunk.from_ms + i64::from(row.begins_ms);
            let session = site.sessions.get(&(start_ms, row.record))?;
            for entry in site.entries_of(session) {
                let (name, page) = site.records.seen(entry.record)?;
                raw.after_ms.push(u32::try_from(entry.occurred_at_ms - chunk.from_ms).ok()?);
                raw.records.push(entry.record);
                raw.names.push(Some(name));
                raw.pages.push(page);
            }
            raw.ends.push(u32::try_from(raw.records.len()).ok()?);
        }
        Some(raw)
    }

    pub(super) fn coded(self, dictionaries: &mut Dictionaries) -> Events {
        Events {
            ends: self.ends.into(),
            after_ms: self.after_ms.into(),
            records: self.records.into(),
            names: dictionaries.names.codes(&self.names),
            pages: dictionaries.pages.codes(&self.pages),
        }
    }
}
