//! `/api/stats`, `/api/stats/cities` and `/v1/stock`.

use edgetally_proto::batch::Batch;
use edgetally_proto::frame;
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::Fact;
use serde_json::{Value, json};

use crate::support::events::{Event, batch, share};
use crate::support::server::{ADMIN, Server};
use crate::support::snapshot::START;

fn server() -> (tempfile::TempDir, Server, String) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let key = json!({"site": "demo", "kind": "read"});
    let (_, key) = server.call("POST", "/v1/keys", ADMIN, Some(key));
    let key = key["key"].as_str().unwrap().to_owned();
    (dir, server, key)
}

/// Orders by city and value; cities without a name are none.
fn orders(orders: &[(&str, i64, &str)]) -> Batch {
    let event = |(at, (_, value, _)): (usize, &(&str, i64, &str))| {
        let (id, client) = (format!("o{at}"), format!("c{at}"));
        Event::new(&id, &client, "purchase", START).order(&format!("T{at}"), *value)
    };
    let events: Vec<Event> = orders.iter().enumerate().map(event).collect();
    let mut share = share(&events);
    for (fact, (city, minor, currency)) in share.facts.iter_mut().zip(orders) {
        fact.shipping_city = (!city.is_empty()).then(|| (*city).to_owned());
        fact.value = Some(Money { minor: *minor, currency: Currency::parse(currency).unwrap() });
    }
    Batch { committed_at_ms: START, sites: vec![share] }
}

#[test]
fn the_few_numbers_of_the_course_are_plain_ones() {
    let (_dir, server, key) = server();
    let get = |path: &str, key: &str| server.call("GET", path, key, None);
    let nothing = json!({"totalRevenue": 0, "totalOrders": 0, "avgOrderValue": 0});
    assert_eq!(get("/api/stats", &key), (200, nothing));
    assert_eq!(get("/api/stats/cities", &key), (200, json!([])));
    let all =
        [("Hà Nội", 300, "VND"), ("Huế", 450, "VND"), ("Hà Nội", 200, "VND"), ("", 75, "VND")];
    assert_eq!(server.frames(1, &[frame::encode(&orders(&all))]).0, 200);
    // 1,025 over four is 256.25.
    let totals = json!({"totalRevenue": 1025, "totalOrders": 4, "avgOrderValue": 256});
    assert_eq!(get("/api/stats", &key), (200, totals.clone()));
    let cities = json!([
        {"city": "Hà Nội", "revenue": 500},
        {"city": "Huế", "revenue": 450},
        {"city": "(none)", "revenue": 75},
    ]);
    assert_eq!(get("/api/stats/cities", &key), (200, cities));
    assert_eq!(get("/api/stats?site=demo", ADMIN), (200, totals));
    assert_eq!(get("/api/stats", ADMIN).0, 400);
    assert_eq!(get("/api/stats?site=other", &key).0, 403);
    assert_eq!(get("/api/stats/cities", "").0, 401);
}

/// Another currency is not added, unless there is a rate for it.
#[test]
fn other_currencies_count_by_the_rates_only() {
    let (_dir, server, key) = server();
    let all = [("Huế", 300, "VND"), ("Huế", 1_000, "USD")];
    assert_eq!(server.frames(1, &[frame::encode(&orders(&all))]).0, 200);
    let get = || server.call("GET", "/api/stats", &key, None).1;
    assert_eq!(get(), json!({"totalRevenue": 300, "totalOrders": 2, "avgOrderValue": 300}));
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND",
        "rates": {"USD": {"VND": "25", "date": "2026-03-01"}}});
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    assert_eq!(get(), json!({"totalRevenue": 550, "totalOrders": 2, "avgOrderValue": 275}));
}

fn stocked(id: &str, client: &str, second: i64, item: &str, stock: u64) -> (Event, Fact) {
    let event = Event::new(id, client, "stock_update", START + second * 1_000);
    let fact = Fact { item_id: Some(item.to_owned()), stock: Some(stock), ..Fact::default() };
    (event, fact)
}

fn frame_of(updates: Vec<(Event, Fact)>) -> Vec<u8> {
    let (events, facts): (Vec<Event>, Vec<Fact>) = updates.into_iter().unzip();
    let mut share = share(&events);
    share.facts = (0..).zip(facts).map(|(record, fact)| Fact { record, ..fact }).collect();
    frame::encode(&Batch { committed_at_ms: START, sites: vec![share] })
}

#[test]
fn stock_is_what_the_newest_event_says() {
    let (dir, server, key) = server();
    let updates = vec![
        stocked("e1", "srv", 10, "sku-1", 5),
        stocked("e2", "srv", 20, "sku-2", 0),
        // Told later, but of an earlier time.
        stocked("e3", "srv", 5, "sku-1", 9),
        // Of two at one time the greater id is the newer.
        stocked("e5", "srv", 30, "sku-3", 7),
        stocked("e4", "srv", 30, "sku-3", 6),
    ];
    assert_eq!(server.frames(1, &[frame_of(updates)]).0, 200);
    let get = |server: &Server, query: &str| {
        let (status, answer) =
            server.call("GET", &format!("/v1/stock?site=demo{query}"), &key, None);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let stock = |answer: &Value| -> Vec<String> {
        let rows = answer["results"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["item_id"].as_str().unwrap(), row["stock"])).collect()
    };
    let all = get(&server, "");
    assert_eq!(stock(&all), ["sku-1 5", "sku-2 0", "sku-3 7"]);
    let first = json!({"item_id": "sku-1", "item_name": null, "stock": 5,
        "updated_at": "2026-03-02T10:00:10.000+07:00"});
    assert_eq!((&all["results"][0], &all["next"]), (&first, &Value::Null));
    let page = get(&server, "&limit=2");
    assert_eq!((stock(&page).len(), &page["next"]), (2, &json!("sku-2")));
    assert_eq!(stock(&get(&server, "&limit=2&after=sku-2")), ["sku-3 7"]);
    assert_eq!(stock(&get(&server, "&item_id=sku-2")), ["sku-2 0"]);
    // An earlier copy of the newest event says something else; it stands.
    let (event, fact) = stocked("e1", "srv", 2, "sku-1", 4);
    let earlier = Event { received_ms: START, ..event };
    assert_eq!(server.frames(2, &[frame_of(vec![(earlier, fact)])]).0, 200);
    assert_eq!(stock(&get(&server, "&item_id=sku-1")), ["sku-1 9"]);
    server.kill();
    let server = Server::start(dir.path());
    assert_eq!(stock(&get(&server, "")), ["sku-1 9", "sku-2 0", "sku-3 7"]);
    assert_eq!(server.call("GET", "/v1/stock?site=demo&limit=0", &key, None).0, 400);
}

/// Nothing but a purchase makes money.
#[test]
fn stock_makes_no_orders() {
    let (_dir, server, key) = server();
    let frames =
        [frame_of(vec![stocked("e1", "srv", 1, "sku-1", 5)]), frame::encode(&batch(&[], START))];
    assert_eq!(server.frames(1, &frames).0, 200);
    assert_eq!(server.call("GET", "/api/stats", &key, None).1["totalOrders"], 0);
}
