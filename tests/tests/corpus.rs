//! The corpus of the fuzz targets, replayed by the very functions that they call.

use std::fs;
use std::path::PathBuf;

use edgetally_tests::root;

#[path = "../../fuzz/src/lib.rs"]
mod fuzzed;

/// Replays the files of a target. A seed that is `good-...` still has events that are taken, and
/// one that is `broken-...` has none; what a fuzzer found only has to do no harm.
fn check(target: &str, replay: fn(&[u8]) -> usize) {
    let folder = root().join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{target}: {error}"));
    let files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let named = |prefix: &str| {
        let is_named = |file: &&PathBuf| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        };
        files.iter().filter(is_named).cloned().collect::<Vec<PathBuf>>()
    };
    let read = |file: &PathBuf| fs::read(file).expect("a file of the corpus");
    let (good, broken) = (named("good-"), named("broken-"));
    assert!(!good.is_empty() && !broken.is_empty(), "{}: seeds are missing", folder.display());
    for file in &files {
        replay(&read(file));
    }
    for file in good {
        assert!(replay(&read(&file)) > 0, "{}: nothing of it is taken", file.display());
    }
    for file in broken {
        assert_eq!(replay(&read(&file)), 0, "{}: something of it is taken", file.display());
    }
}

#[test]
fn requests_are_refused_or_judged() {
    check("request", fuzzed::request);
}

#[test]
fn frames_are_refused_or_read_and_written_the_same() {
    check("frame", fuzzed::frame);
}

#[test]
fn calls_of_other_systems_are_refused_or_judged() {
    check("compat", fuzzed::compat);
}
