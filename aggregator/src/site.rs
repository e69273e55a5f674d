//! The state of one site: records, and everything that follows from them.
//!
//! A frame's share is folded in at once. What follows from records (owners, presence, orders) is
//! kept as sums of differences, so it equals what a batch over all records would give.

mod erase;
mod fine;
mod follow;
mod frozen;
pub mod generations;
mod known;
mod merging;
mod persons;
mod sketched;
mod timelines;
mod told;

pub use erase::{Plan, Report};
pub use known::{Copied, Known};
pub use merging::Moved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use edgetally_proto::batch::SiteBatch;
use edgetally_proto::event::Platform;
use edgetally_proto::record::{Fact, Flags, Record};
use edgetally_proto::rollup::CounterKey;
use edgetally_proto::time::{EARLIEST_MS, LATEST_MS, SECOND_MS, second_of};
use edgetally_proto::visitor::Device;
use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::alerts::book::{Book, Told};
use crate::asides::Asides;
use crate::attribution::Window;
use crate::calendar::Calendar;
use crate::columns;
use crate::costs::Costs;
use crate::directory::{Former, SiteEntry};
use crate::eras::Eras;
use crate::held::Held;
use crate::merge::sketches::Sketches;
use crate::merge::{BlockKey, Counters, Measure};
use crate::merges::Merges;
use crate::orders::daily::Daily;
use crate::orders::ledger::{Ledger, OrderChange};
use crate::people::People;
use crate::presence::Presence;
use crate::records::{Copies, Records, Stored};
use crate::rejects::Rejects;
use crate::sessionize::Rules;
use crate::stock::Stock;
use crate::texts::{TextId, Texts};
use crate::timeline::Timeline;
use crate::tombstones::Tombstones;
use crate::warm::{self, Warm};

pub mod credits;

use credits::Credits;
use generations::Generations;

/// How a site's time is cut, and how its orders are credited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Its days.
    pub zone: Calendar,
    /// How its sessions are cut.
    pub rules: Eras<Rules>,
    /// How its orders are credited.
    pub window: Window,
    /// How long after its end a day takes events of browsers.
    pub lateness_ms: i64,
}

impl Terms {
    /// Those of a site's settings.
    #[must_use]
    pub fn of(entry: &SiteEntry) -> Self {
        let settings = &entry.settings;
        Self {
            zone: entry.calendar(),
            rules: entry.eras(|Former { session, window, .. }| Rules {
                gap_ms: session.gap.ms,
                window_ms: window.ms,
                daily_cut: session.daily_cut,
                campaign_cut: session.campaign_cut,
            }),
            window: Window { freeze_ms: settings.attribution.freeze.ms },
            lateness_ms: settings.lateness.ms,
        }
    }

    /// From when on these are others, if they are.
    fn differ_from(&self, site: &Site) -> Option<i64> {
        let days = self.zone.zones().differs_from(site.zone.zones());
        let freeze = (self.window != site.window).then_some(i64::MIN);
        let all = [days, self.rules.differs_from(&site.rules), freeze];
        all.into_iter().flatten().min()
    }
}

/// For how much of a site there is room in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Full blocks of records, in bytes.
    pub record_bytes: usize,
    /// Events on timelines that are not to be worked out again, and as many on lines of persons.
    pub events: usize,
    /// Sessions as columns.
    pub column_bytes: usize,
}

impl Room {
    /// Of all full blocks of records; of what is worked out again, what was used lately.
    pub const ALL: Self =
        Self { record_bytes: usize::MAX, events: warm::ROOM, column_bytes: columns::ROOM };

    /// The share of a site in the memory for all: a quarter for sessions as columns; of the rest
    /// half for records, a quarter each for timelines and lines.
    pub(crate) fn share(memory: usize, records: u32, all: u64) -> Self {
        let share = (memory as u128 * u128::from(records) / u128::from(all.max(1))) as usize;
        let (column_bytes, rest) = (share / 4, share - share / 4);
        Self { record_bytes: rest / 2, events: rest / 4 / BYTES_OF_AN_EVENT, column_bytes }
    }
}

