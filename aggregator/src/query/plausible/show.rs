//! Numbers as Plausible tells them.

use edgetally_proto::money::{Currency, format_minor};
use serde_json::{Number, Value as Json, json};

use crate::query::compare;
use crate::query::metric::Metric;
use crate::query::report::{hundredths, json_of};
use crate::query::run::{Value, half_even};

/// Where a metric is found among ours, and how it is told.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// As we tell it.
    Ours {
        /// Its place.
        at: usize,
        /// Which it is.
        metric: Metric,
    },
    /// In whole percent, 0 where it is undefined.
    Whole {
        /// Its place.
        at: usize,
    },
    /// In whole seconds, null where it is undefined.
    Seconds {
        /// Its place.
        at: usize,
    },
    /// With two decimals, 0 where it is undefined.
    Rate {
        /// Its place.
        at: usize,
    },
    /// Money of one currency.
    Revenue {
        /// Its place.
        at: usize,
    },
    /// Visitors in percent of others.
    Share {
        /// The place of the visitors.
        at: usize,
        /// Which others.
        whole: usize,
    },
}

impl Shown {
    /// Its place among our metrics.
    #[must_use]
    pub fn place(self) -> usize {
        match self {
            Self::Ours { at, .. }
            | Self::Whole { at }
            | Self::Seconds { at }
            | Self::Rate { at }
            | Self::Revenue { at }
            | Self::Share { at, .. } => at,
        }
    }

    /// Whether it is money of one currency.
    #[must_use]
    pub fn is_revenue(self) -> bool {
        matches!(self, Self::Revenue { .. })
    }

    /// Whether it is a share of other visitors.
    #[must_use]
    pub fn is_share(self) -> bool {
        matches!(self, Self::Share { .. })
    }

    /// A value of it. Shares need more than a value.
    #[must_use]
    pub fn json(self, value: &Value) -> Json {
        match (self, value) {
            (Self::Whole { .. }, Value::Percent(percent)) => json!(whole(percent.unwrap_or(0))),
            (Self::Seconds { .. }, Value::Percent(seconds)) => json!(seconds.map(whole)),
            (Self::Rate { .. }, Value::Percent(rate)) => hundredths(rate.unwrap_or(0).into()),
            (Self::Revenue { .. }, Value::Money(Some(all))) => match single(all) {
                Some((currency, minor)) => revenue(currency, minor),
                None => Json::Null,
            },
            _ => json_of(value),
        }
    }

    /// How much it has grown: in whole percent, a bounce rate by points; all of nothing is 100.
    #[must_use]
    pub fn change(self, now: &Value, then: &Value) -> Json {
        let percent = |now: i128, then: i128| match (now, then) {
            (0, 0) => json!(0),
            (_, 0) => json!(100),
            _ => whole_json(half_even(100 * (now - then), then.abs())),
        };
        match (self, now, then) {
            (Self::Ours { metric, .. }, _, _)
                if !matches!(now, Value::Count(_) | Value::About(_)) =>
            {
                compare::change(metric, now, then)
            }
            (Self::Whole { .. }, Value::Percent(now), Value::Percent(then)) => {
                let then = then.map(whole).filter(|then| *then > 0);
                json!(then.map(|then| whole(now.unwrap_or(0)) - then))
            }
            (Self::Revenue { .. }, Value::Money(Some(now)), Value::Money(Some(then))) => {
                match single(now).zip(single(then)) {
                    Some(((code, now), (other, then))) if code == other || then == 0 => {
                        percent(now, then)
                    }
                    _ => Json::Null,
                }
            }
            _ => number(now).zip(number(then)).map_or(Json::Null, |(now, then)| percent(now, then)),
        }
    }
}

/// Hundredths to the nearest whole.
fn whole(hundredths: i64) -> i64 {
    (hundredths + 50).div_euclid(100)
}

fn whole_json(number: i128) -> Json {
    json!(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The number that a value tells; none if it is undefined or money.
#[must_use]
pub fn number(value: &Value) -> Option<i128> {
    compare::number(value)
}

/// Whether a value tells of nothing that happened.
#[must_use]
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Money(money) => money.iter().flatten().all(|(_, minor)| *minor == 0),
        _ => number(value).is_none_or(|number| number == 0),
    }
}

