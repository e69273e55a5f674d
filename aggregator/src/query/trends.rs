//! What is rising: products, pages and search terms that more sessions have now than their own past
//! says.
//!
//! Of every value it is asked whether sessions that begin now have it more often than sessions of
//! the time before: Fisher's exact test, one-sided. So traffic that grows as a whole makes nothing
//! rise, and a visitor who reloads counts once. Over all values that are looked at together the
//! chance of a false alarm is at most [`ALPHA`]: Bonferroni's bound, which needs no assumption of
//! how they hang together.

use edgetally_proto::ids::SiteId;
use edgetally_proto::time::SECOND_MS;
use serde_json::{Value as Json, json};
use statrs::function::factorial::ln_binomial;

use super::request::Request;
use super::{QueryError, answer};
use crate::view::View;
use crate::zone::Zone;

/// The chance that an answer names anything, if nothing rises.
pub const ALPHA: f64 = 0.01;
/// Fewer sessions than this say nothing.
const SESSIONS_MIN: u64 = 5;
/// What rises has at least so many times the share that it had before.
const LIFT_MIN: f64 = 1.5;

/// What may rise: as it is asked for, and the dimension of a query.
pub const KINDS: [(&str, &str); 3] =
    [("products", "item:id"), ("pages", "event:page"), ("search_terms", "event:search_term")];

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Whose.
    pub site: SiteId,
    /// The dimension.
    pub dimension: &'static str,
    /// How long "now" is.
    pub window_ms: i64,
    /// How long the time before it is that it is held against.
    pub baseline_ms: i64,
    /// Most rows.
    pub limit: usize,
}

/// Sessions with a value, and all of them, now and before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sessions with it now.
    pub now: u64,
    /// All sessions now.
    pub all_now: u64,
    /// Sessions with it before.
    pub before: u64,
    /// All sessions before.
    pub all_before: u64,
}

impl Counts {
    /// The chance of so many sessions with it now, or more, if it is as common as before: the upper
    /// tail of the hypergeometric distribution.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        let Self { now, all_now, before, all_before } = *self;
        let (with, all) = (now + before, all_now + all_before);
        if now > all_now || before > all_before || now == 0 {
            return 1.0;
        }
        let chance = |k: u64| {
            (ln_binomial(with, k) + ln_binomial(all - with, all_now - k)
                - ln_binomial(all, all_now))
            .exp()
        };
        let most = with.min(all_now);
        let (mut sum, mut one) = (0.0, chance(now));
        for k in now..=most {
            sum += one;
            if one < sum * 1e-16 {
                break;
            }
            // The next term by the one before it.
            let up = (with - k) as f64 * (all_now - k) as f64;
            let rest = (all + k + 1).saturating_sub(with + all_now);
            one *= up / ((k + 1) as f64 * rest as f64);
        }
        sum.min(1.0)
    }

    /// How many times its earlier share it has now; a value that is new is held against one
    /// session.
    #[must_use]
    pub fn lift(&self) -> f64 {
        let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
        share(self.now, self.all_now) / share(self.before.max(1), self.all_before)
    }

    /// Whether it rises, as one of so many that are looked at.
    #[must_use]
    pub fn rises(&self, tested: usize) -> bool {
        self.now >= SESSIONS_MIN
            && self.all_before > 0
            && self.lift() >= LIFT_MIN
            && self.p_value() * tested as f64 <= ALPHA
    }
}

/// What rises now, the strongest first.
///
/// # Errors
/// If there is no such site.
pub fn rising(view: &View, ask: &Ask, now_ms: i64) -> Result<Json, QueryError> {
    let end_ms = now_ms - now_ms.rem_euclid(SECOND_MS);
    let start_ms = end_ms - ask.window_ms;
    let now = sessions(view, ask, start_ms, end_ms, now_ms)?;
    let before = sessions(view, ask, start_ms - ask.baseline_ms, start_ms, now_ms)?;
    let known: std::collections::HashMap<&str, u64> =
        before.rows.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let (all_now, all_before) = (now.all, before.all);
    let looked_at: Vec<(&str, Counts)> = now
        .rows
        .iter()
        .filter(|(_, count)| *count >= SESSIONS_MIN)
        .map(|(name, count)| {
            let before = known.get(name.as_str()).copied().unwrap_or(0);
            (name.as_str(), Counts { now: *count, all_now, before, all_before })
        })
        .collect();
    let tested = looked_at.len();
    let mut rising: Vec<_> =
        looked_at.into_iter().filter(|(_, counts)| counts.rises(tested)).collect();
    rising.sort_by(|(a, x), (b, y)| y.lift().total_cmp(&x.lift()).then(a.cmp(b)));
    let row = |(name, counts): &(&str, Counts)| {
        let Counts { now, before, .. } = counts;
        let expected = *before as f64 * all_now as f64 / all_before.max(1) as f64;
        json!({"value": name, "sessions": now, "sessions_before": before,
            "expected": rounded(expected, 100.0), "lift": rounded(counts.lift(), 100.0),
            "p_value": counts.p_value()})
    };
    let text = |ms| Zone::default().rfc3339(ms);
    Ok(json!({
        "results": rising.iter().take(ask.limit).map(row).collect::<Vec<Json>>(),
        "next": null,
        "meta": {
            "method": "Fisher's exact test of the share of sessions, one-sided, Bonferroni",
            "false_alarm_rate": ALPHA, "tested": tested,
            "sessions": all_now, "sessions_before": all_before,
            "window": [text(start_ms), text(end_ms)],
            "baseline": [text(start_ms - ask.baseline_ms), text(start_ms)],
        },
    }))
}

