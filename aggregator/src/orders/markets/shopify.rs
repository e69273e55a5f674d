//! Shopify: the members of its REST interface, and those of its `GraphQL` interface as tables hold
//! them. Only captured money is paid; orders that test a shop are refused.

use edgetally_proto::back_office::State;
use serde_json::Value;

use crate::orders::draft::{Clock, Draft, Line, Refusal, Said};

/// What payment and delivery say together.
fn state(financial: &str, fulfillment: &str, is_cancelled: bool) -> Option<State> {
    let is_fulfilled = fulfillment == "fulfilled";
    Some(match financial {
        _ if is_cancelled => State::Cancelled,
        "voided" | "expired" => State::Cancelled,
        "refunded" => State::Returned,
        "paid" | "partially_refunded" if is_fulfilled => State::Completed,
        "paid" | "partially_refunded" => State::ReadyToShip,
        "pending" | "authorized" | "partially_paid" if is_fulfilled => State::Shipped,
        "pending" | "authorized" | "partially_paid" => State::Pending,
        "unpaid" => State::Unpaid,
        _ => return None,
    })
}

fn line((at, line): (usize, &Value)) -> Line {
    let said = super::of_line("line_items", at, line);
    Line {
        id: said("product_id"),
        name: said("name"),
        brand: said("vendor"),
        variant: said("variant_id"),
        price: vec![said("price")],
        quantity: said("quantity"),
        ..Line::default()
    }
}

/// A line of an export for spreadsheets, which has columns of its own for lines.
fn line_of_row(line: &Value) -> Line {
    let said = |field: &str| Said::of(line, field);
    Line {
        id: said("lineitem_sku"),
        name: said("lineitem_name"),
        brand: said("vendor"),
        price: vec![said("lineitem_price")],
        quantity: said("lineitem_quantity"),
        row: super::csv::number_of(line),
        ..Line::default()
    }
}

fn is_true(said: &Said) -> bool {
    match &said.value {
        Value::Bool(yes) => *yes,
        Value::String(text) => text.trim().eq_ignore_ascii_case("true"),
        _ => false,
    }
}

pub(super) fn draft(order: &Value) -> Result<Draft, Refusal> {
    let said = |field: &str| Said::of(order, field);
    let any = |fields: &[&str]| Said::first_of(order, fields);
    if is_true(&said("test")) {
        return Err(Refusal::new("value_invalid", "test", "this order is a test"));
    }
    let financial = any(&["financial_status", "display_financial_status"]);
    let fulfillment = any(&["fulfillment_status", "display_fulfillment_status"]);
    let text = |said: &Said| said.value.as_str().unwrap_or_default().trim().to_lowercase();
    let cancelled = said("cancelled_at");
    let state = state(&text(&financial), &text(&fulfillment), cancelled.is_said());
    let completed = any(&["closed_at", "updated_at", "fulfilled_at", "paid_at"]);
    let list = |name: &str| order.get(name).and_then(Value::as_array).into_iter().flatten();
    let lines = list("line_items").enumerate().map(line);
    let lines = lines.chain(list(super::csv::LINES).map(line_of_row)).collect();
    let is_paid = ["paid", "partially_refunded", "refunded"].contains(&text(&financial).as_str());
    let paid_at = any(&["paid_at", "processed_at", "created_at"]);
    Ok(Draft {
        code: any(&["id", "name"]),
        customer: any(&["customer_id", "customer.id"]),
        status: financial,
        state,
        total: total(order),
        discount: any(&["total_discounts", "total_discounts_set_shop_amount", "discount_amount"]),
        paid: vec![(any(&["total_price", "total_price_set_shop_amount", "total"]), false)],
        currency: any(&["currency", "currency_code", "total_price_set_shop_currency_code"]),
        clock: Clock::Written,
        ordered: any(&["created_at", "processed_at"]),
        completed: if state == Some(State::Completed) { completed } else { Said::default() },
        cancelled,
        paid_at: if is_paid { paid_at } else { Said::default() },
        updated: said("updated_at"),
        region: any(&[
            "shipping_address_country_code",
            "shipping_address.country_code",
            "shipping_country",
        ]),
        city: any(&["shipping_address_city", "shipping_address.city", "shipping_city"]),
        list: said("line_items"),
        lines,
        ..Draft::default()
    })
}

/// What the goods came to before discounts, where it is said; else total price and discounts make
/// it.
fn total(order: &Value) -> Said {
    Said::of(order, "total_line_items_price")
}
