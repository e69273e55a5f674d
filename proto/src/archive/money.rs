//! What of a line stays when its person is erased: the money of an order, and nobody's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Facts, Line};
use crate::event::Event;
use crate::ids::EventId;
use crate::record::Flags;

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Parameters that tell of the money.
const PARAMS: [&str; 9] = [
    "transaction_id",
    "order_platform",
    "value",
    "currency",
    "discount",
    "shipping",
    "tax",
    "refund_id",
    "items",
];
/// Members of its lines.
const ITEM: [&str; 7] =
    ["item_id", "item_name", "item_category", "item_brand", "item_variant", "price", "quantity"];

impl Line {
    /// The line of an order's money under an id that leads back to nobody. `event` is what this
    /// line reads as. Amounts stay as they were written.
    #[must_use]
    pub fn without_person(&self, event: &Event, id: EventId) -> String {
        let members: Members<'_> = serde_json::from_str(self.event.get()).unwrap_or_default();
        let params = members.get("params").map_or("{}", |params| params.get());
        let kept = kept(params, &PARAMS, |name, value| match name {
            "items" => items(value),
            _ => value.to_owned(),
        });
        let facts = Facts {
            server_key: self.facts.server_key,
            currency: self.facts.currency,
            id: Some(id),
            bot: event.flags.has(Flags::BOT),
            erased: true,
            ..Facts::default()
        };
        let facts = serde_json::to_string(&facts).unwrap_or_default();
        let (site, received) = (&self.site, self.received_at_ms);
        let (name, platform, ts) = (&event.name, event.platform.as_str(), event.occurred_at_ms);
        let event =
            format!(r#"{{"name":"{name}","platform":"{platform}","ts":{ts},"params":{kept}}}"#);
        format!(r#"{{"site":"{site}","received":{received},"facts":{facts},"event":{event}}}"#)
    }
}

fn items(json: &str) -> String {
    let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    let plain = |_: &str, value: &str| value.to_owned();
    let items: Vec<String> = items.iter().map(|item| kept(item.get(), &ITEM, plain)).collect();
    format!("[{}]", items.join(","))
}

/// An object with the members of these names.
fn kept(json: &str, names: &[&str], write: impl Fn(&str, &str) -> String) -> String {
    let members: Members<'_> = serde_json::from_str(json).unwrap_or_default();
    let of_names = members.iter().filter(|(name, _)| names.contains(&name.as_ref()));
    let written = of_names.map(|(name, value)| format!("\"{name}\":{}", write(name, value.get())));
    format!("{{{}}}", written.collect::<Vec<String>>().join(","))
}
