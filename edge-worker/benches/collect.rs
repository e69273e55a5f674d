//! The pure path of a request: parse, validate, enrich, fold, pack; as a whole and stage by stage,
//! against serde_json's own typed parse of the same bytes, side by side in one run.
//!
//! Throughput is in events. The baseline does none of the work: it only builds typed structs.

#[path = "collect/baseline.rs"]
mod baseline;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use edge_worker::collect::Head;
use edge_worker::enrich::Seen;
use edge_worker::judge::{Judged, judge};
use edgetally_proto::frame;
use edgetally_proto::ids::SiteId;
use edgetally_proto::raw::RawBatch;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::validate::{Ids, Rules, Visitor};
use edgetally_proto::visitor::Place;
use edgetally_proto::window::Window;
use serde_json::{Value, json};

const T: i64 = 1_772_420_400_000;
const AGENT: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36";

/// Batches as browsers send them. Of ten events four are page views, three look at a product, one
/// searches, one puts something into the cart, one buys two things.
fn body(events: usize) -> Vec<u8> {
    let events: Vec<_> = (0..events).map(event).collect();
    let context = json!({"page_title": "Laptop 14 inch", "referrer": "https://www.google.com/",
        "language": "vi-VN", "screen": "390x844"});
    json!({"site": "demo", "key": "wk_demo_3f7a1c", "sent_at": T + 5, "platform": "mweb",
        "client_id": "5f1c0c1e-0c53-4a62-9d4b-0d8a7d1c2b3a", "context": context,
        "events": events})
    .to_string()
    .into_bytes()
}

fn event(n: usize) -> Value {
    let item = |sku: usize, price: u64| {
        json!({"item_id": format!("sku-{sku}"), "item_name": "Máy tính xách tay",
            "item_category": "it", "item_brand": "Acme", "price": price, "quantity": 1})
    };
    let (name, params) = match n % 10 {
        0 | 2 | 4 | 7 => ("page_view", json!({})),
        1 | 3 | 5 => {
            let items = [item(n % 40, 25_000_000)];
            ("view_item", json!({"currency": "VND", "value": 25_000_000, "items": items}))
        }
        6 => ("search", json!({"search_term": "laptop 14 inch"})),
        8 => {
            let items = [item(n % 40, 350_000)];
            ("add_to_cart", json!({"currency": "VND", "value": 350_000, "items": items}))
        }
        _ => {
            let items = [item(n % 40, 25_000_000), item(7, 350_000)];
            let params = json!({"transaction_id": format!("T-{n}"), "value": 25_350_000,
                "currency": "VND", "tax": 0, "shipping": 30_000, "shipping_city": "Hà Nội",
                "items": items});
            ("purchase", params)
        }
    };
    let page = match n % 3 {
        0 => format!("https://shop.example/p/{}?utm_source=google&utm_medium=cpc", n % 40),
        _ => format!("https://shop.example/p/{}", n % 40),
    };
    let mut event = json!({"id": format!("0193a5b2-7c3d-7e4f-8a9b-{n:012x}"), "name": name,
        "ts": T + 1, "context": {"page_url": page}});
    if params.as_object().is_some_and(|params| !params.is_empty()) {
        event["params"] = params;
    }
    event
}

fn judge_all(batch: &RawBatch<'_>, site: &SiteId, settings: &SiteSettings) -> Judged {
    let rules = Rules {
        site,
        settings,
        server_key: false,
        received_at_ms: T + 10,
        sent_at_ms: batch.sent_at_ms,
        ids: Ids::Used,
        visitor: Visitor { address: "203.0.113.7", user_agent: AGENT, salt: b"salt" },
        nonce: 1,
    };
    let place = Place::of(Some("VN"), Some("Hanoi"), Some("Hanoi"));
    let head = Head { user_agent: AGENT.to_owned(), place, ..Head::default() };
    judge(batch, &rules, &Seen::of(&head))
}

fn fold(judged: Judged, site: &SiteId) -> Window {
    let mut window = Window::default();
    for event in judged.events {
        window.fold(site, event);
    }
    window
}

/// The whole way; gives the bytes of the frame.
fn collect(body: &[u8], site: &SiteId, settings: &SiteSettings) -> usize {
    let Ok(batch) = RawBatch::parse(body) else { return 0 };
    let judged = judge_all(&batch, site, settings);
    frame::encode(&fold(judged, site).seal(T + 20)).len()
}

fn compare(criterion: &mut Criterion) {
    let Ok(site) = SiteId::parse("demo") else { return };
    let settings = SiteSettings::default();
    for events in [1, 10, 50] {
        let body = body(events);
        let Ok(batch) = RawBatch::parse(&body) else { return };
        let judged = || judge_all(&batch, &site, &settings);
        let sealed = fold(judged(), &site).seal(T + 20);
        assert_eq!(sealed.sites.iter().map(|site| site.records.len()).sum::<usize>(), events);
        let mut group = criterion.benchmark_group(format!("{events} events"));
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function("collect", |bencher| {
            bencher.iter(|| collect(black_box(&body), &site, &settings));
        });
        group.bench_function("baseline: typed parse", |bencher| {
            bencher.iter(|| baseline::parse(black_box(&body)));
        });
        group.bench_function("stage: parse", |bencher| {
            bencher.iter(|| RawBatch::parse(black_box(&body)).is_ok());
        });
        group.bench_function("stage: validate and enrich", |bencher| {
            bencher.iter(|| judge_all(black_box(&batch), &site, &settings).events.len());
        });
        group.bench_function("stage: fold", |bencher| {
            let fold = |judged| fold(judged, &site);
            bencher.iter_batched(judged, fold, BatchSize::SmallInput);
        });
        group.bench_function("stage: pack", |bencher| {
            bencher.iter(|| frame::encode(black_box(&sealed)).len());
        });
        group.finish();
    }
}

criterion_group!(benches, compare);
criterion_main!(benches);
