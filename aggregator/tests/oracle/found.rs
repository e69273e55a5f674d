//! What random streams found, as small as it shrank.

use edgetally_proto::time::{DAY_MS, MINUTE_MS};

use super::engine::{agree, agree_merging};
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
    agree_merging(events.to_vec(), &config, Some((0, "c:W")));
    agree_merging(events.to_vec(), &config, Some((3, "c:W")));
}
