//! One order as JSON, with the touches that could have had its credit.

use edgetally_proto::back_office::{State, Version};
use edgetally_proto::money::format_minor;
use edgetally_proto::record::Fact;
use serde_json::{Value, json};

use super::campaign::{campaign_json, channel_of, grade_of};
use crate::orders::ledger::DEFAULT_PLATFORM;
use crate::orders::returns::{Refund, RefundFault};
use crate::sessionize::{Entry, Touch};
use crate::site::credits::OrderRow;
use crate::texts::text_of;
use crate::touches::Class;
use crate::view::SiteView;

/// How orders are credited, and the instant of the answer.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// How long after an order its credit follows what browsers report.
    pub freeze_ms: i64,
    /// The instant of the answer.
    pub now_ms: i64,
}

/// `cancelled`, else the state that the back office told, else `pending` or `completed`.
#[must_use]
pub fn status(row: &OrderRow) -> &'static str {
    let is_cancelled = row.order.worth.cancelled_at_ms.is_some();
    if let Some(state) = row.order.state.filter(|_| !is_cancelled) {
        return state.name();
    }
    match (row.order.worth.cancelled_at_ms, row.order.is_booked) {
        (Some(_), _) => "cancelled",
        (None, true) => "completed",
        (None, false) => "pending",
    }
}

/// Money of the order's currency, or null if the order has none.
fn amount(row: &OrderRow, minor: i64) -> Value {
    row.order.value.map_or(Value::Null, |value| {
        let amount = format_minor(i128::from(minor), value.currency);
        json!({"currency": value.currency.code(), "amount": amount})
    })
}

fn refund_json(site: &SiteView, row: &OrderRow, refund: &Refund) -> Value {
    let fault = refund.fault.map(|fault| match fault {
        RefundFault::Currency => "currency",
        RefundFault::TooMuch => "more_than_left",
    });
    json!({
        "refund_id": refund.refund_id,
        "at": site.zone.rfc3339(refund.at_ms),
        "amount": amount(row, refund.amount),
        "fault": fault,
    })
}

fn touch_json(site: &SiteView, touch: Touch, credited: Option<Touch>) -> Value {
    let grade = site.record(touch.record).and_then(|record| {
        grade_of(text_of(&site.texts, record.grade)).map(|grade| (grade.rule, grade.version))
    });
    json!({
        "event_id": site.id_of(touch.record),
        "at": site.zone.rfc3339(touch.occurred_at_ms),
        "campaign": campaign_json(site, Some(touch)),
        "channel": channel_of(site, Some(touch)),
        "channel_rule": grade.map(|(rule, _)| rule),
        "rules_version": grade.map(|(_, version)| version),
        "credited": credited == Some(touch),
    })
}

/// The touches of the order's person within the window before it, in order.
fn touches(site: &SiteView, row: &OrderRow) -> Vec<Touch> {
    let Some(line) = row.credit.person.map(|person| site.line(person)) else {
        return Vec::new();
    };
    let at_ms = row.order.at_ms;
    let window_ms = site.rules.at(at_ms).window_ms;
    let near =
        |entry: &&Entry| entry.occurred_at_ms <= at_ms && at_ms - entry.occurred_at_ms <= window_ms;
    let touches = line.entries().iter().filter(|entry| entry.class != Class::Direct).filter(near);
    touches
        .map(|entry| Touch { occurred_at_ms: entry.occurred_at_ms, record: entry.record })
        .collect()
}

/// Why the order has the credit it has.
fn reason(row: &OrderRow) -> &'static str {
    match (row.credit.touch, row.credit.is_aged_out) {
        (Some(_), _) => "the last touch that is not direct, within the attribution window",
        (None, true) => "every touch before it is older than the attribution window",
        (None, false) => "no touch before it",
    }
}

/// When an order was completed: the shop's own when it was booked, that of a marketplace when the
/// marketplace says so.
fn completed_at(row: &OrderRow, version: Option<&Version>) -> Option<i64> {
    match version {
        Some(version) if version.completed_at_ms.is_some() => version.completed_at_ms,
        Some(version) if row.key.platform.as_ref() != DEFAULT_PLATFORM => {
            (version.state == State::Completed).then_some(version.updated_at_ms)
        }
        _ => row.order.is_booked.then_some(row.order.at_ms),
    }
}

fn back_office_json(site: &SiteView, row: &OrderRow, version: &Version) -> Value {
    json!({
        "status": version.state.name(),
        "status_written": version.state_written,
        "order_date": site.zone.rfc3339(row.order.dated_ms),
        "updated_at": site.zone.rfc3339(version.updated_at_ms),
        "total_amount": amount(row, row.order.total),
        "discount_amount": amount(row, row.order.discount),
        "final_amount": amount(row, row.order.value.map_or(0, |value| value.minor)),
        "category": version.category,
        "region": version.region,
    })
}

/// An order with everything that is known of it.
#[must_use]
pub fn order_json(site: &SiteView, row: &OrderRow, told: &Told) -> Value {
    let order = &row.order;
    let time = |ms: i64| site.zone.rfc3339(ms);
    let credited = row.credit.touch;
    let fact = site.record(order.money_record).and_then(|record| record.fact.clone());
    let version = fact.as_deref().and_then(|fact| fact.told.as_deref());
    let said = |member: fn(&Fact) -> Option<&String>| {
        fact.as_deref().and_then(member).map_or(Value::Null, |text| text.as_str().into())
    };
    let touches = touches(site, row);
    let touches: Vec<Value> =
        touches.into_iter().map(|touch| touch_json(site, touch, credited)).collect();
    let refunds: Vec<Value> =
        row.refunds.iter().map(|refund| refund_json(site, row, refund)).collect();
    json!({
        "transaction_id": row.key.transaction,
        "platform": row.key.platform,
        "person": row.credit.person.map(|person| site.person(person)),
        "session_id": row.credit.session.map(|record| site.id_of(record)),
        "status": status(row),
        "booked": order.is_booked,
        "created_at": time(order.at_ms),
        "completed_at": completed_at(row, version).map(time),
        "cancelled_at": order.worth.cancelled_at_ms.map(time),
        "value": amount(row, order.value.map_or(0, |value| value.minor)),
        "gmv": amount(row, order.worth.gmv),
        "nmv": amount(row, order.worth.nmv),
        "refunded": amount(row, order.worth.refunds),
        "refunds": refunds,
        "units": order.units,
        "back_office": version.map(|version| back_office_json(site, row, version)),
        "copies": order.copies,
        "shipping_city": said(|fact| fact.shipping_city.as_ref()),
        "credited": credited.map(|touch| json!({
            "event_id": site.id_of(touch.record),
            "channel": channel_of(site, Some(touch)),
            "campaign": campaign_json(site, Some(touch)),
        })),
        "channel": channel_of(site, credited),
        "reason": reason(row),
        "touches": touches,
        "aged_out": row.credit.is_aged_out,
        "frozen": told.now_ms > order.at_ms.saturating_add(told.freeze_ms),
    })
}
