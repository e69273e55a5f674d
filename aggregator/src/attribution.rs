//! Which touch an order is credited to (semantics, sections 9 and 10).
//!
//! The credit is the last touch of the order's person at or before it, not older than the window.
//! Until the freeze it follows what is learned later; what browsers report after that moves
//! sessions and persons, but no credit any more. So where such late records concern an order, its
//! credit is worked out over the others alone.

use edgetally_proto::record::Flags;

use crate::identity::{self, Owner, STITCH_MS, Step};
use crate::people::Person;
use crate::records::Records;
use crate::sessionize::Touch;
use crate::texts::TextId;
use crate::timeline::{Timeline, compare};
use crate::touches::{self, Class};

/// Settings of the credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// A touch older than this gets no credit; both ends in.
    pub window_ms: i64,
    /// How long after an order records of browsers count for its credit.
    pub freeze_ms: i64,
}

impl Default for Window {
    fn default() -> Self {
        let day = edgetally_proto::time::DAY_MS;
        Self { window_ms: 3 * day, freeze_ms: 7 * day }
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
    let until_ms = at_ms.saturating_add(STITCH_MS);
    let near = timeline.steps().iter().take_while(|step| step.occurred_at_ms <= until_ms);
    near.into_iter().any(|step| !is_in_time(records, step.record, deadline_ms))
}

/// A client's activity as it looks without what came too late: who owns it, and its touches.
#[derive(Debug)]
pub struct Restricted {
    steps: Vec<Step>,
    owners: Vec<Owner>,
}

impl Restricted {
    /// Of a timeline, with the records of one order let through.
    #[must_use]
    pub fn of(timeline: &Timeline, records: &Records, deadline_ms: i64, order: u32) -> Self {
        let counts =
            |step: &&Step| step.record == order || is_in_time(records, step.record, deadline_ms);
        let steps: Vec<Step> = timeline.steps().iter().filter(counts).copied().collect();
        let owners = identity::owners(&steps);
        Self { steps, owners }
    }

    /// Who owns the event of a record.
    #[must_use]
    pub fn owner(&self, record: u32) -> Option<Owner> {
        let place = self.steps.iter().position(|step| step.record == record)?;
        self.owners.get(place).copied()
    }

    /// The last touch of a person at or before the order's event, not before `from_ms`.
    #[must_use]
    pub fn touch(
        &self,
        client: TextId,
        person: Person,
        order: &Step,
        from_ms: i64,
        records: &Records,
    ) -> Option<Step> {
        let (mut last_ms, mut last_key, mut found) = (None, None, None);
        for (step, owner) in self.steps.iter().zip(&self.owners) {
            if compare(records, step, order).is_gt() {
                break;
            }
            if !step.is_activity {
                continue;
            }
            let pause = last_ms.map(|last: i64| step.occurred_at_ms - last);
            let class = touches::class(step.clue, pause, last_key);
            (last_ms, last_key) = (Some(step.occurred_at_ms), step.clue.key.or(last_key));
            let is_near = step.occurred_at_ms >= from_ms;
            if class != Class::Direct && is_near && Person::of(client, *owner) == person {
                found = Some(*step);
            }
        }
        found
    }
}

/// The later of two touches on different clients.
#[must_use]
pub fn later(a: Option<Step>, b: Option<Step>, records: &Records) -> Option<Step> {
    match (a, b) {
        (Some(a), Some(b)) if compare(records, &a, &b).is_lt() => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

/// A step as a touch.
#[must_use]
pub fn touch_of(step: Step) -> Touch {
    Touch { occurred_at_ms: step.occurred_at_ms, record: step.record }
}
