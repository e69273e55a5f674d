//! What is said of an alert, in the form that its receiver reads.

use serde_json::{Value, json};

use super::book::{Alert, Kind, State};
use super::target::Format;
use crate::calendar::Calendar;

/// Longest text of a field in the messages of others.
const FIELD_CHARS_MAX: usize = 900;

/// A mail without its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its subject.
    pub subject: String,
    /// For readers of plain text.
    pub text: String,
    /// The same for others.
    pub html: String,
}

/// Something that is said of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    site: String,
    alert: String,
    rule: String,
    severity: String,
    state: State,
    is_test: bool,
    message: String,
    at: String,
    evidence: Value,
}

/// The number of an alert and what is to be said of it, as JSON, after the contract of live
/// streams.
#[must_use]
pub fn live(alert: &Alert, state: State, zone: &Calendar) -> Value {
    json!({
        "type": "alert",
        "id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "state": state,
        "message": message_of(alert, state),
        "at": zone.rfc3339(at_of(alert, state)),
    })
}

fn message_of(alert: &Alert, state: State) -> &str {
    match (state, &alert.resolution) {
        (State::Resolved, Some(resolution)) => resolution,
        _ => &alert.message,
    }
}

fn at_of(alert: &Alert, state: State) -> i64 {
    match state {
        State::Firing => alert.at_ms,
        State::Resolved => alert.resolved_at_ms.unwrap_or(alert.at_ms),
    }
}

impl Notice {
    /// What is said of an alert of a site.
    #[must_use]
    pub fn of(site: &str, alert: &Alert, state: State, zone: &Calendar) -> Self {
        Self {
            site: site.to_owned(),
            alert: alert.id.clone(),
            rule: alert.rule.clone(),
            severity: alert.severity.clone(),
            state,
            is_test: alert.kind == Kind::Test,
            message: message_of(alert, state).to_owned(),
            at: zone.rfc3339(at_of(alert, state)),
            evidence: serde_json::from_str(&alert.evidence).unwrap_or_default(),
        }
    }

    /// The body of a message.
    #[must_use]
    pub fn body(&self, format: Format, delivery: &str) -> Value {
        match format {
            Format::Generic => json!({
                "type": "alert",
                "id": self.alert,
                "site": self.site,
                "rule": self.rule,
                "severity": self.severity,
                "state": self.state,
                "message": self.message,
                "at": self.at,
                "evidence": self.evidence,
                "delivery": delivery,
            }),
            Format::Slack => self.slack(),
            Format::Teams => self.teams(),
            Format::Discord => self.discord(),
        }
    }

    fn title(&self) -> String {
        let state = match (self.is_test, self.state) {
            (true, _) => "Test",
            (_, State::Firing) => "Alert",
            (_, State::Resolved) => "Resolved",
        };
        format!("{state}: {} ({})", self.rule, self.severity)
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![("Site", self.site.clone()), ("At", self.at.clone()), ("Alert", self.alert.clone())]
    }

