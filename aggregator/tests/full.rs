//! A full disk: nothing is taken, everything else goes on, and it passes.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// A program on a small disk of its own, where the system permits one.
struct Small {
    child: Child,
    server: Server,
    disk: PathBuf,
}

impl Small {
    fn start(folder: &Path, megabytes: u64) -> Option<Self> {
        let script = format!(
            "mount -t tmpfs -o size={megabytes}m tmpfs '{0}' && exec '{1}' serve",
            folder.display(),
            env!("CARGO_BIN_EXE_edgetally")
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(folder.with_extension("log")).unwrap();
        let child = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .env("EDGETALLY_LISTEN", format!("127.0.0.1:{port}"))
            .env("EDGETALLY_DATA", folder.join("data"))
            .env("EDGETALLY_ADMIN_KEY", ADMIN)
            .env("EDGETALLY_EDGE_SECRET", SECRET)
            .env("EDGETALLY_KEEP_FREE_MB", "0")
            .stderr(log)
            .stdin(Stdio::null())
            .spawn();
        let mut child = child.ok()?;
        std::thread::sleep(Duration::from_millis(300));
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        // unshare and sh became the program, whose root shows the disk that only it has.
        let disk = PathBuf::from(format!("/proc/{}/root{}", child.id(), folder.display()));
        let server = Server::at(&format!("http://127.0.0.1:{port}"));
        server.await_ready();
        Some(Self { child, server, disk })
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing is kept free here, so that the system itself says that the disk is full.
#[test]
fn a_disk_that_is_really_full_passes_too() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("disk");
    fs::create_dir(&folder).unwrap();
    let Some(small) = Small::start(&folder, 48) else {
        println!("skipped: this system permits no file systems of one's own");
        return;
    };
    small.server.make_site();
    send_up_to(&small.server, 20);
    let before = answers(&small.server);
    let filler = small.disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while io::copy(&mut io::repeat(1), &mut file).is_ok() {}
    let mut next = 21;
    // What still fits into the last block is taken.
    while server_takes(&small.server, next) {
        next += 1;
    }
    assert!(next < 400, "the disk never was full");
    check_refusals(&small.server, next);
    if next == 21 {
        assert_eq!(answers(&small.server), before);
    }
    // As long as it is open it takes its room.
    drop(file);
    fs::remove_file(&filler).unwrap();
    await_room(&small.server, next);
    send_up_to(&small.server, next + 20);
    let twin = Server::start(&dir.path().join("twin"));
    twin.make_site();
    send_up_to(&twin, next + 20);
    check_same(&small.server, &twin, "after the disk was really full");
    let (status, made) = small.server.call("POST", "/v1/backup", ADMIN, None);
    assert_eq!(status, 201, "checkpoints are saved again: {made}");
}

fn server_takes(server: &Server, next: u64) -> bool {
    server.frames(next, &[frame_of(next)]).0 == 200
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
