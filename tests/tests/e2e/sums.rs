//! Rows add up to the total at every moment, while visitors come, sign in and buy.

use std::collections::BTreeSet;
use std::time::Duration;

use edgetally_tests::dev::Dev;
use edgetally_tests::http;
use serde_json::{Value, json};

use super::system::{
    Site, create_key, expect_as_simulated, finish_simulate, is_soak, shared, start_simulate,
};

/// Sessions, orders and đồng.
type Sums = [i128; 3];

/// Asks by a dimension, or for the total; gives the number of the state that was read.
fn ask(dev: &Dev, site: &Site, key: &str, by: Option<&str>, filters: &Value) -> (i64, Vec<Value>) {
    let dimensions: Vec<&str> = by.into_iter().collect();
    let query = json!({"site_id": site.id, "date_range": "all", "dimensions": dimensions,
        "metrics": ["sessions", "orders", "revenue"], "filters": filters});
    let answer = http::post_json(&dev.aggregator("/v1/query"), Some(key), &query);
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let report = answer.json().expect("a report");
    let snapshot = report["meta"]["snapshot"].as_i64().expect("a number");
    (snapshot, report["results"].as_array().expect("rows").clone())
}

fn sum(rows: &[Value]) -> Sums {
    let mut sums = [0; 3];
    for row in rows {
        let metrics = &row["metrics"];
        let money = metrics[2].as_array().expect("a list");
        assert!(money.iter().all(|money| money["currency"] == "VND"), "{money:?}");
        let amount = |money: &Value| {
            money["amount"].as_str().and_then(|text| text.parse::<i128>().ok()).expect("an amount")
        };
        sums[0] += i128::from(metrics[0].as_i64().expect("a count"));
        sums[1] += i128::from(metrics[1].as_i64().expect("a count"));
        sums[2] += money.iter().map(amount).sum::<i128>();
    }
    sums
}

/// What was compared during a run.
#[derive(Debug, Default)]
struct Compared {
    /// Comparisons of one state with itself.
    same: usize,
    /// Pairs of answers between which something was committed.
    straddled: usize,
    totals: BTreeSet<Sums>,
}

/// Compares once; the total is asked for anew where something was committed meanwhile.
fn compare(dev: &Dev, site: &Site, key: &str, by: &str, compared: &mut Compared) {
    let none = json!([]);
    let (before, total) = ask(dev, site, key, None, &none);
    let (snapshot, rows) = ask(dev, site, key, Some(by), &none);
    let total = match before == snapshot {
        true => total,
        false => {
            let (after, total) = ask(dev, site, key, None, &none);
            if after != snapshot {
                compared.straddled += 1;
                return;
            }
            total
        }
    };
    let total = sum(&total);
    assert_eq!(sum(&rows), total, "by {by} at snapshot {snapshot}: {rows:#?}");
    compared.same += 1;
    compared.totals.insert(total);
}

/// Sessions, orders and revenue by channel, and by what else tells visits apart, add up to the
/// total in every state that a reader can see.
#[test]
fn rows_add_up_to_the_total_at_every_moment() {
    let dev = shared();
    let settings = json!({
        "timezone": "Asia/Ho_Chi_Minh", "currency": "VND", "origins": ["*"], "bots": "off",
    });
    let site = Site::create(&dev, "sums", &settings);
    let key = create_key(&dev, "sums", "read");
    let seconds = if is_soak() { 120 } else { 25 };
    let duration = format!("{seconds}s");
    let flags = ["--rate", "300", "--duration", &duration, "--seed", "11"];
    let mut simulator = start_simulate(&dev, &site, &flags);
    let others =
        ["visit:campaign", "visit:device", "visit:entry_page", "visit:city", "time:minute"];
    let (mut compared, mut others) = (Compared::default(), others.iter().cycle());
    while simulator.try_wait().expect("a status").is_none() {
        compare(&dev, &site, &key, "visit:channel", &mut compared);
        compare(&dev, &site, &key, others.next().expect("one more"), &mut compared);
        std::thread::sleep(Duration::from_millis(2));
    }
    let sent = finish_simulate(simulator);
    expect_as_simulated(&dev, &site, &sent);
    compare(&dev, &site, &key, "visit:channel", &mut compared);
    let Compared { same, straddled, totals } = compared;
    println!("{same} compared, {straddled} straddled, {} totals", totals.len());
    assert!(same >= 100 && totals.len() >= 20, "{same} compared, {} totals", totals.len());
    // A row that is left out would have been seen.
    let (_, rows) = ask(&dev, &site, &key, Some("visit:channel"), &json!([]));
    let not_direct = json!([["is_not", "visit:channel", ["Direct"]]]);
    let (_, without) = ask(&dev, &site, &key, Some("visit:channel"), &not_direct);
    assert!(rows.len() >= 4 && without.len() + 1 == rows.len(), "{rows:#?}");
    let (all, some) = (sum(&rows), sum(&without));
    assert!(some[0] < all[0] && some[1] < all[1] && some[2] < all[2], "{some:?} of {all:?}");
    assert_eq!(json!(all[1]), sent["orders"]);
}
