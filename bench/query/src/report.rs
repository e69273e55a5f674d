//! The report: each question as Markdown, with the targets and the databases beside it.

use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};

/// Milliseconds that the slowest hundredth may take, of rollups and of rows.
const TARGETS: [(&str, f64); 2] = [("rollups", 5.0), ("rows", 50.0)];

/// What it ran on.
pub fn machine() -> Value {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = info.lines().filter(|line| line.starts_with("model name"));
    let model = models.clone().next().and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
    json!({"model": model, "cores": models.count()})
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn ms(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.1}") }
}

/// The whole report.
pub fn markdown(found: &Value) -> String {
    let of = |pointer: &str| number(found, pointer);
    let model = found.pointer("/machine/model").and_then(Value::as_str).unwrap_or_default();
    let mut text = format!(
        "# Benchmark of queries\n\n{} cores of {model}. {} events, {} sessions, {} orders; taken \
         in within {:.0} s, {:.0} MB of memory. While asked in column \"busy\" it took in {:.0} \
         events a second.\n\n",
        of("/machine/cores"),
        of("/ours/events"),
        of("/ours/sessions"),
        of("/ours/orders"),
        of("/ours/load_seconds"),
        of("/ours/bytes") / 1e6,
        of("/ours/events_per_second_while_asked"),
    );
    for name in ["duckdb", "clickhouse"].iter().filter(|name| found.get(**name).is_some()) {
        let version = found[*name]["version"].as_str().unwrap_or_default();
        let (seconds, bytes) =
            (of(&format!("/{name}/load_seconds")), of(&format!("/{name}/bytes")));
        let _infallible = writeln!(
            text,
            "{name} {version}: tables read in {seconds:.0} s, {:.0} MB of memory.\n",
            bytes / 1e6
        );
    }
    text.push_str(
        "| question, ms | by | first | p50 | p95 | p99 | busy p50 | busy p99 | target | \
         DuckDB first | p50 | p99 | ClickHouse first | p50 | p99 |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let questions = found["ours"]["questions"].as_array();
    for (at, question) in questions.into_iter().flatten().enumerate() {
        row(&mut text, found, at, question);
    }
    text
}

fn row(text: &mut String, found: &Value, at: usize, question: &Value) {
    let by = question["by"].as_str().unwrap_or_default();
    let target = TARGETS.iter().find(|(known, _)| *known == by).map_or(f64::NAN, |(_, ms)| *ms);
    let of = |pointer: &str| ms(number(question, pointer));
    let peer = |name: &str| {
        let of = |what: &str| ms(number(found, &format!("/{name}/questions/{at}/{what}")));
        ["first_ms", "p50", "p99"].map(of).join(" | ")
    };
    let _infallible = writeln!(
        text,
        "| {} | {by} | {} | {} | {} | {} | {} | {} | < {target} | {} | {} |",
        question["name"].as_str().unwrap_or_default(),
        of("/first_ms"),
        of("/alone/p50"),
        of("/alone/p95"),
        of("/alone/p99"),
        of("/busy/p50"),
        of("/busy/p99"),
        peer("duckdb"),
        peer("clickhouse"),
    );
}
