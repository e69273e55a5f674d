//! `/v1/orders`: what the back office and marketplaces tell of orders, and statistics by day.

pub mod compare;
pub mod daily;
pub mod jobs;
pub mod tell;
