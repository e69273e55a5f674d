//! The facts of a site in a frame: each says which of its members are there, and texts how far
//! they are like those of the fact or item before.

use crate::campaign::Click;
use crate::columns::keys::{Key, text_of};
use crate::columns::{Reader, Writer, texts};
use crate::error::DecodeError;
use crate::ids::TransactionId;
use crate::money::{Currency, Money};
use crate::record::{Fact, Item};
use crate::vital::{Metric, Vital};

/// Bits of a fact's members. The commoner are lower, so that they fit one byte.
const TRANSACTION: u64 = 1;
const VALUE: u64 = 1 << 1;
const ITEMS: u64 = 1 << 2;
const LATENCY: u64 = 1 << 3;
const CLICK: u64 = 1 << 4;
const VITAL: u64 = 1 << 5;
const STOCK: u64 = 1 << 6;
const AMOUNTS: [u64; 3] = [1 << 7, 1 << 8, 1 << 9];
const FIRST_TEXT: u32 = 10;
const TEXTS: usize = 10;
/// Members of the first version. A reader that knows no others takes a fact with more for damaged,
/// so in frames the others have a part of their own.
pub const FIRST: u64 = (1 << (FIRST_TEXT + TEXTS as u32)) - 1;
const SEARCH_TERM: u64 = 1 << 20;
const PARAMS: u64 = 1 << 21;
/// Members that came later.
pub const LATER: u64 = SEARCH_TERM | PARAMS;
/// Bits of an item's members; five texts come first.
const PRICE: u8 = 1 << 5;
const QUANTITY: u8 = 1 << 6;

fn text_members(fact: &Fact) -> [&Option<String>; TEXTS] {
    [
        &fact.shipping_city,
        &fact.method,
        &fact.reason,
        &fact.experiment,
        &fact.variant,
        &fact.item_id,
        &fact.order_platform,
        &fact.refund_id,
        &fact.value_written,
        &fact.currency_written,
    ]
}

fn text_members_mut(fact: &mut Fact) -> [&mut Option<String>; TEXTS] {
    [
        &mut fact.shipping_city,
        &mut fact.method,
        &mut fact.reason,
        &mut fact.experiment,
        &mut fact.variant,
        &mut fact.item_id,
        &mut fact.order_platform,
        &mut fact.refund_id,
        &mut fact.value_written,
        &mut fact.currency_written,
    ]
}

fn item_texts(item: &Item) -> [&Option<String>; 5] {
    [&item.id, &item.name, &item.category, &item.brand, &item.variant]
}

fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn mask_of(fact: &Fact) -> u64 {
    let amounts = [fact.discount, fact.shipping, fact.tax].map(|amount| amount.is_some());
    let texts = text_members(fact).map(Option::is_some);
    let single = [
        (TRANSACTION, fact.transaction.is_some()),
        (VALUE, fact.value.is_some()),
        (ITEMS, !fact.items.is_empty()),
        (LATENCY, fact.latency_ms.is_some()),
        (CLICK, fact.click.is_some()),
        (VITAL, fact.vital.is_some()),
        (STOCK, fact.stock.is_some()),
        (SEARCH_TERM, fact.search_term.is_some()),
        (PARAMS, !fact.params.is_empty()),
    ];
    let texts = texts.into_iter().enumerate().map(|(at, is)| (1 << FIRST_TEXT << at, is));
    let all = single.into_iter().chain(AMOUNTS.into_iter().zip(amounts)).chain(texts);
    all.fold(0, |mask, (bit, is_there)| if is_there { mask | bit } else { mask })
}

/// The bytes of facts, of whose members only some are written. A fact that has others alone is left
/// out.
pub fn encode(facts: &[Fact], members: u64) -> Vec<u8> {
    let (mut out, empty, no_item) = (Writer::default(), Fact::default(), Item::default());
    let (mut before, mut item_before) = (&empty, &no_item);
    for fact in facts {
        let all = mask_of(fact);
        let mask = all & members;
        // One without any stands among the first.
        if mask == 0 && (all != 0 || members & FIRST == 0) {
            continue;
        }
        out.signed(i64::from(fact.record) - i64::from(before.record));
        out.unsigned(mask >> members.trailing_zeros());
        if mask & FIRST != 0 {
            write_members(&mut out, fact, before);
        }
        if mask & ITEMS != 0 {
            out.unsigned(fact.items.len() as u64);
            for item in &fact.items {
                write_item(&mut out, item, item_before);
                item_before = item;
            }
        }
        if mask & LATER != 0 {
            write_later(&mut out, fact, before);
        }
        before = fact;
    }
    out.into_bytes()
}

