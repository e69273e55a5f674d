//! The built worker in workerd beside a peer that fails on demand: whatever is taken away or goes
//! wrong, each accepted event arrives once, in order.

mod bucket;
mod codes;
mod days;
mod evictions;
mod faults;
mod limits;
mod outage;
mod place;
mod restored;
mod settings;
mod sites;
mod upgrade;
mod visitors;
