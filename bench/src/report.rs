//! The report: what was measured as Markdown, with the target beside each number.

use std::fmt::Write;
use std::fs;
use std::io::{self, Write as _};

use anyhow::Result;
use serde_json::{Value, json};

use crate::workerd::Cores;

/// What it ran on.
pub fn machine(cores: &Cores) -> Value {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = info.lines().filter(|line| line.starts_with("model name"));
    let model = models.clone().next().and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
    json!({"model": model, "cores": models.count(), "workerd_apart": cores.are_apart()})
}

/// Writes the report to stdout.
pub fn print(text: &str) -> Result<()> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// A number under a pointer; a missing one is no number.
fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn rows<'a>(found: &'a Value, pointer: &str) -> &'a [Value] {
    found.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A table: its head, and a line for each row.
fn table(text: &mut String, head: &[&str], lines: impl Iterator<Item = Vec<String>>) {
    text.push('\n');
    let mut line = |cells: &[String]| {
        let _infallible = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(&head.iter().map(ToString::to_string).collect::<Vec<_>>());
    line(&head.iter().map(|_| "---:".to_owned()).collect::<Vec<_>>());
    for cells in lines {
        line(&cells);
    }
}

fn paragraph(text: &mut String, words: &str) {
    let _infallible = writeln!(text, "\n{words}");
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

fn hundredths(value: f64) -> String {
    format!("{value:.2}")
}

/// The whole report.
pub fn markdown(found: &Value) -> String {
    let mut text = "# Benchmark of the edge\n".to_owned();
    let model = found.pointer("/machine/model").and_then(Value::as_str).unwrap_or_default();
    let cores = number(found, "/machine/cores");
    let apart = found.pointer("/machine/workerd_apart") == Some(&Value::Bool(true));
    let apart = if apart { "workerd on a core of its own" } else { "all on one core" };
    paragraph(&mut text, &format!("{cores} cores of {model}; {apart}."));
    for (name, write) in [
        ("pure", pure as fn(&mut String, &Value)),
        ("whole", contest),
        ("forwarded", forwarded),
        ("footprint", footprint),
    ] {
        if let Some(part) = found.get(name) {
            write(&mut text, part);
        }
    }
    text
}

fn pure(text: &mut String, found: &Value) {
    paragraph(text, "## The pure path: parse, validate, enrich, fold, pack");
    let head = [
        "events",
        "native µs/event",
        "typed parse µs/event",
        "ratio (target ≤ 2)",
        "wasm µs/event",
        "wasm/native (target ≤ 3)",
        "wasm typed parse µs/event",
    ];
    let micros = |row: &Value, pointer: &str| hundredths(number(row, pointer) / 1e3);
    let lines = rows(found, "/rows").iter().map(|row| {
        vec![
            whole(number(row, "/events")),
            micros(row, "/native_ns"),
            micros(row, "/native_parse_ns"),
            hundredths(number(row, "/native_to_parse")),
            micros(row, "/wasm_ns"),
            hundredths(number(row, "/wasm_to_native")),
            micros(row, "/wasm_parse_ns"),
        ]
    });
    table(text, &head, lines);
    let Some(groups) = found.get("criterion").and_then(Value::as_object) else { return };
    paragraph(text, "Criterion's medians of `edge-worker/benches/collect.rs`:");
    let lines = groups.iter().flat_map(|(group, benches)| {
        let benches = benches.as_object().into_iter().flatten();
        benches.map(move |(bench, ns)| {
            let micros = hundredths(ns.as_f64().unwrap_or(f64::NAN) / 1e3);
            vec![group.clone(), bench.clone(), micros]
        })
    });
    table(text, &["batch", "what", "µs/batch"], lines);
}

fn contest(text: &mut String, found: &Value) {
    paragraph(text, "## The whole worker");
    let (connections, seconds) = (number(found, "/connections"), number(found, "/seconds"));
    let rounds = number(found, "/rounds");
    let bucket = match found["archive"] == true {
        true => "a bucket in memory for all, written to once a second",
        false => "no R2 for anyone",
    };
    paragraph(
        text,
        &format!(
            "workerd without a proxy, Durable Objects in memory, {bucket}; {connections} \
             connections, medians of {rounds} rounds of {seconds} s in turn. A stand-in \
             acknowledges the frames of `edge`, on the core of the load. Target: `edge` takes at \
             least as many events a processor second as `minimal`."
        ),
    );
    let head = [
        "events/request",
        "worker",
        "requests/s",
        "events/s",
        "events/CPU s",
        "against minimal",
        "CPU ms/1,000 events",
        "CPU µs/request",
        "p50 ms",
        "p99 ms",
    ];
    let all = rows(found, "/rows");
    let lines = all.iter().map(|row| {
        let size = number(row, "/events_per_request");
        let is_minimal = |other: &&Value| {
            other["worker"] == "minimal" && number(other, "/events_per_request") == size
        };
        let minimal = all.iter().find(is_minimal).cloned().unwrap_or_default();
        let rate = number(row, "/events_per_cpu_second");
        vec![
            whole(size),
            row["worker"].as_str().unwrap_or_default().to_owned(),
            whole(number(row, "/requests_per_second")),
            whole(number(row, "/events_per_second")),
            whole(rate),
            hundredths(rate / number(&minimal, "/events_per_cpu_second")),
            tenths(number(row, "/cpu_ms_per_1000_events")),
            whole(number(row, "/cpu_us_per_request")),
            tenths(number(row, "/p50_ms")),
            tenths(number(row, "/p99_ms")),
        ]
    });
    table(text, &head, lines);
    let forwarded = |name: &str| number(found, &format!("/forwarded/{name}"));
    paragraph(
        text,
        &format!(
            "All {} events that `edge` accepted were forwarded, in {} frames of {} bytes.",
            forwarded("events"),
            forwarded("frames"),
            forwarded("bytes")
        ),
    );
}

fn forwarded(text: &mut String, found: &Value) {
    paragraph(text, "## Forwarded, with full ids (target: 32 bytes at 100/s, 24 at 1,000/s)");
    let head = ["events/s of a shard", "events/frame", "JSON bytes/event", "frame bytes/event"];
    let lines = rows(found, "/rows").iter().map(|row| {
        vec![
            whole(number(row, "/events_per_second")),
            tenths(number(row, "/events") / number(row, "/frames")),
            tenths(number(row, "/json_bytes_per_event")),
            tenths(number(row, "/frame_bytes_per_event")),
        ]
    });
    table(text, &head, lines);
    let busiest = rows(found, "/rows").last().and_then(|row| row.get("sections"));
    let Some(sections) = busiest.and_then(Value::as_object) else { return };
    paragraph(text, "By section of the frame, at the highest rate:");
    let mut sizes: Vec<(&String, f64)> =
        sections.iter().map(|(name, bytes)| (name, bytes.as_f64().unwrap_or(f64::NAN))).collect();
    sizes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let lines = sizes.into_iter().map(|(name, bytes)| vec![name.clone(), hundredths(bytes)]);
    table(text, &["section", "bytes/event"], lines);
}

fn footprint(text: &mut String, found: &Value) {
    paragraph(text, "## Size, start, memory");
    let megabytes = |pointer: &str| tenths(number(found, pointer) / 1e6);
    let rate = whole(number(found, "/memory/requests_per_second"));
    let lines = [
        (
            "module, gzip",
            format!("{} KB", whole(number(found, "/module/gzip_bytes") / 1e3)),
            "≤ 700 KB",
        ),
        (
            "start until the first answer, more than an empty worker takes",
            format!("{} ms", whole(number(found, "/start/difference_ms"))),
            "well under 1,000 ms",
        ),
        (
            "growth of workerd's resident memory, one shard, a minute of 3 events a request",
            format!("{} MB at {rate} requests/s", megabytes("/memory/growth_bytes")),
            "≤ 20 MB",
        ),
        (
            "processor meanwhile",
            format!("{} %", whole(100.0 * number(found, "/memory/cpu_share"))),
            "",
        ),
    ];
    let cells = |(what, value, target): (&str, String, &str)| {
        vec![what.to_owned(), value, target.to_owned()]
    };
    table(text, &["what", "measured", "target"], lines.into_iter().map(cells));
}
