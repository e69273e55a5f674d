//! Harness shared by the suites: the running system, requests to it, and the rules of the tree.

pub mod aggregator;
pub mod archive;
pub mod dev;
pub mod edge;
pub mod http;
pub mod peer;
pub mod tidy;

use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
