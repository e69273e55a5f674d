//! The report: what was measured as Markdown, with the target beside each number.

use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};

/// What it ran on.
pub fn machine() -> Value {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = info.lines().filter(|line| line.starts_with("model name"));
    let model = models.clone().next().and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
    json!({"model": model, "cores": models.count()})
}

/// A number under a pointer; a missing one is no number.
fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn millions(value: f64) -> String {
    format!("{:.2} M", value / 1e6)
}

fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

fn bytes(value: f64) -> String {
    format!("{value:.0} bytes")
}

/// The whole report.
pub fn markdown(found: &Value) -> String {
    let mut text = "# Benchmark of sessions\n".to_owned();
    let of = |pointer: &str| number(found, pointer);
    let model = found.pointer("/machine/model").and_then(Value::as_str).unwrap_or_default();
    let _infallible = writeln!(
        text,
        "\n{} cores of {model}. {} events of {} persons in {} frames, {:.1} bytes an event.\n",
        of("/machine/cores"),
        of("/stream/events"),
        of("/stream/persons"),
        of("/stream/frames"),
        of("/stream/bytes") / of("/stream/events"),
    );
    text.push_str("| what | measured | target |\n|---|---:|---:|\n");
    for (part, rows) in [
        ("pure", pure as fn(&Value) -> Vec<Row>),
        ("memory", memory),
        ("whole", whole),
        ("batch", batch),
    ] {
        for (what, measured, target) in found.get(part).map(rows).unwrap_or_default() {
            let _infallible = writeln!(text, "| {what} | {measured} | {target} |");
        }
    }
    text
}

type Row = (String, String, &'static str);

fn row(what: &str, measured: String, target: &'static str) -> Row {
    (what.to_owned(), measured, target)
}

fn pure(found: &Value) -> Vec<Row> {
    let of = |pointer: &str| number(found, pointer);
    let moved = format!("login that moves {} events of seven days, median", of("/logins/events"));
    vec![
        row("engine on one core, events/s", millions(of("/events_per_second")), "≥ 3 M"),
        row("of that, reading frames alone", millions(of("/decode_events_per_second")), "-"),
        row("engine, memory of an event", bytes(of("/bytes_per_event")), "-"),
        row(
            "state from a checkpoint, events/s",
            millions(of("/restore_events_per_second")),
            "≥ 1 M",
        ),
        row(&moved, format!("{} ms", tenths(of("/logins/median_ms"))), "< 10 ms"),
        row(
            "the same on the processor, mean",
            format!("{} ms", tenths(of("/logins/processor_ms"))),
            "< 10 ms",
        ),
        row("the longest of them", format!("{} ms", tenths(of("/logins/longest_ms"))), "-"),
    ]
}

fn memory(found: &Value) -> Vec<Row> {
    let measured = bytes(number(found, "/bytes_per_person"));
    vec![row("engine, memory of a person with five events", measured, "≤ 200 bytes")]
}

fn whole(found: &Value) -> Vec<Row> {
    let of = |pointer: &str| number(found, pointer);
    let on_disk = |name: &str| bytes(of(&format!("/disk/{name}")) / of("/all_events"));
    let seconds = |pointer: &str| format!("{} s", tenths(of(pointer)));
    let milliseconds = |pointer: &str| format!("{} ms", tenths(of(pointer)));
    vec![
        row("whole program, durable, events/s", millions(of("/events_per_second")), "≥ 1 M"),
        row(
            "whole program, events per processor second",
            millions(of("/events") / of("/processor_seconds")),
            "-",
        ),
        row("whole program, memory of an event", bytes(of("/bytes_per_event")), "-"),
        row("whole program, most memory", format!("{:.0} MB", of("/peak_bytes") / 1e6), "-"),
        row("frame sent until seen in a query, p50", milliseconds("/visible/p50_ms"), "-"),
        row("the same, p99", milliseconds("/visible/p99_ms"), "-"),
        row("on disk, log", on_disk("log"), "-"),
        row("on disk, sled", on_disk("sled"), "-"),
        row("on disk, snapshot", on_disk("snapshot"), "-"),
        row("start after kill -9 under load", seconds("/recovery_seconds"), "< 10 s"),
        row("start from a checkpoint", seconds("/saved_recovery_seconds"), "< 10 s"),
    ]
}

fn batch(found: &Value) -> Vec<Row> {
    let databases = found.as_object().into_iter().flatten();
    databases
        .flat_map(|(name, found)| {
            let version = found["version"].as_str().unwrap_or_default();
            let seconds = |what: &str| format!("{} s", tenths(number(found, what)));
            [
                row(
                    &format!("{name} {version}, sessions in one batch"),
                    seconds("/sessions_seconds"),
                    "-",
                ),
                row(
                    &format!("{name}, the same in processor seconds"),
                    seconds("/sessions_processor_seconds"),
                    "-",
                ),
                row(&format!("{name}, orders in one batch"), seconds("/orders_seconds"), "-"),
                row(
                    &format!("{name}, reading the table before that"),
                    seconds("/load_seconds"),
                    "-",
                ),
            ]
        })
        .collect()
}
