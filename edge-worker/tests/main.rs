//! Tests of the worker's pure parts that read or write files.

mod tables;
