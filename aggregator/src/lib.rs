//! The aggregator: merges what the edge forwards, works out persons and orders, serves queries
//! and dashboards.
//!
//! Modules stand in the order in which data meets them. Only `store`, `archive`, `http` and
//! `commands` do I/O or read a clock; every other module is a pure function of its arguments, `now`
//! included.

pub mod config;

pub mod dedup;
pub mod intake;

pub mod merge;
pub mod estimate;
pub mod held;
pub mod records;
pub mod texts;

pub mod identity;
pub mod touches;
pub mod timeline;

pub mod sessionize;
pub mod warm;
pub mod lines;
pub mod retractions;
pub mod people;
pub mod merges;
pub mod story;
pub mod attribution;

pub mod orders;
pub mod reconcile;
pub mod presence;
pub mod costs;
pub mod stock;
pub mod asides;
pub mod sealing;
pub mod rejects;
pub mod alerts;
pub mod fraud;
pub mod tombstones;
pub mod zone;
pub mod eras;
pub mod calendar;
pub mod rates;

pub mod apply;
pub mod audit;
pub mod login;
pub mod directory;
pub mod local;
pub mod site;

pub mod checkpoint;
pub mod store;
pub mod columns;
pub mod view;

pub mod address;
pub mod archive;
pub mod http;
pub mod live;
pub mod query;
pub mod facts;
pub mod export;

pub mod simulate;
pub mod commands;
