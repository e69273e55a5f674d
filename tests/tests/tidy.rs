//! The tree keeps its own rules, and each rule catches what it is there for.

use edgetally_tests::root;
use edgetally_tests::tidy::{
    Source, check_decisions, check_dependencies, check_imports, check_modules, check_shape,
    check_tree, read_tree,
};

#[test]
fn the_tree_is_tidy() {
    let sources = read_tree(&root()).expect("the tree can be read");
    assert!(sources.iter().any(|source| source.path == "proto/src/lib.rs"), "the wrong tree");
    let findings = check_tree(&sources);
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
}

/// Checks the import rules on one file: the names that are found, in order.
fn check_names(path: &str, text: &str, expected: &[&str]) {
    let findings = check_imports(&Source::new(path, text));
    let found: Vec<&str> = findings
        .iter()
        .map(|finding| finding.message.split(": ").next().expect("a name"))
        .collect();
    assert_eq!(found, expected, "{path}: {text}");
}

#[test]
fn proto_reads_no_clock_and_does_no_io() {
    let path = "proto/src/time.rs";
    check_names(path, "use std::time::Instant;", &["std::time::Instant"]);
    check_names(path, "fn f() { std::time::SystemTime::now(); }", &["std::time::SystemTime::now"]);
    check_names(
        path,
        "use std::{fmt, time::{Duration, Instant as Now}, fs::File};",
        &["std::time::Instant", "std::fs::File"],
    );
    check_names(path, "fn f() { println!(\"{}\", std::env::var(\"A\")); }", &["std::env::var"]);
    check_names(path, "use ::std::net::TcpStream;", &["std::net::TcpStream"]);
    check_names(path, "async fn f() { g().await }", &["async", "await"]);
    check_names(path, "fn f() -> u8 { rand::random() }", &["rand::random"]);
}

#[test]
fn what_only_looks_like_a_breach_is_none() {
    let path = "proto/src/time.rs";
    check_names(path, "//! std::time::Instant\n/// std::fs\nfn f() {}", &[]);
    check_names(path, "const A: &str = \"std::fs::File\";", &[]);
    check_names(path, "use core::time::Duration; use std::time::Duration as D;", &[]);
    check_names(path, "fn f(a: A) -> u8 { a.worker.rand() + a.random::rand }", &[]);
    check_names("aggregator/src/store/log.rs", "use std::fs::File; use std::time::Instant;", &[]);
}

#[test]
fn the_platform_is_named_in_platform_alone() {
    let text = "use worker::{Env, Request}; fn f() { js_sys::Date::now(); }";
    check_names(
        "edge-worker/src/collect.rs",
        text,
        &["worker::Env", "worker::Request", "js_sys::Date::now"],
    );
    check_names("edge-worker/src/platform/shard.rs", text, &[]);
    check_names(
        "edge-worker/src/outbox.rs",
        "use std::time::SystemTime;",
        &["std::time::SystemTime"],
    );
    check_names(
        "edge-worker/src/platform/mod.rs",
        "use aggregator::merge;",
        &["aggregator::merge"],
    );
}

#[test]
fn http_and_the_engine_stay_in_their_places() {
    check_names("aggregator/src/query/mod.rs", "use axum::Router;", &["axum::Router"]);
    check_names("aggregator/src/http/mod.rs", "use axum::Router;", &[]);
    check_names("aggregator/src/store/mod.rs", "fn f(db: sled::Db) {}", &["sled::Db"]);
    check_names(
        "aggregator/src/store/mod.rs",
        "use sled; mod sled; struct A { sled: u8 }",
        &["sled"],
    );
    check_names("aggregator/src/store/sled.rs", "fn f(db: sled::Db) {}", &[]);
    check_names("aggregator/src/merge.rs", "use edge_worker::outbox;", &["edge_worker::outbox"]);
}

/// Checks one file with one rule: the lines of the findings.
fn check_lines_of(
    rule: fn(&Source) -> Vec<edgetally_tests::tidy::Finding>,
    path: &str,
    text: &str,
    expected: &[usize],
) {
    let findings = rule(&Source::new(path, text));
    let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, expected, "{path}: {findings:?}");
}

