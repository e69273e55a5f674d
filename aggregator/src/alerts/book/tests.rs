use super::*;

fn raised(kind: Kind, rule: &str, key: Option<&str>) -> Change {
    Change::Raise(Raised {
        kind,
        rule: rule.to_owned(),
        severity: "HIGH".to_owned(),
        message: "m".to_owned(),
        at_ms: 5,
        evidence: "{}".to_owned(),
        key: key.map(str::to_owned),
        to: vec!["ops".to_owned()],
    })
}

fn resolve(rule: &str) -> Change {
    Change::Resolve { rule: rule.to_owned(), at_ms: 9, message: "over".to_owned() }
}

#[test]
fn the_same_change_twice_is_told_once() {
    let mut book = Book::default();
    for change in [raised(Kind::Rule, "r", None), raised(Kind::Fraud, "V", Some("V a"))] {
        assert!(book.apply("s", change.clone()).is_some());
        assert!(book.apply("s", change).is_none());
    }
    assert!(book.standing("r").is_firing);
    assert!(book.apply("s", resolve("r")).is_some_and(|told| told.state == State::Resolved));
    assert!(book.apply("s", resolve("r")).is_none());
    assert_eq!(book.standing("r"), Standing { is_firing: false, resolved_at_ms: Some(9) });
    let waiting: Vec<&str> = book.waiting().map(|(_, one)| one.id.as_str()).collect();
    assert_eq!(waiting, ["s-5-0.firing.ops", "s-5-1.firing.ops", "s-5-0.resolved.ops"]);
    for _ in 0..2 {
        let to = vec!["a@b.c".to_owned()];
        book.apply("s", Change::Report { day: 3, at_ms: 1, to, is_asked: false });
    }
    assert_eq!(book.waiting().count(), 4);
}

/// A book out of the store stands where the one in memory does.
#[test]
fn blocks_bring_it_back() {
    let mut book = Book::default();
    for at in 0..200 {
        book.apply("s", raised(Kind::Fraud, "V", Some(&format!("V {at}"))));
    }
    book.apply("s", raised(Kind::Rule, "r", None));
    book.apply("s", Change::Tried { delivery: 3, said: None, fate: Fate::Done(7) });
    book.apply("s", Change::Examined(40));
    let mut back = Book::default();
    for (_, rows) in book.alerts.take_dirty() {
        let rows = rows.into_iter().map(|(number, row)| (number, row.as_ref().clone()));
        back.restore_alerts(rows.collect());
    }
    for (_, rows) in book.deliveries.take_dirty() {
        let rows = rows.into_iter().map(|(number, row)| (number, row.as_ref().clone()));
        back.restore_deliveries(rows.collect());
    }
    back.marks = book.take_marks().unwrap();
    assert!(back.standing("r").is_firing && back.knows("V 199"));
    assert_eq!(back.waiting().count(), 200);
    assert!(back.apply("s", raised(Kind::Fraud, "V", Some("V 7"))).is_none());
    assert_eq!(back.marks.examined, 40);
}

#[test]
fn what_is_kept_is_bounded_and_what_goes_on_stays() {
    let mut book = Book::default();
    book.apply("s", raised(Kind::Rule, "r", None));
    for at in 0..ALERTS_MAX + 5 {
        book.apply("s", raised(Kind::Fraud, "V", Some(&at.to_string())));
        let delivery = book.deliveries.end() - 1;
        book.apply("s", Change::Tried { delivery, said: None, fate: Fate::Done(7) });
    }
    assert_eq!(book.alerts.rows().len(), ALERTS_MAX);
    assert!(book.standing("r").is_firing && !book.knows("0"));
    assert_eq!(book.deliveries.rows().len(), DELIVERIES_MAX + 1);
    assert_eq!(book.waiting().count(), 1);
}
