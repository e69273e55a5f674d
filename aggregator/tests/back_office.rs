//! Orders as the back office tells them: one ledger with the orders of events.

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, Server};
use crate::support::snapshot::{START, at};

pub fn shop(dir: &std::path::Path) -> (Server, String) {
    let server = Server::start(dir);
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND"});
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    let key = json!({"site": "demo", "kind": "server"});
    let (_, key) = server.call("POST", "/v1/keys", ADMIN, Some(key));
    let key = key["key"].as_str().unwrap().to_owned();
    (server, key)
}

fn row(code: &str, platform: &str, status: &str, updated: i64) -> Value {
    json!({
        "order_code": code, "platform": platform, "status": status, "total_amount": "1000",
        "discount_amount": 100, "final_amount": "900", "order_date": START,
        "updated_at": updated, "region": "HN", "category": "shoes",
    })
}

/// What became of each row, and the row's field where it was refused.
fn tell(server: &Server, key: &str, rows: &[Value]) -> Vec<String> {
    let (status, answer) = server.call("POST", "/v1/orders", key, Some(json!(rows)));
    assert_eq!(status, 200, "{answer}");
    let word = |row: &Value| match row["field"].as_str() {
        Some(field) => format!("{} {field}", row["code"].as_str().unwrap()),
        None => row["status"].as_str().unwrap().to_owned(),
    };
    let words: Vec<String> = answer["results"].as_array().unwrap().iter().map(word).collect();
    let count = |name: &str| answer[name].as_u64().unwrap();
    let counts = ["created", "updated", "unchanged", "stale", "rejected"].map(count);
    assert_eq!(counts.iter().sum::<u64>(), words.len() as u64);
    words
}

fn metrics(server: &Server, names: &[&str]) -> Value {
    let ask = json!({"site_id": "demo", "metrics": names, "date_range": "all"});
    let (status, answer) = server.call("POST", "/v1/query", ADMIN, Some(ask));
    assert_eq!(status, 200, "{answer}");
    answer["results"][0]["metrics"].clone()
}

fn vnd(amount: &str) -> Value {
    json!([{"currency": "VND", "amount": amount}])
}

const MONEY: [&str; 5] = ["orders", "revenue", "refunds", "gmv", "nmv"];

#[test]
fn the_newest_version_stands_whatever_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let first = [row("A", "shopee", "pending", START), row("A", "tiktok", "completed", START)];
    assert_eq!(tell(&server, &key, &first), ["created", "created"]);
    assert_eq!(tell(&server, &key, &first), ["unchanged", "unchanged"]);
    assert_eq!(metrics(&server, &["orders", "orders_pending"]), json!([1, 1]));
    let later = [
        row("A", "shopee", "completed", START + 5),
        row("A", "shopee", "shipped", START + 3),
        row("A", "shopee", "completed", START + 5),
    ];
    assert_eq!(tell(&server, &key, &later), ["updated", "stale", "unchanged"]);
    let check = |server: &Server| {
        let expected = json!([2, vnd("1800"), vnd("0"), vnd("2000"), vnd("1800")]);
        assert_eq!(metrics(server, &MONEY), expected);
        // What a back office tells is no event, and nobody's visit.
        assert_eq!(metrics(server, &["events", "visitors", "sessions"]), json!([0, 0, 0]));
        let (_, order) = server.call("GET", "/v1/orders/A?site=demo&platform=shopee", ADMIN, None);
        assert_eq!(order["status"], "completed", "{order}");
        assert_eq!(order["back_office"]["region"], "HN");
    };
    check(&server);
    server.kill();
    let server = Server::start(dir.path());
    check(&server);
    assert_eq!(tell(&server, &key, &later), ["unchanged", "stale", "unchanged"]);
    // From a checkpoint as well.
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    check(&server);
    assert_eq!(tell(&server, &key, &later), ["unchanged", "stale", "unchanged"]);
    let cancelled = [row("A", "shopee", "cancelled", START + 9)];
    assert_eq!(tell(&server, &key, &cancelled), ["updated"]);
    let expected = json!([2, vnd("1800"), vnd("900"), vnd("2000"), vnd("900")]);
    assert_eq!(metrics(&server, &MONEY), expected);
}

