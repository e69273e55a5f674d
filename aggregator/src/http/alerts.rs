//! Alerts: what was found, who is told of it, and the rules.

pub mod rules;
pub mod send;
pub mod watch;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use edgetally_proto::ids::SiteId;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Admin, AdminOf, AdminTold, NamesSite, Reader, Site};
use super::extract::Named;
use super::openapi::{MaybeOfSite, OfSite, shapes};
use super::problem::Problem;
use super::{App, list, now_ms, people};
use crate::alerts::book::{
    Alert, Book, Change, Delivery, Fate, Kind, Raised, State as AlertState, number_of,
};
use crate::alerts::target;
use crate::audit::Act;
use crate::calendar::Calendar;
use crate::local::{Answer, Ask};
use crate::presence::Days;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(acknowledge))
        .routes(routes!(test))
        .routes(routes!(report))
        .routes(routes!(deliveries))
        .routes(routes!(rules::get))
        .routes(routes!(rules::put, rules::delete))
}

/// Which alerts.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// The name of a rule.
    rule: Option<String>,
    /// `rule`, `fraud`, `check` or `test`.
    kind: Option<String>,
    /// `firing` or `resolved`.
    state: Option<String>,
    severity: Option<String>,
    /// A local date or an instant, in.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
    /// `newest` for the newest first.
    sort: Option<String>,
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

fn state_of(alert: &Alert) -> AlertState {
    match alert.resolved_at_ms {
        None => AlertState::Firing,
        Some(_) => AlertState::Resolved,
    }
}

fn row(alert: &Alert, zone: &Calendar) -> Value {
    json!({
        "id": alert.id,
        "kind": alert.kind,
        "rule": alert.rule,
        "severity": alert.severity,
        "state": state_of(alert),
        "message": alert.message,
        "at": zone.rfc3339(alert.at_ms),
        "resolved_at": alert.resolved_at_ms.map(|ms| zone.rfc3339(ms)),
        "acknowledged_at": alert.acknowledged_at_ms.map(|ms| zone.rfc3339(ms)),
        "evidence": serde_json::from_str::<Value>(&alert.evidence).unwrap_or_default(),
    })
}

fn named<T: for<'a> Deserialize<'a>>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    let read = |text: &str| serde_json::from_value(json!(text));
    text.map(read).transpose().map_err(|error| Problem::invalid(field, error.to_string()))
}

fn is_newest_first(sort: Option<&str>) -> Result<bool, Problem> {
    match sort {
        None => Ok(false),
        Some("newest") => Ok(true),
        Some(_) => Err(Problem::invalid("sort", "the one sort there is is newest")),
    }
}

fn after(text: Option<&str>) -> Result<Option<u64>, Problem> {
    let read = text.map(str::parse::<u64>).transpose();
    read.map_err(|_| Problem::invalid("after", "this is not what next said"))
}

/// A page of numbered rows.
fn page<'a, T>(
    rows: impl DoubleEndedIterator<Item = (u64, &'a T)>,
    is_newest_first: bool,
    after: Option<u64>,
    limit: usize,
    show: impl Fn(&T) -> Value,
) -> Json<Value>
where
    T: 'a,
{
    let is_due = |number: u64| {
        after.is_none_or(|after| if is_newest_first { number < after } else { number > after })
    };
    let rows: Box<dyn Iterator<Item = (u64, &T)>> =
        if is_newest_first { Box::new(rows.rev()) } else { Box::new(rows) };
    let mut rows = rows.filter(|(number, _)| is_due(*number));
    let part: Vec<(u64, Value)> =
        rows.by_ref().take(limit).map(|(number, row)| (number, show(row))).collect();
    let last = part.last().map(|(number, _)| number.to_string());
    let next = if rows.next().is_some() { last } else { None };
    let results: Vec<Value> = part.into_iter().map(|(_, row)| row).collect();
    Json(json!({"results": results, "next": next}))
}

