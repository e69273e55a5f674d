//! Sessions of a person: the fold over the activity of all of his clients (semantics, section 8).
//!
//! A change re-reads the line only from the session before it, and stops where the state of the
//! fold is again what was stored.

use std::cmp::Ordering;
use std::ops::Range;

use edgetally_proto::time::{HOUR_MS, MINUTE_MS};

use crate::eras::Eras;
use crate::presence::Days;
use crate::texts::TextId;
use crate::timeline::Ids;
use crate::touches::Class;

/// Settings of the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A longer pause begins a session.
    pub gap_ms: i64,
    /// How long a touch stays in force; both ends in.
    pub window_ms: i64,
    /// Whether a new local day begins a session.
    pub daily_cut: bool,
    /// Whether another campaign begins a session.
    pub campaign_cut: bool,
}

impl Default for Rules {
    fn default() -> Self {
        let (gap_ms, window_ms) = (30 * MINUTE_MS, 72 * HOUR_MS);
        Self { gap_ms, window_ms, daily_cut: true, campaign_cut: true }
    }
}

/// Why a session began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Why(u8);

impl Why {
    /// It is the person's first.
    pub const FIRST: Self = Self(1);
    /// After a long pause.
    pub const GAP: Self = Self(2);
    /// On a new local day.
    pub const DAY: Self = Self(4);
    /// By another campaign.
    pub const CAMPAIGN: Self = Self(8);

    fn with(self, why: Self, holds: bool) -> Self {
        if holds { Self(self.0 | why.0) } else { self }
    }

    /// Whether there is no reason to begin one.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The reasons by name, in the order of the contract.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (Self::FIRST, "first"),
            (Self::GAP, "gap"),
            (Self::DAY, "day"),
            (Self::CAMPAIGN, "campaign"),
        ];
        all.into_iter().filter(move |(why, _)| self.0 & why.0 != 0).map(|(_, name)| name)
    }
}

/// An activity on a person's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Event time.
    pub occurred_at_ms: i64,
    /// Number of its record.
    pub record: u32,
    /// Its rank among events of the same millisecond.
    pub rank: u8,
    /// How it came to be.
    pub class: Class,
}

/// What brought a person from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// When.
    pub occurred_at_ms: i64,
    /// Number of its record.
    pub record: u32,
}

/// A session: from its first entry to the one before the next session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Place of its first entry on the line.
    pub first: usize,
    /// Record of that entry, whose id is the session's.
    pub record: u32,
    /// Why it began.
    pub why: Why,
    /// The last touch before it, however old.
    pub before: Option<Touch>,
    /// The touch in force at its beginning, its own first entry included.
    pub attributed: Option<Touch>,
}

/// Reads what the fold needs of records.
pub trait Lookup: Ids {
    /// The folded campaign of a record, if it is a key.
    fn key(&self, record: u32) -> Option<TextId>;

    /// The client of a record, which decides between events that share even their id.
    fn client(&self, record: u32) -> Option<&str>;
}

/// An entry that comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// Which.
    pub entry: Entry,
    /// Whether it comes.
    pub is_added: bool,
}

/// What a change did to the sessions of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refolded {
    /// The sessions that stood where the others stand now.
    pub before: Vec<Session>,
    /// The places of the sessions that were worked out.
    pub after: Range<usize>,
    /// Whether all that happened is that the last of them has one entry more at its end.
    pub is_extended: bool,
}

/// The activity of a person in order, cut into sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    entries: Vec<Entry>,
    sessions: Vec<Session>,
    /// The last touch of all.
    current: Option<Touch>,
}

/// The order of events: time, rank, id; the last word, for a total order over clients, has the
/// client.
pub fn compare(lookup: &impl Lookup, a: &Entry, b: &Entry) -> Ordering {
    (a.occurred_at_ms, a.rank)
        .cmp(&(b.occurred_at_ms, b.rank))
        .then_with(|| lookup.id(a.record).cmp(&lookup.id(b.record)))
        .then_with(|| lookup.client(a.record).cmp(&lookup.client(b.record)))
}

/// The fold itself.
struct Fold<'a, L, D> {
    rules: &'a Eras<Rules>,
    lookup: &'a L,
    days: &'a D,
    last: Option<Entry>,
    current: Option<Touch>,
}

