//! Orders and sessions in a PostgreSQL warehouse: killed on the way, loaded again, nothing twice.

use std::process::{Command, Stdio};
use std::time::Duration;

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::back_office::shop;
use crate::support::events::{Event, batch};
use crate::support::postgres::Postgres;
use crate::support::server::{ADMIN, Server};
use crate::support::snapshot::START;

const ORDERS: usize = 12_000;

fn load(server: &Server, postgres: &Postgres, what: &str) -> Command {
    let url = format!("host={} user=postgres dbname=postgres", postgres.host());
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgetally"));
    command
        .args(["load", what, "--site", "demo", "--url", &server.base])
        .env("EDGETALLY_WAREHOUSE", url)
        .env("EDGETALLY_ADMIN_KEY", ADMIN)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn load_all(server: &Server, postgres: &Postgres, what: &str) -> Value {
    let output = load(server, postgres, what).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn tell(server: &Server, key: &str, orders: std::ops::Range<usize>, amount: usize) {
    let row = |n: usize| {
        json!({
            "order_code": format!("L{n}"), "platform": "shopee", "status": "completed",
            "total_amount": amount + n, "order_date": START + n as i64 * 1_000,
            "updated_at": START + amount as i64, "shipping_city": "Huế\t\\ \"x\"",
        })
    };
    let rows: Vec<Value> = orders.map(row).collect();
    for part in rows.chunks(1_000) {
        assert_eq!(server.call("POST", "/v1/orders", key, Some(json!(part))).0, 200);
    }
}

#[test]
fn a_load_that_is_killed_goes_on_and_nothing_is_there_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let postgres = Postgres::start();
    tell(&server, &key, 0..ORDERS, 1_000);
    let mut rows = 0;
    let count = || {
        let table = postgres.lines("select to_regclass('edgetally_orders_rows') is not null");
        if table != ["t"] {
            return 0;
        }
        postgres.lines("select count(*) from edgetally_orders_rows")[0].parse::<usize>().unwrap()
    };
    // Killed as soon as some pages are in.
    for _ in 0..3 {
        let mut child = load(&server, &postgres, "orders").spawn().unwrap();
        for _ in 0..2_000 {
            std::thread::sleep(Duration::from_millis(2));
            if count() > rows || child.try_wait().unwrap().is_some() {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        rows = count();
    }
    assert!(rows > 0);
    load_all(&server, &postgres, "orders");
    let sums = "select count(*), count(distinct transaction_id), sum(value), min(currency)
        from edgetally_orders where booked";
    let total: usize = (0..ORDERS).map(|n| 1_000 + n).sum();
    assert_eq!(postgres.lines(sums), [format!("{ORDERS},{ORDERS},{total},VND")]);
    // Again: what is the same stays untouched; what changed is told.
    assert_eq!(load_all(&server, &postgres, "orders")["changed"], 0);
    tell(&server, &key, 5..8, 9_000);
    assert_eq!(load_all(&server, &postgres, "orders")["changed"], 3);
    let total = total + 3 * 8_000;
    assert_eq!(postgres.lines(sums), [format!("{ORDERS},{ORDERS},{total},VND")]);
    let city = "select row->>'shipping_city' from edgetally_orders where transaction_id = 'L5'";
    assert_eq!(postgres.lines(city), ["Huế\t\\ \"x\""]);
    check_sessions(&server, &postgres);
}

/// Sessions that become one are one in the warehouse as well.
fn check_sessions(server: &Server, postgres: &Postgres) {
    let view = |id: &str, client: &str, at| Event::new(id, client, "page_view", at);
    let first = [view("a", "w", START), view("b", "d", START + 60_000)];
    assert_eq!(server.frames(1, &[frame::encode(&batch(&first, START))]).0, 200);
    load_all(server, postgres, "sessions");
    let rows = "select session_id, events from edgetally_sessions order by 1";
    assert_eq!(postgres.lines(rows), ["a,1", "b,1"]);
    let login =
        |id: &str, client: &str| Event::new(id, client, "login", START + 90_000).user("ann");
    let logins = [login("c", "w"), login("e", "d")];
    assert_eq!(server.frames(2, &[frame::encode(&batch(&logins, START))]).0, 200);
    load_all(server, postgres, "sessions");
    assert_eq!(postgres.lines(rows), ["a,4"]);
}
