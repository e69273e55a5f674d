//! What the aggregator takes in by itself: rejected events judged again, events of an archive.
//!
//! They go the way of every frame, under shards of the aggregator's own: logged before they are
//! applied, numbered, every id looked up.

use std::collections::HashSet;

use edgetally_proto::batch::Batch;
use edgetally_proto::event::Event;
use edgetally_proto::frame;
use edgetally_proto::ids::{ClientId, Epoch, EventId, ShardName, SiteId, UserId};
use edgetally_proto::limits::WINDOW_BYTES_MAX;
use edgetally_proto::validate::Reject;
use edgetally_proto::window::Window;

use crate::alerts::book::{Change as AlertChange, Told};
use crate::apply::{Changed, Entry, World};
use crate::costs::{Cost, Outcome as CostsOutcome};
use crate::dedup::{Source, Tally};
use crate::intake;
use crate::merges::{Change as MergeChange, Refusal};
use crate::orders::daily::Day;
use crate::orders::told::{Became, Told as OrderTold};
use crate::rejects::again::{Change, Reason};
use crate::rejects::page::Place;
use crate::site::{Copied, Effects, Known, Moved, Plan, Report, Site, Terms};
use crate::tombstones::{Erasure, Person, Veiled};

/// The shard of rejected events that were taken in after all.
pub const REJECTS: &str = "local|rejects";

/// The shard of events out of an archive.
pub const ARCHIVE: &str = "local|archive";

/// What the thread that owns the state is asked to take in.
#[derive(Debug)]
pub enum Ask {
    /// Rejected events of a site, judged again.
    Letters {
        /// The site.
        site: SiteId,
        /// Every letter with what was said of it.
        judged: Vec<(Place, Result<Event, Reject>)>,
    },
    /// A person of a site to erase.
    Erase {
        /// The site.
        site: SiteId,
        /// Whom.
        person: Person,
        /// The salt of the site's tombstones, if this is the first.
        salt: Veiled,
    },
    /// A person of a site to merge into a user, or to be himself again.
    Merge {
        /// The site.
        site: SiteId,
        /// Whom.
        from: Person,
        /// Into whom.
        into: UserId,
        /// Whether the merge is taken back.
        is_undo: bool,
    },
    /// What a site paid for its campaigns.
    Costs {
        /// The site.
        site: SiteId,
        /// What was told.
        costs: Vec<Cost>,
    },
    /// What became of a site's alerts.
    Alerts {
        /// The site.
        site: SiteId,
        /// In their order.
        changes: Vec<AlertChange>,
    },
    /// What a back office tells of orders of a site.
    Orders {
        /// The site.
        site: SiteId,
        /// Versions, in the order in which they were told.
        told: Vec<OrderTold>,
    },
    /// Days of a site were worked out again from its orders.
    Rebuilt {
        /// The site.
        site: SiteId,
        /// Days that changed before, each with the number of the last change that was seen.
        clean: Vec<(Day, u64)>,
        /// Days whose statistics were wrong.
        wrong: Vec<Day>,
    },
    /// What is known of a person of a site.
    Know {
        /// The site.
        site: SiteId,
        /// Who.
        person: Person,
        /// Whether all of his records are wanted, which takes a look at every record.
        with_records: bool,
    },
    /// Erasures of a site that an archive remembers.
    Remember {
        /// The site.
        site: SiteId,
        /// In their order.
        erasures: Vec<Erasure>,
    },
    /// Events out of an archive.
    Fold(Batch),
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Rejected events.
    Letters(Letters),
    /// A person.
    Erased(Report),
    /// A merge, or its undoing.
    Merged(Result<Moved, Refusal>),
    /// Costs.
    Costs(CostsOutcome),
    /// Alerts: those that began or are over.
    Alerts(Vec<Told>),
    /// What became of each version of an order.
    Orders(Vec<Became>),
    /// Days were rebuilt.
    Rebuilt,
    /// What is known of a person, with his records if they are wanted.
    Known(Box<(Option<Known>, Copied)>),
    /// How many erasures were not known yet.
    Remembered(usize),
    /// Events: how many there were, and how many of them are held already or erased.
    Folded {
        /// All of them.
        events: u64,
        /// Those that change nothing.
        known: u64,
    },
    /// Nothing was done, for a reason that is a fault of ours.
    Failed(String),
}

