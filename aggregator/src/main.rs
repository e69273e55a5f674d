//! The edgetally binary.
fn main() {}
