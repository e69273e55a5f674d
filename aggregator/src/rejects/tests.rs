use std::collections::BTreeMap;

use edgetally_proto::ids::SiteId;
use edgetally_proto::rollup::RejectKey;
use edgetally_proto::time::{DAY_MS, second_of};

use super::page::{Ask, Page, Place, page};
use super::*;

/// The start of an hour.
const T: i64 = 1_772_420_400_000;

fn letter(at_ms: i64, code: RejectCode, text: &str) -> Letter {
    Letter {
        received_at_ms: at_ms,
        code,
        field: "params.value".to_owned(),
        message: "must be a decimal number".to_owned(),
        event: format!("{{\"id\":\"{text}\"}}"),
    }
}

/// A frame's share with these letters, each counted.
fn share(letters: Vec<Letter>) -> SiteBatch {
    let mut share = SiteBatch::new(SiteId::parse("demo").unwrap());
    for letter in &letters {
        let key = RejectKey { second: second_of(letter.received_at_ms), code: letter.code };
        *share.rejects.entry(key).or_default() += 1;
    }
    share.letters = letters;
    share
}

fn rejects(letters: Vec<Letter>) -> Rejects {
    let mut rejects = Rejects::default();
    rejects.apply(&share(letters), |_| true);
    rejects
}

fn all() -> Ask {
    Ask { code: None, from_ms: 0, to_ms: i64::MAX, after: None, limit: 1_000 }
}

/// Every page, with the limit that is asked for.
fn pages(rejects: &Rejects, ask: Ask) -> Vec<Page> {
    let (buckets, mut ask, mut pages) = (rejects.buckets(), ask, Vec::new());
    loop {
        let next = page(&buckets, &ask);
        ask.after = next.next;
        pages.push(next);
        if ask.after.is_none() {
            return pages;
        }
    }
}

fn times(pages: &[Page]) -> Vec<i64> {
    pages.iter().flat_map(|page| &page.rows).map(|row| row.letter.received_at_ms - T).collect()
}

/// Code, rejected and not kept, by hour.
fn hours(pages: &[Page]) -> Vec<(i64, RejectCode, u64, u64)> {
    let hours = pages.iter().flat_map(|page| &page.hours);
    let hour = |at: i64| at - hour_of(T);
    hours.map(|t| (hour(t.key.hour), t.key.code, t.rejected, t.not_kept())).collect()
}

#[test]
fn the_newest_thousand_stand_in_whatever_order_they_came() {
    // 7 has no factor in common with 2,500, so each time comes once.
    let shuffled = (0..2_500).map(|n| T + n * 7 % 2_500);
    let letters = shuffled.map(|at| letter(at, RejectCode::ValueInvalid, "e")).collect();
    let rejects = rejects(letters);
    let newest: Vec<i64> = (1_500..2_500).rev().collect();
    for limit in [1, 300, 1_000] {
        let pages = pages(&rejects, Ask { limit, ..all() });
        assert_eq!(times(&pages), newest, "{limit}");
        assert_eq!(hours(&pages), [(0, RejectCode::ValueInvalid, 2_500, 1_500)]);
        assert!(pages.iter().flat_map(|page| &page.rows).all(|row| row.not_kept == 1_500));
    }
}

#[test]
fn each_code_and_hour_has_a_thousand_of_its_own() {
    let (bot, value) = (RejectCode::Bot, RejectCode::ValueInvalid);
    let of = |code, from: i64| (0..1_200).map(move |n| letter(from + n, code, "e"));
    let rejects = rejects(of(bot, T).chain(of(value, T)).chain(of(bot, T + HOUR_MS)).collect());
    let pages = pages(&rejects, Ask { limit: 700, ..all() });
    let rows: Vec<usize> = pages.iter().map(|page| page.rows.len()).collect();
    assert_eq!(rows, [700, 700, 700, 700, 200]);
    assert!(times(&pages).is_sorted_by(|a, b| a >= b));
    assert_eq!(hours(&pages), [(1, bot, 1_200, 200), (0, value, 1_200, 200), (0, bot, 1_200, 200)]);
    // The hour comes with the page that reaches it first, and with that one only.
    let by_page: Vec<usize> = pages.iter().map(|page| page.hours.len()).collect();
    assert_eq!(by_page, [1, 2, 0, 0, 0]);
}

