//! What the path is measured against: serde_json building typed structs of all that the contract
//! names, with texts of their own, as a service would that believes whatever it is sent.

use serde::Deserialize;

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedBatch {
    site: String,
    key: Option<String>,
    client_id: Option<String>,
    user_id: Option<String>,
    platform: Option<String>,
    sent_at: Option<i64>,
    dropped: Option<u64>,
    consent: Option<TypedConsent>,
    context: Option<TypedContext>,
    events: Vec<TypedEvent>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedConsent {
    analytics: Option<bool>,
    ads: Option<bool>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedContext {
    page_url: Option<String>,
    page_title: Option<String>,
    referrer: Option<String>,
    language: Option<String>,
    screen: Option<String>,
    ip: Option<String>,
    user_agent: Option<String>,
    country: Option<String>,
    region: Option<String>,
    city: Option<String>,
    campaign: Option<TypedCampaign>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedCampaign {
    source: Option<String>,
    medium: Option<String>,
    name: Option<String>,
    term: Option<String>,
    content: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedEvent {
    id: Option<String>,
    name: String,
    ts: Option<i64>,
    client_id: Option<String>,
    user_id: Option<String>,
    platform: Option<String>,
    context: Option<TypedContext>,
    params: Option<TypedParams>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedParams {
    transaction_id: Option<String>,
    order_platform: Option<String>,
    value: Option<f64>,
    discount: Option<f64>,
    tax: Option<f64>,
    shipping: Option<f64>,
    currency: Option<String>,
    shipping_city: Option<String>,
    refund_id: Option<String>,
    method: Option<String>,
    reason: Option<String>,
    latency_ms: Option<u32>,
    item_id: Option<String>,
    stock: Option<u64>,
    search_term: Option<String>,
    experiment_id: Option<String>,
    variant_id: Option<String>,
    metric: Option<String>,
    user_id: Option<String>,
    background: Option<bool>,
    items: Option<Vec<TypedItem>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is the work that is measured")]
struct TypedItem {
    item_id: Option<String>,
    item_name: Option<String>,
    item_category: Option<String>,
    item_brand: Option<String>,
    item_variant: Option<String>,
    price: Option<f64>,
    quantity: Option<u32>,
}

/// Parses a body; gives how many events it has.
pub fn parse(body: &[u8]) -> usize {
    serde_json::from_slice::<TypedBatch>(body).map_or(0, |batch| batch.events.len())
}
