//! What was acknowledged is there after every crash, and nothing is there twice.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgetally_proto::frame;
use edgetally_proto::sign::FramesHead;
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{EPOCH, SECRET, SHARD, Server, last_file};

const START: i64 = 1_772_420_400_000;
const PER_FRAME: u64 = 10;

/// Frame `n`: ten events, two of them one order.
fn frame_of(n: u64) -> Vec<u8> {
    let at = START + (n as i64) * 250;
    let events: Vec<Event> = (0..PER_FRAME)
        .map(|e| {
            let event = Event::new(&format!("f{n}-{e}"), &format!("c{}", n % 7), "page_view", at);
            match e {
                0 => Event { name: "purchase".to_owned(), ..event }.order(&format!("T{n}"), 1_000),
                1 => {
                    Event { name: "payment_success".to_owned(), ..event }.order(&format!("T{n}"), 0)
                }
                _ => event,
            }
        })
        .collect();
    frame::encode(&batch(&events, at))
}

fn check_totals(server: &Server, frames: u64) {
    let rows = server.query(&["events", "orders", "revenue", "units", "visitors"], &[]);
    let (orders, events) = (frames, frames * PER_FRAME);
    let revenue = json!([{"currency": "VND", "amount": (frames * 1_000).to_string()}]);
    let expected: Vec<Value> =
        vec![events.into(), orders.into(), revenue, (orders * 2).into(), frames.min(7).into()];
    assert_eq!(rows, [(Vec::new(), expected)]);
}

/// Sends frames from the one that is due until `last` is acknowledged.
fn send_up_to(server: &Server, last: u64) {
    let mut due = 1;
    while due <= last {
        match server.frames(due, &[frame_of(due)]) {
            (200, answer) => due = answer["acked"].as_u64().unwrap() + 1,
            (409, answer) => due = answer["expected"].as_u64().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// Three times: kill -9 while two senders push the same frames, start again, go on.
#[test]
fn kill_9_loses_nothing_and_counts_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut acked = 0;
    for round in 0..3u64 {
        let server = Arc::new(Server::start(dir.path()));
        if round == 0 {
            server.make_site();
        }
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let (server, stop) = (server.clone(), stop.clone());
                std::thread::spawn(move || push(&server, &stop))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(400 + round * 130));
        let pid = server.pid();
        assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        stop.store(true, Ordering::Relaxed);
        let most = senders.into_iter().map(|sender| sender.join().unwrap()).max().unwrap();
        assert!(most > acked, "round {round} got somewhere: {most} after {acked}");
        acked = most;
    }
    let server = Server::start(dir.path());
    let (status, answer) = server.frames(acked + 100, &[frame_of(acked + 100)]);
    assert_eq!(status, 409);
    let last = answer["expected"].as_u64().unwrap() - 1;
    assert!(last >= acked, "what was acknowledged is there: {last} of {acked}");
    check_totals(&server, last);
    send_up_to(&server, last + 20);
    check_totals(&server, last + 20);
}

/// Sends what is due, as long as there is an answer; gives the last number acknowledged.
fn push(server: &Server, stop: &AtomicBool) -> u64 {
    let (mut due, mut acked) = (1, 0);
    while !stop.load(Ordering::Relaxed) {
        let body: Vec<u8> = (due..due + 3).flat_map(frame_of).collect();
        let head =
            FramesHead { shard: SHARD, epoch: EPOCH, first: due, last: due + 2, backlog: None };
        match server.signed(&head, &body, SECRET) {
            Some((200, answer)) => {
                acked = answer["acked"].as_u64().unwrap();
                due = acked + 1;
            }
            Some((409, answer)) => due = answer["expected"].as_u64().unwrap(),
            Some((503, _)) | None => {}
            Some(other) => panic!("{other:?}"),
        }
    }
    acked
}

/// A data folder with 40 frames, ended by kill -9.
fn killed(dir: &Path) {
    let server = Server::start(dir);
    server.make_site();
    send_up_to(&server, 40);
    server.kill();
}

#[test]
fn a_log_that_was_cut_short_is_filled_again_by_the_shard() {
    for part in [1, 300, 2_000, u64::MAX] {
        let dir = tempfile::tempdir().unwrap();
        killed(dir.path());
        let log = last_file(&dir.path().join("log"), ".log");
        let length = fs::metadata(&log).unwrap().len();
        let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
        file.set_len(length.saturating_sub(part)).unwrap();
        let server = Server::start(dir.path());
        assert!(part == u64::MAX || server.logs("cut off a group"), "{}", server.log());
        if server.query_status() == 404 {
            server.make_site();
        }
        send_up_to(&server, 40);
        check_totals(&server, 40);
    }
}

#[test]
fn a_damaged_log_is_refused_with_file_and_offset() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path());
    let log = last_file(&dir.path().join("log"), ".log");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&log, &bytes).unwrap();
    let refused = Server::try_start(dir.path()).err().expect("it must not start");
    assert_eq!(refused.status.code(), Some(1));
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(refused.log.contains(name) && refused.log.contains("at offset"), "{}", refused.log);
    bytes[middle] ^= 0x10;
    fs::write(&log, &bytes).unwrap();
    let server = Server::start(dir.path());
    check_totals(&server, 40);
}

