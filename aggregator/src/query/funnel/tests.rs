use proptest::prelude::*;

use super::Order::{Sequential, Strict};
use super::path::{Walk, walk};

/// Activity by letters, steps by letters: how far, and where from.
fn check(activity: &str, steps: &str, order: super::Order, depth: usize, entered: Option<usize>) {
    let masks = masks(activity.as_bytes(), steps.as_bytes());
    let said = walk(&masks, steps.len(), order);
    assert_eq!(said, Walk { depth, entered }, "{activity} through {steps}, {order:?}");
}

fn masks(activity: &[u8], steps: &[u8]) -> Vec<u32> {
    let mask = |letter: &u8| {
        let steps = steps.iter().enumerate().filter(|(_, step)| *step == letter);
        steps.fold(0, |mask, (at, _)| mask | 1 << at)
    };
    activity.iter().map(mask).collect()
}

#[test]
fn steps_are_taken_in_order_whatever_comes_between() {
    check("vcbp", "vcbp", Sequential, 4, Some(0));
    check("xvxcxp", "vcbp", Sequential, 2, Some(1));
    check("pbcv", "vcbp", Sequential, 1, Some(3));
    check("cvbp", "vcbp", Sequential, 1, Some(1));
    check("xx", "vc", Sequential, 0, None);
    check("", "v", Sequential, 0, None);
    // One event is one step.
    check("v", "vv", Sequential, 1, Some(0));
    check("vxv", "vv", Sequential, 2, Some(0));
}

#[test]
fn nothing_comes_between_strict_steps() {
    check("vcbp", "vcbp", Strict, 4, Some(0));
    check("vxcb", "vcb", Strict, 1, Some(0));
    // A second start goes further than the first.
    check("vxvcb", "vcb", Strict, 3, Some(2));
    check("vvc", "vvc", Strict, 3, Some(0));
    check("vvvc", "vvc", Strict, 3, Some(1));
    check("cb", "vcb", Strict, 0, None);
}

/// Whether some places of the activity are the first steps, tried one by one.
fn exists(activity: &[u8], steps: &[u8], is_strict: bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    (0..activity.len()).any(|at| {
        let after = &activity[at + 1..];
        let goes_on = if is_strict {
            after.len() >= rest.len() && &after[..rest.len()] == rest
        } else {
            exists(after, rest, false)
        };
        activity[at] == *step && goes_on
    })
}

proptest! {
    /// As far as any choice of places goes.
    #[test]
    fn nobody_gets_further_than_some_choice_of_places(
        activity in prop::collection::vec(0u8..4, 0..14),
        steps in prop::collection::vec(0u8..4, 1..5),
    ) {
        for (order, is_strict) in [(Sequential, false), (Strict, true)] {
            let Walk { depth, entered } = walk(&masks(&activity, &steps), steps.len(), order);
            prop_assert!(exists(&activity, &steps[..depth], is_strict));
            prop_assert!(depth == steps.len() || !exists(&activity, &steps[..=depth], is_strict));
            prop_assert_eq!(entered.map(|at| activity[at]), (depth > 0).then_some(steps[0]));
        }
    }
}
