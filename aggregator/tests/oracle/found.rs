//! What random streams found, as small as it shrank.

use edgetally_proto::time::{DAY_MS, MINUTE_MS};

use super::engine::{agree, agree_merged};
use super::model::{Config, Event};
use super::rules::{at, click, fact, login, said};

const WEEK: i64 = 7 * DAY_MS;

/// An event that arrived some time after it happened.
fn late(event: Event, by_ms: i64) -> Event {
    Event { received_ms: event.at_ms + by_ms, ..event }
}

/// The order stands between a logout and a login that came too late to count for its credit; who
/// logs in after that decides whose touch it was.
#[test]
fn a_late_login_after_an_order_of_nobody_freezes_its_credit() {
    let minutes = |count: i64| count * MINUTE_MS;
    agree(
        vec![
            Event { user: Some("A".to_owned()), ..click("c", "W", "facebook", 0) },
            at("o", "W", "logout", 1_000),
            said("p", "purchase", minutes(44), fact(Some(100), &[])),
            late(login("b", "W", "B", minutes(84)), WEEK),
            at("q", "W", "logout", minutes(88)),
            login("a", "W", "A", minutes(118)),
        ],
        &Config::new("Asia/Ho_Chi_Minh"),
    );
}

/// A late login took the order away from the user whose touch it is credited to; what is learned
/// of him on another device still counts.
#[test]
fn a_credit_past_its_freeze_follows_the_user_of_then() {
    let minutes = |count: i64| count * MINUTE_MS;
    agree(
        vec![
            said("p", "purchase", 0, fact(Some(100), &[])),
            login("a", "W", "A", minutes(2)),
            late(login("b", "W", "B", minutes(1)), WEEK),
            login("d", "D", "A", minutes(-5)),
            click("c", "D", "facebook", minutes(-3)),
        ],
        &Config::new("Asia/Ho_Chi_Minh"),
    );
}

/// Nothing is left of the client's own person but what a credit past its freeze says.
#[test]
fn a_merge_of_somebody_who_has_nothing_left_moves_his_frozen_credits() {
    let minutes = |count: i64| count * MINUTE_MS;
    let events = [
        login("l", "D", "u0", minutes(-5)),
        click("c", "D", "facebook", minutes(-3)),
        late(login("a", "W", "u0", minutes(-1)), 8 * DAY_MS),
        said("p", "purchase", 0, fact(Some(100), &[])),
    ];
    let config = Config::new("Asia/Ho_Chi_Minh");
    agree_merged(events.to_vec(), &[(1, "c:W", "u:u0")], &config);
    agree_merged(events.to_vec(), &[(4, "c:W", "u:u0")], &config);
}

/// A late login took the order away from one user, to whom it is credited all the same. Merging him
/// into another one gives it the click of that one's device.
#[test]
fn a_merge_reaches_a_credit_past_its_freeze() {
    let events = vec![
        Event { user: Some("B".to_owned()), ..click("d", "D", "facebook", -MINUTE_MS) },
        said("p", "purchase", 0, fact(Some(100), &[])),
        login("a", "W", "A", 3 * DAY_MS),
        late(login("x", "W", "X", 2 * DAY_MS), 6 * DAY_MS),
    ];
    agree_merged(events, &[(4, "u:A", "u:B")], &Config::new("Asia/Ho_Chi_Minh"));
}

/// What an anonymous browser clicked is a user's by a merge, though a late login took it away; the
/// click itself is learned last.
#[test]
fn a_merged_browsers_click_reaches_a_credit_past_its_freeze() {
    let buyer =
        |event: Event| Event { client: Some("D".to_owned()), user: Some("B".to_owned()), ..event };
    let events = vec![
        buyer(said("p", "purchase", 0, fact(Some(100), &[]))),
        late(login("z", "X", "Z", 2 * DAY_MS), 6 * DAY_MS),
        click("x", "X", "facebook", -MINUTE_MS),
    ];
    agree_merged(events, &[(0, "c:X", "u:B")], &Config::new("Asia/Ho_Chi_Minh"));
}

/// Until the merge nothing that came late concerned the order.
#[test]
fn a_merge_brings_a_touch_that_a_late_login_took_away() {
    let events = vec![
        click("c", "D", "facebook", -2),
        late(login("b", "D", "B", -1), 8 * DAY_MS),
        login("a", "W", "u0", -1),
        said("p", "purchase", 0, fact(Some(100), &[])),
    ];
    agree_merged(events, &[(4, "c:D", "u:u0")], &Config::new("Asia/Ho_Chi_Minh"));
}