#[test]
fn rows_are_refused_with_their_field_and_the_others_go_in() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let wrong = |member: &str, value: Value| {
        let mut row = row("B", "shopee", "completed", START);
        row[member] = value;
        row
    };
    let rows = [
        row("C", "shopee", "in_the_post", START),
        wrong("order_code", json!(" ")),
        wrong("status", Value::Null),
        wrong("currency", json!("XXQ")),
        wrong("final_amount", json!("abc")),
        wrong("total_amount", json!(-1)),
        wrong("order_date", json!("2026-03-02")),
        wrong("order_date", Value::Null),
        wrong("items", json!([{"item_id": "x"}, {"price": 5}])),
        wrong("items", json!([{"item_id": "x", "quantity": 0}])),
        wrong("items", json!("x")),
        wrong("client_id", json!("x".repeat(200))),
        json!("no row"),
    ];
    let expected = [
        "created",
        "missing_field order_code",
        "missing_field status",
        "currency_unknown currency",
        "value_invalid final_amount",
        "value_out_of_bounds total_amount",
        "timestamp_invalid order_date",
        "missing_field order_date",
        "missing_field items[1].item_id",
        "value_out_of_bounds items[0].quantity",
        "value_invalid items",
        "client_id_invalid client_id",
        "value_invalid ",
    ];
    assert_eq!(tell(&server, &key, &rows), expected);
    let (_, order) = server.call("GET", "/v1/orders/C?site=demo&platform=shopee", ADMIN, None);
    assert_eq!((&order["status"], &order["booked"]), (&json!("unknown"), &json!(false)));
    assert_eq!(order["back_office"]["status_written"], "in_the_post");
    let many: Vec<Value> = vec![rows[0].clone(); 1_001];
    assert_eq!(server.call("POST", "/v1/orders", &key, Some(json!(many))).0, 400);
    let object = json!({"site": "demo", "orders": [rows[0]]});
    assert_eq!(server.call("POST", "/v1/orders", ADMIN, Some(object)).0, 200);
}

#[test]
fn copies_of_browser_server_and_back_office_are_one_order() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let tags = Some(["google", "cpc", "sale"].map(str::to_owned));
    let view = Event { campaign: tags, ..Event::new("a", "c", "page_view", START) };
    let bought = Event::new("b", "c", "purchase", START + 60_000).order("T", 500);
    let server_copy = Event::new("s", "c", "purchase", START + 61_000).order("T", 500);
    let server_copy = Event { platform: edgetally_proto::event::Platform::Server, ..server_copy };
    // The back office speaks before anybody else.
    assert_eq!(tell(&server, &key, &[row("T", "web", "completed", START)]), ["created"]);
    let frame = frame::encode(&batch(&[view, bought, server_copy], START + 90_000));
    assert_eq!(server.frames(1, &[frame]).0, 200);
    let expected = json!([1, vnd("900"), vnd("0"), vnd("1000"), vnd("900")]);
    assert_eq!(metrics(&server, &MONEY), expected);
    let (_, order) = server.call("GET", "/v1/orders/T?site=demo", ADMIN, None);
    assert_eq!((&order["copies"], &order["person"]), (&json!(3), &json!("c:c")));
    assert_eq!(order["credited"]["campaign"]["source"], "google", "{order}");
    // The time of the order is that of the browser.
    assert_eq!(order["created_at"], "2026-03-02T10:01:00.000+07:00");
    assert_eq!(tell(&server, &key, &[row("T", "web", "cancelled", START + 5)]), ["updated"]);
    let expected = json!([1, vnd("900"), vnd("900"), vnd("1000"), vnd("0")]);
    assert_eq!(metrics(&server, &MONEY), expected);
    // Of an order of which only events tell the version is an update as well.
    let other = Event::new("o", "d", "purchase", START).order("U", 70);
    assert_eq!(server.frames(2, &[frame::encode(&batch(&[other], START))]).0, 200);
    assert_eq!(tell(&server, &key, &[row("U", "web", "shipped", START)]), ["updated"]);
}

