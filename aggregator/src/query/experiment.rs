//! One experiment: who was shown which variant, and what came of it.
//!
//! A person is in the variant that was shown to him alone; who saw several is counted apart. What
//! he orders from then on, up to the end of the range, is the variant's. Intervals are confidence
//! sequences (Waudby-Smith and others, "Time-uniform central limit theory and asymptotic confidence
//! sequences"): they hold at every moment at once, however often one looks.

use std::collections::{BTreeMap, BTreeSet};

use edgetally_proto::money::{Currency, format_minor};
use rustc_hash::FxHashMap;
use serde_json::{Value as Json, json};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::range::Range;
use super::scan::whose::{Exposures, Whose};
use super::symbols::Symbols;
use crate::presence::PersonId;
use crate::view::SiteView;

/// The chance that an interval ever misses.
pub const ALPHA: f64 = 0.05;
/// Below this chance the shares of the variants are not those that were meant.
pub const MISMATCH: f64 = 0.001;
/// For how many persons the intervals are narrowest.
const TUNED_FOR: f64 = 1_000.0;

/// What came of a variant.
#[derive(Debug, Clone, Default, PartialEq)]
struct Variant {
    persons: u64,
    converted: u64,
    orders: u64,
    revenue: i128,
    /// Sum of the squares of what each person spent.
    squares: f64,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The experiment.
    pub id: String,
    /// Of the events.
    pub range: Range,
    /// Shares that the variants were meant to have; the same of each, of those not named.
    pub weights: BTreeMap<String, f64>,
    /// With which the others are compared: `control`, else the first by name.
    pub control: Option<String>,
    /// The site's currency; orders in others count without their money.
    pub currency: Currency,
}

/// The answer; none if nobody saw the experiment.
#[must_use]
pub fn answer(site: &SiteView, ask: &Ask) -> Option<Json> {
    let symbols = Symbols::default();
    let whose = Whose::new(site, ask.range);
    let exposures = Exposures::new(site, ask.range, &whose, &symbols);
    let mut of_person: FxHashMap<PersonId, (i64, String)> = FxHashMap::default();
    let (mut several, mut variants) = (0u64, BTreeMap::<String, Variant>::new());
    for (person, seen) in exposures.seen() {
        let mut own = seen.iter().filter(|(_, [id, _])| *symbols.text(*id) == *ask.id);
        let (Some((at_ms, [_, variant])), other) = (own.next(), own.next()) else { continue };
        if other.is_some() {
            several += 1;
            continue;
        }
        let name = symbols.text(*variant).to_string();
        variants.entry(name.clone()).or_default().persons += 1;
        of_person.insert(person, (*at_ms, name));
    }
    let absent = exposures.absent(&ask.id, &symbols);
    if variants.is_empty() && several == 0 && absent == 0 {
        return None;
    }
    add_orders(site, ask, &of_person, &mut variants);
    let mut answer = shown(ask, &variants, several);
    answer["views_of_absent"] = absent.into();
    Some(answer)
}

/// Adds what the persons ordered after they saw their variant.
fn add_orders(
    site: &SiteView,
    ask: &Ask,
    of_person: &FxHashMap<PersonId, (i64, String)>,
    variants: &mut BTreeMap<String, Variant>,
) {
    let mut spent: FxHashMap<PersonId, (u64, i128)> = FxHashMap::default();
    for (_, row) in site.orders.range((ask.range.from_ms, 0)..(ask.range.to_ms, 0)) {
        let Some(person) = row.credit.person.filter(|_| row.order.is_booked) else { continue };
        let is_after = |(at_ms, _): &&(i64, String)| row.order.at_ms >= *at_ms;
        if of_person.get(&person).filter(is_after).is_none() {
            continue;
        }
        let own = row.order.value.filter(|value| value.currency == ask.currency);
        let (orders, minor) = spent.entry(person).or_default();
        *orders += 1;
        *minor += i128::from(own.map_or(0, |value| value.minor));
    }
    for (person, (orders, minor)) in spent {
        let Some((_, name)) = of_person.get(&person) else { continue };
        let variant = variants.entry(name.clone()).or_default();
        variant.converted += 1;
        variant.orders += orders;
        variant.revenue += minor;
        variant.squares += (minor as f64).powi(2);
    }
}

