//! Events by the chunk: how many there are of some names, by whatever they say.

use smallvec::SmallVec;

use super::cell::Role;
use super::lens::{self, Lens};
use super::{Key, Scan};
use crate::columns::{self, Chunk, quarter_of};
use crate::merge::Level;
use crate::query::metric::Metric;
use crate::query::symbols::Symbols;

/// The counts of the bucket that was looked at last, by group and metric.
#[derive(Debug, Default)]
struct Open {
    bucket: usize,
    counts: Vec<i64>,
    touched: Vec<u32>,
}

impl Open {
    /// Counts an event of a group under each metric whose bit is set.
    fn count(&mut self, group: u32, bits: u32, metrics: usize) {
        let first = usize::try_from(group).unwrap_or_default() * metrics;
        if self.counts.len() < first + metrics {
            self.counts.resize(first + metrics, 0);
        }
        let Some(counts) = self.counts.get_mut(first..first + metrics) else { return };
        if counts.iter().all(|count| *count == 0) {
            self.touched.push(group);
        }
        for (at, count) in counts.iter_mut().enumerate() {
            *count += i64::from(bits >> at & 1);
        }
    }
}

impl Scan<'_> {
    /// Whether nothing is asked of events but how many there are.
    pub(super) fn only_counts(&self) -> bool {
        let is_count = |metric: &Metric| match metric {
            Metric::Events(_) => true,
            metric => !metric.is_of_events(),
        };
        let by_each = (self.wants.sessions || self.wants.visitors) && self.wants.by_event;
        !by_each && !self.wants.by_exposure && self.plan.metrics.iter().all(is_count)
    }

    /// Adds the activity of the range; false, with nothing done, if chunks do not tell enough of
    /// what is asked.
    pub(super) fn add_hits(&mut self) -> bool {
        let (site, range) = (self.site, self.plan.range);
        if range.from_ms >= range.to_ms || !self.only_counts() {
            return false;
        }
        let is_told = self.plan.asked().iter().all(|by| lens::is_told(*by, true));
        let earliest = quarter_of(range.from_ms.saturating_sub(site.longest_session_ms));
        let quarters = [earliest, quarter_of(range.to_ms - 1)];
        let (chunks, values) = columns::chunks(site, quarters, true);
        let filter = self.plan.filter.as_ref();
        let mut lens = match is_told {
            true => Lens::new(filter, &self.keys, self.reader, &values),
            false => None,
        };
        let roles: Vec<Role> =
            values.names.iter().map(|name| self.role(name.unwrap_or_default())).collect();
        let mut open = Open::default();
        for (quarter, chunk) in chunks {
            match chunk {
                Some(chunk) if chunk.ends_ms < range.from_ms => {}
                Some(chunk) => self.add_hits_of(&chunk, &roles, lens.as_mut(), &mut open),
                None => {
                    let from_ms = quarter * Level::Quarter.slot_ms();
                    let to_ms = (from_ms + Level::Quarter.slot_ms()).min(range.to_ms);
                    self.add_activity_of(None, from_ms, to_ms);
                }
            }
        }
        if let Some(lens) = &lens {
            self.close_counts(&mut open, lens);
        }
        true
    }

    fn add_hits_of(
        &mut self,
        chunk: &Chunk,
        roles: &[Role],
        mut lens: Option<&mut Lens>,
        open: &mut Open,
    ) {
        let Some(events) = chunk.events() else { return };
        let (mut names, metrics) = (Vec::new(), self.plan.metrics.len());
        events.names.read_into(&mut names);
        if let Some(lens) = lens.as_deref_mut() {
            lens.look_at(chunk, Some(events));
        }
        let first = self.bucket_of(chunk.from_ms);
        let is_one = first.is_some() && first == self.bucket_of(chunk.ends_ms);
        for session in 0..chunk.rows.len() {
            for event in events.of_session(session) {
                let name = names.get(event).and_then(|name| usize::try_from(*name).ok());
                let role = name.and_then(|name| roles.get(name)).copied().unwrap_or_default();
                if role.counts() == 0 {
                    continue;
                }
                let after_ms = events.after_ms.get(event).copied().unwrap_or_default();
                let at_ms = chunk.from_ms + i64::from(after_ms);
                let bucket = if is_one { first } else { self.bucket_of(at_ms) };
                let Some(bucket) = bucket else { continue };
                let Some(lens) = lens.as_deref_mut() else {
                    self.add_hit(chunk, (session, event), bucket, role);
                    continue;
                };
                let Some(group) = lens.group((session, event)) else { continue };
                if bucket != open.bucket {
                    self.close_counts(open, lens);
                    open.bucket = bucket;
                }
                open.count(group, role.counts(), metrics);
            }
        }
    }

    /// Adds an event whose record has to be read to tell where it counts.
    fn add_hit(&mut self, chunk: &Chunk, of: (usize, usize), bucket: usize, role: Role) {
        let (site, plan, (session, event)) = (self.site, self.plan, of);
        let record = chunk.events().and_then(|events| events.records.get(event));
        let Some(record) = record.and_then(|number| site.record(*number)) else { return };
        let row = chunk.rows.get(session).filter(|_| self.wants.by_visit);
        let place = row.map(|row| (chunk.from_ms + i64::from(row.begins_ms), row.record));
        let row = place.and_then(|place| site.sessions.get(&place)).map(AsRef::as_ref);
        let keys: SmallVec<[Key; 1]> = self.keys_of(&record, row, [Symbols::NONE; 2]);
        for key in keys {
            self.cell(bucket, &key).add_event(plan, &record, role);
        }
    }

    fn close_counts(&mut self, open: &mut Open, lens: &Lens) {
        let metrics = self.plan.metrics.len();
        for group in std::mem::take(&mut open.touched) {
            let first = usize::try_from(group).unwrap_or_default() * metrics;
            let Some(counts) = open.counts.get_mut(first..first + metrics) else { continue };
            let cell = self.cells.entry((open.bucket, lens.key(group))).or_default();
            for (at, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count != 0) {
                cell.count(at, std::mem::take(count));
            }
        }
    }
}
