//! What is fuzzed, as functions of bytes: they break an assertion where a law does not hold.
//!
//! The fuzz targets call them under libFuzzer, and the tests of the parts together include this
//! file to replay the corpus with the stable toolchain. Each gives how many events it got through,
//! by which a test sees that a seed still reaches what it was written for.

use edge_worker::collect::{self, Outcome, Problem};
use edge_worker::compat::{ga4, plausible, segment};
use edgetally_proto::batch::{Batch, SiteBatch};
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::frame::{self, HEAD_BYTES, VERSION};
use edgetally_proto::ids::SiteId;
use edgetally_proto::limits::{ITEMS_MAX, MINOR_UNITS_MAX, QUANTITY_MAX};
use edgetally_proto::raw::RawBatch;
use edgetally_proto::record::Flags;
use edgetally_proto::settings::{Retention, SiteSettings};
use edgetally_proto::time::{EARLIEST_MS, FUTURE_TOLERANCE_MS};
use edgetally_proto::validate::{Ids, Rules, Visitor, validate};
use edgetally_proto::window::Window;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// When everything is received: 2026-03-02T03:00:00Z. No clock, so that a finding can be replayed.
const RECEIVED_AT_MS: i64 = 1_772_420_400_000;

/// Who is sending, as far as validation cares.
#[derive(Debug, Clone, Copy)]
struct Manner {
    server_key: bool,
    ids: Ids,
    lenient: bool,
}

/// A page, a shop's own server, a page without consent.
const MANNERS: [Manner; 3] = [
    Manner { server_key: false, ids: Ids::Used, lenient: false },
    Manner { server_key: true, ids: Ids::Used, lenient: true },
    Manner { server_key: false, ids: Ids::Cookieless, lenient: true },
];

/// A body of `POST /v1/events`: whatever it is, it is refused with a reason or its events are
/// judged; what is accepted crosses to the aggregator unchanged.
pub fn request(bytes: &[u8]) -> usize {
    match collect::parse(bytes) {
        Ok(batch) => judge_in_all_manners(&batch),
        Err(problem) => assert_refusal(&problem),
    }
}

/// A body of another system's call, read as each of them.
pub fn compat(bytes: &[u8]) -> usize {
    let calls = ["/v1/batch", "/v1/track", "/v1/identify", "/v1/page"];
    let segments = calls.into_iter().filter_map(segment::Call::of_path);
    let mut read: Vec<_> = segments.map(|call| segment::parse(call, "demo", bytes)).collect();
    read.push(ga4::parse("demo", bytes));
    read.push(plausible::parse(bytes));
    let _key = segment::write_key(bytes);
    let judge = |read: Result<String, Problem>| match read {
        Ok(mapped) => match collect::parse_mapped(&mapped) {
            Ok(batch) => judge_in_all_manners(&batch),
            Err(problem) => panic!("what was made of a call is no batch: {problem:?}"),
        },
        Err(problem) => assert_refusal(&problem),
    };
    read.into_iter().map(judge).sum()
}

/// A frame: what can be read is written again, and read as the same.
///
/// The checksum would keep a fuzzer out, so what follows a head is also read under a true one.
pub fn frame(bytes: &[u8]) -> usize {
    let body = bytes.get(HEAD_BYTES..).unwrap_or_default();
    let batches = [frame::decode(bytes), frame::decode(&sealed(body))];
    batches.into_iter().flatten().map(|batch| assert_crosses(&batch)).sum()
}

/// A body under a head that fits it.
fn sealed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut frame = b"ETF".to_vec();
    frame.push(VERSION);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&xxh3_64(body).to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

/// Gives the records of a batch that is the same after its way over the wire.
fn assert_crosses(batch: &Batch) -> usize {
    let bytes = frame::encode(batch);
    assert_eq!(frame::decode(&bytes).as_ref(), Ok(batch), "it changed on the way");
    assert_eq!(frame::peek(&bytes).map(|head| head.bytes), Ok(bytes.len()));
    batch.sites.iter().map(|site| site.records.len()).sum()
}

fn assert_refusal(problem: &Problem) -> usize {
    assert_eq!(problem.status, 400, "{problem:?}");
    assert!(matches!(problem.code, "invalid_json" | "invalid_batch"), "{problem:?}");
    assert_eq!(problem.field.is_some(), problem.code == "invalid_batch", "{problem:?}");
    assert!(!problem.detail.is_empty(), "{problem:?}");
    0
}

/// Gives how many events of a batch some manner of sending gets accepted.
fn judge_in_all_manners(batch: &RawBatch<'_>) -> usize {
    let accepted = MANNERS.iter().map(|manner| judge(batch, *manner));
    accepted.max().unwrap_or_default()
}

