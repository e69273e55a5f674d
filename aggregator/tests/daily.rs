//! Daily statistics against a PostgreSQL server that has the same orders.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::back_office::shop;
use crate::support::postgres::Postgres;
use crate::support::server::{ADMIN, Server};
use crate::support::snapshot::at;

const DAY_MS: i64 = 86_400_000;
const STATES: [&str; 8] =
    ["unpaid", "pending", "ready_to_ship", "shipped", "completed", "cancelled", "returned", "lost"];
const PLATFORMS: [(&str, &str, u64); 3] =
    [("tiktok", "VND", 1), ("shopee", "USD", 100), ("lazada", "THB", 100)];

/// A number below another one, the same on every run.
fn pick(seed: u64, what: &str, below: u64) -> u64 {
    xxh3_64(format!("{seed}/{what}").as_bytes()) % below
}

/// One version of an order as a row, and as a line for PostgreSQL.
fn version(order: u64, step: u64) -> Value {
    let of = |what: &str, below: u64| pick(order, what, below);
    let now = |what: &str, below: u64| pick(order * 31 + step, what, below);
    let (platform, currency, units) = PLATFORMS[of("platform", 3) as usize];
    let ordered = at("2026-01-10T00:00:00Z") + of("at", 60 * DAY_MS as u64) as i64;
    let total = 1_000 + now("total", 9_000_000);
    let discount = now("discount", 900);
    let amount = |minor: u64| match units {
        1 => minor.to_string(),
        _ => format!("{}.{:02}", minor / units, minor % units),
    };
    json!({
        "order_code": format!("{platform}-{order}"), "platform": platform, "currency": currency,
        "status": STATES[now("status", 8) as usize], "total_amount": amount(total),
        "discount_amount": amount(discount), "final_amount": amount(total - discount),
        "order_date": ordered, "updated_at": ordered + (step * DAY_MS as u64) as i64,
        "category": format!("c{}", of("category", 4)), "region": format!("r{}", of("region", 3)),
    })
}

/// An order and how many days after it its version is; millions of them are no rows yet.
type Named = (u64, u64);

/// Versions over ten days in a random order, with stale and repeated ones among them.
fn versions(orders: u64) -> Vec<Named> {
    let mut rows = Vec::new();
    for order in 0..orders {
        for step in 0..=pick(order, "steps", 4) {
            let step = step * (1 + pick(order, "stride", 3));
            rows.push((order, step));
            if pick(order, "repeat", 5) == 0 {
                rows.push((order, step));
            }
        }
    }
    let mut keyed: Vec<(u64, Named)> = rows
        .into_iter()
        .enumerate()
        .map(|(at, row)| (pick(at as u64, "shuffle", u64::MAX), row))
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, row)| row).collect()
}

fn row_of((order, step): &Named) -> Value {
    version(*order, *step)
}

fn tell(server: &Server, key: &str, rows: &[Named]) -> [u64; 5] {
    let mut counts = [0; 5];
    for part in rows.chunks(1_000) {
        let part: Vec<Value> = part.iter().map(row_of).collect();
        let (status, answer) = server.call("POST", "/v1/orders", key, Some(json!(part)));
        assert_eq!(status, 200, "{answer}");
        let names = ["created", "updated", "unchanged", "stale", "rejected"];
        for (count, name) in counts.iter_mut().zip(names) {
            *count += answer[name].as_u64().unwrap();
        }
    }
    counts
}

const SCHEMA: &str = "
create table told (seq serial, code text, platform text, currency text, status text,
  total numeric, discount numeric, final numeric, ordered bigint, updated bigint, category text,
  region text);
create view orders as select distinct on (platform, code) *,
  (to_timestamp(ordered / 1000.0) at time zone 'Asia/Ho_Chi_Minh')::date as stat_date
  from told order by platform, code, updated desc, seq desc;
create function half_even(a numeric, b numeric, digits int) returns numeric language sql as $$
  select case when b = 0 then null else
    (div(n, b) + case when 2 * mod(n, b) > b then 1 when 2 * mod(n, b) = b then mod(div(n, b), 2)
      else 0 end) / 10::numeric ^ digits::numeric end
  from (select a * 10::numeric ^ digits::numeric as n) as scaled $$;
create function shown(amount numeric, currency text) returns text language sql as $$
  select case when currency = 'VND' then amount::numeric(30, 0)::text
    else amount::numeric(30, 2)::text end $$;
";

fn load(postgres: &Postgres, rows: &[Named]) {
    let mut csv = String::new();
    for row in rows.iter().map(row_of) {
        let text = |name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let cells = [
            "order_code",
            "platform",
            "currency",
            "status",
            "total_amount",
            "discount_amount",
            "final_amount",
            "order_date",
            "updated_at",
            "category",
            "region",
        ];
        writeln!(csv, "{}", cells.map(text).join(",")).unwrap();
    }
    let columns = "code, platform, currency, status, total, discount, final, ordered, updated, \
                   category, region";
    postgres.copy(&format!("told ({columns})"), &csv);
}

/// The definitions of daily statistics as SQL.
fn in_sql(postgres: &Postgres, period: &str, by: &str) -> Vec<String> {
    postgres.lines(&format!(
        "with sums as (select date_trunc('{period}', stat_date)::date as day, {by} as grp,
           currency, count(*) as orders, count(*) filter (where status = 'completed') as completed,
           count(*) filter (where status = 'cancelled') as cancelled, sum(total) as gmv,
           coalesce(sum(final) filter (where status = 'completed'), 0) as revenue,
           coalesce(sum(discount) filter (where status = 'completed'), 0) as discount
           from orders group by 1, 2, 3)
         select day, grp, currency, orders, completed, cancelled, orders - completed - cancelled,
           shown(gmv, currency), shown(revenue, currency), shown(discount, currency),
           half_even(100 * cancelled, orders, 2)::numeric(10, 2),
           coalesce(shown(half_even(revenue, completed, case currency when 'VND' then 0 else 2 end),
             currency), 'null')
         from sums order by day, grp collate \"C\", currency collate \"C\";"
    ))
}

