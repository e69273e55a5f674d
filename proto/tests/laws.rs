//! Laws that hold for every input.

use edgetally_proto::columns::{Reader, Writer};
use edgetally_proto::frame::{decode, encode};
use edgetally_proto::ids::{EventId, EventName};
use edgetally_proto::money::{Currency, format_minor, parse_minor};
use edgetally_proto::raw::RawBatch;
use edgetally_proto::record::Fact;
use proptest::prelude::*;

use crate::samples::full;

proptest! {
    /// What was written is read again, whatever times and references records have.
    #[test]
    fn frames_come_back(
        times in prop::collection::vec(any::<(i64, i64, u8)>(), 0..50),
        said in prop::collection::vec((any::<bool>(), "[a-c]{0,3}", "[a-c]{0,3}"), 0..50),
    ) {
        let mut batch = full();
        let site = &mut batch.sites[0];
        let template = site.records[0].clone();
        for (at, (occurred, received, flags)) in times.into_iter().enumerate() {
            let mut record = template.clone();
            record.id = EventId::parse(&format!("event-{at}")).unwrap();
            (record.occurred_at_ms, record.received_at_ms) = (occurred, received);
            record.flags.0 = flags;
            site.records.push(record);
        }
        for (record, (is_search, text, value)) in (2..).zip(said).take(site.records.len() - 2) {
            let term = is_search.then(|| text.clone());
            let params = if text.is_empty() { vec![] } else { vec![(text, value); 2] };
            site.facts.push(Fact { record, search_term: term, params, ..Fact::default() });
        }
        prop_assert_eq!(decode(&encode(&batch)), Ok(batch));
    }

    /// No bytes make the decoder panic.
    #[test]
    fn any_body_is_judged(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut frame = b"ETF\x01".to_vec();
        frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
        frame.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&body).to_le_bytes());
        frame.extend_from_slice(&body);
        let _judged = decode(&frame);
        let mut reader = Reader::new(&body);
        let _read = (reader.event_id(), reader.text(), reader.signed());
    }

    /// No request makes the parser panic.
    #[test]
    fn any_request_is_judged(body in "[\\[\\]{}\",:0-9a-z\\\\ ]{0,200}") {
        let _judged = RawBatch::parse(body.as_bytes());
    }

    /// An amount that is shown is read again as itself.
    #[test]
    fn amounts_come_back(minor in -1_000_000_000_000_000i64..=1_000_000_000_000_000) {
        for code in ["VND", "USD", "KWD"] {
            let currency = Currency::parse(code).unwrap();
            let shown = format_minor(i128::from(minor), currency);
            let parsed = parse_minor(&shown, currency.exponent()).unwrap();
            prop_assert_eq!((parsed.minor, parsed.rounded), (minor, false));
        }
    }

    /// Rounding is that of the exact number: never off by more than half a minor unit.
    #[test]
    fn rounding_is_half_to_even(whole in 0i64..1_000_000, fraction in 0u32..100_000) {
        let parsed = parse_minor(&format!("{whole}.{fraction:05}"), 2).unwrap();
        let exact = whole * 100_000 + i64::from(fraction);
        let (low, rest) = (exact / 1_000, exact % 1_000);
        let up = rest > 500 || (rest == 500 && low % 2 == 1);
        prop_assert_eq!(parsed.minor, low + i64::from(up));
        prop_assert_eq!(parsed.rounded, rest != 0);
    }

    /// Numbers of every size come back from a column.
    #[test]
    fn varints_come_back(numbers in prop::collection::vec(any::<(u64, i64)>(), 0..100)) {
        let mut writer = Writer::default();
        for (unsigned, signed) in &numbers {
            writer.unsigned(*unsigned);
            writer.signed(*signed);
        }
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        for number in numbers {
            prop_assert_eq!((reader.unsigned().unwrap(), reader.signed().unwrap()), number);
        }
        prop_assert!(reader.is_at_end());
    }

    /// Ids order as their texts do.
    #[test]
    fn ids_order_as_texts(
        a in "[0-9a-fA-F]{32}|[a-z0-9:.-]{1,40}",
        b in "[0-9a-f]{32}|[A-Z0-9_]{1,40}",
    ) {
        let (a, b) = (EventId::parse(&a).unwrap(), EventId::parse(&b).unwrap());
        prop_assert_eq!(a.cmp(&b), a.to_string().as_bytes().cmp(b.to_string().as_bytes()));
    }

    /// Whatever passes for a name is one.
    #[test]
    fn names_fit_their_pattern(text in "\\PC{0,45}") {
        let fits = !text.is_empty()
            && text.len() <= 40
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        prop_assert_eq!(EventName::parse(&text).is_ok(), fits);
    }
}