/// sled damaged, cut or gone: the snapshot and the log bring everything back.
#[test]
fn a_damaged_checkpoint_is_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path());
    let db = dir.path().join("sled/db");
    let damages: [&dyn Fn(); 4] = [
        &|| {
            let mut bytes = fs::read(&db).unwrap();
            bytes.iter_mut().skip(3).step_by(97).for_each(|byte| *byte ^= 0xA5);
            fs::write(&db, bytes).unwrap();
        },
        &|| {
            let length = fs::metadata(&db).unwrap().len();
            fs::OpenOptions::new().write(true).open(&db).unwrap().set_len(length / 2).unwrap();
        },
        &|| fs::remove_file(&db).unwrap(),
        &|| fs::remove_dir_all(dir.path().join("sled")).unwrap(),
    ];
    for (n, damage) in damages.into_iter().enumerate() {
        damage();
        let server = Server::start(dir.path());
        check_totals(&server, 40);
        send_up_to(&server, 41 + n as u64);
        send_up_to(&server, 40);
        let frames = 41 + n as u64;
        check_totals(&server, frames);
        assert!(server.stop().success());
        let server = Server::start(dir.path());
        check_totals(&server, frames);
        drop(server);
        // The next round expects 40 again.
        fs::remove_dir_all(dir.path()).unwrap();
        fs::create_dir(dir.path()).unwrap();
        killed(dir.path());
    }
}

/// After SIGTERM everything is in the checkpoint, and the keys and settings with it.
#[test]
fn a_stop_saves_everything() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    send_up_to(&server, 12);
    assert!(server.stop().success());
    let log = last_file(&dir.path().join("log"), ".log");
    assert!(fs::metadata(&log).unwrap().len() < 100, "the log after the checkpoint is empty");
    let server = Server::start(dir.path());
    check_totals(&server, 12);
    let (status, answer) = server.frames(12, &[frame_of(12)]);
    assert_eq!((status, &answer["acked"]), (200, &json!(12)));
    let (status, answer) = server.frames(3, &[frame_of(4)]);
    assert_eq!((status, answer), (409, json!({"fork": true})));
}

/// A second program on the same folder is turned away and leaves the first one's files alone.
#[test]
fn a_folder_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let refused = Server::try_start(dir.path()).err().expect("it must not start");
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.log.contains("another program uses the data folder"), "{}", refused.log);
    send_up_to(&server, 3);
    server.kill();
    check_totals(&Server::start(dir.path()), 3);
}

/// Many events, a kill, a start: the same numbers, in little time. Full size in the soak runs.
#[test]
fn a_large_state_comes_back_soon() {
    let frames = if std::env::var_os("EDGETALLY_SOAK").is_some() { 1_000u64 } else { 40 };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let started = Instant::now();
    for n in 1..=frames {
        let at = START + n as i64 * 1_000;
        let event = |e: u64| {
            let client = format!("c{}", (n * 500 + e) / 4);
            Event::new(&format!("f{n}-{e}"), &client, "page_view", at + e as i64)
        };
        let events: Vec<Event> = (0..1_000).map(event).collect();
        assert_eq!(server.frames(n, &[frame::encode(&batch(&events, at))]).0, 200);
    }
    let sent = started.elapsed();
    let numbers = server.query(&["events", "visitors", "concurrent_visitors"], &[]);
    assert_eq!(numbers[0].1[0], json!(frames * 1_000));
    let asked = Instant::now();
    let by_hour = server.query(&["events", "visitors"], &["time:hour"]);
    let asked = asked.elapsed();
    server.kill();
    let started = Instant::now();
    let server = Server::start(dir.path());
    let back = started.elapsed();
    assert_eq!(server.query(&["events", "visitors", "concurrent_visitors"], &[]), numbers);
    assert_eq!(server.query(&["events", "visitors"], &["time:hour"]), by_hour);
    println!("{frames} frames of 1,000: sent in {sent:?}, by hour in {asked:?}, back in {back:?}");
}
