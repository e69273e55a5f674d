//! Lazada: times as text with an offset, amounts as numbers or texts, and a list of the states of
//! the order's items, of which the one that is behind all others stands for the order.

use edgetally_proto::back_office::State;
use serde_json::Value;

use crate::orders::draft::{Clock, Draft, Line, Said};

/// The states of items that stand for an order, the first one that there is.
const BEHIND: [State; 9] = [
    State::Unpaid,
    State::Pending,
    State::ReadyToShip,
    State::Shipped,
    State::Delivered,
    State::Completed,
    State::Returned,
    State::Failed,
    State::Cancelled,
];

fn state(status: &str) -> Option<State> {
    Some(match status {
        "unpaid" => State::Unpaid,
        "pending" => State::Pending,
        "topack" | "packed" | "toship" | "ready_to_ship" => State::ReadyToShip,
        "shipped" => State::Shipped,
        "delivered" => State::Delivered,
        "confirmed" => State::Completed,
        "canceled" | "cancelled" => State::Cancelled,
        "returned" | "shipped_back" | "shipped_back_success" => State::Returned,
        "failed_delivery" | "failed" | "lost_by_3pl" | "damaged_by_3pl" => State::Failed,
        _ => return None,
    })
}

/// The states as they are written, and the one that stands for all of them.
fn states(order: &Value) -> (Said, Option<State>) {
    let field = if order.get("statuses").is_some() { "statuses" } else { "status" };
    let written: Vec<&str> = match order.get(field) {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => one.split(',').map(str::trim).collect(),
        _ => Vec::new(),
    };
    let said = Said::under(field, written.join(","));
    let known: Vec<Option<State>> = written.iter().map(|text| state(text)).collect();
    let representative = BEHIND.into_iter().find(|state| known.contains(&Some(*state)));
    // An item in a state that nobody knows may be behind all others.
    (said, representative.filter(|_| !known.contains(&None)))
}

fn line((at, line): (usize, &Value)) -> Line {
    let said = super::of_line("order_item.data", at, line);
    Line {
        id: said("sku"),
        name: said("name"),
        variant: said("variation"),
        price: vec![said("item_price")],
        ..Line::default()
    }
}

pub(super) fn draft(whole: &Value) -> Draft {
    let order = whole.get("order").unwrap_or(whole);
    let items = ["/order_item/data", "/order_items", "/items"];
    let items = items.iter().find_map(|path| whole.pointer(path)?.as_array());
    let said = |field: &str| Said::of(order, field);
    let (status, state) = states(order);
    let ended = |of: State| if state == Some(of) { said("updated_at") } else { Said::default() };
    let first = items.and_then(|items| items.first());
    let currency = first.map(|line| Said::of(line, "currency")).filter(Said::is_said);
    Draft {
        code: Said::first_of(order, &["order_number", "order_id"]),
        customer: said("customer_id"),
        status,
        state,
        total: said("price"),
        discount: said("voucher"),
        paid: vec![(said("price"), false), (said("shipping_fee"), false), (said("voucher"), true)],
        currency: currency.unwrap_or_else(|| said("currency")),
        clock: Clock::Written,
        ordered: said("created_at"),
        completed: ended(State::Completed),
        cancelled: ended(State::Cancelled),
        updated: said("updated_at"),
        region: said("address_shipping.country"),
        city: said("address_shipping.city"),
        list: Said::under("order_item.data", Value::Null),
        lines: items.into_iter().flatten().enumerate().map(line).collect(),
        ..Draft::default()
    }
}