/// What became of rejected events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letters {
    /// Letters that were still there.
    pub replayed: usize,
    /// Of them, events taken in.
    pub accepted: usize,
    /// Of them, events whose id was held already.
    pub duplicates: usize,
    /// Places of those that stay.
    pub rejected: HashSet<Place>,
}

/// Rejected events on their way in.
#[derive(Debug, Default)]
struct Round {
    letters: Letters,
    changes: Vec<Change>,
    window: Window,
    batches: Vec<Batch>,
    /// Clients and ids in the window, since it takes every event for a new one.
    taken: HashSet<(Option<ClientId>, EventId)>,
}

/// The numbering of one of the aggregator's own shards.
#[must_use]
pub fn source(shard: &str) -> Option<Source> {
    // It lives as long as the state that holds its numbers.
    Some(Source { shard: ShardName::parse(shard).ok()?, epoch: Epoch([0; 16]) })
}

impl World {
    /// Takes something in: what the log must hold before the answer is given, and the answer.
    pub fn take_in(
        &mut self,
        ask: Ask,
        now_ms: i64,
        changed: &mut Changed,
    ) -> (Vec<Entry>, Answer) {
        match ask {
            Ask::Letters { site, judged } => self.take_letters(&site, judged, now_ms, changed),
            Ask::Erase { site, person, salt } => {
                self.erase_all(&site, &person, (salt, now_ms), changed)
            }
            Ask::Merge { site, from, into, is_undo } => {
                let nothing = Site::default();
                let state = self.sites.get(&site).unwrap_or(&nothing);
                match state.plan_merge(from, into, is_undo, now_ms) {
                    Err(refusal) => (Vec::new(), Answer::Merged(Err(refusal))),
                    Ok(None) => (Vec::new(), Answer::Merged(Ok(Moved::default()))),
                    Ok(Some(change)) => {
                        let moved = self.merge(&site, &change, changed);
                        (vec![Entry::Merge { site, change }], Answer::Merged(Ok(moved)))
                    }
                }
            }
            Ask::Costs { site, costs } => {
                let nothing = Site::default();
                let state = self.sites.get(&site).unwrap_or(&nothing);
                let (costs, outcome) = state.costs.plan(costs);
                self.put_costs(&site, costs.clone(), changed);
                let entry = (!costs.is_empty()).then_some(Entry::Costs { site, costs });
                (entry.into_iter().collect(), Answer::Costs(outcome))
            }
            Ask::Alerts { site, changes } => {
                let before = changed.sites.get(&site).map_or(0, |known| known.alerts.len());
                self.put_alerts(&site, changes.clone(), changed);
                let told = changed.sites.get(&site).and_then(|known| known.alerts.get(before..));
                let told = told.unwrap_or_default().to_vec();
                (vec![Entry::Alerts { site, changes }], Answer::Alerts(told))
            }
            Ask::Orders { site, told } => {
                let (entries, became) = self.take_orders(&site, told, now_ms, changed);
                (entries, Answer::Orders(became))
            }
            Ask::Rebuilt { site, clean, wrong } => {
                self.change_site(&site, changed, |state, _| state.note_rebuilt(&clean, &wrong));
                (Vec::new(), Answer::Rebuilt)
            }
            Ask::Know { site, person, with_records } => {
                let known = self.sites.get(&site).map(|state| {
                    let copied = || state.copied(&person, now_ms);
                    (state.known(&person), with_records.then(copied).unwrap_or_default())
                });
                let known = Box::new(known.unwrap_or_default());
                (Vec::new(), Answer::Known(known))
            }
            Ask::Remember { site, erasures } => self.remember(&site, erasures, changed),
            Ask::Fold(batch) => match self.apply_own(ARCHIVE, &[batch], changed) {
                Err(error) => (Vec::new(), Answer::Failed(error)),
                Ok((entries, tally)) => {
                    let (events, known) = (tally.accepted, tally.late_duplicates);
                    (entries, Answer::Folded { events, known })
                }
            },
        }
    }

