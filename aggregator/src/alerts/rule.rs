//! Rules of alerts, as a site's settings have them.

use edgetally_proto::ids::SiteId;
use edgetally_proto::money::parse_minor;
use edgetally_proto::settings::{SiteSettings, Span};
use edgetally_proto::time::{MINUTE_MS, SECOND_MS};
use serde::Deserialize;
use serde_json::{Number, Value};

use super::target::{self, Target};
use crate::query::request::Request;
use crate::query::{self, QueryError};
use crate::reconcile::plan;
use crate::view::SiteView;

/// Most rules of a site: each is a query a second.
pub const RULES_MAX: usize = 100;
/// Longest name of a rule, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Decimals of a threshold.
pub const DECIMALS: u32 = 4;
/// Longest window of a rule.
const WINDOW_MS_MAX: i64 = 24 * 60 * MINUTE_MS;

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the member in the settings.
    pub field: String,
    /// What is wrong with it, for people.
    pub message: String,
}

impl Fault {
    /// A fault of a member.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// When a rule holds. Numbers have [`DECIMALS`] decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The metric is greater.
    Above(i128),
    /// The metric is less.
    Below(i128),
    /// It grew by more percent since the same window a week before.
    ChangeAbove(i128),
    /// It grew by less percent; a fall by a half is a growth of -50.
    ChangeBelow(i128),
    /// There is nothing: the metric is 0 or undefined.
    NoData,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it is called; one rule of a site has a name.
    pub name: String,
    /// The query, without its range.
    pub query: Request,
    /// How long a stretch is measured.
    pub window_ms: i64,
    /// When it holds.
    pub when: When,
    /// How far back over the threshold the metric must come to be resolved.
    pub hysteresis: i128,
    /// How long it must hold before it fires.
    pub for_ms: i64,
    /// How long after it was resolved it does not fire again.
    pub cooldown_ms: i64,
    /// How bad that is.
    pub severity: String,
    /// Who is told: names of webhooks and mail addresses.
    pub to: Vec<String>,
}

fn minute() -> Span {
    Span { ms: MINUTE_MS }
}

/// A rule, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    metric: String,
    #[serde(default)]
    measure: Option<String>,
    #[serde(default)]
    filters: Vec<Value>,
    #[serde(default = "minute")]
    window: Span,
    #[serde(default)]
    above: Option<Value>,
    #[serde(default)]
    below: Option<Value>,
    #[serde(default)]
    change_above: Option<Value>,
    #[serde(default)]
    change_below: Option<Value>,
    #[serde(default)]
    no_data: bool,
    #[serde(default)]
    hysteresis: Option<Value>,
    #[serde(default, rename = "for")]
    held_for: Option<Span>,
    #[serde(default)]
    cooldown: Option<Span>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    to: Vec<String>,
}

/// A number of the settings: a JSON number or decimal text.
pub(crate) fn number(value: &Value) -> Option<i128> {
    let digits = match value {
        Value::Number(number) => Number::to_string(number),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    parse_minor(&digits, DECIMALS).ok().map(|parsed| i128::from(parsed.minor))
}

impl Written {
    fn when(&self) -> Result<When, (&'static str, String)> {
        let read = |name: &'static str, value: &Option<Value>| match value {
            None => Ok(None),
            Some(value) => number(value)
                .map(Some)
                .ok_or_else(|| (name, "this is no decimal number".to_owned())),
        };
        let all = [
            read("above", &self.above)?.map(When::Above),
            read("below", &self.below)?.map(When::Below),
            read("change_above", &self.change_above)?.map(When::ChangeAbove),
            read("change_below", &self.change_below)?.map(When::ChangeBelow),
            self.no_data.then_some(When::NoData),
        ];
        let mut said = all.into_iter().flatten();
        match (said.next(), said.next()) {
            (Some(when), None) => Ok(when),
            _ => {
                let names = "above, below, change_above, change_below and no_data";
                Err(("above", format!("say exactly one of {names}")))
            }
        }
    }

    fn rule(self, site: &SiteId) -> Result<Rule, (&'static str, String)> {
        let wrong = |member, detail: &str| Err((member, detail.to_owned()));
        if self.name.trim().is_empty() || self.name.chars().count() > NAME_CHARS_MAX {
            return wrong("name", "a rule has a name of 1 to 100 characters");
        }
        let when = self.when()?;
        let window_ms = self.window.ms;
        if window_ms % SECOND_MS != 0 || !(SECOND_MS..=WINDOW_MS_MAX).contains(&window_ms) {
            return wrong("window", "a window has whole seconds, 1s to 24h");
        }
        let is_change = matches!(when, When::ChangeAbove(_) | When::ChangeBelow(_));
        if is_change && window_ms % MINUTE_MS != 0 {
            return wrong("window", "to compare with last week a window has whole minutes");
        }
        let hysteresis = self.hysteresis.as_ref().map_or(Some(0), number);
        let Some(hysteresis) = hysteresis.filter(|by| *by >= 0) else {
            return wrong("hysteresis", "this is no decimal number from 0");
        };
        let severity = self.severity.unwrap_or_else(|| "warning".to_owned());
        if severity.is_empty() || severity.len() > 32 {
            return wrong("severity", "a severity has 1 to 32 bytes");
        }
        let query = serde_json::json!({
            "site_id": site, "metrics": [self.metric], "date_range": "realtime",
            "filters": self.filters, "measure": self.measure,
        });
        let query = serde_json::from_value(query).map_err(|error| ("metric", error.to_string()))?;
        Ok(Rule {
            name: self.name,
            query,
            window_ms,
            when,
            hysteresis,
            for_ms: self.held_for.map_or(0, |span| span.ms),
            cooldown_ms: self.cooldown.map_or(10 * MINUTE_MS, |span| span.ms),
            severity,
            to: self.to,
        })
    }
}

