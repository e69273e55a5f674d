//! A receiver of webhooks, which is away when it should be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub status: u16,
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Takes what is posted, and answers with a status.
pub struct Receiver {
    pub address: SocketAddr,
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<Message>>>,
    is_over: Arc<AtomicBool>,
}

impl Receiver {
    pub fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// One at an address that another one had.
    pub fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(AtomicU16::new(200));
        let (taken, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (says, keeps, ends) = (status.clone(), taken.clone(), is_over.clone());
        std::thread::spawn(move || {
            while !ends.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((socket, _)) => take(socket, says.load(Ordering::Acquire), &keeps),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Self { address, status, taken, is_over }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?token=of-nobody-else", self.address)
    }

    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::Release);
    }

    /// What it took, whatever it answered.
    pub fn taken(&self) -> Vec<Message> {
        self.taken.lock().unwrap().clone()
    }

    /// The first so many messages that were answered with 200.
    pub fn wait(&self, count: usize, within: Duration) -> Vec<Message> {
        let deadline = Instant::now() + within;
        loop {
            let mut taken = self.taken();
            taken.retain(|message| message.status == 200);
            if taken.len() >= count {
                return taken;
            }
            assert!(Instant::now() < deadline, "{} of {count} messages: {taken:?}", taken.len());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
    }
}

fn take(socket: TcpStream, status: u16, taken: &Mutex<Vec<Message>>) {
    socket.set_nonblocking(false).unwrap();
    let mut reader = BufReader::new(socket);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    taken.lock().unwrap().push(Message { headers, body: String::from_utf8(body).unwrap(), status });
    let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
}
