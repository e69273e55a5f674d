//! The persons of a site: their lines, and their sessions as rows that come and go.

mod retract;

use std::sync::Arc;

use edgetally_proto::event::{self, Platform};
use edgetally_proto::ids::EventId;
use imbl::{OrdMap, Vector};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::calendar::Calendar;
use crate::columns::Stamps;
use crate::eras::Eras;
use crate::held::Held;
use crate::identity::Owner;
use crate::lines::{self, Lines, Unpack};
use crate::merge::Level;
use crate::presence::PersonId;
use crate::records::{Records, Stored};
use crate::retractions::Retractions;
use crate::sessionize::{Edit, Entry, Line, Lookup, Refolded, Rules, Session, Touch, Why};
use crate::texts::{TextId, Texts};
use crate::timeline::Ids;
use crate::touches::Class;

/// Who a person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Person {
    /// A signed-in user, with all of his clients.
    User(TextId),
    /// A client before any login.
    Client(TextId),
    /// A client after the logout with this record.
    AfterLogout(TextId, u32),
}

impl Person {
    /// Who owns an event of a client.
    #[must_use]
    pub fn of(client: TextId, owner: Owner) -> Self {
        match owner {
            Owner::User(user) => Self::User(user),
            Owner::Client => Self::Client(client),
            Owner::AfterLogout(logout) => Self::AfterLogout(client, logout),
        }
    }
}

/// A session as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Record of its first event, whose id is the session's.
    pub record: u32,
    /// Whose it is.
    pub person: PersonId,
    /// Time of its first event.
    pub start_ms: i64,
    /// Time of its last event.
    pub end_ms: i64,
    /// Why it began.
    pub why: Why,
    /// The touch that it began with.
    pub entry: Option<Touch>,
    /// The touch in force at its beginning.
    pub attributed: Option<Touch>,
    /// How many activity events it has.
    pub events: u32,
    /// Of them, page views.
    pub pageviews: u32,
    /// Its clients, in the order of their numbers.
    pub clients: SmallVec<[TextId; 2]>,
    /// Its platforms, one bit each.
    pub platforms: u8,
    /// Path of its first page.
    pub entry_page: Option<TextId>,
    /// Path of its last page.
    pub exit_page: Option<TextId>,
    /// Which telling of it this is; of all tellings of a session the highest stands.
    pub rev: u64,
}

impl SessionRow {
    fn new(session: &Session, person: PersonId, first: &Entry) -> Self {
        let Session { record, why, attributed, .. } = *session;
        let start_ms = first.occurred_at_ms;
        let entry = first.class.is_touch().then_some(Touch { occurred_at_ms: start_ms, record });
        Self {
            record,
            person,
            start_ms,
            end_ms: start_ms,
            why,
            entry,
            attributed,
            events: 0,
            pageviews: 0,
            clients: SmallVec::new(),
            platforms: 0,
            entry_page: None,
            exit_page: None,
            rev: 0,
        }
    }

    fn add(&mut self, record: &Stored, page_view: Option<TextId>) {
        self.end_ms = record.occurred_at_ms;
        self.events += 1;
        self.pageviews += u32::from(Some(record.name) == page_view);
        if let Err(place) = self.clients.binary_search(&record.client) {
            self.clients.insert(place, record.client);
        }
        self.platforms |= 1 << record.platform as u8;
        self.entry_page = self.entry_page.or(record.page);
        self.exit_page = record.page.or(self.exit_page);
    }

    /// Its place among all sessions: by start.
    #[must_use]
    pub fn key(&self) -> RowKey {
        (self.start_ms, self.record)
    }

    /// Whether it has a platform.
    #[must_use]
    pub fn has_platform(&self, platform: Platform) -> bool {
        self.platforms & (1 << platform as u8) != 0
    }
}

/// Start and record of a session.
pub type RowKey = (i64, u32);

/// An activity that comes to a person, leaves one, or changes its class.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    /// The activity.
    pub entry: Entry,
    /// Whose it was.
    pub from: Option<PersonId>,
    /// Whose it is.
    pub to: Option<PersonId>,
}

