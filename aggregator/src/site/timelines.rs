//! The timelines of clients: those that were used lately as they are; the others are worked out
//! again from the client's records when something needs them.

use edgetally_proto::event;
use edgetally_proto::record::Flags;

use super::{Room, Site, credits};
use crate::held::Held;
use crate::identity::{Role, Step};
use crate::records::Stored;
use crate::texts::{TextId, Texts};
use crate::timeline::Timeline;
use crate::touches::Clue;

/// What a timeline weighs beside its steps, in steps.
const WEIGHT: usize = 4;

/// The place of a record on its client's timeline, if it has one.
pub(super) fn step_of(texts: &Texts, number: u32, record: &Stored) -> Option<Step> {
    // What a server tells without a client is on nobody's timeline, nor is anybody's money.
    if texts.text(record.client).is_empty() || record.flags.has(Flags::ERASED) {
        return None;
    }
    let name = texts.text(record.name);
    let places_order = credits::only_places_an_order;
    let (bot, background) = (record.flags.has(Flags::BOT), record.flags.has(Flags::BACKGROUND));
    if name.is_empty() {
        return None;
    }
    let is_activity = event::is_activity_named(name, record.platform, bot, background);
    let rank = event::rank_named(name);
    let role = match (rank, record.user) {
        (0, _) => Role::Logout,
        (_, None) => Role::Plain,
        (1, Some(user)) => Role::Login(user),
        (_, Some(user)) if is_activity => Role::Login(user),
        (_, Some(user)) => Role::Carries(user),
    };
    let counts = is_activity
        || matches!(role, Role::Login(_) | Role::Logout)
        || places_order(name, record.platform, bot)
        || record.is_told();
    let occurred_at_ms = record.occurred_at_ms;
    let clue = Clue { key: record.campaign, referrer: record.referrer };
    counts.then_some(Step { record: number, occurred_at_ms, rank, role, is_activity, clue })
}

impl Site {
    /// The timeline of a client, if anything stands on it.
    pub(super) fn timeline(&self, client: TextId) -> Option<Held<'_, Timeline>> {
        let held = match self.timelines.get(client) {
            Some(timeline) => Held::Lent(timeline),
            None => Held::Made(self.worked_out(client)),
        };
        Some(held).filter(|timeline| !timeline.is_empty())
    }

    /// The timeline as the client's records make it, those that are yet to be followed left out.
    fn worked_out(&self, client: TextId) -> Timeline {
        let mut newest_ms = i64::MIN;
        let known = self.records.of_client(client, self.followed);
        let steps = known.filter_map(|(number, record)| {
            let step = step_of(&self.texts, number, &record)?;
            newest_ms = newest_ms.max(record.received_at_ms);
            Some(step)
        });
        let steps = steps.collect();
        let mut timeline = Timeline::of(steps, &self.rules, &self.records);
        timeline.note_receipt(newest_ms);
        timeline
    }

    /// Sees to it that the timeline of a client is there to be changed.
    pub(super) fn wake(&mut self, client: TextId) {
        self.timelines.grow(1);
        let timeline = match self.timelines.get(client) {
            Some(_) => Timeline::default(),
            None => self.worked_out(client),
        };
        self.timelines.get_or_insert(client, || timeline, |timeline| WEIGHT + timeline.len());
    }

    /// Says for how much there is room, and leaves to the store what it has and there is no room
    /// for; says whether that was anything.
    pub fn set_room(&mut self, room: Room) -> bool {
        self.timelines.set_room(room.events);
        self.people.set_room(room.events);
        self.columns.share().set_room(room.column_bytes);
        self.records.send_away(room.record_bytes)
    }

    /// What is in memory: bytes of full blocks of records, events on timelines and on lines.
    #[must_use]
    pub fn weight(&self) -> (usize, usize, usize) {
        let steps = self.timelines.iter().map(|(_, timeline)| timeline.len()).sum();
        (self.records.weight(), steps, self.people.awake_entries())
    }

    /// Lets go of timelines and lines that were not used lately, if that is due.
    pub(super) fn cool(&mut self) {
        self.timelines.cool();
        self.people.cool();
    }
}
