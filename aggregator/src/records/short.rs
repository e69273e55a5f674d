//! What the back office says of an order, in few bytes: of many orders nothing else is known, and
//! what it says is rarely read again.

use std::sync::Arc;

use edgetally_proto::back_office::{State, Version};
use edgetally_proto::ids::TransactionId;
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Item};
use serde::Serialize;

/// Beside the place of what a record says of an order, in a checkpoint: it is short.
pub(super) const SHORT: u8 = 0x80;

/// What the records of a block say of orders, as it is put together.
#[derive(Default)]
pub(super) struct Said {
    /// What is kept as it is, by place.
    pub(super) facts: Vec<(u8, Arc<Fact>)>,
    /// Where in `short` the rest ends, by place.
    pub(super) told: Vec<(u8, u32)>,
    /// The bytes of the rest.
    pub(super) short: Vec<u8>,
}

impl Said {
    pub(super) fn push(&mut self, at: u8, fact: &Arc<Fact>) {
        match encode(fact).filter(|_| at < SHORT) {
            Some(bytes) => self.push_short(at, &bytes),
            None => self.facts.push((at, fact.clone())),
        }
    }

    pub(super) fn push_short(&mut self, at: u8, bytes: &[u8]) {
        self.short.extend(bytes);
        self.told.push((at, u32::try_from(self.short.len()).unwrap_or(u32::MAX)));
    }
}

type Text = Option<String>;
type Line = (Text, Text, Text, Text, Text, Option<i64>, u32);
type Told = (State, Text, i64, Option<i64>, Option<i64>, i64, Text, Text, bool);
type Amount = (i64, Currency);
/// Without names, and without what such a fact never has. Checkpoints hold it: another one needs a
/// block of another version.
type Row = (Option<TransactionId>, Text, Option<Amount>, Option<i64>, Text, Vec<Line>, Told);

/// The same, lent.
#[derive(Serialize)]
struct Lent<'a>(
    &'a Option<TransactionId>,
    &'a Text,
    Option<Amount>,
    Option<i64>,
    &'a Text,
    Vec<LentLine<'a>>,
    LentTold<'a>,
);

type LentLine<'a> = (&'a Text, &'a Text, &'a Text, &'a Text, &'a Text, Option<i64>, u32);
type LentTold<'a> = (State, &'a Text, i64, Option<i64>, Option<i64>, i64, &'a Text, &'a Text, bool);

/// The bytes of a fact; none if it is none of the back office, or says more than these usually do.
fn encode(fact: &Fact) -> Option<Vec<u8>> {
    let version = fact.told.as_deref()?;
    let lines = fact.items.iter().map(|item| {
        let Item { id, name, category, brand, variant, price, quantity } = item;
        (id, name, category, brand, variant, *price, *quantity)
    });
    let Version { state, state_written, category, region, was_booked, .. } = version;
    let (updated_ms, total) = (version.updated_at_ms, version.total);
    let (completed_ms, cancelled_ms) = (version.completed_at_ms, version.cancelled_at_ms);
    let told: LentTold<'_> = (
        *state,
        state_written,
        updated_ms,
        completed_ms,
        cancelled_ms,
        total,
        category,
        region,
        *was_booked,
    );
    let lent = Lent(
        &fact.transaction,
        &fact.order_platform,
        fact.value.map(|value| (value.minor, value.currency)),
        fact.discount,
        &fact.shipping_city,
        lines.collect(),
        told,
    );
    let bytes = postcard::to_allocvec(&lent).ok()?;
    decode(&bytes).is_some_and(|read| read == *fact).then_some(bytes)
}

/// Reads a fact.
pub(super) fn decode(bytes: &[u8]) -> Option<Fact> {
    let row: Row = postcard::from_bytes(bytes).ok()?;
    let (transaction, order_platform, value, discount, shipping_city, lines, told) = row;
    let (state, state_written, updated_at_ms, completed_at_ms, ..) = told;
    let (.., cancelled_at_ms, total, category, region, was_booked) = told;
    let version = Version {
        state,
        state_written,
        updated_at_ms,
        completed_at_ms,
        cancelled_at_ms,
        total,
        category,
        region,
        was_booked,
    };
    let item = |(id, name, category, brand, variant, price, quantity): Line| Item {
        id,
        name,
        category,
        brand,
        variant,
        price,
        quantity,
    };
    Some(Fact {
        transaction,
        order_platform,
        value: value.map(|(minor, currency)| Money { minor, currency }),
        discount,
        shipping_city,
        items: lines.into_iter().map(item).collect(),
        told: Some(Box::new(version)),
        ..Fact::default()
    })
}
