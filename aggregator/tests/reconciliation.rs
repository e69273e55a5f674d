//! Orders against the payments of a real PostgreSQL database, and of CSV.

use std::fmt::Write;
use std::process::Command;

use serde_json::{Value, json};

use crate::back_office::shop;
use crate::support::postgres::Postgres;
use crate::support::server::{ADMIN, Server};
use crate::support::snapshot::START;

/// Orders, of which every hundredth is paid for otherwise.
const ORDERS: usize = 100_000;

fn row(n: usize) -> Value {
    json!({
        "order_code": format!("R{n}"), "status": "completed", "total_amount": 1_000 + n,
        "order_date": START + n as i64 * 800,
    })
}

/// The payment of an order as a line of CSV, with a hundred mistakes among them all.
fn payment(n: usize) -> Option<String> {
    let at_ms = START + n as i64 * 800 + 2_000;
    let (amount, status) = match n {
        // Forty are not there, thirty have failed or came to another amount.
        _ if n % 1_000 == 7 && n < 40_000 => return None,
        _ if n % 1_000 == 7 && n < 55_000 => (1_000 + n, "failed"),
        _ if n % 1_000 == 7 && n < 70_000 => (1_001 + n, "paid"),
        _ => (1_000 + n, "success"),
    };
    Some(format!("R{n},{amount},{status},{at_ms}\n"))
}

fn csv() -> String {
    let mut csv = String::new();
    for line in (0..ORDERS).filter_map(payment) {
        csv.push_str(&line);
    }
    // Thirty payments whose orders nobody told us of.
    for n in 0..30 {
        writeln!(csv, "X{n},5000,paid,{}", START + n * 60_000).unwrap();
    }
    csv
}

fn counts(report: &Value) -> [u64; 4] {
    ["matched", "missing_here", "missing_there", "different"]
        .map(|name| report[name].as_u64().unwrap_or_else(|| panic!("{report}")))
}

