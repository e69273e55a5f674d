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

/// The case of a seed.
pub fn operations(seed: u64) -> Vec<Operation> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut next = 0;
    let count = rng.random_range(10..200);
    (0..count).map(|_| step(&mut rng, &mut next)).collect()
}
