//! Exchange rates of a site, and sums in its own currency beside the original ones.
//!
//! The originals are never replaced: a converted sum stands beside them, and only where every
//! currency in it has a rate.

use std::collections::BTreeMap;

use edgetally_proto::money::Currency;
use edgetally_proto::settings::SiteSettings;
use serde_json::{Value as Json, json};

/// Most digits of a rate.
const DIGITS_MAX: usize = 15;

/// A decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal {
    digits: i128,
    /// How many of them stand behind the point.
    decimals: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{rest}");
        let is_number = !whole.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || digits.len() > DIGITS_MAX || text.ends_with('.') {
            return None;
        }
        let decimals = u32::try_from(rest.len()).ok()?;
        let digits = digits.parse().ok().filter(|digits| *digits > 0)?;
        Some(Self { digits, decimals })
    }
}

/// One rate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rate {
    from: Currency,
    value: Decimal,
    told: Json,
}

/// Rates into the currency of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    into: Currency,
    rates: Vec<Rate>,
}

/// What is wrong with a rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateError {
    /// Path of the member in the settings.
    pub field: String,
    /// What is wrong with it, for people.
    pub message: String,
}

/// Checks the rates of settings before they are stored.
///
/// # Errors
/// The first one that cannot be used, or says not from when it is.
pub fn check(rates: &BTreeMap<String, BTreeMap<String, String>>) -> Result<(), RateError> {
    for (code, members) in rates {
        let wrong = |member: &str, message: &str| {
            let path = ["rates", code, member].join(".");
            let field = path.trim_end_matches('.').to_owned();
            Err(RateError { field, message: message.to_owned() })
        };
        if Currency::parse(code).is_none() {
            return wrong("", "this is not an ISO 4217 currency");
        }
        for (member, text) in members {
            match member.as_str() {
                "source" => {}
                "date" if text.parse::<jiff::civil::Date>().is_err() => {
                    return wrong(member, "this is no date");
                }
                "date" => {}
                other if Currency::parse(other).is_none() => {
                    return wrong(member, "this is neither an ISO 4217 currency, date nor source");
                }
                _ if Decimal::parse(text).is_none() => {
                    return wrong(member, "a rate is a decimal number above 0 of up to 15 digits");
                }
                _ => {}
            }
        }
        if !members.contains_key("date") {
            return wrong("date", "say of which day the rates are");
        }
    }
    Ok(())
}

impl Rates {
    /// Those of a site's settings that lead to its own currency.
    #[must_use]
    pub fn of(settings: &SiteSettings) -> Self {
        let into = settings.currency;
        let rates = settings.rates.iter().filter_map(|(code, members)| {
            let from = Currency::parse(code).filter(|from| *from != into)?;
            let text = members.get(into.code())?;
            let told = json!({
                "from": code,
                "to": into.code(),
                "rate": text,
                "date": members.get("date"),
                "source": members.get("source"),
            });
            Some(Rate { from, value: Decimal::parse(text)?, told })
        });
        Self { into, rates: rates.collect() }
    }

    /// Without any, for a currency.
    #[must_use]
    pub fn none(into: Currency) -> Self {
        Self { into, rates: Vec::new() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty()
    }

    /// The currency they lead to.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.into
    }

    /// Each rate with its date and source.
    #[must_use]
    pub fn told(&self) -> Json {
        self.rates.iter().map(|rate| rate.told.clone()).collect()
    }

    fn rate(&self, from: Currency) -> Option<Decimal> {
        if from == self.into {
            return Some(Decimal { digits: 1, decimals: 0 });
        }
        self.rates.iter().find(|rate| rate.from == from).map(|rate| rate.value)
    }

