//! Plausible's filters, put into ours.

use regex::{Regex, RegexBuilder};
use serde_json::{Value as Json, json};

use super::names;
use crate::query::QueryError;

/// Deepest nesting that is followed; the planner refuses less.
const DEPTH_MAX: usize = 32;

/// Puts a filter into our names and operators; members keep their places, so that errors do.
///
/// # Errors
/// If it is none, or of a kind that is not answered.
pub fn ours(filter: &Json, field: &str, depth: usize) -> Result<Json, QueryError> {
    let wrong = |detail: &str| QueryError::invalid(field, detail);
    let parts = filter.as_array().ok_or_else(|| wrong("a filter is an array"))?;
    let operator = parts.first().and_then(Json::as_str).unwrap_or_default();
    let second = parts.get(1).unwrap_or(&Json::Null);
    if depth > DEPTH_MAX {
        return Err(wrong("filters are nested too deeply"));
    }
    match operator {
        "has_done" | "has_not_done" => {
            let detail = format!("the filter {operator} is not answered");
            Err(QueryError::Unsupported { detail })
        }
        "not" => Ok(json!(["not", ours(second, &format!("{field}[1]"), depth + 1)?])),
        "and" | "or" => {
            let inner = second.as_array().ok_or_else(|| wrong("and, or take a list of filters"))?;
            let read =
                |(at, one): (usize, &Json)| ours(one, &format!("{field}[1][{at}]"), depth + 1);
            let inner: Result<Vec<Json>, _> = inner.iter().enumerate().map(read).collect();
            Ok(json!([operator, inner?]))
        }
        _ => condition(operator, parts, field),
    }
}

/// Whether capitals count: the fourth member of a condition.
fn is_case_sensitive(modifiers: Option<&Json>, field: &str) -> Result<bool, QueryError> {
    let Some(modifiers) = modifiers else { return Ok(true) };
    let members = modifiers.as_object().filter(|members| members.len() == 1);
    let said = members.and_then(|members| members.get("case_sensitive"));
    said.and_then(Json::as_bool).ok_or_else(|| {
        QueryError::invalid(format!("{field}[3]"), "the only modifier is case_sensitive")
    })
}

fn condition(operator: &str, parts: &[Json], field: &str) -> Result<Json, QueryError> {
    let (plain, is_negated) =
        operator.strip_suffix("_not").map_or((operator, false), |plain| (plain, true));
    let is_known = ["is", "contains", "matches", "matches_wildcard"].contains(&plain);
    if !is_known || !(3..=4).contains(&parts.len()) {
        let detail = "a filter is [operator, dimension, [clauses]], with is, contains, matches, \
                      matches_wildcard or their negations, or and, or, not";
        return Err(QueryError::invalid(field, detail));
    }
    let name = parts.get(1).and_then(Json::as_str).unwrap_or_default();
    let (dimension, kind) = names::dimension(name)?;
    let clauses = parts.get(2).and_then(Json::as_array);
    let clauses: Option<Vec<&str>> =
        clauses.and_then(|all| all.iter().map(Json::as_str).collect::<Option<_>>());
    let clauses = clauses.filter(|all| !all.is_empty()).ok_or_else(|| {
        QueryError::invalid(format!("{field}[2]"), "the clauses are a list of texts")
    })?;
    let with_case = is_case_sensitive(parts.get(3), field)?;
    let said = |plain: &str| format!("{plain}{}", if is_negated { "_not" } else { "" });
    if let Some(values) = kind.renamed() {
        let wanted = expressions(plain, &clauses, with_case, field)?;
        let is_wanted = |value: &String| {
            let shown = kind.shown(value);
            wanted.iter().any(|expression| expression.is_match(&shown))
        };
        let mut passing: Vec<String> = values.into_iter().filter(is_wanted).collect();
        if passing.is_empty() {
            // No value is empty, so that nothing passes.
            passing.push(String::new());
        }
        return Ok(json!([said("is"), dimension, passing]));
    }
    if with_case && plain != "matches_wildcard" {
        let values = clauses
            .iter()
            .map(|clause| if plain == "is" { kind.ours(clause) } else { (*clause).to_owned() });
        return Ok(json!([said(plain), dimension, values.collect::<Vec<_>>()]));
    }
    let clauses: Vec<String> = clauses.iter().map(|clause| kind.ours(clause)).collect();
    let clauses: Vec<&str> = clauses.iter().map(String::as_str).collect();
    let texts = clauses.iter().map(|clause| expression(plain, clause, with_case));
    Ok(json!([said("matches"), dimension, texts.collect::<Vec<_>>()]))
}