/// A mean with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mean {
    value: f64,
    /// Half of the interval's width.
    radius: f64,
}

/// The interval of a mean that holds at every moment at once, but for one chance of `alpha`.
fn mean(sum: f64, squares: f64, count: u64, alpha: f64) -> Mean {
    let n = count as f64;
    if count == 0 {
        return Mean { value: 0.0, radius: f64::INFINITY };
    }
    let value = sum / n;
    let variance = (squares / n - value * value).max(0.0);
    // The width is least at the number of persons that it is tuned for.
    let rho2 = (2.0 * (1.0 / alpha).ln() + (2.0 * (1.0 / alpha).ln() + 1.0).ln()) / TUNED_FOR;
    let inner = 2.0 * (n * rho2 + 1.0) / (n * n * rho2);
    let radius = variance.sqrt() * (inner * ((n * rho2 + 1.0).sqrt() / alpha).ln()).sqrt();
    // Where all are alike so far nothing is known of how they vary.
    let radius = if variance > 0.0 { radius } else { f64::INFINITY };
    Mean { value, radius }
}

impl Variant {
    fn conversion(&self, alpha: f64) -> Mean {
        let converted = self.converted as f64;
        mean(converted, converted, self.persons, alpha)
    }

    fn revenue(&self, alpha: f64) -> Mean {
        mean(self.revenue as f64, self.squares, self.persons, alpha)
    }
}

fn number(value: f64) -> Json {
    // What is not finite is not known.
    serde_json::Number::from_f64((value * 1e6).round() / 1e6).map_or(Json::Null, Json::Number)
}

fn interval(of: Mean, unit: f64, least: f64, most: f64) -> Json {
    let end = |value: f64| number((value * unit).clamp(least, most));
    json!([end(of.value - of.radius), end(of.value + of.radius)])
}

/// How much more one mean is than another: both intervals hold but for half of [`ALPHA`] each.
fn difference(of: Mean, control: Mean, unit: f64) -> Json {
    let (value, radius) = (of.value - control.value, of.radius + control.radius);
    let (low, high) = ((value - radius) * unit, (value + radius) * unit);
    let verdict = match (low > 0.0, high < 0.0) {
        (true, _) => "better",
        (_, true) => "worse",
        _ => "undecided",
    };
    json!({"difference": number(value * unit), "interval": [number(low), number(high)],
        "verdict": verdict})
}

fn shown(ask: &Ask, variants: &BTreeMap<String, Variant>, several: u64) -> Json {
    let control = ask.control.clone().unwrap_or_else(|| "control".to_owned());
    let first = || variants.keys().next().cloned().unwrap_or_default();
    let control = if variants.contains_key(&control) { control } else { first() };
    let against = variants.get(&control).cloned().unwrap_or_default();
    let unit = 10f64.powi(-i32::try_from(ask.currency.exponent()).unwrap_or(0));
    let rows = variants.iter().map(|(name, variant)| {
        let own = variant.conversion(ALPHA);
        let spent = variant.revenue(ALPHA);
        let versus = (*name != control).then(|| {
            let half = ALPHA / 2.0;
            let conversion = [variant, &against].map(|one| one.conversion(half));
            let spent = [variant, &against].map(|one| one.revenue(half));
            json!({
                "conversion_rate": difference(conversion[0], conversion[1], 100.0),
                "revenue_per_person": difference(spent[0], spent[1], unit),
            })
        });
        json!({
            "variant": name,
            "persons": variant.persons,
            "converted": variant.converted,
            "orders": variant.orders,
            "revenue": {"currency": ask.currency.code(),
                "amount": format_minor(variant.revenue, ask.currency)},
            "conversion_rate": number(100.0 * own.value),
            "conversion_rate_interval": interval(own, 100.0, 0.0, 100.0),
            "revenue_per_person": number(spent.value * unit),
            "revenue_per_person_interval": interval(spent, unit, 0.0, f64::INFINITY),
            "versus_control": versus,
        })
    });
    let p_value = mismatch(variants, &ask.weights);
    json!({
        "experiment": ask.id,
        "control": control,
        "variants": rows.collect::<Vec<Json>>(),
        "several_variants": several,
        "sample_ratio": {"p_value": number(p_value), "is_mismatch": p_value < MISMATCH},
        "meta": {"method": "asymptotic confidence sequences, valid at every moment at once",
            "alpha": ALPHA, "sample_ratio_method": "chi-square", "mismatch_below": MISMATCH},
    })
}

