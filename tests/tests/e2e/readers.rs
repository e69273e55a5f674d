//! A thousand readers of the live stream while the simulator sends.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use edgetally_tests::dev::Dev;
use serde_json::{Value, json};

use super::system::{Site, finish_simulate, is_soak, start_simulate};

const READERS: usize = 1_000;
/// Shop days of a minute keep a few megabytes; a thousand queues of messages would be hundreds.
const GROWTH_MAX_KB: u64 = 64 << 10;

/// How long they read.
fn seconds() -> u64 {
    if is_soak() { 60 } else { 12 }
}

/// One reader: the seconds of its ticks and the number of its last message.
struct Reader {
    socket: TcpStream,
    rest: Vec<u8>,
    ticks: Vec<String>,
    last: Option<u64>,
}

impl Reader {
    fn open(dev: &Dev, site: &Site) -> Self {
        let address = dev.text("aggregator").strip_prefix("http://").expect("a URL");
        let mut socket = TcpStream::connect(address).expect("a connection");
        let key = dev.text("admin_key");
        write!(
            socket,
            "GET /v1/live?site={} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n",
            site.id
        )
        .expect("sent");
        socket.set_nonblocking(true).expect("set");
        Self { socket, rest: Vec::new(), ticks: Vec::new(), last: None }
    }

    /// Takes in what has come; whether the stream is still open.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 1 << 16];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.rest.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return true };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        for line in String::from_utf8(whole).expect("text").lines() {
            if let Some(id) = line.strip_prefix("id: ") {
                let id = id.trim().parse().expect("a number");
                assert!(self.last.is_none_or(|last| id == last + 1), "{:?}, then {id}", self.last);
                self.last = Some(id);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let message: Value = serde_json::from_str(data).expect("JSON");
                if message["type"] == "tick" {
                    self.ticks.push(message["second"].as_str().expect("a second").to_owned());
                }
            }
        }
        true
    }
}

fn memory_kb(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Each hears every second once, in order, and costs nearly nothing.
#[test]
fn a_thousand_readers_hear_every_second_once() {
    let dev = Dev::start().expect("ready");
    let site = Site::create(&dev, "watched", &json!({"currency": "VND", "bots": "off"}));
    let duration = format!("{}s", seconds() + 10);
    let run = start_simulate(&dev, &site, &["--rate", "100", "--duration", &duration]);
    let mut readers: Vec<Reader> = (0..READERS).map(|_| Reader::open(&dev, &site)).collect();
    let pid = dev.pid("aggregator").expect("it runs");
    let read_all = |readers: &mut Vec<Reader>, time: Duration| {
        let end = Instant::now() + time;
        while Instant::now() < end {
            readers.iter_mut().for_each(|reader| assert!(reader.read(), "a stream ended"));
            thread::sleep(Duration::from_millis(50));
        }
    };
    read_all(&mut readers, Duration::from_secs(5));
    let before = memory_kb(pid);
    read_all(&mut readers, Duration::from_secs(seconds()));
    let after = memory_kb(pid);
    let sent = finish_simulate(run);
    read_all(&mut readers, Duration::from_secs(1));

    // A tick that came while they were read in turn reached only some of them.
    let heard = |reader: &Reader| reader.ticks.last().cloned();
    let last = readers.iter().map(heard).min().expect("readers").expect("ticks");
    readers.iter_mut().for_each(|reader| reader.ticks.retain(|second| *second <= last));
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    let longest = readers.iter().map(|reader| &reader.ticks).max_by_key(|ticks| ticks.len());
    let longest = longest.expect("readers").clone();
    for Reader { ticks, .. } in &readers {
        // They came one after the other; from then on all heard the same.
        assert!(longest.ends_with(ticks), "{ticks:?}");
        *lengths.entry(ticks.len()).or_default() += 1;
    }
    let instants: Vec<jiff::Timestamp> =
        longest.iter().map(|second| second.parse().expect("an instant")).collect();
    assert!(instants.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_secs() == 1));
    assert!(*lengths.keys().next().expect("ticks") >= seconds() as usize, "{lengths:?}");
    let growth = after.saturating_sub(before);
    println!("{READERS} readers, ticks {lengths:?}, {before} kB and {growth} more, {sent}");
    assert!(growth < GROWTH_MAX_KB, "memory grew by {growth} kB");
}
