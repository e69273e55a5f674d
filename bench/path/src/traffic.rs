//! Traffic of a shop: batches as browsers send them, the same for every contestant.
//!
//! Of a hundred events about half are page views, a third views of a product; two are purchases of
//! one to three items. Ids are random, as the SDK makes them, so that they cannot be packed.

use serde_json::{Value, json};

/// The site that all events are of.
pub const SITE: &str = "demo";
/// Its write key.
pub const KEY: &str = "wk_demo";
/// The browser that sends them.
pub const AGENT: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36";
/// When events happened where nobody compares that with a clock, in epoch milliseconds.
pub const T: i64 = 1_772_420_400_000;

/// Stands where an id goes until the batch is sent.
const BLANK: &str = "00000000-0000-4000-8000-000000000000";

/// Random numbers that are the same in every run (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// A sequence of its own for every seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        let version = (high & !0xf000) | 0x4000;
        let variant = (low >> 2) | 0x8000_0000_0000_0000;
        let hex = format!("{version:016x}{variant:016x}");
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

/// A batch of one browser that can be sent again and again, each time with events of its own.
#[derive(Debug, Clone)]
pub struct Template {
    /// The browser.
    pub client: String,
    /// The address that it sends from.
    pub address: String,
    /// How many events there are.
    pub events: usize,
    body: Vec<u8>,
    blanks: Vec<usize>,
}

impl Template {
    /// A batch of the `n`th browser, whose events happened at `at_ms`.
    #[must_use]
    pub fn new(n: usize, events: usize, at_ms: i64) -> Self {
        let mut chance = Chance::new(n as u64);
        let client = chance.uuid();
        let list: Vec<Value> = (0..events).map(|_| event(&mut chance, at_ms)).collect();
        let body = json!({"site": SITE, "key": KEY, "client_id": client, "sent_at": at_ms,
            "context": {"language": "vi-VN", "screen": "390x844"}, "events": list})
        .to_string();
        let blanks = body.match_indices(BLANK).map(|(at, _)| at).collect();
        let [_, a, b, c] = u32::try_from(n).unwrap_or_default().to_be_bytes();
        let address = format!("10.{a}.{b}.{c}");
        Self { client, address, events, body: body.into_bytes(), blanks }
    }

    /// The batch with fresh ids.
    #[must_use]
    pub fn stamped(&self, chance: &mut Chance) -> Vec<u8> {
        let mut body = self.body.clone();
        for blank in &self.blanks {
            let id = chance.uuid();
            if let Some(place) = body.get_mut(*blank..blank + id.len()) {
                place.copy_from_slice(id.as_bytes());
            }
        }
        body
    }
}

fn event(chance: &mut Chance, at_ms: i64) -> Value {
    let product = chance.below(400);
    let path = format!("https://shop.example/p/{product}");
    let page = match chance.below(3) {
        0 => format!("{path}?utm_source=google&utm_medium=cpc&utm_campaign=c{}", product % 20),
        _ => path,
    };
    let item = |n: u64| {
        json!({"item_id": format!("sku-{}", n % 400), "item_name": format!("Product {n}"),
               "item_category": "it", "price": 350_000 + n, "quantity": 1 + n % 3})
    };
    let mut event = json!({"id": BLANK, "ts": at_ms, "context": {"page_url": page}});
    let (name, params) = match chance.below(100) {
        0..48 => ("page_view", Value::Null),
        48..80 => ("view_item", json!({"items": [item(product)], "currency": "VND"})),
        80..86 => ("search", json!({"search_term": format!("laptop {}", product % 50)})),
        86..94 => ("add_to_cart", json!({"items": [item(product)], "currency": "VND"})),
        94..97 => ("begin_checkout", Value::Null),
        97..99 => {
            let items: Vec<Value> = (0..=chance.below(3)).map(|n| item(product + n)).collect();
            let params = json!({"transaction_id": BLANK, "value": 1_250_000 + product,
                "currency": "VND", "items": items});
            ("purchase", params)
        }
        _ => ("payment_success", json!({"transaction_id": BLANK, "method": "card"})),
    };
    event["name"] = name.into();
    if !params.is_null() {
        event["params"] = params;
    }
    if chance.below(10) == 0 {
        event["context"]["referrer"] = "https://www.google.com/".into();
    }
    event
}
