//! Sources: the search engine, network or shop that a host or a tag stands for.
//!
//! The tables are lines of `key, category, name`, sorted by the bytes of the key, so that they are
//! searched as they lie in the program: nothing is parsed or built at a start, which counts in
//! wasm. docs/channels.md says what they are made from.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::campaign::fold;

const HOST_LINES: &str = include_str!("../../data/hosts.tsv");
const NAME_LINES: &str = include_str!("../../data/names.tsv");
static HOST_STARTS: [u16; lines_of(HOST_LINES) + 1] = starts_of(HOST_LINES);
static NAME_STARTS: [u16; lines_of(NAME_LINES) + 1] = starts_of(NAME_LINES);
const HOSTS: Table = Table { lines: HOST_LINES, starts: &HOST_STARTS };
const NAMES: Table = Table { lines: NAME_LINES, starts: &NAME_STARTS };

/// A table as text, and where its lines start; the end of the text comes last.
#[derive(Clone, Copy)]
struct Table {
    lines: &'static str,
    starts: &'static [u16],
}

const fn lines_of(text: &str) -> usize {
    let (bytes, mut at, mut lines) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            lines += 1;
        }
        at += 1;
    }
    lines
}

/// Worked out by the compiler, which refuses a table that is too long for its numbers.
const fn starts_of<const N: usize>(text: &str) -> [u16; N] {
    let (bytes, mut at, mut line, mut starts) = (text.as_bytes(), 0, 1, [0; N]);
    assert!(bytes.len() <= u16::MAX as usize, "the table is too long");
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            starts[line] = at as u16 + 1;
            line += 1;
        }
        at += 1;
    }
    starts
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Search engines.
    Search,
    /// Social networks, messengers and communities.
    Social,
    /// Video platforms.
    Video,
    /// Marketplaces and price comparison.
    Shopping,
    /// Mail in the browser or an app.
    Email,
    /// AI assistants.
    Ai,
}

impl Category {
    /// Reads it as the tables write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "search" => Self::Search,
            "social" => Self::Social,
            "video" => Self::Video,
            "shopping" => Self::Shopping,
            "email" => Self::Email,
            "ai" => Self::Ai,
            _ => return None,
        })
    }

    /// As the tables write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Social => "social",
            Self::Video => "video",
            Self::Shopping => "shopping",
            Self::Email => "email",
            Self::Ai => "ai",
        }
    }
}

/// A known source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Its name, in lower case.
    pub name: &'static str,
    /// What it is.
    pub category: Category,
}

/// What a `utm_source` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The source.
    pub source: Source,
    /// Whether the tag says that it is an advertisement there: `fb-ads`, `adwords`.
    pub is_ads: bool,
}

/// The source of a referrer's host, if it is a known one.
///
/// Subdomains count, except of search engines: `mail.google.com` is no search. There only `www`,
/// `m` and `search` may stand before, unless the entry itself is one such as `search.yahoo.com`.
#[must_use]
pub fn source_of_host(host: &str) -> Option<Source> {
    let host = host.trim().trim_end_matches('.').to_lowercase();
    let mut rest = host.as_str();
    let mut is_whole = true;
    loop {
        let takes_all = rest.starts_with("search.") || rest.starts_with("images.");
        let counts = |source: &Source| is_whole || takes_all || source.category != Category::Search;
        if let Some(source) = with_countries(rest).filter(counts) {
            return Some(source);
        }
        let (label, parent) = rest.split_once('.')?;
        is_whole = is_whole && is_front(label);
        rest = parent;
    }
}

/// The source of a `utm_source`: a host, a name, an abbreviation, or one of those with `ad(s)`.
#[must_use]
pub fn source_of_tag(tag: &str) -> Option<Tag> {
    let tag = fold(tag);
    if tag.contains('.')
        && let Some(source) = source_of_host(&tag)
    {
        return Some(Tag { source, is_ads: false });
    }
    let spelt = spelling(&tag);
    let stem = spelt.strip_suffix("ads").or_else(|| spelt.strip_suffix("ad"));
    if let Some(source) = find(NAMES, &spelt) {
        // The name of Threads ends in "ads" and says nothing of advertisements.
        let is_ads = (stem.is_some() || spelt == "adwords") && spelt != spelling(source.name);
        return Some(Tag { source, is_ads });
    }
    find(NAMES, stem?).map(|source| Tag { source, is_ads: true })
}

/// The letters and digits of a folded text, and `+`, which tells Google+ from Google: names are
/// compared by them, so that `hacker-news` is `Hacker News`.
#[must_use]
pub fn spelling(text: &str) -> String {
    fold(text).chars().filter(|letter| letter.is_alphanumeric() || *letter == '+').collect()
}

/// What may stand before a search engine's host: `www`, `www2`, `m`, `search`.
fn is_front(label: &str) -> bool {
    let digits_off = label.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let is_www = !digits_off.is_empty() && digits_off.bytes().all(|letter| letter == b'w');
    is_www || label == "m" || label == "search"
}

/// Looks a host up as it is, then with its countries as `{}`: at the end, in front, in both places.
fn with_countries(host: &str) -> Option<Source> {
    let ending = country_ending(host);
    let fronts = |text: &str| {
        let replaced = country_labels(text);
        (replaced != text).then(|| find(HOSTS, &replaced)).flatten()
    };
    find(HOSTS, host)
        .or_else(|| ending.as_deref().and_then(|text| find(HOSTS, text)))
        .or_else(|| fronts(host))
        .or_else(|| ending.as_deref().and_then(fronts))
}

/// `google.com.vn` as `google.{}`. Every top-level domain of two letters is a country.
fn country_ending(host: &str) -> Option<String> {
    const SECOND: [&str; 8] = [".com", ".co", ".org", ".net", ".edu", ".ne", ".or", ".it"];
    let (rest, _) = host.rsplit_once('.').filter(|(_, last)| is_country(last))?;
    let shorter = SECOND.iter().find_map(|second| rest.strip_suffix(second));
    Some(format!("{}.{{}}", shorter.unwrap_or(rest)))
}

/// `vn.search.yahoo.com` as `{}.search.yahoo.com`.
fn country_labels(host: &str) -> Cow<'_, str> {
    let Some((front, last)) = host.rsplit_once('.') else {
        return Cow::Borrowed(host);
    };
    if !front.split('.').any(is_country) {
        return Cow::Borrowed(host);
    }
    let labels = front.split('.').map(|label| if is_country(label) { "{}" } else { label });
    let front = labels.collect::<Vec<_>>().join(".");
    Cow::Owned(format!("{front}.{last}"))
}

fn is_country(label: &str) -> bool {
    label.len() == 2 && label.bytes().all(|letter| letter.is_ascii_lowercase())
}

/// Binary search over the lines of a table.
fn find(table: Table, key: &str) -> Option<Source> {
    let line = |at: usize| {
        let start = usize::from(*table.starts.get(at)?);
        let end = usize::from(*table.starts.get(at + 1)?);
        table.lines.get(start..end)
    };
    let (mut low, mut high) = (0, table.starts.len() - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = line(middle)?;
        if let Some(rest) = found.strip_prefix(key).and_then(|rest| rest.strip_prefix('\t')) {
            let (category, name) = rest.trim_end_matches('\n').split_once('\t')?;
            return Some(Source { name, category: Category::parse(category)? });
        }
        // A tab comes before every letter of a key, so that lines order as their keys do.
        match found < key {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    None
}
