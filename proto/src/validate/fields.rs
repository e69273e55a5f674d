//! Typed readers of single members; each refusal names the member.

use std::fmt;
use std::ops::RangeInclusive;

use crate::error::{RejectCode, WarningCode};
use crate::json::Json;
use crate::money::{MoneyError, parse_minor};

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The code, one of a closed list.
    pub code: RejectCode,
    /// Path of the member, such as `params.items[0].quantity`.
    pub field: String,
    /// For people.
    pub message: String,
}

/// What was changed or missed in an event that is accepted all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The code, one of a closed list.
    pub code: WarningCode,
    /// Path of the member.
    pub field: String,
    /// For people.
    pub message: String,
}

/// Where a member stands. Written out only when something is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path {
    /// A member of the event, or a path that is fixed.
    Event(&'static str),
    /// A member of `params`.
    Param(&'static str),
    /// A member of an item.
    Item(usize, &'static str),
    /// A member of `context.campaign`.
    Campaign(&'static str),
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(name) => f.write_str(name),
            Self::Param(name) => write!(f, "params.{name}"),
            Self::Item(at, "") => write!(f, "params.items[{at}]"),
            Self::Item(at, name) => write!(f, "params.items[{at}].{name}"),
            Self::Campaign(name) => write!(f, "context.campaign.{name}"),
        }
    }
}

/// Makes a refusal.
pub(super) fn reject(
    code: RejectCode,
    field: impl fmt::Display,
    message: impl Into<String>,
) -> Reject {
    Reject { code, field: field.to_string(), message: message.into() }
}

/// Makes a warning.
pub(super) fn warning(code: WarningCode, field: Path, message: impl Into<String>) -> Warning {
    Warning { code, field: field.to_string(), message: message.into() }
}

/// A member that is absent, null or a blank text reads as none.
pub(super) fn present(member: Option<Json<'_>>) -> Option<Json<'_>> {
    member.filter(|value| match value.as_str() {
        Some(text) => !text.trim().is_empty(),
        None => !value.is_null(),
    })
}

/// A text, or none where it is absent or blank.
pub(super) fn text(member: Option<Json<'_>>, field: Path) -> Result<Option<&str>, Reject> {
    let Some(value) = present(member) else { return Ok(None) };
    let text = value.as_str();
    text.map(Some).ok_or_else(|| reject(RejectCode::ValueInvalid, field, "must be a string"))
}

/// A text that must be there.
pub(super) fn required(member: Option<Json<'_>>, field: Path) -> Result<&str, Reject> {
    text(member, field)?.ok_or_else(|| missing(field))
}

/// The refusal of an absent member.
pub(super) fn missing(field: Path) -> Reject {
    reject(RejectCode::MissingField, field, "is required")
}

/// A decimal number as written, at least 0: a JSON number or a decimal string.
pub(super) fn decimal(member: Option<Json<'_>>, field: Path) -> Result<Option<&str>, Reject> {
    let Some(value) = present(member) else { return Ok(None) };
    let written = value.as_number().or_else(|| value.as_str().map(str::trim));
    let written = written
        .ok_or_else(|| reject(RejectCode::ValueInvalid, field, "must be a decimal number"))?;
    minor(written, 0, field)?;
    Ok(Some(written))
}

/// Minor units of a decimal number that [`decimal`] gave, and whether it was rounded.
pub(super) fn minor(written: &str, exponent: u32, field: Path) -> Result<(i64, bool), Reject> {
    let out_of_bounds = |message: &str| reject(RejectCode::ValueOutOfBounds, field, message);
    match parse_minor(written, exponent) {
        Err(MoneyError::NotDecimal) => {
            Err(reject(RejectCode::ValueInvalid, field, "must be a decimal number"))
        }
        Err(MoneyError::OutOfBounds) => Err(out_of_bounds("exceeds 1e15 minor units")),
        Ok(_) if is_negative(written) => Err(out_of_bounds("must not be negative")),
        Ok(parsed) => Ok((parsed.minor, parsed.rounded)),
    }
}

/// Whether a decimal number is below zero, be it by less than a minor unit; `-0` is not.
fn is_negative(written: &str) -> bool {
    let mantissa = written.split(['e', 'E']).next().unwrap_or_default();
    mantissa.starts_with('-') && mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

/// A whole number within `range`.
pub(super) fn integer(
    member: Option<Json<'_>>,
    field: Path,
    range: RangeInclusive<i64>,
) -> Result<Option<i64>, Reject> {
    let Some(value) = present(member) else { return Ok(None) };
    let refuse = || reject(RejectCode::ValueInvalid, field, "must be a whole number");
    let parsed = parse_minor(value.as_number().ok_or_else(refuse)?, 0);
    match parsed {
        Ok(parsed) if parsed.rounded => Err(refuse()),
        Ok(parsed) if range.contains(&parsed.minor) => Ok(Some(parsed.minor)),
        Ok(_) | Err(MoneyError::OutOfBounds) => {
            let message = format!("must lie within {} and {}", range.start(), range.end());
            Err(reject(RejectCode::ValueOutOfBounds, field, message))
        }
        Err(MoneyError::NotDecimal) => Err(refuse()),
    }
}
