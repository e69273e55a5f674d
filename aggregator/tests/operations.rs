//! What whoever runs the program sees of it: metrics, logs, and how it stops.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::{ADMIN, SECRET, Server};
use crate::support::stream::{check_same, due, send_up_to};

fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

#[test]
fn metrics_tell_of_requests_memory_and_disk_and_of_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    send_up_to(&server, 30);
    for _ in 0..3 {
        server.query(&["revenue"], &[]);
    }
    server.call("POST", "/v1/query", ADMIN, Some(json!({"site_id": "demo"})));
    server.call("GET", "/v1/people/c:secret-person?site=demo", ADMIN, None);
    server.call("GET", "/no/such/route?key=rk_in_an_address", "", None);
    let (_, metrics) = server.call_text("GET", "/metrics", "", None);
    let of = |name: &str| value(&metrics, name);
    let asked = |rest: &str| of(&format!("edgetally_request_seconds_count{{{rest}}}"));
    assert_eq!(asked(r#"method="POST",route="/v1/query",status="200""#), 3.0);
    assert_eq!(asked(r#"method="POST",route="/v1/query",status="400""#), 1.0);
    assert_eq!(asked(r#"method="GET",route="/v1/people/{person}",status="404""#), 1.0);
    assert_eq!(of("edgetally_frames_applied_total"), 30.0);
    assert_eq!(of("edgetally_ready"), 1.0);
    for name in ["memory_bytes", "disk_free_bytes", "log_disk_bytes", "store_disk_bytes"] {
        assert!(of(&format!("edgetally_{name}")) > 0.0, "{name}");
    }
    assert_eq!((of("edgetally_disk_full"), of("edgetally_exports")), (0.0, 0.0));
    for secret in [ADMIN, SECRET, "secret-person", "rk_in_an_address", "250000"] {
        assert!(!metrics.contains(secret), "{secret} in {metrics}");
    }
}

/// A request that is half sent when the program is asked to stop gets its answer, new ones get
/// none, and the next start finds everything.
#[test]
fn a_stop_answers_what_is_under_way() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(dir.path());
    server.make_site();
    send_up_to(&server, 20);
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let query = json!({"site_id": "demo", "metrics": ["orders"], "date_range": "all"}).to_string();
    let mut socket = TcpStream::connect(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (half, rest) = query.split_at(query.len() / 2);
    write!(
        socket,
        "POST /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
         Content-Length: {}\r\n\r\n{half}",
        query.len()
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    let pid = server.pid();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.logs("stopping"), "{}", server.log());
    write!(socket, "{rest}").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("\"results\":[{"), "{answer}");
    assert!(server.stop().success());
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
    assert!(TcpStream::connect(&address).is_err());
    let again = Server::start(dir.path());
    assert_eq!(due(&again), 21);
    let twin = Server::start(other.path());
    twin.make_site();
    send_up_to(&twin, 20);
    check_same(&again, &twin, "after a stop");
}

#[test]
fn logs_can_be_read_by_programs_and_hold_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_edgetally"))
        .arg("serve")
        .env("EDGETALLY_LISTEN", "127.0.0.1:0")
        .env("EDGETALLY_DATA", dir.path())
        .env("EDGETALLY_ADMIN_KEY", ADMIN)
        .env("EDGETALLY_EDGE_SECRET", SECRET)
        .env("EDGETALLY_LOG_FORMAT", "json")
        .env("EDGETALLY_LOG", "debug")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    let server = loop {
        let line = lines.next().expect("a line").unwrap();
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
        seen.push(line);
        if event["message"] == "listening" {
            break Server::at(&format!("http://{}", event["address"].as_str().unwrap()));
        }
    };
    server.await_ready();
    server.make_site();
    let made =
        server.call("POST", "/v1/keys", ADMIN, Some(json!({"site": "demo", "kind": "read"})));
    let key = made.1["key"].as_str().unwrap().to_owned();
    assert_eq!(server.call("GET", "/v1/sessions?site=demo", &key, None).0, 200);
    assert_eq!(server.call("GET", "/v1/sessions?site=demo", "wrong-key-of-the-test", None).0, 401);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    seen.extend(lines.map_while(Result::ok));
    assert!(child.wait().unwrap().success());
    assert!(seen.iter().any(|line| line.contains("saved a checkpoint")), "{seen:?}");
    for line in &seen {
        let _: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        for secret in [ADMIN, SECRET, &key, "wrong-key-of-the-test"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
