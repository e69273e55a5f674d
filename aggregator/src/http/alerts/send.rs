//! Tells what is to be told: by webhooks and mail, until it was taken or a day is over.
//!
//! That something was told is durable before the next thing is told to the same receiver about the
//! same alert. If the program ends in between it is told again, under the same id.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::sign;
use edgetally_proto::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Message, SmtpTransport, Transport};
use tokio::sync::{mpsc, oneshot};

use super::super::{App, now_ms};
use super::change;
use crate::alerts::book::{Change, Delivery, Fate, What};
use crate::alerts::notice::{Mail, Notice};
use crate::alerts::report;
use crate::alerts::target::{self, Target};
use crate::config::Config;
use crate::store::engine::Stage;
use crate::view::View;
use crate::zone::Zone;

const STEP: Duration = Duration::from_millis(200);
/// Deliveries on their way at one time.
const AT_ONCE: usize = 16;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The longest pause between two tries, and how long it is so.
const PAUSE_MS_MAX: i64 = 30 * SECOND_MS;
const EAGER_MS: i64 = 10 * MINUTE_MS;
/// The pause after that.
const PATIENT_MS: i64 = 5 * MINUTE_MS;
/// After this long nobody tries any more.
const GIVE_UP_AFTER_MS: i64 = DAY_MS;

/// What sending needs.
pub struct Post {
    agent: ureq::Agent,
    smtp: Option<SmtpTransport>,
    from: Option<Mailbox>,
}

impl Post {
    /// What a configuration gives.
    #[must_use]
    pub fn new(config: &Config) -> Arc<Self> {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            // An administrator named this address, and no other one.
            .max_redirects(0)
            .user_agent("edgetally")
            .build();
        let smtp = config.smtp_url.as_deref().and_then(|url| SmtpTransport::from_url(url).ok());
        let smtp = smtp.map(|smtp| smtp.timeout(Some(ANSWER_WITHIN)).build());
        let from = config.mail_from.as_deref().and_then(|text| text.parse().ok());
        Arc::new(Self { agent: agent.into(), smtp, from })
    }
}

/// Sends for as long as the program runs.
pub async fn run(app: App, post: Arc<Post>) {
    let mut under_way: BTreeSet<(SiteId, u64)> = BTreeSet::new();
    let (done, mut finished) = mpsc::unbounded_channel();
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while let Ok(key) = finished.try_recv() {
            under_way.remove(&key);
        }
        if app.engine.shared.stage() != Stage::Ready {
            continue;
        }
        let view = app.engine.shared.view.load_full();
        for key in due(&view, &under_way, now_ms()) {
            under_way.insert(key.clone());
            let (app, post, view, done) = (app.clone(), post.clone(), view.clone(), done.clone());
            tokio::spawn(async move {
                one(&app, post, view, &key).await;
                // Nobody waits for it when the program ends.
                let _ = done.send(key);
            });
        }
    }
}

/// Deliveries whose time has come; of those to one receiver about one thing the first alone.
fn due(view: &View, under_way: &BTreeSet<(SiteId, u64)>, now_ms: i64) -> Vec<(SiteId, u64)> {
    let mut due = Vec::new();
    for (site, state) in &view.sites {
        let mut before = BTreeSet::new();
        for (number, delivery) in state.alerts.waiting() {
            let about = match delivery.what {
                What::Alert(alert, _) => (0, i64::try_from(alert).unwrap_or(i64::MAX)),
                What::Report(day) => (1, day),
            };
            let is_first = before.insert((about, delivery.to.as_str()));
            let is_due = matches!(delivery.fate, Fate::Waits(at_ms) if at_ms <= now_ms);
            let key = (site.clone(), number);
            if is_first && is_due && !under_way.contains(&key) {
                due.push(key);
            }
        }
    }
    due.truncate(AT_ONCE.saturating_sub(under_way.len()));
    due
}

