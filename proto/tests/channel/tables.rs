//! The tables of sources against the data that they are made from.
//!
//! After a change of the data: `EDGETALLY_WRITE_TABLES=1 cargo test -p edgetally-proto tables`.

use std::collections::BTreeMap;

use edgetally_proto::campaign::{decode_form, fold};
use edgetally_proto::channel::{Category, source_of_host, source_of_tag, spelling, untagged};
use serde::Deserialize;

const OWN: &str = include_str!("../../data/sources.txt");
const SEARCH_ENGINES: &str = include_str!("../../data/matomo-referrers/SearchEngines.yml");
const SOCIALS: &str = include_str!("../../data/matomo-referrers/Socials.yml");
const AI_ASSISTANTS: &str = include_str!("../../data/matomo-referrers/AIAssistants.yml");

#[derive(Deserialize)]
struct Engine {
    urls: Vec<String>,
}

/// A source as one of the files gives it.
struct Entry {
    category: Category,
    name: String,
    hosts: Vec<String>,
    spellings: Vec<String>,
}

/// Our own lines, and the words that are no names.
fn own() -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut words) = (Vec::new(), Vec::new());
    for line in OWN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [category, name, hosts, spellings]: [&str; 4] = cells.try_into().expect(line);
        let list = |cell: &str| cell.split_whitespace().map(str::to_owned).collect();
        if category == "word" {
            words.push(spelling(name));
            continue;
        }
        let category = Category::parse(category).expect(line);
        let name = name.to_owned();
        entries.push(Entry { category, name, hosts: list(hosts), spellings: list(spellings) });
    }
    (entries, words)
}

/// The database: assistants and networks before engines, which repeat some of them.
fn database() -> Vec<Entry> {
    let plain = |text: &str, category: Category| {
        let read: BTreeMap<String, Vec<String>> = serde_saphyr::from_str(text).unwrap();
        read.into_iter().map(move |(name, hosts)| entry(category, &name, hosts)).collect::<Vec<_>>()
    };
    let engines: BTreeMap<String, Vec<Engine>> = serde_saphyr::from_str(SEARCH_ENGINES).unwrap();
    let mut entries = plain(AI_ASSISTANTS, Category::Ai);
    entries.extend(plain(SOCIALS, Category::Social));
    entries.extend(engines.into_iter().map(|(name, variants)| {
        let hosts = variants.into_iter().flat_map(|engine| engine.urls).collect();
        entry(Category::Search, &name, hosts)
    }));
    entries
}

/// Entries with a path are other names of a host that is there without one.
fn entry(category: Category, name: &str, hosts: Vec<String>) -> Entry {
    let hosts = hosts.into_iter().filter(|host| !host.contains('/'));
    let hosts = hosts.map(|host| host.trim_start_matches("www.").to_owned()).collect();
    let name = fold(&decode_form(&name.replace('+', "%2B")));
    Entry { category, name, hosts, spellings: Vec::new() }
}

type Table = BTreeMap<String, (Category, String)>;

fn tables() -> (Table, Table) {
    let (mut hosts, mut names) = (Table::new(), Table::new());
    let (own, words) = own();
    for entry in own.into_iter().chain(database()) {
        let value = (entry.category, entry.name.clone());
        for host in entry.hosts {
            hosts.entry(host).or_insert_with(|| value.clone());
        }
        for spelt in std::iter::once(&entry.name).chain(&entry.spellings).map(|text| spelling(text))
        {
            if !words.contains(&spelt) {
                names.entry(spelt).or_insert_with(|| value.clone());
            }
        }
    }
    (hosts, names)
}

fn written(table: &Table) -> String {
    let lines = table.iter().map(|(key, (category, name))| {
        assert!(!key.is_empty() && !key.contains(['\t', '\n']) && !name.contains(['\t', '\n']));
        format!("{key}\t{}\t{name}\n", category.as_str())
    });
    lines.collect()
}

#[test]
fn the_tables_are_those_of_the_data() {
    let (hosts, names) = tables();
    for (path, table) in [("data/hosts.tsv", &hosts), ("data/names.tsv", &names)] {
        let expected = written(table);
        if std::env::var_os("EDGETALLY_WRITE_TABLES").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap();
        assert!(
            stored == expected,
            "{path} is not what the data gives; the head says how to write it"
        );
    }
}

#[test]
fn every_entry_is_found() {
    let (hosts, names) = tables();
    assert!(hosts.len() > 800 && names.len() > 400, "{} {}", hosts.len(), names.len());
    for (host, (category, name)) in &hosts {
        let country = if host.ends_with("{}") { "com.vn" } else { "vn" };
        let visited = host.replace("{}", country);
        let found = source_of_host(&visited).unwrap();
        assert_eq!((found.category, found.name), (*category, name.as_str()), "{visited}");
        let found = source_of_host(&format!("www.{visited}")).unwrap();
        assert_eq!((found.category, found.name), (*category, name.as_str()), "www.{visited}");
    }
    for (spelt, (category, name)) in &names {
        let found = source_of_tag(spelt).unwrap().source;
        assert_eq!((found.category, found.name), (*category, name.as_str()), "{spelt}");
    }
}

/// What an untagged link is called is, as a tag, the same source: reports by source add up.
#[test]
fn names_of_hosts_are_names_of_tags() {
    let (hosts, _) = tables();
    let (_, words) = own();
    for host in hosts.keys().map(|host| host.replace("{}", "vn")) {
        let campaign = untagged(&host);
        let again = source_of_tag(&campaign.source).map(|tag| tag.source);
        match words.contains(&spelling(&campaign.source)) {
            // A word is told by its medium instead.
            true => assert_ne!(campaign.medium, "referral", "{host}"),
            false => assert_eq!(again, source_of_host(&host), "{host}"),
        }
    }
}