#[test]
fn each_planted_discrepancy_is_found_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let rows: Vec<Value> = (0..ORDERS).map(row).collect();
    for part in rows.chunks(1_000) {
        assert_eq!(server.call("POST", "/v1/orders", &key, Some(json!(part))).0, 200);
    }
    let postgres = Postgres::start();
    postgres.run(
        "create table raw (order_id text, amount numeric, status text, ms bigint);
         create view payments as select order_id, amount, status,
           to_timestamp(ms / 1000.0) as created_at from raw;",
    );
    postgres.copy("raw", &csv());
    let url = format!("host={} user=postgres dbname=postgres", postgres.host());
    let asked = json!({
        "site": "demo", "from": "2026-03-02", "to": "2026-03-03", "postgres": url,
    });
    let (status, report) = server.call("POST", "/v1/reconcile", ADMIN, Some(asked.clone()));
    assert_eq!(status, 200, "{report}");
    let planted = [ORDERS as u64 - 70, 30, 55, 15];
    assert_eq!(counts(&report), planted);
    let ids = |kind: &str| {
        let rows = report["results"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["kind"] == kind);
        rows.map(|row| row["order_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut missing: Vec<String> = (0..55).map(|n| format!("R{}", n * 1_000 + 7)).collect();
    missing.sort();
    assert_eq!(ids("missing_there"), missing);
    let mut different: Vec<String> = (55..70).map(|n| format!("R{}", n * 1_000 + 7)).collect();
    different.sort();
    assert_eq!(ids("different"), different);
    assert!(ids("missing_here").iter().all(|id| id.starts_with('X')));
    // The hours add up to the whole.
    let total = &report["totals"][0];
    let hours = report["hours"].as_array().unwrap();
    let sum = |name: &str| {
        let amount = |row: &Value| row[name].as_str().unwrap().parse::<i64>().unwrap();
        hours.iter().map(amount).sum::<i64>().to_string()
    };
    assert_eq!(
        [sum("here"), sum("there")].map(Value::from),
        [&total["here"], &total["there"]].map(Clone::clone)
    );
    assert_eq!(total["orders"], ORDERS);

    // The command says the same, writes all rows and ends with 1.
    let out = dir.path().join("out.csv");
    let command = Command::new(env!("CARGO_BIN_EXE_edgetally"))
        .args(["reconcile", "--site", "demo", "--from", "2026-03-02", "--to", "2026-03-03"])
        .args(["--url", &server.base, "--out"])
        .arg(&out)
        .env("EDGETALLY_PAYMENTS", &url)
        .env("EDGETALLY_ADMIN_KEY", ADMIN)
        .output()
        .unwrap();
    assert_eq!(command.status.code(), Some(1), "{command:?}");
    let said: Value = serde_json::from_slice(&command.stdout).unwrap();
    assert_eq!(counts(&said), planted);
    assert_eq!(std::fs::read_to_string(out).unwrap().lines().count(), 101);
    check_refusals(&server, &asked);
}

fn check_refusals(server: &Server, asked: &Value) {
    let check = |member: &str, value: Value, expected: (u16, &str)| {
        let mut asked = asked.clone();
        asked[member] = value;
        let (status, problem) = server.call("POST", "/v1/reconcile", ADMIN, Some(asked));
        let said = problem["field"].as_str().or(problem["code"].as_str()).unwrap_or_default();
        assert_eq!((status, said), expected, "{problem}");
    };
    check("table", json!("nothing"), (502, "database"));
    check("table", json!("payments; drop table raw"), (400, "table"));
    check("postgres", json!("host=/nowhere user=x"), (502, "database"));
    check("csv", json!("order_id"), (400, "postgres"));
    check("from", Value::Null, (400, "from"));
    check("format", json!("pdf"), (400, "format"));
}

#[test]
fn a_file_is_compared_as_a_database_is() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let rows: Vec<Value> = (0..3).map(row).collect();
    assert_eq!(server.call("POST", "/v1/orders", &key, Some(json!(rows))).0, 200);
    let csv = "order_id,amount,status,created_at\n\
        R0,600,paid,2026-03-02T10:00:05+07:00\nR0,400,paid,2026-03-02T10:00:06+07:00\n\
        R1,1001.5,paid,2026-03-02T10:00:05+07:00\n=R9,5,paid,2026-03-02 03:00:05\n\
        R2,1,failed,2026-03-02 03:00:05\n";
    let mut asked = json!({"site": "demo", "from": "2026-03-02", "to": "2026-03-02", "csv": csv});
    let (_, report) = server.call("POST", "/v1/reconcile", ADMIN, Some(asked.clone()));
    assert_eq!(counts(&report), [1, 1, 2, 0], "{report}");
    assert_eq!(report["unreadable"][0]["order_id"], "R1");
    assert_eq!(report["unpaid"], 1);
    asked["format"] = json!("csv");
    let (status, text) = server.call_text("POST", "/v1/reconcile", ADMIN, Some(asked.to_string()));
    assert_eq!(status, 200);
    let line = "missing_here,\"'=R9\",VND,,5,-5,,2026-03-02T10:00:05.000+07:00";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn orders_of_one_number_are_added_and_what_lies_beside_the_range_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let settings = json!({"timezone": "Asia/Kolkata", "currency": "VND"});
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    let on = |platform: &str, currency: &str, total: i64| {
        json!({"order_code": "A", "platform": platform, "status": "completed",
            "currency": currency, "total_amount": total, "order_date": START})
    };
    let rows = [on("web", "VND", 1_000), on("shopee", "VND", 500), on("lazada", "USD", 7)];
    assert_eq!(server.call("POST", "/v1/orders?site=demo", ADMIN, Some(json!(rows))).0, 200);
    // START is 8:30 there. A payment of the day before failed, and one cannot be read.
    let csv = "order_id,amount,status,created_at\nA,1500,paid,2026-03-02T03:10:00Z\n\
        B,5,failed,2026-03-01T12:00:00Z\nC,much,paid,2026-03-01T12:00:00Z\n\
        D,9,failed,2026-03-02T03:10:00Z\n";
    let asked = json!({"site": "demo", "from": "2026-03-02", "to": "2026-03-02", "csv": csv,
        "format": "json+csv"});
    let (status, report) = server.call("POST", "/v1/reconcile", ADMIN, Some(asked));
    assert_eq!(status, 200, "{report}");
    assert_eq!(counts(&report), [1, 0, 1, 0], "{report}");
    assert_eq!((&report["unpaid"], &report["unreadable"]), (&json!(1), &json!([])));
    assert_eq!(report["cut"], json!([]));
    let lines: Vec<&str> = report["csv"].as_str().unwrap().lines().skip(1).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("missing_there,\"A\",USD,7.00,,7.00,"), "{lines:?}");
    let hours: Vec<&str> =
        report["hours"].as_array().unwrap().iter().map(|row| row["at"].as_str().unwrap()).collect();
    assert_eq!(hours, ["2026-03-02T08:00:00.000+05:30"; 2], "local hours");
    let apart = |currency: &str| {
        let totals = report["totals"].as_array().unwrap().iter();
        let total = totals.clone().find(|total| total["currency"] == currency).unwrap();
        (total["apart"].clone(), total["apart_percent"].to_string())
    };
    assert_eq!(apart("USD"), (json!("7.00"), "100.00".to_owned()));
    assert_eq!(apart("VND"), (json!("0"), "0.00".to_owned()));
}
