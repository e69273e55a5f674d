//! `edgetally replay`: an emptied state comes back from the archive, and nothing comes twice.

use std::fs;
use std::path::Path;

use edgetally_proto::archive::names::MANIFEST;
use edgetally_proto::validate::Ids;
use serde_json::{Value, json};

use crate::support::archive::{Sent, Taken, frame_of, run, summary, take, write_folder};
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;
const HOUR_MS: i64 = 3_600_000;

const BROWSER: Sent = Sent {
    received_at_ms: START + 5_000,
    sent_at_ms: Some(START + 4_000),
    server_key: false,
    ids: Ids::Used,
    is_bot: false,
};

fn browsers() -> Vec<Taken> {
    take(
        &json!([
            {"id": "b1", "name": "page_view", "client_id": "c1", "ts": START,
             "context": {"page_url": "https://s.vn/p?utm_source=google&utm_medium=cpc"}},
            {"id": "b2", "name": "login", "client_id": "c1", "user_id": "ann", "ts": START + 1_000},
            {"id": "b3", "name": "purchase", "client_id": "c1", "ts": START + 2_000,
             "params": {"transaction_id": "T-1", "value": "1250000.50", "currency": "USD",
                        "shipping_city": "Huế",
                        "items": [{"item_id": "a", "price": 5, "quantity": 3}]}},
            {"name": "search", "client_id": "c2", "ts": START + 2_500,
             "params": {"search_term": "tea"}},
        ]),
        BROWSER,
    )
}

fn others() -> Vec<Taken> {
    let server = take(
        &json!([
            {"id": "s1", "name": "purchase", "platform": "server", "user_id": "bob",
             "ts": START - 40_000, "params": {"transaction_id": "T-2", "value": 90000}},
            {"id": "s2", "name": "payment_success", "platform": "server", "ts": START - 30_000,
             "params": {"transaction_id": "T-2", "latency_ms": 40}},
        ]),
        Sent { server_key: true, sent_at_ms: None, ..BROWSER },
    );
    let nobody = take(
        &json!([{"id": "n1", "name": "page_view", "client_id": "hidden", "ts": START}]),
        Sent { ids: Ids::Cookieless, ..BROWSER },
    );
    let bot = take(
        &json!([{"id": "r1", "name": "page_view", "client_id": "c9", "ts": START}]),
        Sent { is_bot: true, ..BROWSER },
    );
    // A repeat of which the edge no longer knew, and an hour later.
    let received_at_ms = BROWSER.received_at_ms + HOUR_MS;
    let repeat = take(
        &json!([{"id": "b1", "name": "page_view", "client_id": "c1", "ts": START + HOUR_MS}]),
        Sent { received_at_ms, sent_at_ms: Some(START + HOUR_MS + 4_000), ..BROWSER },
    );
    [server, nobody, bot, repeat].concat()
}

fn write(root: &Path) {
    let (one, two) = (browsers(), others());
    let (early, late) = two.split_at(4);
    write_folder(root, START, "v1|apac|0", &[one[..2].to_vec(), one[2..].to_vec()]);
    write_folder(root, START, "v1|apac|1", &[early.to_vec()]);
    write_folder(root, START + HOUR_MS, "v1|apac|0", &[late.to_vec()]);
}

/// Everything that is told of the site.
fn answers(server: &Server) -> Vec<Value> {
    let ask = |metrics: &[&str], dimensions: &[&str]| json!(server.query(metrics, dimensions));
    let queries = [
        ask(&["events", "pageviews", "searches", "bot_events", "visitors"], &[]),
        ask(&["orders", "revenue", "units", "aov", "payments_succeeded"], &[]),
        ask(&["events", "visitors"], &["event:name"]),
        ask(&["duplicates"], &[]),
        ask(&["events", "orders", "revenue"], &["time:hour"]),
    ];
    queries.into()
}

fn edges_hold(server: &Server) {
    let edges = server.call("GET", "/v1/edges", ADMIN, None).1["totals"].clone();
    let sum = ["applied", "late_duplicates", "dead"].map(|name| edges[name].as_u64().unwrap());
    assert_eq!(edges["accepted"].as_u64().unwrap(), sum.iter().sum::<u64>(), "{edges}");
}

/// A data folder with the settings and nothing else.
fn emptied() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    assert!(server.stop().success());
    dir
}

