//! Rewriting an archive: afterwards nothing in it leads back to whom was erased, wherever a crash
//! came between.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use aggregator::archive::bucket::{Bucket, BucketError, Only};
use aggregator::archive::folder::Folder;
use aggregator::archive::reading;
use aggregator::archive::rewrite::{Rewritten, rewrite};
use aggregator::tombstones::Erasure;
use edgetally_proto::archive::Listing;
use edgetally_proto::validate::Ids;
use serde_json::{Value, json};

use crate::support::archive::{Sent, Taken, run, summary, take, write_folder};
use crate::support::events::demo;
use crate::support::server::{ADMIN, Server};

/// 2026-03-02T10:00:00+07:00
const START: i64 = 1_772_420_400_000;
const HOUR_MS: i64 = 3_600_000;

const SENT: Sent = Sent {
    received_at_ms: START + 5_000,
    sent_at_ms: Some(START + 4_000),
    server_key: false,
    ids: Ids::Used,
    is_bot: false,
};

/// Ann looks round, signs in, buys; the shop's server tells of it; Bob is there too.
fn visit() -> [Vec<Taken>; 3] {
    let ann = json!({"user_agent": "AnnsBrowser"});
    let browser = take(
        &json!([
            {"id": "a1", "name": "page_view", "client_id": "c-ann", "ts": START},
            {"id": "a2", "name": "login", "client_id": "c-ann", "user_id": "ann@example.org",
             "ts": START + 1_000, "context": ann},
            {"id": "a3", "name": "page_view", "client_id": "c-ann", "ts": START + 2_000},
            {"id": "a4", "name": "purchase", "client_id": "c-ann", "ts": START + 3_000,
             "params": {"transaction_id": "T-1", "value": "1250000.50", "currency": "USD",
                        "shipping_city": "Huế", "phone": "annsphone", "tax": 1,
                        "items": [{"item_id": "a", "price": 5, "quantity": 3,
                                   "gift_for": "annsmother"}]}},
        ]),
        SENT,
    );
    let server = take(
        &json!([
            {"id": "s1", "name": "purchase", "platform": "server", "user_id": "ann@example.org",
             "ts": START + 3_500, "params": {"transaction_id": "T-1", "value": 90000}},
            {"id": "s2", "name": "payment_success", "platform": "server", "ts": START + 3_600,
             "user_id": "ann@example.org", "params": {"transaction_id": "T-1", "latency_ms": 40}},
        ]),
        Sent { server_key: true, sent_at_ms: None, ..SENT },
    );
    let bob = take(
        &json!([
            {"id": "b1", "name": "purchase", "client_id": "c-bob", "ts": START + 700,
             "user_id": "bob", "params": {"transaction_id": "T-2", "value": 700}},
            {"id": "b2", "name": "page_view", "client_id": "c-bob", "ts": START + 800},
        ]),
        SENT,
    );
    [browser, server, bob]
}

fn write(root: &Path) {
    let [browser, server, bob] = visit();
    write_folder(root, START, "v1|apac|0", &[browser[..2].to_vec(), browser[2..].to_vec()]);
    write_folder(root, START, "v1|apac|1", &[[server, bob.clone()].concat()]);
    write_folder(root, START + HOUR_MS, "v1|apac|1", &[bob]);
}

fn answers(server: &Server) -> Vec<Value> {
    let ask = |metrics: &[&str], dimensions: &[&str]| json!(server.query(metrics, dimensions));
    vec![
        ask(&["events", "pageviews", "visitors", "duplicates"], &[]),
        ask(&["orders", "revenue", "units", "payments_succeeded"], &[]),
        ask(&["events", "visitors"], &["event:name"]),
    ]
}

/// Every text in an archive, unpacked.
fn texts(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&texts(&path));
        } else if path.extension().is_some_and(|ending| ending == "gz") {
            let file = fs::File::open(path).unwrap();
            flate2::read::MultiGzDecoder::new(file).read_to_string(&mut all).unwrap();
        } else {
            all.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    }
    all
}

fn emptied() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    assert!(server.stop().success());
    dir
}

