//! The aggregator's side: its real state with its log as a list, and the faults built into it.

use aggregator::apply::{Changed, Entry, Outcome, World};
use aggregator::dedup::Source;
use aggregator::intake::{self, Incoming};
use edge_worker::outbox::Reply;
use edge_worker::shard::Parcel;
use edgetally_proto::ids::{Epoch, EventId, ShardName};

/// A fault built in on purpose: what would happen if one line were missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// None at all.
    None,
    /// The aggregator now and then acknowledges what it has not read.
    AckUnread,
    /// The aggregator now and then acknowledges what it has not logged.
    AckUnlogged,
    /// It takes frames that are ahead of their turn.
    GapTaken,
    /// It applies frames that it knows.
    ReplayApplied,
    /// It does not compare checksums: other bytes under a known number pass for a replay.
    ForkUnseen,
    /// It does not look up the ids of records.
    NoLookUp,
    /// A repeat of what is not committed yet is answered at once.
    RepeatNotHeld,
    /// Objects of the bucket are told apart by their numbers alone.
    MarkKept,
}

/// The only shard.
pub fn shard_name() -> ShardName {
    ShardName::parse("v1|apac|0").unwrap()
}

/// An aggregator.
pub struct Receiver {
    sabotage: Sabotage,
    /// What it knows.
    pub world: World,
    /// What it would read again after a crash.
    pub log: Vec<Entry>,
    unlike: usize,
}

impl Receiver {
    /// An empty aggregator.
    pub fn new(sabotage: Sabotage) -> Self {
        Self { sabotage, world: World::default(), log: Vec::new(), unlike: 0 }
    }

    /// Starts again with the first so many entries of the log.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn restart(&mut self, kept: usize) -> Result<(), String> {
        self.log.truncate(kept);
        self.world = World::default();
        self.log.iter().try_for_each(|entry| self.world.replay(entry.clone()))
    }

    /// The last number of an epoch among the first so many entries of the log; 0 if there is none.
    pub fn last(&self, of: Epoch, entries: usize) -> u64 {
        let entries = self.log.iter().take(entries);
        let numbers = entries.filter_map(|entry| match entry {
            Entry::Frame { epoch, sequence, .. } if *epoch == of.0 => Some(*sequence),
            _ => None,
        });
        numbers.max().unwrap_or(0)
    }

    /// One request: decide, log, apply, answer.
    ///
    /// # Errors
    /// If the request is not what a shard sends.
    pub fn receive(&mut self, parcel: &Parcel, now_ms: i64) -> Result<Reply, String> {
        if self.sabotage == Sabotage::AckUnread && parcel.first.is_multiple_of(2) {
            return Ok(Reply::Acked(parcel.last));
        }
        let shard = shard_name();
        let source = Source { shard, epoch: parcel.epoch };
        let read = intake::read(parcel.first, parcel.last, &parcel.body)
            .map_err(|error| error.to_string())?;
        let all = read.frames.clone();
        let decision = self.world.decide(&source, read.frames, now_ms);
        let fresh: Vec<u64> = decision.fresh.iter().map(|frame| frame.sequence).collect();
        for frame in decision.fresh {
            self.log(&source, &frame);
            self.apply(&source, frame, now_ms);
        }
        let is_acked = decision.outcome == Outcome::Acked;
        let is_gap = matches!(decision.outcome, Outcome::Gap { .. });
        match self.sabotage {
            Sabotage::ReplayApplied if is_acked => {
                let known = all.into_iter().filter(|frame| !fresh.contains(&frame.sequence));
                known.for_each(|frame| self.apply(&source, frame, now_ms));
            }
            Sabotage::GapTaken if is_gap => {
                all.into_iter().for_each(|frame| self.apply(&source, frame, now_ms));
                return Ok(Reply::Acked(parcel.last));
            }
            Sabotage::ForkUnseen if decision.outcome == Outcome::Fork => {
                return Ok(Reply::Acked(parcel.last));
            }
            _ => {}
        }
        match decision.outcome {
            Outcome::Acked => Ok(Reply::Acked(decision.acked)),
            Outcome::Gap { expected } => Ok(Reply::Expected(expected)),
            Outcome::Fork => Ok(Reply::Fork),
            Outcome::Dead => Err("a good frame was put aside as dead".to_owned()),
        }
    }

    fn log(&mut self, source: &Source, frame: &Incoming) {
        if self.sabotage != Sabotage::AckUnlogged || frame.sequence.is_multiple_of(2) {
            self.log.push(Entry::Frame {
                shard: source.shard.clone(),
                epoch: source.epoch.0,
                sequence: frame.sequence,
                checksum: frame.checksum,
                is_dead: frame.batch.is_none(),
                bytes: frame.bytes.clone(),
            });
        }
    }

    fn apply(&mut self, source: &Source, mut frame: Incoming, now_ms: i64) {
        if self.sabotage == Sabotage::NoLookUp {
            // With ids that are like no other, none is ever found.
            let sites = frame.batch.iter_mut().flat_map(|batch| &mut batch.sites);
            for record in sites.flat_map(|site| &mut site.records) {
                self.unlike += 1;
                let id = EventId::parse(&format!("{}.{}", record.id, self.unlike));
                record.id = id.unwrap_or_else(|_| record.id.clone());
            }
        }
        let mut changed = Changed::default();
        self.world.apply(source, frame.batch.as_ref(), now_ms, &mut changed);
    }
}
