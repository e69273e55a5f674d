//! Who may use what: the import rules of the architecture.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tidy::{Finding, Source};

/// A rule: files under `scope`, except those under `except`, do not name `paths`.
struct Ban {
    scope: &'static str,
    except: &'static [&'static str],
    paths: &'static [&'static str],
    why: &'static str,
}

const CLOCKS: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
];

const BANS: &[Ban] = &[
    Ban {
        scope: "proto/src/",
        except: &[],
        paths: CLOCKS,
        why: "proto reads no clock",
    },
    Ban {
        scope: "proto/src/",
        except: &[],
        paths: &[
            "std::fs",
            "std::io",
            "std::net",
            "std::thread",
            "std::env",
            "std::process",
        ],
        why: "proto does no I/O",
    },
    Ban {
        scope: "proto/src/",
        except: &[],
        paths: &["async", "await", "tokio", "futures"],
        why: "proto is synchronous",
    },
    Ban {
        scope: "proto/src/",
        except: &[],
        paths: &[
            "rand",
            "getrandom",
            "std::collections::hash_map::RandomState",
        ],
        why: "proto makes no random numbers",
    },
    Ban {
        scope: "edge-worker/src/",
        except: &["edge-worker/src/platform/"],
        paths: &[
            "worker",
            "wasm_bindgen",
            "wasm_bindgen_futures",
            "js_sys",
            "web_sys",
        ],
        why: "only platform/ names the platform",
    },
    Ban {
        scope: "edge-worker/src/",
        except: &["edge-worker/src/platform/"],
        paths: CLOCKS,
        why: "the time is an argument outside platform/",
    },
    Ban {
        scope: "edge-worker/",
        except: &[],
        paths: &["aggregator", "edgetally"],
        why: "only a frame crosses between the two programs",
    },
    Ban {
        scope: "aggregator/src/",
        except: &[
            "aggregator/src/http/",
            "aggregator/src/main.rs",
            "aggregator/src/app.rs",
        ],
        paths: &["axum", "hyper", "tower"],
        why: "HTTP is served in http/ alone",
    },
    Ban {
        scope: "aggregator/src/",
        except: &["aggregator/src/store/sled.rs"],
        paths: &["sled"],
        why: "store/sled.rs alone knows the engine",
    },
    Ban {
        scope: "aggregator/",
        except: &[],
        paths: &["edge_worker"],
        why: "only a frame crosses between the two programs",
    },
];

// The crates that a manifest may not name, by manifest.
const DEPENDENCY_BANS: &[(&str, &[&str])] = &[
    (
        "proto/Cargo.toml",
        &[
            "aggregator",
            "axum",
            "chrono",
            "edge-worker",
            "futures",
            "getrandom",
            "rand",
            "sled",
            "tokio",
            "worker",
        ],
    ),
    (
        "edge-worker/Cargo.toml",
        &["aggregator", "axum", "sled", "tokio"],
    ),
    ("aggregator/Cargo.toml", &["edge-worker", "worker"]),
];

/// Names that a file may not use.
pub fn check_imports(source: &Source) -> Vec<Finding> {
    let bans: Vec<&Ban> = BANS.iter().filter(|ban| ban.covers(&source.path)).collect();
    if bans.is_empty() || !source.is_rust() {
        return Vec::new();
    }
    let Ok(tokens) = source.text.parse::<TokenStream>() else {
        return vec![Finding::new(source, 0, "this is no Rust")];
    };
    let mut named = Vec::new();
    collect_paths(tokens, "", &mut named);
    let finding = |(path, line): &(String, usize)| {
        let ban = bans
            .iter()
            .find(|ban| ban.paths.iter().any(|banned| starts(path, banned)))?;
        Some(Finding::new(source, *line, format!("{path}: {}", ban.why)))
    };
    named.iter().filter_map(finding).collect()
}

/// Dependencies that a manifest may not have.
pub fn check_dependencies(source: &Source) -> Vec<Finding> {
    let Some((_, banned)) = DEPENDENCY_BANS
        .iter()
        .find(|(path, _)| *path == source.path)
    else {
        return Vec::new();
    };
    let mut section = "";
    let mut findings = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        // Tests may use the other side: they are no part of either program.
        let in_section = section.ends_with("dependencies") && section != "dev-dependencies";
        let table = section.rsplit_once("dependencies.").map(|(_, name)| name);
        let key = line.split(['=', '.', ' ']).next().unwrap_or("");
        let name = if line.starts_with('[') {
            table
        } else {
            in_section.then_some(key)
        };
        if let Some(name) = name.filter(|name| banned.contains(name)) {
            let message = format!("{name} has no place here");
            findings.push(Finding::new(source, number + 1, message));
        }
    }
    findings
}

impl Ban {
    fn covers(&self, path: &str) -> bool {
        path.starts_with(self.scope) && !self.except.iter().any(|except| path.starts_with(except))
    }
}

fn starts(path: &str, banned: &str) -> bool {
    path.strip_prefix(banned)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every path in the tokens, written out in full: groups of `use` are multiplied out. Comments and
/// strings are no tokens of their own, so they never count.
fn collect_paths(tokens: TokenStream, prefix: &str, found: &mut Vec<(String, usize)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut index = 0;
    let mut path: Option<(String, usize)> = None;
    // Whether the next token goes on with the path, because `::` stood before it.
    let mut joined = !prefix.is_empty();
    let mut after_dot = false;
    while index < tokens.len() {
        match &tokens[index] {
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                let name = ident.to_string();
                let name = name.trim_start_matches("r#");
                match path.as_mut().filter(|_| joined) {
                    Some((path, _)) => *path = format!("{path}::{name}"),
                    None => {
                        // A field or a method may be called anything, except for `.await`.
                        let full = if after_dot && name != "await" {
                            String::new()
                        } else {
                            format!("{prefix}{name}")
                        };
                        found.extend(path.replace((full, line)));
                    }
                }
                (joined, after_dot) = (false, false);
            }
            TokenTree::Punct(punct)
                if punct.as_char() == ':' && is_colon(tokens.get(index + 1)) =>
            {
                index += 1;
                // `::name` after a keyword or at the start is an absolute path.
                joined = path.as_ref().is_some_and(|(path, _)| !is_keyword(path));
                after_dot = false;
            }
            TokenTree::Group(group) => {
                let brace = group.delimiter() == Delimiter::Brace;
                let inner = match path.take() {
                    Some((path, _)) if joined && brace => format!("{path}::"),
                    whole => {
                        found.extend(whole);
                        String::new()
                    }
                };
                collect_paths(group.stream(), &inner, found);
                (joined, after_dot) = (false, false);
            }
            other => {
                found.extend(path.take());
                joined = false;
                after_dot = matches!(other, TokenTree::Punct(punct) if punct.as_char() == '.');
            }
        }
        index += 1;
    }
    found.extend(path);
}

// Those that stand before a path without a sign between.
fn is_keyword(name: &str) -> bool {
    [
        "use", "as", "in", "for", "impl", "dyn", "mut", "return", "else", "match", "if", "while",
    ]
    .contains(&name)
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}
