//! Sketches: the same set gives the same bytes, in any order and on x86-64 and wasm32 alike.

use edgetally_proto::sketch::distinct::{Contents, Distinct, TOKENS_MAX};
use edgetally_proto::sketch::hash::hash;
use edgetally_proto::sketch::quantile::Quantiles;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;
use xxhash_rust::xxh3::xxh3_64;

fn set(numbers: impl IntoIterator<Item = u32>) -> Distinct {
    let mut set = Distinct::default();
    for number in numbers {
        set.insert(hash(format!("client-{number}").as_bytes()));
    }
    set
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_hash_stays() {
    let hashes = [hash(b""), hash(b"client-1"), hash("Hà Nội".as_bytes())];
    assert_eq!(
        hashes,
        [7_159_859_821_555_764_260, 12_070_861_486_851_501_594, 1_380_572_833_114_759_940]
    );
}

#[test]
fn few_have_these_bytes() {
    assert_eq!(hex(&set(0..5).to_bytes()), "01ccd59f02eefa8b02aae4a50a94bdec05cab03a");
    assert_eq!(hex(&Distinct::default().to_bytes()), "01");
}

#[test]
fn many_have_these_bytes() {
    let bytes = set(0..20_000).to_bytes();
    assert_eq!((bytes.len(), xxh3_64(&bytes)), (12_289, 5_261_285_459_193_840_676));
}

#[test]
fn quantiles_have_these_bytes() {
    let mut quantiles = Quantiles::default();
    [0, 1, 1, 127, 128, 1_000, 86_400_000].into_iter().for_each(|n| quantiles.insert(n));
    assert_eq!(hex(&quantiles.to_bytes()), "000101027e010101fa0201aa1001");
}

#[test]
fn merging_is_adding_the_members() {
    // Few and few, few and many, many and many, each way round.
    for (split, all) in [(10, 50), (4_000, 4_096), (4_000, 5_000), (10, 9_000), (9_000, 20_000)] {
        let (first, second) = (set(0..split), set(split / 2..all));
        let (mut one, mut other) = (first.clone(), second.clone());
        one.merge(&second);
        other.merge(&first);
        let whole = set((0..all).rev());
        assert_eq!((&one, &other), (&whole, &whole), "{split} of {all}");
        assert_eq!(Distinct::from_bytes(&whole.to_bytes()), Ok(whole));
    }
}

#[test]
fn tokens_become_registers_when_they_weigh_as_much() {
    // Two pairs of the first 4,098 share their 25 bits.
    assert_eq!(set(0..4_098).contents(), Contents::Few(TOKENS_MAX));
    assert!(matches!(set(0..4_099).contents(), Contents::Many(_)));
}

#[test]
fn what_is_no_set_is_refused() {
    let dense = set(0..5_000).to_bytes();
    let mut high = dense.clone();
    high[1] |= 63;
    for bytes in [&[][..], &[3], &[1, 0x80], &[1, 1], &[1, 1, 41], &[1, 4, 0], &dense[1..], &high] {
        assert!(Distinct::from_bytes(bytes).is_err(), "{:?}", &bytes[..bytes.len().min(4)]);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod laws {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any way of adding and merging gives the bytes of the set.
        #[test]
        fn order_does_not_matter(
            numbers in prop::collection::vec(0u32..6_000, 0..300),
            stretches in prop::collection::vec((0u32..6_000, 0u32..5_000), 0..4),
            cuts in prop::collection::vec(0usize..300, 0..4),
        ) {
            let stretch = |&(from, length): &(u32, u32)| from..from + length;
            let all = || numbers.iter().copied().chain(stretches.iter().flat_map(stretch));
            let mut sorted: Vec<u32> = all().collect();
            sorted.sort_unstable();
            let mut merged = Distinct::default();
            let mut rest = numbers.as_slice();
            for cut in cuts {
                let (part, after) = rest.split_at(cut.min(rest.len()));
                merged.merge(&set(part.iter().copied()));
                rest = after;
            }
            stretches.iter().for_each(|range| merged.merge(&set(stretch(range))));
            merged.merge(&set(rest.iter().copied()));
            prop_assert_eq!(merged.to_bytes(), set(sorted).to_bytes());
        }

        /// No bytes make the readers panic, and what they read has one form.
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(set) = Distinct::from_bytes(&bytes) {
                prop_assert_eq!(Distinct::from_bytes(&set.to_bytes()), Ok(set));
            }
            if let Ok(quantiles) = Quantiles::from_bytes(&bytes) {
                prop_assert_eq!(Quantiles::from_bytes(&quantiles.to_bytes()), Ok(quantiles));
            }
        }

        /// The true quantile lies where the sketch says, however its numbers were put together.
        #[test]
        fn quantiles_lie_between_their_ends(
            mut numbers in prop::collection::vec(prop_oneof![0u64..300, 0u64..10_000_000], 1..300),
            cut in 0usize..300, percent in 1u8..=100,
            gone in prop::collection::vec(any::<u64>(), 0..9),
        ) {
            let of = |numbers: &[u64]| {
                let mut quantiles = Quantiles::default();
                numbers.iter().for_each(|number| quantiles.insert(*number));
                quantiles
            };
            let (one, other) = numbers.split_at(cut.min(numbers.len()));
            let mut merged = of(other);
            gone.iter().for_each(|number| merged.insert(*number));
            merged.merge(&of(one));
            gone.iter().for_each(|number| merged.remove(*number));
            prop_assert_eq!(merged.to_bytes(), of(&numbers).to_bytes());
            numbers.sort_unstable();
            let rank = (numbers.len() * usize::from(percent)).div_ceil(100).max(1);
            let (truth, said) = (numbers[rank - 1], merged.percentile(percent).unwrap());
            prop_assert!(said.low <= truth && truth <= said.high, "{} in {:?}", truth, said);
            prop_assert!(said.high - said.low <= said.low / 128);
        }
    }
}
