//! Orders of marketplaces with anything in any place: what is wrong is refused with its field, and
//! what goes in keeps all bounds.

use std::ops::RangeInclusive;

use aggregator::orders::draft::{Draft, Refusal, canonical};
use aggregator::orders::markets::Market;
use edgetally_proto::limits::{MINOR_UNITS_MAX, QUANTITY_MAX};
use edgetally_proto::money::Currency;
use edgetally_proto::time::{EARLIEST_MS, LATEST_MS};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

const AMOUNTS: RangeInclusive<i64> = 0..=MINOR_UNITS_MAX;

/// Who wrote an order, and a whole one of his; none is the shop itself.
fn whole(market: Option<Market>) -> Value {
    match market {
        None => json!({
            "order_code": "W1", "platform": "web", "customer_id": "u-1", "client_id": "c-1",
            "status": "completed", "total_amount": "100.50", "discount_amount": 10,
            "final_amount": 90.5, "currency": "USD", "order_date": 1_772_420_400_000_i64,
            "paid_at": 1_772_420_500_000_i64, "completed_at": 1_772_420_600_000_i64,
            "cancelled_at": null, "updated_at": 1_772_420_700_000_i64, "category": "tea",
            "region": "HN", "shipping_city": "Hà Nội",
            "items": [{"item_id": "1", "item_name": "Tea", "price": "50.25", "quantity": 2}],
        }),
        Some(Market::Shopee) => json!({
            "order_sn": "S1", "order_status": "COMPLETED", "currency": "VND",
            "create_time": 1_772_420_400, "pay_time": 1_772_420_500, "update_time": 1_772_500_000,
            "total_amount": 80_500, "region": "VN", "buyer_user_id": 4_711,
            "recipient_address": {"city": "Huế"},
            "item_list": [{"item_id": 1, "item_name": "Tea", "model_name": "green",
                "model_original_price": 90_000, "model_discounted_price": 45_000,
                "model_quantity_purchased": 2}],
        }),
        Some(Market::Tiktok) => json!({
            "id": "T1", "status": "CANCELLED", "user_id": "u", "create_time": 1_772_420_400,
            "paid_time": 1_772_420_410, "cancel_time": 1_772_420_450, "update_time": 1_772_420_500,
            "line_items": [{"product_id": "p1", "product_name": "Cup", "sku_name": "Red",
                "original_price": "150", "sale_price": "110.5", "platform_discount": "9.5"}],
            "payment": {"currency": "MYR", "sub_total": "130.5", "platform_discount": "9.5",
                "shipping_fee": "4.9", "total_amount": "135.4"},
        }),
        Some(Market::Lazada) => json!({
            "order": {"order_number": 1, "price": "159.00", "shipping_fee": 30, "voucher": "9.5",
                "statuses": ["delivered"], "created_at": "2026-03-02 23:02:19 +0700",
                "updated_at": "2026-03-03 10:09:05 +0700", "address_shipping": {"city": "Huế"}},
            "order_item": {"data": [
                {"sku": "a", "name": "Napkins", "item_price": 129, "currency": "THB"}]},
        }),
        Some(Market::Shopify) => json!({
            "id": 9, "currency": "USD", "financial_status": "paid", "total_price": "10.00",
            "total_discounts": "1.00", "created_at": "2026-03-02T10:00:00+07:00",
            "updated_at": "2026-03-02T10:00:00+07:00", "customer": {"id": 5}, "test": false,
            "line_items": [{"product_id": 1, "name": "Mug", "price": "11.00", "quantity": 1}],
        }),
    }
}

