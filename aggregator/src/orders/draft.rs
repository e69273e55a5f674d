//! One row of orders as somebody wrote it, and the version it is read into. Each value keeps the
//! name under which it was written, so that a refusal names the sender's own field.

use edgetally_proto::back_office::{State, Version};
use edgetally_proto::event::user_id;
use edgetally_proto::ids::{ClientId, TransactionId};
use edgetally_proto::limits::{ITEMS_MAX, MINOR_UNITS_MAX, QUANTITY_MAX, TEXT_CHARS_MAX};
use edgetally_proto::money::{Currency, Money, MoneyError, parse_minor};
use edgetally_proto::record::{Fact, Item};
use edgetally_proto::time::{EARLIEST_MS, LATEST_MS, SECOND_MS};
use serde_json::Value;

use super::told::Told;

/// Most characters of the name of an order platform.
const PLATFORM_CHARS_MAX: usize = 64;

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One of the codes of rejected events.
    pub code: &'static str,
    /// The sender's field.
    pub field: String,
    /// For people.
    pub message: String,
    /// The row of the sender's file, if it came in one; the row with the names of columns is 1.
    pub row: Option<usize>,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self { code, field: field.to_owned(), message: message.into(), row: None }
    }

    /// The same of a row, if it does not know of which one it is.
    #[must_use]
    pub fn of_row(self, row: Option<usize>) -> Self {
        Self { row: self.row.or(row), ..self }
    }
}

/// A value and the name under which it was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The sender's field.
    pub field: String,
    /// What it says; null if it is not there.
    pub value: Value,
}

impl Said {
    /// A member of an object, by a path with dots.
    #[must_use]
    pub fn of(row: &Value, field: &str) -> Self {
        let value = field.split('.').try_fold(row, |value, name| value.get(name));
        Self { field: field.to_owned(), value: value.cloned().unwrap_or_default() }
    }

    /// The first of some members that says something, else the first.
    #[must_use]
    pub fn first_of(row: &Value, fields: &[&str]) -> Self {
        let mut all = fields.iter().map(|field| Self::of(row, field));
        let first = all.next().unwrap_or_default();
        if first.is_said() { first } else { all.find(Self::is_said).unwrap_or(first) }
    }

    /// A value under the name of something else.
    #[must_use]
    pub fn under(field: &str, value: impl Into<Value>) -> Self {
        Self { field: field.to_owned(), value: value.into() }
    }

    /// Whether it says anything.
    #[must_use]
    pub fn is_said(&self) -> bool {
        match &self.value {
            Value::Null => false,
            Value::String(text) => !text.trim().is_empty(),
            _ => true,
        }
    }

    fn refusal(&self, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(code, &self.field, message)
    }

    /// Its text, without spaces around it; numbers are texts too.
    ///
    /// # Errors
    /// If it is neither, or too long.
    pub fn text(&self) -> Result<Option<String>, Refusal> {
        if !self.is_said() {
            return Ok(None);
        }
        let text = match &self.value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return Err(self.refusal("value_invalid", "this is no text")),
        };
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(self.refusal("field_too_long", "this is too long"));
        }
        Ok(Some(text))
    }

    fn amount(
        &self,
        currency: Currency,
        rounded: &mut Vec<String>,
    ) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text()? else { return Ok(None) };
        let parsed = parse_minor(&text, currency.exponent()).map_err(|error| {
            let code = match error {
                MoneyError::NotDecimal => "value_invalid",
                MoneyError::OutOfBounds => "value_out_of_bounds",
            };
            self.refusal(code, format!("this {error}"))
        })?;
        if parsed.minor < 0 {
            return Err(self.refusal("value_out_of_bounds", "an amount is at least 0"));
        }
        if parsed.rounded {
            rounded.push(self.field.clone());
        }
        Ok(Some(parsed.minor))
    }

    /// What it says added to other amounts.
    fn plus(&self, others: i64, amount: i64) -> Result<i64, Refusal> {
        let sum = others.checked_add(amount).filter(|sum| *sum <= MINOR_UNITS_MAX);
        sum.ok_or_else(|| self.refusal("value_out_of_bounds", "the sum with this is too great"))
    }

    fn time(&self, clock: Clock) -> Result<Option<i64>, Refusal> {
        if !self.is_said() {
            return Ok(None);
        }
        let wrong = || self.refusal("timestamp_invalid", clock.expects());
        let number = || self.text().ok().flatten().and_then(|text| text.parse::<i64>().ok());
        let ms = match clock {
            Clock::Milliseconds => self.value.as_i64(),
            Clock::Seconds if number() == Some(0) => return Ok(None),
            Clock::Seconds => number().and_then(|seconds| seconds.checked_mul(SECOND_MS)),
            Clock::Written => self.value.as_str().and_then(written),
        };
        let ms = ms.filter(|ms| (EARLIEST_MS..LATEST_MS).contains(ms)).ok_or_else(wrong)?;
        Ok(Some(ms))
    }
}

