//! What is in stock: of every product what the newest event says, by the time it happened.
//!
//! All events are held, because the newest may be taken back: an earlier copy of it turns up, or
//! it is erased.

use std::sync::Arc;

use edgetally_proto::ids::EventId;
use edgetally_proto::record::Flags;
use imbl::OrdMap;

use crate::records::Stored;
use crate::texts::TextId;

/// When an event happened, its id, and its client: of two at one time the greater id is the newer.
type Place = (i64, EventId, TextId);

/// The stock of a site's products. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    items: OrdMap<Arc<str>, OrdMap<Place, u64>>,
}

/// What is left of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left<'a> {
    /// The product's id.
    pub item_id: &'a str,
    /// Pieces, from 0.
    pub stock: u64,
    /// When that was so, epoch ms.
    pub at_ms: i64,
}

impl Stock {
    /// Takes note of a record, or takes it back. Only `stock_update` says anything of a stock.
    pub fn change(&mut self, record: &Stored, is_added: bool) {
        let Some(fact) = record.fact.as_ref() else { return };
        let (Some(item), Some(stock)) = (fact.item_id.as_deref(), fact.stock) else { return };
        if record.flags.has(Flags::BOT) {
            return;
        }
        let place = (record.occurred_at_ms, record.id.clone(), record.client);
        if is_added {
            self.items.entry(item.into()).or_default().insert(place, stock);
        } else if let Some(events) = self.items.get_mut(item) {
            events.remove(&place);
            if events.is_empty() {
                self.items.remove(item);
            }
        }
    }

    /// What is left of each product, by id, of those after an id.
    pub fn left<'a>(&'a self, after: Option<&'a str>) -> impl Iterator<Item = Left<'a>> {
        let rest = self
            .items
            .iter()
            .filter(move |(item, _)| after.is_none_or(|after| item.as_ref() > after));
        rest.filter_map(|(item, events)| {
            let ((at_ms, ..), stock) = events.get_max()?;
            Some(Left { item_id: item, stock: *stock, at_ms: *at_ms })
        })
    }
}
