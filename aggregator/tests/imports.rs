//! Marketplaces' own formats: normalised, bad rows refused with their field, the rest goes in.

use serde_json::{Value, json};

use crate::back_office::shop;
use crate::support::server::{ADMIN, Server};

/// What became of each order: its number and word, or code and field.
fn import(server: &Server, key: &str, platform: &str, body: &str) -> Vec<String> {
    let path = format!("/v1/orders/import?platform={platform}");
    let (status, text) = server.call_text("POST", &path, key, Some(body.to_owned()));
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let word = |row: &Value| match row["field"].as_str() {
        Some(field) => format!("{} {field}", row["code"].as_str().unwrap()),
        None => {
            format!("{} {}", row["order_code"].as_str().unwrap(), row["status"].as_str().unwrap())
        }
    };
    let words: Vec<String> = answer["results"].as_array().unwrap().iter().map(word).collect();
    let names = ["created", "updated", "unchanged", "stale", "rejected"];
    let sum: u64 = names.iter().map(|name| answer[*name].as_u64().unwrap()).sum();
    assert_eq!((sum, answer["orders"].as_u64()), (words.len() as u64, Some(sum)));
    words
}

/// State, currency, total, discount, final amount, GMV and NMV.
fn check(server: &Server, platform: &str, code: &str, expected: [&str; 7]) {
    let path = format!("/v1/orders/{code}?site=demo&platform={platform}");
    let (status, order) = server.call("GET", &path, ADMIN, None);
    assert_eq!(status, 200, "{order}");
    let amount = |money: &Value| money["amount"].as_str().unwrap().to_owned();
    let back = &order["back_office"];
    let found = [
        back["status"].as_str().unwrap().to_owned(),
        back["total_amount"]["currency"].as_str().unwrap().to_owned(),
        amount(&back["total_amount"]),
        amount(&back["discount_amount"]),
        amount(&back["final_amount"]),
        amount(&order["gmv"]),
        amount(&order["nmv"]),
    ];
    assert_eq!(found, expected.map(str::to_owned), "{order}");
}

fn shopee(code: &str, status: &str) -> Value {
    json!({
        "order_sn": code, "order_status": status, "currency": "VND", "create_time": 1_772_420_400,
        "update_time": 1_772_500_000, "total_amount": 80_500, "region": "VN",
        "buyer_user_id": 4_711, "item_list": [
            {"item_id": 1, "item_name": "Tea", "model_name": "green",
             "model_original_price": 90_000,
             "model_discounted_price": 45_000, "model_quantity_purchased": 2},
        ],
    })
}

#[test]
fn shopee_orders_go_in() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let mut orders =
        vec![shopee("S1", "COMPLETED"), shopee("S2", "TO_RETURN"), shopee("S3", "NEW")];
    for (member, value) in [
        ("create_time", json!("yesterday")),
        ("currency", json!("DONG")),
        ("total_amount", json!("12,5")),
        ("item_list", json!([{"item_id": 5, "model_quantity_purchased": -1}])),
        ("order_sn", json!("")),
    ] {
        let mut order = shopee("S4", "COMPLETED");
        order[member] = value;
        orders.push(order);
    }
    let body = json!({"error": "", "response": {"order_list": orders}}).to_string();
    let expected = [
        "S1 created",
        "S2 created",
        "S3 created",
        "timestamp_invalid create_time",
        "currency_unknown currency",
        "value_invalid total_amount",
        "value_out_of_bounds item_list[0].model_quantity_purchased",
        "missing_field order_sn",
    ];
    assert_eq!(import(&server, &key, "shopee", &body), expected);
    check(
        &server,
        "shopee",
        "S1",
        ["completed", "VND", "90000", "9500", "80500", "90000", "80500"],
    );
    check(&server, "shopee", "S2", ["returned", "VND", "90000", "9500", "80500", "90000", "0"]);
    check(&server, "shopee", "S3", ["unknown", "VND", "90000", "9500", "80500", "90000", "80500"]);
    // The same file again changes nothing.
    let again = import(&server, &key, "shopee", &body);
    assert_eq!(again[..3], ["S1 unchanged", "S2 unchanged", "S3 unchanged"]);
}

