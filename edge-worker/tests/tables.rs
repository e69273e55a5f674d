//! The tables of crawlers, held against the published list from which they are made.

use edge_worker::agent::{Claim, WORDS, claim};
use serde_json::Value;

const PUBLISHED: &str = include_str!("../data/crawler-user-agents/crawler-user-agents.json");

fn published() -> Vec<Value> {
    serde_json::from_str(PUBLISHED).unwrap()
}

/// The texts that a pattern of the list stands for; none of one that is too free.
fn texts(pattern: &str) -> Vec<String> {
    let whole = if pattern.contains('(') { vec![pattern] } else { pattern.split('|').collect() };
    whole.into_iter().filter_map(|part| expand(part, String::new())).flatten().collect()
}

/// Escapes, classes of letters and choices, written out.
fn expand(pattern: &str, before: String) -> Option<Vec<String>> {
    let with = |text: &str, rest: &str| expand(rest, format!("{before}{text}"));
    let mut letters = pattern.chars();
    let Some(letter) = letters.next() else { return Some(vec![before]) };
    let rest = letters.as_str();
    let choices = |closing: char, split: fn(&str) -> Vec<String>| {
        let (inside, rest) = rest.split_once(closing)?;
        let all = split(inside).into_iter().map(|choice| with(&choice, rest));
        Some(all.collect::<Option<Vec<_>>>()?.concat())
    };
    match letter {
        '^' if before.is_empty() => with("^", rest),
        '\\' => {
            let literal = letters.next().filter(|l| !l.is_alphanumeric())?;
            with(&literal.to_string(), letters.as_str())
        }
        '[' if !rest.starts_with('^') && !rest.starts_with("\\s") => {
            choices(']', |inside| inside.chars().map(String::from).collect())
        }
        '(' => choices(')', |inside| inside.split('|').map(str::to_owned).collect()),
        // An ending is left away: whatever follows such a name, it is a crawler's.
        '$' if rest.is_empty() => Some(vec![before]),
        '*' | '+' | '?' | '.' | '|' | '[' | '$' | '^' => None,
        plain => with(&plain.to_string(), rest),
    }
}

fn is_tool(entry: &Value) -> bool {
    entry["tags"].as_array().unwrap().contains(&Value::from("http-library"))
}

/// The lines of a table: texts that neither words nor another line find.
fn lines(tools: bool) -> String {
    let entries = published().into_iter().filter(|entry| is_tool(entry) == tools);
    let all = entries.flat_map(|entry| texts(entry["pattern"].as_str().unwrap()));
    let has_word = |text: &str| WORDS.iter().any(|word| text.to_lowercase().contains(word));
    let mut all: Vec<String> = all.filter(|text| !has_word(text)).collect();
    all.sort();
    all.dedup();
    let found_by = |text: &str, other: &str| {
        let inside = text.trim_start_matches('^').contains(other) || text.starts_with(other);
        text != other && inside
    };
    let is_needed = |text: &&String| !all.iter().any(|other| found_by(text, other));
    let lines: Vec<&str> = all.iter().filter(is_needed).map(String::as_str).collect();
    lines.join("\n") + "\n"
}

fn check_table(name: &str, held: &str, tools: bool) {
    let made = lines(tools);
    if std::env::var_os("EDGETALLY_WRITE_TABLES").is_some() {
        std::fs::write(format!("data/{name}"), &made).unwrap();
    }
    assert!(held == made, "{name} is not what the list gives; README.md beside it says how");
}

#[test]
fn tables_are_those_of_the_list() {
    check_table("crawlers.txt", include_str!("../data/crawlers.txt"), false);
    check_table("tools.txt", include_str!("../data/tools.txt"), true);
}

#[test]
fn tables_find_every_crawler_of_the_list() {
    let mut checked = 0;
    for entry in published() {
        let Some(agent) = entry["instances"].get(0).and_then(Value::as_str) else { continue };
        assert_ne!(claim(agent), Claim::Person, "{agent} by {}", entry["pattern"]);
        checked += 1;
    }
    assert!(checked > 1_400, "{checked}");
}
