//! Costs of campaigns, what came of them, and sums in the site's currency.

use edgetally_proto::frame;
use edgetally_proto::money::{Currency, Money};
use serde_json::{Value, json};

use crate::support::events::{Event, batch, share};
use crate::support::server::{ADMIN, Server};
use crate::support::snapshot::{START, Snapshot};

/// Orders of 2,000 and 1,000 by way of google and 500 of nobody, on the second of March.
fn shop() -> Vec<Event> {
    let tags = |source: &str| Some([source, "cpc", "sale"].map(str::to_owned));
    let order = |id: &str, tags, transaction: &str, value: i64| {
        let event = Event::new(id, &format!("c-{id}"), "purchase", START).order(transaction, value);
        Event { campaign: tags, ..event }
    };
    vec![
        order("a", tags("google"), "T1", 2_000),
        order("b", tags("google"), "T2", 1_000),
        order("c", None, "T3", 500),
    ]
}

fn server(settings: Value) -> (tempfile::TempDir, Server, String) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    let key = json!({"site": "demo", "kind": "server"});
    let (_, key) = server.call("POST", "/v1/keys", ADMIN, Some(key));
    let key = key["key"].as_str().unwrap().to_owned();
    (dir, server, key)
}

fn vietnam() -> Value {
    json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND"})
}

fn told() -> Value {
    json!([
        {"date": "2026-03-02", "source": " Google", "medium": "CPC", "campaign": "Sale",
         "cost": 600},
        {"date": "2026-03-02", "source": "google", "medium": "cpc", "campaign": "other",
         "cost": "150"},
        {"date": "2026-03-03", "source": "facebook", "medium": "cpc", "campaign": "sale",
         "cost": 40,
         "currency": "VND"},
        {"date": "2026-03-03", "source": "newsletter", "medium": "email", "cost": 0},
    ])
}

fn ask(server: &Server, asked: Value) -> (u16, Value) {
    let mut body = json!({"site_id": "demo", "date_range": ["2026-03-02", "2026-03-03"]});
    for (name, value) in asked.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.call("POST", "/v1/query", ADMIN, Some(body))
}

