//! Rules that the worked examples do not show, each by a few events.

use edgetally_proto::event::Platform;
use edgetally_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS};

use super::model::{Config, Event, EventKey, Item, OrderFact};
use super::outcome;
use super::outcome::{Order, Outcome};

const START: i64 = 1_772_420_400_000;
const WEEK: i64 = 7 * DAY_MS;

pub(super) fn at(id: &str, client: &str, name: &str, after_ms: i64) -> Event {
    Event::new(id, client, name, START + after_ms)
}

pub(super) fn login(id: &str, client: &str, user: &str, after_ms: i64) -> Event {
    Event { user: Some(user.to_owned()), ..at(id, client, "login", after_ms) }
}

pub(super) fn click(id: &str, client: &str, source: &str, after_ms: i64) -> Event {
    let key = [source, "cpc", "tet", "", "", ""].map(str::to_owned);
    Event { key: Some(key), ..at(id, client, "page_view", after_ms) }
}

pub(super) fn fact(value: Option<i64>, items: &[(&str, Option<i64>, i64)]) -> OrderFact {
    let item = |(id, price, quantity): &(&str, Option<i64>, i64)| Item {
        id: (*id).to_owned(),
        price: *price,
        quantity: *quantity,
    };
    OrderFact {
        transaction: "T".to_owned(),
        value,
        currency: Some("VND".to_owned()),
        items: items.iter().map(item).collect(),
        ..OrderFact::default()
    }
}

pub(super) fn said(id: &str, name: &str, after_ms: i64, fact: OrderFact) -> Event {
    Event { order: Some(fact), ..at(id, "W", name, after_ms) }
}

fn by_server(event: Event) -> Event {
    Event { platform: Platform::Server, server_key: true, ..event }
}

fn said_of(events: &[Event]) -> Outcome {
    outcome(events, &Config::new("Asia/Ho_Chi_Minh"))
}

fn order_of(events: &[Event]) -> Order {
    said_of(events).orders.remove(&("web".to_owned(), "T".to_owned())).unwrap()
}

fn key(client: &str, id: &str) -> EventKey {
    EventKey { client: Some(client.to_owned()), id: id.to_owned() }
}

/// Who owns `e` on client W among some events.
fn check_owner(events: &[Event], expected: &str) {
    assert_eq!(said_of(events).owners[&key("W", "e")], expected, "{events:#?}");
}

#[test]
fn a_login_reaches_back_a_week_and_no_further() {
    let e = || at("e", "W", "page_view", 0);
    check_owner(&[e()], "c:W");
    check_owner(&[e(), login("l", "W", "B", WEEK)], "u:B");
    check_owner(&[e(), login("l", "W", "B", WEEK + 1)], "c:W");
    check_owner(&[e(), login("l", "D", "B", 1)], "c:W");
}

#[test]
fn after_a_logout_the_same_user_gets_the_gap_and_another_the_chain() {
    let before = [login("a", "W", "A", -9), at("o", "W", "logout", -5)];
    let check = |rest: &[Event], expected| {
        let events = [&before[..], &[at("e", "W", "page_view", 0)], rest].concat();
        check_owner(&events, expected);
    };
    let half = 30 * MINUTE_MS;
    check(&[], "c:W#o");
    check(&[login("l", "W", "A", WEEK)], "u:A");
    check(&[login("l", "W", "A", WEEK + 1)], "c:W#o");
    check(&[login("l", "W", "B", half)], "u:B");
    check(&[login("l", "W", "B", half + 1)], "c:W#o");
    check(&[at("v", "W", "page_view", half), login("l", "W", "B", 2 * half)], "u:B");
    check(&[at("v", "W", "web_vital", half), login("l", "W", "B", 2 * half)], "c:W#o");
    check(&[at("v", "D", "page_view", half), login("l", "W", "B", 2 * half)], "c:W#o");
    // The second logout is no fact, and the person after the first one stays.
    check(&[at("p", "W", "logout", 5)], "c:W#o");
    check(&[at("p", "W", "logout", 5), login("l", "W", "B", 9)], "u:B");
}

#[test]
fn a_logout_before_any_login_is_no_fact_and_its_user_is_nobody() {
    let logout = Event { user: Some("A".to_owned()), ..at("o", "W", "logout", -5) };
    check_owner(&[logout.clone(), at("e", "W", "page_view", 0)], "c:W");
    check_owner(&[logout, at("e", "W", "page_view", 0), login("l", "W", "B", 5)], "u:B");
}

#[test]
fn at_one_instant_logout_comes_before_login_and_login_before_the_rest() {
    let e = || at("e", "W", "page_view", 0);
    check_owner(&[login("z", "W", "A", 0), at("z2", "W", "logout", 0), e()], "u:A");
    check_owner(&[login("z", "W", "A", -9), at("z2", "W", "logout", 0), e()], "c:W#z2");
}

#[test]
fn merges_in_a_row_lead_to_the_last_person() {
    let config = Config {
        merges: vec![("u:B".into(), "u:C".into()), ("u:A".into(), "u:B".into())],
        ..Config::new("UTC")
    };
    let said = outcome(&[login("e", "W", "A", 0)], &config);
    assert_eq!(said.owners[&key("W", "e")], "u:C");
}

