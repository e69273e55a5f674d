//! One test binary: whole parts together, and the built program as a process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on ends, and tests wait by the clock"
)]

mod support;

mod access;
mod apart;
mod alerts;
mod api;
mod bounds;
mod columns;
mod comparison;
mod contract;
mod costs;
mod daily;
mod course;
mod doors;
mod back_office;
mod backups;
mod durability;
mod erasure;
mod dimensions;
mod examples;
mod exports;
mod fraud;
mod full;
mod funnel;
mod late;
mod imports;
mod laws;
mod live;
mod loads;
mod mail;
mod mangled;
mod matrix;
mod merges;
mod newest;
mod operations;
mod oracle;
mod people;
mod plausible;
mod ranges;
mod readers;
mod reconciliation;
mod rejects;
mod replay;
mod replayed_rejects;
mod room;
mod retention;
mod rows;
mod scheduled;
mod scrub;
mod settings;
mod sketches;
mod tls;
mod twins;
mod visitors;
