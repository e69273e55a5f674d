//! What one user, device or address did lately, and when that was too much.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Subjects that are remembered; beyond that those who did nothing for longest go.
const SUBJECTS_MAX: usize = 100_000;
/// Happenings that are remembered of one subject, beside the limit.
const HAPPENINGS_MAX: usize = 256;

/// What one subject did lately: each happening has a name, under which it counts once.
#[derive(Debug, Default)]
struct Trail {
    happenings: BTreeMap<(i64, Arc<str>), ()>,
    times: FxHashMap<Arc<str>, i64>,
    /// The latest happening of a run that was told of.
    told_until_ms: Option<i64>,
}

/// Trails by subject.
#[derive(Debug, Default)]
pub struct Trails {
    by_subject: FxHashMap<Arc<str>, Trail>,
    newest_ms: i64,
}

impl Trails {
    /// Adds a happening of a subject. If there are more than `limit` within `window_ms` now, and
    /// that was not told of yet, gives those of the window.
    pub fn add(
        &mut self,
        subject: &str,
        (at_ms, name): (i64, Arc<str>),
        limit: usize,
        window_ms: i64,
    ) -> Option<Vec<(i64, Arc<str>)>> {
        self.newest_ms = self.newest_ms.max(at_ms);
        if self.by_subject.len() > SUBJECTS_MAX {
            self.forget(window_ms);
        }
        let trail = self.by_subject.entry(subject.into()).or_default();
        trail.put(at_ms, name);
        trail.cut(limit, window_ms);
        trail.beyond(at_ms, limit, window_ms)
    }

    /// Lets go of those who are quiet; of half, if too few are.
    fn forget(&mut self, window_ms: i64) {
        let last = |trail: &Trail| trail.happenings.last_key_value().map_or(0, |(key, ())| key.0);
        let since_ms = self.newest_ms - 2 * window_ms;
        self.by_subject.retain(|_, trail| last(trail) >= since_ms);
        if self.by_subject.len() > SUBJECTS_MAX / 2 {
            let mut times: Vec<i64> = self.by_subject.values().map(last).collect();
            let middle = times.len() / 2;
            let (_, middle, _) = times.select_nth_unstable(middle);
            let middle = *middle;
            self.by_subject.retain(|_, trail| last(trail) > middle);
        }
    }
}

impl Trail {
    /// Of one that is told again the earlier time stands.
    fn put(&mut self, at_ms: i64, name: Arc<str>) {
        if let Some(known_ms) = self.times.get(&name).copied() {
            if known_ms <= at_ms {
                return;
            }
            self.happenings.remove(&(known_ms, name.clone()));
        }
        self.times.insert(name.clone(), at_ms);
        self.happenings.insert((at_ms, name), ());
    }

    fn cut(&mut self, limit: usize, window_ms: i64) {
        let newest_ms = self.happenings.last_key_value().map_or(0, |((at_ms, _), ())| *at_ms);
        while let Some(((at_ms, _), ())) = self.happenings.first_key_value() {
            let is_old = *at_ms <= newest_ms - 2 * window_ms;
            if !is_old && self.happenings.len() <= limit + HAPPENINGS_MAX {
                return;
            }
            if let Some(((_, name), ())) = self.happenings.pop_first() {
                self.times.remove(&name);
            }
        }
    }

    /// The window with too many around what happened at an instant.
    fn beyond(&mut self, at_ms: i64, limit: usize, window_ms: i64) -> Option<Vec<(i64, Arc<str>)>> {
        // Only windows with what is new can have become too full.
        let near = self.happenings.range(
            (at_ms - window_ms, Arc::from(""))..(at_ms.saturating_add(window_ms), Arc::from("")),
        );
        let near: Vec<&(i64, Arc<str>)> = near.map(|(key, ())| key).collect();
        let is_full = |run: &&[&(i64, Arc<str>)]| match (run.first(), run.last()) {
            (Some(first), Some(last)) => {
                last.0 - first.0 < window_ms && first.0 <= at_ms && at_ms <= last.0
            }
            _ => false,
        };
        let full = near.windows(limit.saturating_add(1)).find(is_full)?;
        let until_ms = full.last().map(|last| last.0)?;
        let run: Vec<(i64, Arc<str>)> = full.iter().map(|one| (*one).clone()).collect();
        // What goes on without a break of a window was told of when it began.
        let told_ms = self.told_until_ms;
        self.told_until_ms = Some(told_ms.map_or(until_ms, |told| told.max(until_ms)));
        let is_told = told_ms.is_some_and(|told| (told - until_ms).abs() < window_ms);
        (!is_told).then_some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn play(times: &[i64]) -> Vec<(usize, usize)> {
        let mut trails = Trails::default();
        let mut told = Vec::new();
        for (at, at_ms) in times.iter().enumerate() {
            let name: Arc<str> = format!("o{at}").into();
            if let Some(run) = trails.add("u", (*at_ms, name), 10, MINUTE) {
                told.push((at, run.len()));
            }
        }
        told
    }

    #[test]
    fn the_eleventh_in_a_minute_is_too_much_and_the_tenth_is_not() {
        let even = |count: i64, step: i64| (0..count).map(|at| at * step).collect::<Vec<_>>();
        assert_eq!(play(&even(10, 1_000)), []);
        assert_eq!(play(&even(11, 1_000)), [(10, 11)]);
        // Eleven within a minute and not a millisecond more.
        assert_eq!(play(&[even(10, 100), vec![59_999]].concat()), [(10, 11)]);
        assert_eq!(play(&[even(10, 100), vec![60_000]].concat()), []);
        // One attack is told of once, another after a quiet minute again.
        assert_eq!(play(&even(200, 1_000)), [(10, 11)]);
        let again: Vec<i64> = even(11, 10).into_iter().map(|ms| ms + 10 * MINUTE).collect();
        assert_eq!(play(&[even(11, 10), again].concat()), [(10, 11), (21, 11)]);
    }

    #[test]
    fn the_order_of_arrival_and_repeats_do_not_matter() {
        let mut times: Vec<i64> = (0..11).map(|at| at * 1_000).collect();
        times.reverse();
        assert_eq!(play(&times), [(10, 11)]);
        let mut trails = Trails::default();
        for _ in 0..30 {
            assert_eq!(trails.add("u", (5, "same".into()), 10, MINUTE), None);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut trails = Trails::default();
        for at in 0..SUBJECTS_MAX as i64 + 10 {
            trails.add(&format!("u{at}"), (at, "o".into()), 10, 1_000);
        }
        assert!(trails.by_subject.len() <= SUBJECTS_MAX / 2 + 10);
        for at in 0..1_000 {
            trails.add("one", (200_000, format!("o{at}").into()), 10, MINUTE);
        }
        assert!(trails.by_subject["one"].happenings.len() <= 10 + HAPPENINGS_MAX);
    }
}
