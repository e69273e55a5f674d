//! TikTok Shop: amounts are texts, times epoch seconds, a line is one piece. Its price before
//! vouchers is what it was sold for and what the platform gave to it.

use edgetally_proto::back_office::State;
use serde_json::Value;

use crate::orders::draft::{Clock, Draft, Line, Said};

fn state(status: &str) -> Option<State> {
    Some(match status {
        "UNPAID" => State::Unpaid,
        "ON_HOLD" => State::Pending,
        "AWAITING_SHIPMENT" | "AWAITING_COLLECTION" | "PARTIALLY_SHIPPING" => State::ReadyToShip,
        "IN_TRANSIT" => State::Shipped,
        "DELIVERED" => State::Delivered,
        "COMPLETED" => State::Completed,
        "CANCELLED" => State::Cancelled,
        _ => return None,
    })
}

fn line((at, line): (usize, &Value)) -> Line {
    let said = super::of_line("line_items", at, line);
    Line {
        id: said("product_id"),
        name: Said { field: said("product_name").field, ..first(line) },
        variant: said("sku_name"),
        price: vec![said("sale_price"), said("platform_discount")],
        ..Line::default()
    }
}

fn first(line: &Value) -> Said {
    Said::first_of(line, &["product_name", "sku_name"])
}

pub(super) fn draft(order: &Value) -> Draft {
    let said = |field: &str| Said::of(order, field);
    let status = said("status");
    let state = status.value.as_str().and_then(|text| state(text.trim()));
    let lines: Vec<Line> = order
        .get("line_items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
        .map(line)
        .collect();
    let ended = |of: State, at: &str| {
        let time = Said::first_of(order, &[at, "update_time"]);
        if state == Some(of) { time } else { Said::default() }
    };
    let total = if lines.is_empty() { said("payment.sub_total") } else { Said::default() };
    Draft {
        code: said("id"),
        customer: said("user_id"),
        status,
        state,
        total: Said { field: "payment.sub_total".to_owned(), ..total },
        discount: said("payment.platform_discount"),
        paid: vec![(said("payment.total_amount"), false)],
        currency: said("payment.currency"),
        clock: Clock::Seconds,
        ordered: said("create_time"),
        completed: ended(State::Completed, "complete_time"),
        cancelled: ended(State::Cancelled, "cancel_time"),
        paid_at: said("paid_time"),
        updated: said("update_time"),
        region: said("recipient_address.region_code"),
        city: said("recipient_address.city"),
        list: said("line_items"),
        lines,
        ..Draft::default()
    }
}
