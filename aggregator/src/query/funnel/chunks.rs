//! Funnels of sessions by the chunk.

use rustc_hash::FxHashMap;

use super::path::{self, Mask};
use super::{Counter, Counts};
use crate::columns::{self, Chunk, Values, quarter_of};
use crate::merge::Level;
use crate::query::dimension::Dimension;
use crate::query::range::Range;
use crate::query::scan::lens::Lens;
use crate::texts::TextId;

/// How many got so far, by bucket and group.
type Groups = FxHashMap<(usize, u32), Counts>;

/// What codes of events stand for.
struct Codes {
    names: Vec<TextId>,
    pages: Vec<Option<TextId>>,
}

impl Counter<'_> {
    /// Counts the sessions that start in the range.
    pub(super) fn count_chunks(&mut self) {
        let (site, plan, Range { from_ms, to_ms }) = (self.site, self.plan, self.plan.range);
        if from_ms >= to_ms {
            return;
        }
        let quarters = [quarter_of(from_ms), quarter_of(to_ms - 1)];
        let (chunks, values) = columns::chunks(site, quarters, true);
        let keys: Vec<Dimension> = plan.visits().copied().collect();
        let mut lens = Lens::new(plan.filter.as_ref(), &keys, &self.reader, &values);
        let Values { names, pages, .. } = values;
        let names = names.iter().map(|name| name.unwrap_or_default()).collect();
        let codes = Codes { names, pages: pages.iter().copied().collect() };
        let mut groups = Groups::default();
        for (quarter, chunk) in chunks {
            match (chunk, &mut lens) {
                (Some(chunk), Some(lens)) => self.count_chunk(&chunk, lens, &codes, &mut groups),
                _ => {
                    let begin_ms = quarter * Level::Quarter.slot_ms();
                    let end_ms = begin_ms + Level::Quarter.slot_ms();
                    self.count_rows(begin_ms.max(from_ms), end_ms.min(to_ms));
                }
            }
        }
        let Some(lens) = lens else { return };
        for ((bucket, group), counts) in groups {
            let text = |symbol: &u32| self.reader.symbols.text(*symbol).to_string();
            let values = lens.key(group).iter().map(text).collect();
            let sum = self.counts.entry((bucket, values)).or_insert_with(|| vec![0; counts.len()]);
            super::add(sum, &counts);
        }
    }

    fn count_chunk(&self, chunk: &Chunk, lens: &mut Lens, codes: &Codes, groups: &mut Groups) {
        let Some(events) = chunk.events() else { return };
        let (Range { from_ms, to_ms }, query) = (self.plan.range, self.plan.query);
        let (mut names, mut pages) = (Vec::new(), Vec::new());
        events.names.read_into(&mut names);
        events.pages.read_into(&mut pages);
        lens.look_at(chunk, None);
        let mark = |event: usize| -> Option<Mask> {
            let name = codes.names.get(usize::try_from(*names.get(event)?).ok()?)?;
            let page = codes.pages.get(usize::try_from(*pages.get(event)?).ok()?)?;
            Some(self.marks.of_event(*name, *page))
        };
        let mut marks: Vec<Mask> = Vec::new();
        for (at, row) in chunk.rows.iter().enumerate() {
            let start_ms = chunk.from_ms + i64::from(row.begins_ms);
            if !(from_ms..to_ms).contains(&start_ms) {
                continue;
            }
            let Some(group) = lens.group((at, 0)) else { continue };
            marks.clear();
            marks.extend(events.of_session(at).map(|event| mark(event).unwrap_or_default()));
            let walk = path::walk(&marks, query.steps.len(), query.order);
            if walk.depth > 0 {
                let key = (self.plan.bucket_of(start_ms), group);
                let counts = groups.entry(key).or_insert_with(|| vec![0; query.steps.len()]);
                counts.iter_mut().take(walk.depth).for_each(|count| *count += 1);
            }
        }
    }
}
