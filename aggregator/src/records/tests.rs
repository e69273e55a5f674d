use edgetally_proto::event::Platform;
use edgetally_proto::record::{Fact, Flags};
use edgetally_proto::visitor::Device;

use super::*;

fn record(id: &str, client: TextId, received_at_ms: i64) -> Stored {
    Stored {
        id: EventId::parse(id).unwrap(),
        client,
        user: None,
        name: 1,
        platform: Platform::Web,
        occurred_at_ms: 5,
        received_at_ms,
        flags: Flags(0),
        page: None,
        referrer: Some(3),
        campaign: None,
        grade: 0,
        place: 5,
        device: Device::from((2, 1, 4)),
        fact: Some(Arc::new(Fact { record: 3, ..Fact::default() })),
        is_superseded: false,
    }
}

#[test]
fn the_copy_received_first_stands() {
    let mut records = Records::default();
    assert_eq!(records.judge(&record("a", 1, 10), &Texts::default()), Copies::First);
    records.push(record("a", 1, 10));
    assert_eq!(records.judge(&record("a", 1, 10), &Texts::default()), Copies::Same);
    assert_eq!(records.judge(&record("a", 1, 11), &Texts::default()), Copies::Repeat);
    assert_eq!(records.judge(&record("a", 2, 10), &Texts::default()), Copies::First);
    assert_eq!(records.judge(&record("a", 1, 9), &Texts::default()), Copies::Supersedes(0));
    records.push(record("a", 1, 9));
    let again = records.judge(&record("a", 1, 10), &Texts::default());
    assert_eq!(again, Copies::Same, "it stood before");
    records.push_copy(record("a", 1, 12));
    assert_eq!(records.judge(&record("a", 1, 12), &Texts::default()), Copies::Same);
    assert_eq!(records.judge(&record("a", 1, 13), &Texts::default()), Copies::Repeat);
    records.wipe(2);
    assert_eq!(records.judge(&record("a", 1, 12), &Texts::default()), Copies::Repeat);
    let standing: Vec<u32> = records.standing().map(|(number, _)| number).collect();
    assert_eq!(standing, [1]);
}

/// The bytes of a block as a checkpoint holds it now, or held it once.
fn form(is_now: bool, block: &Block) -> Vec<u8> {
    if is_now {
        return block.encode().unwrap().unwrap();
    }
    let records: Vec<Stored> =
        Opened::of(block, 0, None).unwrap().iter().map(Held::into_owned).collect();
    let mut bytes = Vec::new();
    ciborium::into_writer(&records, &mut bytes).unwrap();
    bytes
}

#[test]
fn blocks_bring_back_the_same_records() {
    let mut records = Records::default();
    for n in 0..300 {
        records.push(record(&format!("e{n}"), 1, 10));
    }
    assert_eq!(records.take_dirty().len(), 3);
    records.push(record("e7", 1, 9));
    assert_eq!(records.take_dirty().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 2]);

    let mut restored = Records::default();
    for (number, block) in records.blocks.iter().enumerate() {
        restored.restore(&form(number % 2 == 0, block)).unwrap();
    }
    assert_eq!(restored.len(), 301);
    assert!(restored.standing().eq(records.standing()));
    assert_eq!(restored.judge(&record("e299", 1, 10), &Texts::default()), Copies::Same);
    assert_eq!(restored.judge(&record("e7", 1, 10), &Texts::default()), Copies::Same);
    assert_eq!(restored.judge(&record("e7", 1, 12), &Texts::default()), Copies::Repeat);
    assert_eq!(restored.judge(&record("e300", 1, 10), &Texts::default()), Copies::First);
}
