//! What a record adds to the sketches of its second, and to the count of late events.

use std::collections::BTreeSet;

use edgetally_proto::record::Flags;
use edgetally_proto::sketch::hash::hash;
use edgetally_proto::time::{HOUR_MS, second_of};

use super::Site;
use crate::merge::Measure;
use crate::merge::sketches::Reading;
use crate::records::Stored;

/// The number that a record has a quantile of, if any.
fn reading_of(record: &Stored, name: &str) -> Option<(Reading, u64)> {
    let fact = record.fact.as_deref().filter(|_| !record.flags.has(Flags::BOT))?;
    match name {
        "payment_success" => {
            fact.latency_ms.map(|latency_ms| (Reading::PaymentLatency, u64::from(latency_ms)))
        }
        "web_vital" => fact.vital.map(|vital| (Reading::WebVital(vital.metric), vital.value)),
        _ => None,
    }
}

impl Site {
    /// Adds a record to the sketches.
    pub(super) fn sketch(&mut self, record: &Stored) {
        let second = second_of(record.occurred_at_ms);
        let client = self.texts.text(record.client);
        let has_client = !client.is_empty() && !record.flags.has(Flags::ERASED);
        if has_client && !record.flags.has(Flags::BOT) {
            self.sketches.add_client(second, hash(client.as_bytes()));
        }
        if let Some((reading, number)) = reading_of(record, self.texts.text(record.name)) {
            self.sketches.add_reading(second, reading, number);
        }
        self.count_late(record, 1);
    }

    /// Counts a record that was over an hour old when the edge took it.
    fn count_late(&mut self, record: &Stored, by: i64) {
        let age_ms = record.received_at_ms - record.occurred_at_ms;
        if age_ms > HOUR_MS && !record.flags.has(Flags::BOT) {
            let (name, platform) = (record.name, record.platform);
            let measure = Measure::Events { name, platform, bot: false };
            // Worked out again at the start, so no block of these is ever stored.
            let mut unsaved = BTreeSet::new();
            self.late.add(measure, second_of(record.occurred_at_ms), by, &mut unsaved);
        }
    }

    /// Takes a record out of the sketches, but for its client: nobody knows who else put it there.
    pub(super) fn unsketch(&mut self, record: &Stored) {
        if let Some((reading, number)) = reading_of(record, self.texts.text(record.name)) {
            self.sketches.remove_reading(second_of(record.occurred_at_ms), reading, number);
        }
        self.count_late(record, -1);
    }
}
