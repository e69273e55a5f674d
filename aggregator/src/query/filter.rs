//! Filters: conditions on the value of a dimension, joined by `and`, `or`, `not`.

use regex::Regex;
use serde_json::Value;

use super::QueryError;
use super::metric::{self, Dimension};

/// Deepest nesting of filters.
const DEPTH_MAX: usize = 16;

/// A condition.
#[derive(Debug, Clone)]
pub enum Filter {
    /// The value is one of these.
    Is(Dimension, Vec<String>),
    /// The value has one of these in it.
    Contains(Dimension, Vec<String>),
    /// One of these expressions fits the value.
    Matches(Dimension, Vec<Regex>),
    /// The opposite.
    Not(Box<Filter>),
    /// All of them.
    And(Vec<Filter>),
    /// Any of them.
    Or(Vec<Filter>),
}

impl Filter {
    /// Whether something passes, of which `value` gives the value of a dimension.
    #[must_use]
    pub fn passes(&self, value: &impl Fn(Dimension) -> String) -> bool {
        self.passes_by(&|condition: &Self, by| condition.holds(&value(by)))
    }

    /// Whether something passes, of which `judge` says whether a condition on a dimension holds.
    pub fn passes_by(&self, judge: &impl Fn(&Self, Dimension) -> bool) -> bool {
        match self {
            Self::Is(by, _) | Self::Contains(by, _) | Self::Matches(by, _) => judge(self, *by),
            Self::Not(inner) => !inner.passes_by(judge),
            Self::And(all) => all.iter().all(|filter| filter.passes_by(judge)),
            Self::Or(any) => any.iter().any(|filter| filter.passes_by(judge)),
        }
    }

    /// Whether a condition holds for a value; what joins conditions holds for none.
    #[must_use]
    pub fn holds(&self, value: &str) -> bool {
        match self {
            Self::Is(_, wanted) => wanted.iter().any(|text| text == value),
            Self::Contains(_, parts) => parts.iter().any(|part| value.contains(part.as_str())),
            Self::Matches(_, expressions) => expressions.iter().any(|one| one.is_match(value)),
            Self::Not(_) | Self::And(_) | Self::Or(_) => false,
        }
    }

    /// The dimensions that it asks for.
    #[must_use]
    pub fn dimensions(&self) -> Vec<Dimension> {
        match self {
            Self::Is(by, _) | Self::Contains(by, _) | Self::Matches(by, _) => vec![*by],
            Self::Not(inner) => inner.dimensions(),
            Self::And(all) | Self::Or(all) => all.iter().flat_map(Self::dimensions).collect(),
        }
    }
}

/// Reads the filters of a query: all of them must hold.
///
/// # Errors
/// If one is none, or asks for what is not kept.
pub fn parse(filters: &[Value]) -> Result<Option<Filter>, QueryError> {
    if filters.is_empty() {
        return Ok(None);
    }
    let read =
        filters.iter().enumerate().map(|(at, value)| one(value, &format!("filters[{at}]"), 0));
    read.collect::<Result<Vec<_>, _>>().map(|all| Some(Filter::And(all)))
}

fn one(value: &Value, field: &str, depth: usize) -> Result<Filter, QueryError> {
    let invalid = |detail: &str| QueryError::invalid(field, detail);
    if depth > DEPTH_MAX {
        return Err(invalid("filters are nested too deeply"));
    }
    let parts = value.as_array().ok_or_else(|| invalid("a filter is an array"))?;
    let operator = parts.first().and_then(Value::as_str);
    let operator = operator.ok_or_else(|| invalid("a filter begins with its operator"))?;
    let several = |parts: &[Value]| {
        let inner = parts.get(1).and_then(Value::as_array);
        let inner = inner.ok_or_else(|| invalid("and, or take a list of filters"))?;
        let read = |(at, value)| one(value, &format!("{field}[1][{at}]"), depth + 1);
        inner.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()
    };
    match (operator, parts.len()) {
        ("and", 2) => return several(parts).map(Filter::And),
        ("or", 2) => return several(parts).map(Filter::Or),
        ("not", 2) => {
            let inner = parts.get(1).unwrap_or(&Value::Null);
            return Ok(Filter::Not(Box::new(one(inner, &format!("{field}[1]"), depth + 1)?)));
        }
        ("is" | "is_not" | "contains" | "contains_not" | "matches" | "matches_not", 3) => {}
        ("and" | "or" | "not", _) => return Err(invalid("and, or, not take one more member")),
        ("is" | "is_not" | "contains" | "contains_not" | "matches" | "matches_not", _) => {
            return Err(invalid("a condition is [operator, dimension, [values]]"));
        }
        _ => return Err(invalid("operators are is, is_not, contains, contains_not, matches")),
    }
    condition(operator, parts, field)
}