/// What an event on a timeline or a line takes that is not packed, about.
const BYTES_OF_AN_EVENT: usize = 64;

/// A rebuild lets go of what it does not need after so many records.
const COOL_EVERY: u32 = 1_024;

/// What a frame's share changed, for those who watch.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Events in it.
    pub accepted: u64,
    /// Of them, repeats of events held already.
    pub late_duplicates: u64,
    /// Seconds whose numbers changed.
    pub seconds: FxHashSet<i64>,
    /// Orders that changed.
    pub orders: Vec<OrderChange>,
    /// Alerts that began or are over.
    pub alerts: Vec<Told>,
}

/// The state of one site.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Every text of the site.
    pub texts: Texts,
    /// Every accepted event.
    pub records: Records,
    /// Rollups.
    pub counters: Counters,
    /// Distinct clients and quantiles.
    pub sketches: Sketches,
    /// Of the events, those that were over an hour old when they came.
    pub late: Counters,
    /// Counter blocks that changed since the last checkpoint.
    pub dirty: BTreeSet<BlockKey>,
    /// Who was active when.
    pub presence: Presence,
    /// Events that are nobody's activity.
    pub asides: Asides,
    /// Orders.
    pub ledger: Ledger,
    /// Statistics of orders by day.
    pub daily: Daily,
    /// Rejected events.
    pub rejects: Rejects,
    /// Who was erased.
    pub tombstones: Tombstones,
    /// Whom an administrator joined.
    pub merges: Merges,
    /// What it paid for its campaigns.
    pub costs: Costs,
    /// What is in stock.
    pub stock: Stock,
    /// The site's days.
    pub zone: Calendar,
    /// From the commit of the last frame with news of it to the arrival here.
    pub lag_ms: i64,
    /// Persons and their sessions.
    pub people: People,
    /// Booked orders and what they are credited to.
    pub credits: Credits,
    /// How sessions are cut.
    pub rules: Eras<Rules>,
    /// How orders are credited.
    pub window: Window,
    /// How long after its end a day takes events of browsers.
    pub lateness_ms: i64,
    /// How often sealed days were told anew.
    pub generations: Generations,
    /// Its alerts, and who is still to be told of them.
    pub alerts: Book,
    /// Sessions as columns, for readers.
    pub columns: columns::Owned,
    timelines: Warm<TextId, Timeline>,
    /// Records with numbers below it were followed.
    followed: u32,
}

/// Whether a share can be folded in. A frame whose share cannot is a dead letter.
///
/// # Errors
/// If a time is outside 2000 to 2100.
pub fn check(batch: &SiteBatch) -> Result<(), &'static str> {
    let is_time = |ms: i64| (EARLIEST_MS..LATEST_MS).contains(&ms);
    let times = batch.records.iter().flat_map(|r| [r.occurred_at_ms, r.received_at_ms]);
    let times = times.chain(batch.letters.iter().map(|letter| letter.received_at_ms));
    let seconds = batch.rejects.keys().map(|key| key.second);
    let seconds = seconds.chain(batch.duplicates.keys().chain(batch.dropped.keys()).copied());
    let as_ms = seconds.map(|second| second.saturating_mul(SECOND_MS));
    if !times.chain(as_ms).all(is_time) {
        return Err("a time is outside 2000 to 2100");
    }
    Ok(())
}

/// The numbers of a frame's texts within the site.
struct Numbers {
    names: Vec<TextId>,
    clients: Vec<TextId>,
    users: Vec<TextId>,
    pages: Vec<TextId>,
    referrers: Vec<TextId>,
    campaigns: Vec<TextId>,
    grades: Vec<TextId>,
    places: Vec<TextId>,
    devices: Vec<Device>,
}

/// A value as the text under which the site keeps it.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn number<T: Copy + Default>(numbers: &[T], reference: u32) -> T {
    usize::try_from(reference).ok().and_then(|at| numbers.get(at)).copied().unwrap_or_default()
}

