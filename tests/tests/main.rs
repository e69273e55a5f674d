//! Tests of the parts together.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod e2e;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod worker;