#[test]
fn manifests_keep_the_programs_apart() {
    let rule = check_dependencies;
    let bad = "[package]\nname = \"worker\"\n[dependencies]\nserde = \"1\"\naggregator = \"1\"\n";
    check_lines_of(rule, "edge-worker/Cargo.toml", bad, &[5]);
    check_lines_of(rule, "aggregator/Cargo.toml", "[dependencies.edge-worker]\npath = \"x\"", &[1]);
    check_lines_of(rule, "aggregator/Cargo.toml", "[dev-dependencies]\nworker = \"1\"\n", &[]);
    let target = "[target.'cfg(unix)'.dependencies]\nrand.workspace = true\n";
    check_lines_of(rule, "proto/Cargo.toml", target, &[2]);
}

#[test]
fn long_files_functions_and_lines_are_found() {
    let rule = check_shape;
    let long_file = "// Line.\n".repeat(501);
    check_lines_of(rule, "proto/src/a.rs", &long_file, &[0]);
    check_lines_of(rule, "sdk-js/src/a.ts", &long_file, &[0]);
    check_lines_of(rule, "tests/tests/a.rs", &long_file, &[]);
    let function =
        |lines: usize| format!("struct A;\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines));
    check_lines_of(rule, "proto/src/a.rs", &function(68), &[]);
    check_lines_of(rule, "proto/src/a.rs", &function(69), &[2]);
    let method = format!("impl A {{ {} }}", function(69).replace("struct A;", ""));
    check_lines_of(rule, "proto/src/a.rs", &method, &[2]);
    let wide = format!("// {}\n// {}\n", "ă".repeat(97), "ă".repeat(98));
    check_lines_of(rule, "proto/src/a.rs", &wide, &[2]);
    check_lines_of(rule, "docs/a.md", &wide, &[]);
}

#[test]
fn left_overs_are_found() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|halves| halves.concat());
    for mark in &marks {
        check_lines_of(check_shape, "docs/a.md", &format!("fine\n{mark}: later\n"), &[2]);
        check_lines_of(check_shape, "docs/a.md", &format!("S{mark}S\n\"{mark}\"\n"), &[]);
    }
    let text = format!("fn f() {{ {}!() }}\n", ["to", "do"].concat());
    check_lines_of(check_shape, "proto/src/a.rs", &text, &[1]);
}

#[test]
fn sizes_of_the_machine_stay_off_the_wire() {
    let wire = "#[derive(Debug, Serialize)]\nstruct A {\n    b: Vec<Option<usize>>,\n}\n";
    check_lines_of(check_shape, "proto/src/a.rs", wire, &[3]);
    check_lines_of(check_shape, "aggregator/src/a.rs", wire, &[]);
    check_lines_of(check_shape, "proto/src/a.rs", &wire.replace("Serialize", "Clone"), &[]);
    let choice = "#[derive(serde::Serialize)]\nenum A {\n    B(usize),\n}\n";
    check_lines_of(check_shape, "proto/src/a.rs", choice, &[3]);
}

#[test]
fn a_file_that_nobody_lists_is_dead() {
    let tree = |lib: &str| {
        [
            Source::new("proto/src/lib.rs", lib),
            Source::new("proto/src/sketch/mod.rs", "mod hash;"),
            Source::new("proto/src/sketch/hash.rs", ""),
            Source::new("proto/src/money.rs", "mod digits;"),
            Source::new("proto/src/money/digits.rs", ""),
        ]
    };
    let findings = |lib: &str| -> Vec<String> {
        check_modules(&tree(lib)).into_iter().map(|finding| finding.path).collect()
    };
    assert_eq!(findings("pub mod sketch; pub(crate) mod money;"), Vec::<String>::new());
    assert_eq!(findings("mod money;"), ["proto/src/sketch/mod.rs"]);
    assert_eq!(
        findings("// mod money;\nmod sketch {}"),
        ["proto/src/sketch/mod.rs", "proto/src/money.rs"]
    );
}

#[test]
fn decisions_are_named_and_numbered() {
    let findings = |names: &[&str]| -> Vec<String> {
        let sources: Vec<Source> =
            names.iter().map(|name| Source::new(format!("docs/decisions/{name}"), "")).collect();
        check_decisions(&sources).into_iter().map(|finding| finding.path).collect()
    };
    assert_eq!(findings(&["0001-why.md", "0002-why-2.md"]), Vec::<String>::new());
    assert_eq!(findings(&["1-why.md", "0001-.md", "0001_why.md", "0002-Why.md"]).len(), 4);
    assert_eq!(findings(&["0001-why.md", "0001-other.md"]), ["docs/decisions/0001-other.md"]);
}
