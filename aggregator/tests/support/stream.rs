//! Frames of a busy shop, the same for each number: visitors who sign in and out, orders with
//! refunds and repeats, late events, rejected ones.

use std::sync::OnceLock;

use edgetally_proto::batch::Batch;
use edgetally_proto::error::RejectCode;
use edgetally_proto::frame;
use edgetally_proto::record::Letter;
use edgetally_proto::rollup::RejectKey;
use edgetally_proto::time::{HOUR_MS, second_of};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::events::{Event, now_ms, share};
use super::server::{ADMIN, Server};

const EVENTS: usize = 30;
/// From one frame to the next.
const STEP_MS: i64 = 4_000;

/// When the first frame was committed: so long ago that nothing of it is still open, and too short
/// for its days to be sealed, since both follow the clock.
fn start() -> i64 {
    static START: OnceLock<i64> = OnceLock::new();
    *START.get_or_init(|| now_ms().div_euclid(HOUR_MS) * HOUR_MS - 60 * HOUR_MS)
}

fn event(random: &mut ChaCha8Rng, n: u64, at: usize) -> Event {
    let now = start() + n as i64 * STEP_MS;
    // Some were long on the way, and some ids come a second time.
    let late = if random.random_ratio(1, 10) { random.random_range(0..30) * HOUR_MS } else { 0 };
    let of = if n > 1 && random.random_ratio(1, 12) { n - 1 } else { n };
    let client = random.random_range(0..40);
    let names = ["page_view", "page_view", "view_item", "add_to_cart", "begin_checkout", "search"];
    let name = *names.choose(random).unwrap();
    let at_ms = now - late + random.random_range(0..STEP_MS);
    let mut event = Event::new(&format!("e{of}-{at}"), &format!("c{client}"), name, at_ms);
    event.received_ms = now + STEP_MS;
    if random.random_ratio(1, 4) {
        let source = ["news", "search", "social"].choose(random).unwrap();
        event.campaign = Some([(*source).to_owned(), "cpc".to_owned(), format!("k{}", n % 5)]);
    }
    let transaction = format!("T{}", random.random_range(0..=n * 3));
    match random.random_range(0..20) {
        0..=2 => Event { name: "purchase".to_owned(), ..event }.order(&transaction, 250_000),
        3 => Event { name: "payment_success".to_owned(), ..event }.order(&transaction, 0),
        4 => {
            let refund_id = Some(format!("R{}", random.random_range(0..50)));
            Event { name: "refund".to_owned(), refund_id, ..event }.order(&transaction, 9_000)
        }
        5 => Event { name: "order_cancelled".to_owned(), ..event }.order(&transaction, 0),
        6 => Event { name: "login".to_owned(), ..event }.user(&format!("u{}", client % 15)),
        7 => Event { name: "logout".to_owned(), ..event },
        8 => Event { is_bot: true, ..event },
        _ => event,
    }
}

/// The frame with a number, from 1.
pub fn frame_of(n: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(n);
    let events: Vec<Event> = (0..EVENTS).map(|at| event(&mut random, n, at)).collect();
    let mut share = share(&events);
    let received_at_ms = start() + n as i64 * STEP_MS;
    let code = RejectCode::ValueInvalid;
    *share.rejects.entry(RejectKey { second: second_of(received_at_ms), code }).or_default() += 2;
    share.letters.push(Letter {
        received_at_ms,
        code,
        field: "params.value".to_owned(),
        message: "must be a number".to_owned(),
        event: format!("{{\"id\":\"bad-{n}\"}}"),
    });
    frame::encode(&Batch { committed_at_ms: received_at_ms + 250, sites: vec![share] })
}

/// The number of the next frame that a server asks for.
pub fn due(server: &Server) -> u64 {
    let far = 1_000_000;
    let (status, answer) = server.frames(far, &[frame_of(far)]);
    assert_eq!(status, 409, "{answer}");
    answer["expected"].as_u64().unwrap()
}

/// Sends the frames up to one, from the one that is due.
pub fn send_up_to(server: &Server, last: u64) {
    let mut next = due(server);
    while next <= last {
        let end = last.min(next + 19);
        let frames: Vec<Vec<u8>> = (next..=end).map(frame_of).collect();
        let (status, answer) = server.frames(next, &frames);
        assert_eq!(status, 200, "{answer}");
        next = answer["acked"].as_u64().unwrap() + 1;
    }
}

/// Everything that can be asked of the site, but for what tells of the run of the program.
pub fn answers(server: &Server) -> Vec<Value> {
    let mut all = Vec::new();
    let orders = ["orders", "units", "revenue", "refunds", "net_revenue", "gmv", "nmv", "aov"];
    let sessions = ["sessions", "bounce_rate", "session_duration", "conversion_rate"];
    let events = ["events", "pageviews", "item_views", "searches", "bot_events", "late_events"];
    let persons = ["visitors", "new_visitors", "returning_visitors"];
    let others = ["rejected", "duplicates", "clients", "orders_pending", "concurrent_visitors"];
    let asked: [(&[&str], &[&str]); 13] = [
        (&orders, &[]),
        (&orders, &["visit:channel"]),
        (&orders, &["visit:campaign", "time:day"]),
        (&orders, &["order:status"]),
        (&sessions, &["time:hour"]),
        (&sessions, &["visit:source"]),
        (&sessions, &["visit:entry_page"]),
        (&events, &["time:hour"]),
        (&events, &["event:name"]),
        (&persons, &["time:day"]),
        (&persons, &["visit:channel"]),
        (&others, &["time:hour"]),
        (&["payments_succeeded", "payments_failed", "payment_success_rate"], &[]),
    ];
    for (metrics, dimensions) in asked {
        let query = json!({"site_id": "demo", "metrics": metrics, "dimensions": dimensions,
            "date_range": "all", "include": {"bounds": true}});
        let (status, mut answer) = server.call("POST", "/v1/query", ADMIN, Some(query));
        assert_eq!(status, 200, "{answer}");
        all.push(answer["results"].take());
    }
    let funnel = json!({"site_id": "demo", "date_range": "all", "scope": "person"});
    let (_, mut answer) = server.call("POST", "/v1/funnel", ADMIN, Some(funnel));
    all.push(answer["steps"].take());
    for list in ["sessions?include=events&", "orders?", "rejects?"] {
        all.extend(listed(server, list));
    }
    let (_, edges) = server.call("GET", "/v1/edges", ADMIN, None);
    all.push(edges["totals"].clone());
    all
}

fn listed(server: &Server, list: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/{list}site=demo&limit=1000{after}");
        let (status, page) = server.call("GET", &path, ADMIN, None);
        assert_eq!(status, 200, "{page}");
        for row in page["results"].as_array().unwrap() {
            let mut row = row.clone();
            // Numbers of tellings begin anew with each start.
            row.as_object_mut().unwrap().remove("rev");
            rows.push(row);
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}

/// Says where two servers differ, if they do.
pub fn check_same(one: &Server, other: &Server, when: &str) {
    let (one, other) = (answers(one), answers(other));
    for (at, (one, other)) in one.iter().zip(&other).enumerate() {
        assert_eq!(one, other, "answer {at} differs {when}");
    }
    assert_eq!(one.len(), other.len(), "{when}");
}
