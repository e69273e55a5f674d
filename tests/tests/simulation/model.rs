//! Operations, and how a seed becomes a list of them.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// What happens to a request of the shard on its way to the aggregator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives and so does the answer.
    Delivered,
    /// It never arrives.
    Lost,
    /// It arrives, the answer does not.
    AnswerLost,
    /// It arrives twice; the second answer is heard.
    Twice,
}

/// What happens to an operation on the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It is done and the answer is heard.
    Done,
    /// It fails.
    Failed,
    /// It is done, the answer is not heard.
    AnswerLost,
}

/// One step of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A client sends these events, by number; a number that was sent before is a repeat.
    Send {
        /// Numbers of the events.
        events: Vec<u16>,
    },
    /// Clients that heard nothing send the same events again.
    Retry,
    /// Clients that heard nothing go away.
    GiveUp,
    /// The open window is committed and its clients are answered.
    Commit,
    /// The window is committed, but the object dies before its clients are answered.
    CommitAndCrash,
    /// One request to the aggregator.
    Forward(Fate),
    /// A request of earlier arrives at the aggregator once more.
    Stray,
    /// The shard loses its memory.
    CrashShard,
    /// The shard's storage falls back to an earlier state, whose frames were all delivered.
    RestoreShard,
    /// The aggregator loses what it has not logged and reads its log again.
    CrashAggregator,
    /// The aggregator is restored from a copy that lacks its newest entries, by this share of 256.
    RestoreAggregator(u8),
    /// The aggregator makes a backup; with a bucket it is never restored to one before the last
    /// two.
    Backup,
    /// One operation on the bucket, if one is due.
    Archive(Service),
    /// Operations on the bucket until none is due.
    ArchiveAll,
    /// Time passes, in seconds; negative if the clock steps back.
    Pass(i32),
}

fn fate(rng: &mut SmallRng) -> Fate {
    match rng.random_range(0..10) {
        0 => Fate::Lost,
        1 => Fate::AnswerLost,
        2 => Fate::Twice,
        _ => Fate::Delivered,
    }
}

fn service(rng: &mut SmallRng) -> Service {
    match rng.random_range(0..10) {
        0 | 1 => Service::Failed,
        2 | 3 => Service::AnswerLost,
        _ => Service::Done,
    }
}

/// What happens at the bucket.
fn bucket_step(rng: &mut SmallRng) -> Operation {
    match rng.random_range(0..10) {
        0..6 => Operation::Archive(service(rng)),
        6 => Operation::ArchiveAll,
        7 => Operation::Pass(rng.random_range(1..90)),
        8 => Operation::CrashShard,
        _ => Operation::Backup,
    }
}

fn step(rng: &mut SmallRng, next: &mut u16) -> Operation {
    match rng.random_range(0..100) {
        0..35 => {
            let events = (0..rng.random_range(1..6)).map(|_| event(rng, next)).collect();
            Operation::Send { events }
        }
        35..44 => Operation::Retry,
        44 => Operation::GiveUp,
        45..62 => Operation::Commit,
        62..66 => Operation::CommitAndCrash,
        66..84 => Operation::Forward(fate(rng)),
        84..86 => Operation::Stray,
        86..89 => Operation::CrashShard,
        89 => Operation::RestoreShard,
        90..93 => Operation::CrashAggregator,
        93..94 => Operation::RestoreAggregator(rng.random()),
        94..99 => Operation::Pass(rng.random_range(1..400)),
        _ => Operation::Pass(rng.random_range(-120..2_000)),
    }
}

/// Mostly a new event, now and then one of before.
fn event(rng: &mut SmallRng, next: &mut u16) -> u16 {
    if *next > 0 && rng.random_range(0..6) == 0 {
        return rng.random_range(0..*next);
    }
    *next += 1;
    *next - 1
}

/// A case: how the shard is set up, and what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Slots of the ring, if there is a bucket; else the ring is that of production.
    pub bucket: Option<u64>,
    /// What happens.
    pub operations: Vec<Operation>,
}

/// The case of a seed: every other one has a bucket, a ring so small that the bucket is needed, and
/// a time in which nothing reaches the aggregator.
pub fn case(seed: u64) -> Case {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut next = 0;
    let count = rng.random_range(10..200);
    if seed.is_multiple_of(2) {
        let operations = (0..count).map(|_| step(&mut rng, &mut next)).collect();
        return Case { bucket: None, operations };
    }
    let outage = rng.random_range(0..count)..rng.random_range(0..count * 2);
    let mut operation = |at| match rng.random_range(0..3) {
        0 => bucket_step(&mut rng),
        _ => match step(&mut rng, &mut next) {
            Operation::Forward(_) if outage.contains(&at) => Operation::Commit,
            operation => operation,
        },
    };
    let operations = (0..count).map(&mut operation).collect();
    Case { bucket: Some(rng.random_range(4..30)), operations }
}
