//! Orders as CSV: a row for each order, or one for each of its lines.
//!
//! Exports for spreadsheets have a row for each line of an order (columns `Lineitem ...`), of which
//! only the first one has what is said of the order itself. Their rows are joined by the order's
//! name; a row without one goes on with the order above.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value, json};

use crate::orders::draft::Refusal;

/// The member of an order with the rows of its lines.
pub(super) const LINES: &str = "lineitems";
/// Columns of lines begin so.
const LINE_COLUMN: &str = "lineitem_";
/// The column that names an order in each of its rows.
const NAME: &str = "name";
/// The member of a line with the number of its row.
const ROW: &str = "row";

/// An order of a file, or why it is none.
pub(super) struct Row {
    /// The row in which it begins; the row with the names of columns is 1.
    pub number: usize,
    /// The order as the interface would write it.
    pub order: Result<Value, Refusal>,
}

/// The number of the row that a line stands in.
pub(super) fn number_of(line: &Value) -> Option<usize> {
    line.get(ROW).and_then(Value::as_u64).and_then(|row| usize::try_from(row).ok())
}

/// A name of a column as the interfaces write it: `Financial Status` is `financial_status`.
fn column(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(plain).collect()
}

/// Reads a file whose first row names the columns.
///
/// # Errors
/// If that row cannot be read.
pub(super) fn read(body: &[u8]) -> Result<Vec<Row>, String> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(body);
    let head = reader.headers().map_err(|error| error.to_string())?.clone();
    let names: Vec<String> = head.iter().map(column).collect();
    let has_lines = names.iter().any(|name| name.starts_with(LINE_COLUMN));
    let mut orders = Orders { names, rows: Vec::new(), by_name: HashMap::new() };
    for (at, record) in reader.byte_records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        if has_lines {
            orders.join(at + 2, &record);
        } else {
            let order = orders.cells(&record).map(Value::Object);
            orders.rows.push(Row { number: at + 2, order });
        }
    }
    Ok(orders.rows)
}

/// Orders while their rows are joined.
struct Orders {
    names: Vec<String>,
    rows: Vec<Row>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl Orders {
    fn cells(&self, record: &ByteRecord) -> Result<Map<String, Value>, Refusal> {
        let wrong = |field: &str, detail: String| Refusal::new("value_invalid", field, detail);
        if record.len() > self.names.len() {
            let detail = format!("a row of {} has {} cells", self.names.len(), record.len());
            return Err(wrong("", detail));
        }
        let cell = |(name, bytes): (&String, &[u8])| {
            let text = str::from_utf8(bytes).map_err(|error| wrong(name, error.to_string()))?;
            Ok((name.clone(), Value::from(text)))
        };
        self.names.iter().zip(record.iter()).map(cell).collect()
    }

    /// Where the order of a row stands, if it began above.
    fn place(&self, record: &ByteRecord) -> Option<usize> {
        match self.name_of(record) {
            Some(name) => self.by_name.get(name).copied(),
            None => self.rows.len().checked_sub(1),
        }
    }

    fn name_of<'a>(&self, record: &'a ByteRecord) -> Option<&'a [u8]> {
        let column = self.names.iter().position(|name| name == NAME)?;
        record.get(column).map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
    }

    /// Takes a row to its order; one that is wrong makes the whole order wrong.
    fn join(&mut self, number: usize, record: &ByteRecord) {
        let cells = self.cells(record).map_err(|refusal| refusal.of_row(Some(number)));
        let line = cells.as_ref().ok().and_then(|cells| line_of(number, cells));
        let Some(place) = self.place(record) else {
            let order = cells.map(|mut order| {
                order.insert(LINES.to_owned(), line.into_iter().collect());
                Value::Object(order)
            });
            if let Some(name) = self.name_of(record) {
                self.by_name.insert(name.to_vec(), self.rows.len());
            }
            self.rows.push(Row { number, order });
            return;
        };
        let Some(row) = self.rows.get_mut(place) else { return };
        match (&mut row.order, cells) {
            (Ok(order), Ok(_)) => {
                let lines = order.get_mut(LINES).and_then(Value::as_array_mut);
                lines.into_iter().for_each(|lines| lines.extend(line.clone()));
            }
            (Ok(_), Err(refusal)) => row.order = Err(refusal),
            (Err(_), _) => {}
        }
    }
}

/// What a row says of a line; none if it says nothing of one.
fn line_of(number: usize, cells: &Map<String, Value>) -> Option<Value> {
    let of_line = |name: &str| name.starts_with(LINE_COLUMN) || name == "vendor";
    let mut line: Map<String, Value> = cells
        .iter()
        .filter(|(name, _)| of_line(name))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let says =
        |name: &str| line.get(name).and_then(Value::as_str).is_some_and(|s| !s.trim().is_empty());
    let is_line = ["sku", "name", "price", "quantity"]
        .iter()
        .any(|part| says(&format!("{LINE_COLUMN}{part}")));
    line.insert(ROW.to_owned(), json!(number));
    is_line.then_some(Value::Object(line))
}
