//! What readers see: an immutable snapshot that shares nearly everything with the one before.

use std::sync::Arc;

use edgetally_proto::event;
use edgetally_proto::ids::{EventId, SiteId};
use imbl::{OrdMap, Vector};

use crate::alerts::book::Book;
use crate::asides::Asides;
use crate::audit::Audit;
use crate::calendar::Calendar;
use crate::columns;
use crate::costs;
use crate::dedup::{Share, Source, Tally};
use crate::directory::Directory;
use crate::eras::Eras;
use crate::held::Held;
use crate::lines::{self, Unpack};
use crate::merge::sketches::Sketches;
use crate::merge::{Counters, Level};
use crate::merges::Change;
use crate::orders::daily::Daily;
use crate::orders::ledger::OrderKey;
use crate::orders::sales::Sales;
use crate::people::{Person, RowKey, SessionRow};
use crate::presence::{PersonId, Presence};
use crate::records::{Shown, Stored};
use crate::rejects::Buckets;
use crate::retractions::Retractions;
use crate::sessionize::{Entry, Line, Lookup, Rules};
use crate::site::credits::{OrderPlace, OrderRow, place_in};
use crate::site::generations::Generations;
use crate::stock::Stock;
use crate::texts::{self, TextId, text_of};
use crate::timeline::Ids;
use crate::tombstones::Erasure;
use crate::touches::Class;

/// One site.
#[derive(Debug, Clone, Default)]
pub struct SiteView {
    /// Texts by number.
    pub texts: texts::Shown,
    /// Rollups.
    pub counters: Counters,
    /// Of the events, those that were over an hour old when they came.
    pub late: Counters,
    /// Distinct clients and quantiles.
    pub sketches: Sketches,
    /// Who was active when.
    pub presence: Presence,
    /// Events that are nobody's activity.
    pub asides: Asides,
    /// Sums over orders.
    pub sales: Sales,
    /// Statistics of orders by day.
    pub daily: Daily,
    /// Rejected events.
    pub rejects: Buckets,
    /// Who was erased.
    pub erasures: Arc<Vec<Arc<Erasure>>>,
    /// Merges and what was undone of them, in their order.
    pub merges: Arc<Vec<Change>>,
    /// What it paid for its campaigns.
    pub costs: costs::Rows,
    /// What is in stock.
    pub stock: Stock,
    /// Its alerts.
    pub alerts: Book,
    /// Records by number.
    pub records: Shown,
    /// Persons by number.
    pub persons: Vector<Person>,
    /// Their lines, by the same number.
    pub lines: lines::Shown,
    /// Sessions by start.
    pub sessions: OrdMap<RowKey, Arc<SessionRow>>,
    /// Sessions that are told no more.
    pub retractions: Retractions,
    /// Number of the last telling of a session since the start of the program.
    pub rev: u64,
    /// What is added to these numbers, so that they are greater than all before the start.
    pub rev_base: u64,
    /// When the sessions that begin in each quarter of an hour were last changed.
    pub session_stamps: OrdMap<i64, u64>,
    /// Sessions as columns, made as they are asked for.
    pub columns: Arc<columns::Store>,
    /// How many sessions begin in each quarter of an hour.
    pub session_starts: OrdMap<i64, i64>,
    /// No session is longer.
    pub longest_session_ms: i64,
    /// Orders by time.
    pub orders: OrdMap<OrderPlace, Arc<OrderRow>>,
    /// Where the orders of a session stand among them.
    pub sold: OrdMap<(u32, OrderPlace), ()>,
    /// Where an order stands among them, by the hash of its key.
    pub order_places: OrdMap<(u64, OrderPlace), ()>,
    /// Its days.
    pub zone: Calendar,
    /// How its sessions are cut.
    pub rules: Eras<Rules>,
    /// How often its sealed days were told anew.
    pub generations: Generations,
    /// From the commit of the last frame with news of it to the arrival here.
    pub lag_ms: i64,
}