    /// A sum in the site's currency: converted exactly and rounded once, half to even. None if a
    /// currency in it has no rate.
    #[must_use]
    pub fn convert(&self, amounts: &[(Currency, i128)]) -> Option<i128> {
        let some = || amounts.iter().filter(|(_, minor)| *minor != 0);
        let rated = some().map(|(from, minor)| {
            let rate = self.rate(*from)?;
            Some((minor.checked_mul(rate.digits)?, rate.decimals + from.exponent()))
        });
        let rated: Vec<(i128, u32)> = rated.collect::<Option<_>>()?;
        let places = rated.iter().map(|(_, places)| *places).max().unwrap_or(0);
        let power = |places: u32| 10i128.checked_pow(places);
        let mut sum = 0i128;
        for (number, own) in rated {
            let scale = power(self.into.exponent() + places - own)?;
            sum = sum.checked_add(number.checked_mul(scale)?)?;
        }
        Some(crate::query::run::half_even(sum, power(places)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> SiteSettings {
        serde_json::from_str(text).unwrap()
    }

    fn money(code: &str, minor: i128) -> (Currency, i128) {
        (Currency::parse(code).unwrap(), minor)
    }

    #[test]
    fn sums_are_converted_exactly_and_rounded_once() {
        let rates = Rates::of(&settings(
            r#"{"currency": "VND", "rates": {"USD": {"VND": "25400.5", "date": "2026-11-20"},
                "JPY": {"VND": "170.25", "date": "2026-11-19", "source": "bank"},
                "EUR": {"USD": "1.1", "date": "2026-11-20"}}}"#,
        ));
        // 10.01 USD are 254,259.005 VND, 3 JPY are 510.75: 254,769.755 together.
        let all = [money("VND", 0), money("USD", 1_001), money("JPY", 3)];
        assert_eq!(rates.convert(&all), Some(254_770));
        // 0.01 USD are 254.005; ten JPY 1,702.5, to the even one.
        assert_eq!(rates.convert(&[money("USD", 1)]), Some(254));
        assert_eq!(rates.convert(&[money("JPY", 10)]), Some(1_702));
        assert_eq!(rates.convert(&[money("VND", 5), money("EUR", 1)]), None);
        assert_eq!(rates.convert(&[money("VND", 5), money("EUR", 0)]), Some(5));
        assert_eq!(rates.convert(&[]), Some(0));
        assert_eq!(rates.told().as_array().unwrap().len(), 2);
        let bank = json!({"from": "JPY", "to": "VND", "rate": "170.25", "date": "2026-11-19",
            "source": "bank"});
        assert_eq!(rates.told()[0], bank);
    }

    #[test]
    fn finer_currencies_keep_their_digits() {
        let rates = Rates::of(&settings(
            r#"{"currency": "USD", "rates": {"VND": {"USD": "0.0000394", "date": "2026-11-20"},
                "KWD": {"USD": "3.25", "date": "2026-11-20"}}}"#,
        ));
        assert_eq!(rates.convert(&[money("VND", 25_000_000)]), Some(98_500));
        assert_eq!(rates.convert(&[money("KWD", 1_001)]), Some(325));
    }

    #[test]
    fn wrong_rates_say_where() {
        for (rates, field) in [
            (r#"{"XXQ": {"VND": "1", "date": "2026-11-20"}}"#, "rates.XXQ"),
            (r#"{"USD": {"VND": "0", "date": "2026-11-20"}}"#, "rates.USD.VND"),
            (r#"{"USD": {"VND": "1,5", "date": "2026-11-20"}}"#, "rates.USD.VND"),
            (r#"{"USD": {"VND": "-3", "date": "2026-11-20"}}"#, "rates.USD.VND"),
            (r#"{"USD": {"VND": "3", "date": "yesterday"}}"#, "rates.USD.date"),
            (r#"{"USD": {"VND": "3"}}"#, "rates.USD.date"),
            (r#"{"USD": {"DONG": "3", "date": "2026-11-20"}}"#, "rates.USD.DONG"),
        ] {
            let error = check(&serde_json::from_str(rates).unwrap()).unwrap_err();
            assert_eq!(error.field, field, "{rates}");
        }
        let good = r#"{"USD": {"VND": "25400", "date": "2026-11-20", "source": "bank"}}"#;
        assert_eq!(check(&serde_json::from_str(good).unwrap()), Ok(()));
    }
}
