//! The aggregator is away for two days, and the bucket for hours of them. The clock jumps and runs
//! fast; the ring, its limits and the objects are those of production.

use std::time::Duration;

use edgetally_proto::limits::RING_SLOTS;
use edgetally_tests::dev::within;
use edgetally_tests::peer::Fault;
use serde_json::{Value, json};

use super::place::Place;

const DAYS: Duration = Duration::from_hours(48);
/// The clock jumps so often.
const STEPS: u32 = 96;
/// Frames of a step: all of them are more than the ring holds.
const FRAMES: u64 = RING_SLOTS / STEPS as u64 + 8;
const SPEED: u32 = 100;
/// Nothing of a test lasts so long.
const FOR_EVER_MS: u64 = 3_600_000;

/// What the bucket meets at a step: it refuses for five hours and hangs for two.
fn fault(step: u32) -> Option<Value> {
    match step {
        30 => Some(json!({"ops": ["put", "get", "delete"], "how": "refuse", "status": 500})),
        60 => Some(json!({"ops": ["put"], "how": "hang", "ms": FOR_EVER_MS})),
        40 | 64 => Some(Value::Null),
        _ => None,
    }
}

/// Objects that were read.
fn reads(place: &mut Place) -> u64 {
    let met = place.edge().bucket(&Value::Null).expect("set");
    met["get"]["done"].as_u64().unwrap_or(0)
}

#[test]
fn two_days_without_the_aggregator_cost_nothing_but_delay() {
    let mut place = Place::with(|settings, options| {
        settings.spread = 1;
        (options.gate, options.clock) = (Some(Value::Null), true);
    });
    for _ in 0..3 {
        place.send();
    }
    place.expect_all_once();
    let before = place.arrived();

    place.peer.set(Fault::Answer(500, json!({})));
    for step in 0..STEPS {
        place.edge().clock(DAYS / STEPS, SPEED).expect("set");
        if let Some(fault) = fault(step) {
            place.edge().bucket(&fault).expect("set");
        }
        if step % 8 == 7 {
            place.edge().abort().expect("aborted");
            place.send_until_taken();
        }
        place.edge().cron().expect("it ends well");
        for _ in 0..FRAMES {
            place.send();
        }
    }
    assert_eq!(place.arrived(), before, "the aggregator was away");
    place.expect_archive();

    let read = reads(&mut place);
    place.edge().clock(Duration::ZERO, 10).expect("set");
    place.peer.set(Fault::None);
    let all = place.told_count();
    within("two days to arrive", Duration::from_secs(120), || {
        place.send();
        Ok((place.arrived() >= all).then_some(()))
    })
    .expect("in time");
    place.expect_all_once();
    place.expect_one_epoch();
    let frames: usize = place.peer.books().shards().values().sum();
    assert!(frames as u64 > RING_SLOTS + 100, "{frames} frames fit into the ring");
    let read = reads(&mut place) - read;
    assert!(read > 2, "{read} objects were read");
    place.expect_archive();
}
