//! Tests of the parts together.

#[cfg(test)]
mod dev;
#[cfg(test)]
mod tidy;
