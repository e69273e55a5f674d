//! The live stream of a running program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch, now_ms};
use crate::support::server::{ADMIN, Server, rows};

/// An open stream: messages with their ids.
pub struct Listener(BufReader<TcpStream>);

impl Listener {
    pub fn open(server: &Server, last_id: Option<&str>) -> Self {
        let address = server.base.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let last = last_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        write!(
            socket,
            "GET /v1/live?site=demo HTTP/1.1\r\nHost: x\r\n\
             Authorization: Bearer {ADMIN}\r\n{last}\r\n"
        )
        .unwrap();
        Self(BufReader::new(socket))
    }

    pub fn next(&mut self) -> (String, Value) {
        let mut id = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(rest) = line.strip_prefix("id: ") {
                id = rest.trim().to_owned();
            }
            if let Some(rest) = line.strip_prefix("data: ") {
                return (id, serde_json::from_str(rest).unwrap());
            }
        }
    }

    pub fn next_of(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> (String, Value) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let (id, message) = self.next();
            if message["type"] == kind && wanted(&message) {
                return (id, message);
            }
            assert!(Instant::now() < deadline, "no {kind}");
        }
    }
}

#[test]
fn an_order_is_seen_within_a_second_and_its_second_is_told_and_corrected() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let mut listener = Listener::open(&server, None);
    let first = listener.next_of("now", |_| true).0;
    let at = now_ms();
    let sold = Event::new("p1", "c", "purchase", at).order("T1", 250_000);
    assert_eq!(server.frames(1, &[frame::encode(&batch(&[sold], at))]).0, 200);
    let (_, order) = listener.next_of("order", |_| true);
    assert_eq!(order["transaction_id"], "T1");
    assert_eq!(order["value"], json!({"currency": "VND", "amount": "250000"}));
    assert_eq!((&order["city"], &order["items"][0]["item_id"]), (&json!("Huế"), &json!("sku-1")));
    let (_, now) = listener.next_of("now", |now| now["today"]["orders"] == 1);
    assert!(now_ms() - at < 1_500, "it took {} ms", now_ms() - at);
    assert_eq!(now["today"]["visitors"], 1);
    let (_, tick) = listener.next_of("tick", |tick| tick["orders"] == 1);
    let told_at = now_ms();
    let end = (at.div_euclid(1_000) + 1) * 1_000;
    assert!((end + 2_000..end + 2_600).contains(&told_at), "told {} ms late", told_at - end);
    let second = tick["second"].as_str().unwrap();
    check_equal(&server, &tick, second);
    let late = Event::new("v1", "d", "page_view", at);
    assert_eq!(server.frames(2, &[frame::encode(&batch(&[late], at))]).0, 200);
    let (_, correction) = listener.next_of("correction", |c| c["second"] == second);
    let changed =
        ["events", "pageviews", "concurrent_visitors"].map(|name| correction[name].clone());
    assert_eq!(changed, [json!(2), json!(1), json!(2)]);
    check_equal(&server, &correction, second);

    // Whoever comes back hears what was missed, from the message after the last one heard.
    let mut again = Listener::open(&server, Some(&first));
    let (next, missed) = again.next();
    assert_eq!(next.parse::<u64>().unwrap(), first.parse::<u64>().unwrap() + 1);
    if missed["type"] != "order" {
        again.next_of("order", |order| order["transaction_id"] == "T1");
    }
}

/// A message about a second says what a query about it says.
fn check_equal(server: &Server, message: &Value, second: &str) {
    let names = [
        "revenue",
        "orders",
        "events",
        "pageviews",
        "payments_succeeded",
        "payments_failed",
        "concurrent_visitors",
    ];
    let from: jiff::Timestamp = second.parse().unwrap();
    let to = from + jiff::SignedDuration::from_secs(1);
    let query = json!({"site_id": "demo", "metrics": names,
        "date_range": [second, to.to_string()]});
    let (_, answer) = server.call("POST", "/v1/query", ADMIN, Some(query));
    let said: Vec<Value> = names.iter().map(|name| message[*name].clone()).collect();
    assert_eq!(rows(&answer)[0].1, said);
}

#[test]
fn the_stream_takes_a_key_and_a_site() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    for (path, key, status) in [
        ("/v1/live?site=demo", "", 401),
        ("/v1/live", ADMIN, 400),
        ("/v1/live?site=nowhere", ADMIN, 404),
    ] {
        assert_eq!(server.call("GET", path, key, None).0, status, "{path}");
    }
    let mut socket = Listener::open(&server, None).0;
    let mut head = [0; 15];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    assert!(server.stop().success(), "open streams do not hold the program back");
}
