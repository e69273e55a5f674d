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
pub const WORDS: [&str; 16] = [
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