    fn remember(
        &mut self,
        site: &SiteId,
        erasures: Vec<Erasure>,
        changed: &mut Changed,
    ) -> (Vec<Entry>, Answer) {
        let (mut entries, mut count) = (Vec::new(), 0);
        for erasure in erasures {
            let nothing = Site::default();
            let state = self.sites.get(site).unwrap_or(&nothing);
            let Some(plan) = state.plan_known_erasure(erasure) else { continue };
            let Plan { erasure, numbers, .. } = plan.clone();
            self.erase(site, plan, changed);
            count += 1;
            entries.push(Entry::Erase { site: site.clone(), erasure: erasure.clone(), numbers });
            entries.extend(self.unmerge(site, |whom| erasure.is_of(whom), changed));
        }
        (entries, Answer::Remembered(count))
    }

    /// Erases a person and whoever was merged with him.
    fn erase_all(
        &mut self,
        site: &SiteId,
        person: &Person,
        (salt, now_ms): (Veiled, i64),
        changed: &mut Changed,
    ) -> (Vec<Entry>, Answer) {
        let nothing = Site::default();
        let state = self.sites.get(site).unwrap_or(&nothing);
        let group = state.merges.group(&state.merges.last(person));
        let (mut entries, mut report) = (Vec::new(), Report::default());
        for whom in &group {
            let state = self.sites.get(site).unwrap_or(&nothing);
            let plan = state.plan_erasure(whom, salt, now_ms);
            let Plan { erasure, numbers, .. } = plan.clone();
            report.persons.push(whom.to_string());
            report.add(self.erase(site, plan, changed));
            entries.push(Entry::Erase { site: site.clone(), erasure, numbers });
        }
        entries.extend(self.unmerge(site, |whom| group.contains(whom), changed));
        (entries, Answer::Erased(report))
    }

    /// Forgets the merges that name somebody.
    fn unmerge(
        &mut self,
        site: &SiteId,
        is_meant: impl Fn(&Person) -> bool,
        changed: &mut Changed,
    ) -> Option<Entry> {
        let places = self.sites.get(site)?.merges.naming(is_meant);
        if places.is_empty() {
            return None;
        }
        self.forget_merges(site, &places, changed);
        Some(Entry::Unmerge { site: site.clone(), places })
    }

    /// Carries out a merge, or its undoing.
    pub fn merge(&mut self, site: &SiteId, change: &MergeChange, changed: &mut Changed) -> Moved {
        self.change_site(site, changed, |state, effects| state.merge(change, effects))
    }

    /// Forgets merges by their places on the list.
    pub fn forget_merges(&mut self, site: &SiteId, places: &[u32], changed: &mut Changed) {
        self.change_site(site, changed, |state, effects| state.forget_merges(places, effects));
    }

    /// Puts costs of campaigns in their places.
    pub fn put_costs(&mut self, site: &SiteId, costs: Vec<Cost>, changed: &mut Changed) {
        self.change_site(site, changed, |state, _| state.costs.put(costs));
    }

    /// Changes a site's alerts.
    pub fn put_alerts(&mut self, site: &SiteId, changes: Vec<AlertChange>, changed: &mut Changed) {
        self.change_site(site, changed, |state, effects| {
            let told = |change| state.alerts.apply(site.as_str(), change);
            effects.alerts.extend(changes.into_iter().filter_map(told));
        });
    }

    /// How a site's time is cut.
    pub(crate) fn terms(&self, site: &SiteId) -> Terms {
        let entry = self.directory.sites.get(site);
        entry.map(Terms::of).unwrap_or_default()
    }

    /// Changes the state of a site, and tells those who watch.
    pub(crate) fn change_site<T>(
        &mut self,
        site: &SiteId,
        changed: &mut Changed,
        change: impl FnOnce(&mut Site, &mut Effects) -> T,
    ) -> T {
        let terms = self.terms(site);
        let state = self.sites.entry(site.clone()).or_insert_with(|| Site::new(terms));
        let mut effects = Effects::default();
        let answer = change(state, &mut effects);
        let known = changed.sites.entry(site.clone()).or_default();
        known.seconds.extend(effects.seconds);
        known.orders.extend(effects.orders);
        known.alerts.extend(effects.alerts);
        answer
    }

    /// Erases what was planned.
    pub fn erase(&mut self, site: &SiteId, plan: Plan, changed: &mut Changed) -> Report {
        self.change_site(site, changed, |state, effects| state.erase(plan, effects))
    }

