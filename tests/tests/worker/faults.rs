//! The aggregator fails in every way that it can; the clients notice nothing.

use std::time::Duration;

use edgetally_tests::dev::within;
use edgetally_tests::peer::Fault;
use serde_json::json;

use super::place::Place;

const LIMIT: Duration = Duration::from_secs(60);

/// Sends through a list of faults, and waits until all of them were met.
fn play(place: &mut Place, faults: Vec<Fault>) {
    place.peer.next(faults);
    within("every fault to be met", LIMIT, || {
        place.send();
        Ok((place.peer.faults_left() == 0).then_some(()))
    })
    .expect("met in time");
}

/// Refusals, overload, a version that it cannot read, answers that make no sense: all of it is
/// sent again until it is taken.
#[test]
fn an_aggregator_that_refuses_gets_everything_later() {
    let mut place = Place::new();
    let refusals = [
        (500, json!({})),
        (503, json!({"code": "unsupported_version"})),
        (503, json!({"code": "overloaded", "limits": {"min_interval_ms": 300}})),
        (401, json!({"code": "signature_invalid"})),
        (413, json!({})),
        (200, json!({})),
        (200, json!("acked")),
        (204, json!(null)),
        (409, json!({})),
    ];
    let faults = refusals.into_iter().map(|(status, body)| Fault::Answer(status, body));
    play(&mut place, faults.collect());
    place.expect_all_once();
    assert_eq!(place.peer.answered(500), 1);
    assert_eq!(place.peer.books().replays, 0);
}

/// What was taken while its answer was lost is sent again, and told apart by its numbers.
#[test]
fn lost_answers_are_repeated_and_nothing_counts_twice() {
    let mut place = Place::new();
    play(&mut place, vec![Fault::AnswerLost, Fault::None, Fault::AnswerLost, Fault::AnswerLost]);
    place.expect_all_once();
    assert!(place.peer.books().replays >= 3, "nothing came again");
}

/// An aggregator that never answers holds up nobody but itself.
#[test]
fn an_aggregator_that_hangs_is_asked_again() {
    let mut place = Place::new();
    place.peer.next([Fault::Hang, Fault::Hang]);
    within("both shards to hang", LIMIT, || {
        place.send();
        Ok((place.peer.answered(0) == 2).then_some(()))
    })
    .expect("met in time");
    place.send_for(Duration::from_secs(1));
    assert_eq!(place.arrived(), 0, "the second request waits for the first");
    // It is given up after thirty seconds.
    let all = place.told_count();
    within("the next try", LIMIT, || Ok((place.arrived() == all).then_some(())))
        .expect("sent again");
    place.expect_all_once();
}

/// A restored aggregator waits for numbers of before and gets them again from the ring.
#[test]
fn a_restored_aggregator_gets_again_what_it_lacks() {
    let mut place = Place::new();
    for _ in 0..12 {
        place.send();
    }
    place.expect_all_once();
    place.peer.forget_after(2);
    assert!(place.arrived() < place.told_count(), "nothing is missing");
    for _ in 0..4 {
        place.send();
    }
    place.expect_all_once();
    assert!(place.peer.answered(409) >= 1, "nobody was told of the gap");
}

/// Numbers that the shard never gave, and numbers with other bytes: it begins a new epoch, which
/// carries what was not acknowledged.
#[test]
fn numbers_that_make_no_sense_begin_a_new_epoch() {
    let cases = [
        (409, json!({"expected": 1_000})),
        (409, json!({"fork": true})),
        (200, json!({"acked": 1_000})),
    ];
    for (status, body) in cases {
        let mut place = Place::new();
        for _ in 0..4 {
            place.send();
        }
        place.expect_all_once();
        play(&mut place, vec![Fault::Answer(status, body)]);
        place.expect_all_once();
        let epochs: Vec<usize> =
            place.shards().iter().map(|shard| place.peer.books().epochs(shard)).collect();
        assert_eq!(epochs.iter().sum::<usize>(), 3, "one shard of two has a second epoch");
    }
}

/// A fork that is found after the frame was taken: what comes again under the new epoch has ids
/// that are known, so the records can be told apart.
#[test]
fn a_fork_after_a_lost_answer_repeats_whole_frames_only() {
    let mut place = Place::with_one_shard();
    place.send();
    play(&mut place, vec![Fault::AnswerLost, Fault::Answer(409, json!({"fork": true}))]);
    let again = place.expect_all();
    let frames = again.len() / super::place::EVENTS;
    assert!(frames >= 1 && again.values().all(|count| *count == 2), "{again:?}");
}

/// A slow aggregator makes frames larger and keeps one request under way for each shard.
#[test]
fn a_slow_aggregator_gets_many_frames_at_once() {
    let mut place = Place::new();
    place.peer.set(Fault::Slow(Duration::from_millis(1_500)));
    place.send_for(Duration::from_secs(6));
    place.expect_all_once();
    let frames: usize = place.peer.books().shards().values().sum();
    let requests = place.peer.answered(200);
    assert!(requests * 2 <= frames, "{requests} requests for {frames} frames");
}