/// A click on the phone is known in time, but not whose it is.
#[test]
fn a_login_that_comes_after_the_freeze_moves_the_session_and_not_the_credit() {
    let late = |received_ms| {
        let login = login("d2", "D", "A", 6 * DAY_MS);
        let bought = Event {
            user: Some("A".to_owned()),
            ..said("w", "purchase", HOUR_MS, fact(Some(9), &[]))
        };
        vec![
            click("d1", "D", "facebook", 0),
            bought,
            Event { received_ms: START + received_ms, ..login },
        ]
    };
    let credit = |events: &[Event]| order_of(events).credited.map(|touch| touch.event.id);
    let frozen_ms = HOUR_MS + WEEK;
    assert_eq!(credit(&late(frozen_ms)).as_deref(), Some("d1"));
    assert_eq!(credit(&late(frozen_ms + 1)), None);
    assert_eq!(said_of(&late(frozen_ms + 1)).owners[&key("D", "d1")], "u:A");
    let mut trusted = late(frozen_ms + 1);
    trusted[2].server_key = true;
    assert_eq!(credit(&trusted).as_deref(), Some("d1"));
}

#[test]
fn a_servers_purchase_lies_in_the_session_around_it_until_the_browser_speaks() {
    let server = by_server(said("s", "purchase", MINUTE_MS, fact(Some(120), &[])));
    let around = [at("a", "W", "page_view", 0), at("b", "W", "page_view", 2 * MINUTE_MS)];
    let alone = order_of(&[server.clone(), around[0].clone()]);
    assert_eq!((alone.session, alone.person.as_deref()), (None, Some("c:W")));
    let events = [server, around[0].clone(), around[1].clone()];
    let order = order_of(&events);
    assert_eq!((order.session, order.at_ms), (Some(key("W", "a")), START + MINUTE_MS));
    let browser = said("c", "purchase", HOUR_MS, fact(Some(100), &[]));
    let order = order_of(&[&events[..], &[browser]].concat());
    assert_eq!((order.session, order.at_ms), (Some(key("W", "c")), START + HOUR_MS));
    assert_eq!(order.money.value, 120);
}

#[test]
fn what_a_bot_buys_waits_for_the_server() {
    let bot = Event { is_bot: true, ..said("b", "purchase", 0, fact(Some(5), &[])) };
    assert!(said_of(std::slice::from_ref(&bot)).orders.is_empty());
    let paid = said("p", "payment_success", 9, fact(None, &[]));
    assert!(said_of(&[bot.clone(), paid.clone()]).orders.is_empty());
    let order = order_of(&[bot, by_server(paid)]);
    assert_eq!((order.is_booked, order.at_ms, order.money.value), (true, START, 5));
}

#[test]
fn a_created_order_is_pending_until_it_is_paid() {
    let created = said("c", "order_created", 0, fact(Some(5), &[]));
    assert!(!order_of(std::slice::from_ref(&created)).is_booked);
    let paid = said("p", "payment_success", 9, fact(None, &[]));
    assert!(said_of(std::slice::from_ref(&paid)).orders.is_empty());
    assert!(order_of(&[created, paid]).is_booked);
}

/// (booked refunds, GMV, NMV) of an order with two lines and a discount after some refunds.
fn check_money(refunds: &[OrderFact], expected: (i64, i64, i64)) {
    let lines = [("a", Some(100), 2), ("b", Some(33), 1)];
    let bought = OrderFact { discount: 20, ..fact(Some(213), &lines) };
    let mut events = vec![said("p", "purchase", 0, bought)];
    for (n, refund) in (1..).zip(refunds) {
        events.push(by_server(said(&format!("r{n}"), "refund", n, refund.clone())));
    }
    let money = order_of(&events).money;
    assert_eq!((money.refunds.values().sum(), money.gmv, money.nmv), expected, "{money:#?}");
}

#[test]
fn refunds_take_values_lines_or_all_that_is_left() {
    let named = |refund: OrderFact| OrderFact { refund_id: Some("R".to_owned()), ..refund };
    let foreign = OrderFact { currency: Some("USD".to_owned()), ..fact(Some(50), &[]) };
    check_money(&[], (0, 233, 213));
    check_money(&[fact(Some(50), &[])], (50, 233, 163));
    check_money(&[fact(None, &[("b", None, 1)])], (33, 233, 180));
    check_money(&[fact(Some(13), &[("b", None, 1)])], (13, 233, 180));
    check_money(&[fact(None, &[("b", Some(30), 1)])], (30, 233, 183));
    check_money(&[fact(None, &[])], (213, 233, 0));
    check_money(&[fact(Some(213), &[])], (213, 233, 0));
    check_money(&[fact(Some(200), &[]), fact(Some(200), &[])], (213, 233, 0));
    check_money(&[named(fact(Some(9), &[])), named(fact(Some(50), &[]))], (9, 233, 204));
    check_money(&[fact(Some(9), &[]), fact(Some(50), &[])], (59, 233, 154));
    check_money(&[foreign], (0, 233, 213));
}

#[test]
fn a_refund_by_value_is_spread_over_the_lines_and_a_cancellation_takes_the_rest() {
    let lines = [("a", Some(30), 1), ("b", Some(30), 1), ("c", Some(40), 1)];
    let events = [
        said("p", "purchase", 0, fact(Some(100), &lines)),
        said("r", "refund", 5, fact(Some(33), &[])),
        said("x", "order_cancelled", 3, fact(None, &[])),
    ];
    let refunded = order_of(&events[..2]).money;
    assert_eq!((refunded.refunded_by_line, refunded.nmv), (vec![11, 9, 13], 67));
    let money = order_of(&events).money;
    assert_eq!((money.refunds["r"], money.cancelled, money.nmv), (33, 67, 0));
}

#[test]
fn a_campaign_is_never_the_same_as_a_referrer() {
    let search = Event { referrer: Some("google.com".into()), ..at("a", "W", "page_view", 0) };
    let tagged = click("b", "W", "google.com", MINUTE_MS);
    assert_eq!(said_of(&[search, tagged]).sessions.len(), 2);
}