/// How a sender writes times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// Epoch milliseconds.
    #[default]
    Milliseconds,
    /// Epoch seconds; 0 is none.
    Seconds,
    /// Date and time as text, UTC where no offset is said.
    Written,
}

impl Clock {
    fn expects(self) -> &'static str {
        match self {
            Self::Milliseconds => "a time is epoch milliseconds of the years 2000 to 2100",
            Self::Seconds => "a time is epoch seconds of the years 2000 to 2100",
            Self::Written => "a time is such as 2026-03-02 10:00:00 +0700",
        }
    }
}

/// `2021-07-29 11:02:19 +0700`, `2020-09-11 19:35:42.000`, RFC 3339.
pub(crate) fn written(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches(" UTC");
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let with_offset = ["%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%dT%H:%M:%S%.f%z"];
    let offset = |format: &&str| jiff::fmt::strtime::parse(format, text).ok()?.to_timestamp().ok();
    if let Some(instant) = with_offset.iter().find_map(offset) {
        return Some(instant.as_millisecond());
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let instant = jiff::tz::TimeZone::UTC.to_timestamp(local).ok()?;
    Some(instant.as_millisecond())
}

/// A line of an order.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// The product.
    pub id: Said,
    /// Its name.
    pub name: Said,
    /// Its category.
    pub category: Said,
    /// Its brand.
    pub brand: Said,
    /// Its variant.
    pub variant: Said,
    /// The unit price: the sum of these.
    pub price: Vec<Said>,
    /// How many; 1 if it does not say.
    pub quantity: Said,
    /// The row of a file that it stands in.
    pub row: Option<usize>,
}

/// A row of orders.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Number of the order.
    pub code: Said,
    /// Order platform; the shop's own if it does not say.
    pub platform: Said,
    /// Who ordered.
    pub customer: Said,
    /// The browser or app that ordered.
    pub client: Said,
    /// How far it has come, as written.
    pub status: Said,
    /// The same in our list; `None` where the list does not have it.
    pub state: Option<State>,
    /// What it came to before discounts; that of its lines if this is not said and they have
    /// prices.
    pub total: Said,
    /// Its discount.
    pub discount: Said,
    /// What is to be paid: the sum of these, less those that are marked.
    pub paid: Vec<(Said, bool)>,
    /// Whether a discount that is not said is what total and paid are apart.
    pub is_rest_discount: bool,
    /// Its currency; the site's if it does not say.
    pub currency: Said,
    /// How its times are written.
    pub clock: Clock,
    /// When it was placed.
    pub ordered: Said,
    /// When it was completed.
    pub completed: Said,
    /// When it was cancelled.
    pub cancelled: Said,
    /// When it was paid; if it says so the order counts, though it was cancelled since.
    pub paid_at: Said,
    /// When it was changed last; if it does not say, the last of the other times.
    pub updated: Said,
    /// What kind of goods.
    pub category: Said,
    /// Where it was sold.
    pub region: Said,
    /// Where it goes.
    pub city: Said,
    /// The list of its lines as written.
    pub list: Said,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The row of a file in which it begins.
    pub row: Option<usize>,
}

/// What a row was read into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The version.
    pub told: Told,
    /// Fields with more decimals than their currency has.
    pub rounded: Vec<String>,
}

fn missing(said: &Said) -> Refusal {
    said.refusal("missing_field", "this is missing")
}

/// Amounts of a row, minor units.
struct Amounts {
    total: i64,
    discount: i64,
    paid: i64,
}

impl Draft {
    /// Reads the row; amounts without a currency are in the site's.
    ///
    /// # Errors
    /// If something is missing, or not what it should be.
    pub fn read(&self, site: Currency) -> Result<Read, Refusal> {
        self.read_version(site).map_err(|refusal| refusal.of_row(self.row))
    }

