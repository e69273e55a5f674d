//! Money, items and the members that commerce events must have.

use serde_json::{Map, Value};

use super::fields::{
    Path, Reject, Warning, decimal, integer, minor, missing, present, reject, required,
};
use super::fields::{text, warning};
use crate::error::{RejectCode, WarningCode};
use crate::ids::TransactionId;
use crate::limits::{ITEMS_MAX, MINOR_UNITS_MAX, QUANTITY_MAX};
use crate::money::{Currency, Money};
use crate::record::{Fact, Item};

type Params = Map<String, Value>;

/// Amounts and items of an event, read as the table of rules says, not yet in minor units.
pub(super) struct Amounts {
    value: Option<String>,
    discount: Option<String>,
    tax: Option<String>,
    shipping: Option<String>,
    items: Vec<(Item, Option<String>)>,
    currency: Currency,
    currency_written: Option<String>,
}

/// Reads the rows `value` to `items` of the table.
pub(super) fn amounts(params: &Params, default: Currency) -> Result<Amounts, Reject> {
    let money = |name: &'static str| decimal(params.get(name), Path::Param(name));
    let value = money("value")?;
    let lines = lines(params)?;
    let mut prices = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        prices.push(decimal(line.get("price"), Path::Item(at, "price"))?);
    }
    let (discount, tax, shipping) = (money("discount")?, money("tax")?, money("shipping")?);
    let mut items = Vec::with_capacity(lines.len());
    for (at, (line, price)) in lines.iter().zip(prices).enumerate() {
        let field = Path::Item(at, "quantity");
        let quantity = integer(line.get("quantity"), field, 1..=QUANTITY_MAX)?.unwrap_or(1);
        let quantity = u32::try_from(quantity).unwrap_or(1);
        items.push((Item { quantity, ..Item::default() }, price));
    }
    integer(params.get("quantity"), Path::Param("quantity"), 1..=QUANTITY_MAX)?;
    let currency_written = text(params.get("currency"), Path::Param("currency"))?;
    let currency = match currency_written {
        None => default,
        Some(code) => Currency::parse(code).ok_or_else(|| unknown_currency(code))?,
    };
    if lines.len() > ITEMS_MAX {
        let message = format!("has more than {ITEMS_MAX} items");
        return Err(reject(RejectCode::TooManyItems, Path::Param("items"), message));
    }
    for (at, (line, (item, _))) in lines.iter().zip(&mut items).enumerate() {
        name_item(line, item, at)?;
    }
    let currency_written = currency_written.map(str::to_owned);
    Ok(Amounts { value, discount, tax, shipping, items, currency, currency_written })
}

fn unknown_currency(code: &str) -> Reject {
    let shown: String = code.chars().take(16).collect();
    let message = format!("{shown} is not an ISO 4217 currency");
    reject(RejectCode::CurrencyUnknown, Path::Param("currency"), message)
}

fn lines(params: &Params) -> Result<Vec<&Params>, Reject> {
    let items = match present(params.get("items")) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => {
            return Err(reject(RejectCode::ValueInvalid, Path::Param("items"), "must be an array"));
        }
    };
    let line = |(at, item): (usize, &'_ Value)| match item {
        Value::Object(_) => Ok(()),
        _ => Err(reject(RejectCode::ValueInvalid, Path::Item(at, ""), "must be an object")),
    };
    items.iter().enumerate().try_for_each(line)?;
    Ok(items.iter().filter_map(Value::as_object).collect())
}

