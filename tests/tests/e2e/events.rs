//! Good events to start from, and the site that is strict about them.

use edgetally_tests::dev::Dev;
use serde_json::{Map, Value, json};

use super::system::{Site, now_ms};

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// A site that takes no names of its own but one.
pub fn strict_site(dev: &Dev, id: &str) -> Site {
    let events = json!({"allow": ["lot_opened"]});
    let settings = json!({"origins": ["*"], "bots": "off", "currency": "VND", "events": events});
    Site::create(dev, id, &settings)
}

/// A good event of this name and parameters, of a client of its own.
pub fn event(name: &str, params: Value) -> Value {
    json!({"id": "e-1", "name": name, "client_id": "c-1", "ts": now_ms() - 1_000, "params": params})
}

/// A good page view with a member changed; null takes it away.
pub fn view(member: &str, value: Value) -> Value {
    let mut event = event("page_view", json!({}));
    let members: &mut Map<String, Value> = event.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(member),
        value => members.insert(member.to_owned(), value),
    };
    event
}

/// A good purchase with a parameter changed; null takes it away.
pub fn purchase(param: &str, value: Value) -> Value {
    let mut params = json!({
        "transaction_id": "T-1", "value": 500, "currency": "VND",
        "items": [{"item_id": "sku-1", "price": 100, "quantity": 2}, {"item_name": "Áo"}],
    });
    let members = params.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(param),
        value => members.insert(param.to_owned(), value),
    };
    event("purchase", params)
}
