//! When a rule fires and when it is resolved. Pure: the clock is an argument.

use super::measure::is_nothing;
use super::rule::{Rule, When};

/// Where a reading lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Beyond the threshold.
    Beyond,
    /// Back, but not as far as the hysteresis asks.
    Between,
    /// Back.
    Back,
}

/// What a rule turns into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It fires.
    Fire,
    /// It is resolved.
    Resolve,
}

/// What is known of a rule from before, whatever was started again meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it fires.
    pub is_firing: bool,
    /// When it was resolved last, epoch ms.
    pub resolved_at_ms: Option<i64>,
}

/// Where a reading lies. What is undefined is beyond no threshold, but it is no data.
#[must_use]
pub fn side(rule: &Rule, reading: Option<i128>) -> Side {
    // How far beyond the threshold it lies.
    let beyond = match (rule.when, reading) {
        (When::NoData, reading) => {
            return if is_nothing(reading) { Side::Beyond } else { Side::Back };
        }
        (_, None) => return Side::Back,
        (When::Above(limit) | When::ChangeAbove(limit), Some(reading)) => reading - limit,
        (When::Below(limit) | When::ChangeBelow(limit), Some(reading)) => limit - reading,
    };
    match beyond {
        1.. => Side::Beyond,
        _ if -beyond >= rule.hysteresis => Side::Back,
        _ => Side::Between,
    }
}

/// One step of a rule. `held_since_ms` is when it began to hold without a break; a start forgets
/// it, and begins to count anew.
pub fn step(
    rule: &Rule,
    standing: Standing,
    held_since_ms: &mut Option<i64>,
    side: Side,
    now_ms: i64,
) -> Option<Turn> {
    if standing.is_firing {
        *held_since_ms = None;
        return (side == Side::Back).then_some(Turn::Resolve);
    }
    if side != Side::Beyond {
        *held_since_ms = None;
        return None;
    }
    let since_ms = *held_since_ms.get_or_insert(now_ms);
    let is_quiet = standing.resolved_at_ms.is_some_and(|at_ms| now_ms - at_ms < rule.cooldown_ms);
    (now_ms - since_ms >= rule.for_ms && !is_quiet).then_some(Turn::Fire)
}

#[cfg(test)]
mod tests {
    use edgetally_proto::ids::SiteId;
    use edgetally_proto::settings::SiteSettings;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::alerts::rule::rules;

    fn rule(more: Value) -> Rule {
        let mut alert = json!({"name": "r", "metric": "orders", "cooldown": "0s"});
        for (name, value) in more.as_object().unwrap() {
            alert[name] = value.clone();
        }
        let settings: SiteSettings = serde_json::from_value(json!({"alerts": [alert]})).unwrap();
        rules(&SiteId::parse("demo").unwrap(), &settings).remove(0)
    }

    /// Plays one reading a second; gives the seconds at which something turned.
    fn play(rule: &Rule, readings: &[Option<i64>]) -> Vec<(i64, Turn)> {
        let (mut standing, mut since, mut turns) = (Standing::default(), None, Vec::new());
        for (at, reading) in (0i64..).zip(readings) {
            let reading = reading.map(|whole| i128::from(whole) * 10_000);
            let side = side(rule, reading);
            let Some(turn) = step(rule, standing, &mut since, side, at * 1_000) else { continue };
            turns.push((at, turn));
            standing.is_firing = turn == Turn::Fire;
            if turn == Turn::Resolve {
                standing.resolved_at_ms = Some(at * 1_000);
            }
        }
        turns
    }

    fn all(readings: &[i64]) -> Vec<Option<i64>> {
        readings.iter().copied().map(Some).collect()
    }

    #[test]
    fn a_rule_fires_once_it_held_for_long_enough() {
        use Turn::{Fire, Resolve};
        let above = rule(json!({"above": 5, "for": "2s"}));
        assert_eq!(play(&above, &all(&[6, 6, 5, 6, 6, 6, 6, 5])), [(5, Fire), (7, Resolve)]);
        let below = rule(json!({"below": "5.5"}));
        assert_eq!(play(&below, &all(&[6, 5, 4, 6])), [(1, Fire), (3, Resolve)]);
        // A share of nothing is beyond no threshold.
        assert_eq!(play(&below, &[Some(5), None, None]), [(0, Fire), (1, Resolve)]);
        let nothing = rule(json!({"no_data": true, "for": "1s"}));
        assert_eq!(play(&nothing, &[Some(0), None, Some(1)]), [(1, Fire), (2, Resolve)]);
    }

    #[test]
    fn hysteresis_and_cooldown_calm_it() {
        use Turn::{Fire, Resolve};
        let calm = rule(json!({"above": 5, "hysteresis": 2}));
        assert_eq!(play(&calm, &all(&[6, 5, 4, 6, 3, 4])), [(0, Fire), (4, Resolve)]);
        let quiet = rule(json!({"above": 5, "cooldown": "3s"}));
        let turns = play(&quiet, &all(&[6, 5, 6, 6, 6, 6]));
        assert_eq!(turns, [(0, Fire), (1, Resolve), (4, Fire)]);
    }

    proptest! {
        /// Whatever is read: fire and resolve take turns, nothing fires before it held for its
        /// time or within the cool-down, and nothing is resolved that is not back.
        #[test]
        fn turns_alternate_and_keep_their_times(
            readings in prop::collection::vec(prop::option::of(0i64..10), 1..120),
            hold in 0i64..5, cooldown in 0i64..8, hysteresis in 0i64..3,
        ) {
            let rule = rule(json!({"above": 5, "for": format!("{hold}s"),
                "cooldown": format!("{cooldown}s"), "hysteresis": hysteresis}));
            let turns = play(&rule, &readings);
            for pair in turns.windows(2) {
                prop_assert_ne!(pair[0].1, pair[1].1);
                if pair[1].1 == Turn::Fire {
                    prop_assert!(pair[1].0 - pair[0].0 >= cooldown);
                }
            }
            prop_assert!(turns.first().is_none_or(|(_, turn)| *turn == Turn::Fire));
            for (at, turn) in turns {
                let at = usize::try_from(at).unwrap();
                match turn {
                    Turn::Fire => {
                        let held = &readings[at - usize::try_from(hold).unwrap()..=at];
                        prop_assert!(held.iter().all(|read| read.is_some_and(|read| read > 5)));
                    }
                    Turn::Resolve => {
                        prop_assert!(readings[at].is_none_or(|read| read <= 5 - hysteresis));
                    }
                }
            }
        }
    }
}