fn condition(operator: &str, parts: &[Value], field: &str) -> Result<Filter, QueryError> {
    let name = parts.get(1).and_then(Value::as_str).unwrap_or_default();
    let by = metric::dimension(name, &format!("{field}[1]"))?;
    if matches!(by, Dimension::Time(_)) {
        let detail = format!("no metric can be filtered by {name}");
        return Err(QueryError::Unsupported { detail });
    }
    let values = parts.get(2).and_then(Value::as_array).filter(|values| !values.is_empty());
    let texts = values.and_then(|values| {
        values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    let field = format!("{field}[2]");
    let texts =
        texts.ok_or_else(|| QueryError::invalid(&field, "the values are a list of texts"))?;
    let (operator, is_negated) = match operator.strip_suffix("_not") {
        Some(plain) => (plain, true),
        None => (operator, false),
    };
    let filter = match operator {
        "is" => Filter::Is(by, texts),
        "contains" => Filter::Contains(by, texts),
        _ => {
            let expressions = texts.iter().map(|text| Regex::new(text)).collect::<Result<_, _>>();
            Filter::Matches(
                by,
                expressions.map_err(|error| QueryError::invalid(&field, error.to_string()))?,
            )
        }
    };
    Ok(if is_negated { Filter::Not(Box::new(filter)) } else { filter })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(json: &str) -> Result<Option<Filter>, QueryError> {
        parse(&serde_json::from_str::<Vec<Value>>(json).unwrap())
    }

    fn check(json: &str, passing: &[&str]) {
        let filter = parse_text(json).unwrap().unwrap();
        let names = ["view_item", "view_cart", "purchase", "page_view"];
        let passed: Vec<&str> =
            names.into_iter().filter(|name| filter.passes(&|_| (*name).to_owned())).collect();
        assert_eq!(passed, passing, "{json}");
    }

    #[test]
    fn conditions_are_read_and_joined() {
        check(r#"[["is", "event:name", ["purchase", "x"]]]"#, &["purchase"]);
        check(
            r#"[["is_not", "event:name", ["purchase"]]]"#,
            &["view_item", "view_cart", "page_view"],
        );
        check(r#"[["contains", "event:name", ["view_"]]]"#, &["view_item", "view_cart"]);
        check(r#"[["contains_not", "event:name", ["view"]]]"#, &["purchase"]);
        check(r#"[["matches", "event:name", ["^p"]]]"#, &["purchase", "page_view"]);
        check(
            r#"[["matches", "event:name", ["^p"]], ["not", ["is", "event:name", ["purchase"]]]]"#,
            &["page_view"],
        );
        check(
            r#"[["or", [["is", "event:name", ["purchase"]],
                        ["contains", "event:name", ["cart"]]]]]"#,
            &["view_cart", "purchase"],
        );
    }

    #[test]
    fn wrong_filters_say_where() {
        for (json, field) in [
            (r#"["x"]"#, "filters[0]"),
            (r#"[["is", "event:name"]]"#, "filters[0]"),
            (r#"[["is", "event:nam", ["a"]]]"#, "filters[0][1]"),
            (r#"[["is", "event:name", "a"]]"#, "filters[0][2]"),
            (r#"[["matches", "event:name", ["("]]]"#, "filters[0][2]"),
            (r#"[["and", [["nor", 1]]]]"#, "filters[0][1][0]"),
        ] {
            match parse_text(json) {
                Err(QueryError::Invalid { field: said, .. }) => assert_eq!(said, field, "{json}"),
                other => panic!("{json}: {other:?}"),
            }
        }
        let deep = format!("[{}[]{}]", "[\"not\", ".repeat(40), "]".repeat(40));
        assert!(parse_text(&deep).is_err());
        let time = parse_text(r#"[["is", "time:day", ["2026-03-02"]]]"#);
        assert!(matches!(time, Err(QueryError::Unsupported { .. })));
    }
}