/// What was found, ascending by time.
#[utoipa::path(
    get, path = "/v1/alerts", tag = "alerts",
    params(OfSite, List),
    security(("read" = [])),
    responses((status = 200, description = "a page", body = shapes::Page<shapes::Alert>)),
)]
pub async fn get(
    State(app): State<App>,
    Reader { site, asked, .. }: Reader<List>,
) -> Result<Json<Value>, Problem> {
    let limit = list::limit(asked.limit.as_deref())?;
    let after = after(asked.after.as_deref())?;
    let is_newest_first = is_newest_first(asked.sort.as_deref())?;
    let kind: Option<Kind> = named("kind", asked.kind.as_deref())?;
    let state: Option<AlertState> = named("state", asked.state.as_deref())?;
    let (from, to) = list::ends(asked.from.as_deref(), asked.to.as_deref(), &site.zone)?;
    let is_asked = |alert: &Alert| {
        asked.rule.as_ref().is_none_or(|rule| alert.rule == *rule)
            && asked.severity.as_ref().is_none_or(|severity| alert.severity == *severity)
            && kind.is_none_or(|kind| alert.kind == kind)
            && state.is_none_or(|state| state_of(alert) == state)
            && from.is_none_or(|from| alert.at_ms >= from)
            && to.is_none_or(|to| alert.at_ms < to)
    };
    let view = site.view(&app);
    let rows = view.alerts.alerts.rows().iter();
    let rows = rows.map(|(number, alert)| (*number, alert.as_ref()));
    let rows = rows.filter(|(_, alert)| is_asked(alert));
    Ok(page(rows, is_newest_first, after, limit, |alert| row(alert, &site.zone)))
}

/// Makes changes of a site's alerts durable.
///
/// # Errors
/// If the program takes none now.
pub(super) async fn change(
    app: &App,
    site: &SiteId,
    changes: Vec<Change>,
    note: Option<crate::audit::Note>,
) -> Result<Vec<crate::alerts::book::Told>, Problem> {
    match people::ask(app, Ask::Alerts { site: site.clone(), changes }, note).await? {
        Answer::Alerts(told) => Ok(told),
        _ => Err(people::misunderstood()),
    }
}

/// The alert of an id, whichever site it is of, and its number.
fn find(app: &App, id: &str) -> Option<(SiteId, u64)> {
    let number = number_of(id)?;
    let view = app.engine.shared.view.load();
    let is_it = |book: &Book| book.alerts.get(number).is_some_and(|alert| alert.id == id);
    let found = view.sites.iter().find(|(_, site)| is_it(&site.alerts));
    found.map(|(site, _)| (site.clone(), number))
}

/// Takes note of an alert.
#[utoipa::path(
    post, path = "/v1/alerts/{id}/acknowledge", tag = "alerts",
    params(("id" = String, Path)),
    security(("admin" = [])),
    responses(
        (status = 200, description = "the alert as it is now", body = shapes::Alert),
        (
            status = 404, description = "`not_found`: there is no such alert",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn acknowledge(
    State(app): State<App>,
    Admin { caller, .. }: Admin,
    Named(id): Named,
) -> Result<Json<Value>, Problem> {
    let gone = || Problem::not_found("there is no such alert");
    let (site, number) = find(&app, &id).ok_or_else(gone)?;
    let note = caller.note(Act::AcknowledgeAlert, Some(&site), Some(id));
    let changes = vec![Change::Acknowledge { alert: number, at_ms: note.at_ms }];
    change(&app, &site, changes, Some(note)).await?;
    let site = Site::find(&app, site)?;
    let view = site.view(&app);
    let alert = view.alerts.alerts.get(number).ok_or_else(gone)?;
    Ok(Json(row(alert, &site.zone)))
}

/// Whom to tell, to see whether it arrives.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = TestOfAlerts)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The site.
    site: Option<String>,
    /// Names of webhooks and mail addresses; all webhooks of the site if there are none.
    #[serde(default)]
    to: Vec<String>,
}

impl NamesSite for Test {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

/// Raises an alert that is over at once, to see whether it arrives.
#[utoipa::path(
    post, path = "/v1/alerts/test", tag = "alerts",
    params(MaybeOfSite),
    request_body = Test,
    security(("admin" = [])),
    responses((status = 200, description = "what is on its way", body = shapes::Sent)),
)]
pub async fn test(
    State(app): State<App>,
    AdminTold { caller, site, asked, .. }: AdminTold<Test>,
) -> Result<Json<Value>, Problem> {
    let site = Site::find(&app, site)?;
    let targets = target::targets(&site.settings);
    let targets = targets.map_err(|fault| Problem::invalid(fault.field, fault.message))?;
    for (at, name) in asked.to.iter().enumerate() {
        if targets.iter().all(|target| target.name != *name) {
            target::check_address(name)
                .map_err(|message| Problem::invalid(format!("to[{at}]"), message))?;
        }
    }
    let all = || targets.iter().map(|target| target.name.clone()).collect();
    let to: Vec<String> = if asked.to.is_empty() { all() } else { asked.to };
    let note = caller.note(Act::TestAlert, Some(&site.id), None);
    let raised = Raised {
        kind: Kind::Test,
        rule: "test".to_owned(),
        severity: "info".to_owned(),
        message: "This is a test: alerts of this site arrive here.".to_owned(),
        at_ms: note.at_ms,
        evidence: "{}".to_owned(),
        key: None,
        to,
    };
    let told = change(&app, &site.id, vec![Change::Raise(raised)], Some(note)).await?;
    let id = told.first().map(|told| told.alert.id.clone());
    let about = id.clone().unwrap_or_default();
    Ok(Json(json!({"id": id, "deliveries": sent(&site, &app, &about)})))
}