    fn read_version(&self, site: Currency) -> Result<Read, Refusal> {
        let code = self.code.text()?.ok_or_else(|| missing(&self.code))?;
        let code = TransactionId::parse(&code)
            .map_err(|error| self.code.refusal("field_too_long", error.to_string()))?;
        let platform = self.platform.text()?;
        if platform.as_ref().is_some_and(|name| name.chars().count() > PLATFORM_CHARS_MAX) {
            return Err(self.platform.refusal("field_too_long", "this is too long"));
        }
        let state = self.state()?;
        let currency = self.currency(site)?;
        let mut rounded = Vec::new();
        let items = self.items(currency, &mut rounded)?;
        let amounts = self.amounts(currency, &items, &mut rounded)?;
        let (ordered_at_ms, version) = self.version(state, amounts.total)?;
        let fact = Fact {
            transaction: Some(code),
            order_platform: platform.filter(|name| name != super::ledger::DEFAULT_PLATFORM),
            value: Some(Money { minor: amounts.paid, currency }),
            discount: (amounts.discount > 0).then_some(amounts.discount),
            shipping_city: self.city.text()?,
            items,
            told: Some(Box::new(version)),
            ..Fact::default()
        };
        let told = Told { client: self.client()?, user: self.customer()?, ordered_at_ms, fact };
        Ok(Read { told, rounded })
    }

    fn state(&self) -> Result<(State, Option<String>), Refusal> {
        let written = self.status.text()?.ok_or_else(|| missing(&self.status))?;
        Ok(match self.state {
            Some(state) => (state, None),
            None => (State::Unknown, Some(written)),
        })
    }

    fn currency(&self, site: Currency) -> Result<Currency, Refusal> {
        let Some(code) = self.currency.text()? else { return Ok(site) };
        let unknown = || format!("{code} is not an ISO 4217 currency");
        Currency::parse(&code).ok_or_else(|| self.currency.refusal("currency_unknown", unknown()))
    }

    fn client(&self) -> Result<Option<ClientId>, Refusal> {
        let wrong = |error| self.client.refusal("client_id_invalid", format!("{error}"));
        self.client.text()?.map(|text| ClientId::parse(&text).map_err(wrong)).transpose()
    }

    fn customer(&self) -> Result<Option<edgetally_proto::ids::UserId>, Refusal> {
        let Some(text) = self.customer.text()? else { return Ok(None) };
        user_id(&text).map_err(|error| self.customer.refusal("field_too_long", error.to_string()))
    }

    fn items(&self, currency: Currency, rounded: &mut Vec<String>) -> Result<Vec<Item>, Refusal> {
        if self.list.is_said() && !self.list.value.is_array() {
            return Err(self.list.refusal("value_invalid", "this is a list of objects"));
        }
        if self.lines.len() > ITEMS_MAX {
            let detail = format!("an order has at most {ITEMS_MAX} lines");
            return Err(self.list.refusal("too_many_items", detail));
        }
        let read =
            |line: &Line| line.read(currency, rounded).map_err(|refusal| refusal.of_row(line.row));
        self.lines.iter().map(read).collect()
    }

    fn amounts(
        &self,
        currency: Currency,
        items: &[Item],
        rounded: &mut Vec<String>,
    ) -> Result<Amounts, Refusal> {
        let of_lines = || {
            let worth = |item: &Item| Some(i128::from(item.price?) * i128::from(item.quantity));
            let sum = items.iter().map(worth).sum::<Option<i128>>().filter(|_| !items.is_empty());
            sum.and_then(|sum| i64::try_from(sum).ok()).filter(|sum| *sum <= MINOR_UNITS_MAX)
        };
        let total = self.total.amount(currency, rounded)?.or_else(of_lines);
        let discount = self.discount.amount(currency, rounded)?;
        let mut paid = None;
        for (part, is_taken_off) in &self.paid {
            let Some(amount) = part.amount(currency, rounded)? else { continue };
            let sum = paid.unwrap_or(0i64);
            paid = Some(if *is_taken_off { sum - amount } else { part.plus(sum, amount)? });
        }
        let paid_said = self.paid.first().map(|(said, _)| said.clone()).unwrap_or_default();
        let (total, paid) = match (total, paid) {
            (None, None) => return Err(missing(&self.total)),
            (Some(total), None) => (total, total - discount.unwrap_or(0)),
            (None, Some(paid)) => (self.discount.plus(paid, discount.unwrap_or(0))?, paid),
            (Some(total), Some(paid)) => (total, paid),
        };
        if paid < 0 {
            let said = if paid_said.is_said() { &paid_said } else { &self.discount };
            return Err(said.refusal("value_out_of_bounds", "nothing is left to be paid"));
        }
        let rest = if self.is_rest_discount { (total - paid).max(0) } else { 0 };
        Ok(Amounts { total, discount: discount.unwrap_or(rest), paid })
    }

