//! Shopee: amounts are numbers, times epoch seconds. What the buyer pays is `total_amount`; what
//! the goods come to is the sum of their prices after the seller's own price cut.

use edgetally_proto::back_office::State;
use serde_json::Value;

use crate::orders::draft::{Clock, Draft, Line, Said};

fn state(status: &str) -> Option<State> {
    Some(match status {
        "UNPAID" => State::Unpaid,
        "READY_TO_SHIP" | "RETRY_SHIP" | "PROCESSED" => State::ReadyToShip,
        "SHIPPED" | "TO_CONFIRM_RECEIVE" => State::Shipped,
        "COMPLETED" => State::Completed,
        "IN_CANCEL" | "CANCELLED" => State::Cancelled,
        "TO_RETURN" => State::Returned,
        _ => return None,
    })
}

fn line((at, line): (usize, &Value)) -> Line {
    let said = super::of_line("item_list", at, line);
    Line {
        id: said("item_id"),
        name: said("item_name"),
        variant: said("model_name"),
        price: vec![said("model_discounted_price")],
        quantity: said("model_quantity_purchased"),
        ..Line::default()
    }
}

pub(super) fn draft(order: &Value) -> Draft {
    let said = |field: &str| Said::of(order, field);
    let status = said("order_status");
    let state = status.value.as_str().and_then(|text| state(text.trim()));
    let lines = order.get("item_list").and_then(Value::as_array).into_iter().flatten();
    let ended = |of: State| if state == Some(of) { said("update_time") } else { Said::default() };
    Draft {
        code: said("order_sn"),
        customer: said("buyer_user_id"),
        state,
        status,
        total: Said::under("total_amount", Value::Null),
        discount: Said::default(),
        paid: vec![(said("total_amount"), false)],
        is_rest_discount: true,
        currency: said("currency"),
        clock: Clock::Seconds,
        ordered: said("create_time"),
        completed: ended(State::Completed),
        cancelled: ended(State::Cancelled),
        paid_at: said("pay_time"),
        updated: said("update_time"),
        region: said("region"),
        city: said("recipient_address.city"),
        list: said("item_list"),
        lines: lines.enumerate().map(line).collect(),
        ..Draft::default()
    }
}