impl<L: Lookup, D: Days> Fold<'_, L, D> {
    /// Whether two instants lie on different local dates.
    fn is_new_day(&self, last_ms: i64, now_ms: i64) -> bool {
        self.days.day_of(last_ms) != self.days.day_of(now_ms)
    }

    /// Reads one entry; gives the session that it begins.
    fn read(&mut self, place: usize, entry: &Entry) -> Option<Session> {
        let now_ms = entry.occurred_at_ms;
        let rules = *self.rules.at(now_ms);
        let in_force = in_force(self.current, now_ms, rules.window_ms);
        let why = match self.last {
            None => Why::FIRST,
            Some(last) => {
                let gap = now_ms - last.occurred_at_ms > rules.gap_ms;
                let day = rules.daily_cut && self.is_new_day(last.occurred_at_ms, now_ms);
                let campaign = rules.campaign_cut && self.is_other(entry, in_force);
                Why::default().with(Why::GAP, gap).with(Why::DAY, day).with(Why::CAMPAIGN, campaign)
            }
        };
        let before = self.current;
        if entry.class.is_touch() {
            self.current = Some(Touch { occurred_at_ms: now_ms, record: entry.record });
        }
        self.last = Some(*entry);
        let attributed = if entry.class.is_touch() { self.current } else { in_force };
        let (first, record) = (place, entry.record);
        (!why.is_none()).then_some(Session { first, record, why, before, attributed })
    }

    /// Whether an entry is a click on another campaign than the one in force. A touch without
    /// tags is no campaign, so any tag differs from it.
    fn is_other(&self, entry: &Entry, in_force: Option<Touch>) -> bool {
        let key = |record| self.lookup.key(record);
        entry.class == Class::Tagged
            && in_force.is_none_or(|touch| key(touch.record) != key(entry.record))
    }
}

/// A touch that is not too old at an instant.
#[must_use]
pub fn in_force(touch: Option<Touch>, now_ms: i64, window_ms: i64) -> Option<Touch> {
    touch.filter(|touch| now_ms - touch.occurred_at_ms <= window_ms)
}

impl Line {
    /// The line of entries that stand in order.
    #[must_use]
    pub fn of(
        entries: Vec<Entry>,
        rules: &Eras<Rules>,
        days: &impl Days,
        lookup: &impl Lookup,
    ) -> Self {
        let mut fold = Fold { rules, lookup, days, last: None, current: None };
        let mut sessions = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            if let Some(session) = fold.read(place, entry) {
                push_tightly(&mut sessions, session);
            }
        }
        let current = fold.current;
        Self { entries, sessions, current }
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The sessions, in order.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The entries of the session at a place.
    #[must_use]
    pub fn entries_of(&self, place: usize) -> &[Entry] {
        let Some(session) = self.sessions.get(place) else { return &[] };
        let end = self.sessions.get(place + 1).map_or(self.entries.len(), |next| next.first);
        self.entries.get(session.first..end).unwrap_or_default()
    }

    /// The place of the session that begins at an instant with a record.
    #[must_use]
    pub fn session_from(&self, start_ms: i64, record: u32) -> Option<usize> {
        let at = |session: &Session| self.entries.get(session.first).map(|e| e.occurred_at_ms);
        let first = self.sessions.partition_point(|session| at(session) < Some(start_ms));
        let mut same =
            self.sessions.iter().skip(first).take_while(|session| at(session) == Some(start_ms));
        Some(first + same.position(|session| session.record == record)?)
    }

    /// The place of the session that holds an instant, between its first and its last entry.
    #[must_use]
    pub fn session_at(&self, ms: i64) -> Option<usize> {
        let begun = |session: &Session| {
            self.entries.get(session.first).is_some_and(|entry| entry.occurred_at_ms <= ms)
        };
        let place = self.sessions.partition_point(begun).checked_sub(1)?;
        let end = self.entries_of(place).last()?;
        (ms <= end.occurred_at_ms).then_some(place)
    }

    /// The place of the session that holds an entry.
    #[must_use]
    pub fn session_of(&self, entry: &Entry, lookup: &impl Lookup) -> Option<usize> {
        let place = self.position(entry, lookup);
        self.entries.get(place).filter(|held| held.record == entry.record)?;
        self.session_with(place)
    }

    /// The place of the session that holds the entry at a place.
    #[must_use]
    pub fn session_with(&self, place: usize) -> Option<usize> {
        self.sessions.partition_point(|session| session.first <= place).checked_sub(1)
    }

    /// The last touch at or before an entry's place in the order, not older than the window.
    #[must_use]
    pub fn touch_at(&self, entry: &Entry, window_ms: i64, lookup: &impl Lookup) -> Option<Touch> {
        let upto = self.entries.partition_point(|held| compare(lookup, held, entry).is_le());
        let earlier = self.entries.get(..upto).unwrap_or_default().iter().rev();
        let near = |held: &&Entry| entry.occurred_at_ms - held.occurred_at_ms <= window_ms;
        let touch = earlier.take_while(near).find(|held| held.class.is_touch())?;
        Some(Touch { occurred_at_ms: touch.occurred_at_ms, record: touch.record })
    }

    fn position(&self, entry: &Entry, lookup: &impl Lookup) -> usize {
        // Nearly every entry is the newest of its person.
        if self.entries.last().is_none_or(|last| compare(lookup, last, entry).is_lt()) {
            return self.entries.len();
        }
        self.entries.partition_point(|held| compare(lookup, held, entry).is_lt())
    }

    /// Lets an entry come that is the newest of all, and says whether it begins a session; nothing
    /// happens if it is not.
    pub fn come(
        &mut self,
        entry: Entry,
        rules: &Eras<Rules>,
        days: &impl Days,
        lookup: &impl Lookup,
    ) -> Option<bool> {
        if self.position(&entry, lookup) < self.entries.len() {
            return None;
        }
        let mut fold = Fold { rules, lookup, days, last: None, current: None };
        Some(self.append(entry, &mut fold))
    }

