//! Which touch an order is credited to (semantics, sections 9 and 10).
//!
//! The credit is the last touch of the order's person at or before it, not older than the window.
//! Until the freeze it follows what is learned later; what browsers report after that moves
//! sessions and persons, but no credit any more. So where such late records concern an order, its
//! credit is worked out over the others alone.

use edgetally_proto::record::Flags;

use crate::eras::Eras;
use crate::identity::{self, Owner, Role, STITCH_MS, Step};
use crate::merges::Merges;
use crate::people::{Named, Person};
use crate::records::Records;
use crate::sessionize::{self, Entry, Rules, Touch};
use crate::texts::TextId;
use crate::timeline::{self, Timeline};
use crate::touches::{self, Class};

/// Settings of the credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How long after an order records of browsers count for its credit.
    pub freeze_ms: i64,
}

impl Default for Window {
    fn default() -> Self {
        let day = edgetally_proto::time::DAY_MS;
        Self { freeze_ms: 7 * day }
    }
}

/// Whether a record counts for the credit of an order until `deadline_ms`.
#[must_use]
pub fn is_in_time(records: &Records, record: u32, deadline_ms: i64) -> bool {
    records.get(record).is_none_or(|record| {
        record.received_at_ms <= deadline_ms || record.flags.has(Flags::SERVER_KEY)
    })
}

/// Whether a client has records that came after the deadline, up to where they could decide who
/// owns what came before the order.
#[must_use]
pub fn has_late(timeline: &Timeline, records: &Records, at_ms: i64, deadline_ms: i64) -> bool {
    // Nearly always nothing came late, which needs no look at any event.
    if timeline.newest_receipt_ms() <= deadline_ms {
        return false;
    }
    let until_ms = at_ms.saturating_add(STITCH_MS);
    let near = timeline.steps().iter().take_while(|step| step.occurred_at_ms <= until_ms);
    near.into_iter().any(|step| !is_in_time(records, step.record, deadline_ms))
}

/// A client's events as they look without what came too late, with their owners.
#[derive(Debug)]
pub struct Restricted<'a> {
    client: TextId,
    merges: &'a Merges,
    rules: &'a Eras<Rules>,
    steps: Vec<Step>,
    owners: Vec<Owner>,
}

impl<'a> Restricted<'a> {
    /// Of a client's timeline, with the merges and the rules of its site.
    #[must_use]
    pub fn of(
        client: TextId,
        timeline: &Timeline,
        (records, merges): (&Records, &'a Merges),
        deadline_ms: i64,
        rules: &'a Eras<Rules>,
    ) -> Self {
        let counts = |step: &&Step| is_in_time(records, step.record, deadline_ms);
        let steps: Vec<Step> = timeline.steps().iter().filter(counts).copied().collect();
        let owners = identity::owners(&steps);
        Self { client, merges, rules, steps, owners }
    }

    /// Whose an event of the client is. One that came too late itself is nobody's activity and no
    /// fact, but has its place.
    #[must_use]
    pub fn person(&self, event: &Step, records: &Records) -> Person {
        let place =
            self.steps.partition_point(|step| timeline::compare(records, step, event).is_lt());
        if self.steps.get(place).is_some_and(|step| step.record == event.record) {
            let owner = self.owners.get(place).copied().unwrap_or(Owner::Client);
            return self.merges.root(Person::of(self.client, owner), records);
        }
        let role = match event.role {
            Role::Login(user) => Role::Carries(user),
            Role::Logout => Role::Plain,
            other => other,
        };
        let mut steps = self.steps.clone();
        steps.insert(place, Step { role, is_activity: false, ..*event });
        let owner = identity::owners(&steps).get(place).copied().unwrap_or(Owner::Client);
        self.merges.root(Person::of(self.client, owner), records)
    }

    /// The last touch of a person at or before an event of any client, not before `from_ms`.
    #[must_use]
    pub fn touch(
        &self,
        person: Person,
        event: &Entry,
        from_ms: i64,
        told: &Named<'_>,
    ) -> Option<Entry> {
        let (mut last_ms, mut last_key, mut found) = (None, None, None);
        for (step, owner) in self.steps.iter().zip(&self.owners) {
            let Step { occurred_at_ms, record, rank, .. } = *step;
            let entry = Entry { occurred_at_ms, record, rank, class: Class::Direct };
            if sessionize::compare(told, &entry, event).is_gt() {
                break;
            }
            if !step.is_activity {
                continue;
            }
            let pause = last_ms.map(|last: i64| occurred_at_ms - last);
            let entry_ms = self.rules.at(occurred_at_ms).gap_ms;
            let class = touches::class(step.clue, pause, last_key, entry_ms);
            (last_ms, last_key) = (Some(occurred_at_ms), step.clue.key.or(last_key));
            let is_his = || self.merges.root(Person::of(self.client, *owner), told) == person;
            if class.is_touch() && occurred_at_ms >= from_ms && is_his() {
                found = Some(Entry { class, ..entry });
            }
        }
        found
    }
}

/// The later of two touches on different clients.
#[must_use]
pub fn later(a: Option<Entry>, b: Option<Entry>, told: &Named<'_>) -> Option<Entry> {
    match (a, b) {
        (Some(a), Some(b)) if sessionize::compare(told, &a, &b).is_lt() => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

/// An entry as a touch.
#[must_use]
pub fn touch_of(entry: Entry) -> Touch {
    Touch { occurred_at_ms: entry.occurred_at_ms, record: entry.record }
}
