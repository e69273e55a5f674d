//! Money, items and the members that commerce events must have.

use super::fields::{
    Path, Reject, Warning, decimal, integer, minor, missing, present, reject, required,
};
use super::fields::{text, warning};
use crate::error::{RejectCode, WarningCode};
use crate::ids::{IdError, TransactionId};
use crate::json::Json;
use crate::limits::{ITEMS_MAX, MINOR_UNITS_MAX, QUANTITY_MAX};
use crate::money::{Currency, Money};
use crate::raw::{ItemMembers, ParamMembers};
use crate::record::{Fact, Item};
use crate::vital::Vital;

/// Amounts and items of an event, read as the table of rules says, not yet in minor units.
pub(super) struct Amounts<'t> {
    value: Option<&'t str>,
    discount: Option<&'t str>,
    tax: Option<&'t str>,
    shipping: Option<&'t str>,
    lines: Vec<Line<'t>>,
    currency: Currency,
    currency_written: Option<&'t str>,
}

/// An item as written.
#[derive(Default)]
struct Line<'t> {
    id: Option<&'t str>,
    name: Option<&'t str>,
    category: Option<&'t str>,
    brand: Option<&'t str>,
    variant: Option<&'t str>,
    price: Option<&'t str>,
    quantity: u32,
}

/// Reads the rows `value` to `items` of the table.
pub(super) fn amounts<'t>(
    params: &ParamMembers<'t>,
    default: Currency,
) -> Result<Amounts<'t>, Reject> {
    let value = decimal(params.value, Path::Param("value"))?;
    let sent = lines(params.items)?;
    let mut lines = Vec::with_capacity(sent.len());
    for (at, line) in sent.iter().enumerate() {
        let price = decimal(line.price, Path::Item(at, "price"))?;
        lines.push(Line { price, ..Line::default() });
    }
    let discount = decimal(params.discount, Path::Param("discount"))?;
    let tax = decimal(params.tax, Path::Param("tax"))?;
    let shipping = decimal(params.shipping, Path::Param("shipping"))?;
    for (at, (sent, line)) in sent.iter().zip(&mut lines).enumerate() {
        let field = Path::Item(at, "quantity");
        let quantity = integer(sent.quantity, field, 1..=QUANTITY_MAX)?.unwrap_or(1);
        line.quantity = u32::try_from(quantity).unwrap_or(1);
    }
    integer(params.quantity, Path::Param("quantity"), 1..=QUANTITY_MAX)?;
    let currency_written = text(params.currency, Path::Param("currency"))?;
    let currency = match currency_written {
        None => default,
        // Most shops name the one currency that they have.
        Some(code) if code == default.code() => default,
        Some(code) => Currency::parse(code).ok_or_else(|| unknown_currency(code))?,
    };
    if lines.len() > ITEMS_MAX {
        let message = format!("has more than {ITEMS_MAX} items");
        return Err(reject(RejectCode::TooManyItems, Path::Param("items"), message));
    }
    for (at, (sent, line)) in sent.iter().zip(&mut lines).enumerate() {
        name_line(sent, line, at)?;
    }
    Ok(Amounts { value, discount, tax, shipping, lines, currency, currency_written })
}

fn unknown_currency(code: &str) -> Reject {
    let shown: String = code.chars().take(16).collect();
    let message = format!("{shown} is not an ISO 4217 currency");
    reject(RejectCode::CurrencyUnknown, Path::Param("currency"), message)
}

