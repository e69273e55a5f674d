//! When hours are compared by themselves, and with which database: the setting `reconcile`.

use edgetally_proto::settings::SiteSettings;
use edgetally_proto::time::{HOUR_MS, MINUTE_MS};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::alerts::rule::{Fault, check_names, number};
use crate::alerts::target::Target;
use crate::calendar::Calendar;
use crate::query::range::end_of_range;
use crate::zone::Zone;

/// Variables of the environment that may hold a database of payments begin like this, so that a
/// setting cannot make use of other secrets.
pub const DATABASE_PREFIX: &str = "EDGETALLY_PAYMENTS_";
/// An hour is compared so long after its end. A payment page stays open for about a quarter of an
/// hour, and by then what browsers and gateways tell late is in as well.
pub const SETTLE_MS: i64 = 15 * MINUTE_MS;
/// No hours are made up that ended longer ago.
pub const BACK_MS: i64 = 48 * HOUR_MS;

/// The setting, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    database_env: String,
    #[serde(default)]
    table: Option<String>,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    difference: Option<Value>,
    #[serde(default)]
    to: Vec<String>,
}

/// What is compared each hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The variable of the environment with the connection string.
    pub database_env: String,
    /// Table or view of payments.
    pub table: String,
    /// Orders of one platform only.
    pub platform: Option<String>,
    /// From which instant on, epoch ms; else from when the setting was made.
    pub since_ms: Option<i64>,
    /// How much may be apart: percent with four decimals.
    pub limit: i128,
    /// Who is told: names of webhooks and mail addresses.
    pub to: Vec<String>,
}

/// Whether a text names a table and nothing else.
#[must_use]
pub fn is_table(name: &str) -> bool {
    let is_plain = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.split('.').count() <= 2 && name.split('.').all(is_plain)
}

/// Reads the setting; none if hours are not compared.
///
/// # Errors
/// If a member is wrong.
pub fn plan(settings: &SiteSettings) -> Result<Option<Plan>, Fault> {
    let Some(value) = &settings.reconcile else { return Ok(None) };
    let path = |member: &str| match member {
        "" | "." => "reconcile".to_owned(),
        member => format!("reconcile.{member}"),
    };
    let wrong = |member: &str, message: &str| Err(Fault::new(path(member), message));
    let read: Result<Written, _> = serde_path_to_error::deserialize(value);
    let written = read
        .map_err(|error| Fault::new(path(&error.path().to_string()), error.inner().to_string()))?;
    if !is_variable(&written.database_env) {
        let message = format!("the variable with the database begins with {DATABASE_PREFIX}");
        return Err(Fault::new(path("database_env"), message));
    }
    let table = written.table.unwrap_or_else(|| "payments".to_owned());
    if !is_table(&table) {
        return wrong("table", "this is no name of a table");
    }
    let zone: Calendar = Zone::parse(&settings.timezone).unwrap_or_default().into();
    let since = written.since.as_deref().map(|text| end_of_range(text, &zone)).transpose();
    let since = since.map_err(|message| Fault::new(path("since"), message))?;
    let limit = number(&written.difference.unwrap_or(json!(1))).filter(|limit| *limit >= 0);
    let Some(limit) = limit else {
        return wrong("difference", "this is no decimal number from 0, in percent");
    };
    Ok(Some(Plan {
        database_env: written.database_env,
        table,
        platform: written.platform,
        since_ms: since.map(|range| range.from_ms),
        limit,
        to: written.to,
    }))
}

