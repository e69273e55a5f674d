//! Persons in the running system: a login moves an order to another channel, and says so; ids that
//! are nobody's join nobody.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{Site, now_ms, shared};

/// A login changes everything that is told within this time.
const LOGIN_LIMIT: Duration = Duration::from_secs(2);
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);
const MINUTE: i64 = 60_000;

fn settings() -> Value {
    json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "origins": ["*"]})
}

fn get(dev: &Dev, route: &str) -> Value {
    let authorization = format!("Bearer {}", dev.text("admin_key"));
    let headers = [("authorization", authorization.as_str())];
    let answer = http::send("GET", &dev.aggregator(route), &headers, &[]).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().expect("JSON")
}

/// Sends events as a browser or app does, each with the client's own clock.
fn send(dev: &Dev, site: &Site, events: &[Value]) {
    let batch =
        json!({"site": site.id, "key": site.write_key, "sent_at": now_ms(), "events": events});
    let answer = dev.collect(None, &batch).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json().expect("a body")["accepted"], json!(events.len()));
}

fn event(id: &str, client: &str, name: &str, at_ms: i64) -> Value {
    json!({"id": id, "client_id": client, "name": name, "ts": at_ms,
           "context": {"page_url": "https://shop.vn/"}})
}

fn with(mut event: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().expect("members") {
        event[name] = value.clone();
    }
    event
}

/// Sessions, orders and revenue by channel.
fn by_channel(dev: &Dev, site: &Site) -> BTreeMap<String, (i64, i64, i64)> {
    let rows = site.query(dev, &["sessions", "orders", "revenue"], &["visit:channel"]);
    let row = |row: &super::system::Row| {
        (row.dimension(0), (row.count(0), row.count(1), row.money(2, "VND")))
    };
    rows.iter().map(row).collect()
}

fn channels(expected: &[(&str, (i64, i64, i64))]) -> BTreeMap<String, (i64, i64, i64)> {
    expected.iter().map(|(channel, numbers)| ((*channel).to_owned(), *numbers)).collect()
}

/// When the visits begin, epoch ms: at noon of the local day before.
fn start() -> i64 {
    const DAY: i64 = 86_400_000;
    const ZONE: i64 = 7 * 3_600_000;
    (now_ms() + ZONE).div_euclid(DAY) * DAY - ZONE - DAY / 2
}

fn tagged(source: &str, medium: &str) -> Value {
    let tags = format!("utm_source={source}&utm_medium={medium}&utm_campaign=tet");
    json!({"context": {"page_url": format!("https://shop.vn/?{tags}")}})
}

/// The app is opened; an affiliate's click on the web, and the order; nobody is signed in.
fn buy_on_the_web(dev: &Dev, site: &Site, at: i64) {
    let order = json!({"params": {
        "transaction_id": "T-1", "value": 250_000, "currency": "VND",
    }});
    let app = json!({"platform": "android"});
    send(
        dev,
        site,
        &[
            with(event("a1", "app", "app_open", at - 32 * MINUTE), &app),
            with(event("w1", "web", "page_view", at), &tagged("partner", "affiliate")),
            with(event("w2", "web", "purchase", at + 5 * MINUTE), &order),
        ],
    );
}

/// A message brings somebody to the app two minutes after the click on the web, and he signs in.
fn sign_in_on_the_app(dev: &Dev, site: &Site, at: i64) {
    let (app, user) = (json!({"platform": "android"}), json!({"user_id": "u-7"}));
    let opened = with(event("a2", "app", "app_open", at + 2 * MINUTE), &tagged("push", "app_push"));
    let login = with(event("a3", "app", "login", at + 3 * MINUTE), &user);
    send(dev, site, &[with(opened, &app), with(login, &app)]);
}

/// Waits until the totals by channel are as expected; a failure shows what they are.
fn expect_channels(dev: &Dev, site: &Site, limit: Duration, expected: &[(&str, (i64, i64, i64))]) {
    let expected = channels(expected);
    let reached = within("the totals by channel", limit, || {
        Ok((by_channel(dev, site) == expected).then_some(()))
    });
    assert!(reached.is_ok(), "{:?}, not {expected:?}", by_channel(dev, site));
}

/// Somebody comes to the web shop by a partner's link and buys; a message brings him to the app.
/// Nobody knows that both are one until he signs in on both.
#[test]
fn a_login_moves_an_order_between_channels_and_says_why() {
    const PUSH: &str = "Mobile Push Notifications";
    let dev = shared();
    let site = Site::create(&dev, "people-channels", &settings());
    let at = start();
    buy_on_the_web(&dev, &site, at);
    let before = [("Affiliates", (1, 1, 250_000)), ("Direct", (1, 0, 0))];
    expect_channels(&dev, &site, ARRIVAL_LIMIT, &before);
    let first = get(&dev, &format!("/v1/orders/T-1?site={}", site.id));
    assert_eq!((&first["person"], &first["channel"]), (&json!("c:web"), &json!("Affiliates")));
    sign_in_on_the_app(&dev, &site, at);
    let between = [before[0], before[1], (PUSH, (1, 0, 0))];
    expect_channels(&dev, &site, ARRIVAL_LIMIT, &between);

    // On the web he signs in to the same account: before the order the message was the last that
    // brought him, so the order is the message's.
    let asked = Instant::now();
    let login = with(event("w3", "web", "login", at + 6 * MINUTE), &json!({"user_id": "u-7"}));
    send(&dev, &site, &[login]);
    let after = [("Affiliates", (1, 0, 0)), before[1], (PUSH, (1, 1, 250_000))];
    expect_channels(&dev, &site, LOGIN_LIMIT, &after);
    println!("every total had changed {} ms after the login", asked.elapsed().as_millis());
    check_order(&dev, &site);
    check_person(&dev, &site);
}

