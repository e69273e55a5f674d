//! Readers of the live stream: over a WebSocket, coming back, too slow, and no longer allowed.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use edgetally_proto::frame;
use edgetally_proto::record::Item;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use crate::support::events::{Event, batch, now_ms};
use crate::support::server::{ADMIN, Server};

const PATIENCE: Duration = Duration::from_secs(15);
/// More than a reader may lag behind and all that the kernel holds for him.
const ORDERS: u64 = 1_600;

type Socket = WebSocket<TcpStream>;

fn connect(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Opens a WebSocket with headers; gives the status where there is none.
fn web_socket(server: &Server, query: &str, headers: &[(&str, &str)]) -> Result<Socket, u16> {
    let url = format!("{}/v1/live/ws?{query}", server.base.replace("http://", "ws://"));
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        let name: tungstenite::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match tungstenite::client(request, connect(server)) {
        Ok((socket, answer)) => {
            let offered = headers.iter().any(|(name, _)| *name == "sec-websocket-protocol");
            let chosen = answer.headers().get("sec-websocket-protocol").map(|value| value.to_str());
            assert_eq!(chosen.transpose().unwrap(), offered.then_some("edgetally"));
            Ok(socket)
        }
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
            Err(answer.status().as_u16())
        }
        Err(error) => panic!("{error}"),
    }
}

fn admin() -> String {
    format!("Bearer {ADMIN}")
}

/// The next message with JSON; none when the stream is closed, with the code of that.
fn next(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
            Message::Close(frame) => return Err(frame.map_or(0, |frame| frame.code.into())),
            _ => {}
        }
    }
}

fn next_of(socket: &mut Socket, kind: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let message = next(socket).unwrap();
        if message["type"] == kind {
            return message;
        }
        assert!(Instant::now() < deadline, "no {kind}");
    }
}

/// Server-sent events as (id, message), as long as they come.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn open(server: &Server, query: &str, header: &str) -> Self {
        let mut socket = connect(server);
        let line = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        write!(
            socket,
            "GET /v1/live?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n{line}\r\n",
            admin()
        )
        .unwrap();
        Self(BufReader::new(socket))
    }

    fn next(&mut self) -> Option<(u64, Value)> {
        let mut id = None;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(rest) = line.strip_prefix("id: ") {
                id = rest.trim().parse().ok();
            }
            if let Some(rest) = line.strip_prefix("data: ") {
                return Some((id.unwrap(), serde_json::from_str(rest).unwrap()));
            }
        }
    }
}

/// Both ways tell the same, message for message.
#[test]
fn a_web_socket_says_what_the_events_say() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let mut events = Lines::open(&server, "site=demo", "");
    let (first, _) = events.next().unwrap();
    let from = format!("site=demo&last_event_id={first}");
    let mut socket = web_socket(&server, &from, &[("authorization", &admin())]).unwrap();
    for _ in 0..6 {
        let (id, event) = events.next().unwrap();
        let message = next(&mut socket).unwrap();
        assert_eq!(message, event);
        assert_eq!(message["seq"], id);
    }
    assert!(server.stop().success(), "open sockets do not hold the program back");
    let end = std::iter::from_fn(|| Some(next(&mut socket))).find_map(Result::err);
    assert_eq!(end, Some(1001));
}

/// The number of the last message leads on without a gap or a repeat, over either way.
#[test]
fn who_comes_back_misses_nothing_or_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let mut events = Lines::open(&server, "site=demo", "");
    let mut last = events.next().unwrap().0;
    for round in 0..6 {
        let (query, header) = match round % 3 {
            0 => ("site=demo".to_owned(), format!("Last-Event-ID: {last}")),
            1 => (format!("site=demo&last_event_id={last}"), String::new()),
            _ => ("site=demo&last_event_id=5".to_owned(), format!("Last-Event-ID: {last}")),
        };
        events = Lines::open(&server, &query, &header);
        for _ in 0..3 {
            let (id, message) = events.next().unwrap();
            assert_eq!((id, &message["seq"]), (last + 1, &json!(id)), "round {round}");
            last = id;
        }
    }
    // Numbers that are not kept, or never were: what was before must be read anew.
    for unknown in ["5".to_owned(), (last + 1_000).to_string()] {
        let query = format!("site=demo&last_event_id={unknown}");
        let mut socket = web_socket(&server, &query, &[("authorization", &admin())]).unwrap();
        let reset = next(&mut socket).unwrap();
        assert_eq!(reset["type"], "reset");
        let tick = next_of(&mut socket, "tick");
        assert_eq!(tick["second"], reset["second"], "ticks go on where it says");
    }
    // A number of an earlier life of the program is no number of this one.
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    let mut events = Lines::open(&server, &format!("site=demo&last_event_id={last}"), "");
    let (_, reset) = events.next().unwrap();
    assert_eq!(reset["type"], "reset", "{reset}");
}

