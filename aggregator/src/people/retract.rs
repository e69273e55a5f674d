//! Says of sessions that are told no more where their events are now.

use edgetally_proto::event;
use edgetally_proto::ids::EventName;
use rustc_hash::FxHashSet;

use super::{Former, Named, People, Reading, Shift};
use crate::presence::PersonId;
use crate::retractions::{Fate, Retraction};
use crate::sessionize::{Entry, compare};
use crate::touches::Class;

/// The entry of a record, as far as its place in the order goes.
fn entry_of(record: u32, told: &Named<'_>) -> Option<Entry> {
    let stored = told.records.get(record)?;
    let name = EventName::parse(told.texts.text(stored.name)).ok()?;
    let (occurred_at_ms, rank) = (stored.occurred_at_ms, event::rank(&name));
    Some(Entry { occurred_at_ms, record, rank, class: Class::Direct })
}

impl People {
    /// Takes note of sessions that are told no more after some shifts.
    pub(super) fn retract(&mut self, gone: Vec<Former>, shifts: &[Shift], reading: Reading<'_>) {
        if gone.is_empty() || self.is_rebuilding {
            return;
        }
        let told = &reading.told;
        let came = shifts.iter().filter(|shift| shift.from != shift.to);
        let came: FxHashSet<_> =
            came.filter_map(|shift| Some((shift.to?, shift.entry.record))).collect();
        for former in gone {
            let targets = self.targets(&former, shifts, &came, reading).unwrap_or_default();
            let id = |record: u32| {
                told.records.get(record).map(|record| record.id.to_string()).unwrap_or_default()
            };
            let fate = match targets.as_slice() {
                [] => Fate::Erased,
                [(person, session)] if *person == former.row.person => {
                    Fate::MergedInto(id(*session))
                }
                [(_, session)] => Fate::MovedTo(id(*session)),
                many => Fate::Split(many.iter().map(|(_, session)| id(*session)).collect()),
            };
            let (session_id, start_ms) = (id(former.row.record), former.row.start_ms);
            let rev = self.next_rev();
            self.retractions.push(Retraction { rev, session_id, start_ms, fate });
        }
    }

    /// The sessions in which the events of a session are now, with their persons, in order.
    fn targets(
        &self,
        former: &Former,
        shifts: &[Shift],
        came: &FxHashSet<(PersonId, u32)>,
        reading: Reading<'_>,
    ) -> Option<Vec<(PersonId, u32)>> {
        let told = &reading.told;
        let person = former.row.person;
        let first = entry_of(former.row.record, told)?;
        let next = former.next.and_then(|record| entry_of(record, told));
        let is_within = |entry: &Entry| {
            compare(told, entry, &first).is_ge()
                && next.is_none_or(|next| compare(told, entry, &next).is_lt())
        };
        let line = self.lines.get(person, &reading);
        let entries = line.entries();
        let start = entries.partition_point(|entry| compare(told, entry, &first).is_lt());
        let here = entries.iter().skip(start).take_while(|entry| is_within(entry));
        let here = here.filter(|entry| !came.contains(&(person, entry.record)));
        let mut all: Vec<(Entry, PersonId)> = here.map(|entry| (*entry, person)).collect();
        let left =
            shifts.iter().filter(|shift| shift.from == Some(person) && shift.to != shift.from);
        let left = left.filter(|shift| is_within(&shift.entry));
        all.extend(left.filter_map(|shift| Some((shift.entry, shift.to?))));
        all.sort_by(|(a, _), (b, _)| compare(told, a, b));
        let mut targets = Vec::new();
        for (entry, person) in all {
            let line = self.lines.get(person, &reading);
            let session = line.session_of(&entry, told).and_then(|at| line.sessions().get(at));
            let target = session.map(|session| (person, session.record));
            targets.extend(target.filter(|target| !targets.contains(target)));
        }
        Some(targets)
    }
}
