//! The way from a client's retry to the aggregator's totals, under a clock moved by hand.
//!
//! The parts are the real ones: the shard of edge-worker over a storage in memory, frames as
//! bytes, the state of the aggregator with its log as a list. A case is a list of operations
//! ([`model::Operation`]) made from a seed: requests and retries, commits, requests to the
//! aggregator that are lost, answered late or delivered twice, crashes of either part, either part
//! restored from a copy, evictions, clients that go away, a clock that jumps. Every other case has
//! a bucket, whose operations fail or succeed unheard, and a ring too small for what happens.
//!
//! A case fails if at its end, once everything was delivered, the aggregator lacks an event that
//! was answered 202 (as new or as a repeat), counts one twice, or orders and revenue are not those
//! of the events it holds; if a frame was not applied just once (rejects have no ids that could
//! hide it); or if the shard forgot an event within a quarter of an hour. With a bucket it fails,
//! too, if an epoch ends although the shard's storage never fell back, or if the archive does not
//! hold just the events that the aggregator holds, in parts that are whole and listed.
//!
//! Not a failure: an event that was never answered 202 may be counted. The client sends it again
//! until it hears, or goes away.
//!
//! A seed that failed stays as a test of its own at the end of this file.

mod ages;
mod books;
mod bucket;
mod disk;
mod model;
mod receiver;
mod run;

use model::{Case, Operation};
use receiver::Sabotage;

/// Cases of the ordinary run; `EDGETALLY_SOAK=1` asks for many more.
const SEEDS: u64 = 300;
const SEEDS_SOAK: u64 = 30_000;

#[test]
fn nothing_is_lost_and_nothing_counts_twice() {
    let seeds = if std::env::var_os("EDGETALLY_SOAK").is_some() { SEEDS_SOAK } else { SEEDS };
    for seed in 0..seeds {
        check(seed);
    }
}

/// Runs the case of a seed; on failure cuts it down to the fewest operations that still fail.
fn check(seed: u64) {
    let case = model::case(seed);
    let Err(failure) = run::run(&case) else { return };
    let mut shortest = case;
    let mut at = 0;
    while at < shortest.operations.len() {
        let mut operations: Vec<Operation> = shortest.operations.clone();
        operations.remove(at);
        let shorter = Case { operations, ..shortest };
        if run::run(&shorter).is_err() {
            shortest = shorter;
        } else {
            at += 1;
        }
    }
    let again = run::run(&shortest).err();
    panic!("seed {seed}: {failure}\nshortest: {shortest:#?}\nwhich says: {again:?}");
}

/// The cases above must be able to fail: whatever line of the promise is broken is found out.
#[test]
fn a_broken_promise_is_found_out() {
    let sabotages = [
        Sabotage::AckUnread,
        Sabotage::AckUnlogged,
        Sabotage::GapTaken,
        Sabotage::ReplayApplied,
        Sabotage::ForkUnseen,
        Sabotage::NoLookUp,
        Sabotage::RepeatNotHeld,
        Sabotage::MarkKept,
    ];
    for sabotage in sabotages {
        let fails = |seed: u64| run::run_with(&model::case(seed), sabotage).is_err();
        assert!((0..SEEDS).any(fails), "{sabotage:?} went unnoticed");
    }
}

/// Seed 6303: frames were acknowledged after the last commit, deleted from the bucket, and wanted
/// again by a shard that knew only what the commit had stored. It could never send on.
#[test]
fn what_storage_does_not_know_to_be_acknowledged_is_not_deleted() {
    use model::{Fate, Operation as Op, Service};
    let mut number = 0;
    let mut send = || {
        number += 1;
        Op::Send { events: vec![number] }
    };
    let operations = vec![
        send(),
        Op::Commit,
        send(),
        Op::Commit,
        send(),
        Op::Commit,
        Op::Forward(Fate::Delivered),
        Op::Pass(372),
        Op::ArchiveAll,
        Op::CrashShard,
        send(),
        Op::CommitAndCrash,
        send(),
        Op::Commit,
        send(),
        Op::Commit,
        send(),
        Op::Pass(1_330),
        Op::CommitAndCrash,
        Op::Backup,
        Op::Backup,
        Op::ArchiveAll,
        send(),
        Op::Commit,
        send(),
        Op::Commit,
        Op::Forward(Fate::Delivered),
        Op::Archive(Service::AnswerLost),
    ];
    assert_eq!(run::run(&Case { bucket: Some(9), operations }), Ok(()));
}

/// A shard's storage was restored, and before the aggregator could tell it so, its new lines went
/// into a part whose numbers an object of before had, and were taken for archived.
#[test]
fn a_restored_shard_does_not_take_other_objects_for_its_own() {
    use model::Operation as Op;
    let send = |events: std::ops::Range<u16>| Op::Send { events: events.collect() };
    let operations = vec![
        send(0..4),
        Op::Commit,
        send(4..8),
        Op::Commit,
        Op::RestoreShard,
        send(8..12),
        Op::Commit,
        send(12..16),
        Op::Commit,
        Op::Pass(61),
        Op::ArchiveAll,
    ];
    let case = Case { bucket: Some(9), operations };
    assert_eq!(run::run(&case), Ok(()));
    assert!(run::run_with(&case, Sabotage::MarkKept).is_err(), "nothing collides");
}

/// Seed 29: the numbers of a restored shard had come to those that the aggregator knew from before,
/// with other frames. It was sent one that was the same, acknowledged all it had, and the shard
/// took that for its own frames.
#[test]
fn frames_that_were_not_compared_are_not_acknowledged() {
    use model::Operation as Op;
    let frame = |n: u16| [Op::Send { events: (n * 4..n * 4 + 4).collect() }, Op::Commit];
    let frames = |numbers: std::ops::Range<u16>| numbers.flat_map(frame);
    let mut operations: Vec<Op> = frame(0).to_vec();
    // An object of its own: what comes after it is in another request.
    operations.extend([Op::Pass(61), Op::ArchiveAll]);
    operations.extend(frames(1..run::BACKUPS as u16 + 1));
    operations.push(Op::RestoreShard);
    operations.extend(frames(50..62));
    assert_eq!(run::run(&Case { bucket: Some(8), operations }), Ok(()));
}