impl Numbers {
    fn of(batch: &SiteBatch, texts: &mut Texts) -> Self {
        let tables = &batch.tables;
        Self {
            names: tables.names.iter().map(|text| texts.intern(text.as_str())).collect(),
            clients: tables.clients.iter().map(|text| texts.intern(text.as_str())).collect(),
            users: tables.users.iter().map(|text| texts.intern(text.as_str())).collect(),
            pages: tables.pages.iter().map(|text| texts.intern(text)).collect(),
            referrers: tables.referrers.iter().map(|text| texts.intern(text)).collect(),
            campaigns: tables.campaigns.iter().map(|c| texts.intern(&json(c))).collect(),
            grades: tables.grades.iter().map(|grade| texts.intern(&json(grade))).collect(),
            places: tables.places.iter().map(|place| texts.intern(&json(place))).collect(),
            devices: tables.devices.clone(),
        }
    }

    fn stored(&self, record: &Record, fact: Option<&Fact>) -> Stored {
        Stored {
            id: record.id.clone(),
            client: record.client.map_or(0, |at| number(&self.clients, at)),
            user: record.user.map(|at| number(&self.users, at)),
            name: number(&self.names, record.name),
            platform: record.platform,
            occurred_at_ms: record.occurred_at_ms,
            received_at_ms: record.received_at_ms,
            flags: record.flags,
            page: record.page.map(|at| number(&self.pages, at)),
            referrer: record.referrer.map(|at| number(&self.referrers, at)),
            campaign: record.campaign.map(|at| number(&self.campaigns, at)),
            grade: record.grade.map_or(0, |at| number(&self.grades, at)),
            place: record.place.map_or(0, |at| number(&self.places, at)),
            device: record.device.map_or_else(Device::default, |at| number(&self.devices, at)),
            fact: fact.cloned().map(Arc::new),
            is_superseded: false,
        }
    }
}

fn measure(name: TextId, platform: Platform, bot: bool) -> Measure {
    Measure::Events { name, platform, bot }
}

