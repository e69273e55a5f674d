//! A bound of memory changes nothing but where things are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aggregator::apply::{Changed, World};
use aggregator::checkpoint::{self, Position, Restore};
use aggregator::dedup::Source;
use aggregator::people::SessionRow;
use aggregator::sessionize::Entry;
use aggregator::site::Site;
use aggregator::store::Store;
use aggregator::tombstones::Person as Whom;
use aggregator::view::SiteView;
use edgetally_proto::batch::Batch;
use edgetally_proto::frame;
use edgetally_proto::ids::{Epoch, ShardName, UserId};
use serde_json::{Value, json};

use crate::support::cellar::Cellar;
use crate::support::events::{Event, batch, demo, share};
use crate::support::server::{ADMIN, Server};

const START: i64 = 1_772_420_400_000;
const MINUTE: i64 = 60_000;
/// A hundredth of what the persons of these tests take.
const LITTLE: usize = 24 << 10;

/// Five events of a person. Every third comes back two hours later for what he did in between, one
/// in seven signs in, some events are late, and some are orders.
fn visit(person: u32, turn: i64) -> Vec<Event> {
    let at = START + i64::from(person) * 700 + turn * 120 * MINUTE;
    let event = |n: i64, name: &str| {
        let id = format!("p{person}-{turn}-{n}");
        Event::new(&id, &format!("c{person}"), name, at + n * 50_000)
    };
    let mut events: Vec<Event> = (0..5).map(|n| event(n, "page_view")).collect();
    if person.is_multiple_of(7) {
        let login = Event { user: Some(format!("u{}", person / 21)), ..event(5, "login") };
        events.push(login);
    }
    if person.is_multiple_of(11) {
        events.push(event(6, "purchase").order(&format!("T{person}-{turn}"), 500));
    }
    if turn > 0 {
        // Between the visits, known only now; and one that came before.
        events.push(event(-70, "page_view"));
        events.push(Event::new(&format!("p{person}-0-1"), &format!("c{person}"), "page_view", at));
    }
    events
}

/// A state with a bound, and one without.
struct Pair {
    roomy: World,
    cramped: World,
    cellar: Cellar,
    frames: u64,
}

impl Pair {
    fn new(memory: usize) -> Self {
        let cellar = Cellar::new();
        let cramped = World::within(Some(memory), Arc::new(cellar.vault.clone()));
        Self { roomy: World::default(), cramped, cellar, frames: 0 }
    }

    fn send(&mut self, events: &[Event]) {
        let source = Source { shard: ShardName::parse("v1|a|0").unwrap(), epoch: Epoch([0; 16]) };
        let frame = Batch { committed_at_ms: START, sites: vec![share(events)] };
        for world in [&mut self.roomy, &mut self.cramped] {
            let mut changed = Changed::default();
            world.apply(&source, Some(&frame), START, &mut changed);
            world.view(&changed);
        }
        self.frames += 1;
        if self.frames.is_multiple_of(8) {
            self.save();
        }
    }

    /// A checkpoint of the state with the bound.
    fn save(&mut self) {
        let pieces = checkpoint::take_dirty(&mut self.cramped, Position::default());
        let changes = pieces.into_iter().map(|(key, piece)| (key, piece.encode().unwrap()));
        self.cellar.store.commit(changes.collect()).unwrap();
        self.cramped.note_saved();
        let mut changed = Changed::default();
        self.cramped.make_room(&mut changed);
        self.cramped.view(&changed);
    }

    fn visits(&mut self, persons: std::ops::Range<u32>, turn: i64) {
        let persons: Vec<u32> = persons.filter(|person| turn == 0 || person % 3 == 0).collect();
        for some in persons.chunks(20) {
            self.send(&some.iter().flat_map(|person| visit(*person, turn)).collect::<Vec<_>>());
        }
    }

    fn erase(&mut self, user: &str) {
        let whom = Whom::User(UserId::parse(user).unwrap());
        for world in [&mut self.roomy, &mut self.cramped] {
            let site = world.sites.get_mut(&demo()).unwrap();
            let plan = site.plan_erasure(&whom, [7; 16], START);
            assert!(plan.numbers.len() > 5, "{user} is known");
            site.erase(plan, &mut Default::default());
        }
    }

    fn same(&mut self) {
        let (roomy, cramped) = (told(&mut self.roomy), told(&mut self.cramped));
        assert_eq!(self.cellar.vault.failure(), None);
        assert_eq!(roomy, cramped);
    }
}

type Told = (Vec<(SessionRow, String, Vec<String>)>, Vec<(String, Vec<Entry>)>, Vec<String>, usize);

fn told_of(site: &Site, view: &SiteView) -> Told {
    let named = |row: &Arc<SessionRow>| {
        // Tellings are counted anew by a start.
        let row = SessionRow { rev: 0, ..SessionRow::clone(row) };
        let (person, events) = (view.person(row.person), view.events_of(&row));
        assert_eq!(events.len(), row.events as usize);
        (row, person, events)
    };
    let sessions = view.sessions.values().map(named).collect();
    let persons = 0..view.persons.len() as u32;
    let lines = persons.map(|n| (view.person(n), view.line(n).entries().to_vec())).collect();
    let orders = view.orders.values().map(|row| format!("{row:?}")).collect();
    let records: Vec<String> =
        view.records.all().map(|(_, record)| format!("{record:?}")).collect();
    let held = site.records.all().map(|(_, record)| format!("{record:?}"));
    assert!(held.eq(records.iter().cloned()));
    (sessions, lines, orders, records.len())
}

fn told(world: &mut World) -> Told {
    let view = world.view_all();
    told_of(&world.sites[&demo()], &view.sites[&demo()])
}

