//! The aggregator.
