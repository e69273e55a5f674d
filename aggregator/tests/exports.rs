//! Exports: every format says what the list routes and queries say, row for row.

use std::collections::BTreeMap;

use aggregator::export::cells;
use aggregator::export::columns::{self, Column, Kind};
use edgetally_proto::batch::Batch;
use edgetally_proto::error::RejectCode;
use edgetally_proto::frame;
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::Letter;
use edgetally_proto::rollup::RejectKey;
use edgetally_proto::time::second_of;
use serde_json::{Map, Value, json};

use crate::support::events::{Event, share};
use crate::support::python;
use crate::support::server::{ADMIN, Server};

const START: i64 = 1_772_420_400_000;
/// More than two pages of sessions.
const CLIENTS: usize = 2_300;

/// Sessions of many clients, orders in three currencies, refunds, and rejected events, with texts
/// that a spreadsheet would take for formulas.
fn fill(server: &Server) {
    // The day is of long ago: its minutes are asked for all the same.
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND",
        "retention": {"minutes": "unlimited"}});
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    let mut events = Vec::new();
    for n in 0..CLIENTS {
        let client = if n % 10 == 0 { format!("=SUM(A{n})") } else { format!("c{n}") };
        let at = START + n as i64 * 1_700;
        let mut event = Event::new(&format!("v{n}"), &client, "page_view", at);
        event.campaign = (n % 3 == 0).then(|| ["-news".into(), "email".into(), "\"a\",b".into()]);
        event.referrer = (n % 5 == 1).then(|| "blog.example".to_owned());
        events.push(event);
        if n % 20 == 0 {
            let order = Event::new(&format!("p{n}"), &client, "purchase", at + 500);
            events.push(order.order(&format!("@T{n}"), 1_000 + n as i64));
            let mut refund = Event::new(&format!("r{n}"), &client, "refund", at + 900);
            refund.refund_id = Some(format!("R{n}"));
            events.push(refund.order(&format!("@T{n}"), 7));
        }
    }
    let mut share = share(&events);
    for (n, fact) in share.facts.iter_mut().enumerate() {
        let currency = ["VND", "USD", "KWD"][n / 2 % 3];
        let currency = Currency::parse(currency).unwrap();
        fact.value = fact.value.map(|value| Money { currency, ..value });
        fact.shipping_city = fact.shipping_city.take().map(|_| "+Huế\r\nline".to_owned());
    }
    let (field, message) = ("params.value".to_owned(), "=1+1".to_owned());
    let texts = [r#"{"id":"a","params":{"value":1.50}}"#, "=no {json"];
    for (n, event) in (0..1_100).zip(texts.iter().cycle()) {
        let received_at_ms = START + n * 3_600;
        let key = RejectKey { second: second_of(received_at_ms), code: RejectCode::ValueInvalid };
        *share.rejects.entry(key).or_default() += 2;
        let (field, message, event) = (field.clone(), message.clone(), (*event).to_owned());
        let code = RejectCode::ValueInvalid;
        share.letters.push(Letter { received_at_ms, code, field, message, event });
    }
    let batch = Batch { committed_at_ms: START, sites: vec![share] };
    assert_eq!(server.frames(1, &[frame::encode(&batch)]).0, 200);
}