    fn slack(&self) -> Value {
        // Slack reads these three as the beginning of links and mentions.
        let plain =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let fields = self.fields();
        let rest: Vec<String> =
            fields.iter().map(|(name, text)| format!("{name}: {}", plain(text))).collect();
        let message = format!("*{}*\n{}", plain(&self.title()), plain(&cut(&self.message)));
        json!({
            "text": plain(&format!("{}: {}", self.title(), cut(&self.message))),
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": message}},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": rest.join(" | ")}]},
            ],
        })
    }

    fn teams(&self) -> Value {
        let color = if self.state == State::Firing { "Attention" } else { "Good" };
        let facts: Vec<Value> = self
            .fields()
            .into_iter()
            .map(|(name, text)| json!({"title": name, "value": text}))
            .collect();
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": [
                        {"type": "TextBlock", "text": self.title(), "weight": "Bolder",
                         "size": "Medium", "color": color, "wrap": true},
                        {"type": "TextBlock", "text": cut(&self.message), "wrap": true},
                        {"type": "FactSet", "facts": facts},
                    ],
                },
            }],
        })
    }

    fn discord(&self) -> Value {
        const RED: u32 = 0x00D9_3025;
        const GREEN: u32 = 0x001E_8E3E;
        let color = if self.state == State::Firing { RED } else { GREEN };
        let fields: Vec<Value> = self
            .fields()
            .into_iter()
            .map(|(name, text)| json!({"name": name, "value": text, "inline": true}))
            .collect();
        json!({
            "embeds": [{
                "title": self.title(),
                "description": cut(&self.message),
                "color": color,
                "timestamp": self.at,
                "fields": fields,
            }],
            // Nobody is called by a name that stands in an alert.
            "allowed_mentions": {"parse": []},
        })
    }

    /// The same as a mail.
    #[must_use]
    pub fn mail(&self) -> Mail {
        let mut text = format!("{}\n\n{}\n\n", self.title(), self.message);
        let mut rows = String::new();
        for (name, value) in self.fields() {
            text.push_str(&format!("{name}: {value}\n"));
            rows.push_str(&format!("<tr><td>{name}</td><td>{}</td></tr>", escape(&value)));
        }
        let html = format!(
            "<h2>{}</h2><p>{}</p><table>{rows}</table>",
            escape(&self.title()),
            escape(&self.message)
        );
        let subject = format!("[{}] {}", self.site, self.title());
        Mail { subject: one_line(&subject), text, html: page(&html) }
    }
}

/// A header cannot go over lines.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A whole page of what stands in its body.
#[must_use]
pub fn page(body: &str) -> String {
    let head = "<!doctype html><html><head><meta charset=\"utf-8\"></head>";
    format!("{head}<body style=\"font-family: sans-serif\">{body}</body></html>")
}

/// A text where HTML stands.
#[must_use]
pub fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

fn cut(text: &str) -> String {
    text.chars().take(FIELD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        let alert = Alert {
            id: "demo-5-7".to_owned(),
            kind: Kind::Rule,
            rule: "Thanh toán <lỗi>".to_owned(),
            severity: "critical".to_owned(),
            message: "payments & more".to_owned(),
            at_ms: 1_772_420_400_000,
            resolved_at_ms: None,
            resolution: None,
            acknowledged_at_ms: None,
            evidence: r#"{"value": "82.5"}"#.to_owned(),
            key: None,
            to: Vec::new(),
        };
        Notice::of("demo", &alert, State::Firing, &Calendar::default())
    }

    #[test]
    fn every_format_has_the_members_that_its_receiver_asks_for() {
        let notice = notice();
        let generic = notice.body(Format::Generic, "d");
        assert_eq!(generic["state"], "firing");
        assert_eq!(
            (&generic["delivery"], &generic["evidence"]["value"]),
            (&json!("d"), &json!("82.5"))
        );
        let slack = notice.body(Format::Slack, "d");
        assert_eq!(slack["text"], "Alert: Thanh toán &lt;lỗi&gt; (critical): payments &amp; more");
        assert_eq!(slack["blocks"][0]["text"]["type"], "mrkdwn");
        let teams = notice.body(Format::Teams, "d");
        let card = &teams["attachments"][0];
        assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(card["content"]["body"][0]["text"], "Alert: Thanh toán <lỗi> (critical)");
        let discord = notice.body(Format::Discord, "d");
        assert_eq!(discord["embeds"][0]["timestamp"], "2026-03-02T03:00:00.000+00:00");
        assert_eq!(discord["allowed_mentions"]["parse"], json!([]));
    }

    #[test]
    fn mails_are_escaped_and_their_subject_is_one_line() {
        let mail = Notice { site: "a\nb".to_owned(), ..notice() }.mail();
        assert_eq!(mail.subject, "[a b] Alert: Thanh toán <lỗi> (critical)");
        assert!(mail.html.contains("Thanh toán &lt;lỗi&gt;") && mail.text.contains("toán <lỗi>"));
    }
}
