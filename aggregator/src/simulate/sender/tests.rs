//! The sender against a worker that fails in every way that leaves the outcome open.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

/// What a request meets.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It is stored and confirmed.
    None,
    /// The worker dies before it stores anything.
    LostBefore,
    /// The worker dies between storing and answering.
    LostAfter,
    /// The worker cannot take it now.
    Overloaded,
    /// The answer breaks off.
    HalfAnswer,
}

const FAULTS: [Fault; 11] = [
    Fault::LostBefore,
    Fault::None,
    Fault::Overloaded,
    Fault::None,
    Fault::None,
    Fault::LostAfter,
    Fault::None,
    Fault::None,
    Fault::HalfAnswer,
    Fault::None,
    Fault::None,
];

/// A collector on this machine that keeps each event once, and fails by turns.
#[derive(Debug, Default)]
struct Collector {
    stored: Mutex<HashMap<String, Value>>,
    requests: Mutex<usize>,
}

impl Collector {
    /// Serves until the test ends; the address is the sender's endpoint.
    fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = Arc::clone(self);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let collector = Arc::clone(&collector);
                thread::spawn(move || collector.converse(stream));
            }
        });
        format!("http://{address}/v1/events")
    }

    fn converse(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
        let mut stream = stream;
        while let Some((head, body)) = read_request(&mut reader) {
            if !head.contains("Bearer sk_good") {
                let _ = stream.write_all(&answer(401, &json!({"code": "key_invalid"})));
                continue;
            }
            let batch: Value = serde_json::from_slice(&body).expect("JSON");
            let turn = {
                let mut requests = lock(&self.requests);
                *requests += 1;
                *requests - 1
            };
            let text = match FAULTS[turn % FAULTS.len()] {
                Fault::LostBefore => return,
                Fault::Overloaded => answer(503, &json!({"retry_after_ms": 20})),
                Fault::LostAfter => {
                    self.store(&batch);
                    return;
                }
                Fault::HalfAnswer => {
                    self.store(&batch);
                    answer(202, &json!({"accepted": 1}))
                }
                Fault::None => answer(202, &self.store(&batch)),
            };
            let _ = stream.write_all(&text);
        }
    }

    fn store(&self, batch: &Value) -> Value {
        let mut stored = lock(&self.stored);
        let events = batch["events"].as_array().expect("events");
        let known = stored.len();
        for event in events {
            stored.insert(event["id"].to_string(), event.clone());
        }
        let accepted = stored.len() - known;
        let duplicates = events.len() - accepted;
        json!({"accepted": accepted, "duplicates": duplicates, "rejected": [], "warnings": []})
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn answer(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn play(endpoint: String, key: &str, stop: bool) -> (Tally, Option<String>) {
    let tally = Mutex::new(Tally::default());
    let run = Run {
        target: Target { endpoint, site: "demo".to_owned(), key: key.to_owned() },
        pace: Pace { rate: 400.0, duration: Duration::from_secs(1) },
        batch_events: 20,
        tally: &tally,
        stop: &AtomicBool::new(stop),
        progress: &ProgressBar::hidden(),
        refusal: Mutex::new(None),
        refusal_grace: Duration::from_millis(300),
    };
    run.play(&mut Crowd::new(1, "test", 50, 0.05), 1_700_000_000_000);
    let refusal = run.refusal.into_inner().expect("no thread panicked");
    (tally.into_inner().expect("no thread panicked"), refusal)
}

/// Whatever happens to single requests, the count is what the worker has in the end.
#[test]
fn every_event_is_stored_and_counted_once() {
    let collector = Arc::new(Collector::default());
    let (tally, refusal) = play(collector.serve(), "sk_good", false);
    let summary = tally.summary();
    let stored = lock(&collector.stored);
    assert_eq!((summary.events, stored.len()), (400, 400));
    assert_eq!((summary.accepted, summary.duplicates), (400, 0));
    assert!(summary.retries >= 8 && refusal.is_none(), "{summary:?}");
    for (name, count) in &summary.by_name {
        let of_name = stored.values().filter(|event| event["name"] == json!(name));
        assert_eq!(of_name.count() as u64, *count, "{name}");
    }
}

/// A wrong key ends the run with the worker's words, after a moment in which it may become known.
#[test]
fn a_wrong_key_ends_the_run() {
    let collector = Arc::new(Collector::default());
    let (tally, refusal) = play(collector.serve(), "sk_bad", false);
    let summary = tally.summary();
    assert_eq!(refusal.as_deref(), Some("401 key_invalid"));
    assert_eq!(summary.events, 0);
    assert!(summary.unconfirmed > 0 && !summary.is_complete());
}

/// A run that is stopped does not wait for a worker that is not there.
#[test]
fn a_stopped_run_ends_at_once() {
    let (tally, _) = play("http://127.0.0.1:9/v1/events".to_owned(), "sk_good", true);
    assert_eq!(tally.summary().events, 0);
}

#[test]
fn only_this_machine_is_reached_without_a_proxy() {
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in ["10.0.0.1", "edge.example", "127.0.0.1.example", "[2001:db8::1]"] {
        assert!(!is_loopback(host), "{host}");
    }
}