fn write_later(out: &mut Writer, fact: &Fact, before: &Fact) {
    if let Some(term) = &fact.search_term {
        texts::write(out, or_empty(&before.search_term), term);
    }
    if !fact.params.is_empty() {
        out.unsigned(fact.params.len() as u64);
    }
    let nothing = (String::new(), String::new());
    for (at, (name, value)) in fact.params.iter().enumerate() {
        let (like, like_value) = before.params.get(at).unwrap_or(&nothing);
        texts::write(out, like, name);
        texts::write(out, like_value, value);
    }
}

fn write_members(out: &mut Writer, fact: &Fact, before: &Fact) {
    if let Some(transaction) = &fact.transaction {
        match Key::of(transaction.as_str()) {
            Key::Uuid(uuid) => {
                out.byte(0);
                out.bytes(&uuid);
            }
            Key::Text(text) => {
                out.byte(1);
                let like = before.transaction.as_ref().map_or("", TransactionId::as_str);
                texts::write(out, like, text);
            }
        }
    }
    if let Some(value) = fact.value {
        out.signed(value.minor);
        texts::write(out, code_of(before), value.currency.code());
    }
    if let Some(latency_ms) = fact.latency_ms {
        out.unsigned(u64::from(latency_ms));
    }
    if let Some(click) = &fact.click {
        texts::write(out, "", &click.kind);
        texts::write(out, "", &click.value);
    }
    if let Some(vital) = fact.vital {
        out.byte(vital.metric as u8);
        out.unsigned(vital.value);
    }
    if let Some(stock) = fact.stock {
        out.unsigned(stock);
    }
    [fact.discount, fact.shipping, fact.tax].into_iter().flatten().for_each(|n| out.signed(n));
    for (text, like) in text_members(fact).into_iter().zip(text_members(before)) {
        if let Some(text) = text {
            texts::write(out, or_empty(like), text);
        }
    }
}

fn code_of(fact: &Fact) -> &'static str {
    fact.value.map_or("", |value| value.currency.code())
}

fn write_item(out: &mut Writer, item: &Item, before: &Item) {
    let is_there = item_texts(item).map(Option::is_some);
    let texts = is_there.into_iter().enumerate().map(|(at, is)| u8::from(is) << at);
    let price = if item.price.is_some() { PRICE } else { 0 };
    let quantity = if item.quantity == 1 { 0 } else { QUANTITY };
    out.byte(texts.sum::<u8>() | price | quantity);
    for (text, like) in item_texts(item).into_iter().zip(item_texts(before)) {
        if let Some(text) = text {
            texts::write(out, or_empty(like), text);
        }
    }
    if let Some(price) = item.price {
        out.signed(price);
    }
    if item.quantity != 1 {
        out.unsigned(u64::from(item.quantity));
    }
}

/// Reads facts, whose records are below `records`, as they were written with the same `members`.
///
/// # Errors
/// If the bytes are no facts, or one has no record.
pub fn decode(bytes: &[u8], records: usize, members: u64) -> Result<Vec<Fact>, DecodeError> {
    let (mut reader, mut facts) = (Reader::new(bytes), Vec::<Fact>::new());
    let (empty, mut item_before) = (Fact::default(), Item::default());
    while !reader.is_at_end() {
        // A fact takes far more room than bytes, so there are no more of them than records.
        if facts.len() == records {
            return Err(DecodeError::Malformed("there are more facts than records"));
        }
        let before = facts.last().unwrap_or(&empty);
        let record = i64::from(before.record).checked_add(reader.signed()?);
        let record = record.and_then(|record| u32::try_from(record).ok());
        let record = record
            .filter(|record| usize::try_from(*record).is_ok_and(|record| record < records))
            .ok_or(DecodeError::Malformed("a fact has no record"))?;
        let mut fact = Fact { record, ..Fact::default() };
        let mask = reader.unsigned()?;
        let mask = mask.saturating_mul(1 << members.trailing_zeros());
        if mask & !members != 0 {
            return Err(DecodeError::Malformed("a fact has members that nobody knows"));
        }
        read_members(&mut reader, mask, &mut fact, before)?;
        for _ in 0..if mask & ITEMS == 0 { 0 } else { reader.unsigned()? } {
            let item = read_item(&mut reader, &item_before)?;
            item_before.clone_from(&item);
            fact.items.push(item);
        }
        read_later(&mut reader, mask, &mut fact, before)?;
        facts.push(fact);
    }
    Ok(facts)
}

