//! Judging a batch: every event validated and enriched, or refused with its reason.

use edgetally_proto::archive::{Context, Line};
use edgetally_proto::event::Event;
use edgetally_proto::limits::{LETTER_BYTES_MAX, LINES_BYTES_MAX};
use edgetally_proto::raw::{RawBatch, RawEvent};
use edgetally_proto::record::Letter;
use edgetally_proto::validate::{Ids, Reject, Rules, validate};

use crate::collect::Outcome;
use crate::enrich::{Enricher, Seen};

/// A batch, judged.
#[derive(Debug, Default)]
pub struct Judged {
    /// The good events, in the batch's order.
    pub events: Vec<Event>,
    /// Refusals and warnings, for the answer.
    pub outcome: Outcome,
    /// The refused events in full; none of visitors whose ids may not be kept.
    pub letters: Vec<Letter>,
}

/// Judges every event of a batch; `seen` is what its request shows of the sender.
#[must_use]
pub fn judge(batch: &RawBatch<'_>, rules: &Rules<'_>, seen: &Seen) -> Judged {
    let events = Vec::with_capacity(batch.len());
    let mut judged = Judged { events, ..Judged::default() };
    let mut enricher = Enricher::new(seen, rules.settings, rules.server_key);
    for (index, raw) in batch.events().enumerate() {
        let passed = validate(&raw, index, rules)
            .and_then(|(event, warnings)| Ok((enricher.enrich(event)?, warnings)));
        match passed {
            Ok((event, warnings)) => {
                let warnings = warnings.into_iter().map(|warning| (index, warning));
                judged.outcome.warnings.extend(warnings);
                judged.events.push(event);
            }
            Err(reject) => {
                // The bound is asked before: what a batch says once would be written for each
                // event.
                if rules.ids == Ids::Used && raw.json_bytes_max() <= LETTER_BYTES_MAX {
                    judged.letters.push(letter(&raw, &reject, rules.received_at_ms));
                }
                judged.outcome.rejected.push((index, reject));
            }
        }
    }
    judged
}

/// The lines of the good events for the raw archive, in their order. A batch says its context once
/// and its lines say it each: once they weigh too much, only the known members of it are kept.
#[must_use]
pub fn lines(batch: &RawBatch<'_>, rules: &Rules<'_>, judged: &Judged) -> Vec<String> {
    let mut rejected = judged.outcome.rejected.iter().map(|(index, _)| *index).peekable();
    let mut is_good = |index: usize| rejected.next_if_eq(&index).is_none();
    let good = batch.events().enumerate().filter(|(index, _)| is_good(*index));
    let (mut lines, mut bytes) = (Vec::with_capacity(judged.events.len()), 0);
    for ((_, raw), event) in good.zip(&judged.events) {
        let context = if bytes < LINES_BYTES_MAX { Context::Whole } else { Context::Known };
        let line = Line::write(event, &raw, rules, context);
        bytes += line.len();
        lines.push(line);
    }
    lines
}

fn letter(raw: &RawEvent<'_>, reject: &Reject, received_at_ms: i64) -> Letter {
    Letter {
        received_at_ms,
        code: reject.code,
        field: reject.field.clone(),
        message: reject.message.clone(),
        event: raw.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::error::RejectCode;
    use edgetally_proto::ids::SiteId;
    use edgetally_proto::settings::{Bots, SiteSettings};
    use edgetally_proto::validate::Visitor;
    use serde_json::json;

    use super::*;
    use crate::collect::Head;

    fn judged(ids: Ids, bots: Bots, is_bot_request: bool) -> Judged {
        judged_with_lines(ids, bots, is_bot_request).0
    }

    fn judged_with_lines(ids: Ids, bots: Bots, is_bot_request: bool) -> (Judged, Vec<String>) {
        let events = json!([{"id": "a", "client_id": "c", "name": "page_view"},
            {"id": "b", "client_id": "c", "name": "No Name"}, 5]);
        let body = json!({"site": "demo", "events": events}).to_string();
        let batch = RawBatch::parse(body.as_bytes()).unwrap();
        let rules = Rules {
            site: &SiteId::parse("demo").unwrap(),
            settings: &SiteSettings { bots, ..SiteSettings::default() },
            server_key: false,
            received_at_ms: 1_772_420_400_000,
            sent_at_ms: None,
            ids,
            visitor: Visitor { address: "", user_agent: "", salt: b"" },
            nonce: 0,
        };
        let user_agent = if is_bot_request { "Googlebot/2.1" } else { "Firefox" };
        let head = Head { user_agent: user_agent.to_owned(), ..Head::default() };
        let judged = judge(&batch, &rules, &Seen::of(&head));
        let lines = lines(&batch, &rules, &judged);
        (judged, lines)
    }

    #[test]
    fn every_good_event_has_its_line() {
        let (judged, lines) = judged_with_lines(Ids::Used, Bots::Separate, true);
        let read: Vec<Event> = lines.iter().map(|line| Line::read(line).unwrap().1).collect();
        assert_eq!(read, judged.events);
    }

    #[test]
    fn every_event_has_its_own_answer() {
        let judged = judged(Ids::Used, Bots::Separate, false);
        assert_eq!(judged.events.len(), 1);
        let rejected: Vec<_> =
            judged.outcome.rejected.iter().map(|(at, reject)| (*at, reject.code)).collect();
        assert_eq!(rejected, [(1, RejectCode::NameInvalid), (2, RejectCode::ValueInvalid)]);
        let kept: Vec<&str> = judged.letters.iter().map(|letter| letter.event.as_str()).collect();
        assert_eq!(kept, [r#"{"client_id":"c","id":"b","name":"No Name"}"#, "null"]);
    }

    #[test]
    fn nothing_is_kept_of_visitors_without_consent() {
        assert!(judged(Ids::Cookieless, Bots::Separate, false).letters.is_empty());
        assert!(judged(Ids::Refused, Bots::Separate, false).letters.is_empty());
    }

    #[test]
    fn bots_are_marked_refused_or_let_be() {
        use edgetally_proto::record::Flags;
        let bot = |bots| judged(Ids::Used, bots, true);
        assert!(bot(Bots::Separate).events[0].flags.has(Flags::BOT));
        assert!(!bot(Bots::Off).events[0].flags.has(Flags::BOT));
        assert_eq!(bot(Bots::Reject).outcome.rejected[0].1.code, RejectCode::Bot);
    }
}
