//! Deploys: another build of the worker on the storage of this one, before or after it, while
//! events keep coming.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use edgetally_proto::event::{Event, Platform};
use edgetally_proto::frame;
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId};
use edgetally_proto::record::Flags;
use edgetally_proto::window::Window;
use edgetally_tests::edge::run_sql;
use edgetally_tests::http;
use edgetally_tests::peer::Fault;
use serde_json::json;

use super::place::{EVENTS, Place, SITE, batch};

/// A deploy every second or so, as a process that ends and another on the same storage; clients
/// that send all the time see answers that they may repeat, and nothing else.
#[test]
fn deploys_in_mid_traffic_lose_and_repeat_nothing() {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
    let port = port.expect("a free port").port();
    let mut place = Place::with(|_, options| options.port = port);
    let url = place.edge().url("/v1/events");
    let done = AtomicBool::new(false);
    let client = |name: &'static str| {
        let (mut told, mut again) = (Vec::new(), 0);
        while !done.load(Ordering::Relaxed) {
            let number = told.len();
            let ids: Vec<String> = (number..number + EVENTS).map(|n| format!("e-{n:05}")).collect();
            let body = batch(SITE, name, &ids);
            loop {
                match http::post_json(&url, Some("sk_shop"), &body) {
                    Ok(answer) if answer.status == 202 => break,
                    Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
                    Err(_) => thread::sleep(Duration::from_millis(20)),
                }
                again += 1;
            }
            told.extend(ids);
        }
        (name.to_owned(), told, again)
    };
    let told = thread::scope(|scope| {
        let clients = ["left", "right", "third"].map(|name| scope.spawn(move || client(name)));
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(1_200));
            place.edge.take().expect("it runs").stop().expect("stopped");
            place.start();
        }
        thread::sleep(Duration::from_millis(500));
        done.store(true, Ordering::Relaxed);
        clients.map(|client| client.join().expect("no other answer"))
    });
    assert!(told.iter().any(|(_, _, again)| *again > 0), "no deploy met a request");
    place.told = told.into_iter().map(|(client, ids, _)| (client, ids)).collect();
    place.expect_all_once();
    place.expect_one_epoch();
}

/// A frame of one event.
fn frame_of(client: &str, id: &str) -> String {
    let event = Event {
        id: EventId::parse(id).expect("an id"),
        client: ClientId::parse(client).ok(),
        user: None,
        name: EventName::parse("page_view").expect("a name"),
        platform: Platform::Web,
        occurred_at_ms: 1_772_420_400_000,
        received_at_ms: 1_772_420_400_000,
        flags: Flags::default(),
        page: None,
        page_host: None,
        referrer: None,
        campaign: None,
        grade: None,
        place: None,
        device: None,
        fact: None,
        user_agent: None,
    };
    let mut window = Window::default();
    window.fold(&SiteId::parse(SITE).expect("an id"), event);
    let bytes = frame::encode(&window.seal(1_772_420_400_000));
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tables as the first worker made them, with five frames of which the aggregator has none.
/// Kept for ever: whatever is added later has to live beside it.
fn first_storage() -> String {
    let mut sql = "DROP TABLE IF EXISTS meta; DROP TABLE IF EXISTS ring; DROP TABLE IF EXISTS ids;\
        CREATE TABLE meta(k INTEGER PRIMARY KEY, v BLOB);\
        CREATE TABLE ring(slot INTEGER PRIMARY KEY, seq INTEGER, acked INTEGER, frame BLOB);\
        CREATE TABLE ids(slot INTEGER PRIMARY KEY, minute INTEGER, part BLOB);\
        INSERT INTO meta(k, v) VALUES (1, x'000102030405060708090a0b0c0d0e0f0000000000000000');"
        .to_owned();
    for n in 1..=5 {
        let frame = frame_of("early", &format!("early-{n}"));
        sql +=
            &format!("INSERT INTO ring(slot, seq, acked, frame) VALUES ({n}, {n}, 0, x'{frame}');");
    }
    sql
}

/// The storage of the first worker is taken over: its frames are delivered under their numbers,
/// and the numbers go on.
#[test]
fn storage_of_the_first_worker_is_taken_over() {
    let mut place = Place::with_one_shard();
    place.peer.set(Fault::Answer(500, json!({})));
    // The platform makes the file of the object, and its names.
    place.send();
    place.edge.take().expect("it runs").stop().expect("stopped");
    run_sql(&place.options.data, "Shard", &first_storage()).expect("a shard's file");
    let early = (1..=5).map(|n| format!("early-{n}")).collect();
    place.told = BTreeMap::from([("early".to_owned(), early)]);
    place.peer.set(Fault::None);
    place.start();
    place.edge().cron().expect("it ends well");
    place.expect_all_once();
    for _ in 0..4 {
        place.send();
    }
    place.expect_all_once();
    place.expect_one_epoch();
    let books = place.peer.books();
    let (source, frames) = books.numberings().next().expect("a numbering");
    assert_eq!(source.1, "000102030405060708090a0b0c0d0e0f");
    assert!(frames.len() > 5, "its numbers go on");
}

/// After a roll-back the storage holds what this worker knows nothing of: members, tables and
/// columns of a later one. It serves as if they were not there, and leaves them alone.
#[test]
fn storage_of_a_later_worker_is_still_served() {
    let mut place = Place::with_one_shard();
    place.peer.set(Fault::Answer(500, json!({})));
    for _ in 0..4 {
        place.send();
    }
    place.edge.take().expect("it runs").stop().expect("stopped");
    let later = "CREATE TABLE later(k INTEGER PRIMARY KEY, v BLOB);\
        INSERT INTO later VALUES (1, x'00');\
        ALTER TABLE ring ADD COLUMN later INTEGER; UPDATE ring SET later = 7;\
        ALTER TABLE ids ADD COLUMN later TEXT;\
        INSERT INTO meta(k, v) VALUES (900, x'0102');\
        INSERT OR REPLACE INTO ids(slot, minute, part)\
        SELECT m % 16 * 16, m, x'ffffffff' FROM (SELECT strftime('%s', 'now') / 60 - 1 AS m);";
    run_sql(&place.options.data, "Shard", later).expect("a shard's file");
    let later = "CREATE TABLE later(k INTEGER); ALTER TABLE copy ADD COLUMN later INTEGER;";
    run_sql(&place.options.data, "Directory", later).expect("the directory's file");
    place.peer.set(Fault::None);
    place.start();
    for _ in 0..4 {
        place.send();
    }
    place.expect_all_once();
    place.expect_one_epoch();
    place.edge.take().expect("it runs").stop().expect("stopped");
    // Fails if any of it is gone.
    let kept = "INSERT INTO later VALUES (2, x'00'); UPDATE meta SET v = x'03' WHERE k = 900;\
        CREATE TABLE one(n INTEGER CHECK (n = 1));\
        INSERT INTO one SELECT count(*) FROM meta WHERE k = 900;";
    run_sql(&place.options.data, "Shard", kept).expect("left alone");
}