fn read_later(
    reader: &mut Reader<'_>,
    mask: u64,
    fact: &mut Fact,
    before: &Fact,
) -> Result<(), DecodeError> {
    if mask & SEARCH_TERM != 0 {
        fact.search_term = Some(texts::read(reader, or_empty(&before.search_term))?);
    }
    let nothing = (String::new(), String::new());
    for at in 0..if mask & PARAMS == 0 { 0 } else { reader.unsigned()? } {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let (like, like_value) = before.params.get(at).unwrap_or(&nothing);
        let (name, value) = (texts::read(reader, like)?, texts::read(reader, like_value)?);
        fact.params.push((name, value));
    }
    Ok(())
}

/// Facts with what came in a part of its own.
///
/// The list is in the order of the records if there is any such.
#[must_use]
pub fn with_later(mut facts: Vec<Fact>, later: Vec<Fact>) -> Vec<Fact> {
    if later.is_empty() {
        return facts;
    }
    facts.sort_by_key(|fact| fact.record);
    let known = facts.len();
    for more in later {
        let place = facts
            .get(..known)
            .map(|known| known.binary_search_by_key(&more.record, |fact| fact.record));
        match place.and_then(Result::ok).and_then(|at| facts.get_mut(at)) {
            Some(fact) => (fact.search_term, fact.params) = (more.search_term, more.params),
            None => facts.push(more),
        }
    }
    facts.sort_by_key(|fact| fact.record);
    facts
}

fn read_members(
    reader: &mut Reader<'_>,
    mask: u64,
    fact: &mut Fact,
    before: &Fact,
) -> Result<(), DecodeError> {
    if mask & TRANSACTION != 0 {
        let like = before.transaction.as_ref().map_or("", TransactionId::as_str);
        fact.transaction = Some(read_transaction(reader, like)?);
    }
    if mask & VALUE != 0 {
        let minor = reader.signed()?;
        let currency = Currency::parse(&texts::read(reader, code_of(before))?);
        let currency = currency.ok_or(DecodeError::Malformed("a currency is none"))?;
        fact.value = Some(Money { minor, currency });
    }
    if mask & LATENCY != 0 {
        let latency_ms = u32::try_from(reader.unsigned()?);
        fact.latency_ms =
            Some(latency_ms.map_err(|_| DecodeError::Malformed("a latency is none"))?);
    }
    if mask & CLICK != 0 {
        let (kind, value) = (texts::read(reader, "")?, texts::read(reader, "")?);
        fact.click = Some(Box::new(Click { kind, value }));
    }
    if mask & VITAL != 0 {
        let metric = Metric::from_wire(u64::from(reader.byte()?));
        let metric = metric.ok_or(DecodeError::Malformed("a web vital is none"))?;
        fact.vital = Some(Vital { metric, value: reader.unsigned()? });
    }
    if mask & STOCK != 0 {
        fact.stock = Some(reader.unsigned()?);
    }
    let amounts = [&mut fact.discount, &mut fact.shipping, &mut fact.tax];
    for (amount, bit) in amounts.into_iter().zip(AMOUNTS) {
        *amount = if mask & bit == 0 { None } else { Some(reader.signed()?) };
    }
    let members = text_members_mut(fact).into_iter().zip(text_members(before));
    for (at, (text, like)) in members.enumerate() {
        if mask >> FIRST_TEXT >> at & 1 == 1 {
            *text = Some(texts::read(reader, or_empty(like))?);
        }
    }
    Ok(())
}

fn read_transaction(reader: &mut Reader<'_>, like: &str) -> Result<TransactionId, DecodeError> {
    const WRONG: DecodeError = DecodeError::Malformed("a transaction is none");
    let text = match reader.byte()? {
        0 => text_of(reader.take(16)?.try_into().map_err(|_| DecodeError::Truncated)?),
        1 => texts::read(reader, like)?,
        _ => return Err(WRONG),
    };
    TransactionId::parse(&text).map_err(|_| WRONG)
}

fn read_item(reader: &mut Reader<'_>, before: &Item) -> Result<Item, DecodeError> {
    let (mask, mut item) = (reader.byte()?, Item::default());
    let Item { id, name, category, brand, variant, .. } = &mut item;
    let members = [id, name, category, brand, variant].into_iter().zip(item_texts(before));
    for (at, (text, like)) in members.enumerate() {
        if mask >> at & 1 == 1 {
            *text = Some(texts::read(reader, or_empty(like))?);
        }
    }
    item.price = if mask & PRICE == 0 { None } else { Some(reader.signed()?) };
    let quantity = if mask & QUANTITY == 0 { Ok(1) } else { u32::try_from(reader.unsigned()?) };
    item.quantity = quantity.map_err(|_| DecodeError::Malformed("a quantity is none"))?;
    Ok(item)
}
