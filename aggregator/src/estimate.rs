//! What a set of distinct ones amounts to, with bounds that hold the truth in 95 of 100 cases.
//!
//! The estimate of a full sketch is that of the crate hyperloglogplus, whose tables of bias it
//! needs. The crate's own sketch is neither written nor merged here: it is filled from ours.

use std::hash::{BuildHasher, Hasher};

use edgetally_proto::sketch::distinct::{
    Contents, Distinct, PRECISION, REGISTERS, SPARSE_PRECISION,
};
use hyperloglogplus::{HyperLogLog, HyperLogLogPlus};

/// What there is about, and between which numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// The best guess.
    pub value: i64,
    /// Lower bound, 95 %.
    pub low: i64,
    /// Upper bound, 95 %.
    pub high: i64,
}

/// 2.24 standard errors of 1.04 / sqrt(2^14), which hold the truth in 97.5 of 100 cases. With 1.96
/// of them, for 95, a hundred thousand and more would miss that as often as not.
const RELATIVE: f64 = 2.24 * 1.04 / 128.0;

/// How many different members a set has.
#[must_use]
pub fn distinct(set: &Distinct) -> Estimate {
    match set.contents() {
        Contents::Few(tokens) => few(tokens),
        Contents::Many(registers) => {
            let value = many(registers);
            let bound = |factor: f64| (value * factor).round() as i64;
            Estimate { value: bound(1.0), low: bound(1.0 - RELATIVE), high: bound(1.0 + RELATIVE) }
        }
    }
}

/// Every token is a member at least. How many more members fell on a token of another is as good
/// as Poisson-distributed, and next to always none.
fn few(tokens: usize) -> Estimate {
    let (tokens, slots) = (tokens as f64, f64::from(1u32 << SPARSE_PRECISION));
    let hidden = tokens * tokens / (2.0 * slots);
    let (mut extra, mut chance, mut passed) = (0.0, (-hidden).exp(), (-hidden).exp());
    while passed < 0.975 {
        extra += 1.0;
        chance *= hidden / extra;
        passed += chance;
    }
    let value = (slots * (slots / (slots - tokens)).ln()).round() as i64;
    let low = tokens as i64;
    Estimate { value: value.max(low), low, high: (low + extra as i64).max(value) }
}

/// So many hashes bring the crate's sketch to its full form, in which it is as ours is.
const FILLING: usize = 32_768;

fn many(registers: &[u8; REGISTERS]) -> f64 {
    let sketch = HyperLogLogPlus::<u64, AsItIs>::new(PRECISION as u8, AsItIs);
    let Ok(mut sketch) = sketch else { return 0.0 };
    let mut inserted = 0;
    for (at, rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
        // Hashes that land in this register with this rank; what is behind the rank differs.
        let place = (at as u64) << (64 - PRECISION);
        let one = 1u64.checked_shl(64 - PRECISION - u32::from(*rank)).unwrap_or(0);
        for behind in 0..if inserted < FILLING { 8 } else { 1 } {
            sketch.insert_any(&(place | one | ((one >> 3) * behind)));
            inserted += 1;
        }
    }
    sketch.count()
}

/// Takes a number for its own hash.
#[derive(Debug, Clone, Copy, Default)]
struct AsItIs;

impl BuildHasher for AsItIs {
    type Hasher = Same;
    fn build_hasher(&self) -> Same {
        Same(0)
    }
}

struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::sketch::hash::hash;

    use super::*;

    fn hashes(seed: u32, count: u32) -> impl Iterator<Item = u64> {
        (0..count).map(move |number| hash(format!("{seed}:{number}").as_bytes()))
    }

    /// The same hashes in the crate's own sketch, which has another way to fill itself.
    fn crates_own(seed: u32, count: u32) -> i64 {
        let mut sketch = HyperLogLogPlus::<u64, AsItIs>::new(PRECISION as u8, AsItIs).unwrap();
        hashes(seed, count).for_each(|hash| sketch.insert_any(&hash));
        sketch.count().round() as i64
    }

    fn estimate(seed: u32, count: u32) -> Estimate {
        let mut set = Distinct::default();
        hashes(seed, count).for_each(|hash| {
            set.insert(hash);
        });
        distinct(&set)
    }

    #[test]
    fn estimates_are_those_of_the_crate() {
        for count in [0, 1, 10, 1_000, 4_000, 6_000, 20_000, 60_000, 200_000] {
            assert_eq!(estimate(1, count).value, crates_own(1, count), "{count}");
        }
    }

    #[test]
    fn a_thousand_are_counted_one_by_one() {
        for count in [0, 1, 2, 100, 1_000] {
            let exact = Estimate { value: count.into(), low: count.into(), high: count.into() };
            assert_eq!(estimate(2, count), exact);
        }
    }

    #[test]
    fn the_truth_is_within_the_bounds_in_95_of_100_cases() {
        for count in [3_000, 5_000, 12_000, 40_000] {
            let within = (0..40).filter(|seed| {
                let Estimate { low, high, .. } = estimate(*seed, count);
                (low..=high).contains(&i64::from(count))
            });
            // The same seeds in every run: 95 of 100, less two and a half standard deviations.
            let within = within.count();
            assert!(within >= 35, "{within} of 40 at {count}");
        }
    }
}