/// Ids of the deliveries about something.
fn sent(site: &Site, app: &App, about: &str) -> Vec<String> {
    let view = site.view(app);
    let rows = view.alerts.deliveries.rows().values();
    let about = rows.filter(|delivery| delivery.id.starts_with(about));
    about.map(|delivery| delivery.id.clone()).collect()
}

/// Which report to send.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = DailyReport)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The site.
    site: Option<String>,
    /// A local date; yesterday if there is none.
    date: Option<String>,
    /// Mail addresses; those of the settings if there are none.
    #[serde(default)]
    to: Vec<String>,
}

impl NamesSite for Wanted {
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
}

/// Sends the report of a day.
#[utoipa::path(
    post, path = "/v1/alerts/report", tag = "alerts",
    params(MaybeOfSite),
    request_body = Wanted,
    security(("admin" = [])),
    responses((status = 200, description = "what is on its way", body = shapes::Sent)),
)]
pub async fn report(
    State(app): State<App>,
    AdminTold { caller, site, asked, .. }: AdminTold<Wanted>,
) -> Result<Json<Value>, Problem> {
    let site = Site::find(&app, site)?;
    let read = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let date = asked.date.as_deref().map(|text| {
        read(text).ok_or_else(|| Problem::invalid("date", "this is no date such as 2026-03-02"))
    });
    let day = match date.transpose()? {
        Some(date) => site.zone.day_of(site.zone.start_of_date(date)),
        None => site.zone.day_of(now_ms()) - 1,
    };
    for (at, address) in asked.to.iter().enumerate() {
        target::check_address(address)
            .map_err(|message| Problem::invalid(format!("to[{at}]"), message))?;
    }
    let known = site.settings.mail.daily_report_to.clone();
    let to = if asked.to.is_empty() { known } else { asked.to };
    if to.is_empty() {
        return Err(Problem::invalid("to", "the settings name nobody in mail.daily_report_to"));
    }
    let note = caller.note(Act::SendReport, Some(&site.id), asked.date);
    let at_ms = note.at_ms;
    let changes = vec![Change::Report { day, at_ms, to, is_asked: true }];
    change(&app, &site.id, changes, Some(note)).await?;
    let about = format!("{}-report-{day}-{at_ms}.", site.id);
    Ok(Json(json!({"id": Value::Null, "deliveries": sent(&site, &app, &about)})))
}

/// Which part of the list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// `newest` for the newest first.
    sort: Option<String>,
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    after: Option<String>,
}

fn delivery_row(delivery: &Delivery, zone: &Calendar) -> Value {
    let (state, at_ms) = match delivery.fate {
        Fate::Waits(at_ms) => ("waiting", at_ms),
        Fate::Done(at_ms) => ("delivered", at_ms),
        Fate::GivenUp(at_ms) => ("given_up", at_ms),
    };
    json!({
        "id": delivery.id,
        "to": delivery.to,
        "state": state,
        "at": zone.rfc3339(at_ms),
        "since": zone.rfc3339(delivery.since_ms),
        "tries": delivery.tries,
        "said": delivery.said,
    })
}

/// Who was told what, or is still to be told.
#[utoipa::path(
    get, path = "/v1/alerts/deliveries", tag = "alerts",
    params(OfSite, Part),
    security(("admin" = [])),
    responses((status = 200, description = "a page", body = shapes::Page<shapes::Delivery>)),
)]
pub async fn deliveries(
    State(app): State<App>,
    AdminOf { site, asked, .. }: AdminOf<Part>,
) -> Result<Json<Value>, Problem> {
    let limit = list::limit(asked.limit.as_deref())?;
    let after = after(asked.after.as_deref())?;
    let is_newest_first = is_newest_first(asked.sort.as_deref())?;
    let view = site.view(&app);
    let rows = view.alerts.deliveries.rows().iter();
    let rows = rows.map(|(number, delivery)| (*number, delivery.as_ref()));
    Ok(page(rows, is_newest_first, after, limit, |row| delivery_row(row, &site.zone)))
}

/// Nothing is answered where something was taken away.
pub(super) const GONE: StatusCode = StatusCode::NO_CONTENT;
