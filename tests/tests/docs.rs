//! The tables of docs/http-api.md against the code that they speak of.

use std::collections::BTreeSet;
use std::fs;

use edgetally_proto::error::{RejectCode, WarningCode};
use edgetally_tests::root;
use edgetally_tests::tidy::read_tree;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The rows of the first table under a heading, as cells without their backticks.
pub fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading);
    let rows = lines.skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    rows.map(cells).collect()
}

pub fn http_api() -> String {
    fs::read_to_string(root().join("docs/http-api.md")).expect("docs/http-api.md")
}

fn check(heading: &str, codes: &[&str]) {
    let rows = table(&http_api(), heading);
    let told: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(told, codes, "docs/http-api.md, \"{heading}\"");
    for row in &rows {
        assert!(row.len() == 2 && !row[1].is_empty(), "{row:?} does not say how it comes about");
    }
}

#[test]
fn every_code_of_an_event_is_in_the_table() {
    let codes: Vec<&str> = RejectCode::ALL.iter().map(|code| code.as_str()).collect();
    check("When an event is refused", &codes);
}

#[test]
fn every_warning_is_in_the_table() {
    let codes: Vec<&str> = WarningCode::ALL.iter().map(|code| code.as_str()).collect();
    check("When an event is taken with a warning", &codes);
}

/// Status and code of every `Problem::new(status, "code", ...)` among the tokens.
fn collect_problems(tokens: TokenStream, found: &mut BTreeSet<(String, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before: Vec<String> =
            tokens[at.saturating_sub(4)..at].iter().map(ToString::to_string).collect();
        let before = before.concat();
        let is_call = ["Problem::new", "Self::new"].contains(&before.as_str());
        if is_call && group.delimiter() == Delimiter::Parenthesis {
            let words: Vec<String> =
                group.stream().into_iter().take(3).map(|token| token.to_string()).collect();
            if let [status, _, code] = words.as_slice()
                && status.parse::<u16>().is_ok()
            {
                found.insert((status.clone(), code.trim_matches('"').to_owned()));
            }
        }
        collect_problems(group.stream(), found);
    }
}

#[test]
fn every_refusal_of_a_request_is_in_the_table() {
    let mut made = BTreeSet::new();
    for source in read_tree(&root()).expect("the tree can be read") {
        if source.path.starts_with("edge-worker/src/") && source.is_rust() {
            collect_problems(source.text.parse().expect("Rust"), &mut made);
        }
    }
    assert!(made.len() > 10, "too few refusals were found in the sources: {made:?}");
    let rows = table(&http_api(), "When a whole request is refused");
    let told: BTreeSet<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(told, made, "docs/http-api.md and edge-worker/src/ differ");
    assert!(rows.iter().all(|row| row.len() == 3 && !row[2].is_empty()));
}