    /// Lets entries come and go, and works out the sessions around them.
    pub fn edit(
        &mut self,
        edits: &[Edit],
        rules: &Eras<Rules>,
        days: &impl Days,
        lookup: &impl Lookup,
    ) -> Refolded {
        let mut edits = edits.to_vec();
        edits.sort_by(|a, b| compare(lookup, &a.entry, &b.entry));
        let (Some(lowest), Some(highest)) = (edits.first().copied(), edits.last().copied()) else {
            return Refolded { before: Vec::new(), after: 0..0, is_extended: false };
        };
        let mut fold = Fold { rules, lookup, days, last: None, current: None };
        if let [Edit { entry, is_added: true }] = edits.as_slice()
            && self.position(entry, lookup) == self.entries.len()
        {
            let begins = self.append(*entry, &mut fold);
            let last = self.sessions.len().saturating_sub(1);
            // Its last session was the same before, but for the entry, or was not there.
            let before = self.sessions.get(last).filter(|_| !begins);
            let before = before.copied().into_iter().collect();
            let after = last..self.sessions.len();
            return Refolded { before, after, is_extended: !begins };
        }
        // The last session that began before the first change.
        let begun = |session: &Session| {
            let first = self.entries.get(session.first);
            first.is_some_and(|first| compare(lookup, first, &lowest.entry).is_lt())
        };
        let start = self.sessions.partition_point(begun).saturating_sub(1);
        let (from, current) = match self.sessions.get(start) {
            Some(session) if begun(session) => (session.first, session.before),
            _ => (0, None),
        };
        fold.last = from.checked_sub(1).and_then(|before| self.entries.get(before)).copied();
        fold.current = current;
        let length = self.entries.len();
        for edit in &edits {
            self.put(edit, lookup);
        }
        let changes = Changes { start, from, highest: highest.entry, length };
        self.refold(changes, &mut fold)
    }

    fn put(&mut self, edit: &Edit, lookup: &impl Lookup) {
        let place = self.position(&edit.entry, lookup);
        let held = self.entries.get_mut(place).filter(|held| held.record == edit.entry.record);
        match (held, edit.is_added) {
            (Some(held), true) => *held = edit.entry,
            (None, true) => self.entries.insert(place, edit.entry),
            (Some(_), false) => {
                self.entries.remove(place);
            }
            (None, false) => {}
        }
    }

    /// Says whether the entry begins a session.
    fn append<L: Lookup, D: Days>(&mut self, entry: Entry, fold: &mut Fold<'_, L, D>) -> bool {
        (fold.last, fold.current) = (self.entries.last().copied(), self.current);
        let begun = fold.read(self.entries.len(), &entry);
        push_tightly(&mut self.entries, entry);
        self.current = fold.current;
        if let Some(session) = begun {
            push_tightly(&mut self.sessions, session);
        }
        begun.is_some()
    }

    fn refold<L: Lookup, D: Days>(
        &mut self,
        changes: Changes,
        fold: &mut Fold<'_, L, D>,
    ) -> Refolded {
        let Changes { start, from, highest, length } = changes;
        let mut fresh: Vec<Session> = Vec::new();
        // The next session of before that may begin where one of now begins.
        let mut old = start;
        let mut is_settled = false;
        let moved = |place: usize| (place + length).checked_sub(self.entries.len());
        for (place, entry) in self.entries.iter().enumerate().skip(from) {
            let is_past =
                fold.last.is_some_and(|last| compare(fold.lookup, &last, &highest).is_gt());
            if is_past && let Some(place) = moved(place) {
                while self.sessions.get(old).is_some_and(|session| session.first < place) {
                    old += 1;
                }
                let now_ms = entry.occurred_at_ms;
                let window_ms = fold.rules.at(now_ms).window_ms;
                let effective = |touch| in_force(touch, now_ms, window_ms);
                if self.sessions.get(old).is_some_and(|session| {
                    session.first == place && effective(session.before) == effective(fold.current)
                }) {
                    is_settled = true;
                    break;
                }
            }
            fresh.extend(fold.read(place, entry));
        }
        if !is_settled {
            old = self.sessions.len();
            self.current = fold.current;
        }
        let (now, before) = (self.entries.len(), length);
        for session in self.sessions.iter_mut().skip(old) {
            session.first = session.first + now - before;
        }
        let after = start..start + fresh.len();
        let before = self.sessions.splice(start..old, fresh).collect();
        Refolded { before, after, is_extended: false }
    }
}

/// Most persons have a few events: their lists grow by little, so that they take little.
fn push_tightly<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(1 + list.len() / 2);
    }
    list.push(item);
}

/// Where sessions have to be worked out again.
#[derive(Debug, Clone, Copy)]
struct Changes {
    /// The first session of them.
    start: usize,
    /// Its first entry.
    from: usize,
    /// The last entry that came or went.
    highest: Entry,
    /// How many entries there were before.
    length: usize,
}

#[cfg(test)]
mod tests;