fn is_variable(name: &str) -> bool {
    let rest = name.strip_prefix(DATABASE_PREFIX).unwrap_or_default();
    !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Judges the setting and whom it names.
///
/// # Errors
/// If a member is wrong, or names nobody.
pub fn check(settings: &SiteSettings, targets: &[Target]) -> Result<(), Fault> {
    plan(settings)?.map_or(Ok(()), |plan| check_names("reconcile.to", &plan.to, targets))
}

/// The local hours, as the instants at which they begin and end, that are to be compared at an
/// instant, the oldest first: from the hour of `from_ms` on those that are not done.
#[must_use]
pub fn due(
    zone: &Calendar,
    from_ms: i64,
    now_ms: i64,
    is_done: impl Fn(i64) -> bool,
) -> Vec<(i64, i64)> {
    let until_ms = now_ms - SETTLE_MS;
    let mut hours = Vec::new();
    let mut at_ms = from_ms.max(until_ms - BACK_MS);
    loop {
        let (start_ms, end_ms) = zone.hour_of(at_ms);
        if end_ms > until_ms || end_ms <= at_ms {
            return hours;
        }
        if !is_done(start_ms) {
            hours.push((start_ms, end_ms));
        }
        at_ms = end_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 o'clock of a day in Hà Nội, and half past nine in Kolkata.
    const TEN: i64 = 1_772_420_400_000;

    fn hours(zone: &str, from_ms: i64, now_ms: i64, done: &[i64]) -> Vec<i64> {
        let zone: Calendar = Zone::parse(zone).unwrap().into();
        let due = due(&zone, from_ms, now_ms, |start_ms| done.contains(&start_ms));
        due.iter().map(|(start_ms, _)| (start_ms - TEN) / MINUTE_MS).collect()
    }

    #[test]
    fn an_hour_is_due_a_quarter_after_its_end_and_until_it_is_done() {
        let (zone, minute) = ("Asia/Ho_Chi_Minh", MINUTE_MS);
        for (minutes, expected) in
            [(74, &[][..]), (75, &[0]), (134, &[0]), (135, &[0, 60]), (195, &[0, 60, 120])]
        {
            let from_ms = TEN + 20 * minute;
            assert_eq!(hours(zone, from_ms, TEN + minutes * minute, &[]), expected, "{minutes}");
        }
        assert_eq!(hours(zone, TEN, TEN + 200 * minute, &[TEN, TEN + HOUR_MS]), [120]);
        // Hours are local ones.
        assert_eq!(hours("Asia/Kolkata", TEN, TEN + 110 * minute, &[]), [-30, 30]);
    }

    #[test]
    fn two_days_are_made_up_and_no_more() {
        let missed = hours("UTC", TEN - 100 * HOUR_MS, TEN + SETTLE_MS, &[]);
        assert_eq!((missed.len(), missed[0]), (48, -48 * 60));
    }

    #[test]
    fn a_table_is_a_name_and_nothing_else() {
        for name in ["payments", "shop.payments", "_p1"] {
            assert!(is_table(name), "{name}");
        }
        for name in ["", "1p", "a.b.c", "p; drop table x", "a.", "p x", "\"p\""] {
            assert!(!is_table(name), "{name}");
        }
    }

    #[test]
    fn the_setting_is_read_and_wrong_members_are_named() {
        let field = |reconcile: Value| {
            let hooks = json!([{"name": "ops", "url": "http://a/"}]);
            let settings = json!({"reconcile": reconcile, "webhooks": hooks});
            let settings: SiteSettings = serde_json::from_value(settings).unwrap();
            let targets = crate::alerts::target::targets(&settings).unwrap();
            check(&settings, &targets).map_or_else(|fault| fault.field, |()| "fine".to_owned())
        };
        let whole = json!({"database_env": "EDGETALLY_PAYMENTS_DEMO", "table": "shop.payments",
            "since": "2026-03-02", "difference": "0.25", "platform": "web", "to": ["ops"]});
        assert_eq!(field(whole.clone()), "fine");
        assert_eq!(field(Value::Null), "fine");
        assert_eq!(field(json!({})), "reconcile");
        for (member, value) in [
            ("database_env", json!("EDGETALLY_ADMIN_KEY")),
            ("database_env", json!("EDGETALLY_PAYMENTS_")),
            ("database_env", json!("EDGETALLY_PAYMENTS_A=B")),
            ("database_env", json!(1)),
            ("table", json!("p; drop table x")),
            ("since", json!("yesterday")),
            ("difference", json!(-1)),
            ("difference", json!("much")),
            ("later", json!(1)),
        ] {
            let mut wrong = whole.clone();
            wrong[member] = value;
            assert_eq!(field(wrong), format!("reconcile.{member}"));
        }
        let mut nobody = whole;
        nobody["to"] = json!(["ops", "nobody"]);
        assert_eq!(field(nobody), "reconcile.to[1]");
    }
}
