//! Payments of a CSV file with the columns `order_id, amount, status, created_at`.

use edgetally_proto::time::{EARLIEST_MS, LATEST_MS};

use super::Payment;
use crate::orders::draft::written;

/// The columns, in whatever order.
const COLUMNS: [&str; 4] = ["order_id", "amount", "status", "created_at"];

/// Reads a file. Times are epoch milliseconds, or date and time as text, UTC where no offset is
/// said.
///
/// # Errors
/// The line and what is wrong with it.
pub fn read(text: &str) -> Result<Vec<Payment>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| {
        let place = head.iter().position(|column| column.eq_ignore_ascii_case(name));
        place.ok_or_else(|| format!("there is no column {name}"))
    };
    let [order_id, amount, status, created_at] = COLUMNS.map(place);
    let places = [order_id?, amount?, status?, created_at?];
    let mut payments = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let [order_id, amount, status, created_at] =
            places.map(|place| record.get(place).unwrap_or_default().to_owned());
        let created_at_ms = created_at.parse().ok().or_else(|| written(&created_at));
        let is_time = |ms: &i64| (EARLIEST_MS..LATEST_MS).contains(ms);
        let created_at_ms = created_at_ms
            .filter(is_time)
            .ok_or_else(|| format!("line {}: created_at {created_at:?} is no time", at + 2))?;
        payments.push(Payment { order_id, amount, status, created_at_ms });
    }
    Ok(payments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_stand_in_any_order_and_a_wrong_line_is_named() {
        let read_one = |text: &str| read(text).map(|all| all.first().cloned());
        let expected = Payment {
            order_id: "a,b".to_owned(),
            amount: "12.50".to_owned(),
            status: "paid".to_owned(),
            created_at_ms: 1_772_420_400_000,
        };
        let text = "status,created_at,order_id,more,amount\npaid,1772420400000,\"a,b\",x,12.50\n";
        assert_eq!(read_one(text), Ok(Some(expected.clone())));
        let text = "order_id,amount,status,created_at\n\"a,b\",12.50,paid,2026-03-02 10:00:00+07\n";
        assert_eq!(read_one(text), Ok(Some(expected)));
        let text = "order_id,amount,status,created_at\na,1,paid,yesterday\n";
        assert_eq!(read_one(text), Err("line 2: created_at \"yesterday\" is no time".to_owned()));
        // Seconds are no milliseconds.
        let text = "order_id,amount,status,created_at\na,1,paid,1772420400\n";
        assert_eq!(read_one(text), Err("line 2: created_at \"1772420400\" is no time".to_owned()));
        assert!(read("order_id,amount\n").is_err());
    }
}