impl SiteView {
    /// The record with a number.
    #[must_use]
    pub fn record(&self, number: u32) -> Option<Held<'_, Stored>> {
        self.records.get(number)
    }

    /// From the first event or order to the last one, as far as there are any.
    #[must_use]
    pub fn span_ms(&self) -> Option<(i64, i64)> {
        let ends = [self.orders.get_min(), self.orders.get_max()];
        let [first, last] = ends.map(|row| row.map(|((at_ms, _), _)| *at_ms));
        let orders = first.zip(last.map(|last_ms| last_ms.saturating_add(1)));
        let spans = [self.counters.span_ms(), orders].into_iter().flatten();
        spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// What is told of an order.
    #[must_use]
    pub fn order(&self, key: &OrderKey) -> Option<&Arc<OrderRow>> {
        self.orders.get(&place_in(&self.order_places, &self.orders, key)?)
    }

    /// The id of the event with a record.
    #[must_use]
    pub fn id_of(&self, record: u32) -> String {
        self.records.id(record).map(|id| id.to_string()).unwrap_or_default()
    }

    /// The line of a person; empty if he never had one.
    #[must_use]
    pub fn line(&self, person: PersonId) -> Held<'_, Line> {
        self.lines.get(person, self)
    }

    /// The lines of all persons.
    pub fn all_lines(&self) -> impl Iterator<Item = Held<'_, Line>> {
        (0..).take(self.persons.len()).map(|person| self.line(person))
    }

    /// A person by number: `u:<user>`, `c:<client>` or `c:<client>#<logout>`.
    #[must_use]
    pub fn person(&self, number: PersonId) -> String {
        let person = usize::try_from(number).ok().and_then(|at| self.persons.get(at));
        let text = |id| text_of(&self.texts, id);
        match person {
            None => String::new(),
            Some(Person::User(user)) => format!("u:{}", text(*user)),
            Some(Person::Client(client)) => format!("c:{}", text(*client)),
            Some(Person::AfterLogout(client, logout)) => {
                format!("c:{}#{}", text(*client), self.id_of(*logout))
            }
        }
    }

    /// How many sessions begin between two instants that are whole quarters of an hour.
    #[must_use]
    pub fn sessions_between(&self, from_ms: i64, to_ms: i64) -> i64 {
        let quarter = |ms: i64| ms.div_euclid(Level::Quarter.slot_ms());
        self.session_starts.range(quarter(from_ms)..quarter(to_ms)).map(|(_, count)| count).sum()
    }

    /// The booked orders of the session with a first record.
    pub fn orders_of(&self, session: u32) -> impl Iterator<Item = &OrderRow> {
        let range = (session, (i64::MIN, 0))..=(session, (i64::MAX, u32::MAX));
        let places = self.sold.range(range).map(|((_, place), ())| place);
        places.filter_map(|place| self.orders.get(place).map(Arc::as_ref))
    }

    /// The activity of a session, in order.
    #[must_use]
    pub fn entries_of(&self, row: &SessionRow) -> Vec<Entry> {
        let line = self.line(row.person);
        let session = line.session_from(row.start_ms, row.record);
        session.map(|at| line.entries_of(at).to_vec()).unwrap_or_default()
    }

    /// The ids of a session's events, in order.
    #[must_use]
    pub fn events_of(&self, row: &SessionRow) -> Vec<String> {
        self.entries_of(row).iter().map(|entry| self.id_of(entry.record)).collect()
    }
}

impl Ids for SiteView {
    fn id(&self, record: u32) -> Option<EventId> {
        self.records.id(record)
    }
}

impl Lookup for SiteView {
    fn key(&self, record: u32) -> Option<TextId> {
        self.records.campaign(record)
    }

    fn client(&self, record: u32) -> Option<&str> {
        Some(text_of(&self.texts, self.records.client(record)?))
    }
}

impl Unpack for SiteView {
    fn entry(&self, record: u32, class: Class) -> Option<Entry> {
        let (occurred_at_ms, name) = self.records.moment(record)?;
        let rank = event::rank_named(text_of(&self.texts, name));
        Some(Entry { occurred_at_ms, record, rank, class })
    }

