//! Money: integer minor units of one currency. Digits are read as written, never through a float.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::MINOR_UNITS_MAX;

/// A currency of ISO 4217 (table of the crate `iso_currency`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The US dollar.
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// Reads the alphabetic code, in upper case.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(code)?;
        // Codes without minor units of their own (metals, testing, "no currency") price nothing.
        currency.exponent().map(|_| Self(currency))
    }

    /// The alphabetic code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of the minor unit: VND 0, USD 2, KWD 3.
    #[must_use]
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = String;
    fn try_from(code: String) -> Result<Self, String> {
        Self::parse(&code).ok_or_else(|| format!("{code} is not an ISO 4217 currency"))
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

/// An amount in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; at most 1e15 either way when read from outside.
    pub minor: i64,
    /// Its currency.
    pub currency: Currency,
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("is not a decimal number")]
    NotDecimal,
    /// More than 1e15 minor units.
    #[error("is out of bounds")]
    OutOfBounds,
}

/// An amount as read, and whether decimals had to be rounded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// Minor units.
    pub minor: i64,
    /// Whether the text had more decimals than the currency, not all zero.
    pub rounded: bool,
}

/// Reads a decimal number in major units (`25000000`, `"12.50"`, `1.5e3`) into minor units with
/// `exponent` decimals; more decimals are rounded half to even.
///
/// # Errors
/// If the text is no decimal number, or beyond [`MINOR_UNITS_MAX`].
pub fn parse_minor(text: &str, exponent: u32) -> Result<Parsed, MoneyError> {
    if let Some(whole) = short_whole(text) {
        let minor = 10i64.checked_pow(exponent).and_then(|scale| whole.checked_mul(scale));
        let minor = minor.filter(|minor| *minor <= MINOR_UNITS_MAX);
        return minor.map(|minor| Parsed { minor, rounded: false }).ok_or(MoneyError::OutOfBounds);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, scale) = match unsigned.find(['e', 'E']) {
        Some(at) => {
            let (mantissa, power) = (unsigned.get(..at), unsigned.get(at + 1..));
            let power: i64 = power.and_then(|p| p.parse().ok()).ok_or(MoneyError::NotDecimal)?;
            (mantissa.unwrap_or_default(), power)
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || mantissa.ends_with('.') {
        return Err(MoneyError::NotDecimal);
    }
    // The number is `digits` times ten to the power of `shift`, counted in minor units.
    let digits = || whole.bytes().chain(fraction.bytes()).map(|b| b - b'0');
    let length = i64::try_from(whole.len() + fraction.len()).unwrap_or(i64::MAX);
    let fraction_length = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let shift = scale.saturating_sub(fraction_length).saturating_add(i64::from(exponent));
    let kept = length.saturating_add(shift.min(0)).max(0);
    let (minor, rounded) = round(digits(), length, kept, shift)?;
    Ok(Parsed { minor: if negative { -minor } else { minor }, rounded })
}

/// What most amounts are: digits and nothing else, so few of them that they fit in any case.
fn short_whole(text: &str) -> Option<i64> {
    let is_short = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_short.then(|| text.bytes().fold(0, |whole, digit| whole * 10 + i64::from(digit - b'0')))
}

/// The first `kept` of the digits as a number, times ten to `shift` where that is positive, the
/// rest rounded half to even.
fn round(
    digits: impl Iterator<Item = u8>,
    length: i64,
    kept: i64,
    shift: i64,
) -> Result<(i64, bool), MoneyError> {
    let mut minor: i64 = 0;
    let (mut first_cut, mut rest_cut) = (0u8, false);
    // With all digits far behind the point, the first cut place holds a zero.
    let first_cut_at = if length.saturating_add(shift) < 0 { -1 } else { kept };
    for (at, digit) in (0i64..).zip(digits) {
        if at < kept {
            minor = push_digit(minor, digit)?;
        } else if at == first_cut_at {
            first_cut = digit;
        } else {
            rest_cut |= digit != 0;
        }
    }
    if minor != 0 {
        for _ in 0..shift.max(0) {
            minor = push_digit(minor, 0)?;
        }
    }
    let up = first_cut > 5 || (first_cut == 5 && (rest_cut || minor % 2 == 1));
    let minor = minor + i64::from(up);
    if minor > MINOR_UNITS_MAX {
        return Err(MoneyError::OutOfBounds);
    }
    Ok((minor, first_cut != 0 || rest_cut))
}

fn push_digit(minor: i64, digit: u8) -> Result<i64, MoneyError> {
    let minor = minor * 10 + i64::from(digit);
    if minor > MINOR_UNITS_MAX { Err(MoneyError::OutOfBounds) } else { Ok(minor) }
}

/// Writes minor units as a decimal string with exactly the currency's digits: `"25000000"` VND,
/// `"12.50"` USD. Sums may exceed what an input may hold, hence the wide integer.
#[must_use]
pub fn format_minor(minor: i128, currency: Currency) -> String {
    let exponent = usize::try_from(currency.exponent()).unwrap_or(0);
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = exponent + 1);
    let (whole, fraction) = digits.split_at(digits.len() - exponent);
    if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, exponent: u32, expected: Result<(i64, bool), MoneyError>) {
        let parsed = parse_minor(text, exponent).map(|p| (p.minor, p.rounded));
        assert_eq!(parsed, expected, "{text} with {exponent} decimals");
    }

    #[test]
    fn digits_are_read_as_written() {
        check("25000000", 0, Ok((25_000_000, false)));
        check("12.5", 2, Ok((1_250, false)));
        check("0.1", 2, Ok((10, false)));
        check("-3.00", 2, Ok((-300, false)));
        check("1e3", 0, Ok((1_000, false)));
        check("1.5e3", 2, Ok((150_000, false)));
        check("25E-1", 0, Ok((2, true)));
        check("999999999999999.9", 1, Err(MoneyError::OutOfBounds));
        check("1000000000000000", 0, Ok((1_000_000_000_000_000, false)));
        check("1000000000000001", 0, Err(MoneyError::OutOfBounds));
        check("1e999999999", 0, Err(MoneyError::OutOfBounds));
        check("0e999999999", 0, Ok((0, false)));
        check("1e-999999999", 2, Ok((0, true)));
    }

    #[test]
    fn more_decimals_round_half_to_even() {
        check("0.5", 0, Ok((0, true)));
        check("1.5", 0, Ok((2, true)));
        check("2.5", 0, Ok((2, true)));
        check("2.50", 1, Ok((25, false)));
        check("2.5000000000000000000000000000001", 0, Ok((3, true)));
        check("0.05", 0, Ok((0, true)));
        check("0.95", 0, Ok((1, true)));
        check("10.005", 2, Ok((1_000, true)));
        check("10.015", 2, Ok((1_002, true)));
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-", ".5", "5.", "1.2.3", "1e", "e5", "NaN", "0x10", "1,000", " 1", "+1"] {
            check(text, 2, Err(MoneyError::NotDecimal));
        }
    }

    #[test]
    fn amounts_show_the_digits_of_their_currency() {
        let show = |minor, code| format_minor(minor, Currency::parse(code).unwrap());
        assert_eq!(show(25_000_000, "VND"), "25000000");
        assert_eq!(show(5, "USD"), "0.05");
        assert_eq!(show(-1_250, "USD"), "-12.50");
        assert_eq!(show(1, "KWD"), "0.001");
        assert_eq!(show(0, "JPY"), "0");
    }

    #[test]
    fn unknown_currencies_are_none() {
        for code in ["XXQ", "vnd", "", "XXX", "XAU"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }
}
