//! Where files are and what they are called.

use std::collections::BTreeSet;

use crate::tidy::{Finding, Source};

/// Every Rust file is a module of the file above it; one that nobody lists is dead.
pub fn check_modules(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let Some((folder, name)) = parent(&source.path) else {
            continue;
        };
        let parents = [
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}.rs"),
        ];
        let lists = |parent: &Source| {
            parent.path != source.path
                && parents.contains(&parent.path)
                && listed(parent).contains(name)
        };
        if !sources.iter().any(lists) {
            let message = format!("no file above it has `mod {name};`: nothing compiles it");
            findings.push(Finding::new(source, 0, message));
        }
    }
    findings
}

/// The folder whose module a file is, and the module's name; none for roots of crates.
fn parent(path: &str) -> Option<(&str, &str)> {
    let (folder, file) = path.rsplit_once('/')?;
    let is_source = path.contains("/src/") || path.starts_with("tests/tests/");
    let is_root = matches!(file, "lib.rs" | "main.rs") || folder.ends_with("/bin");
    if !is_source || is_root {
        return None;
    }
    match file {
        "mod.rs" => folder.rsplit_once('/'),
        _ => Some((folder, file.strip_suffix(".rs")?)),
    }
}

fn listed(source: &Source) -> BTreeSet<String> {
    let Ok(file) = syn::parse_file(&source.text) else {
        return BTreeSet::new();
    };
    file.items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Mod(module) if module.content.is_none() => Some(module.ident.to_string()),
            _ => None,
        })
        .collect()
}

/// Decisions are named `NNNN-why-....md`, and no number is used twice.
pub fn check_decisions(sources: &[Source]) -> Vec<Finding> {
    let mut numbers = BTreeSet::new();
    let mut findings = Vec::new();
    for source in sources {
        let Some(name) = source.path.strip_prefix("docs/decisions/") else {
            continue;
        };
        let number = name.get(..4).filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let rest = name.get(4..).unwrap_or("");
        let words = rest.strip_prefix('-').and_then(|rest| rest.strip_suffix(".md"));
        let plain = |words: &str| {
            !words.is_empty()
                && words.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        match (number, words.filter(|words| plain(words))) {
            (Some(number), Some(_)) if numbers.insert(number) => {}
            (Some(number), Some(_)) => {
                findings.push(Finding::new(source, 0, format!("{number} is used twice")));
            }
            _ => findings.push(Finding::new(source, 0, "is not named NNNN-in-a-few-words.md")),
        }
    }
    findings
}