    fn line(&self, entries: Vec<Entry>) -> Line {
        Line::of(entries, &self.rules, &self.zone, self)
    }
}

/// One numbering of a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EdgeState {
    /// Number of the last frame applied.
    pub last: u64,
    /// Sums over its frames.
    pub tally: Tally,
    /// Frames refused because others were missing, since the start of the program.
    pub gaps: u64,
    /// Frames known already, since the start of the program.
    pub replays: u64,
    /// Frames that came with other bytes, since the start of the program.
    pub forks: u64,
    /// When it was last heard, epoch ms; 0 if not since the start of the program.
    pub heard_at_ms: i64,
    /// From the commit of its last frame to its arrival here.
    pub lag_ms: i64,
    /// Whether its last request left something behind.
    pub has_backlog: bool,
    /// Number of the newest frame that it had committed by its last request.
    pub head: u64,
    /// Events in the frames after the last one applied, by its last request.
    pub left: u64,
}

/// Everything readers see.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Grows by one with every snapshot since the start of the program.
    pub number: u64,
    /// Sites and keys.
    pub directory: Arc<Directory>,
    /// State by site.
    pub sites: OrdMap<SiteId, Arc<SiteView>>,
    /// Who changed what.
    pub audit: Audit,
    /// State by numbering.
    pub edges: OrdMap<Source, EdgeState>,
    /// What each numbering brought of each site.
    pub shares: OrdMap<(SiteId, Source), Share>,
    /// What is added to the numbers of tellings of sessions.
    pub rev_base: u64,
}

/// Shards not heard for this long say nothing about how fresh the numbers are.
pub const RECENT_MS: i64 = 60_000;
/// A shard with a backlog that is silent for this long lags.
pub const LAGGING_MS: i64 = 10_000;

impl View {
    /// The oldest commit among shards that were heard lately or have a backlog; without any, the
    /// newest commit there is.
    #[must_use]
    pub fn watermark_ms(&self, now_ms: i64) -> Option<i64> {
        let commit = |edge: &EdgeState| edge.tally.committed_at_ms;
        let seen = || self.edges.values().filter(|edge| edge.last > 0);
        let recent = |edge: &&EdgeState| edge.has_backlog || now_ms - edge.heard_at_ms <= RECENT_MS;
        seen().filter(recent).map(commit).min().or_else(|| seen().map(commit).max())
    }

    /// Shards with a known backlog that fell silent.
    #[must_use]
    pub fn lagging(&self, now_ms: i64) -> Vec<String> {
        let lags = |edge: &EdgeState| edge.has_backlog && now_ms - edge.heard_at_ms > LAGGING_MS;
        let shards = self.edges.iter().filter(|(_, edge)| lags(edge));
        shards.map(|(source, _)| source.shard.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::ids::{Epoch, ShardName};

    use super::*;

    #[test]
    fn the_watermark_is_the_oldest_commit_of_shards_that_matter() {
        let mut view = View::default();
        assert_eq!(view.watermark_ms(0), None);
        for (shard, committed_at_ms, heard_at_ms, has_backlog) in
            [("a", 500, 100_000, false), ("b", 90_000, 199_000, false), ("c", 700, 150_000, true)]
        {
            let source = Source { shard: ShardName::parse(shard).unwrap(), epoch: Epoch([0; 16]) };
            let tally = Tally { committed_at_ms, ..Tally::default() };
            let edge =
                EdgeState { last: 1, tally, heard_at_ms, has_backlog, ..EdgeState::default() };
            view.edges.insert(source, edge);
        }
        assert_eq!(view.watermark_ms(200_000), Some(700));
        assert_eq!(view.lagging(200_000), ["c"]);
        assert_eq!(view.lagging(155_000), [""; 0]);
        assert_eq!(view.watermark_ms(100_000), Some(500));
    }
}