/// Dimensions and metrics of each row, money by its amounts.
fn rows(server: &Server, asked: Value) -> Vec<String> {
    let (status, answer) = ask(server, asked);
    assert_eq!(status, 200, "{answer}");
    let text = |value: &Value| match value.as_array() {
        Some(money) => {
            let one = |money: &Value| {
                format!(
                    "{} {}",
                    money["amount"].as_str().unwrap(),
                    money["currency"].as_str().unwrap()
                )
            };
            money.iter().map(one).collect::<Vec<_>>().join(" + ")
        }
        None => value.to_string(),
    };
    let row = |row: &Value| {
        let dimensions = row["dimensions"].as_array().unwrap().iter();
        let dimensions = dimensions.map(|value| value.as_str().unwrap().to_owned());
        let metrics = row["metrics"].as_array().unwrap().iter().map(text);
        dimensions.chain(metrics).collect::<Vec<_>>().join(" | ")
    };
    answer["results"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn costs_are_told_by_day_and_campaign() {
    let (dir, server, key) = server(vietnam());
    assert_eq!(server.frames(1, &[frame::encode(&batch(&shop(), START))]).0, 200);
    let (status, answer) = server.call("POST", "/v1/costs", &key, Some(told()));
    let expected = json!({"created": 4, "updated": 0, "unchanged": 0, "warnings": []});
    assert_eq!((status, answer), (200, expected));
    let check = |server: &Server| {
        let metrics = json!(["cost", "roas", "revenue"]);
        assert_eq!(rows(server, json!({"metrics": metrics})), ["790 VND | 4.43 | 3500 VND"]);
        assert_eq!(
            rows(server, json!({"metrics": metrics, "dimensions": ["time:day"]})),
            ["2026-03-02 | 750 VND | 4.67 | 3500 VND", "2026-03-03 | 40 VND | 0.00 | 0 VND"]
        );
        assert_eq!(
            rows(server, json!({"metrics": metrics, "dimensions": ["visit:source"]})),
            [
                "google | 750 VND | 4.00 | 3000 VND",
                "facebook | 40 VND | 0.00 | 0 VND",
                "(none) | 0 VND | null | 500 VND",
                "newsletter | 0 VND | null | 0 VND",
            ]
        );
        assert_eq!(
            rows(
                server,
                json!({"metrics": ["cost"], "dimensions": ["visit:channel", "visit:campaign"]})
            ),
            [
                "Paid Search | sale | 600 VND",
                "Paid Search | other | 150 VND",
                "Paid Social | sale | 40 VND",
                "Email | (none) | 0 VND",
            ]
        );
        let filtered = json!({"metrics": ["cost", "roas"],
            "filters": [["is", "visit:campaign", ["sale"]], ["is", "visit:source", ["google"]]]});
        assert_eq!(rows(server, filtered), ["600 VND | 5.00"]);
    };
    check(&server);
    // Told again, and after a crash, and with one of them corrected.
    let (_, answer) = server.call("POST", "/v1/costs", &key, Some(told()));
    assert_eq!(answer["unchanged"], 4);
    server.kill();
    let server = Server::start(dir.path());
    check(&server);
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    check(&server);
    let one = json!([{"date": "2026-03-03", "source": "facebook", "medium": "cpc",
        "campaign": "sale", "cost": "41.5", "currency": "VND"}]);
    let (_, answer) = server.call("POST", "/v1/costs", &key, Some(one));
    assert_eq!(
        (&answer["updated"], &answer["warnings"][0]["code"]),
        (&json!(1), &json!("value_rounded"))
    );
    assert_eq!(rows(&server, json!({"metrics": ["cost"]})), ["792 VND"]);
}

#[test]
fn what_costs_cannot_be_had_by_is_refused() {
    let (_dir, server, _) = server(vietnam());
    for asked in [
        json!({"metrics": ["cost"], "dimensions": ["time:hour"]}),
        json!({"metrics": ["roas"], "dimensions": ["visit:device"]}),
        json!({"metrics": ["cost"], "filters": [["is", "visit:city", ["Huế"]]]}),
        json!({"metrics": ["cost"],
            "date_range": ["2026-03-02T10:00:00+07:00", "2026-03-03T00:00:00+07:00"]}),
        json!({"metrics": ["roas"], "date_range": "realtime"}),
    ] {
        let (status, problem) = ask(&server, asked.clone());
        let said = (status, &problem["code"]);
        assert_eq!(said, (422, &json!("unsupported_combination")), "{asked} {problem}");
    }
    for range in [json!("month"), json!("day"), json!("12mo"), json!("all")] {
        assert_eq!(
            ask(&server, json!({"metrics": ["cost"], "date_range": range})).0,
            200,
            "{range}"
        );
    }
}

#[test]
fn wrong_costs_say_where_and_change_nothing() {
    let (_dir, server, key) = server(vietnam());
    let good = json!({"date": "2026-03-02", "source": "google", "medium": "cpc", "cost": 1});
    for (member, value, field) in [
        ("date", json!("2026-02-30"), "[1].date"),
        ("date", json!("2026-03-02T00:00:00Z"), "[1].date"),
        ("cost", json!(-1), "[1].cost"),
        ("cost", json!("1,5"), "[1].cost"),
        ("cost", Value::Null, "[1].cost"),
        ("cost", json!(1e16), "[1].cost"),
        ("currency", json!("XXQ"), "[1].currency"),
        ("source", json!("x".repeat(1_025)), "[1].source"),
        ("source", json!(5), "[1].source"),
        ("budget", json!(5), "[1].budget"),
        ("date", json!("2026-03-02"), "[1]"),
    ] {
        let mut wrong = good.clone();
        wrong[member] = value;
        let body = json!([good, wrong]);
        let (status, problem) = server.call("POST", "/v1/costs", &key, Some(body));
        let said = (status, &problem["code"], &problem["field"]);
        assert_eq!(said, (400, &json!("invalid_query"), &json!(field)), "{problem}");
    }
    let (status, problem) = server.call("POST", "/v1/costs", &key, Some(json!({"date": 1})));
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_query")));
    assert_eq!(rows(&server, json!({"metrics": ["cost", "roas"]})), ["0 VND | null"]);
    let read = json!({"site": "demo", "kind": "read"});
    let (_, read) = server.call("POST", "/v1/keys", ADMIN, Some(read));
    let read = read["key"].as_str().unwrap();
    assert_eq!(server.call("POST", "/v1/costs", read, Some(json!([good]))).0, 403);
    assert_eq!(server.call("POST", "/v1/costs", "", Some(json!([good]))).0, 401);
    assert_eq!(server.call("POST", "/v1/costs?site=demo", ADMIN, Some(json!([good]))).0, 200);
}

fn with_rates(rates: Value) -> Snapshot {
    let mut share = share(&shop());
    // The order of 1,000 dong was one of 10 dollars.
    let dollars = Money { minor: 1_000, currency: Currency::parse("USD").unwrap() };
    share.facts[1].value = Some(dollars);
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "rates": rates});
    Snapshot::with(settings, vec![share])
}