fn lines(items: Option<Json<'_>>) -> Result<Vec<ItemMembers<'_>>, Reject> {
    let Some(items) = present(items) else { return Ok(Vec::new()) };
    let refuse = |field, message: &str| reject(RejectCode::ValueInvalid, field, message);
    let items = items.items().ok_or_else(|| refuse(Path::Param("items"), "must be an array"))?;
    items
        .enumerate()
        .map(|(at, item)| match item.is_object() {
            true => Ok(ItemMembers::of(item)),
            false => Err(refuse(Path::Item(at, ""), "must be an object")),
        })
        .collect()
}

fn name_line<'t>(sent: &ItemMembers<'t>, line: &mut Line<'t>, at: usize) -> Result<(), Reject> {
    line.id = text(sent.item_id, Path::Item(at, "item_id"))?;
    line.name = text(sent.item_name, Path::Item(at, "item_name"))?;
    line.category = text(sent.item_category, Path::Item(at, "item_category"))?;
    line.brand = text(sent.item_brand, Path::Item(at, "item_brand"))?;
    line.variant = text(sent.item_variant, Path::Item(at, "item_variant"))?;
    if line.id.is_none() && line.name.is_none() {
        return Err(missing(Path::Item(at, "item_id")));
    }
    Ok(())
}

/// Rounds amounts to the currency's decimals and notes where that changed something.
struct Rounding<'a> {
    exponent: u32,
    warnings: &'a mut Vec<Warning>,
}

impl Rounding<'_> {
    fn minor(&mut self, written: Option<&str>, field: Path) -> Result<Option<i64>, Reject> {
        let Some(written) = written else {
            return Ok(None);
        };
        let (minor, rounded) = minor(written, self.exponent, field)?;
        if rounded {
            let message = format!("rounded to {} decimals", self.exponent);
            self.warnings.push(warning(WarningCode::ValueRounded, field, message));
        }
        Ok(Some(minor))
    }
}

/// What a commerce event says beside its record; none for the other names.
pub(super) fn fact(
    name: &str,
    params: &ParamMembers<'_>,
    amounts: Amounts<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Fact>, Reject> {
    match name {
        "purchase" | "order_created" | "order_cancelled" | "payment_success" | "payment_failed"
        | "refund" => order_fact(name, params, amounts, warnings).map(Some),
        "stock_update" => {
            let item_id = required(params.item_id, Path::Param("item_id"))?.to_owned();
            let stock = integer(params.stock, Path::Param("stock"), 0..=MINOR_UNITS_MAX)?
                .ok_or_else(|| missing(Path::Param("stock")))?;
            let stock = u64::try_from(stock).ok();
            Ok(Some(Fact { item_id: Some(item_id), stock, ..Fact::default() }))
        }
        "search" => {
            let term = required(params.search_term, Path::Param("search_term"))?.trim();
            Ok(Some(Fact { search_term: Some(term.to_owned()), ..Fact::default() }))
        }
        "experiment_view" => {
            let experiment = required(params.experiment_id, Path::Param("experiment_id"))?;
            let variant = required(params.variant_id, Path::Param("variant_id"))?;
            let (experiment, variant) = (Some(experiment.to_owned()), Some(variant.to_owned()));
            Ok(Some(Fact { experiment, variant, ..Fact::default() }))
        }
        "web_vital" => {
            let metric = required(params.metric, Path::Param("metric"))?;
            let value = amounts.value.ok_or_else(|| missing(Path::Param("value")))?;
            let vital = Vital::read(metric, value);
            Ok(vital.map(|vital| Fact { vital: Some(vital), ..Fact::default() }))
        }
        // Their money is only looked at.
        _ => {
            priced(&amounts, warnings, |_, _| {})?;
            let items = if NAMING_ITEMS.contains(&name) { &amounts.lines[..] } else { &[] };
            let named = |line: &Line<'_>| Item { variant: None, ..line.to_item(None) };
            let items: Vec<Item> = items.iter().map(named).collect();
            Ok((!items.is_empty()).then(|| Fact { items, ..Fact::default() }))
        }
    }
}

/// Names whose products are carried though they are of no order. Lists of products are not among
/// them: they are long, and say little of each.
const NAMING_ITEMS: [&str; 5] =
    ["view_item", "add_to_cart", "remove_from_cart", "begin_checkout", "add_to_wishlist"];

/// Rounds the amounts of an event, and hands on every item with its price.
fn priced<'t>(
    amounts: &Amounts<'t>,
    warnings: &mut Vec<Warning>,
    mut item: impl FnMut(&Line<'t>, Option<i64>),
) -> Result<Fact, Reject> {
    let mut rounding = Rounding { exponent: amounts.currency.exponent(), warnings };
    let value = rounding.minor(amounts.value, Path::Param("value"))?;
    let discount = rounding.minor(amounts.discount, Path::Param("discount"))?;
    let tax = rounding.minor(amounts.tax, Path::Param("tax"))?;
    let shipping = rounding.minor(amounts.shipping, Path::Param("shipping"))?;
    for (at, line) in amounts.lines.iter().enumerate() {
        item(line, rounding.minor(line.price, Path::Item(at, "price"))?);
    }
    let value = value.map(|minor| Money { minor, currency: amounts.currency });
    Ok(Fact { value, discount, tax, shipping, ..Fact::default() })
}

impl Line<'_> {
    fn to_item(&self, price: Option<i64>) -> Item {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Item {
            id: own(self.id),
            name: own(self.name),
            category: own(self.category),
            brand: own(self.brand),
            variant: own(self.variant),
            price,
            quantity: self.quantity,
        }
    }
}