#[test]
fn a_web_socket_takes_a_key_a_site_and_a_number() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let status = |query: &str, headers: &[(&str, &str)]| web_socket(&server, query, headers).err();
    let authorization = admin();
    let admin = ("authorization", authorization.as_str());
    assert_eq!(status("site=demo", &[]), Some(401));
    assert_eq!(status("site=demo&key=x", &[]), Some(401));
    assert_eq!(status("", &[admin]), Some(400));
    assert_eq!(status("site=nowhere", &[admin]), Some(404));
    assert_eq!(status("site=demo&last_event_id=x", &[admin]), Some(400));
    let (_, key) =
        server.call("POST", "/v1/keys", ADMIN, Some(json!({"site": "demo", "kind": "read"})));
    let offer = format!("edgetally, bearer.{}", key["key"].as_str().unwrap());
    let mut socket =
        web_socket(&server, "site=demo", &[("sec-websocket-protocol", &offer)]).unwrap();
    next_of(&mut socket, "now");
    let other = server.call("PUT", "/v1/sites/other", ADMIN, Some(json!({})));
    assert_eq!(other.0, 200);
    assert_eq!(status("site=other", &[("sec-websocket-protocol", &offer)]), Some(403));
    let (plain, answer) = server.call("GET", "/v1/live/ws?site=demo", ADMIN, None);
    assert_eq!((plain, &answer["code"]), (426, &json!("upgrade_required")));

    // A key that is deleted ends what it opened.
    let id = key["id"].as_str().unwrap();
    assert_eq!(server.call("DELETE", &format!("/v1/keys/{id}"), ADMIN, None).0, 204);
    let end = std::iter::from_fn(|| Some(next(&mut socket))).find_map(Result::err);
    assert_eq!(end, Some(1008));
}

/// Orders of two hundred lines, which fill what is buffered for a reader who does not read. The
/// next ones come when somebody has heard of those before: on a busy machine he too could be too
/// slow.
fn push_large_orders(server: &Server, count: u64, heard: &AtomicU64) {
    let at = now_ms();
    let frame_of = |n: u64| {
        let order = Event::new(&format!("p{n}"), "c", "purchase", at).order(&format!("T{n}"), 5);
        let mut batch = batch(&[order], at);
        let line = |n| Item {
            id: Some(format!("sku-{n}")),
            name: Some("x".repeat(60)),
            ..Item::default()
        };
        batch.sites[0].facts[0].items = (0..200).map(line).collect();
        frame::encode(&batch)
    };
    for first in (1..=count).step_by(40) {
        let deadline = Instant::now() + PATIENCE;
        while heard.load(Ordering::Relaxed) + 1 < first && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let frames: Vec<Vec<u8>> = (first..first + 40).map(frame_of).collect();
        assert_eq!(server.frames(first, &frames).0, 200);
    }
}

/// A reader who stops reading holds nobody up, is dropped, and may come back.
#[test]
fn a_reader_who_is_too_slow_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let mut slow = Lines::open(&server, "site=demo", "");
    let small = socket2::SockRef::from(slow.0.get_ref());
    small.set_recv_buffer_size(65_536).unwrap();
    let (first, _) = slow.next().unwrap();
    let mut quick = Lines::open(&server, "site=demo", "");
    quick.next().unwrap();
    let heard = AtomicU64::new(0);
    let orders = std::thread::scope(|scope| {
        scope.spawn(|| push_large_orders(&server, ORDERS, &heard));
        let messages = std::iter::from_fn(|| quick.next()).map(|(_, message)| message);
        let orders = messages.filter(|message| message["type"] == "order");
        let ids = orders.map(|order| order["transaction_id"].as_str().unwrap().to_owned());
        let ids = ids.inspect(|_| _ = heard.fetch_add(1, Ordering::Relaxed));
        ids.take(ORDERS as usize).collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(orders.len(), ORDERS as usize, "who reads gets all of it");
    // From here on it reads as fast as it can.
    socket2::SockRef::from(slow.0.get_ref()).set_recv_buffer_size(4_194_304).unwrap();
    let mut heard = vec![first];
    while let Some((id, _)) = slow.next() {
        heard.push(id);
    }
    assert!(heard.windows(2).all(|pair| pair[1] == pair[0] + 1), "no gap before the end");
    assert!(heard.len() < ORDERS as usize, "{} messages were buffered for it", heard.len());
    let (_, metrics) = server.call_text("GET", "/metrics", "", None);
    assert!(metrics.contains("edgetally_live_readers_dropped_total 1"), "{metrics}");
    let last = format!("site=demo&last_event_id={}", heard[heard.len() - 1]);
    let mut again = Lines::open(&server, &last, "");
    assert_eq!(again.next().unwrap().1["type"], "reset", "so much is not kept");
    assert!(again.next().is_some());
}
