//! The pure path of a request: parse, validate, enrich, fold, pack; against serde_json's own typed
//! parse of the same bytes, side by side in one run.
//!
//! Throughput is in events. The baseline does none of the work: it only builds typed structs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edge_worker::collect::Head;
use edge_worker::enrich::Seen;
use edge_worker::judge::judge;
use edgetally_proto::frame;
use edgetally_proto::ids::SiteId;
use edgetally_proto::raw::RawBatch;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::validate::{Ids, Rules, Visitor};
use edgetally_proto::window::Window;
use serde::Deserialize;
use serde_json::json;

const T: i64 = 1_772_420_400_000;
const AGENT: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36";

/// Batches as browsers send them: page views, and now and then a purchase of two items.
fn body(events: usize) -> Vec<u8> {
    let items = json!([
        {"item_id": "sku-1", "item_name": "Laptop", "item_category": "it", "price": 25_000_000},
        {"item_id": "sku-2", "item_name": "Chuột", "price": "350000", "quantity": 2}]);
    let event = |n: usize| {
        let id = format!("0193a5b2-7c3d-7e4f-8a9b-{n:012x}");
        let url = format!("https://shop.example/p/{}?utm_source=google&utm_medium=cpc", n % 40);
        match n % 20 {
            0 => json!({"id": id, "name": "purchase", "ts": T, "params": {"transaction_id": id,
                "value": 25_700_000, "currency": "VND", "items": items}}),
            _ => json!({"id": id, "name": "page_view", "ts": T + 1, "context": {"page_url": url}}),
        }
    };
    let events: Vec<_> = (0..events).map(event).collect();
    json!({"site": "demo", "key": "wk_demo", "client_id": "5f1c0c1e-0c53-4a62-9d4b-0d8a7d1c2b3a",
        "sent_at": T + 5, "context": {"language": "vi-VN", "screen": "390x844"}, "events": events})
    .to_string()
    .into_bytes()
}

/// The baseline's types: what a service without validation would parse into.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedEvent {
    id: String,
    name: String,
    ts: i64,
    context: Option<TypedContext>,
    params: Option<TypedParams>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedContext {
    page_url: Option<String>,
    language: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedParams {
    transaction_id: Option<String>,
    value: Option<serde_json::Number>,
    currency: Option<String>,
    items: Option<Vec<TypedItem>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedItem {
    item_id: Option<String>,
    item_name: Option<String>,
    price: serde_json::Value,
    quantity: Option<u32>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedBatch {
    site: String,
    client_id: String,
    sent_at: i64,
    events: Vec<TypedEvent>,
}

fn collect(body: &[u8], site: &SiteId, settings: &SiteSettings) -> usize {
    let Ok(batch) = RawBatch::parse(body) else { return 0 };
    let rules = Rules {
        site,
        settings,
        server_key: true,
        received_at_ms: T + 10,
        sent_at_ms: batch.sent_at_ms,
        ids: Ids::Used,
        visitor: Visitor { address: "203.0.113.7", user_agent: AGENT, salt: b"salt" },
        nonce: 1,
    };
    let head = Head { user_agent: AGENT.to_owned(), ..Head::default() };
    let seen = Seen::of(&head);
    let mut window = Window::default();
    for event in judge(&batch, &rules, &seen).events {
        window.fold(site, event);
    }
    frame::encode(&window.seal(T + 20)).len()
}

fn compare(criterion: &mut Criterion) {
    let site = SiteId::parse("demo").ok();
    let settings = SiteSettings::default();
    for events in [1, 50, 1_000] {
        let body = body(events);
        let mut group = criterion.benchmark_group(format!("{events} events"));
        group.throughput(Throughput::Elements(events as u64));
        if let Some(site) = &site {
            group.bench_function("collect", |bencher| {
                bencher.iter(|| collect(black_box(&body), site, &settings));
            });
        }
        group.bench_function("baseline: typed parse", |bencher| {
            bencher.iter(|| serde_json::from_slice::<TypedBatch>(black_box(&body)).is_ok());
        });
        group.finish();
    }
}

criterion_group!(benches, compare);
criterion_main!(benches);