fn judge(batch: &RawBatch<'_>, manner: Manner) -> usize {
    // Whatever site the batch names: which there are is no matter of validation.
    let Ok(site) = SiteId::parse("demo") else { return 0 };
    let mut settings = SiteSettings::default();
    if manner.lenient {
        settings.events.allow = vec!["*".to_owned()];
        settings.retention.facts = Retention::Unlimited;
    }
    let rules = Rules {
        site: &site,
        settings: &settings,
        server_key: manner.server_key,
        received_at_ms: RECEIVED_AT_MS,
        sent_at_ms: batch.sent_at_ms,
        ids: manner.ids,
        visitor: Visitor { address: "192.0.2.1", user_agent: "Mozilla/5.0", salt: b"salt" },
        nonce: 1,
    };
    let (mut outcome, mut window) = (Outcome::default(), Window::default());
    for (index, raw) in batch.events().enumerate() {
        let judged = validate(&raw, index, &rules);
        assert_eq!(judged, validate(&raw, index, &rules), "it is judged in two ways");
        match judged {
            Ok((event, warnings)) => {
                assert_event(&event, &rules);
                outcome.accepted += 1;
                outcome.warnings.extend(warnings.into_iter().map(|warning| (index, warning)));
                window.fold(&site, event);
            }
            Err(reject) => {
                assert!(!reject.field.is_empty() && !reject.message.is_empty(), "{reject:?}");
                outcome.rejected.push((index, reject));
            }
        }
    }
    assert_answer(&outcome, batch);
    assert_folded(window.seal(RECEIVED_AT_MS), outcome.accepted);
    outcome.accepted
}

/// The answer adds up and speaks of every event.
fn assert_answer(outcome: &Outcome, batch: &RawBatch<'_>) {
    assert_eq!(outcome.accepted + outcome.rejected.len(), batch.len());
    let answer = outcome.to_json(batch);
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
    let told = answer.get("rejected").and_then(|list| list.as_array().map(Vec::len));
    assert_eq!(told, Some(outcome.rejected.len()), "{answer}");
    let _debug = ga4::validation_messages(&outcome.rejected);
}

/// What every later part relies on.
fn assert_event(event: &Event, rules: &Rules<'_>) {
    let latest = RECEIVED_AT_MS + FUTURE_TOLERANCE_MS;
    assert!((EARLIEST_MS..=latest).contains(&event.occurred_at_ms), "{event:?}");
    let cookieless = event.flags.has(Flags::COOKIELESS);
    assert!(event.client.is_some() || event.platform == Platform::Server, "{event:?}");
    assert!(!cookieless || event.user.is_none(), "a user id was kept: {event:?}");
    let expected = rules.ids == Ids::Cookieless && event.platform != Platform::Server;
    assert_eq!(cookieless, expected, "{event:?}");
    let Some(fact) = &event.fact else { return };
    let money = 0..=MINOR_UNITS_MAX;
    let value = fact.value.map(|value| value.minor);
    let prices = fact.items.iter().map(|item| item.price);
    let amounts = prices.chain([value, fact.discount, fact.tax, fact.shipping]);
    assert!(amounts.flatten().all(|minor| money.contains(&minor)), "{fact:?}");
    assert!(fact.items.len() <= ITEMS_MAX, "{fact:?}");
    let counts = fact.items.iter().map(|item| i64::from(item.quantity));
    assert!(counts.into_iter().all(|count| (1..=QUANTITY_MAX).contains(&count)), "{fact:?}");
    let is_order = matches!(event.name.as_str(), "purchase" | "order_created");
    assert!(!is_order || (fact.transaction.is_some() && fact.value.is_some()), "{fact:?}");
}

/// The window counts what was folded, crosses the wire, and folds again in a shard.
fn assert_folded(batch: Batch, accepted: usize) {
    assert_eq!(assert_crosses(&batch), accepted);
    let counted: u64 = batch.sites.iter().map(|site| site.counters().values().sum::<u64>()).sum();
    assert_eq!(usize::try_from(counted), Ok(accepted));
    let mut shard = Window::default();
    for site in batch.sites.clone() {
        let news = shard.absorb(site, |_, _, _| true);
        assert!(news.iter().all(|new| *new));
    }
    let again = shard.seal(batch.committed_at_ms);
    let records = |site: &SiteBatch| (site.records.clone(), site.counters());
    let records = |batch: &Batch| batch.sites.iter().map(records).collect::<Vec<_>>();
    assert_eq!(records(&again), records(&batch), "a shard folds otherwise than the worker");
}
