//! Orders as marketplaces write them, in their own JSON or as CSV with the same names.

mod csv;
mod lazada;
mod shopee;
mod shopify;
mod tiktok;

use serde_json::Value;

use super::draft::{Draft, Refusal, Said};

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
        draft.platform = Said::under("platform", self.name());
        Ok(draft)
    }

    /// Reads a file: JSON, else CSV whose first line names the columns. Gives each order as a
    /// draft, or why it is none.
    ///
    /// # Errors
    /// If it is neither.
    pub fn read(self, body: &[u8]) -> Result<Vec<Result<Draft, Refusal>>, String> {
        let body = body.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(body);
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let orders = match first {
            None => return Err("there is nothing in it".to_owned()),
            Some(b'{' | b'[') => self.of_json(body)?,
            Some(_) => {
                let rows = csv::read(body)?;
                let draft = |csv::Row { number, order }: csv::Row| {
                    let drafted = order.and_then(|order| self.draft(&order));
                    drafted
                        .map(|draft| Draft { row: Some(number), ..draft })
                        .map_err(|refusal| refusal.of_row(Some(number)))
                };
                return Ok(rows.into_iter().map(draft).collect());
            }
        };
        Ok(orders.into_iter().map(|order| self.draft(&order?)).collect())
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

/// What an item of a list says: fields are named with their place, as `line_items[2].price`.
fn of_line<'a>(list: &'a str, at: usize, line: &'a Value) -> impl Fn(&str) -> Said + 'a {
    move |field| Said::under(&format!("{list}[{at}].{field}"), Said::of(line, field).value)
}