fn page_of(server: &Server, path: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = server.call("GET", &format!("{path}{after}"), ADMIN, None);
        assert_eq!(status, 200, "{page}");
        rows.extend(page["results"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { return rows };
        after = format!("&after={next}");
    }
}

fn shown(server: &Server, period: &str, by: &str) -> Vec<String> {
    let path = format!("/v1/orders/daily?site=demo&limit=1000&period={period}&group_by={by}");
    let members = [
        "stat_date",
        by,
        "currency",
        "total_orders",
        "completed_orders",
        "cancelled_orders",
        "pending_orders",
        "gross_merchandise_value",
        "total_revenue",
        "total_discount",
        "cancellation_rate",
        "avg_order_value",
    ];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |row: &Value| members.map(|name| text(&row[name])).join(",");
    page_of(server, &path).iter().map(line).collect()
}

fn check_same(server: &Server, postgres: &Postgres) {
    for period in ["day", "week", "month"] {
        for by in ["platform", "category", "region"] {
            let (ours, theirs) = (shown(server, period, by), in_sql(postgres, period, by));
            assert!(!theirs.is_empty());
            let first = ours.iter().zip(&theirs).find(|(a, b)| a != b);
            assert_eq!((first, ours.len()), (None, theirs.len()), "{period} {by}");
        }
    }
}

fn rebuild(server: &Server, asked: Value) -> Value {
    let (status, started) = server.call("POST", "/v1/orders/rebuild", ADMIN, Some(asked));
    assert_eq!(status, 202, "{started}");
    let path = format!("/v1/jobs/{}", started["job"].as_str().unwrap());
    for _ in 0..600 {
        let (_, job) = server.call("GET", &path, ADMIN, None);
        if job["state"] == "done" {
            return job;
        }
        assert_ne!(job["state"], "failed", "{job}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the job does not end");
}

fn days_rebuilt(server: &Server) -> Vec<BTreeSet<String>> {
    let (_, jobs) = server.call("GET", "/v1/jobs?site=demo", ADMIN, None);
    let days = |job: &Value| {
        let days = job["days"].as_array().unwrap().iter();
        days.map(|day| day.as_str().unwrap().to_owned()).collect()
    };
    jobs["results"].as_array().unwrap().iter().map(days).collect()
}

fn validation(server: &Server) -> Value {
    let (status, answer) = server.call("GET", "/v1/orders/validate?site=demo", ADMIN, None);
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn daily_statistics_equal_those_of_postgresql() {
    let orders = if std::env::var_os("EDGETALLY_SOAK").is_some() { 1_000_000 } else { 20_000 };
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let postgres = Postgres::start();
    postgres.run(SCHEMA);
    let rows = versions(orders);
    let counts = tell(&server, &key, &rows);
    assert_eq!((counts[0], counts[4]), (orders, 0), "{counts:?}");
    assert!(counts[1] > orders / 2 && counts[2] > 0 && counts[3] > orders / 4, "{counts:?}");
    load(&postgres, &rows);
    check_same(&server, &postgres);
    let all = validation(&server);
    assert_eq!((&all["valid"], &all["orders"]), (&json!(true), &json!(orders)), "{all}");
    // Everything is rebuilt once, in batches of parallel days.
    let job = rebuild(&server, json!({"site": "demo", "from": "2026-01-01", "to": "2026-12-31"}));
    assert_eq!((&job["differences"], &job["orders"]), (&json!(0), &json!(orders)), "{job}");
    let is_final = |row: &Value| row["is_final"] == true;
    let path = "/v1/orders/daily?site=demo&limit=1000";
    assert!(page_of(&server, path).iter().all(is_final));

    // Ten orders change: their days, and no others, wait and are rebuilt.
    let before = days_rebuilt(&server).len();
    let changed: Vec<Named> = (0..10).map(|n| (n * 7, 40)).collect();
    assert_eq!(tell(&server, &key, &changed), [0, 10, 0, 0, 0]);
    // At once: days that are over are rebuilt each minute, and PostgreSQL takes its time.
    let open = page_of(&server, path);
    load(&postgres, &changed);
    let days = postgres.lines(
        "select distinct stat_date from orders where updated - ordered
        = 40 * 86400000::bigint order by 1;",
    );
    let open = open.iter().filter(|row| !is_final(row));
    let open: BTreeSet<&str> = open.map(|row| row["stat_date"].as_str().unwrap()).collect();
    assert_eq!(open, days.iter().map(String::as_str).collect());
    rebuild(&server, json!({"site": "demo"}));
    let since = days_rebuilt(&server);
    let since: BTreeSet<String> = since[..since.len() - before].iter().flatten().cloned().collect();
    assert_eq!(since, days.into_iter().collect());
    assert!(page_of(&server, path).iter().all(is_final));
    check_same(&server, &postgres);
    assert_eq!(validation(&server)["valid"], true);

    // After a crash the statistics are worked out from the orders.
    server.kill();
    let server = Server::start(dir.path());
    check_same(&server, &postgres);
    let path = "/v1/export/daily?site=demo&format=csv";
    let (status, csv) = server.call_bytes("GET", path, ADMIN);
    let lines = String::from_utf8(csv).unwrap().lines().count();
    assert_eq!((status, lines), (200, shown(&server, "day", "platform").len() + 1));
}
