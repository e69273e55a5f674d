//! Who may use what: the import rules of the architecture.

use proc_macro2::TokenStream;

use crate::tidy::paths::collect_paths;
use crate::tidy::{Finding, Source};

/// A rule: files under `scope`, except those under `except`, do not name `paths`.
struct Ban {
    scope: &'static str,
    except: &'static [&'static str],
    paths: &'static [&'static str],
    why: &'static str,
}

const CLOCKS: &[&str] = &["std::time::Instant", "std::time::SystemTime", "std::time::UNIX_EPOCH"];

const INPUT_OUTPUT: &[&str] = &[
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::thread",
    "reqwest",
    "tokio::fs",
    "tokio::net",
    "tokio::time",
    "tokio::spawn",
    "ureq",
];

// Where the aggregator meets the world. The simulator is a client that happens to share its binary.
const AGGREGATOR_SHELL: &[&str] = &[
    "aggregator/src/app.rs",
    "aggregator/src/archive/",
    "aggregator/src/commands/",
    "aggregator/src/http/",
    "aggregator/src/main.rs",
    "aggregator/src/simulate/",
    "aggregator/src/store/",
];

const BANS: &[Ban] = &[
    Ban { scope: "proto/src/", except: &[], paths: CLOCKS, why: "proto reads no clock" },
    Ban {
        scope: "proto/src/",
        except: &[],
        paths: &["std::fs", "std::io", "std::net", "std::thread", "std::env", "std::process"],
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
        paths: &["rand", "getrandom", "std::collections::hash_map::RandomState"],
        why: "proto makes no random numbers",
    },
    Ban {
        scope: "edge-worker/src/",
        except: &["edge-worker/src/platform/"],
        paths: &["worker", "wasm_bindgen", "wasm_bindgen_futures", "js_sys", "web_sys"],
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
        except: &["aggregator/src/http/", "aggregator/src/main.rs", "aggregator/src/app.rs"],
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
        scope: "aggregator/src/",
        except: AGGREGATOR_SHELL,
        paths: CLOCKS,
        why: "the time is an argument outside http/, store/ and main.rs",
    },
    Ban {
        scope: "aggregator/src/",
        except: AGGREGATOR_SHELL,
        paths: INPUT_OUTPUT,
        why: "I/O has its place in http/, store/ and main.rs",
    },
    Ban {
        scope: "edge-worker/src/",
        except: &[],
        paths: INPUT_OUTPUT,
        why: "a worker has no such thing",
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
    ("edge-worker/Cargo.toml", &["aggregator", "axum", "sled", "tokio"]),
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
    let mut findings = Vec::new();
    for (index, (path, line)) in named.iter().enumerate() {
        let after_use = index > 0 && named[index - 1].0 == "use";
        let breaks = |ban: &&&Ban| ban.paths.iter().any(|banned| uses(path, banned, after_use));
        if let Some(ban) = bans.iter().find(breaks) {
            findings.push(Finding::new(source, *line, format!("{path}: {}", ban.why)));
        }
    }
    findings
}

/// Dependencies that a manifest may not have.
pub fn check_dependencies(source: &Source) -> Vec<Finding> {
    let Some((_, banned)) = DEPENDENCY_BANS.iter().find(|(path, _)| *path == source.path) else {
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
        let name = if line.starts_with('[') { table } else { in_section.then_some(key) };
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

// A crate's name alone may be a field or a module as well; with `use` before it or `::` after it,
// it is the crate. A word of the language is always what it is.
fn uses(path: &str, banned: &str, after_use: bool) -> bool {
    let is_word = matches!(banned, "async" | "await");
    path.strip_prefix(banned).is_some_and(|rest| match rest {
        "" => is_word || after_use || banned.contains("::"),
        rest => rest.starts_with("::"),
    })
}