fn rounded(number: f64, unit: f64) -> f64 {
    (number * unit).round() / unit
}

/// Sessions of a stretch, all and by value.
struct Sessions {
    all: u64,
    rows: Vec<(String, u64)>,
}

fn sessions(
    view: &View,
    ask: &Ask,
    from_ms: i64,
    to_ms: i64,
    now_ms: i64,
) -> Result<Sessions, QueryError> {
    let text = |ms| Zone::default().rfc3339(ms);
    let measure = |dimensions: &[&str]| {
        let asked = json!({"site_id": ask.site, "metrics": ["sessions"],
            "date_range": [text(from_ms), text(to_ms)], "dimensions": dimensions});
        let request: Result<Request, _> = serde_json::from_value(asked);
        let request = request.map_err(|error| QueryError::invalid("query", error.to_string()))?;
        answer(view, &request, now_ms)
    };
    let all = measure(&[])?["results"][0]["metrics"][0].as_u64().unwrap_or(0);
    let answered = measure(&[ask.dimension])?;
    let rows = answered["results"].as_array().into_iter().flatten().filter_map(|row| {
        let name = row["dimensions"][0].as_str().filter(|name| *name != "(none)")?;
        Some((name.to_owned(), row["metrics"][0].as_u64()?))
    });
    Ok(Sessions { all, rows: rows.collect() })
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn the_test_is_fishers() {
        // As R says: fisher.test(matrix(c(8, 2, 1, 5), 2), alternative = "greater").
        let counts = Counts { now: 8, all_now: 10, before: 1, all_before: 6 };
        assert!((counts.p_value() - 0.024_475_52).abs() < 1e-7, "{}", counts.p_value());
        let same = Counts { now: 10, all_now: 100, before: 240, all_before: 2_400 };
        assert!((0.4..0.7).contains(&same.p_value()));
        assert!(!same.rises(1));
    }

    /// Sessions of a shop, each with some of forty products, the first with another chance now.
    fn play(rng: &mut ChaCha8Rng, boost: f64, all_now: u64, all_before: u64) -> Vec<usize> {
        let chance = |product: usize| 0.3 / (1.0 + product as f64);
        let mut draw = |chance: f64, all: u64| {
            (0..all).filter(|_| rng.random_bool(chance.min(1.0))).count() as u64
        };
        let counts: Vec<Counts> = (0..40)
            .map(|product| {
                let boost = if product == 7 { boost } else { 1.0 };
                Counts {
                    now: draw(chance(product) * boost, all_now),
                    all_now,
                    before: draw(chance(product), all_before),
                    all_before,
                }
            })
            .collect();
        let tested = counts.iter().filter(|counts| counts.now >= SESSIONS_MIN).count();
        let rises = |(_, counts): &(usize, &Counts)| counts.rises(tested);
        counts.iter().enumerate().filter(rises).map(|(product, _)| product).collect()
    }

    /// Where nothing rises at most one answer in a hundred names anything; traffic that is ten
    /// times what it was changes nothing. What triples is found.
    #[test]
    fn false_alarms_are_as_rare_as_stated_and_what_triples_is_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let rounds = 600;
        let alarms = (0..rounds).filter(|_| !play(&mut rng, 1.0, 200, 2_000).is_empty()).count();
        let rushed = (0..rounds).filter(|_| !play(&mut rng, 1.0, 2_000, 2_000).is_empty()).count();
        // Six of six hundred are expected at most; fourteen would be so by one chance in 250.
        assert!(alarms < 14 && rushed < 14, "{alarms} and {rushed} of {rounds}");
        let found = (0..50).filter(|_| play(&mut rng, 3.0, 400, 2_000).contains(&7)).count();
        assert!(found >= 45, "{found} of 50");
    }
}
