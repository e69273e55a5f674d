//! What frames say of visitors is kept with the records, each text once, and through a checkpoint.

use aggregator::records::Stored;
use aggregator::site::Site;
use edgetally_proto::channel::{Grade, Group};
use edgetally_proto::visitor::{Device, Kind, Place};

use crate::support::events::{Event, share};

fn view(number: i64) -> Event {
    let (id, client) = (format!("e-{number}"), format!("c-{number}"));
    let event = Event::new(&id, &client, "page_view", 1_772_420_400_000 + number);
    Event { received_ms: 1_772_420_400_500, ..event }
}

#[test]
fn place_device_and_channel_stay_with_the_record() {
    let grade = Grade {
        version: 1,
        rule: 14,
        channel: "Organic Search".to_owned(),
        group: Group::Search,
        source: "google".to_owned(),
        category: None,
    };
    let place = Place::of(Some("VN"), None, Some("Hanoi")).unwrap();
    let device = Device::of(Kind::Mobile, "Chrome", "Android");
    let mut share = share(&[view(1), view(2), view(3)]);
    share.tables.grades = vec![grade.clone()];
    share.tables.places = vec![place.clone()];
    share.tables.devices = vec![device];
    for record in share.records.iter_mut().take(2) {
        (record.grade, record.place, record.device) = (Some(0), Some(0), Some(0));
    }
    let mut site = Site::default();
    site.apply(&share);
    let stored: Vec<Stored> =
        site.records.standing().map(|(_, record)| record.into_owned()).collect();
    let mut bytes = Vec::new();
    ciborium::into_writer(&stored, &mut bytes).unwrap();
    assert_eq!(ciborium::from_reader::<Vec<Stored>, _>(bytes.as_slice()).unwrap(), stored);
    for record in &stored[..2] {
        let (held, at) = (site.texts.text(record.grade), site.texts.text(record.place));
        assert_eq!(serde_json::from_str::<Grade>(held).unwrap(), grade);
        assert_eq!(serde_json::from_str::<Place>(at).unwrap(), place);
        assert_eq!(record.device, device);
    }
    assert_eq!((stored[0].grade, stored[0].place), (stored[1].grade, stored[1].place));
    assert_eq!((stored[2].grade, stored[2].place, stored[2].device), (0, 0, Device::default()));
}