/// The rules of a site; those that cannot be read any more are left out.
#[must_use]
pub fn rules(site: &SiteId, settings: &SiteSettings) -> Vec<Rule> {
    let read = |value: &Value| {
        let written: Written = serde_json::from_value(value.clone()).ok()?;
        written.rule(site).ok()
    };
    settings.alerts.iter().filter_map(read).collect()
}

/// Judges the rules of settings and whom they name.
///
/// # Errors
/// If a rule cannot be read, asks for what cannot be answered, or names nobody.
pub fn check(settings: &SiteSettings) -> Result<(), Fault> {
    let targets = target::targets(settings)?;
    if settings.alerts.len() > RULES_MAX {
        return Err(Fault::new("alerts", format!("at most {RULES_MAX} rules")));
    }
    let mut names = Vec::new();
    for (at, value) in settings.alerts.iter().enumerate() {
        let rule = read(at, value)?;
        if names.contains(&rule.name) {
            let message = format!("there is another rule of the name {:?}", rule.name);
            return Err(Fault::new(format!("alerts[{at}].name"), message));
        }
        check_query(at, &rule, settings)?;
        check_names(&format!("alerts[{at}].to"), &rule.to, &targets)?;
        names.push(rule.name);
    }
    check_names("fraud.to", &settings.fraud.to, &targets)?;
    plan::check(settings, &targets)?;
    let to = settings.mail.daily_report_to.iter().enumerate();
    for (at, address) in to {
        target::check_address(address)
            .map_err(|message| Fault::new(format!("mail.daily_report_to[{at}]"), message))?;
    }
    Ok(())
}

fn read(at: usize, value: &Value) -> Result<Rule, Fault> {
    let path = |member: &str| match member {
        "" | "." => format!("alerts[{at}]"),
        member => format!("alerts[{at}].{member}"),
    };
    let read = serde_path_to_error::deserialize(value);
    let written: Written = read
        .map_err(|error| Fault::new(path(&error.path().to_string()), error.inner().to_string()))?;
    let nobody = SiteId::parse("a").map_err(|error| Fault::new("alerts", error.to_string()))?;
    written.rule(&nobody).map_err(|(member, message)| Fault::new(path(member), message))
}

/// A query is right or wrong whatever there is, so it is planned over nothing.
fn check_query(at: usize, rule: &Rule, settings: &SiteSettings) -> Result<(), Fault> {
    let nothing = SiteView::default();
    let planned = query::request::plan(&rule.query, &nothing, settings.currency, 0);
    let (member, detail) = match planned {
        Ok(_) => return Ok(()),
        Err(QueryError::Invalid { field, detail }) if field.starts_with("metrics") => {
            ("metric".to_owned(), detail)
        }
        Err(QueryError::Invalid { field, detail }) => (field, detail),
        Err(QueryError::Unsupported { detail } | QueryError::TooFine { detail }) => {
            ("metric".to_owned(), detail)
        }
        Err(QueryError::UnknownSite) => return Ok(()),
    };
    Err(Fault::new(format!("alerts[{at}].{member}"), detail))
}

/// Whether everybody who is named is a webhook of the site or a mail address.
pub(crate) fn check_names(field: &str, to: &[String], targets: &[Target]) -> Result<(), Fault> {
    for (at, name) in to.iter().enumerate() {
        let is_known = targets.iter().any(|target| target.name == *name);
        if !is_known {
            target::check_address(name).map_err(|_| {
                let message = format!("{name:?} is no webhook of the site and no mail address");
                Fault::new(format!("{field}[{at}]"), message)
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(alert: Value) -> String {
        let settings =
            json!({"alerts": [alert], "webhooks": [{"name": "ops", "url": "http://a/"}]});
        let settings: SiteSettings = serde_json::from_value(settings).unwrap();
        check(&settings).map_or_else(|fault| fault.field, |()| "fine".to_owned())
    }

    #[test]
    fn rules_are_read_as_documented_and_wrong_ones_name_the_member() {
        let rule = json!({"name": "payments failing", "metric": "payment_success_rate",
            "filters": [], "window": "60s", "below": 95, "for": "60s", "cooldown": "10m",
            "severity": "critical", "to": ["ops", "boss@shop.vn"]});
        assert_eq!(fault(rule.clone()), "fine");
        for (member, value, field) in [
            ("metric", json!("nonsense"), "alerts[0].metric"),
            ("metric", json!(3), "alerts[0].metric"),
            ("name", json!(" "), "alerts[0].name"),
            ("window", json!("1500ms"), "alerts[0].window"),
            ("window", json!("soon"), "alerts[0].window"),
            ("above", json!(5), "alerts[0].above"),
            ("below", json!("much"), "alerts[0].below"),
            ("below", Value::Null, "alerts[0].above"),
            ("hysteresis", json!(-1), "alerts[0].hysteresis"),
            ("filters", json!([["is", "visit:nonsense", ["a"]]]), "alerts[0].filters[0][1]"),
            ("to", json!(["nobody"]), "alerts[0].to[0]"),
            ("too", json!(1), "alerts[0].too"),
        ] {
            let mut wrong = rule.clone();
            wrong[member] = value.clone();
            assert_eq!(fault(wrong), field, "{member} {value}");
        }
    }
}
