//! Archives as shards write them, and the same events as frames.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgetally_proto::archive::manifest::{Manifest, Part};
use edgetally_proto::archive::names::{self, MANIFEST, raw_folder};
use edgetally_proto::archive::{Context, Line};
use edgetally_proto::event::Event;
use edgetally_proto::frame;
use edgetally_proto::ids::{Mark, ShardName};
use edgetally_proto::raw::RawBatch;
use edgetally_proto::record::Flags;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::time::HOUR_MS;
use edgetally_proto::validate::{Ids, Rules, Visitor, validate};
use edgetally_proto::window::Window;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::events::demo;

/// An accepted event, as the shard folds it and as its line.
#[derive(Clone)]
pub struct Taken {
    pub event: Event,
    pub line: String,
}

/// How events were sent.
#[derive(Clone, Copy)]
pub struct Sent {
    pub received_at_ms: i64,
    pub sent_at_ms: Option<i64>,
    pub server_key: bool,
    pub ids: Ids,
    pub is_bot: bool,
}

/// Validates events as the edge does, and writes their lines.
pub fn take(events: &Value, sent: Sent) -> Vec<Taken> {
    let body = json!({"site": "demo", "events": events}).to_string();
    let batch = RawBatch::parse(body.as_bytes()).unwrap();
    let settings: SiteSettings = serde_json::from_value(json!({
        "timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "events": {"allow": ["*"]},
    }))
    .unwrap();
    let rules = Rules {
        site: &demo(),
        settings: &settings,
        server_key: sent.server_key,
        received_at_ms: sent.received_at_ms,
        sent_at_ms: sent.sent_at_ms,
        ids: sent.ids,
        visitor: Visitor { address: "192.0.2.1", user_agent: "Firefox", salt: b"salt" },
        nonce: 7,
    };
    let taken = batch.events().enumerate().map(|(at, raw)| {
        let (mut event, _) = validate(&raw, at, &rules).unwrap();
        event.flags = event.flags.with(Flags::BOT, sent.is_bot);
        let line = Line::write(&event, &raw, &rules, Context::Whole);
        event.user_agent = None;
        Taken { event, line }
    });
    taken.collect()
}

/// A frame with these events.
pub fn frame_of(taken: &[Taken], at_ms: i64) -> Vec<u8> {
    let mut window = Window::default();
    taken.iter().for_each(|taken| window.fold(&demo(), taken.event.clone()));
    frame::encode(&window.seal(at_ms))
}

pub fn gzip(lines: &[String]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for line in lines {
        writeln!(encoder, "{line}").unwrap();
    }
    encoder.finish().unwrap()
}

/// Writes parts of one hour and shard with their manifest; gives the folder.
pub fn write_folder(root: &Path, hour_ms: i64, shard: &str, parts: &[Vec<Taken>]) -> PathBuf {
    let (hour, shard) = (hour_ms.div_euclid(HOUR_MS), ShardName::parse(shard).unwrap());
    let dir = root.join(raw_folder(&demo(), hour, &shard));
    fs::create_dir_all(&dir).unwrap();
    let mut manifest = Manifest::new(demo(), hour, shard);
    for (at, part) in (0u64..).zip(parts) {
        let lines: Vec<String> = part.iter().map(|taken| taken.line.clone()).collect();
        let (name, object) = (names::part(Mark([5; 16]), at * 4 + 1, at * 4 + 4), gzip(&lines));
        fs::write(dir.join(&name), &object).unwrap();
        manifest.list(Part::of(name, lines.len() as u64, &object));
    }
    fs::write(dir.join(MANIFEST), manifest.to_json()).unwrap();
    dir
}

/// Runs a command of the program that works on an archive.
pub fn run(command: &str, from: &Path, data: &Path, more: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_edgetally"));
    program.arg(command).arg("--from").arg(from).arg("--data").arg(data).args(more);
    program.output().unwrap()
}

/// What such a command prints when all went well.
pub fn summary(output: &Output) -> Value {
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    serde_json::from_slice(&output.stdout).unwrap()
}
