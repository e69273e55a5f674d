//! Crawlers and tools by their user agents: words that give most of them away, and the names of a
//! kept list for the rest. The list lies in the program as lines that are searched as they are.

use std::cmp::Ordering;

/// Names of crawlers, previewers and monitors, sorted by bytes; `^` says that a user agent begins
/// so. None contains another, so that at most one of them begins at any place of a text.
const CRAWLERS: &str = include_str!("../../data/crawlers.txt");
/// Names of HTTP libraries and command line tools, in the same form.
const TOOLS: &str = include_str!("../../data/tools.txt");

/// Parts of user agents, in lower case, that no browser has. Crawlers put the address of their
/// makers there.
const WORDS: [&str; 16] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "scrape",
    "http://",
    "https://",
    "headless",
    "phantomjs",
    "lighthouse",
    "selenium",
    "playwright",
    "puppeteer",
    "cypress/",
    "pingdom",
    "rss reader",
];

/// What a user agent says that it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Claim {
    /// A browser or an app, or nothing.
    #[default]
    Person,
    /// An HTTP library or a command line tool: apps are made with them too.
    Tool,
    /// A crawler, a previewer of links, a monitor, an automated browser.
    Crawler,
}

/// What a user agent says that it is.
#[must_use]
pub fn claim(user_agent: &str) -> Claim {
    // "cubot" is a maker of telephones.
    let lower = user_agent.to_ascii_lowercase().replace("cubot", "");
    if WORDS.iter().any(|word| lower.contains(word)) || is_listed(CRAWLERS, user_agent) {
        Claim::Crawler
    } else if is_listed(TOOLS, user_agent) {
        Claim::Tool
    } else {
        Claim::Person
    }
}

fn is_listed(table: &'static str, text: &str) -> bool {
    let anchored = format!("^{text}");
    begins_with_line(table, &anchored)
        || text.char_indices().any(|(at, _)| {
            text.get(at..)
                .is_some_and(|rest| !rest.starts_with('^') && begins_with_line(table, rest))
        })
}

/// Whether a text begins with one of the lines, of which at most one can fit: the last that is not
/// after the text.
fn begins_with_line(table: &'static str, text: &str) -> bool {
    let bytes = table.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let before = bytes.get(low..middle).and_then(|b| b.iter().rposition(|b| *b == b'\n'));
        let start = before.map_or(low, |at| low + at + 1);
        let after = bytes.get(middle..high).and_then(|b| b.iter().position(|b| *b == b'\n'));
        let end = after.map_or(high, |at| middle + at);
        let Some(line) = table.get(start..end) else { return false };
        if text.starts_with(line) {
            return true;
        }
        match line.cmp(text) {
            Ordering::Less => low = end + 1,
            _ => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const PUBLISHED: &str = include_str!("../../data/crawler-user-agents/crawler-user-agents.json");

    fn published() -> Vec<Value> {
        serde_json::from_str(PUBLISHED).unwrap()
    }

    /// The texts that a pattern of the list stands for; none of one that is too free.
    fn texts(pattern: &str) -> Vec<String> {
        let whole =
            if pattern.contains('(') { vec![pattern] } else { pattern.split('|').collect() };
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
        check_table("crawlers.txt", CRAWLERS, false);
        check_table("tools.txt", TOOLS, true);
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

    #[test]
    fn browsers_and_apps_are_persons() {
        for agent in super::super::tests::PERSONS.lines().filter_map(|line| line.split('\t').nth(3))
        {
            assert_eq!(claim(agent), Claim::Person, "{agent}");
        }
        assert_eq!(claim(""), Claim::Person);
    }

    #[test]
    fn tools_are_told_from_crawlers() {
        for agent in ["curl/8.5.0", "python-requests/2.32", "okhttp/4.12.0", "axios/1.7.2"] {
            assert_eq!(claim(agent), Claim::Tool, "{agent}");
        }
        for agent in
            ["Mozilla/5.0 (compatible; Googlebot/2.1)", "HeadlessChrome/156", "x/1 (+https://x.vn)"]
        {
            assert_eq!(claim(agent), Claim::Crawler, "{agent}");
        }
    }
}
