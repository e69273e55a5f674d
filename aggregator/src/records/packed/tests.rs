use proptest::prelude::*;

use super::*;

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![0i64..1_000, 1_772_000_000_000i64..1_772_000_300_000, any::<i64>()]
}

fn text() -> impl Strategy<Value = TextId> {
    prop_oneof![0u32..4, 1_000_000u32..1_100_000, any::<u32>()]
}

prop_compose! {
    fn record()(
        (uuid, name, is_text) in (any::<[u8; 16]>(), "[A-Za-z0-9_.:-]{1,64}", any::<bool>()),
        (client, user, page) in (text(), prop::option::of(text()), prop::option::of(text())),
        (referrer, campaign) in (prop::option::of(text()), prop::option::of(text())),
        (occurred_at_ms, received_at_ms) in (time(), time()),
        (flags, platform, kind, browser) in (any::<u8>(), 0u8..5, 0u8..6, any::<u8>()),
        (grade, place, is_superseded) in (text(), text(), any::<bool>()),
        reason in prop::option::of("[a-z]{0,9}"),
    ) -> Stored {
        let fact = reason.map(|reason| Fact { reason: Some(reason), ..Fact::default() });
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
    fn what_is_packed_comes_back(records in prop::collection::vec(record(), 0..200)) {
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
        let packed_bytes = packed.weight();
        prop_assert_eq!(Packed::decode(&bytes).unwrap(), packed);
        for end in 0..packed_bytes.min(400) {
            prop_assert!(Packed::decode(&bytes[..end]).is_err());
        }
    }
}
