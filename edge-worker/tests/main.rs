//! Tests of the worker's pure parts that read or write files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tables;