#[test]
fn an_emptied_state_comes_back_and_a_second_replay_adds_nothing() {
    let live = tempfile::tempdir().unwrap();
    let server = Server::start(live.path());
    server.make_site();
    let frames = [frame_of(&browsers(), START + 6_000), frame_of(&others(), START + 7_000)];
    assert_eq!(server.frames(1, &frames).0, 200);
    let told = answers(&server);
    assert_eq!(told[0], json!([[[], [7, 2, 1, 1, 3]]]), "as the events were made");
    assert_eq!(told[3], json!([[[], [1]]]));
    assert!(server.stop().success());

    let archive = tempfile::tempdir().unwrap();
    write(archive.path());
    let dir = emptied();
    let said = summary(&run("replay", archive.path(), dir.path(), &[]));
    let site = json!({"parts": 4, "events": 9, "known": 1, "erasures": 0});
    let nothing: [String; 0] = [];
    let expected =
        json!({"sites": {"demo": site}, "unlisted": 0, "missing": nothing, "damaged": nothing});
    assert_eq!(said, expected);
    for data in [dir.path(), live.path()] {
        let said = summary(&run("replay", archive.path(), data, &["--site", "demo"]));
        assert_eq!(said["sites"]["demo"]["known"], 9, "all of it is held already: {said}");
        let server = Server::start(data);
        let now = answers(&server);
        for (at, (now, told)) in now.iter().zip(&told).enumerate() {
            assert_eq!(now, told, "question {at}");
        }
        edges_hold(&server);
        assert!(server.stop().success());
    }
    // The shards send what they still hold: all of it is known, and nobody's repeat.
    let server = Server::start(dir.path());
    let before = answers(&server);
    assert_eq!(server.frames(1, &frames[..1]).0, 200);
    assert_eq!(answers(&server), before);
    edges_hold(&server);
}

#[test]
fn what_is_missing_or_damaged_is_told_by_name() {
    let check = |spoil: &dyn Fn(&Path), says: &str, events: u64| {
        let archive = tempfile::tempdir().unwrap();
        write(archive.path());
        let folder = archive.path().join("raw/demo/2026-03-02T03/v1_apac_0");
        spoil(&folder);
        let dir = emptied();
        let output = run("replay", archive.path(), dir.path(), &[]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains(says), "{says:?} is not in {log}");
        let said = summary(&run("replay", archive.path(), dir.path(), &["--allow-missing"]));
        assert_eq!(said["sites"]["demo"]["events"], events, "{said}");
        let told = [said["missing"].clone(), said["damaged"].clone()];
        let listed = told.iter().flat_map(|list| list.as_array().unwrap());
        assert_eq!(listed.count(), 1, "{said}");
    };
    let part = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        names.swap_remove(0)
    };
    check(&|folder| fs::remove_file(part(folder)).unwrap(), "is missing", 7);
    check(&|folder| fs::write(part(folder), "no gzip").unwrap(), "its bytes are not those", 7);
    let damage = |folder: &Path| fs::write(folder.join(MANIFEST), "{").unwrap();
    check(&damage, "manifest.json is damaged", 5);
}

#[test]
fn parts_without_a_manifest_are_read_whole_or_not_at_all() {
    let archive = tempfile::tempdir().unwrap();
    write(archive.path());
    let folder = archive.path().join("raw/demo/2026-03-02T03/v1_apac_0");
    fs::remove_file(folder.join(MANIFEST)).unwrap();
    let said = summary(&run("replay", archive.path(), emptied().path(), &[]));
    assert_eq!((&said["unlisted"], &said["sites"]["demo"]["events"]), (&json!(2), &json!(9)));
}

#[test]
fn what_cannot_be_done_is_said() {
    let archive = tempfile::tempdir().unwrap();
    write(archive.path());
    let check = |output: std::process::Output, code: i32, says: &str| {
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{log}");
        assert!(log.contains(says), "{says:?} is not in {log}");
        assert!(output.stdout.is_empty());
    };
    let empty = tempfile::tempdir().unwrap();
    check(run("replay", archive.path(), empty.path(), &[]), 1, "put its settings");
    let dir = emptied();
    check(run("replay", Path::new("/nowhere/at/all"), dir.path(), &[]), 2, "is no folder");
    check(run("replay", Path::new("http://127.0.0.1:9"), dir.path(), &[]), 2, "EDGE_SECRET");
    check(run("replay", archive.path(), dir.path(), &["--site", "no site"]), 2, "--site");
    let server = Server::start(dir.path());
    check(run("replay", archive.path(), dir.path(), &[]), 1, "another program uses");
    assert_eq!(server.query_status(), 200);
}