/// A stretch of a person's line within which orders may have to be credited anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Whose.
    pub person: PersonId,
    /// Its first instant.
    pub from_ms: i64,
    /// Its last instant.
    pub to_ms: i64,
}

/// What people are worked out from.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The records.
    pub told: Named<'a>,
    /// The zone of the site's days.
    pub zone: &'a Calendar,
    /// How sessions are cut.
    pub rules: &'a Eras<Rules>,
    /// The name of page views, once there was one.
    pub page_view: Option<TextId>,
}

impl Unpack for Reading<'_> {
    fn entry(&self, record: u32, class: Class) -> Option<Entry> {
        let (occurred_at_ms, name) = self.told.records.moment(record)?;
        let rank = event::rank_named(self.told.texts.text(name));
        Some(Entry { occurred_at_ms, record, rank, class })
    }

    fn line(&self, entries: Vec<Entry>) -> Line {
        Line::of(entries, self.rules, self.zone, &self.told)
    }
}

/// Records with their texts.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The records.
    pub records: &'a Records,
    /// The texts of the site.
    pub texts: &'a Texts,
}

impl Ids for Named<'_> {
    fn id(&self, record: u32) -> Option<EventId> {
        self.records.id(record)
    }
}

impl Lookup for Named<'_> {
    fn key(&self, record: u32) -> Option<TextId> {
        self.records.campaign(record)
    }

    fn client(&self, record: u32) -> Option<&str> {
        Some(self.texts.text(self.records.client(record)?))
    }
}

/// The persons of a site.
#[derive(Debug, Clone, Default)]
pub struct People {
    numbers: FxHashMap<Person, PersonId>,
    persons: Vector<Person>,
    lines: Lines,
    rows: OrdMap<RowKey, Arc<SessionRow>>,
    /// How many begin in each quarter of an hour.
    starts: OrdMap<i64, i64>,
    longest_ms: i64,
    rev: u64,
    /// Of sessions that begin before it, those that are told or taken back are noted.
    watched_ms: Option<i64>,
    noted: Vec<i64>,
    retractions: Retractions,
    /// When the sessions of each quarter of an hour were last changed.
    pub stamps: Stamps,
    /// Whether everything is worked out anew: then every session is told as one and the same time.
    is_rebuilding: bool,
}

/// A session as it stood before a change.
struct Former {
    row: Arc<SessionRow>,
    /// Record of the first event of the session after it.
    next: Option<u32>,
}

fn place_of(person: PersonId) -> usize {
    usize::try_from(person).unwrap_or(usize::MAX)
}

impl People {
    /// The number of a person, who gets one if he has none.
    pub fn number(&mut self, person: Person) -> PersonId {
        let next = PersonId::try_from(self.persons.len()).unwrap_or(PersonId::MAX);
        *self.numbers.entry(person).or_insert_with(|| {
            self.persons.push_back(person);
            next
        })
    }

    /// The number of a person who was met before.
    #[must_use]
    pub fn known(&self, person: Person) -> Option<PersonId> {
        self.numbers.get(&person).copied()
    }

    /// Who has a number.
    #[must_use]
    pub fn person(&self, number: PersonId) -> Option<Person> {
        self.persons.get(place_of(number)).copied()
    }

