//! Long stories that chance would not tell: old repeats, and outages of days.

use aggregator::apply::World;
use edge_worker::outbox::Reply;
use edge_worker::shard::{Outgoing, Parcel, Setup, Shard};
use edge_worker::waiting::decode_admission;
use edgetally_proto::ids::Epoch;
use edgetally_proto::time::{HOUR_MS, MINUTE_MS};
use edgetally_proto::window::Window;

use super::books::{Books, START_MS, admission, event, site};
use super::disk::Shared;
use super::receiver::{Receiver, Sabotage};

/// The story of one shard, told commit by commit.
struct Story {
    now_ms: i64,
    disk: Shared,
    shard: Shard<Shared>,
    receiver: Receiver,
}

impl Story {
    fn begin(disk: Shared) -> Self {
        let shard = Shard::load(disk.clone(), Epoch([1; 16]), Setup::default(), START_MS)
            .expect("a new shard");
        Self { now_ms: START_MS, disk, shard, receiver: Receiver::new(Sabotage::None) }
    }

    /// Folds one event; says whether it was new. None if there is no room.
    fn fold(&mut self, number: u16) -> Option<bool> {
        let mut window = Window::default();
        window.fold(&site(), event(number, self.now_ms));
        let body = admission(&mut window, &[], self.now_ms);
        let admission = decode_admission(&body).expect("a frame");
        let folded = self.shard.fold(admission, self.now_ms).expect("storage works");
        folded.map(|folded| folded.news == [true])
    }

    fn commit(&mut self) {
        self.shard.commit(self.now_ms).expect("storage works");
    }

    /// Memory is gone, storage stays.
    fn kill(&mut self) {
        let shard = Shard::load(self.disk.clone(), Epoch([2; 16]), Setup::default(), self.now_ms);
        self.shard = shard.expect("storage is sound");
    }

    fn parcel(&mut self) -> Option<Parcel> {
        match self.shard.parcel().expect("storage works")? {
            Outgoing::Parcel(parcel) => Some(parcel),
            Outgoing::Missing { name, .. } => panic!("{name} is missing without a bucket"),
        }
    }

    fn deliver(&mut self) {
        while let Some(parcel) = self.parcel() {
            let reply = self.receiver.receive(&parcel, self.now_ms).expect("in order");
            self.shard.finish(&parcel, reply, Epoch([3; 16])).expect("storage works");
        }
    }

    fn books(&self) -> Books {
        let world: &World = &self.receiver.world;
        let books = Books::of(world);
        books.check().expect("nothing counts twice");
        books
    }
}

/// An event, so many commits a second for fourteen minutes, a kill, the same event again: says
/// whether the shard still knew it. In any case it is counted once.
fn repeat_is_known(disk: Shared, commits_per_second: i64) -> bool {
    let mut story = Story::begin(disk);
    assert_eq!(story.fold(0), Some(true));
    story.commit();
    let commits = 14 * 60 * commits_per_second;
    for commit in 1..=commits {
        story.now_ms = START_MS + commit * 1_000 / commits_per_second;
        let number = u16::try_from(commit).expect("few enough");
        assert_eq!(story.fold(number), Some(true));
        story.commit();
        if commit % 64 == 0 {
            story.deliver();
        }
    }
    story.kill();
    let new = story.fold(0).expect("there is room");
    story.commit();
    story.deliver();
    let books = story.books();
    assert_eq!(books.held.len() as i64, commits + 1);
    assert_eq!(books.late_duplicates, i64::from(new), "a repeat that the shard let through");
    !new
}

/// At four commits a second the ring still holds the frame; at eight it was overwritten long ago,
/// and the rows of ids, written with the frames, know the event.
#[test]
fn a_repeat_of_fourteen_minutes_is_one_event_after_a_kill() {
    for commits_per_second in [1, 4, 8] {
        let known = repeat_is_known(Shared::default(), commits_per_second);
        assert!(known, "forgotten at {commits_per_second} commits a second");
    }
}

/// The test above must be able to fail: without rows of ids the edge forgets. The aggregator still
/// does not count it twice.
#[test]
fn without_rows_of_ids_the_edge_forgets() {
    let disk = Shared::default();
    disk.0.borrow_mut().drops_ids = true;
    assert!(!repeat_is_known(disk, 8));
}

/// An aggregator that is away for two days, with an event every two minutes: less than the ring
/// holds, so nobody notices but by the delay. Ids of before the outage are long forgotten.
#[test]
fn two_days_without_an_aggregator_cost_nothing_but_delay() {
    let mut story = Story::begin(Shared::default());
    let steps = 2 * 24 * HOUR_MS / (2 * MINUTE_MS);
    for step in 0..steps {
        story.now_ms = START_MS + step * 2 * MINUTE_MS;
        let number = u16::try_from(step).expect("few enough");
        assert_eq!(story.fold(number), Some(true));
        story.commit();
        if step % 10 == 0 {
            let parcel = story.parcel().expect("a backlog");
            let next = story.shard.finish(&parcel, Reply::Unavailable, Epoch([3; 16]));
            next.expect("storage works");
        }
        if step % 97 == 0 {
            story.kill();
        }
    }
    assert_eq!(story.fold(0), Some(true), "forgotten here");
    story.commit();
    story.deliver();
    let books = story.books();
    assert_eq!((books.held.len() as i64, books.late_duplicates), (steps, 1));
    books.check_frames(&story.disk.0.borrow()).expect("each frame once");
}

/// More than the ring holds: what finds no room is refused, nothing that was taken is lost, and
/// room comes back with the aggregator.
#[test]
fn a_full_ring_refuses_and_loses_nothing() {
    let mut story = Story::begin(Shared::default());
    let (mut taken, mut refused) = (0, 0);
    for number in 0..5_000 {
        story.now_ms += 1_000;
        match story.fold(number) {
            Some(new) => {
                assert!(new);
                story.commit();
                taken += 1;
            }
            None => refused += 1,
        }
    }
    assert_eq!((taken, refused), (4_096, 904));
    story.kill();
    assert_eq!(story.fold(4_999), None, "still full");
    story.deliver();
    assert_eq!(story.books().held.len(), taken);
    assert_eq!(story.fold(4_999), Some(true), "room again");
}