/// The expression that fits what an operator lets pass.
fn expression(operator: &str, clause: &str, with_case: bool) -> String {
    let flags = if with_case { "" } else { "(?i)" };
    match operator {
        "is" => format!("{flags}^{}$", regex::escape(clause)),
        "contains" => format!("{flags}{}", regex::escape(clause)),
        "matches_wildcard" => {
            let parts: Vec<String> = clause.split('*').map(regex::escape).collect();
            format!("{flags}^{}$", parts.join(".*"))
        }
        _ => format!("{flags}{clause}"),
    }
}

fn expressions(
    operator: &str,
    clauses: &[&str],
    with_case: bool,
    field: &str,
) -> Result<Vec<Regex>, QueryError> {
    let read = |clause: &&str| RegexBuilder::new(&expression(operator, clause, with_case)).build();
    let all: Result<Vec<Regex>, _> = clauses.iter().map(read).collect();
    all.map_err(|error| QueryError::invalid(format!("{field}[2]"), error.to_string()))
}

/// Whether a filter speaks of a goal; it may do so at the top only, as with Plausible.
///
/// # Errors
/// If it does so further inside.
pub fn is_of_goal(filter: &Json, field: &str) -> Result<bool, QueryError> {
    let is_goal = |filter: &Json| filter.get(1).and_then(Json::as_str) == Some("event:goal");
    fn has_inside(filter: &Json, is_goal: &impl Fn(&Json) -> bool) -> bool {
        let inner = filter.as_array().map(Vec::as_slice).unwrap_or_default();
        inner.iter().any(|one| is_goal(one) || has_inside(one, is_goal))
    }
    if has_inside(filter, &is_goal) {
        let detail = "event:goal can be filtered at the top level only";
        return Err(QueryError::invalid(field, detail));
    }
    Ok(is_goal(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: Json, expected: Json) {
        assert_eq!(ours(&filter, "filters[0]", 0), Ok(expected), "{filter}");
    }

    #[test]
    fn filters_are_put_into_ours() {
        check(
            json!(["is", "visit:utm_medium", ["cpc", "(not set)"]]),
            json!(["is", "visit:medium", ["cpc", "(none)"]]),
        );
        check(
            json!(["is_not", "visit:source", ["Direct / None"]]),
            json!(["is_not", "visit:source", ["(none)"]]),
        );
        check(
            json!(["contains", "event:page", ["/login"], {"case_sensitive": false}]),
            json!(["matches", "event:page", ["(?i)/login"]]),
        );
        check(
            json!(["is", "visit:city_name", ["Huế"], {"case_sensitive": false}]),
            json!(["matches", "visit:city", ["(?i)^Huế$"]]),
        );
        check(
            json!(["matches_wildcard_not", "event:page", ["/blog/*", "/a.b"]]),
            json!(["matches_not", "event:page", ["^/blog/.*$", "^/a\\.b$"]]),
        );
        check(
            json!(["is", "visit:country_name", ["Vietnam", "Germany"]]),
            json!(["is", "visit:country", ["DE", "VN"]]),
        );
        check(
            json!(["is_not", "visit:device", ["Mobile"]]),
            json!(["is_not", "visit:device", ["mobile"]]),
        );
        check(json!(["contains", "visit:os", ["ac"]]), json!(["is", "visit:os", ["macOS"]]));
        check(json!(["is", "visit:device", ["Watch"]]), json!(["is", "visit:device", [""]]));
        check(
            json!([
                "and",
                [["is", "event:goal", ["purchase"]], ["not", ["is", "visit:browser", ["Chrome"]]]]
            ]),
            json!([
                "and",
                [["is", "event:name", ["purchase"]], ["not", ["is", "visit:browser", ["Chrome"]]]]
            ]),
        );
    }

    #[test]
    fn wrong_filters_say_where() {
        for (filter, field) in [
            (json!("x"), "filters[0]"),
            (json!(["is", "visit:os"]), "filters[0]"),
            (json!(["is", "visit:os", "Mac"]), "filters[0][2]"),
            (json!(["is", "visit:os", ["Mac"], {"case": 1}]), "filters[0][3]"),
            (json!(["or", [["matches", "visit:os", ["("]]]]), "filters[0][1][0][2]"),
            (json!(["between", "visit:os", ["a"]]), "filters[0]"),
        ] {
            match ours(&filter, "filters[0]", 0) {
                Err(QueryError::Invalid { field: said, .. }) => assert_eq!(said, field, "{filter}"),
                other => panic!("{filter}: {other:?}"),
            }
        }
        let done = json!(["has_done", ["is", "event:page", ["/a"]]]);
        assert!(matches!(ours(&done, "", 0), Err(QueryError::Unsupported { .. })));
        assert!(is_of_goal(&json!(["not", ["is", "event:goal", ["a"]]]), "").is_err());
    }
}