/// Where an order has values, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(all) => {
            for (index, one) in all.iter().enumerate() {
                places(one, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(all) => {
            for (name, one) in all {
                places(one, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn anything() -> impl Strategy<Value = Value> {
    let fixed = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1e300),
        json!(-0.0),
        json!(1e-9),
        json!(999_999_999_999_999.0),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(MINOR_UNITS_MAX),
        json!("1000000000000000"),
        json!("9999999999999.99"),
        json!("0.005"),
        json!(""),
        json!(" \u{feff}"),
        json!("9".repeat(400)),
        json!("0000-00-00 00:00:00"),
        json!("9999-12-31T23:59:59Z"),
        json!("2026-02-29 10:00:00 +9999"),
        json!("KWD"),
        json!("💳"),
        json!([]),
        json!({}),
        json!([null]),
        json!([[{}]]),
        json!([{}, 5, "x"]),
        json!([{"price": 1e15, "quantity": 4_000_000_000_u64}]),
        json!({"id": {"id": []}}),
    ];
    prop_oneof![
        4 => prop::sample::select(fixed.to_vec()),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => "\\PC{0,12}".prop_map(|text| json!(text)),
    ]
}

fn markets() -> impl Strategy<Value = Option<Market>> {
    let all = [Market::Tiktok, Market::Shopee, Market::Lazada, Market::Shopify].map(Some);
    prop::sample::select([[None].as_slice(), &all].concat())
}

/// An order in which some places have something else.
fn mangled(mut order: Value, changes: &[(Index, Value)]) -> Value {
    for (index, value) in changes {
        let mut found = Vec::new();
        places(&order, "", &mut found);
        let place = found.swap_remove(index.index(found.len()));
        if let Some(there) = order.pointer_mut(&place) {
            *there = value.clone();
        }
    }
    order
}

fn check_refusal(refusal: &Refusal) {
    assert!(!refusal.code.is_empty() && !refusal.message.is_empty(), "{refusal:?}");
}

/// What was read keeps all bounds; or the refusal names a field.
fn check(draft: &Draft) {
    let read = match draft.read(Currency::parse("VND").unwrap()) {
        Ok(read) => read,
        Err(refusal) => {
            assert!(!refusal.field.is_empty(), "{refusal:?}");
            return check_refusal(&refusal);
        }
    };
    let fact = &read.told.fact;
    let version = fact.told.as_ref().expect("a version");
    assert!(fact.transaction.is_some());
    let amounts = [fact.value.map_or(-1, |money| money.minor), version.total];
    let prices = fact.items.iter().filter_map(|item| item.price);
    for amount in amounts.into_iter().chain(fact.discount).chain(prices) {
        assert!(AMOUNTS.contains(&amount), "{amount}: {draft:?}");
    }
    for item in &fact.items {
        assert!((1..=QUANTITY_MAX).contains(&i64::from(item.quantity)), "{item:?}");
        assert!(item.id.is_some() || item.name.is_some(), "{item:?}");
    }
    let more = [version.completed_at_ms, version.cancelled_at_ms].into_iter().flatten();
    for at in [read.told.ordered_at_ms, version.updated_at_ms].into_iter().chain(more) {
        assert!((EARLIEST_MS..LATEST_MS).contains(&at), "{at}: {draft:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn orders_with_anything_in_them_are_read_or_refused(
        market in markets(),
        changes in prop::collection::vec((any::<Index>(), anything()), 0..4),
    ) {
        let order = mangled(whole(market), &changes);
        let Some(market) = market else {
            check(&canonical(&order));
            return Ok(());
        };
        let body = json!([order, whole(Some(market))]).to_string();
        let drafts = market.read(body.as_bytes()).expect("JSON");
        prop_assert_eq!(drafts.len(), 2);
        for draft in &drafts {
            match draft {
                Ok(draft) => check(draft),
                Err(refusal) => check_refusal(refusal),
            }
        }
        let is_fine = |draft: &Result<Draft, _>| {
            draft.as_ref().is_ok_and(|draft| draft.read(Currency::parse("VND").unwrap()).is_ok())
        };
        prop_assert!(is_fine(&drafts[1]), "a whole order goes in beside any other");
        prop_assert!(!changes.is_empty() || is_fine(&drafts[0]));
    }

    #[test]
    fn files_with_anything_in_them_are_read_or_refused(
        market in markets(),
        changes in prop::collection::vec((any::<Index>(), "[\",;\r\n\\PC]{0,4}", 0..3_usize), 1..6),
    ) {
        let mut text = "Name,Id,Currency,Total,Subtotal,Discount Amount,Created at,\
Financial Status,Lineitem name,Lineitem price,Lineitem quantity\r\n\
#1,1,USD,10.00,10.00,0,2026-03-01 19:35:42 +0700,paid,Tea,5.00,2\r\n\
#1,,,,,,,,Cup,5.00,1\r\n#2,2,USD,1,1,0,2026-03-01 19:35:42 +0700,paid,\"a \"\"b\"\"\n\",1,1\r\n"
            .to_owned();
        for (index, put, taken) in &changes {
            let mut ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            ends.push(text.len());
            let at = index.index(ends.len());
            let end = ends[(at + taken).min(ends.len() - 1)];
            text.replace_range(ends[at]..end, put);
        }
        let Ok(drafts) = market.unwrap_or(Market::Shopify).read(text.as_bytes()) else {
            return Ok(());
        };
        for draft in &drafts {
            match draft {
                Ok(draft) => check(draft),
                Err(refusal) => check_refusal(refusal),
            }
        }
    }
}