fn name_item(line: &Params, item: &mut Item, at: usize) -> Result<(), Reject> {
    let read = |name: &'static str| {
        text(line.get(name), Path::Item(at, name)).map(|t| t.map(str::to_owned))
    };
    item.id = read("item_id")?;
    item.name = read("item_name")?;
    item.category = read("item_category")?;
    item.brand = read("item_brand")?;
    item.variant = read("item_variant")?;
    if item.id.is_none() && item.name.is_none() {
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
    fn minor(&mut self, written: Option<&String>, field: Path) -> Result<Option<i64>, Reject> {
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
    params: &Params,
    amounts: Amounts,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Fact>, Reject> {
    match name {
        "purchase" | "order_created" | "order_cancelled" | "payment_success" | "payment_failed"
        | "refund" => order_fact(name, params, amounts, warnings).map(Some),
        "stock_update" => {
            let item_id = required(params.get("item_id"), Path::Param("item_id"))?.to_owned();
            let stock = integer(params.get("stock"), Path::Param("stock"), 0..=MINOR_UNITS_MAX)?
                .ok_or_else(|| missing(Path::Param("stock")))?;
            let stock = u64::try_from(stock).ok();
            Ok(Some(Fact { item_id: Some(item_id), stock, ..Fact::default() }))
        }
        "search" => required(params.get("search_term"), Path::Param("search_term")).map(|_| None),
        "experiment_view" => {
            let experiment = required(params.get("experiment_id"), Path::Param("experiment_id"))?;
            let variant = required(params.get("variant_id"), Path::Param("variant_id"))?;
            let (experiment, variant) = (Some(experiment.to_owned()), Some(variant.to_owned()));
            Ok(Some(Fact { experiment, variant, ..Fact::default() }))
        }
        "web_vital" => {
            required(params.get("metric"), Path::Param("metric"))?;
            amounts.value.ok_or_else(|| missing(Path::Param("value"))).map(|_| None)
        }
        _ => priced(amounts, warnings).map(|_| None),
    }
}

/// Rounds the amounts of an event whose money is only looked at.
fn priced(amounts: Amounts, warnings: &mut Vec<Warning>) -> Result<Fact, Reject> {
    let mut rounding = Rounding { exponent: amounts.currency.exponent(), warnings };
    let value = rounding.minor(amounts.value.as_ref(), Path::Param("value"))?;
    let discount = rounding.minor(amounts.discount.as_ref(), Path::Param("discount"))?;
    let tax = rounding.minor(amounts.tax.as_ref(), Path::Param("tax"))?;
    let shipping = rounding.minor(amounts.shipping.as_ref(), Path::Param("shipping"))?;
    let mut items = Vec::with_capacity(amounts.items.len());
    for (at, (mut item, price)) in amounts.items.into_iter().enumerate() {
        item.price = rounding.minor(price.as_ref(), Path::Item(at, "price"))?;
        items.push(item);
    }
    let value = value.map(|minor| Money { minor, currency: amounts.currency });
    Ok(Fact { value, discount, tax, shipping, items, ..Fact::default() })
}

fn order_fact(
    name: &str,
    params: &Params,
    mut amounts: Amounts,
    warnings: &mut Vec<Warning>,
) -> Result<Fact, Reject> {
    let transaction = required(params.get("transaction_id"), Path::Param("transaction_id"))?;
    let transaction = TransactionId::parse(transaction.trim()).map_err(|error| {
        let code = match error {
            crate::ids::IdError::TooLong(_) => RejectCode::FieldTooLong,
            _ => RejectCode::ValueInvalid,
        };
        reject(code, Path::Param("transaction_id"), error.to_string())
    })?;
    let currency = amounts.currency;
    // A refund takes its order's currency: its value travels as written until they meet.
    let is_refund = name == "refund";
    let value_written = amounts.value.clone().filter(|_| is_refund);
    let currency_written = amounts.currency_written.clone().filter(|_| is_refund);
    if is_refund {
        amounts.value = None;
    }
    let mut fact = priced(amounts, warnings)?;
    if matches!(name, "purchase" | "order_created") && fact.value.is_none() {
        fact.value = Some(Money { minor: items_total(&fact.items)?, currency });
    }
    let read = |name: &'static str| {
        text(params.get(name), Path::Param(name)).map(|t| t.map(str::to_owned))
    };
    fact.transaction = Some(transaction);
    fact.order_platform = read("order_platform")?;
    fact.value_written = value_written;
    fact.currency_written = currency_written;
    fact.refund_id = read("refund_id")?;
    fact.shipping_city = read("shipping_city")?;
    fact.method = read("method")?;
    fact.reason = read("reason")?;
    let latency =
        integer(params.get("latency_ms"), Path::Param("latency_ms"), 0..=i64::from(u32::MAX))?;
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
