//! The session that an event belongs to which is nobody's activity, and who saw which experiment.

use edgetally_proto::record::Flags;
use edgetally_proto::time::DAY_MS;
use rustc_hash::FxHashMap;

use crate::people::SessionRow;
use crate::presence::{Days, PersonId};
use crate::query::range::Range;
use crate::query::symbols::{Symbol, Symbols};
use crate::records::Stored;
use crate::texts::{TextId, text_of};
use crate::view::SiteView;

/// Sessions by client, in the order of their starts.
#[derive(Debug)]
pub struct Whose<'a> {
    site: &'a SiteView,
    sessions: FxHashMap<TextId, Vec<&'a SessionRow>>,
}

impl<'a> Whose<'a> {
    /// The sessions that events of a stretch may belong to.
    #[must_use]
    pub fn new(site: &'a SiteView, range: Range) -> Self {
        let mut sessions: FxHashMap<TextId, Vec<&SessionRow>> = FxHashMap::default();
        // No pause within a session is longer than a day, whatever the rules say.
        let from_ms = range.from_ms.saturating_sub(site.longest_session_ms + DAY_MS);
        let to_ms = range.to_ms.saturating_add(DAY_MS);
        for (_, row) in site.sessions.range((from_ms, 0)..(to_ms, 0)) {
            row.clients.iter().for_each(|client| sessions.entry(*client).or_default().push(row));
        }
        Self { site, sessions }
    }

    /// The session of an event's client that is open at its time: begun, its end no longer ago
    /// than the gap, on the same local date. If there is none, the one that begins within the gap.
    #[must_use]
    pub fn session_of(&self, record: &Stored) -> Option<&'a SessionRow> {
        let ms = record.occurred_at_ms;
        let (gap_ms, zone) = (self.site.rules.at(ms).gap_ms, &self.site.zone);
        let sessions = self.sessions.get(&record.client).filter(|_| record.client != 0)?;
        let is_today = |other_ms: i64| zone.day_of(other_ms) == zone.day_of(ms);
        let next = sessions.partition_point(|row| row.start_ms <= ms);
        let (begun, later) = sessions.split_at_checked(next)?;
        let is_open = |row: &&&SessionRow| {
            ms <= row.end_ms || (ms - row.end_ms <= gap_ms && is_today(row.end_ms))
        };
        let is_near = |row: &&&SessionRow| row.start_ms - ms <= gap_ms && is_today(row.start_ms);
        // Of several persons on one client an earlier session may end later.
        let open = begun.iter().rev().take(8).find(is_open);
        open.or_else(|| later.first().filter(is_near)).copied()
    }

    /// Whose event it is: of the person whose session it belongs to; outside of all sessions of the
    /// one whose session was the last on its client before it, else is the first after it.
    #[must_use]
    pub fn person_of(&self, record: &Stored) -> Option<PersonId> {
        let nearest = || {
            let sessions = self.sessions.get(&record.client).filter(|_| record.client != 0)?;
            let next = sessions.partition_point(|row| row.start_ms <= record.occurred_at_ms);
            sessions.get(next.saturating_sub(1)).copied()
        };
        self.session_of(record).or_else(nearest).map(|row| row.person)
    }
}

/// When each person first saw each variant of each experiment.
#[derive(Debug, Default)]
pub struct Exposures {
    seen: FxHashMap<PersonId, Vec<(i64, [Symbol; 2])>>,
    /// Experiments in views of clients that never came.
    absent: Vec<Symbol>,
}

impl Exposures {
    /// Those of a stretch.
    #[must_use]
    pub fn new(site: &SiteView, range: Range, whose: &Whose<'_>, symbols: &Symbols) -> Self {
        let mut seen: FxHashMap<PersonId, Vec<(i64, [Symbol; 2])>> = FxHashMap::default();
        let mut absent = Vec::new();
        for number in site.asides.around(range.from_ms, range.to_ms) {
            let Some(record) = site.record(number).filter(|record| !record.is_superseded) else {
                continue;
            };
            let is_in = (range.from_ms..range.to_ms).contains(&record.occurred_at_ms);
            let fact = record.fact.as_deref().filter(|_| !record.flags.has(Flags::BOT) && is_in);
            let shown = fact.and_then(|fact| {
                Some([fact.experiment.as_deref()?, fact.variant.as_deref().unwrap_or_default()])
            });
            let is_view = text_of(&site.texts, record.name) == "experiment_view";
            let Some(shown) = shown.filter(|_| is_view) else { continue };
            let (shown, at_ms) = (shown.map(|text| symbols.of(text)), record.occurred_at_ms);
            let Some(person) = whose.person_of(&record) else {
                absent.push(shown[0]);
                continue;
            };
            let of_person = seen.entry(person).or_default();
            match of_person.iter_mut().find(|(_, known)| *known == shown) {
                Some((first_ms, _)) => *first_ms = at_ms.min(*first_ms),
                None => of_person.push((at_ms, shown)),
            }
        }
        Self { seen, absent }
    }

    /// Views of an experiment by clients that have no session in the stretch.
    #[must_use]
    pub fn absent(&self, experiment: &str, symbols: &Symbols) -> usize {
        self.absent.iter().filter(|id| *symbols.text(**id) == *experiment).count()
    }

    /// Everybody who saw anything, with when he saw each experiment and variant first.
    pub fn seen(&self) -> impl Iterator<Item = (PersonId, &[(i64, [Symbol; 2])])> {
        self.seen.iter().map(|(person, seen)| (*person, seen.as_slice()))
    }

    /// Experiment and variant of what somebody had seen by an instant; nothing is a pair, too.
    pub fn of(&self, person: Option<PersonId>, until_ms: i64) -> impl Iterator<Item = [Symbol; 2]> {
        let all = person.and_then(|person| self.seen.get(&person));
        let by_then = all.into_iter().flatten().filter(move |(at_ms, _)| *at_ms <= until_ms);
        let mut some = by_then.map(|(_, shown)| *shown).peekable();
        let nothing = some.peek().is_none().then_some([Symbols::NONE; 2]);
        some.chain(nothing)
    }
}
