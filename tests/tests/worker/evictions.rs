//! Memory is taken away: by the platform at will, after ten idle seconds, by a kill.

use std::thread;
use std::time::Duration;

use edgetally_tests::dev::within;
use edgetally_tests::http;
use edgetally_tests::peer::Fault;
use serde_json::json;

use super::place::{Place, SITE, batch};

/// The aggregator cannot take anything now.
fn away() -> Fault {
    Fault::Answer(500, json!({}))
}

/// A place with a backlog in both shards.
fn place_with_backlog() -> Place {
    let mut place = Place::new();
    place.peer.set(away());
    for _ in 0..8 {
        place.send();
    }
    assert_eq!(place.arrived(), 0);
    place
}

/// Objects lose their memory in the middle of requests and with frames nobody has acknowledged.
#[test]
fn forced_evictions_lose_and_repeat_nothing() {
    let mut place = place_with_backlog();
    let mut refused = 0;
    for round in 0..12 {
        place.edge().abort_after(Duration::from_millis(40 * round)).expect("it will");
        if round == 6 {
            place.peer.set(Fault::None);
        }
        for _ in 0..4 {
            refused += place.send_until_taken();
        }
    }
    assert!(refused > 0, "no eviction met a request");
    place.expect_all_once();
    place.expect_one_epoch();
}

/// A shard that nobody calls for ten seconds loses its memory by itself. Its numbers go on, and
/// it still knows the events of before.
#[test]
fn an_idle_shard_is_evicted_and_goes_on() {
    let mut place = Place::new();
    for _ in 0..8 {
        place.send();
    }
    place.expect_all_once();
    thread::sleep(Duration::from_secs(12));
    for shard in place.shards() {
        let again = place.edge().evict("Shard", &shard).expect_err("it is not in memory");
        assert!(again.to_string().contains("not currently running"), "{again:#}");
    }
    let known = batch(SITE, "client-0", &place.told["client-0"]);
    let answer = place.edge().collect("sk_shop", &known).expect("an answer");
    let answer = answer.json().expect("a body");
    assert_eq!(answer["duplicates"], json!(place.told["client-0"].len()), "{answer}");
    for _ in 0..8 {
        place.send();
    }
    place.expect_all_once();
    place.expect_one_epoch();
}

/// A shard that is not in memory is brought back by its alarm; while the aggregator is still away
/// the alarm is set anew, and the next one delivers. No request comes, and no cron.
#[test]
fn alarms_follow_each_other_until_everything_is_delivered() {
    let mut place = place_with_backlog();
    place.edge().abort().expect("aborted");
    let refused = place.peer.answered(500);
    // It lies thirty seconds ahead of the first commit.
    within("the first alarms", Duration::from_secs(45), || {
        Ok((place.peer.answered(500) > refused).then_some(()))
    })
    .expect("they ring");
    thread::sleep(Duration::from_secs(2));
    place.edge().abort().expect("aborted");
    place.peer.set(Fault::None);
    assert_eq!(place.arrived(), 0, "nothing else delivers");
    let all = place.told_count();
    within("the next ones", Duration::from_secs(45), || Ok((place.arrived() == all).then_some(())))
        .expect("delivered without a request");
    place.expect_all_once();
}

/// A repeat of what is not committed yet is not answered before it is: whoever is told 202 can
/// forget the event, even if the first sender never hears anything and goes away.
#[test]
fn a_repeat_waits_for_the_commit_of_the_first() {
    let mut place = Place::with_one_shard();
    for round in 0..12 {
        let ids = vec![format!("e-{round:02}")];
        let body = batch(SITE, "client", &ids);
        let url = place.edge().url("/v1/events");
        let send = || http::post_json(&url, Some("sk_shop"), &body);
        let taken = thread::scope(|scope| {
            scope.spawn(send);
            thread::sleep(Duration::from_millis(40));
            place.edge().abort_after(Duration::from_millis(20 + 10 * round)).expect("it will");
            let second = scope.spawn(send);
            second.join().expect("no panic").is_ok_and(|answer| answer.status == 202)
        });
        if taken {
            place.told.entry("client".to_owned()).or_default().extend(ids);
        }
        // Until all of it is over: the first may still be taken, and then it counts as well.
        thread::sleep(Duration::from_millis(400));
    }
    let lost = within("what was promised", Duration::from_secs(40), || {
        place.edge().cron()?;
        let events = place.peer.books().events();
        let told = place.told.values().flatten();
        let lost: Vec<&String> =
            told.filter(|id| !events.keys().any(|(_, _, arrived)| arrived == *id)).collect();
        Ok(lost.is_empty().then_some(()))
    });
    assert!(lost.is_ok(), "told and lost: {:?}", place.told);
    assert!(place.peer.books().events().values().all(|count| *count == 1));
    place.assert_no_panic();
}

/// A killed runtime starts again on the same storage and goes on with the same numbers.
#[test]
fn a_kill_loses_and_repeats_nothing() {
    let mut place = place_with_backlog();
    place.edge.take().expect("it runs").kill().expect("killed");
    place.peer.set(Fault::None);
    place.start();
    for _ in 0..4 {
        place.send();
    }
    place.expect_all_once();
    place.expect_one_epoch();
}

/// An alarm that is past at a start may never ring. The cron delivers then, without any request.
#[test]
fn the_cron_delivers_what_was_due_while_everything_was_down() {
    let mut place = place_with_backlog();
    place.edge.take().expect("it runs").kill().expect("killed");
    thread::sleep(Duration::from_secs(32));
    place.peer.set(Fault::None);
    place.start();
    place.edge().cron().expect("it ends well");
    place.expect_all_once();
}

/// So does the first request after a start, whatever it asks for and whichever shard it is for.
#[test]
fn the_first_request_after_a_start_wakes_every_shard() {
    let mut place = place_with_backlog();
    place.edge.take().expect("it runs").stop().expect("stopped");
    place.peer.set(Fault::None);
    place.start();
    let url = place.edge().url("/healthz");
    assert_eq!(http::get(&url).expect("an answer").status, 200);
    place.expect_all_once();
}
