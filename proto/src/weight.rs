//! What things weigh in a frame: never less than their bytes, so that a window can be committed
//! before it outgrows its frame.

use crate::campaign::Campaign;
use crate::channel::Grade;
use crate::ids::EventId;
use crate::record::{Fact, Item, Letter};
use crate::visitor::Place;

/// Bytes that a record and its counter weigh at most in a frame, beside its texts.
pub const RECORD_BYTES: usize = 72;
/// Bytes that a fact or one of its items weighs at most, beside its texts: all of its members.
const FACT_BYTES: usize = 256;
const ITEM_BYTES: usize = 96;

/// What a campaign weighs in a frame at most.
#[must_use]
pub fn of_campaign(campaign: &Campaign) -> usize {
    let Campaign { source, medium, name, term, content, id } = campaign;
    64 + [source, medium, name, term, content, id].map(String::len).iter().sum::<usize>()
}

/// What a channel weighs in a frame at most.
#[must_use]
pub fn of_grade(grade: &Grade) -> usize {
    32 + grade.channel.len() + grade.source.len()
}

/// What a place weighs in a frame at most.
#[must_use]
pub fn of_place(place: &Place) -> usize {
    16 + place.country.len() + place.region.len() + place.city.len()
}

/// What a device weighs in a frame at most.
pub const DEVICE_BYTES: usize = 8;

/// What an id weighs beyond the 16 bytes of a UUID.
#[must_use]
pub fn of_id(id: &EventId) -> usize {
    match id {
        EventId::Uuid(_) => 0,
        EventId::Text(text) => text.len(),
    }
}

/// What a fact weighs in a frame at most.
#[must_use]
pub fn of_fact(fact: &Fact) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let texts = [
        &fact.order_platform,
        &fact.value_written,
        &fact.currency_written,
        &fact.refund_id,
        &fact.shipping_city,
        &fact.method,
        &fact.reason,
        &fact.item_id,
        &fact.experiment,
        &fact.variant,
        &fact.search_term,
    ];
    let transaction = fact.transaction.as_ref().map_or(0, |id| id.as_str().len());
    let item = |item: &Item| {
        let texts = [&item.id, &item.name, &item.category, &item.brand, &item.variant];
        ITEM_BYTES + texts.map(length).iter().sum::<usize>()
    };
    let items: usize = fact.items.iter().map(item).sum();
    let params: usize = fact.params.iter().map(|(name, value)| 16 + name.len() + value.len()).sum();
    let click = fact.click.as_ref().map_or(0, |click| click.kind.len() + click.value.len());
    FACT_BYTES + click + params + transaction + texts.map(length).iter().sum::<usize>() + items
}

/// About what a dead letter weighs in a frame.
#[must_use]
pub fn of_letter(letter: &Letter) -> usize {
    letter.event.len() + letter.message.len() + letter.field.len() + 64
}