#[test]
fn little_room_changes_nothing_that_is_told() {
    let mut pair = Pair::new(LITTLE);
    pair.visits(0..600, 0);
    pair.same();
    assert!(pair.cellar.vault.reads.load(Ordering::Relaxed) > 0);
    pair.visits(0..600, 1);
    pair.same();
    for user in ["u0", "u3"] {
        pair.erase(user);
    }
    pair.same();
    pair.visits(300..700, 2);
    pair.save();
    pair.same();

    // A start from the store, within the same bound.
    let mut restore = Restore::within(Some(LITTLE), Arc::new(pair.cellar.vault.clone()));
    let take = &mut |key: &[u8], value: &[u8]| {
        restore.take(key, value).map_err(aggregator::store::StoreError::Damaged)
    };
    pair.cellar.store.visit(take).unwrap();
    let (mut again, _) = restore.finish(START).unwrap().unwrap();
    let weight = again.sites[&demo()].weight();
    assert!(weight.0 <= LITTLE / 2, "{weight:?}");
    let ((sessions, _, orders, records), expected) = (told(&mut again), told(&mut pair.roomy));
    let plain = |(row, person, events): &(SessionRow, String, Vec<String>)| {
        (row.record, person.clone(), row.why, row.attributed, events.clone())
    };
    assert!(sessions.iter().map(plain).eq(expected.0.iter().map(plain)));
    assert_eq!((orders.len(), records), (expected.2.len(), expected.3));
}

/// What is held of records, timelines and lines is the same for ten times as many persons.
#[test]
fn memory_does_not_grow_with_persons() {
    let mut pair = Pair::new(LITTLE);
    let mut weights = Vec::new();
    for persons in [0..400, 400..4_000] {
        pair.visits(persons, 0);
        pair.save();
        weights.push(pair.cramped.sites[&demo()].weight());
    }
    for (bytes, steps, entries) in weights {
        assert!(bytes <= LITTLE / 2, "{bytes} bytes of records");
        // The youngest generation, the one before, and the frame that was taken last.
        let events = 2 * (LITTLE / 4 / 64) + 160;
        assert!(steps <= events && entries <= events, "{steps} steps, {entries} entries");
    }
    let roomy = pair.roomy.sites[&demo()].weight();
    assert!(roomy.0 > 20 * LITTLE && roomy.1 > 15_000, "{roomy:?}");
}

/// A value of the store that is gone or damaged is never taken for a record that is not there.
#[test]
fn a_block_that_cannot_be_read_is_a_failure() {
    let mut pair = Pair::new(LITTLE);
    pair.visits(0..600, 0);
    pair.save();
    let mut keys = Vec::new();
    let note = &mut |key: &[u8], value: &[u8]| {
        keys.push((key.to_vec(), value.len()));
        Ok(())
    };
    pair.cellar.store.visit(note).unwrap();
    let cut = keys.into_iter().filter(|(_, length)| *length > 2_000);
    let cut = cut.map(|(key, _)| (key, Some(vec![1, 2, 3])));
    pair.cellar.store.commit(cut.collect()).unwrap();
    assert!(pair.cramped.sites[&demo()].records.get(0).is_none());
    let why = pair.cellar.vault.failure().unwrap();
    assert!(why.contains("block 0 of records of demo"), "{why}");
}

/// Every answer that reads records, lines or timelines.
fn answers(server: &Server) -> Vec<Value> {
    let get = |path: &str| {
        let (status, mut answer) = server.call("GET", path, ADMIN, None);
        assert_eq!(status, 200, "{path}: {answer}");
        // Numbers of tellings and the time of the answer differ between starts.
        let rows = answer["results"].as_array_mut().map(std::mem::take);
        let plain = |mut row: Value| {
            row.as_object_mut().unwrap().remove("rev");
            row
        };
        json!(rows.into_iter().flatten().map(plain).collect::<Vec<Value>>())
    };
    let sessions = get("/v1/sessions?site=demo&include=events&limit=1000");
    let orders = get("/v1/orders?site=demo&limit=1000");
    let rows = server.query(&["events", "sessions", "orders", "revenue", "visitors"], &[]);
    vec![sessions, orders, json!(rows)]
}

/// Two programs take the same frames; one has hardly any memory and is killed in between.
#[test]
fn kill_9_with_hardly_any_memory_changes_no_answer() {
    let (dir, twin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let roomy = Server::start(twin.path());
    roomy.make_site();
    let frames: Vec<Vec<u8>> = (0..3i64)
        .flat_map(|turn| (0..12u32).map(move |n| (turn, n)))
        .map(|(turn, n)| {
            let persons = n * 20..(n + 1) * 20;
            let events: Vec<Event> = persons.flat_map(|person| visit(person, turn)).collect();
            frame::encode(&batch(&events, START))
        })
        .collect();
    let memory = [("EDGETALLY_MEMORY", "4 KiB"), ("EDGETALLY_LOG", "info,aggregator::store=debug")];
    let mut logged = String::new();
    for (round, some) in frames.chunks(9).enumerate() {
        let cramped = Server::start_with(dir.path(), &memory);
        if round == 0 {
            cramped.make_site();
        }
        let first = round as u64 * 9 + 1;
        for (number, frame) in (first..).zip(some) {
            assert_eq!(cramped.frames(number, std::slice::from_ref(frame)).0, 200);
            assert_eq!(roomy.frames(number, std::slice::from_ref(frame)).0, 200);
        }
        assert_eq!(answers(&cramped), answers(&roomy), "round {round}");
        logged.push_str(&cramped.log());
        cramped.kill();
    }
    let cramped = Server::start_with(dir.path(), &memory);
    assert_eq!(answers(&cramped), answers(&roomy));
    assert!(cramped.logs("left blocks of records to the store"), "{}", cramped.log());
}
