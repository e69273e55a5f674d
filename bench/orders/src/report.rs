//! The report as Markdown, with the target beside each number.

use std::fmt::Write;

use serde_json::Value;

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// The whole report.
pub fn markdown(found: &Value) -> String {
    let of = |pointer: &str| number(found, pointer);
    let orders = of("/orders");
    let bytes = |name: &str| {
        let all = of(name);
        format!("{:.0} MB, {:.0} bytes an order", all / 1e6, all / orders)
    };
    let rows = [
        ("orders taken in", format!("{:.0} a second", orders / of("/seconds")), "20,000"),
        (
            "the same, of a second of the processor",
            format!("{:.0}", orders / of("/processor_seconds")),
            "-",
        ),
        ("memory after that", bytes("/memory_bytes"), "1,000 bytes"),
        ("memory 45 s later", bytes("/rested_bytes"), "-"),
        ("most memory", bytes("/peak_bytes"), "-"),
        ("on disk", bytes("/disk_bytes"), "-"),
        ("start after kill -9", format!("{:.1} s", of("/start_seconds")), "-"),
        ("memory after the start", bytes("/after_start_bytes"), "-"),
        ("PostgreSQL: COPY", format!("{:.1} s", of("/postgres_seconds/0")), "-"),
        ("PostgreSQL: index by date", format!("{:.1} s", of("/postgres_seconds/1")), "-"),
        ("PostgreSQL: its daily table", format!("{:.1} s", of("/postgres_seconds/2")), "-"),
    ];
    let mut text =
        format!("# Benchmark of orders\n\n{orders} orders.\n\n| what | measured | target |\n");
    text.push_str("|---|---:|---:|\n");
    for (what, measured, target) in rows {
        let _infallible = writeln!(text, "| {what} | {measured} | {target} |");
    }
    text.push_str(
        "\nMilliseconds over HTTP, target 20 at p99; PostgreSQL by psql, its median.\n\n",
    );
    text.push_str("| question | rows | p50 | p99 | busy p50 | busy p99 | scan | daily table |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for row in found["questions"].as_array().into_iter().flatten() {
        let of = |pointer: &str| match row.pointer(pointer).and_then(Value::as_f64) {
            Some(time) => format!("{time:.2}"),
            None => "-".to_owned(),
        };
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row["question"].as_str().unwrap_or_default(),
            row["rows"].as_u64().map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            of("/alone/p50"),
            of("/alone/p99"),
            of("/busy/p50"),
            of("/busy/p99"),
            of("/raw/p50"),
            of("/daily/p50"),
        );
    }
    text
}