/// Makes one delivery and takes note of what came of it.
async fn one(app: &App, post: Arc<Post>, view: Arc<View>, (site, number): &(SiteId, u64)) {
    let found = view.sites.get(site).and_then(|state| state.alerts.deliveries.get(*number));
    let Some(delivery) = found.cloned() else { return };
    let (told, outcome) = oneshot::channel();
    let (of, tried) = (site.clone(), delivery.clone());
    // A thread of its own: the program may end while a receiver still thinks.
    let sending = std::thread::Builder::new().name("deliver".to_owned()).spawn(move || {
        // Nobody waits for it when the program ends.
        let _ = told.send(send(&post, &view, &of, &tried, now_ms()));
    });
    if let Err(error) = sending {
        tracing::warn!(%error, "no thread to deliver an alert");
        return;
    }
    let Ok(outcome) = outcome.await else { return };
    let now_ms = now_ms();
    let (said, fate) = match outcome {
        Ok(said) => (Some(said), Fate::Done(now_ms)),
        Err(said) => {
            tracing::warn!(%site, to = delivery.to, said, "an alert was not taken");
            (Some(said), next(&delivery, now_ms))
        }
    };
    loop {
        let tried = Change::Tried { delivery: *number, said: said.clone(), fate };
        match change(app, site, vec![tried], None).await {
            Ok(_) => return,
            // It must not be told again because there was no room to write that it was told.
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

/// What becomes of a delivery after a try that failed.
fn next(delivery: &Delivery, now_ms: i64) -> Fate {
    let since_ms = now_ms - delivery.since_ms;
    let eager_ms = SECOND_MS.saturating_mul(1 << delivery.tries.min(10)).min(PAUSE_MS_MAX);
    let pause_ms = if since_ms < EAGER_MS { eager_ms } else { PATIENT_MS };
    if since_ms >= GIVE_UP_AFTER_MS {
        Fate::GivenUp(now_ms)
    } else {
        Fate::Waits(now_ms + pause_ms)
    }
}

/// Tries once; gives what the receiver said.
fn send(
    post: &Post,
    view: &View,
    site: &SiteId,
    delivery: &Delivery,
    now_ms: i64,
) -> Result<String, String> {
    let entry = view.directory.sites.get(site).ok_or("the site is gone")?;
    if delivery.to.contains('@') {
        let mail = mail(view, site, delivery, now_ms)?;
        return post.mail(&delivery.to, &delivery.id, mail);
    }
    let target = named(&entry.settings, &delivery.to)?;
    let notice = notice(view, site, delivery)?;
    let body = notice.body(target.format, &delivery.id).to_string();
    post.hook(&target, &delivery.id, &body, now_ms)
}

fn named(settings: &SiteSettings, name: &str) -> Result<Target, String> {
    let targets = target::targets(settings).map_err(|fault| fault.message)?;
    let found = targets.into_iter().find(|target| target.name == name);
    found.ok_or_else(|| "there is no webhook of this name".to_owned())
}

fn notice(view: &View, site: &SiteId, delivery: &Delivery) -> Result<Notice, String> {
    let What::Alert(number, state) = delivery.what else {
        return Err("a report goes by mail only".to_owned());
    };
    let known = view.sites.get(site).ok_or("the site is gone")?;
    let alert = known.alerts.alerts.get(number).ok_or("the alert is kept no more")?;
    Ok(Notice::of(site.as_str(), alert, state, &known.zone))
}

fn mail(view: &View, site: &SiteId, delivery: &Delivery, now_ms: i64) -> Result<Mail, String> {
    match delivery.what {
        What::Alert(..) => Ok(notice(view, site, delivery)?.mail()),
        What::Report(day) => {
            let date = Zone::default().date_of(day.saturating_mul(DAY_MS)).to_string();
            report::mail(view, site, &date, now_ms).map_err(|error| error.to_string())
        }
    }
}

impl Post {
    fn hook(&self, target: &Target, id: &str, body: &str, now_ms: i64) -> Result<String, String> {
        let at_s = now_ms / SECOND_MS;
        let mut request = self
            .agent
            .post(&target.url)
            .header("Content-Type", "application/json")
            .header("Edgetally-Delivery", id)
            .header("Edgetally-Timestamp", at_s.to_string());
        if let Some(name) = &target.secret_env {
            let unset = || format!("the variable {name} is not set");
            let secret = std::env::var(name).map_err(|_| unset())?;
            let signature = sign::webhook(&secret, at_s, body.as_bytes());
            request = request.header("Edgetally-Signature", format!("t={at_s},v1={signature}"));
        }
        let answer = request.send(body).map_err(|error| reason(&error))?;
        let status = answer.status();
        let said = format!("HTTP {}", status.as_u16());
        if status.is_success() { Ok(said) } else { Err(said) }
    }

    fn mail(&self, to: &str, id: &str, mail: Mail) -> Result<String, String> {
        let (Some(smtp), Some(from)) = (&self.smtp, &self.from) else {
            return Err("no mail server is set: EDGETALLY_SMTP_URL and EDGETALLY_MAIL_FROM".into());
        };
        let to: Mailbox = to.parse().map_err(|_| "this is no mail address".to_owned())?;
        let host = from.email.domain();
        let name: String =
            id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let message = Message::builder()
            .from(from.clone())
            .to(to)
            .subject(mail.subject)
            .message_id(Some(format!("<{name}@{host}>")))
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
            .map_err(|_| "the mail cannot be written".to_owned())?;
        match smtp.send(&message) {
            Ok(answer) => Ok(format!("SMTP {}", answer.code())),
            Err(error) => Err(match error.status() {
                Some(code) => format!("SMTP {code}"),
                None => "the mail server cannot be reached".to_owned(),
            }),
        }
    }
}

/// Why there was no answer, without the address, in which there may be a secret.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the host is not known".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "TLS failed".to_owned(),
        _ => "the connection failed".to_owned(),
    }
}