#[test]
fn tiktok_orders_go_in() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let order = |code: &str, status: &str| {
        json!({
            "id": code, "status": status, "create_time": 1_772_420_400,
            "update_time": 1_772_420_500,
            "cancel_time": if status == "CANCELLED" { 1_772_420_450 } else { 0 },
            "line_items": [
                {"product_id": "p1", "sku_name": "Red", "original_price": "150",
                 "sale_price": "110.5", "seller_discount": "30", "platform_discount": "9.5"},
                {"product_id": "p2", "sku_name": "Blue", "original_price": "20",
                 "sale_price": "20", "platform_discount": "0"},
            ],
            "payment": {"currency": "MYR", "sub_total": "130.5", "platform_discount": "9.5",
                        "shipping_fee": "4.9", "total_amount": "135.4"},
        })
    };
    let mut wrong = order("T3", "UNPAID");
    wrong["line_items"][1]["sale_price"] = json!("free");
    let mut unpaid = order("T4", "UNPAID");
    unpaid["line_items"] = json!([]);
    let orders =
        [order("T1", "CANCELLED"), order("T2", "IN_TRANSIT"), wrong, unpaid, json!("none")];
    let body = json!({"code": 0, "data": {"orders": orders}}).to_string();
    let expected = [
        "T1 created",
        "T2 created",
        "value_invalid line_items[1].sale_price",
        "T4 created",
        "value_invalid ",
    ];
    assert_eq!(import(&server, &key, "tiktok", &body), expected);
    check(
        &server,
        "tiktok",
        "T1",
        ["cancelled", "MYR", "140.00", "9.50", "135.40", "140.00", "0.00"],
    );
    let (_, shipped) = server.call("GET", "/v1/orders/T2?site=demo&platform=tiktok", ADMIN, None);
    assert_eq!((&shipped["units"], &shipped["booked"]), (&json!(2), &json!(true)));
    let (_, unpaid) = server.call("GET", "/v1/orders/T4?site=demo&platform=tiktok", ADMIN, None);
    assert_eq!((&unpaid["booked"], &unpaid["status"]), (&json!(false), &json!("unpaid")));
}

#[test]
fn lazada_orders_go_in() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let order = |code: u64, states: &[&str], at: &str| {
        json!({
            "order": {"order_number": code, "price": "159.00", "shipping_fee": 30, "voucher": "9.5",
                "statuses": states, "created_at": at, "updated_at": "2026-03-03 10:09:05 +0700"},
            "order_item": {"data": [
                {"sku": "a", "name": "Napkins", "item_price": 129, "currency": "THB"},
                {"sku": "b", "name": "Paper", "item_price": 30, "currency": "THB"},
            ]},
        })
    };
    let at = "2026-03-02 23:02:19 +0700";
    let orders = [
        order(1, &["canceled", "shipped"], at),
        order(2, &["canceled"], at),
        order(3, &["delivered", "lost_in_space"], at),
        order(4, &[], at),
        order(5, &["pending"], "02.03.2026"),
    ];
    let expected = [
        "1 created",
        "2 created",
        "3 created",
        "missing_field statuses",
        "timestamp_invalid created_at",
    ];
    assert_eq!(import(&server, &key, "lazada", &json!(orders).to_string()), expected);
    check(
        &server,
        "lazada",
        "1",
        ["shipped", "THB", "159.00", "9.50", "179.50", "159.00", "149.50"],
    );
    check(
        &server,
        "lazada",
        "2",
        ["cancelled", "THB", "159.00", "9.50", "179.50", "159.00", "0.00"],
    );
    let (_, order) = server.call("GET", "/v1/orders/3?site=demo&platform=lazada", ADMIN, None);
    assert_eq!(order["back_office"]["status_written"], "delivered,lost_in_space");
    // One order alone is a file as well, and the local date is that of its own offset.
    let one = order_date(&server, "1");
    assert_eq!(one, "2026-03-02T23:02:19.000+07:00");
}