    fn version(
        &self,
        (state, state_written): (State, Option<String>),
        total: i64,
    ) -> Result<(i64, Version), Refusal> {
        let ordered_at_ms = self.ordered.time(self.clock)?.ok_or_else(|| missing(&self.ordered))?;
        let completed_at_ms = self.completed.time(self.clock)?;
        let cancelled_at_ms = self.cancelled.time(self.clock)?;
        let others = [Some(ordered_at_ms), completed_at_ms, cancelled_at_ms];
        let last_ms = others.into_iter().flatten().max().unwrap_or(ordered_at_ms);
        let updated_at_ms = self.updated.time(self.clock)?.unwrap_or(last_ms);
        let mut version = Version {
            state,
            state_written,
            updated_at_ms,
            completed_at_ms,
            cancelled_at_ms,
            total,
            category: self.category.text()?,
            region: self.region.text()?,
            was_booked: false,
        };
        version.note_booked(completed_at_ms.or(self.paid_at.time(self.clock)?).is_some());
        Ok((ordered_at_ms, version))
    }
}

impl Line {
    fn read(&self, currency: Currency, rounded: &mut Vec<String>) -> Result<Item, Refusal> {
        let (id, name) = (self.id.text()?, self.name.text()?);
        if id.is_none() && name.is_none() {
            return Err(missing(&self.id));
        }
        let mut price = None;
        for part in &self.price {
            let Some(amount) = part.amount(currency, rounded)? else { continue };
            price = Some(part.plus(price.unwrap_or(0i64), amount)?);
        }
        Ok(Item {
            id,
            name,
            category: self.category.text()?,
            brand: self.brand.text()?,
            variant: self.variant.text()?,
            price,
            quantity: self.quantity()?,
        })
    }

    fn quantity(&self) -> Result<u32, Refusal> {
        let Some(text) = self.quantity.text()? else { return Ok(1) };
        let number: Option<i64> = text.parse().ok();
        let number =
            number.ok_or_else(|| self.quantity.refusal("value_invalid", "no whole number"))?;
        let within = u32::try_from(number).ok().filter(|_| (1..=QUANTITY_MAX).contains(&number));
        let detail = || format!("a quantity is 1 to {QUANTITY_MAX}");
        within.ok_or_else(|| self.quantity.refusal("value_out_of_bounds", detail()))
    }
}

/// Reads a row of `POST /v1/orders`.
#[must_use]
pub fn canonical(row: &Value) -> Draft {
    let said = |field: &str| Said::of(row, field);
    let status = said("status");
    let state = status.value.as_str().and_then(|text| State::parse(&text.trim().to_lowercase()));
    let lines = row.get("items").and_then(Value::as_array).into_iter().flatten();
    let line = |(at, line): (usize, &Value)| {
        let said =
            |field: &str| Said::under(&format!("items[{at}].{field}"), Said::of(line, field).value);
        Line {
            id: said("item_id"),
            name: said("item_name"),
            category: said("item_category"),
            brand: said("item_brand"),
            variant: said("item_variant"),
            price: vec![said("price")],
            quantity: said("quantity"),
            row: None,
        }
    };
    Draft {
        code: said("order_code"),
        platform: said("platform"),
        customer: said("customer_id"),
        client: said("client_id"),
        state,
        status,
        total: said("total_amount"),
        discount: said("discount_amount"),
        paid: vec![(said("final_amount"), false)],
        is_rest_discount: false,
        currency: said("currency"),
        clock: Clock::Milliseconds,
        ordered: said("order_date"),
        completed: said("completed_at"),
        cancelled: said("cancelled_at"),
        paid_at: said("paid_at"),
        updated: said("updated_at"),
        category: said("category"),
        region: said("region"),
        city: said("shipping_city"),
        list: said("items"),
        lines: lines.enumerate().map(line).collect(),
        row: None,
    }
}
