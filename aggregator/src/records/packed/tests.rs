use proptest::prelude::*;

use edgetally_proto::back_office::{State, Version};
use edgetally_proto::ids::TransactionId;
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::Item;

use super::*;
use crate::records::BLOCK_RECORDS;

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![0i64..1_000, 1_772_000_000_000i64..1_772_000_300_000, any::<i64>()]
}

fn text() -> impl Strategy<Value = TextId> {
    prop_oneof![0u32..4, 1_000_000u32..1_100_000, any::<u32>()]
}

fn version() -> impl Strategy<Value = Version> {
    let text = || prop::option::of("[a-z]{0,9}");
    let parts = (time(), prop::option::of(time()), any::<i64>(), text(), text(), text());
    parts.prop_map(|(updated_at_ms, end, total, state_written, category, region)| Version {
        state: if total < 0 { State::Unknown } else { State::Shipped },
        state_written,
        updated_at_ms,
        completed_at_ms: end,
        cancelled_at_ms: end.filter(|at| *at > 500),
        total,
        category,
        region,
        was_booked: total % 2 == 0,
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    let told = prop::option::of(version());
    let parts = ("[a-z]{1,9}", prop::option::of(0..9i64), told, 0..3u32, any::<bool>());
    parts.prop_map(|(text, discount, told, lines, has_reason)| Fact {
        transaction: TransactionId::parse(&text).ok(),
        order_platform: discount.map(|_| text.clone()),
        value: discount.map(|minor| Money { minor, currency: Currency::USD }),
        reason: has_reason.then(|| text.clone()),
        discount,
        items: (0..lines)
            .map(|quantity| Item { id: Some(text.clone()), quantity, ..Item::default() })
            .collect(),
        told: told.map(Box::new),
        ..Fact::default()
    })
}

prop_compose! {
    fn record()(
        (uuid, name, is_text) in (any::<[u8; 16]>(), "[A-Za-z0-9_.:-]{1,64}", any::<bool>()),
        (client, user, page) in (text(), prop::option::of(text()), prop::option::of(text())),
        (referrer, campaign) in (prop::option::of(text()), prop::option::of(text())),
        (occurred_at_ms, received_at_ms) in (time(), time()),
        (flags, platform, kind, browser) in (any::<u8>(), 0u8..5, 0u8..6, any::<u8>()),
        (grade, place, is_superseded) in (text(), text(), any::<bool>()),
        fact in prop_oneof![Just(None), fact().prop_map(Some)],
    ) -> Stored {
        Stored {
            id: if is_text { EventId::Text(name.into()) } else { EventId::Uuid(uuid) },
            client,
            user,
            name: u32::from(platform),
            platform: Platform::from_wire(platform).unwrap(),
            occurred_at_ms,
            received_at_ms,
            flags: Flags(flags),
            page,
            referrer,
            campaign,
            grade,
            place,
            device: Device::from((kind, browser, 3)),
            fact: fact.map(Arc::new),
            is_superseded,
        }
    }
}

proptest! {
    /// Whatever the records hold comes back from the block and from a checkpoint.
    #[test]
    fn what_is_packed_comes_back(records in prop::collection::vec(record(), 0..=BLOCK_RECORDS)) {
        let packed = Packed::of(&records);
        prop_assert!(packed.iter().eq(records.iter().cloned()));
        for (at, record) in records.iter().enumerate() {
            prop_assert_eq!(packed.id(at), Some(record.id.clone()));
            prop_assert_eq!(packed.client(at), record.client);
            prop_assert_eq!(packed.occurred_at_ms(at), record.occurred_at_ms);
            prop_assert_eq!(packed.campaign(at), record.campaign);
        }
        let bytes = packed.encode().unwrap();
        prop_assert!(Packed::is_one(&bytes));
        let packed_bytes = packed.bytes.len();
        prop_assert_eq!(Packed::decode(&bytes).unwrap(), packed);
        for end in 0..packed_bytes.min(400) {
            prop_assert!(Packed::decode(&bytes[..end]).is_err());
        }
    }

    /// One record that changes leaves the others as they are.
    #[test]
    fn one_record_changes(
        records in prop::collection::vec(record(), 1..=BLOCK_RECORDS),
        (place, other) in (any::<usize>(), record()),
    ) {
        let at = place % records.len();
        let changed = Packed::of(&records).changed(at, |record| *record = other.clone());
        let mut expected = records;
        expected[at] = other;
        prop_assert_eq!(changed, Packed::of(&expected));
    }
}