#[test]
fn pages_can_be_of_a_code_and_of_a_stretch_of_time() {
    let (bot, value) = (RejectCode::Bot, RejectCode::ValueInvalid);
    let letters = (0..6).map(|n| letter(T + n * 1_000, if n < 3 { bot } else { value }, "e"));
    let rejects = rejects(letters.collect());
    let ask = |code, from: i64, to: i64| {
        times(&pages(&rejects, Ask { code, from_ms: T + from, to_ms: T + to, ..all() }))
    };
    assert_eq!(ask(None, 1_000, 5_000), [4_000, 3_000, 2_000, 1_000]);
    assert_eq!(ask(Some(bot), 1_000, 5_000), [2_000, 1_000]);
    assert_eq!(ask(Some(RejectCode::IdInvalid), 0, 9_000), [0; 0]);
    assert_eq!(ask(None, 3_000, 3_000), [0; 0]);
}

/// What comes while somebody reads is on top, and moves nothing below.
#[test]
fn a_page_goes_on_below_the_last_whatever_comes_meanwhile() {
    let code = RejectCode::ValueInvalid;
    // All of one millisecond: only their numbers tell them apart.
    let mut rejects = rejects((0..5).map(|n| letter(T, code, &n.to_string())).collect());
    let events =
        |page: &Page| page.rows.iter().map(|row| row.letter.event.clone()).collect::<Vec<String>>();
    let first = page(&rejects.buckets(), &Ask { limit: 2, ..all() });
    assert_eq!(events(&first), ["{\"id\":\"4\"}", "{\"id\":\"3\"}"]);
    rejects
        .apply(&share(vec![letter(T, code, "new"), letter(T + 9, RejectCode::Bot, "new")]), |_| {
            true
        });
    let second = page(&rejects.buckets(), &Ask { limit: 3, after: first.next, ..all() });
    assert_eq!(events(&second), ["{\"id\":\"2\"}", "{\"id\":\"1\"}", "{\"id\":\"0\"}"]);
    assert_eq!(second.next, None);
    let place = first.next.unwrap();
    assert_eq!(Place::parse(&place.to_string()), Some(place));
    for junk in ["", "1", "1.bot", "1.bot.x", "1.nothing.2", "x.bot.2", "1.bot.2.3"] {
        assert_eq!(Place::parse(junk), None, "{junk}");
    }
}

#[test]
fn some_are_only_counted() {
    let long = "x".repeat(LETTER_BYTES_MAX);
    let rejects = rejects(vec![
        letter(T, RejectCode::ConsentDenied, "secret"),
        letter(T, RejectCode::ValueInvalid, &long),
    ]);
    let pages = pages(&rejects, all());
    assert_eq!(times(&pages), [0; 0]);
    let (value, consent) = (RejectCode::ValueInvalid, RejectCode::ConsentDenied);
    assert_eq!(hours(&pages), [(0, value, 1, 1), (0, consent, 1, 1)]);
}

#[test]
fn the_oldest_go_when_all_together_weigh_too_much() {
    let text = "x".repeat(1_000);
    let hour = |n: i64| {
        let text = text.clone();
        (0..10).map(move |at| letter(T + n * HOUR_MS + at, RejectCode::Bot, &text))
    };
    let mut rejects = rejects(hour(0).chain(hour(1)).chain(hour(2)).collect());
    let all_bytes = rejects.bytes;
    rejects.take_dirty_blocks();
    rejects.shrink_to(all_bytes - 1);
    assert_eq!(rejects.bytes, all_bytes / 3 * 2);
    let code = RejectCode::Bot;
    assert_eq!(
        hours(&pages(&rejects, all())),
        [(2, code, 10, 0), (1, code, 10, 0), (0, code, 10, 10)]
    );
    let removed = rejects.take_dirty_blocks();
    assert!(!removed.is_empty() && removed.iter().all(|(_, letters)| letters.is_empty()));
}

