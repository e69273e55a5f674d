//! A full disk: nothing is taken, everything else goes on, and it passes.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aggregator::config::Config;
use aggregator::http::{self, App};
use aggregator::store::engine::Engine;
use aggregator::store::recover::Layout;
use aggregator::store::room::Room;
use aggregator::store::writer::{self, WriterError};
use serde_json::json;

use crate::support::server::{ADMIN, SECRET, Server, last_file};
use crate::support::stream::{answers, check_same, frame_of, send_up_to};

type End = std::thread::JoinHandle<Result<(), WriterError>>;

/// The program within this process, on a disk that is full when it is told so.
struct Within {
    server: Server,
    engine: Engine,
    end: End,
    is_full: Arc<AtomicBool>,
    _runtime: tokio::runtime::Runtime,
}

impl Within {
    fn start(data: &Path) -> Self {
        let is_full = Arc::new(AtomicBool::new(false));
        let asked = is_full.clone();
        let room = Room::of(move || match asked.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        });
        let (engine, end) = writer::start(Layout { room, ..Layout::below(data) }).unwrap();
        let data = data.display().to_string();
        let config = Config::read(None, |name| match name {
            "EDGETALLY_DATA" => Some(data.clone()),
            "EDGETALLY_EDGE_SECRET" => Some(SECRET.to_owned()),
            "EDGETALLY_ADMIN_KEY" => Some(ADMIN.to_owned()),
            _ => None,
        });
        let app = App::new(engine.clone(), &config.unwrap());
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::at(&format!("http://{}", socket.local_addr().unwrap()));
        socket.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.spawn(async move {
            let socket = tokio::net::TcpListener::from_std(socket).unwrap();
            http::tls::serve(socket, None, http::router(app), std::future::pending()).await
        });
        server.await_ready();
        Self { server, engine, end, is_full, _runtime: runtime }
    }

    fn fill(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    fn stop(self) -> Result<(), WriterError> {
        self.engine.stop();
        self.end.join().unwrap()
    }
}

fn metric(server: &Server, name: &str) -> Option<String> {
    let (_, text) = server.call_text("GET", "/metrics", "", None);
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("edgetally_{name} ")));
    line.map(str::to_owned)
}

/// Waits until frames are taken again.
fn await_room(server: &Server, next: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.frames(next, &[frame_of(next)]).0 != 200 {
        assert!(Instant::now() < deadline, "nothing is taken though there is room");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What is refused everywhere while the disk is full, and what goes on.
fn check_refusals(server: &Server, next: u64) {
    for _ in 0..3 {
        let (status, answer) = server.frames(next, &[frame_of(next)]);
        assert_eq!((status, &answer["code"]), (503, &json!("disk_full")), "{answer}");
    }
    let settings = json!({"currency": "USD"});
    let (status, answer) = server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings));
    assert_eq!((status, &answer["code"]), (503, &json!("disk_full")), "{answer}");
    assert_eq!(server.call_text("GET", "/readyz", "", None).0, 200);
    assert_eq!(metric(server, "disk_full").as_deref(), Some("1"));
}

#[test]
fn a_full_disk_refuses_frames_and_nothing_else_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let within = Within::start(&dir.path().join("within"));
    within.server.make_site();
    send_up_to(&within.server, 20);
    let before = answers(&within.server);
    within.fill(true);
    check_refusals(&within.server, 21);
    assert_eq!(answers(&within.server), before, "what was refused is not told of");
    std::thread::sleep(Duration::from_millis(1_500));
    check_refusals(&within.server, 21);
    within.fill(false);
    await_room(&within.server, 21);
    send_up_to(&within.server, 40);
    assert_eq!(metric(&within.server, "disk_full").as_deref(), Some("0"));
    let twin = Server::start(&dir.path().join("twin"));
    twin.make_site();
    send_up_to(&twin, 40);
    check_same(&within.server, &twin, "after the disk was full");

    // A checkpoint waits for room, and so does the end of the program.
    let (status, made) = within.server.call("POST", "/v1/backup", ADMIN, None);
    assert_eq!(status, 201, "{made}");
    within.fill(true);
    let (status, made) = within.server.call("POST", "/v1/backup", ADMIN, None);
    assert_eq!(status, 503, "{made}");
    send_up_to(&twin, 41);
    assert_eq!(within.server.frames(41, &[frame_of(41)]).0, 503);
    assert!(matches!(within.stop(), Err(WriterError::Full)));
    let again = Server::start(&dir.path().join("within"));
    send_up_to(&again, 41);
    check_same(&again, &twin, "after a start from a log that ends at the full disk");
}

/// A file that lost something is named with what to do; nothing is dropped to get going.
#[test]
fn a_damaged_store_is_reported_and_never_cut_to_fit() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    server.make_site();
    send_up_to(&server, 30);
    assert!(server.stop().success());
    let server = Server::start(&data);
    send_up_to(&server, 60);
    let expected = answers(&server);
    server.kill();
    let whole: Vec<(PathBuf, Vec<u8>)> = ["sled/db", "snapshot.bin"]
        .map(|name| data.join(name))
        .into_iter()
        .chain([last_file(&data.join("log"), ".log")])
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let damage = |path: &Path, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.iter_mut().skip(40).step_by(211).for_each(|byte| *byte ^= 0x5A);
        fs::write(path, bytes).unwrap();
    };
    // Without the checkpoint and the snapshot nothing leads back: it says so and touches nothing.
    let (sled, snapshot) = (&whole[0], &whole[1]);
    damage(&sled.0, &sled.1);
    damage(&snapshot.0, &snapshot.1);
    for _ in 0..2 {
        let refused = Server::try_start(&data).err().expect("it must not start");
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.log.contains("restore"), "{}", refused.log);
        assert!(refused.log.contains("snapshot.bin is damaged"), "{}", refused.log);
    }
    fs::write(&snapshot.0, &snapshot.1).unwrap();
    let server = Server::start(&data);
    assert!(server.logs("moved the damaged checkpoint aside"), "{}", server.log());
    assert_eq!(answers(&server), expected);
}