/// All rows of a list route, page by page.
fn listed(server: &Server, what: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/{what}?site=demo&limit=1000{after}");
        let (status, page) = server.call("GET", &path, ADMIN, None);
        assert_eq!(status, 200, "{page}");
        rows.extend(page["results"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}

fn export(server: &Server, what: &str, query: &str) -> Vec<u8> {
    let path = format!("/v1/export/{what}?site=demo&{query}");
    let (status, bytes) = server.call_bytes("GET", &path, ADMIN);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    bytes
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An amount without needless zeros.
fn amount(value: &Value) -> Value {
    let Some(text) = value.as_str() else { return Value::Null };
    let text = if text.contains('.') { text.trim_end_matches('0') } else { text };
    text.trim_end_matches('.').into()
}

/// What another reader finds in a Parquet file where a row says this.
fn in_parquet(columns: &[Column], row: &Value) -> Value {
    let mut found = Map::new();
    for Column { name, kind } in columns {
        let value = &row[*name];
        let cell = match kind {
            Kind::Time => value.as_str().map_or(Value::Null, |text| {
                text.parse::<jiff::Timestamp>().unwrap().as_millisecond().into()
            }),
            Kind::Json if !value.is_null() => value.to_string().into(),
            Kind::Money => {
                found.insert(format!("{name}_currency"), value["currency"].clone());
                amount(&value["amount"])
            }
            Kind::Moneys => value.as_array().unwrap().iter().map(|money| {
                json!({"currency": money["currency"], "amount": amount(&money["amount"])})
            }).collect(),
            _ => value.clone(),
        };
        found.insert((*name).to_owned(), cell);
    }
    Value::Object(found)
}

/// What stands in the cells of a CSV file where a row says this.
fn in_csv(columns: &[Column], row: &Value) -> Vec<String> {
    let plain = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let guarded = |text: String| match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\'') => format!("'{text}"),
        _ => text,
    };
    let cells = |Column { name, kind }: &Column| match (kind, &row[*name]) {
        (Kind::Money, money) => vec![plain(&money["currency"]), plain(&money["amount"])],
        (Kind::Json, Value::String(text)) => vec![json!(text).to_string()],
        (Kind::Text, value) => vec![guarded(plain(value))],
        (_, value) => vec![plain(value)],
    };
    columns.iter().flat_map(cells).collect()
}

fn check(server: &Server, what: &str, query: &str, columns: &[Column], expected: &[Value]) {
    assert!(!expected.is_empty());
    let rows = lines(&export(server, what, &format!("format=ndjson{query}")));
    assert!(rows == expected, "{what}: {} and {} rows differ", rows.len(), expected.len());

    let csv = export(server, what, &format!("format=csv{query}"));
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), cells::names(columns));
    let found: Vec<Vec<String>> = reader.deserialize().map(|row| row.unwrap()).collect();
    let wanted: Vec<Vec<String>> = expected.iter().map(|row| in_csv(columns, row)).collect();
    assert!(found == wanted, "{what}: {:?} is not {:?}", found.first(), wanted.first());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.parquet");
    std::fs::write(&path, export(server, what, &format!("format=parquet{query}"))).unwrap();
    let found = python::parquet(&path);
    let wanted: Vec<Value> = expected.iter().map(|row| in_parquet(columns, row)).collect();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted, "{what}");
    }
}

