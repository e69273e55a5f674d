//! The bucket fails in every way that it can: requests are answered, events arrive, and the archive
//! catches up when it is back.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use edgetally_tests::dev::within;
use edgetally_tests::peer::Fault;
use serde_json::{Value, json};

use super::place::Place;

const LIMIT: Duration = Duration::from_secs(60);
/// Nothing of a test lasts so long.
const FOR_EVER_MS: u64 = 3_600_000;

/// A place whose bucket can be made to fail, and gets what was committed after a second.
fn place_with_gate() -> Place {
    Place::with(|_, options| {
        options.gate = Some(Value::Null);
        options.clock = true;
        options.vars = vec!["ARCHIVE_SECONDS=1".to_owned()];
    })
}

/// How many operations met something of this name.
fn count(met: &Value, how: &str) -> u64 {
    let of = |operation: &Value| operation[how].as_u64().unwrap_or(0);
    met.as_object().into_iter().flatten().map(|(_, operation)| of(operation)).sum()
}

/// Lets operations fail until some have met it, while clients send; then the bucket is back.
fn play(place: &mut Place, fault: &Value) {
    let how = fault["how"].as_str().expect("a way to fail");
    let before = count(&place.edge().bucket(fault).expect("set"), how);
    within("the fault to be met", LIMIT, || {
        place.send();
        let met = place.edge().bucket(fault)?;
        Ok((count(&met, how) >= before + 2).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{fault}: {error:#}"));
    place.send_for(Duration::from_millis(500));
    place.edge().bucket(&Value::Null).expect("set");
    place.send();
    place.expect_archive();
}

#[test]
fn a_bucket_that_refuses_gets_everything_later() {
    let mut place = place_with_gate();
    let faults = [
        json!({"ops": ["put"], "how": "refuse", "status": 500}),
        json!({"ops": ["put"], "how": "refuse", "status": 429}),
        json!({"ops": ["get"], "how": "refuse", "status": 500}),
        json!({"ops": ["put", "get", "delete"], "how": "break"}),
    ];
    for fault in &faults {
        play(&mut place, fault);
    }
    place.expect_all_once();
}

/// What was written while the answer was lost is found to be there, and is there once.
#[test]
fn lost_answers_of_the_bucket_double_nothing() {
    let mut place = place_with_gate();
    for ops in [json!(["put"]), json!(["get"]), json!(["put", "get", "delete"])] {
        play(&mut place, &json!({"ops": ops, "how": "lose"}));
    }
    place.expect_all_once();
}

/// A bucket that never answers is given up after half a minute and asked again; what it carries out
/// long after it was given up changes nothing. The clock runs twenty times as fast.
#[test]
fn a_bucket_that_hangs_holds_up_nobody() {
    let mut place = place_with_gate();
    place.edge().clock(Duration::ZERO, 20).expect("set");
    for fault in [
        json!({"ops": ["put", "get"], "how": "hang", "ms": FOR_EVER_MS}),
        json!({"ops": ["put"], "how": "late", "ms": 4_000}),
        json!({"ops": ["put", "get"], "how": "late", "ms": 2_500}),
    ] {
        play(&mut place, &fault);
    }
    place.expect_all_once();
    // What came late came after this, too.
    place.expect_archive();
}

/// Frames that only the bucket has are read from there, when it can be read again.
#[test]
fn frames_are_read_from_a_bucket_that_comes_back() {
    let mut place = place_with_gate();
    place.peer.set(Fault::Answer(500, json!({})));
    for _ in 0..8 {
        place.send();
    }
    place.expect_archive();
    place.edge.take().expect("it runs").stop().expect("stopped");
    // As after a day without the aggregator: the ring went on, the bucket has the frames.
    let gone = "DELETE FROM ring WHERE seq <= (SELECT max(last) FROM spilled) \
        AND seq < (SELECT max(seq) FROM ring);";
    edgetally_tests::edge::run_sql(&place.options.data, "Shard", gone).expect("a shard's file");
    // From the start: a worker that wakes quickly would read them before it can be told to fail.
    let unread = json!({"ops": ["get"], "how": "hang", "ms": FOR_EVER_MS});
    place.options.gate = Some(unread.clone());
    place.start();
    place.edge().clock(Duration::ZERO, 10).expect("set");
    place.peer.set(Fault::None);
    for fault in [unread, json!({"ops": ["get"], "how": "refuse", "status": 500})] {
        let how = fault["how"].as_str().expect("a way to fail");
        let before = count(&place.edge().bucket(&fault).expect("set"), how);
        within("frames to be asked for", LIMIT, || {
            place.send();
            let met = place.edge().bucket(&fault)?;
            Ok((count(&met, how) >= before + 3).then_some(()))
        })
        .expect("asked for");
    }
    let early = place.peer.books().order("client-0");
    assert!(!early.contains(&"e-000000-0".to_owned()), "it came from elsewhere: {early:?}");
    place.edge().bucket(&Value::Null).expect("set");
    place.expect_all_once();
    place.expect_one_epoch();
    place.expect_archive();
}

/// The storage of a shard falls back while the aggregator is away, and what comes next is archived
/// before the aggregator can tell the shard that its numbers are used: no object takes the name of
/// another, and nothing is lost of either.
#[test]
fn a_restored_shard_overwrites_nothing_in_the_bucket() {
    let mut place = place_with_gate();
    place.send();
    place.expect_all_once();
    place.expect_archive();
    let data = place.options.data.clone();
    let (objects, copy) = (data.join("objects/do"), data.join("copy"));
    place.edge.take().expect("it runs").stop().expect("stopped");
    copy_folder(&objects, &copy);
    place.start();
    let next = |place: &mut Place| {
        for _ in 0..8 {
            place.send();
        }
        place.expect_archive();
    };
    next(&mut place);
    place.expect_all_once();
    place.edge.take().expect("it runs").stop().expect("stopped");
    fs::remove_dir_all(&objects).expect("removed");
    copy_folder(&copy, &objects);
    place.peer.set(Fault::Answer(500, json!({})));
    place.start();
    next(&mut place);
    place.peer.set(Fault::None);
    place.edge().cron().expect("it ends well");
    place.expect_all();
    place.expect_archive();
}

fn copy_folder(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").args([from, to]).status().expect("cp runs");
    assert!(status.success());
}