fn check_order(dev: &Dev, site: &Site) {
    let order = get(dev, &format!("/v1/orders/T-1?site={}", site.id));
    assert_eq!((&order["person"], &order["session_id"]), (&json!("u:u-7"), &json!("a2")));
    assert_eq!(order["credited"]["event_id"], "a2", "{order}");
    assert_eq!(order["channel"], "Mobile Push Notifications");
    let touches: Vec<&Value> =
        order["touches"].as_array().expect("touches").iter().map(|t| &t["event_id"]).collect();
    assert_eq!(touches, ["w1", "a2"]);
    let sessions = get(dev, &format!("/v1/sessions?site={}&user=u-7&include=events", site.id));
    let rows = sessions["results"].as_array().expect("sessions").iter();
    let told: Vec<Value> = rows.map(|row| json!([row["event_ids"], row["orders"]])).collect();
    assert_eq!(
        told,
        [json!([["a1"], []]), json!([["w1"], []]), json!([["a2", "a3", "w2", "w3"], ["T-1"]]),]
    );
}

/// The log says which login moved what.
fn check_person(dev: &Dev, site: &Site) {
    let person = get(dev, &format!("/v1/people/u:u-7?site={}", site.id));
    let log = person["reassignments"].as_array().expect("a log");
    let last = log.last().expect("a line");
    let because = &last["because"];
    assert_eq!(
        json!([last["from"], last["to"], last["events"], because["kind"], because["event_id"]]),
        json!(["c:web", "u:u-7", 2, "login", "w3"]),
        "{person:#}"
    );
    assert_eq!(person["orders"][0]["transaction_id"], "T-1");
}

/// The same through an administrator's merge, and back.
#[test]
fn a_merge_moves_everything_within_the_running_system() {
    let dev = shared();
    let site = Site::create(&dev, "people-merge", &settings());
    let at = start();
    let click = json!({
        "context": {"page_url": "https://shop.vn/?utm_source=partner&utm_medium=affiliate"},
        "user_id": "ann",
    });
    let order = json!({"user_id": "bea", "params": {
        "transaction_id": "T-1", "value": 90_000, "currency": "VND",
    }});
    send(
        &dev,
        &site,
        &[
            with(event("a1", "one", "page_view", at), &click),
            with(event("b1", "two", "purchase", at + MINUTE), &order),
        ],
    );
    let apart = [("Affiliates", (1, 0, 0)), ("Direct", (1, 1, 90_000))];
    expect_channels(&dev, &site, ARRIVAL_LIMIT, &apart);
    let merge = json!({"site_id": site.id, "from": "u:ann", "into": "u:bea"});
    let url = dev.aggregator("/v1/people/merge");
    let answer = http::post_json(&url, Some(dev.text("admin_key")), &merge).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let joined = channels(&[("Affiliates", (1, 1, 90_000))]);
    assert_eq!(by_channel(&dev, &site), joined, "at once");
    assert_eq!(site.totals(&dev, &["visitors"]), json!([1]));
    let undo = dev.aggregator("/v1/people/merge/undo");
    let answer = http::post_json(&undo, Some(dev.text("admin_key")), &merge).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(by_channel(&dev, &site), channels(&apart));
}

/// Pages say such things when nobody is signed in. Whoever has one of them is nobody, so the
/// browsers that send it stay as many persons as they are browsers.
#[test]
fn ids_that_are_nobodys_join_nobody() {
    let dev = shared();
    let site = Site::create(&dev, "people-nobody", &settings());
    let at = start();
    let junk = [
        "undefined",
        "guest",
        "0",
        "null",
        "anonymous",
        "",
        "none",
        "nan",
        "-1",
        "0000-0000",
        "[object Object]",
        "\"undefined\"",
        " Guest ",
        "NULL",
    ];
    let mut clients = 0;
    for (n, id) in junk.iter().enumerate() {
        let events: Vec<Value> = (0..2)
            .flat_map(|side| {
                let client = format!("c{n}-{side}");
                let user = json!({"user_id": id});
                let named = json!({"params": {"user_id": id}});
                let event = |kind: &str, name: &str, minute: i64| {
                    event(&format!("{kind}{n}-{side}"), &client, name, at + minute * MINUTE)
                };
                vec![
                    event("v", "page_view", 0),
                    with(event("l", "login", 1), &user),
                    with(event("i", "identify", 2), &named),
                    with(event("p", "page_view", 3), &user),
                ]
            })
            .collect();
        clients += 2;
        send(&dev, &site, &events);
    }
    let expected = json!([clients, clients, clients * 4]);
    within("all of them", ARRIVAL_LIMIT, || {
        let totals = site.totals(&dev, &["visitors", "sessions", "events"]);
        Ok((totals == expected).then_some(()))
    })
    .expect("as many persons as browsers");
    let sessions = get(&dev, &format!("/v1/sessions?site={}", site.id));
    for row in sessions["results"].as_array().expect("sessions") {
        let person = row["person"].as_str().expect("a person");
        assert!(person.starts_with("c:"), "{row}");
        assert_eq!(row["clients"].as_array().map(Vec::len), Some(1), "{row}");
    }
    thread::sleep(Duration::from_millis(500));
    assert_eq!(site.totals(&dev, &["visitors"]), json!([clients]));
}