impl Site {
    /// A site with nothing.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        let Terms { zone, rules, window, lateness_ms } = terms;
        Self { zone, rules, window, lateness_ms, ..Self::default() }
    }

    /// Folds in a frame's share, which [`check`] has let pass.
    pub fn apply(&mut self, batch: &SiteBatch) -> Effects {
        let known = (self.texts.len(), self.records.len());
        let numbers = Numbers::of(batch, &mut self.texts);
        let mut effects = Effects::default();
        self.apply_counters(batch, &numbers, &mut effects);
        let received = batch.records.iter().map(|record| record.received_at_ms);
        self.watch_sealed(received.max().unwrap_or_default());
        let tombstones = &self.tombstones;
        self.rejects.apply(batch, |letter| !tombstones.is_letter_erased(letter));
        let mut erased = Vec::new();
        let facts: BTreeMap<u32, &Fact> = batch.facts.iter().map(|f| (f.record, f)).collect();
        for (at, record) in (0u32..).zip(&batch.records) {
            let stored = numbers.stored(record, facts.get(&at).copied());
            effects.accepted += 1;
            let Some(stored) = self.unless_erased(stored, &mut erased, &mut effects) else {
                continue;
            };
            match self.records.judge(&stored, &self.texts) {
                Copies::First => {
                    let number = self.records.push_first(stored.clone());
                    self.follow(number, &stored, &mut effects);
                }
                Copies::Same => self.count_twice(&stored, &mut effects),
                Copies::Repeat => {
                    self.count_repeat(&stored, &mut effects);
                    self.records.push_copy(stored);
                }
                Copies::Supersedes(number) => {
                    self.take_back(number, &mut effects);
                    self.add(stored, &mut effects);
                }
            }
        }
        self.raise_generations();
        self.forget_new_texts(known, &erased);
        effects
    }

    /// Lets readers see what waits, because many changes at once take less.
    pub fn settle(&mut self) {
        self.sketches.settle();
        self.presence.settle(&self.zone);
        self.daily.settle();
        self.cool();
    }

    fn count(&mut self, measure: Measure, second: i64, count: i64, effects: &mut Effects) {
        self.counters.add(measure, second, count, &mut self.dirty);
        effects.seconds.insert(second);
    }

    fn apply_counters(&mut self, batch: &SiteBatch, numbers: &Numbers, effects: &mut Effects) {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let cell = |record: &Record| {
            let CounterKey { second, name, platform, bot } = CounterKey::of(record);
            (measure(number(&numbers.names, name), platform, bot), second, 1)
        };
        let cells: Vec<(Measure, i64, i64)> = batch.records.iter().map(cell).collect();
        self.counters.add_all(&cells, &mut self.dirty);
        effects.seconds.extend(cells.iter().map(|(_, second, _)| second));
        for (key, count) in &batch.rejects {
            self.count(Measure::Rejects(key.code), key.second, signed(*count), effects);
        }
        for (measure, seconds) in
            [(Measure::Duplicates, &batch.duplicates), (Measure::Dropped, &batch.dropped)]
        {
            for (second, count) in seconds {
                self.count(measure, *second, signed(*count), effects);
            }
        }
    }

    /// Takes a repeat out of the counters that its frame brought.
    fn count_repeat(&mut self, repeat: &Stored, effects: &mut Effects) {
        self.count_twice(repeat, effects);
        self.count(Measure::LateDuplicates, second_of(repeat.received_at_ms), 1, effects);
    }

    /// Takes a record out of the counters that its frame brought, though no client repeated it: a
    /// frame brought it again, or its person was erased.
    fn count_twice(&mut self, record: &Stored, effects: &mut Effects) {
        self.change_cells(record, -1, effects);
        effects.late_duplicates += 1;
    }

    /// Adds a record to the counters, or takes it out.
    fn change_cells(&mut self, record: &Stored, by: i64, effects: &mut Effects) {
        if record.is_told() {
            return;
        }
        let measure = measure(record.name, record.platform, record.flags.has(Flags::BOT));
        self.count(measure, second_of(record.occurred_at_ms), by, effects);
    }

    /// Cuts days and sessions, and credits orders, by other terms. If anything happened since they
    /// are other ones, all is worked out anew.
    pub fn set_terms(&mut self, terms: Terms) {
        let differ_ms = terms.differ_from(self);
        let Terms { zone, rules, window, lateness_ms } = terms;
        (self.zone, self.rules, self.window) = (zone, rules, window);
        self.lateness_ms = lateness_ms;
        let end_ms = self.span_ms().map_or(i64::MIN, |(_, end_ms)| end_ms);
        if differ_ms.is_none_or(|differ_ms| end_ms <= differ_ms) {
            return;
        }
        (self.presence, self.sketches) = Default::default();
        (self.late, self.stock, self.asides) = Default::default();
        self.raise_all_generations();
        (self.credits, self.ledger, self.daily) = Default::default();
        self.people = self.people.anew();
        self.rebuild();
    }

    /// From the first event or order to the end of the last one, as far as there are any.
    fn span_ms(&self) -> Option<(i64, i64)> {
        let orders = self.credits.rows();
        let first = orders.get_min().map(|((at_ms, _), _)| *at_ms);
        let last = orders.values().map(|row| row.order.dated_ms.max(row.order.at_ms)).max();
        let of_orders = first.zip(last.map(|last_ms| last_ms.saturating_add(1)));
        let spans = [self.counters.span_ms(), of_orders].into_iter().flatten();
        spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Works out everything that follows from the records, after they were put back.
    pub fn rebuild(&mut self) {
        let mut effects = Effects::default();
        self.merges.restart();
        self.timelines.clear();
        self.followed = 0;
        self.people.set_rebuilding(true);
        let changes = self.merges.history().clone();
        let mut changes = changes.iter().peekable();
        for number in 0..self.records.len() {
            let Some(record) = self.records.get(number).map(Held::into_owned) else { continue };
            if record.is_superseded {
                continue;
            }
            while let Some(change) = changes.next_if(|change| change.after <= number) {
                self.put_merge(change, &mut effects);
            }
            self.follow(number, &record, &mut effects);
            // Nobody watches a rebuild.
            effects = Effects::default();
            if number % COOL_EVERY == 0 {
                self.cool();
            }
        }
        for change in changes {
            self.put_merge(change, &mut effects);
        }
        self.people.set_rebuilding(false);
        self.daily.note_all_clean();
        self.settle();
    }
}
