//! Where things are in the repository.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders everything else is named from.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The repository.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Paths {
    /// Finds the repository from where this crate was built.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the automation crate is not inside the repository")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Tools that are installed for this project alone.
    pub fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// A tool that cargo installed.
    pub fn cargo_tool(&self, name: &str) -> PathBuf {
        self.tools().join("bin").join(name)
    }

    /// The folder of the commands that npm installed.
    pub fn node_bin(&self) -> PathBuf {
        self.root.join("node_modules/.bin")
    }

    /// Node as npm installed it: the Workers runtime's tools need 22.
    pub fn node(&self) -> PathBuf {
        self.root.join("node_modules/node/bin/node")
    }

    /// The built aggregator.
    pub fn aggregator(&self) -> PathBuf {
        self.target.join("debug/edgetally")
    }

    /// `PATH` with the project's Node and its commands first.
    pub fn path_variable(&self) -> Result<std::ffi::OsString> {
        let own = [self.root.join("node_modules/node/bin"), self.node_bin()];
        let inherited = env::var_os("PATH").unwrap_or_default();
        env::join_paths(own.into_iter().chain(env::split_paths(&inherited)))
            .context("PATH cannot be extended")
    }
}
