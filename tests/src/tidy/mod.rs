//! The tree's own rules, as functions from a file's text to what is wrong with it.
//!
//! Each rule is pure and takes the path that the file has in the repository, so that it can be
//! tried on a bad sample as well as on the tree.

mod source;
mod paths;
mod imports;
mod shape;
mod layout;

pub use imports::{check_dependencies, check_imports};
pub use layout::{check_decisions, check_modules};
pub use shape::check_shape;
pub use source::{Source, read_tree};

use std::fmt;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Path in the repository.
    pub path: String,
    /// Line, from 1; 0 is the file as a whole.
    pub line: usize,
    /// What is wrong, and what to do instead.
    pub message: String,
}

impl Finding {
    fn new(source: &Source, line: usize, message: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Applies every rule to the whole tree.
pub fn check_tree(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        findings.extend(check_imports(source));
        findings.extend(check_dependencies(source));
        findings.extend(check_shape(source));
    }
    findings.extend(check_modules(sources));
    findings.extend(check_decisions(sources));
    findings
}