#[test]
fn an_order_is_credited_by_its_client_and_stays_as_money_when_its_person_is_erased() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let tags = Some(["facebook", "cpc", "sale"].map(str::to_owned));
    let view = Event { campaign: tags, ..Event::new("a", "c", "page_view", START - 60_000) };
    let frame = frame::encode(&batch(&[view.user("ann")], START));
    assert_eq!(server.frames(1, &[frame]).0, 200);
    let mut told = row("T", "shopee", "completed", START);
    (told["client_id"], told["shipping_city"]) = (json!("c"), json!("Huế"));
    let mut other = row("U", "shopee", "completed", START);
    other["customer_id"] = json!("ann");
    assert_eq!(tell(&server, &key, &[told.clone(), other]), ["created", "created"]);
    for code in ["T", "U"] {
        let path = format!("/v1/orders/{code}?site=demo&platform=shopee");
        let (_, order) = server.call("GET", &path, ADMIN, None);
        assert_eq!(order["person"], "u:ann", "{order}");
        assert_eq!(order["credited"]["campaign"]["source"], "facebook", "{order}");
    }
    let (status, report) = server.call("DELETE", "/v1/people/u%3Aann?site=demo", ADMIN, None);
    assert_eq!((status, &report["orders_kept"]), (200, &json!(2)), "{report}");
    let check = |server: &Server| {
        let expected = json!([2, vnd("1800"), vnd("0"), vnd("2000"), vnd("1800")]);
        assert_eq!(metrics(server, &MONEY), expected);
        let (_, order) = server.call("GET", "/v1/orders/T?site=demo&platform=shopee", ADMIN, None);
        assert_eq!(order["person"], Value::Null);
        assert_eq!(order["shipping_city"], Value::Null);
        assert_eq!(order["back_office"]["status"], "completed");
    };
    check(&server);
    // The back office still names him: the money changes, the person stays nobody.
    told["updated_at"] = json!(START + 7);
    assert_eq!(tell(&server, &key, &[told]), ["updated"]);
    check(&server);
    server.kill();
    check(&Server::start(dir.path()));
}

/// What is cancelled before anybody paid never counts; once paid an order counts whatever becomes
/// of it, and whichever version is heard of first.
#[test]
fn a_cancelled_order_counts_if_it_was_paid() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let cancelled = |code: &str| row(code, "shopee", "cancelled", START + 9);
    let mut paid = cancelled("P");
    paid["paid_at"] = json!(START + 1);
    let first = [cancelled("A"), row("B", "shopee", "unpaid", START), cancelled("B"), paid];
    assert_eq!(tell(&server, &key, &first), ["created", "created", "updated", "created"]);
    let booked = ["orders", "orders_pending", "revenue", "refunds"];
    assert_eq!(metrics(&server, &booked), json!([1, 2, vnd("900"), vnd("900")]));
    let late = [row("A", "shopee", "shipped", START + 3), cancelled("A")];
    assert_eq!(tell(&server, &key, &late), ["stale", "unchanged"]);
    let gone = [row("P", "shopee", "who_knows", START + 20)];
    assert_eq!(tell(&server, &key, &gone), ["updated"]);
    let expected = json!([2, 1, vnd("1800"), vnd("900")]);
    assert_eq!(metrics(&server, &booked), expected);
    server.kill();
    assert_eq!(metrics(&Server::start(dir.path()), &booked), expected);
}

#[test]
fn the_same_orders_in_any_order_end_the_same() {
    let versions: Vec<Value> = (0..40)
        .map(|n| {
            let states = ["pending", "shipped", "completed", "cancelled"];
            let mut row = row(&format!("O{}", n % 8), "shopee", states[n % 3 + n / 20], 0);
            row["updated_at"] = json!(at("2026-03-02T00:00:00Z") + (n as i64 * 37) % 41);
            row["final_amount"] = json!(100 + n);
            row
        })
        .collect();
    let mut answers = Vec::new();
    for turn in [0, 13, 29] {
        let dir = tempfile::tempdir().unwrap();
        let (server, key) = shop(dir.path());
        let mut turned = versions.clone();
        turned.rotate_left(turn);
        for part in turned.chunks(7) {
            tell(&server, &key, part);
        }
        let (_, orders) = server.call("GET", "/v1/orders?site=demo", ADMIN, None);
        let mut rows = orders["results"].as_array().unwrap().clone();
        rows.sort_by_key(|row| row["transaction_id"].as_str().unwrap().to_owned());
        answers.push((metrics(&server, &MONEY), rows));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[0].1.len(), 8);
}