#[test]
fn old_hours_are_forgotten_when_new_ones_come() {
    let mut rejects = rejects(vec![
        letter(T, RejectCode::Bot, "old"),
        letter(T + DAY_MS, RejectCode::Bot, "new"),
    ]);
    rejects.forget_older(DAY_MS);
    assert_eq!(times(&pages(&rejects, all())), [DAY_MS, 0]);
    rejects.take_dirty_days();
    rejects.apply(&share(vec![letter(T + DAY_MS + HOUR_MS, RejectCode::Bot, "newest")]), |_| true);
    rejects.forget_older(DAY_MS);
    let pages = pages(&rejects, all());
    assert_eq!(times(&pages), [DAY_MS + HOUR_MS, DAY_MS]);
    assert_eq!(hours(&pages).len(), 2);
    assert_eq!(rejects.bytes, rejects.buckets.values().map(|b| sum(b)).sum::<usize>());
    let days = rejects.take_dirty_days();
    assert_eq!(days.iter().map(|(_, counts)| counts.len()).collect::<Vec<_>>(), [0, 2]);
}

fn sum(bucket: &Bucket) -> usize {
    bucket.letters.values().map(|held| weight(&held.letter)).sum()
}

/// What a store holds after checkpoints, as the bytes that checkpoints write.
#[derive(Default)]
struct Stored {
    days: BTreeMap<i64, Vec<u8>>,
    blocks: BTreeMap<BlockKey, Vec<u8>>,
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

impl Stored {
    /// Saves what changed and says how many blocks that were.
    fn save(&mut self, rejects: &mut Rejects) -> usize {
        let days = rejects.take_dirty_days();
        self.days.extend(days.into_iter().map(|(day, counts)| (day, bytes(&counts))));
        let dirty = rejects.take_dirty_blocks();
        let count = dirty.len();
        for (key, letters) in dirty {
            let plain: Vec<(u64, &Letter)> = letters.iter().map(|(n, l)| (*n, &**l)).collect();
            match plain.is_empty() {
                true => self.blocks.remove(&key),
                false => self.blocks.insert(key, bytes(&plain)),
            };
        }
        count
    }

    fn restore(&self) -> Rejects {
        let mut rejects = Rejects::default();
        for counts in self.days.values() {
            rejects.restore_day(ciborium::from_reader(counts.as_slice()).unwrap());
        }
        for (key, letters) in &self.blocks {
            rejects.restore_block(*key, ciborium::from_reader(letters.as_slice()).unwrap());
        }
        rejects
    }
}

#[test]
fn blocks_bring_back_the_same_letters_and_go_on_alike() {
    let text = "x".repeat(700);
    let part = |first: i64, count: i64| {
        let letters = (first..first + count).map(|n| letter(T + n, RejectCode::Bot, &text));
        share(letters.collect())
    };
    let (mut live, mut stored) = (Rejects::default(), Stored::default());
    for n in 0..15 {
        live.apply(&part(n * 100, 100), |_| true);
        stored.save(&mut live);
    }
    assert!((40..80).contains(&stored.blocks.len()), "{} blocks", stored.blocks.len());
    let sizes: Vec<usize> = stored.blocks.values().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= 32 * 1024), "{sizes:?}");
    live.apply(&part(1_500, 3), |_| true);
    assert!(stored.save(&mut live) <= 3, "a few letters touch the first and the last block");

    let mut back = stored.restore();
    let shown = |rejects: &Rejects| (times(&pages(rejects, all())), hours(&pages(rejects, all())));
    assert_eq!(shown(&back), shown(&live));
    assert_eq!((back.bytes, back.blocks()), (live.bytes, live.blocks()));
    assert_eq!(stored.save(&mut back), 0, "nothing changed");
    for rejects in [&mut back, &mut live] {
        rejects.apply(&part(2_000, 500), |_| true);
    }
    assert_eq!(shown(&back), shown(&live));
    assert_eq!(back.take_dirty_blocks(), live.take_dirty_blocks());
    assert_eq!(back.take_dirty_days(), live.take_dirty_days());
}