/// The rows of a query by time, with its numbers under their names.
fn queried(server: &Server, interval: &str, columns: &[Column]) -> Vec<Value> {
    let metrics: Vec<&str> = columns.iter().skip(1).map(|column| column.name).collect();
    let query = json!({"site_id": "demo", "metrics": metrics,
        "dimensions": [format!("time:{interval}")], "date_range": ["2026-03-02", "2026-03-03"]});
    let (status, answer) = server.call("POST", "/v1/query", ADMIN, Some(query));
    assert_eq!(status, 200, "{answer}");
    let row = |row: &Value| {
        let metrics = row["metrics"].as_array().unwrap().iter();
        let values = row["dimensions"].as_array().unwrap().iter().chain(metrics);
        let members = columns.iter().map(|column| column.name.to_owned()).zip(values.cloned());
        Value::Object(members.collect())
    };
    answer["results"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn every_format_says_what_the_lists_say() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    fill(&server);
    let sessions = listed(&server, "sessions");
    assert_eq!(sessions.len(), CLIENTS);
    check(&server, "sessions", "", columns::SESSIONS, &sessions);
    let orders = listed(&server, "orders");
    let currencies: BTreeMap<&str, usize> =
        orders.iter().fold(BTreeMap::new(), |mut seen, order| {
            *seen.entry(order["value"]["currency"].as_str().unwrap()).or_default() += 1;
            seen
        });
    assert!(currencies.len() == 3 && orders.len() == CLIENTS / 20, "{currencies:?}");
    check(&server, "orders", "", columns::ORDERS, &orders);
    check(&server, "rejects", "", columns::REJECTS, &listed(&server, "rejects"));
    let range = "&from=2026-03-02&to=2026-03-03";
    for interval in ["minute", "hour"] {
        let rows = queried(&server, interval, columns::INSTANTS);
        let query = format!("{range}&interval={interval}");
        check(&server, "timeseries", &query, columns::INSTANTS, &rows);
    }
    let days = queried(&server, "day", columns::DATES);
    check(&server, "timeseries", &format!("{range}&interval=day"), columns::DATES, &days);
}

#[test]
fn a_range_and_a_site_are_kept_to() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    fill(&server);
    // The demo site's third of March begins 14 hours after the first event.
    let rows = lines(&export(&server, "sessions", "format=ndjson&from=2026-03-03"));
    let all = listed(&server, "sessions");
    let later: Vec<&Value> =
        all.iter().filter(|row| row["start"].as_str() >= Some("2026-03-03")).collect();
    assert_eq!(rows.iter().collect::<Vec<_>>(), later);
    let empty = "from=2020-01-01&to=2020-01-02";
    for what in ["sessions", "orders", "rejects"] {
        assert!(export(&server, what, &format!("format=ndjson&{empty}")).is_empty());
        let csv = String::from_utf8(export(&server, what, &format!("format=csv&{empty}"))).unwrap();
        assert_eq!(csv.lines().count(), 1, "only the names: {csv}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none.parquet");
        std::fs::write(&path, export(&server, what, &format!("format=parquet&{empty}"))).unwrap();
        assert!(python::parquet(&path).is_empty());
    }
    for (path, key, status, said) in [
        ("/v1/export/sessions?site=demo", "", 401, "key_invalid"),
        ("/v1/export/sessions", ADMIN, 400, "site"),
        ("/v1/export/sessions?site=nowhere", ADMIN, 404, "unknown_site"),
        ("/v1/export/sessions?site=demo&format=xls", ADMIN, 400, "format"),
        ("/v1/export/sessions?site=demo&from=x", ADMIN, 400, "from"),
        ("/v1/export/sessions?site=demo&interval=day", ADMIN, 400, "interval"),
        ("/v1/export/timeseries?site=demo&interval=year", ADMIN, 400, "interval"),
        (
            "/v1/export/timeseries?site=demo&from=2026-03-02T00:00:00.5Z",
            ADMIN,
            422,
            "range_too_fine",
        ),
        ("/v1/export/people?site=demo", ADMIN, 404, "not_found"),
    ] {
        let (found, answer) = server.call("GET", path, key, None);
        assert_eq!(found, status, "{path}: {answer}");
        assert!(answer.to_string().contains(said), "{path}: {answer}");
    }
}

/// The program fetches a whole file, and leaves none where it could not.
#[test]
fn the_command_writes_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    fill(&server);
    let file = dir.path().join("sessions.ndjson");
    let run = |key: &str, what: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_edgetally"));
        command.args(["export", what, "--site", "demo", "--format", "ndjson"]);
        command.args(["--url", &server.base]).arg("--out").arg(&file).env("EDGETALLY_KEY", key);
        command.output().unwrap()
    };
    let refused = run("wrong", "sessions");
    assert_eq!((refused.status.code(), file.exists()), (Some(1), false));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"));
    assert_eq!(run(ADMIN, "everything").status.code(), Some(2));
    let output = run(ADMIN, "sessions");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines(&std::fs::read(&file).unwrap()), listed(&server, "sessions"));
}
