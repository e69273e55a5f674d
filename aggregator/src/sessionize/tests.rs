use edgetally_proto::ids::EventId;
use edgetally_proto::time::DAY_MS;
use proptest::prelude::*;

use super::*;

/// Records by number: their ids and tags.
struct Told(Vec<(EventId, Option<TextId>)>);

impl Ids for Told {
    fn id(&self, record: u32) -> Option<EventId> {
        self.0.get(record as usize).map(|(id, _)| id.clone())
    }
}

impl Lookup for Told {
    fn key(&self, record: u32) -> Option<TextId> {
        self.0.get(record as usize)?.1
    }
    fn client(&self, _: u32) -> Option<&str> {
        None
    }
}

struct Utc;

impl Days for Utc {
    fn day_of(&self, ms: i64) -> i64 {
        ms.div_euclid(DAY_MS)
    }
    fn start_of(&self, day: i64) -> i64 {
        day * DAY_MS
    }
}

fn entry(record: u32, occurred_at_ms: i64, class: Class) -> Entry {
    Entry { occurred_at_ms, record, rank: 2, class }
}

/// The whole fold over a line, from its first entry on.
fn whole(entries: &[Entry], told: &Told) -> Vec<Session> {
    let rules = &Rules::default().into();
    let mut fold = Fold { rules, lookup: told, days: &Utc, last: None, current: None };
    (0..).zip(entries).filter_map(|(place, entry)| fold.read(place, entry)).collect()
}

/// Touches that are too old at the beginning of their session are as good as none.
fn told(line: &Line, sessions: &[Session]) -> Vec<Session> {
    let effective = |session: &Session| {
        let now_ms = line.entries()[session.first].occurred_at_ms;
        Session { before: in_force(session.before, now_ms, 72 * HOUR_MS), ..*session }
    };
    sessions.iter().map(effective).collect()
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![4 => Just(Class::Direct), 2 => Just(Class::Tagged), 1 => Just(Class::Untagged)]
}

type Step = (i64, Class, Option<TextId>, u8);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let minutes = prop_oneof![0i64..300, 0i64..9_000];
    let tag = prop_oneof![Just(Some(1)), Just(Some(2))];
    prop::collection::vec((minutes, class(), tag, 0u8..6), 1..70)
}

proptest! {
    /// Entries that come, go and change their class in any order end in the sessions of the whole
    /// fold, and what was said of each change leads from the sessions before to those after.
    #[test]
    fn changes_end_in_the_whole_fold(
        steps in steps(), sizes in prop::collection::vec(1usize..5, 70),
    ) {
        let named = |(n, (_, _, tag, _)): (usize, &Step)| {
            (EventId::parse(&format!("e{n}")).unwrap(), *tag)
        };
        let told_of = Told(steps.iter().enumerate().map(named).collect());
        let mut line = Line::default();
        let mut said: Vec<Session> = Vec::new();
        let mut edit = |line: &mut Line, edits: &[Edit]| {
            let before = line.sessions().to_vec();
            let Refolded { before: replaced, after, .. } =
                line.edit(edits, &Rules::default().into(), &Utc, &told_of);
            let rest = before.len() - replaced.len() - after.start;
            let tail = &line.sessions()[after.end..];
            assert_eq!(&before[after.start..after.start + replaced.len()], replaced.as_slice());
            assert_eq!(tail.len(), rest);
            let ids = |sessions: &[Session]| sessions.iter().map(|s| s.record).collect::<Vec<_>>();
            assert_eq!(ids(&before[before.len() - rest..]), ids(tail));
            said = line.sessions().to_vec();
        };
        let mut rest = (0u32..).zip(&steps).collect::<Vec<_>>().into_iter();
        for size in sizes {
            let edits: Vec<Edit> = rest.by_ref().take(size)
                .map(|(n, (minute, class, _, _))| Edit {
                    entry: entry(n, minute * MINUTE_MS, *class), is_added: true })
                .collect();
            edit(&mut line, &edits);
        }
        for (n, (minute, class, _, fate)) in (0u32..).zip(&steps) {
            let gone = entry(n, minute * MINUTE_MS, *class);
            match fate {
                0 | 1 => edit(&mut line, &[Edit { entry: gone, is_added: false }]),
                2 => {
                    let changed = Entry { class: Class::Direct, ..gone };
                    edit(&mut line, &[Edit { entry: changed, is_added: true }]);
                }
                _ => {}
            }
        }
        let mut left: Vec<Entry> = (0u32..).zip(&steps)
            .filter(|(_, (_, _, _, fate))| *fate > 1)
            .map(|(n, (minute, class, _, fate))| {
                let class = if *fate == 2 { Class::Direct } else { *class };
                entry(n, minute * MINUTE_MS, class)
            })
            .collect();
        left.sort_by(|a, b| compare(&told_of, a, b));
        prop_assert_eq!(line.entries(), left.as_slice());
        let expected = whole(&left, &told_of);
        prop_assert_eq!(told(&line, line.sessions()), told(&line, &expected));
        prop_assert_eq!(said.as_slice(), line.sessions());
        let held: usize = (0..expected.len()).map(|at| line.entries_of(at).len()).sum();
        prop_assert_eq!(held, left.len());
    }
}

fn line(entries: &[(i64, Class)], tags: &[Option<TextId>]) -> (Line, Told) {
    let named = |n: usize, tag: &Option<TextId>| (EventId::parse(&format!("e{n}")).unwrap(), *tag);
    let told = Told(tags.iter().enumerate().map(|(n, tag)| named(n, tag)).collect());
    let mut line = Line::default();
    for (n, (ms, class)) in (0u32..).zip(entries) {
        let edit = Edit { entry: entry(n, *ms, *class), is_added: true };
        line.edit(&[edit], &Rules::default().into(), &Utc, &told);
    }
    (line, told)
}

fn reasons(line: &Line) -> Vec<String> {
    let names = |session: &Session| session.why.names().collect::<Vec<_>>().join("+");
    line.sessions().iter().map(names).collect()
}

#[test]
fn a_pause_of_exactly_half_an_hour_continues() {
    let (half, direct) = (30 * MINUTE_MS, Class::Direct);
    let (line, _) = line(&[(0, direct), (half, direct), (2 * half + 1, direct)], &[None; 3]);
    assert_eq!(reasons(&line), ["first", "gap"]);
    assert_eq!(line.session_at(half).zip(line.session_at(2 * half + 1)), Some((0, 1)));
    assert_eq!(line.session_at(half + 1), None);
}

#[test]
fn the_last_millisecond_of_a_day_is_its_own() {
    let direct = Class::Direct;
    let (line, _) =
        line(&[(DAY_MS - 1, direct), (DAY_MS, direct), (DAY_MS + 1, direct)], &[None; 3]);
    assert_eq!(reasons(&line), ["first", "day"]);
    assert_eq!(line.entries_of(1).len(), 2);
}

#[test]
fn another_campaign_cuts_and_the_same_one_does_not() {
    let (tag, link) = (Class::Tagged, Class::Untagged);
    let tags = [None, Some(1), Some(1), Some(2)];
    let (line, told) = line(&[(0, link), (1, tag), (2, tag), (3, tag)], &tags);
    assert_eq!(reasons(&line), ["first", "campaign", "campaign"]);
    let last = entry(9, 72 * HOUR_MS + 3, Class::Direct);
    let touch = |entry: &Entry| line.touch_at(entry, 72 * HOUR_MS, &told).map(|t| t.record);
    assert_eq!(touch(&last), Some(3));
    assert_eq!(touch(&Entry { occurred_at_ms: 72 * HOUR_MS + 4, ..last }), None);
}