fn order_date(server: &Server, code: &str) -> String {
    let path = format!("/v1/orders/{code}?site=demo&platform=lazada");
    let (_, order) = server.call("GET", &path, ADMIN, None);
    order["back_office"]["order_date"].as_str().unwrap().to_owned()
}

#[test]
fn shopify_orders_go_in_as_csv_and_json() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let csv = "\u{feff}id,currency,total_line_items_price,total_discounts,total_price,created_at,\
updated_at,financial_status,fulfillment_status,cancelled_at,shipping_address_city,test\n\
1,GBP,5.60,2.80,2.80,2026-03-01 19:35:42.000,2026-03-01 19:35:46.000,paid,,,Leeds,FALSE\n\
2,GBP,5.60,0,6.59,2026-03-01 19:35:42,2026-03-02 10:00:00,paid,fulfilled,,\"Bath, UK\",FALSE\n\
3,GBP,5.60,0,6.59,2026-03-01 19:35:42,2026-03-02 10:00:00,refunded,fulfilled, ,York,FALSE\n\
4,GBP,5.60,0,6.59,2026-03-01 19:35:42,2026-03-02 10:00:00,paid,,2026-03-02 09:00:00,York,FALSE\n\
5,GBP,5.60,0,6.59,2026-03-01 19:35:42,2026-03-02 10:00:00,paid,,,York,TRUE\n\
6,GBP,5.60,0,-6.59,2026-03-01 19:35:42,2026-03-02 10:00:00,paid,,,York,FALSE\n\
7,GBP,5.60,0,6.59,,2026-03-02 10:00:00,paid,,,York,FALSE\n\
8,GBP,5.60,0,6.59,2026-03-01 19:35:42,2026-03-02 10:00:00,paid,,,York,FALSE,more\n";
    let expected = [
        "1 created",
        "2 created",
        "3 created",
        "4 created",
        "value_invalid test",
        "value_out_of_bounds total_price",
        "missing_field created_at",
        "value_invalid ",
    ];
    assert_eq!(import(&server, &key, "shopify", csv), expected);
    let is = |code, expected| check(&server, "shopify", code, expected);
    is("1", ["ready_to_ship", "GBP", "5.60", "2.80", "2.80", "5.60", "2.80"]);
    is("2", ["completed", "GBP", "5.60", "0.00", "6.59", "5.60", "5.60"]);
    is("3", ["returned", "GBP", "5.60", "0.00", "6.59", "5.60", "0.00"]);
    is("4", ["cancelled", "GBP", "5.60", "0.00", "6.59", "5.60", "0.00"]);
    let order = json!({"orders": [{
        "id": 9, "currency": "USD", "financial_status": "pending", "total_price": "10.00",
        "total_discounts": "1.00", "created_at": "2026-03-02T10:00:00+07:00",
        "updated_at": "2026-03-02T10:00:00+07:00",
        "line_items": [{"product_id": 1, "name": "Mug", "price": "11.00", "quantity": 1}],
    }]});
    assert_eq!(import(&server, &key, "shopify", &order.to_string()), ["9 created"]);
    is("9", ["pending", "USD", "11.00", "1.00", "10.00", "11.00", "10.00"]);
    for (path, body, field) in [
        ("/v1/orders/import?platform=amazon", "[]", "platform"),
        ("/v1/orders/import", "[]", "platform"),
        ("/v1/orders/import?platform=shopee", "{", "body"),
        ("/v1/orders/import?platform=shopee", " ", "body"),
    ] {
        let (status, text) = server.call_text("POST", path, &key, Some(body.to_owned()));
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{path}: {problem}");
    }
}