fn order_fact(
    name: &str,
    params: &ParamMembers<'_>,
    mut amounts: Amounts<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Fact, Reject> {
    let transaction = required(params.transaction_id, Path::Param("transaction_id"))?;
    let transaction = TransactionId::parse(transaction.trim()).map_err(|error| {
        let code = match error {
            IdError::TooLong(_) => RejectCode::FieldTooLong,
            _ => RejectCode::ValueInvalid,
        };
        reject(code, Path::Param("transaction_id"), error.to_string())
    })?;
    let currency = amounts.currency;
    // A refund takes its order's currency: its value travels as written until they meet.
    let is_refund = name == "refund";
    let value_written = amounts.value.take_if(|_| is_refund);
    let currency_written = amounts.currency_written.filter(|_| is_refund);
    let mut items = Vec::with_capacity(amounts.lines.len());
    let mut fact = priced(&amounts, warnings, |line, price| items.push(line.to_item(price)))?;
    if matches!(name, "purchase" | "order_created") && fact.value.is_none() {
        fact.value = Some(Money { minor: items_total(&items)?, currency });
    }
    let own = |text: Option<&str>| text.map(str::to_owned);
    let read = |member, name: &'static str| text(member, Path::Param(name)).map(own);
    fact.items = items;
    fact.transaction = Some(transaction);
    fact.order_platform = read(params.order_platform, "order_platform")?;
    fact.value_written = own(value_written);
    fact.currency_written = own(currency_written);
    fact.refund_id = read(params.refund_id, "refund_id")?;
    fact.shipping_city = read(params.shipping_city, "shipping_city")?;
    fact.method = read(params.method, "method")?;
    fact.reason = read(params.reason, "reason")?;
    let latency = integer(params.latency_ms, Path::Param("latency_ms"), 0..=i64::from(u32::MAX))?;
    fact.latency_ms = latency.and_then(|ms| u32::try_from(ms).ok());
    Ok(fact)
}

/// The sum of the items, which stands in for an absent value.
fn items_total(items: &[Item]) -> Result<i64, Reject> {
    let mut total = None;
    for item in items {
        let Some(price) = item.price else { continue };
        let line = price.checked_mul(i64::from(item.quantity));
        total =
            Some(line.and_then(|line| line.checked_add(total.unwrap_or(0))).ok_or_else(too_much)?);
    }
    match total {
        None => Err(missing(Path::Param("value"))),
        Some(total) if total > MINOR_UNITS_MAX => Err(too_much()),
        Some(total) => Ok(total),
    }
}

fn too_much() -> Reject {
    reject(RejectCode::ValueOutOfBounds, Path::Param("value"), "exceeds 1e15 minor units")
}