#[test]
fn nothing_leads_back_to_her_and_a_replay_knows_only_her_money() {
    let archive = tempfile::tempdir().unwrap();
    write(archive.path());
    let dir = emptied();
    summary(&run("replay", archive.path(), dir.path(), &[]));
    let server = Server::start(dir.path());
    let path = "/v1/people/u:ann@example.org?site=demo";
    let report = server.call("DELETE", path, ADMIN, None).1;
    let said = ["events", "orders_kept", "clients", "fell_back"].map(|name| &report[name]);
    assert_eq!(said, [2, 1, 1, 1], "{report}");
    let told = answers(&server);
    assert!(server.stop().success());

    // An archive that was not rewritten yet brings nothing back where the tombstones are.
    summary(&run("replay", archive.path(), dir.path(), &[]));
    let done = summary(&run("scrub", archive.path(), dir.path(), &[]));
    let nothing: [String; 0] = [];
    let expected = json!({"parts": 4, "replaced": 3, "dropped": 2, "money": 3, "damaged": nothing});
    assert_eq!(done, expected);
    let left = texts(archive.path());
    for gone in ["ann@", "\"a2\"", "\"a4\"", "s1", "Huế", "annsphone", "annsmother", "Browser"] {
        assert!(!left.contains(gone), "{gone} is left: {left}");
    }
    assert!(left.contains("1250000.50") && left.contains("T-1") && left.contains("\"a1\""));
    assert!(!left.contains("rewrite"), "{left}");
    let again = summary(&run("scrub", archive.path(), dir.path(), &[]));
    assert_eq!((&again["parts"], &again["replaced"]), (&json!(4), &json!(0)));

    let check = |data: &Path| {
        let server = Server::start(data);
        assert_eq!(answers(&server), told);
        assert!(server.stop().success());
    };
    let said = summary(&run("replay", archive.path(), dir.path(), &[]));
    assert_eq!(said["sites"]["demo"]["known"], said["sites"]["demo"]["events"], "{said}");
    check(dir.path());
    let other = emptied();
    let said = summary(&run("replay", archive.path(), other.path(), &[]));
    assert_eq!(said["sites"]["demo"]["erasures"], 1, "{said}");
    check(other.path());
    // Without the tombstones too.
    fs::remove_dir_all(archive.path().join("erased")).unwrap();
    let bare = emptied();
    summary(&run("replay", archive.path(), bare.path(), &[]));
    check(bare.path());
}

#[test]
fn an_archive_that_remembers_is_obeyed_before_it_is_rewritten() {
    let archive = tempfile::tempdir().unwrap();
    write(archive.path());
    let untouched = texts(archive.path());
    let dir = emptied();
    summary(&run("replay", archive.path(), dir.path(), &[]));
    let server = Server::start(dir.path());
    server.call("DELETE", "/v1/people/u:ann@example.org?site=demo", ADMIN, None);
    let told = answers(&server);
    assert!(server.stop().success());
    summary(&run("scrub", archive.path(), dir.path(), &[]));
    // A copy of what was there before comes back beside what is remembered.
    write(archive.path());
    assert!(texts(archive.path()).contains(&untouched[..200]));
    let other = emptied();
    let said = summary(&run("replay", archive.path(), other.path(), &[]));
    assert_eq!(said["sites"]["demo"]["erasures"], 1, "{said}");
    let server = Server::start(other.path());
    assert_eq!(answers(&server), told);
}

/// A bucket that does not answer any more after so many writes.
struct Failing {
    folder: Folder,
    left: Cell<usize>,
}

impl Failing {
    fn write(&self) -> Result<(), BucketError> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(|| BucketError("it does not answer".to_owned()))
    }
}

impl Bucket for Failing {
    fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, BucketError> {
        self.folder.page(prefix, cursor)
    }
    fn get(&self, name: &str) -> Result<Option<(Vec<u8>, String)>, BucketError> {
        self.folder.get(name)
    }
    fn put(&self, name: &str, body: &[u8], only: Only<'_>) -> Result<bool, BucketError> {
        self.write()?;
        self.folder.put(name, body, only)
    }
    fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.write()?;
        self.folder.delete(name)
    }
}

/// Objects by name; every one of them fits its manifest.
fn objects(bucket: &Folder) -> BTreeMap<String, Vec<u8>> {
    reading::folders(bucket, None, |_, folder| {
        let listed = folder.manifest(bucket)?.unwrap();
        for file in &folder.parts {
            let (object, _) = bucket.get(&format!("{}{file}", folder.name))?.unwrap();
            let lines = listed.lines_of(file, &object);
            assert!(matches!(lines, Ok(Some(_))), "{file}: {lines:?}");
        }
        Ok(())
    })
    .unwrap();
    let names = bucket.page("", None).unwrap().results.into_iter().map(|object| object.name);
    names.map(|name| (name.clone(), bucket.get(&name).unwrap().unwrap().0)).collect()
}

#[test]
fn a_crash_between_any_two_writes_is_repaired_by_running_again() {
    let erasures = [Arc::new(Erasure::new([3; 16], START + HOUR_MS, Some("ann@example.org")))];
    let rewritten = |limits: &[usize]| {
        let archive = tempfile::tempdir().unwrap();
        write(archive.path());
        let open = || Folder::open(archive.path()).unwrap();
        let mut ended = false;
        for limit in limits {
            let bucket = Failing { folder: open(), left: Cell::new(*limit) };
            ended = rewrite(&bucket, &demo(), &erasures, &mut Rewritten::default()).is_ok();
            objects(&open());
        }
        (ended, objects(&open()))
    };
    let (ended, whole) = rewritten(&[1_000]);
    assert!(ended && !whole.keys().any(|name| name.ends_with(reading::REWRITE)));
    let mut crashes = 0;
    for limit in 0.. {
        let (ended, after) = rewritten(&[limit, 1_000]);
        assert!(ended && after == whole, "after {limit} writes");
        if rewritten(&[limit]).0 {
            break;
        }
        // Twice in a row, each time a little later.
        assert_eq!(rewritten(&[limit, limit / 2, 1_000]).1, whole, "after {limit} writes");
        crashes += 1;
    }
    assert!(crashes > 5, "only {crashes} writes");
}