    fn take_letters(
        &mut self,
        site: &SiteId,
        judged: Vec<(Place, Result<Event, Reject>)>,
        now_ms: i64,
        changed: &mut Changed,
    ) -> (Vec<Entry>, Answer) {
        let mut round = Round::default();
        for (place, judged) in judged {
            self.take_letter(site, place, judged, &mut round);
            if round.window.bytes() > WINDOW_BYTES_MAX {
                round.batches.push(round.window.seal(now_ms));
            }
        }
        if !round.window.is_empty() {
            round.batches.push(round.window.seal(now_ms));
        }
        let mut entries = match self.apply_own(REJECTS, &round.batches, changed) {
            Err(error) => return (Vec::new(), Answer::Failed(error)),
            Ok((entries, _)) => entries,
        };
        let Round { letters, changes, .. } = round;
        self.change_letters(site, &changes, changed);
        if !changes.is_empty() {
            entries.push(Entry::Letters { site: site.clone(), changes });
        }
        (entries, Answer::Letters(letters))
    }

    /// Folds the event of one letter, if it passed and is new; a letter that is gone is skipped.
    fn take_letter(
        &self,
        site: &SiteId,
        place: Place,
        judged: Result<Event, Reject>,
        round: &mut Round,
    ) {
        let held = self.sites.get(site).and_then(|site| site.rejects.letter(place));
        let Some(letter) = held else { return };
        round.letters.replayed += 1;
        let reason = match judged {
            Ok(event) => {
                let key = (event.client.clone(), event.id.clone());
                if self.holds(site, &event) || !round.taken.insert(key) {
                    round.letters.duplicates += 1;
                } else {
                    round.letters.accepted += 1;
                    round.window.fold(site, event);
                }
                None
            }
            Err(Reject { code, field, message }) => {
                round.letters.rejected.insert(place);
                let is_known = letter.code == code && letter.field == field;
                if is_known && letter.message == message {
                    return;
                }
                Some(Reason { code, field, message })
            }
        };
        let Place { received_at_ms, code, number } = place;
        round.changes.push(Change { received_at_ms, code, number, reason });
    }

    fn holds(&self, site: &SiteId, event: &Event) -> bool {
        let Some(site) = self.sites.get(site) else { return false };
        let client = event.client.as_ref().map_or("", |client| client.as_str());
        let client = site.texts.find(client);
        client.is_some_and(|client| site.records.standing_for(client, &event.id).is_some())
    }

    /// Carries out what became of letters.
    pub fn change_letters(&mut self, site: &SiteId, changes: &[Change], changed: &mut Changed) {
        if let Some(state) = self.sites.get_mut(site) {
            changes.iter().for_each(|change| state.rejects.change(change));
            changed.sites.entry(site.clone()).or_default();
        }
    }

    /// Applies batches under a shard of the aggregator's own; gives what the log must hold, and
    /// what was said of their events.
    ///
    /// # Errors
    /// If a batch cannot be folded in; then none of them was.
    fn apply_own(
        &mut self,
        shard: &str,
        batches: &[Batch],
        changed: &mut Changed,
    ) -> Result<(Vec<Entry>, Tally), String> {
        let source = source(shard).ok_or_else(|| format!("{shard} is no name of a shard"))?;
        // Read back as a start reads them from the log, so that both end in the same state.
        let read = |batch| {
            let bytes = frame::encode(batch);
            intake::decode(&bytes).map(|batch| (bytes, batch)).map_err(|error| error.to_string())
        };
        let frames: Vec<(Vec<u8>, Batch)> = batches.iter().map(read).collect::<Result<_, _>>()?;
        let mut entries = Vec::new();
        let before = self.marks.get(&source).map(|mark| mark.tally).unwrap_or_default();
        for (bytes, batch) in frames {
            let checksum = frame::peek(&bytes).ok().map(|head| head.checksum);
            self.marks.advance(&source, checksum);
            let sequence = self.marks.last(&source);
            // Without a clock: what comes from here says nothing of how late frames come.
            self.apply(&source, Some(&batch), 0, changed);
            let (shard, epoch) = (source.shard.clone(), source.epoch.0);
            entries.push(Entry::Frame { shard, epoch, sequence, checksum, is_dead: false, bytes });
        }
        let after = self.marks.get(&source).map(|mark| mark.tally).unwrap_or_default();
        let tally = Tally {
            accepted: after.accepted - before.accepted,
            late_duplicates: after.late_duplicates - before.late_duplicates,
            ..after
        };
        Ok((entries, tally))
    }
}
