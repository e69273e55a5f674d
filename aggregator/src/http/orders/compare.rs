//! Days compared with their orders on all processors.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use crate::orders::daily::Day;
use crate::orders::rebuild::{Difference, look_at};
use crate::view::SiteView;

/// What is different on some days, and how many orders they have.
#[must_use]
pub fn compare(site: &SiteView, days: &[Day]) -> (Vec<Difference>, i64) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let part = days.len().div_ceil(threads).max(1);
    let look = |days: &[Day]| {
        days.iter().fold((Vec::new(), 0), |(mut all, count), day| {
            let (differences, orders) = look_at(site, *day);
            all.extend(differences);
            (all, count + orders)
        })
    };
    thread::scope(|scope| {
        let parts: Vec<_> = days.chunks(part).map(|days| scope.spawn(move || look(days))).collect();
        // A part that nobody looked at must not count as one without differences.
        let joined = parts.into_iter().map(|part| part.join().unwrap_or_else(|e| resume_unwind(e)));
        joined.fold((Vec::new(), 0), |(mut all, count), (differences, orders)| {
            all.extend(differences);
            (all, count + orders)
        })
    })
}
