//! What a request costs before and after the platform: parse, validate, enrich, fold, pack; and
//! serde_json's own typed parse of the same bytes, which does none of that.

use edge_worker::collect::Head;
use edge_worker::enrich::Seen;
use edge_worker::judge::judge;
use edgetally_proto::batch::Batch;
use edgetally_proto::frame;
use edgetally_proto::ids::SiteId;
use edgetally_proto::raw::RawBatch;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::validate::{Ids, Rules, Visitor};
use edgetally_proto::window::Window;
use serde::Deserialize;

use crate::traffic::{AGENT, T};

/// Folds the events of a body into a window; says how many were good.
pub fn fold_at(
    body: &[u8],
    received_at_ms: i64,
    site: &SiteId,
    settings: &SiteSettings,
    window: &mut Window,
) -> usize {
    let Ok(batch) = RawBatch::parse(body) else { return 0 };
    let rules = Rules {
        site,
        settings,
        server_key: false,
        received_at_ms,
        sent_at_ms: batch.sent_at_ms,
        ids: Ids::Used,
        visitor: Visitor { address: "203.0.113.7", user_agent: AGENT, salt: b"salt" },
        nonce: 1,
    };
    let head = Head { user_agent: AGENT.to_owned(), ..Head::default() };
    let events = judge(&batch, &rules, &Seen::of(&head)).events;
    let count = events.len();
    for event in events {
        window.fold(site, event);
    }
    count
}

/// A window, closed.
pub fn seal(window: &mut Window) -> Batch {
    window.seal(T + 20)
}

/// The whole path; bytes of the frame.
#[must_use]
pub fn collect(body: &[u8], site: &SiteId, settings: &SiteSettings) -> usize {
    let mut window = Window::default();
    fold_at(body, T + 10, site, settings, &mut window);
    frame::encode(&seal(&mut window)).len()
}

/// Whether serde_json reads a body into plain structs.
#[must_use]
pub fn parse(body: &[u8]) -> bool {
    serde_json::from_slice::<TypedBatch>(body).is_ok()
}

/// What a service without validation would read into.
#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work that is measured")]
struct TypedBatch {
    site: String,
    client_id: String,
    sent_at: i64,
    events: Vec<TypedEvent>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work that is measured")]
struct TypedEvent {
    id: String,
    name: String,
    ts: i64,
    context: Option<TypedContext>,
    params: Option<TypedParams>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work that is measured")]
struct TypedContext {
    page_url: Option<String>,
    referrer: Option<String>,
    language: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work that is measured")]
struct TypedParams {
    transaction_id: Option<String>,
    value: Option<serde_json::Number>,
    currency: Option<String>,
    items: Option<Vec<TypedItem>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work that is measured")]
struct TypedItem {
    item_id: Option<String>,
    item_name: Option<String>,
    price: serde_json::Value,
    quantity: Option<u32>,
}