/// The chance of such numbers of persons, or odder ones, under the shares that were meant.
fn mismatch(variants: &BTreeMap<String, Variant>, weights: &BTreeMap<String, f64>) -> f64 {
    let weight = |name: &String| weights.get(name).copied().unwrap_or(1.0);
    let persons = |name: &String| variants.get(name).map_or(0.0, |variant| variant.persons as f64);
    // A variant that was meant and that nobody was shown is the worst of all splits.
    let names: BTreeSet<&String> = variants.keys().chain(weights.keys()).collect();
    let all: f64 = names.iter().map(|name| persons(name)).sum();
    let sum: f64 = names.iter().map(|name| weight(name)).sum();
    if names.len() < 2 || all == 0.0 || sum <= 0.0 {
        return 1.0;
    }
    let odd = names.iter().map(|name| {
        let expected = all * weight(name) / sum;
        (persons(name) - expected).powi(2) / expected.max(f64::MIN_POSITIVE)
    });
    let freedom = (names.len() - 1) as f64;
    ChiSquared::new(freedom).map_or(1.0, |chi| chi.sf(odd.sum()))
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Looks after every person from the twentieth on; whether some look finds the two different.
    fn is_ever_decided(rng: &mut ChaCha8Rng, rates: [f64; 2], persons: u64) -> bool {
        let mut arms = [Variant::default(), Variant::default()];
        (0..persons).any(|at| {
            for (arm, rate) in arms.iter_mut().zip(rates) {
                arm.persons += 1;
                arm.converted += u64::from(rng.random_bool(rate));
            }
            let [one, other] = arms.each_ref().map(|arm| arm.conversion(ALPHA / 2.0));
            at >= 20 && difference(one, other, 1.0)["verdict"] != "undecided"
        })
    }

    /// However often one looks, of experiments without a difference at most one in twenty ever
    /// seems to have one; a real difference is found.
    #[test]
    fn looking_all_the_time_does_no_harm() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let fooled = (0..300).filter(|_| is_ever_decided(&mut rng, [0.2, 0.2], 2_000)).count();
        assert!(fooled <= 15, "{fooled} of 300");
        let found = (0..30).filter(|_| is_ever_decided(&mut rng, [0.2, 0.35], 2_000)).count();
        assert!(found >= 27, "{found} of 30");
    }

    #[test]
    fn a_wrong_split_is_told() {
        let arms = |a: u64, b: u64| {
            let of = |persons| Variant { persons, ..Variant::default() };
            BTreeMap::from([("a".to_owned(), of(a)), ("b".to_owned(), of(b))])
        };
        // As R says: chisq.test(c(5200, 4800))$p.value.
        let p_value = mismatch(&arms(5_200, 4_800), &BTreeMap::new());
        assert!((p_value - 6.334_248e-5).abs() < 1e-9, "{p_value}");
        assert!(mismatch(&arms(5_030, 4_970), &BTreeMap::new()) > 0.5);
        let weights = BTreeMap::from([("a".to_owned(), 2.0)]);
        assert!(mismatch(&arms(6_700, 3_300), &weights) > 0.1);
    }
}
