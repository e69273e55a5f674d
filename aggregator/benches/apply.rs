//! How fast frames are folded in: new events, repeats, and logins that reach back.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::cell::RefCell;
use std::hint::black_box;

use aggregator::site::Site;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use edgetally_proto::batch::SiteBatch;
use edgetally_proto::event::Platform;
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId, UserId};
use edgetally_proto::record::{Flags, Record};

const EVENTS: u32 = 1_000;
const CLIENTS: u32 = 250;
const START: i64 = 1_772_420_400_000;

/// A frame's share: a second of a thousand events, four of each client; of every tenth client the
/// last one is a login.
fn share(frame: u32) -> SiteBatch {
    let mut share = SiteBatch::new(SiteId::parse("demo").unwrap());
    let names = ["page_view", "view_item", "add_to_cart", "login"];
    share.tables.names = names.iter().map(|name| EventName::parse(name).unwrap()).collect();
    let client = |n: u32| ClientId::parse(&format!("client-{}", n + frame * CLIENTS / 2)).unwrap();
    share.tables.clients = (0..CLIENTS).map(client).collect();
    share.tables.users = vec![UserId::parse(&format!("u{frame}")).unwrap()];
    for n in 0..EVENTS {
        let (client, turn) = (n % CLIENTS, n / CLIENTS);
        let is_login = turn == 3 && client % 10 == 0;
        let name = if is_login { 3 } else { turn % 3 };
        let occurred_at_ms = START + i64::from(frame) * 1_000 + i64::from(n);
        let mut id = [0; 16];
        id[..4].copy_from_slice(&frame.to_le_bytes());
        id[4..8].copy_from_slice(&n.to_le_bytes());
        share.records.push(Record {
            id: EventId::Uuid(id),
            client: Some(client),
            user: is_login.then_some(0),
            name,
            platform: Platform::Web,
            occurred_at_ms,
            received_at_ms: occurred_at_ms,
            flags: Flags::default(),
            page: None,
            referrer: None,
            campaign: None,
            grade: None,
            place: None,
            device: None,
        });
    }
    share
}

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(u64::from(EVENTS)));
    let site = RefCell::new(Site::default());
    let mut frame = 0;
    group.bench_function("new events", |bench| {
        bench.iter_batched_ref(
            || {
                frame += 1;
                share(frame)
            },
            |share| black_box(site.borrow_mut().apply(share)),
            BatchSize::SmallInput,
        );
    });
    let again = share(1);
    group.bench_function("repeats", |bench| {
        bench.iter(|| black_box(site.borrow_mut().apply(&again)))
    });
    // As in service: readers hold the snapshot of the tick before.
    let mut held = None;
    group.bench_function("new events under readers", |bench| {
        bench.iter_batched_ref(
            || {
                frame += 1;
                let mut site = site.borrow_mut();
                held = Some((site.counters.clone(), site.presence.clone(), site.texts.show()));
                share(frame)
            },
            |share| black_box(site.borrow_mut().apply(share)),
            BatchSize::PerIteration,
        );
    });
    drop(held);
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);