#[test]
fn a_converted_sum_stands_beside_the_original_ones() {
    let now = "2026-03-05T00:00:00Z";
    let asked = json!({"metrics": ["orders", "revenue", "aov"],
        "date_range": ["2026-03-02", "2026-03-02"],
        "include": {"comparison": "previous_period"}});
    let rate = json!({"USD": {"VND": "25400", "date": "2026-03-01", "source": "bank"}});
    let answer = with_rates(rate).ask(now, asked.clone()).unwrap();
    let row = &answer["results"][0];
    let original =
        json!([{"currency": "VND", "amount": "2500"}, {"currency": "USD", "amount": "10.00"}]);
    assert_eq!(row["metrics"][1], original);
    // 2,500 and ten times 25,400.
    assert_eq!(row["converted"], json!([null, {"currency": "VND", "amount": "256500"}, null]));
    let zero = json!({"currency": "VND", "amount": "0"});
    assert_eq!(row["comparison"]["converted"], json!([null, zero, null]));
    let told = json!([{"from": "USD", "to": "VND", "rate": "25400", "date": "2026-03-01",
        "source": "bank"}]);
    assert_eq!(answer["meta"]["rates"], told);
    // A rate of another currency does not help: the original is all there is.
    let other = json!({"EUR": {"VND": "29000", "date": "2026-03-01"}});
    let answer = with_rates(other).ask(now, asked.clone()).unwrap();
    let row = &answer["results"][0];
    assert_eq!((&row["metrics"][1], &row["converted"]), (&original, &json!([null, null, null])));
    let answer = with_rates(json!({})).ask(now, asked).unwrap();
    assert!(
        answer["results"][0].get("converted").is_none() && answer["meta"].get("rates").is_none()
    );
}

#[test]
fn wrong_rates_are_refused() {
    let (_dir, server, _) = server(vietnam());
    let settings = json!({"currency": "VND", "rates": {"USD": {"VND": "0", "date": "2026-03-01"}}});
    let (status, problem) = server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings));
    assert_eq!((status, &problem["field"]), (400, &json!("rates.USD.VND")));
}

#[test]
fn revenue_in_one_currency_is_set_against_costs_in_another_by_the_rates() {
    let rates = json!({"USD": {"VND": "250", "date": "2026-03-01"}});
    let (_dir, server, key) =
        server(json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "rates": rates}));
    assert_eq!(server.frames(1, &[frame::encode(&batch(&shop(), START))]).0, 200);
    let cost =
        json!([{"date": "2026-03-02", "source": "google", "cost": "4.00", "currency": "USD"}]);
    assert_eq!(server.call("POST", "/v1/costs", &key, Some(cost)).0, 200);
    // 3,500 dong against 1,000.
    assert_eq!(rows(&server, json!({"metrics": ["cost", "roas"]})), ["4.00 USD | 3.50"]);
    assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(vietnam())).0, 200);
    assert_eq!(rows(&server, json!({"metrics": ["cost", "roas"]})), ["4.00 USD | null"]);
}
