//! Events one by one: the activity of sessions, then what is nobody's activity.

use edgetally_proto::record::Item;
use smallvec::SmallVec;

use super::whose::{Exposures, Whose};
use super::{Key, Role, Scan, seen_by, shown_as};
use crate::people::SessionRow;
use crate::query::metric::{Dimension, Metric};
use crate::query::range::Range;
use crate::query::symbols::{Symbol, Symbols};
use crate::records::Stored;
use crate::texts::{TextId, text_of};

/// Where an event is counted; of one with several products more than one.
type Keys = SmallVec<[Key; 1]>;

impl Scan<'_> {
    pub(super) fn role(&self, name: TextId) -> Role {
        let read = || Role::of(text_of(&self.site.texts, name), self.plan);
        *self.roles.borrow_mut().entry(name).or_insert_with(read)
    }

    /// The activity of the range; of sessions that begin in it, all of theirs.
    pub(super) fn add_activity(&mut self, exposures: Option<&Exposures>) {
        if exposures.is_none() && self.add_hits() {
            return;
        }
        let Range { from_ms, to_ms } = self.plan.range;
        let earliest_ms = from_ms.saturating_sub(self.site.longest_session_ms);
        self.add_activity_of(exposures, earliest_ms, to_ms);
    }

    /// The activity of sessions that begin between two instants.
    pub(super) fn add_activity_of(
        &mut self,
        exposures: Option<&Exposures>,
        from_ms: i64,
        to_ms: i64,
    ) {
        let site = self.site;
        for (_, row) in site.sessions.range((from_ms, 0)..(to_ms, 0)) {
            if row.end_ms < self.plan.range.from_ms {
                continue;
            }
            for shown in seen_by(exposures, Some(row.person), row.end_ms) {
                if self.wants.by_event {
                    self.add_each(row, shown);
                } else {
                    self.add_whole(row);
                }
            }
        }
    }

    /// The events of a session that are told by it alone.
    fn add_whole(&mut self, row: &SessionRow) {
        let reader = self.reader;
        let Some(key) = self.key(&|by| reader.of_session(row, by)) else { return };
        let bucket = self.bucket_of(row.start_ms);
        if let Some(bucket) = bucket.filter(|_| bucket == self.bucket_of(row.end_ms))
            && self.is_known_of_sessions()
        {
            let cell = self.cells.entry((bucket, key)).or_default();
            for (at, metric) in self.plan.metrics.iter().enumerate() {
                match metric {
                    Metric::Events(None) => cell.count(at, i64::from(row.events)),
                    Metric::Events(_) => cell.count(at, i64::from(row.pageviews)),
                    _ => {}
                }
            }
            return;
        }
        for entry in self.site.entries_of(row) {
            let Some(bucket) = self.bucket_of(entry.occurred_at_ms) else { continue };
            if let Some(record) = self.site.record(entry.record) {
                let (plan, role) = (self.plan, self.role(record.name));
                self.cell(bucket, &key).add_event(plan, &record, role);
            }
        }
    }

    /// Whether sessions say all that is asked of their events.
    fn is_known_of_sessions(&self) -> bool {
        let mut metrics = self.plan.metrics.iter().filter(|metric| metric.is_of_events());
        metrics.all(|metric| matches!(metric, Metric::Events(None | Some("page_view"))))
    }

    fn add_each(&mut self, row: &SessionRow, shown: [Symbol; 2]) {
        let (site, plan) = (self.site, self.plan);
        let begins = self.bucket_of(row.start_ms).filter(|_| self.wants.sessions);
        let mut seen: SmallVec<[Key; 8]> = SmallVec::new();
        for entry in site.entries_of(row) {
            let bucket = self.bucket_of(entry.occurred_at_ms);
            let Some(record) = site.record(entry.record) else { continue };
            if bucket.is_none() && begins.is_none() {
                continue;
            }
            for key in self.keys_of(&record, Some(row), shown) {
                if let Some(bucket) = bucket {
                    let (role, with_visitors) = (self.role(record.name), self.wants.visitors);
                    let cell = self.cell(bucket, &key);
                    cell.add_event(plan, &record, role);
                    if with_visitors {
                        cell.visitors.insert(row.person);
                    }
                }
                if begins.is_some() && !seen.contains(&key) {
                    seen.push(key);
                }
            }
        }
        for (bucket, key) in begins.into_iter().flat_map(|at| seen.iter().map(move |key| (at, key)))
        {
            self.cell(bucket, key).add_session(site, row);
        }
    }

    /// Events that are nobody's activity, under the visits that they belong to.
    pub(super) fn add_asides(&mut self, whose: Option<&Whose<'_>>) {
        let (site, plan) = (self.site, self.plan);
        let only_counts = self.only_counts();
        for number in site.asides.around(plan.range.from_ms, plan.range.to_ms) {
            // Most of them count for nothing, and to read a record takes its time.
            let is_counted = |(name, _)| !only_counts || self.role(name).counts() != 0;
            if !site.records.seen(number).is_some_and(is_counted) {
                continue;
            }
            let Some(record) = site.record(number).filter(|record| !record.is_superseded) else {
                continue;
            };
            let Some(bucket) = self.bucket_of(record.occurred_at_ms) else { continue };
            let session = whose.and_then(|whose| whose.session_of(&record));
            for key in self.keys_of(&record, session, [Symbols::NONE; 2]) {
                let role = self.role(record.name);
                self.cell(bucket, &key).add_event(plan, &record, role);
            }
        }
    }

    /// Where an event is counted.
    pub(super) fn keys_of(
        &self,
        record: &Stored,
        session: Option<&SessionRow>,
        shown: [Symbol; 2],
    ) -> Keys {
        let of_line = |line: Option<&Item>| {
            let value = |by: Dimension| {
                let read = || self.reader.of_event(record, session, line, by);
                shown_as(shown, by).unwrap_or_else(read)
            };
            self.key(&value)
        };
        let items = record.fact.as_deref().filter(|_| self.wants.by_item);
        let items = items.map(|fact| fact.items.as_slice()).unwrap_or_default();
        if items.is_empty() {
            return of_line(None).into_iter().collect();
        }
        let mut keys = Keys::new();
        for key in items.iter().filter_map(|item| of_line(Some(item))) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}
