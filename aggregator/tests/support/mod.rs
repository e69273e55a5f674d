//! What the tests share: events made into frames, and the program as a process.

use std::thread::sleep;
use std::time::{Duration, Instant};

pub mod archive;
pub mod cellar;
pub mod events;
pub mod postgres;
pub mod python;
pub mod receiver;
pub mod server;
pub mod shop;
pub mod snapshot;
pub mod stream;

/// Waits until something is found.
///
/// # Panics
/// If it is not there in time.
pub fn until<T>(what: &str, limit: Duration, find: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(20));
    }
}