/// The head of an export of orders, and its rows: only the first row of an order tells of it.
fn export(rows: &[&str]) -> String {
    let head = "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,\
Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem compare at price,Lineitem sku,\
Shipping City,Shipping Country,Notes,Cancelled at,Vendor,Id";
    format!("\u{feff}{head}\r\n{}\r\n", rows.join("\r\n"))
}

#[test]
fn rows_of_a_shopify_export_are_joined_by_order() {
    let dir = tempfile::tempdir().unwrap();
    let (server, key) = shop(dir.path());
    let at = "2026-03-01 19:35:42 +0700";
    let first = |name: &str, id: &str, lines: &str| {
        format!(
            "{name},a@b.c,paid,{at},fulfilled,{at},USD,36.00,4.00,0.00,40.00,TET,4.00,Post,{at},\
{lines},Huế,VN,\"two\nlines\",,Teahouse,{id}"
        )
    };
    let more = |name: &str, lines: &str| format!("{name},a@b.c,,,,,,,,,,,,,,{lines},,,,,Teahouse,");
    let rows = [
        first("#1001", "501", "2,Green tea,10.00,,TEA-G"),
        more("#1001", "1,Black tea,15.00,,TEA-B"),
        first("#1002", "502", "1,Cup,40.00,,CUP"),
        // Another order lies between, and one line has no number of its own.
        more("#1001", "1,Spoon,5.00,,"),
        first("#1003", "503", "1,Cup,40.00,,CUP"),
        more("#1003", "some,Pot,0.00,,POT"),
        first("#1004", "504", "1,Cup,40.00,,CUP"),
        more("#1004", "1,Pot,free,,POT"),
        more("#1004", "1,Lid,1.00,,LID"),
        // A row that names no order goes on with the one above.
        first("#1005", "505", "3,Cup,10.00,,CUP"),
        more("", "1,Lid,10.00,,LID"),
        first("#1006", "506", "1,Cup,40.00,,CUP"),
        format!("{},more", more("#1006", "1,Lid,1.00,,LID")),
        more("#1007", "1,Lid,1.00,,LID"),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let csv = export(&rows);
    let expected = [
        "501 created",
        "502 created",
        "value_invalid lineitem_quantity",
        "value_invalid lineitem_price",
        "505 created",
        "value_invalid ",
        "missing_field financial_status",
    ];
    assert_eq!(import(&server, &key, "shopify", &csv), expected);
    let path = "/v1/orders/import?site=demo&platform=shopify";
    let (_, again) = server.call_text("POST", path, &key, Some(csv));
    let again: Value = serde_json::from_str(&again).unwrap();
    let counts = ["orders", "unchanged", "rejected"].map(|name| again[name].as_u64().unwrap());
    assert_eq!(counts, [7, 3, 4], "orders are counted, not rows");
    let rows: Vec<&Value> =
        again["results"].as_array().unwrap().iter().map(|r| &r["row"]).collect();
    assert_eq!(json!(rows), json!([null, null, 7, 9, null, 14, 15]));
    check(
        &server,
        "shopify",
        "501",
        ["completed", "USD", "40.00", "4.00", "40.00", "40.00", "36.00"],
    );
    check(
        &server,
        "shopify",
        "505",
        ["completed", "USD", "40.00", "4.00", "40.00", "40.00", "36.00"],
    );
    for (code, units) in [("501", 4), ("502", 1), ("505", 4)] {
        let path = format!("/v1/orders/{code}?site=demo&platform=shopify");
        let (_, order) = server.call("GET", &path, ADMIN, None);
        assert_eq!(order["units"], units, "{order}");
    }
    assert_eq!(server.call("GET", "/v1/orders/503?site=demo&platform=shopify", ADMIN, None).0, 404);
}
