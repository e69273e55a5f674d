//! Each hour is compared with the payments of a real PostgreSQL database, once, whatever is killed.

use std::path::Path;
use std::time::Duration;

use edgetally_proto::time::HOUR_MS;
use serde_json::{Value, json};

use crate::support;
use crate::support::events::now_ms;
use crate::support::postgres::Postgres;
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server};

/// Orders of each hour.
const ORDERS: i64 = 40;
/// As the program waits after the end of an hour.
const SETTLE_MS: i64 = 15 * 60_000;
const SOON: Duration = Duration::from_secs(40);

fn start(data: &Path, url: &str) -> Server {
    Server::start_with(data, &[("EDGETALLY_PAYMENTS_DEMO", url)])
}

fn ask(server: &Server) -> Value {
    let (status, answer) = server.call("GET", "/v1/reconciliations?site=demo", ADMIN, None);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn until<T>(what: &str, find: impl Fn() -> Option<T>) -> T {
    support::until(what, SOON, find)
}

/// Ids of the hours up to the last one of the test, the newest first: another one may end
/// meanwhile.
fn runs(server: &Server, last: &str) -> Vec<Value> {
    let answer = ask(server);
    let runs = answer["results"].as_array().unwrap().iter();
    runs.filter(|run| run["id"].as_str().unwrap() <= last).cloned().collect()
}

fn counts(run: &Value) -> [u64; 4] {
    ["matched", "missing_here", "missing_there", "different"]
        .map(|name| run[name].as_u64().unwrap())
}

fn id_of(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap();
    at.strftime("%Y%m%dT%H%MZ").to_string()
}

/// Tells of the orders of three hours, and gives their payments as CSV: in the second hour one is
/// missing, one is too much and one came to another amount.
fn sell(server: &Server, first_ms: i64) -> String {
    let (mut rows, mut csv) = (Vec::new(), String::new());
    for hour in 0..3 {
        for n in 0..ORDERS {
            // The last ones are ordered in their hour and paid in the next one.
            let at_ms = first_ms + hour * HOUR_MS + (n + 1) * HOUR_MS / ORDERS - 1_000;
            let code = format!("H{hour}-{n}");
            rows.push(json!({"order_code": code, "status": "completed", "total_amount": 1_000,
                "order_date": at_ms}));
            let amount = if (hour, n) == (1, 7) { 1_500 } else { 1_000 };
            if (hour, n) != (1, 5) {
                csv.push_str(&format!("{code},{amount},paid,{}\n", at_ms + 2_000));
            }
        }
    }
    csv.push_str(&format!("X,250,paid,{}\n", first_ms + HOUR_MS + 60_000));
    assert_eq!(server.call("POST", "/v1/orders?site=demo", ADMIN, Some(json!(rows))).0, 200);
    csv
}

/// Payments of which those of the third hour cannot be read until the gate is open.
fn fill(postgres: &Postgres, csv: &str, first_ms: i64) {
    let beyond_ms = first_ms + 2 * HOUR_MS + 24 * HOUR_MS + HOUR_MS / 2;
    postgres.run(
        "create table raw (order_id text, amount numeric, status text, ms bigint);
         create table gate (open int, at timestamptz);",
    );
    postgres.copy("raw", csv);
    postgres.run(&format!(
        "insert into gate values (0, to_timestamp({beyond_ms} / 1000.0));
         create view payments as
           select order_id, amount, status, to_timestamp(ms / 1000.0) as created_at from raw
           union all
           select 'gate', (1 / open)::numeric, 'failed', at from gate;"
    ));
}

/// A site whose payments of three hours are to be compared; the payments as CSV.
fn prepare(server: &Server, receiver: &Receiver, first_ms: i64) -> String {
    let since = jiff::Timestamp::from_millisecond(first_ms).unwrap().to_string();
    let settings = json!({
        "timezone": "Asia/Ho_Chi_Minh", "currency": "VND",
        "webhooks": [{"name": "ops", "url": receiver.url()}],
        "reconcile": {"database_env": "EDGETALLY_PAYMENTS_DEMO", "since": since, "to": ["ops"]},
    });
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    sell(server, first_ms)
}

/// There is no such table yet: that is told, and tried again.
fn check_waiting(server: &Server, last: &str) {
    let waits = until("it says that it waits", || {
        Some(ask(server)["schedule"]["waits"].clone()).filter(|waits| !waits.is_null())
    });
    assert_eq!(waits["error"], "the payments cannot be read");
    assert!(ask(server)["schedule"]["hours_waiting"].as_u64() >= Some(3));
    assert!(server.logs("an hour waits to be compared"), "{}", server.log());
    let (_, metrics) = server.call_text("GET", "/metrics", "", None);
    // A fourth hour may have ended meanwhile.
    let waiting = |hours| metrics.contains(&format!("_reconciliation_hours_waiting {hours}\n"));
    assert!(waiting(3) || waiting(4), "{metrics}");
    assert!(!metrics.contains("\nedgetally_reconciliation_failures_total 0\n"));
    assert_eq!(runs(server, last), [Value::Null; 0]);
}

/// Two of the hours are compared, and the second one is told; gives what was told.
fn check_two_hours(server: &Server, receiver: &Receiver, ids: &[String; 3]) -> Value {
    let told = receiver.wait(1, SOON)[0].json();
    let two = || Some(runs(server, &ids[2])).filter(|runs| runs.len() == 2);
    let found = until("two hours", two);
    assert_eq!([&found[0]["id"], &found[1]["id"]], [&ids[1], &ids[0]]);
    assert_eq!(found.iter().map(counts).collect::<Vec<_>>(), [[38, 1, 1, 1], [40, 0, 0, 0]]);
    let total = &found[0]["totals"][0];
    // 1000 missing, 500 too much, 250 of nobody; the last payment of the hour is one of the next.
    assert_eq!((&total["apart"], &total["here"]), (&json!("1750"), &json!("40000")));
    let percent = total["apart_percent"].to_string();
    assert_eq!((&total["there"], percent.as_str()), (&json!("39750"), "4.40"));
    assert_eq!((&told["rule"], &told["state"]), (&json!("RECONCILIATION"), &json!("firing")));
    assert_eq!((&told["severity"], &told["evidence"]["id"]), (&json!("HIGH"), &json!(ids[1])));
    assert_eq!(told["evidence"]["totals"][0]["apart"], "1750");
    // What a receiver answered is written down first: else it would be told again.
    until("it is delivered", || {
        let path = "/v1/alerts/deliveries?site=demo";
        let (_, answer) = server.call("GET", path, ADMIN, None);
        (answer["results"][0]["state"] == "delivered").then_some(())
    });
    told
}

#[test]
fn every_hour_is_compared_once_and_alerted_once_whatever_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (postgres, receiver) = (Postgres::start(), Receiver::start());
    let url = format!("host={} user=postgres dbname=postgres", postgres.host());
    let server = start(dir.path(), &url);
    let first_ms = (now_ms() - SETTLE_MS).div_euclid(HOUR_MS) * HOUR_MS - 3 * HOUR_MS;
    let ids = [0, 1, 2].map(|hour| id_of(first_ms + hour * HOUR_MS));
    let csv = prepare(&server, &receiver, first_ms);
    check_waiting(&server, &ids[2]);
    fill(&postgres, &csv, first_ms);
    let told = check_two_hours(&server, &receiver, &ids);
    // Killed where one hour is done and the next one waits.
    server.kill();
    let server = start(dir.path(), &url);
    until("it waits again", || ask(&server)["schedule"]["waits"]["error"].as_str().map(drop));
    assert_eq!(runs(&server, &ids[2]).len(), 2);
    assert_eq!(receiver.taken().len(), 1, "an alert is told once");
    server.kill();
    postgres.run("update gate set open = 1;");
    let server = start(dir.path(), &url);
    let over = receiver.wait(2, SOON)[1].json();
    assert_eq!((&over["id"], &over["state"]), (&told["id"], &json!("resolved")));
    let before = runs(&server, &ids[2]);
    let found: Vec<&Value> = before.iter().map(|run| &run["id"]).collect();
    assert_eq!(found, [&ids[2], &ids[1], &ids[0]]);
    assert_eq!(counts(&before[0]), [40, 0, 0, 0]);
    check_files(&server, dir.path(), &ids);
    // Out of a checkpoint they come as out of the log.
    assert!(server.stop().success());
    let server = start(dir.path(), &url);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(runs(&server, &ids[2]), before);
    assert_eq!(receiver.taken().len(), 2, "{:?}", receiver.taken());
    check_pages(&server, &ids[2]);
}

