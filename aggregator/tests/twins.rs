//! A program that is killed again and again answers like its twin, which never was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use edgetally_proto::sign::FramesHead;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::support::events::now_ms;
use crate::support::server::{EPOCH, SECRET, SHARD, Server};
use crate::support::stream::{answers, check_same, due, frame_of, send_up_to};

const PAUSE: Duration = Duration::from_millis(15);

fn kills() -> u64 {
    if std::env::var_os("EDGETALLY_SOAK").is_some() { 50 } else { 5 }
}

/// Sends what is due until nobody answers any more, three frames at a time.
fn push(server: &Server, acked: &AtomicU64) {
    let mut next = acked.load(Ordering::Relaxed) + 1;
    loop {
        let body: Vec<u8> = (next..next + 3).flat_map(frame_of).collect();
        let head =
            FramesHead { shard: SHARD, epoch: EPOCH, first: next, last: next + 2, backlog: None };
        match server.signed(&head, &body, SECRET) {
            Some((200, answer)) => {
                // So that fifty rounds leave no more than is asked for whole in each of them.
                std::thread::sleep(PAUSE);
                acked.fetch_max(answer["acked"].as_u64().unwrap(), Ordering::Relaxed);
                next = answer["acked"].as_u64().unwrap() + 1;
            }
            Some((409, answer)) => next = answer["expected"].as_u64().unwrap(),
            Some((503, _)) => {}
            None => return,
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn after_every_kill_all_answers_are_those_of_a_twin() {
    let (killed, spared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let twin = Server::start(spared.path());
    twin.make_site();
    let seed = now_ms() as u64;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let acked = AtomicU64::new(0);
    for round in 0..kills() {
        let server = Server::start(killed.path());
        if round == 0 {
            server.make_site();
        }
        let wait = Duration::from_millis(random.random_range(1..700));
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..2).map(|_| scope.spawn(|| push(&server, &acked))).collect();
            std::thread::sleep(wait);
            let pid = server.pid();
            let kill = std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
            assert!(kill.success());
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
        drop(server);
        let server = Server::start(killed.path());
        let last = due(&server) - 1;
        let told = acked.load(Ordering::Relaxed);
        assert!(last >= told, "round {round}: {told} frames were acknowledged, {last} are there");
        send_up_to(&twin, last);
        let when = format!("in round {round}, killed after {wait:?} with {last} frames");
        check_same(&server, &twin, &when);
        server.kill();
    }
    let frames = acked.load(Ordering::Relaxed);
    assert!(frames > 3 * kills(), "too little happened between the kills: {frames} frames");
    println!("{} kills, {frames} frames, {} answers each", kills(), answers(&twin).len());
}