/// Amounts that are not nothing.
fn amounts(all: &[(Currency, i128)]) -> impl Iterator<Item = &(Currency, i128)> {
    all.iter().filter(|(_, minor)| *minor != 0)
}

/// The amount, if there is no other currency beside it.
fn single(all: &[(Currency, i128)]) -> Option<(Currency, i128)> {
    let mut some = amounts(all);
    match (some.next(), some.next()) {
        (Some(one), None) => Some(*one),
        (None, _) => all.first().copied(),
        _ => None,
    }
}

/// Whether a value is money of several currencies.
#[must_use]
pub fn is_mixed(value: &Value) -> bool {
    matches!(value, Value::Money(Some(all)) if single(all).is_none())
}

fn revenue(currency: Currency, minor: i128) -> Json {
    let text = format_minor(minor, currency);
    let (major, rest) = text.split_once('.').map_or((text.as_str(), ""), |(a, b)| (a, b));
    let long = format!(
        "{} {}{}",
        currency.code(),
        thousands(major),
        match rest {
            "" => String::new(),
            rest => format!(".{rest}"),
        }
    );
    let short = match major.trim_start_matches('-').parse::<i128>().unwrap_or(0) {
        whole @ 1_000_000_000.. => tenths(whole, 1_000_000_000, 'B'),
        whole @ 1_000_000.. => tenths(whole, 1_000_000, 'M'),
        whole @ 1_000.. => tenths(whole, 1_000, 'K'),
        _ => String::new(),
    };
    let sign = if minor < 0 { "-" } else { "" };
    let short = match short.as_str() {
        "" => long.clone(),
        short => format!("{} {sign}{short}", currency.code()),
    };
    let value = text.parse::<Number>().map_or(Json::Null, Json::Number);
    json!({"value": value, "currency": currency.code(), "short": short, "long": long})
}

fn tenths(whole: i128, unit: i128, letter: char) -> String {
    let tenths = half_even(whole * 10, unit);
    format!("{}.{}{letter}", tenths / 10, tenths % 10)
}

/// Digits in groups of three.
fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Visitors in percent of others, with two decimals.
#[must_use]
pub fn share(part: i128, of: i128) -> Json {
    if of == 0 { hundredths(0) } else { hundredths(half_even(10_000 * part, of)) }
}

/// The name of a row of time: a date, or local date and time.
#[must_use]
pub fn time(label: &str) -> String {
    match (label.get(..10), label.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time}"),
        _ => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_told_short_and_long() {
        for (code, minor, value, short, long) in [
            ("VND", 25_000_000, "25000000", "VND 25.0M", "VND 25,000,000"),
            ("USD", 50_020_070_025, "500200700.25", "USD 500.2M", "USD 500,200,700.25"),
            ("USD", 99_999, "999.99", "USD 999.99", "USD 999.99"),
            ("USD", 123_450, "1234.50", "USD 1.2K", "USD 1,234.50"),
            ("JPY", 7_650_000_000, "7650000000", "JPY 7.6B", "JPY 7,650,000,000"),
            ("EUR", 0, "0.00", "EUR 0.00", "EUR 0.00"),
        ] {
            let told = revenue(Currency::parse(code).unwrap(), minor);
            let expected: Json = serde_json::from_str(&format!(
                r#"{{"value": {value}, "currency": "{code}", "short": "{short}",
                "long": "{long}"}}"#
            ))
            .unwrap();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn currencies_are_never_added() {
        let money = |code: &str, minor| (Currency::parse(code).unwrap(), minor);
        let shown = Shown::Revenue { at: 0 };
        let mixed = Value::Money(Some(vec![money("VND", 5), money("USD", 7)]));
        assert!(is_mixed(&mixed) && shown.json(&mixed).is_null());
        let foreign = Value::Money(Some(vec![money("VND", 0), money("USD", 700)]));
        assert_eq!(shown.json(&foreign)["currency"], json!("USD"));
        assert!(shown.change(&mixed, &foreign).is_null());
    }
}