    /// The line of a person; empty if he never had one.
    #[must_use]
    pub fn line(&self, person: PersonId, reading: Reading<'_>) -> Held<'_, Line> {
        self.lines.get(person, &reading)
    }

    /// Says for how many events on lines there is room.
    pub fn set_room(&mut self, room: usize) {
        self.lines.set_room(room);
    }

    /// Events on lines that are not packed.
    #[must_use]
    pub fn awake_entries(&self) -> usize {
        self.lines.weight().0
    }

    /// Packs the lines that were not used lately, if that is due.
    pub fn cool(&mut self) {
        self.lines.cool();
    }

    /// All sessions by start.
    #[must_use]
    pub fn rows(&self) -> &OrdMap<RowKey, Arc<SessionRow>> {
        &self.rows
    }

    /// How many sessions begin in each quarter of an hour.
    #[must_use]
    pub fn starts(&self) -> &OrdMap<i64, i64> {
        &self.starts
    }

    /// No session is longer, and none ever was.
    #[must_use]
    pub fn longest_ms(&self) -> i64 {
        self.longest_ms
    }

    /// Notes from now on the starts of sessions before an instant that are told or taken back, or
    /// no more; gives those that were noted.
    pub fn watch_before(&mut self, watched_ms: Option<i64>) -> Vec<i64> {
        self.watched_ms = watched_ms;
        std::mem::take(&mut self.noted)
    }

    fn note(&mut self, start_ms: i64) {
        self.stamps.note(start_ms);
        if self.watched_ms.is_some_and(|watched_ms| start_ms < watched_ms) {
            self.noted.push(start_ms);
        }
    }

    /// Nobody, to be worked out anew: whoever was told of sessions must be told of all of them.
    #[must_use]
    pub fn anew(&self) -> Self {
        let rev = self.rev + 1;
        let retractions = Retractions { floor: rev, ..Retractions::default() };
        Self { rev, retractions, stamps: self.stamps.anew(), ..Self::default() }
    }

    /// Whether everything is being worked out anew, so that nothing is retracted.
    pub fn set_rebuilding(&mut self, is_rebuilding: bool) {
        self.is_rebuilding = is_rebuilding;
    }

    /// The number of the last telling of a session.
    #[must_use]
    pub fn rev(&self) -> u64 {
        self.rev
    }

    /// Sessions that are told no more.
    #[must_use]
    pub fn retractions(&self) -> &Retractions {
        &self.retractions
    }

    /// What readers see: the lines, and who has them.
    pub fn show(&mut self) -> (lines::Shown, Vector<Person>) {
        (self.lines.show(), self.persons.clone())
    }

    /// Works out the sessions of everybody whom some shifts touch.
    pub fn shift(&mut self, shifts: &[Shift], reading: Reading<'_>) -> Vec<Stretch> {
        if let [Shift { entry, from: None, to: Some(person) }] = shifts
            && let Some(stretch) = self.come(*person, *entry, reading)
        {
            return vec![stretch];
        }
        let mut edits: Vec<(PersonId, Edit)> = Vec::with_capacity(shifts.len());
        for Shift { entry, from, to } in shifts.iter().copied() {
            if from != to {
                edits.extend(from.map(|person| (person, Edit { entry, is_added: false })));
            }
            edits.extend(to.map(|person| (person, Edit { entry, is_added: true })));
        }
        // The order within a person is the line's own affair.
        edits.sort_by_key(|(person, _)| *person);
        let (mut stretches, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for of_person in edits.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((person, _)) = of_person.first() else { continue };
            let edits: Vec<Edit> = of_person.iter().map(|(_, edit)| *edit).collect();
            stretches.extend(self.edit(*person, &edits, reading, &mut old, &mut new));
        }
        let gone = self.tell(old, new);
        self.retract(gone, shifts, reading);
        stretches
    }

    /// Lets an activity come that is its person's newest; what else could change does not. Nothing
    /// happens if it is not the newest.
    fn come(&mut self, person: PersonId, entry: Entry, reading: Reading<'_>) -> Option<Stretch> {
        let (told, at_ms) = (reading.told, entry.occurred_at_ms);
        let line = self.lines.get_mut(person, &reading);
        let begins = line.come(entry, reading.rules, reading.zone, &told)?;
        let to_ms = at_ms + reading.rules.at(at_ms).window_ms;
        let last = line.sessions().len().checked_sub(1)?;
        if begins {
            let row = row_of(line, last, person, reading)?;
            self.tell(Vec::new(), vec![row]);
            return Some(Stretch { person, from_ms: at_ms, to_ms });
        }
        let record = line.sessions().get(last)?.record;
        let start_ms = told.records.occurred_at_ms(record)?;
        self.note(start_ms);
        let rev = self.next_rev();
        let row = Arc::make_mut(self.rows.get_mut(&(start_ms, record))?);
        row.add(&*told.records.get(entry.record)?, reading.page_view);
        row.rev = rev;
        self.longest_ms = self.longest_ms.max(row.end_ms - row.start_ms);
        Some(Stretch { person, from_ms: start_ms, to_ms })
    }

    fn edit(
        &mut self,
        person: PersonId,
        edits: &[Edit],
        reading: Reading<'_>,
        old: &mut Vec<Former>,
        new: &mut Vec<SessionRow>,
    ) -> Option<Stretch> {
        let line = self.lines.get_mut(person, &reading);
        let Refolded { before, after, is_extended } =
            line.edit(edits, reading.rules, reading.zone, &reading.told);
        let line = &*line;
        let following = line.sessions().get(after.end).map(|session| session.record);
        let mut taken = Vec::with_capacity(before.len());
        for (at, session) in before.iter().enumerate() {
            let start_ms = reading.told.records.occurred_at_ms(session.record)?;
            let next = before.get(at + 1).map(|next| next.record).or(following);
            let row = self.rows.remove(&(start_ms, session.record));
            taken.extend(row.map(|row| Former { row, next }));
        }
        if let (true, [of], Some(entry)) = (is_extended, taken.as_slice(), line.entries().last()) {
            let mut row = SessionRow::clone(&of.row);
            row.add(&*reading.told.records.get(entry.record)?, reading.page_view);
            new.push(row);
        } else {
            let rows = after.map(|place| row_of(line, place, person, reading));
            new.extend(rows.flatten());
        }
        let times = edits.iter().map(|edit| edit.entry.occurred_at_ms);
        let (lowest, highest) = (times.clone().min()?, times.max()?);
        let ends = taken.iter().map(|of| of.row.end_ms).max().unwrap_or(highest);
        let starts = taken.iter().map(|of| of.row.start_ms).min().unwrap_or(lowest);
        old.extend(taken);
        let to_ms = (highest + reading.rules.at(highest).window_ms).max(ends);
        Some(Stretch { person, from_ms: lowest.min(starts), to_ms })
    }

    /// Puts the rows in their places; one that says nothing new keeps its number. Gives those that
    /// are told no more.
    fn tell(&mut self, old: Vec<Former>, new: Vec<SessionRow>) -> Vec<Former> {
        let mut old: FxHashMap<u32, Former> =
            old.into_iter().map(|former| (former.row.record, former)).collect();
        for mut row in new {
            let before = old.remove(&row.record).map(|former| former.row);
            if before.is_none() {
                self.count_start(row.start_ms, 1);
            }
            if let Some(before) = &before {
                row.rev = before.rev;
                if **before == row {
                    // What lies between its first event and its last may be another.
                    self.stamps.note(row.start_ms);
                    self.rows.insert(row.key(), before.clone());
                    continue;
                }
            }
            row.rev = self.next_rev();
            self.longest_ms = self.longest_ms.max(row.end_ms - row.start_ms);
            self.note(row.start_ms);
            let after = Arc::new(row);
            self.rows.insert(after.key(), after);
        }
        let mut gone: Vec<Former> = old.into_values().collect();
        gone.sort_unstable_by_key(|former| former.row.key());
        for former in &gone {
            self.note(former.row.start_ms);
            self.count_start(former.row.start_ms, -1);
        }
        gone
    }

    fn next_rev(&mut self) -> u64 {
        self.rev += u64::from(!self.is_rebuilding);
        self.rev
    }

    fn count_start(&mut self, start_ms: i64, sign: i64) {
        let quarter = start_ms.div_euclid(Level::Quarter.slot_ms());
        let count = self.starts.entry(quarter).or_default();
        *count += sign;
        if *count == 0 {
            self.starts.remove(&quarter);
        }
    }
}

fn row_of(line: &Line, place: usize, person: PersonId, reading: Reading<'_>) -> Option<SessionRow> {
    let session = line.sessions().get(place)?;
    let entries = line.entries_of(place);
    let mut row = SessionRow::new(session, person, entries.first()?);
    for entry in entries {
        if let Some(record) = reading.told.records.get(entry.record) {
            row.add(&record, reading.page_view);
        }
    }
    Some(row)
}
