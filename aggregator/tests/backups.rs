//! Backups taken under load, folders made of them, and the commands around them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::server::{ADMIN, SECRET, Server};
use crate::support::stream::{check_same, due, frame_of, send_up_to};

fn run(args: &[&str], url: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgetally"));
    command.args(args).env("EDGETALLY_KEY", ADMIN).env("EDGETALLY_URL", url).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn restore(backup: &Path, data: &Path) -> Output {
    let (backup, data) = (backup.to_str().unwrap(), data.to_str().unwrap());
    run(&["restore", "--from", backup, "--data", data], "")
}

#[test]
fn a_backup_under_load_leads_back_to_everything() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("first"));
    server.make_site();
    send_up_to(&server, 60);
    let file = dir.path().join("backup.etb");
    let output = std::thread::scope(|scope| {
        let taking =
            scope.spawn(|| run(&["backup", "--out", file.to_str().unwrap()], &server.base));
        let mut sent = 60;
        while !taking.is_finished() {
            sent += 20;
            send_up_to(&server, sent);
        }
        taking.join().unwrap()
    });
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["bytes"], fs::metadata(&file).unwrap().len());
    let kept = server.call("GET", "/v1/backups", ADMIN, None).1;
    assert_eq!(kept["results"], json!([]), "what was fetched is not kept twice");

    let second = dir.path().join("second");
    let output = restore(&file, &second);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let restored = Server::start(&second);
    let begun = due(&restored);
    assert!((61..=due(&server)).contains(&begun), "it goes on at {begun}");
    // The shard sends again what it is asked for; then both are the same, and stay it.
    let last = due(&server) - 1;
    send_up_to(&restored, last);
    check_same(&restored, &server, "after the restored one caught up");
    for server in [&restored, &server] {
        let (status, answer) = server.frames(last, &[frame_of(last)]);
        assert_eq!((status, &answer["acked"]), (200, &json!(last)), "a repeat is known");
    }
    restored.kill();
    let restored = Server::start(&second);
    send_up_to(&restored, last + 30);
    send_up_to(&server, last + 30);
    check_same(&restored, &server, "after a kill of the restored one");
}

#[test]
fn a_backup_that_is_damaged_or_in_the_way_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("first"));
    server.make_site();
    send_up_to(&server, 5);
    let (status, made) = server.call("POST", "/v1/backup", ADMIN, None);
    assert_eq!(status, 201, "{made}");
    let path = Path::new(made["path"].as_str().unwrap());
    let whole = fs::read(path).unwrap();
    let name = made["name"].as_str().unwrap();
    let route = format!("/v1/backups/{name}");
    assert_eq!(server.call_bytes("GET", &route, ADMIN), (200, whole.clone()));

    let output = restore(path, &dir.path().join("first"));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is not empty"), "{}", text(&output.stderr));
    let damaged = dir.path().join("damaged.etb");
    for damage in [1, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[damage] ^= 4;
        fs::write(&damaged, &bytes).unwrap();
        let output = restore(&damaged, &dir.path().join("third"));
        assert_eq!(output.status.code(), Some(1), "byte {damage}");
        assert!(text(&output.stderr).contains("is damaged"), "{}", text(&output.stderr));
        fs::write(&damaged, &whole[..damage]).unwrap();
        assert_eq!(restore(&damaged, &dir.path().join("third")).status.code(), Some(1));
        assert!(!dir.path().join("third").exists(), "nothing is left of it");
    }
    assert_eq!(restore(path, &dir.path().join("third")).status.code(), Some(0));

    assert_eq!(server.call("DELETE", &route, ADMIN, None).0, 204);
    for (path, key, status) in [
        (route.as_str(), ADMIN, 404),
        ("/v1/backups/backup-..%2F..%2Fsnapshot.etb", ADMIN, 404),
        ("/v1/backups/..%2Fsnapshot.bin", ADMIN, 404),
        ("/v1/backups", "", 401),
    ] {
        assert_eq!(server.call("GET", path, key, None).0, status, "{path}");
    }
    assert_eq!(server.call("POST", "/v1/backup", "wrong", None).0, 401);
}

#[test]
fn keys_are_made_listed_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let output = run(&["keys", "add", "--site", "demo", "--kind", "read"], &server.base);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(server.call("GET", "/v1/sessions?site=demo", key, None).0, 200);
    let list = text(&run(&["keys", "list"], &server.base).stdout);
    assert!(list.contains(id) && !list.contains(key), "{list}");
    assert!(run(&["keys", "delete", id], &server.base).status.success());
    assert_eq!(server.call("GET", "/v1/sessions?site=demo", key, None).0, 401);
    assert_eq!(run(&["keys", "delete", id], &server.base).status.code(), Some(1));
    let refused = run(&["keys", "add", "--site", "nowhere", "--kind", "read"], &server.base);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(run(&["keys", "add", "--kind", "root"], &server.base).status.code(), Some(2));
    assert_eq!(run(&["keys", "list"], "http://127.0.0.1:1").status.code(), Some(1));
}

fn doctor(data: &Path, listen: &str, more: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgetally"));
    command.arg("doctor").env("EDGETALLY_DATA", data).env("EDGETALLY_LISTEN", listen);
    command.env("EDGETALLY_EDGE_SECRET", SECRET).env("EDGETALLY_ADMIN_KEY", ADMIN);
    let output = command.envs(more.iter().copied()).output().unwrap();
    (output.status.code(), text(&output.stdout))
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, said) = doctor(&data, "127.0.0.1:0", &[]);
    assert_eq!(code, Some(0), "{said}");
    let server = Server::start(&data);
    server.make_site();
    send_up_to(&server, 5);
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let (code, said) = doctor(&data, &address, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("answers and is ready"), "{said}");
    // What answers there is no worker, and its address is taken for another folder.
    let (code, said) =
        doctor(&dir.path().join("other"), &address, &[("EDGETALLY_EDGE", "http://127.0.0.1:1")]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAIL address") && said.contains("FAIL worker"), "{said}");
    let log = crate::support::server::last_file(&data.join("log"), ".log");
    server.kill();
    let (code, said) = doctor(&data, "127.0.0.1:0", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("groups are whole"), "{said}");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let (code, said) = doctor(&data, "127.0.0.1:0", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAIL log") && said.contains("at offset"), "{said}");
    assert_eq!(fs::read(&log).unwrap(), bytes, "it changes nothing");
    let (code, said) = doctor(&data, "nowhere", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(!said.contains(SECRET) && !said.contains(ADMIN));
}
