//! The way of an event through the real parts: worker in workerd, frames, aggregator on its store.

mod answers;
mod archive;
mod compat;
mod events;
mod examples;
mod fraud;
mod insights;
mod kept;
mod kills;
mod large;
mod letters;
mod limits;
mod otto;
mod overloaded;
mod people;
mod readers;
mod refusals;
mod rejects;
mod repeats;
mod replay;
mod served;
mod simulate;
mod sums;
mod system;
mod visits;
