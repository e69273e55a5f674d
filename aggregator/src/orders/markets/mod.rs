//! Orders as marketplaces write them, in their own JSON or as CSV with the same names.

mod lazada;
mod shopee;
mod shopify;
mod tiktok;

use serde_json::{Map, Value};

use super::draft::{Draft, Refusal};

/// A marketplace, or a shop system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Market {
    /// TikTok Shop: orders of the Open API.
    Tiktok,
    /// Shopee: `get_order_detail` of the Open Platform.
    Shopee,
    /// Lazada: an order with its items.
    Lazada,
    /// Shopify: the orders of its REST or `GraphQL` interface.
    Shopify,
}

/// What a file of orders holds.
#[derive(Debug)]
pub struct Orders {
    /// Each as a draft, or why it is none.
    pub drafts: Vec<Result<Draft, Refusal>>,
}

impl Market {
    /// The marketplace with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            ("tiktok", Self::Tiktok),
            ("shopee", Self::Shopee),
            ("lazada", Self::Lazada),
            ("shopify", Self::Shopify),
        ];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, market)| market)
    }

    /// Its name, which is that of the order platform.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiktok => "tiktok",
            Self::Shopee => "shopee",
            Self::Lazada => "lazada",
            Self::Shopify => "shopify",
        }
    }

    /// Where its answers hold lists of orders.
    fn lists(self) -> &'static [&'static str] {
        match self {
            Self::Tiktok => &["/data/orders", "/data/order_list", "/orders"],
            Self::Shopee => &["/response/order_list", "/order_list", "/orders"],
            Self::Lazada => &["/data/orders", "/orders"],
            Self::Shopify => &["/orders", "/data/orders"],
        }
    }

    fn draft(self, order: &Value) -> Result<Draft, Refusal> {
        if !order.is_object() {
            return Err(Refusal::new("value_invalid", "", "an order is an object"));
        }
        let mut draft = match self {
            Self::Tiktok => tiktok::draft(order),
            Self::Shopee => shopee::draft(order),
            Self::Lazada => lazada::draft(order),
            Self::Shopify => shopify::draft(order)?,
        };
        draft.platform = super::draft::Said::under("platform", self.name());
        Ok(draft)
    }

    /// Reads a file: JSON, else CSV whose first line names the columns.
    ///
    /// # Errors
    /// If it is neither.
    pub fn read(self, body: &[u8]) -> Result<Orders, String> {
        let body = body.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(body);
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let orders = match first {
            None => return Err("there is nothing in it".to_owned()),
            Some(b'{' | b'[') => self.of_json(body)?,
            Some(_) => of_csv(body)?,
        };
        let drafts = orders.into_iter().map(|order| self.draft(&order?)).collect();
        Ok(Orders { drafts })
    }

    fn of_json(self, body: &[u8]) -> Result<Vec<Result<Value, Refusal>>, String> {
        let mut value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let list =
            self.lists().iter().find(|path| value.pointer(path).is_some_and(Value::is_array));
        if let Some(list) = list.and_then(|path| value.pointer_mut(path)) {
            value = list.take();
        }
        Ok(match value {
            Value::Array(orders) => orders.into_iter().map(Ok).collect(),
            order => vec![Ok(order)],
        })
    }
}

/// A name of a column as the interfaces write it: `Financial Status` is `financial_status`.
fn column(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(plain).collect()
}

fn of_csv(body: &[u8]) -> Result<Vec<Result<Value, Refusal>>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body);
    let head = reader.headers().map_err(|error| error.to_string())?.clone();
    let names: Vec<String> = head.iter().map(column).collect();
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let wrong = |error: csv::Error| Refusal::new("value_invalid", "", error.to_string());
        let record = record.map_err(wrong)?;
        if record.len() > names.len() {
            let detail = format!("a line of {} has {} cells", names.len(), record.len());
            return Err(Refusal::new("value_invalid", "", detail));
        }
        let cells = names.iter().cloned().zip(record.iter().map(Value::from));
        Ok(Value::Object(cells.collect::<Map<_, _>>()))
    };
    Ok(reader.records().map(row).collect())
}