/// Without being asked for, what does not match lies in the data folder.
fn check_files(server: &Server, data: &Path, ids: &[String; 3]) {
    let file = |id: &str| data.join("reconciliations").join(format!("demo~{id}.csv"));
    let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let text = std::fs::read_to_string(file(&ids[1])).unwrap();
    let kinds: Vec<String> = lines(&text)
        .iter()
        .map(|line| line.split(',').take(6).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(
        kinds,
        [
            "missing_here,\"X\",VND,,250,-250",
            "missing_there,\"H1-5\",VND,1000,,1000",
            "different,\"H1-7\",VND,1000,1500,-500",
        ]
    );
    let path = |id: &str| format!("/v1/reconciliations/{id}?site=demo&format=csv");
    assert_eq!(server.call_text("GET", &path(&ids[1]), ADMIN, None), (200, text));
    let clean = server.call_text("GET", &path(&ids[0]), ADMIN, None);
    assert_eq!((clean.0, lines(&clean.1)), (200, Vec::new()));
    std::fs::remove_file(file(&ids[0])).unwrap();
    assert_eq!(server.call_text("GET", &path(&ids[0]), ADMIN, None).0, 404);
    assert_eq!(server.call("GET", "/v1/reconciliations/none?site=demo", ADMIN, None).0, 404);
}

fn check_pages(server: &Server, last: &str) {
    let (mut after, mut found) = (String::new(), Vec::new());
    loop {
        let path = format!("/v1/reconciliations?site=demo&limit=1{after}");
        let (_, page) = server.call("GET", &path, ADMIN, None);
        found.extend(page["results"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    found.retain(|run| run["id"].as_str().unwrap() <= last);
    assert_eq!(found, runs(server, last));
}

#[test]
fn without_the_setting_nothing_is_compared_and_wrong_members_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let answer = ask(&server);
    assert_eq!(answer, json!({"results": [], "next": null, "schedule": null}));
    let put = |reconcile: Value| {
        let settings = json!({"reconcile": reconcile});
        server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings))
    };
    let (status, problem) = put(json!({"database_env": "EDGETALLY_ADMIN_KEY"}));
    assert_eq!((status, &problem["field"]), (400, &json!("reconcile.database_env")));
    let (status, problem) = put(json!({"database_env": "EDGETALLY_PAYMENTS_X", "when": "1h"}));
    assert_eq!((status, &problem["field"]), (400, &json!("reconcile.when")));
    // The variable is not there: the hour waits and says so.
    let since = jiff::Timestamp::from_millisecond(now_ms() - 3 * HOUR_MS).unwrap().to_string();
    let (status, _) = put(json!({"database_env": "EDGETALLY_PAYMENTS_X", "since": since}));
    assert_eq!(status, 200);
    let error = until("it says why", || {
        ask(&server)["schedule"]["waits"]["error"].as_str().map(str::to_owned)
    });
    assert_eq!(error, "the variable EDGETALLY_PAYMENTS_X is not set");
}

#[test]
fn more_than_a_hundred_days_that_wait_are_told_until_they_are_worked_out() {
    const DAY_MS: i64 = 24 * HOUR_MS;
    let dir = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(dir.path()), Receiver::start());
    let settings = json!({"webhooks": [{"name": "ops", "url": receiver.url()}]});
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    let now = now_ms();
    let order = |n: i64| {
        json!({"order_code": format!("D{n}"), "status": "completed", "total_amount": 1,
            "order_date": now - n * DAY_MS})
    };
    let tell = |rows: Vec<Value>| {
        let (status, answer) =
            server.call("POST", "/v1/orders?site=demo", ADMIN, Some(json!(rows)));
        assert_eq!(status, 200, "{answer}");
    };
    // Today is not over, so a hundred days wait.
    tell((0..101).map(order).collect());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(receiver.taken().len(), 0, "a hundred are not too many");
    tell(vec![order(101)]);
    let told = receiver.wait(1, Duration::from_secs(10))[0].json();
    assert_eq!((&told["rule"], &told["state"]), (&json!("REBUILD_QUEUE"), &json!("firing")));
    assert_eq!(told["evidence"], json!({"days": 101, "limit": 100}));
    let asked = json!({"site": "demo"});
    assert_eq!(server.call("POST", "/v1/orders/rebuild", ADMIN, Some(asked)).0, 202);
    let over = receiver.wait(2, Duration::from_secs(20))[1].json();
    assert_eq!((&over["id"], &over["state"]), (&told["id"], &json!("resolved")));
    let (_, listed) = server.call("GET", "/v1/alerts?site=demo&kind=check", ADMIN, None);
    assert_eq!(listed["results"].as_array().unwrap().len(), 1);
}
