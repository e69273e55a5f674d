//! The outbox: numbers what a shard commits and decides what is sent, and what an answer means.
//!
//! A frame's number on the wire is its local sequence less the base of the epoch. The local
//! sequence only grows and places the frame in the ring; a new epoch moves the base, so that
//! frames already committed go out again under new numbers without being written again.
//!
//! The ring keeps acknowledged frames until their slots are needed. They serve an aggregator that
//! was restored from an older backup. With a bucket, frames are kept there too: a slot is free for
//! another frame once its own is acknowledged or in the bucket.

use edgetally_proto::ids::Epoch;
use edgetally_proto::limits::RING_SLOTS;

/// How long to wait before the first try after a failure; doubles with each further one.
const RETRY_FIRST_MS: i64 = 500;
/// How long to wait at most between tries while the object is awake.
const RETRY_MAX_MS: i64 = 4_000;

/// Durable state of the outbox: what the ring and the row of the epoch say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outbox {
    /// The life of this numbering.
    pub epoch: Epoch,
    /// Local sequence before the first frame of the epoch.
    pub base: u64,
    /// Local sequence of the newest committed frame; 0 before the first.
    pub head: u64,
    /// Local sequence up to which the aggregator has everything durably.
    pub acked: u64,
    /// Local sequences whose frames are in the bucket, without a gap: from and to; 0 and 0 if none.
    archived: (u64, u64),
    slots: u64,
    in_flight: bool,
    failures: u32,
}

/// What the aggregator answered, or that it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Everything up to this number is durable, or dead and kept aside.
    Acked(u64),
    /// It waits for this number.
    Expected(u64),
    /// It knows one of the numbers with other bytes.
    Fork,
    /// It does not take anything now, or nothing came back.
    Unavailable,
}

/// What follows from a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send what is left, at once.
    Send,
    /// Nothing is left.
    Rest,
    /// Try again after this many milliseconds.
    Retry {
        /// Milliseconds.
        after_ms: i64,
    },
    /// Begin a new epoch after this local sequence, write it down, then send.
    NewEpoch {
        /// Local sequence before the first frame that goes out again.
        base: u64,
    },
}

impl Outbox {
    /// The state that was found in storage.
    #[must_use]
    pub fn new(epoch: Epoch, base: u64, head: u64, acked: u64) -> Self {
        let acked = acked.clamp(base.min(head), head);
        let (archived, slots) = ((0, 0), RING_SLOTS);
        Self { epoch, base, head, acked, archived, slots, in_flight: false, failures: 0 }
    }

    /// The same with another number of slots.
    #[must_use]
    pub fn with_slots(self, slots: u64) -> Self {
        Self { slots, ..self }
    }

    /// Takes note of an object of frames in the bucket, the oldest first.
    pub fn note_archived(&mut self, first: u64, last: u64) {
        let (from, to) = self.archived;
        let follows = to > 0 && first <= to + 1;
        self.archived = (if follows { from } else { first }, last);
    }

    /// Takes note that the bucket no longer has frames up to and with this one.
    pub fn note_pruned(&mut self, last: u64) {
        let (from, to) = self.archived;
        self.archived = if last >= to { (0, 0) } else { (from.max(last + 1), to) };
    }

    /// The last local sequence that the bucket holds; 0 if it holds none.
    #[must_use]
    pub fn archived_to(&self) -> u64 {
        self.archived.1
    }

    /// Frames that are in the ring only.
    #[must_use]
    pub fn unarchived(&self) -> u64 {
        self.head + 1 - self.first_unarchived()
    }

    /// The first local sequence to go into the bucket next.
    #[must_use]
    pub fn first_unarchived(&self) -> u64 {
        (self.archived.1 + 1).max(self.oldest()).min(self.head + 1)
    }

    /// Whether the bucket should take frames at once, for want of free slots.
    #[must_use]
    pub fn is_spill_urgent(&self) -> bool {
        self.head - self.acked.max(self.archived.1).min(self.head) > self.slots / 2
    }

    /// The slot of a frame in the ring.
    #[must_use]
    pub fn slot(sequence: u64) -> u64 {
        sequence % RING_SLOTS
    }

    /// Whether another frame finds a slot that no unacknowledged frame holds.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.head - self.acked.max(self.archived.1).min(self.head) < self.slots
    }

    /// Whether so much waits that commits should become larger and rarer.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.head - self.acked > self.slots / 2
    }

    /// Whether something waits for the aggregator.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        self.acked < self.head
    }

    /// Takes the next local sequence, that of a frame which is now written.
    pub fn commit(&mut self) -> u64 {
        self.head += 1;
        self.head
    }

    /// The local sequence to send next, if nothing is in flight.
    #[must_use]
    pub fn next_to_send(&self) -> Option<u64> {
        (!self.in_flight && self.has_backlog()).then_some(self.acked + 1)
    }

    /// Local sequences to send now, if nothing is in flight; they are in flight from here on.
    pub fn start_send(&mut self) -> Option<std::ops::RangeInclusive<u64>> {
        if self.in_flight || !self.has_backlog() {
            return None;
        }
        self.in_flight = true;
        Some(self.acked + 1..=self.head)
    }

    /// The number of a frame on the wire.
    #[must_use]
    pub fn wire(&self, sequence: u64) -> u64 {
        sequence.saturating_sub(self.base)
    }

    /// The oldest local sequence that the ring still holds.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        (self.head + 1).saturating_sub(self.slots).max(1)
    }

    /// The oldest local sequence from which on ring and bucket still hold every frame.
    #[must_use]
    pub fn reach(&self) -> u64 {
        let (from, to) = self.archived;
        if to > 0 && to + 1 >= self.oldest() { from.min(self.oldest()) } else { self.oldest() }
    }

    /// Judges the reply to what is in flight; `first` and `last` are the numbers that were sent.
    pub fn finish_send(&mut self, (first, last): (u64, u64), reply: Reply) -> Next {
        self.in_flight = false;
        self.failures = if reply == Reply::Unavailable { self.failures + 1 } else { 0 };
        match reply {
            Reply::Acked(number) if self.base + number > self.head => {
                // It has numbers that were never given: this storage is older than what it sent.
                Next::NewEpoch { base: self.acked }
            }
            Reply::Acked(number) => {
                // What it has beyond was not compared with what is here: were this storage older
                // than what it sent, it would be something else.
                self.acked = self.acked.max(self.base + number.min(last));
                if self.has_backlog() { Next::Send } else { Next::Rest }
            }
            Reply::Expected(number) => self.expected(number, first),
            Reply::Fork => Next::NewEpoch { base: self.acked },
            Reply::Unavailable => {
                let doubled = RETRY_FIRST_MS << self.failures.saturating_sub(1).min(8);
                Next::Retry { after_ms: doubled.min(RETRY_MAX_MS) }
            }
        }
    }

    /// The aggregator lacks frames before those sent: it was restored, or lost its way.
    fn expected(&mut self, number: u64, first: u64) -> Next {
        let wanted = self.base + number.max(1);
        if number > first {
            // It has more than was sent, and that was not compared.
            return Next::NewEpoch { base: self.acked };
        }
        if wanted < self.reach() {
            // Neither ring nor bucket reach back so far: all they hold goes out again under new
            // numbers, and what the aggregator has of it already falls to its ids.
            return Next::NewEpoch { base: self.reach() - 1 };
        }
        self.acked = wanted - 1;
        if self.has_backlog() { Next::Send } else { Next::Rest }
    }

    /// Begins a new epoch after `base`; everything later goes out again.
    pub fn begin_epoch(&mut self, epoch: Epoch, base: u64) {
        self.epoch = epoch;
        self.base = base;
        self.acked = base;
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(head: u64, acked: u64) -> Outbox {
        Outbox::new(Epoch([1; 16]), 0, head, acked)
    }

    /// Sends what waits and judges the reply; what was sent comes along as numbers on the wire.
    fn exchange(outbox: &mut Outbox, reply: Reply) -> ((u64, u64), Next) {
        let range = outbox.start_send().unwrap();
        let sent = (outbox.wire(*range.start()), outbox.wire(*range.end()));
        (sent, outbox.finish_send(sent, reply))
    }

    #[test]
    fn one_request_is_in_flight_at_a_time() {
        let mut outbox = outbox(0, 0);
        assert_eq!(outbox.start_send(), None);
        outbox.commit();
        assert_eq!(outbox.start_send(), Some(1..=1));
        outbox.commit();
        assert_eq!(outbox.start_send(), None, "the first is still in flight");
        assert_eq!(outbox.finish_send((1, 1), Reply::Acked(1)), Next::Send);
        assert_eq!(exchange(&mut outbox, Reply::Acked(2)), ((2, 2), Next::Rest));
    }

    #[test]
    fn a_lost_answer_is_sent_again_and_waits_longer_each_time() {
        let mut outbox = outbox(3, 1);
        let waits: Vec<Next> =
            (0..5).map(|_| exchange(&mut outbox, Reply::Unavailable).1).collect();
        let expected = [500, 1_000, 2_000, 4_000, 4_000].map(|after_ms| Next::Retry { after_ms });
        assert_eq!(waits, expected);
        assert_eq!(exchange(&mut outbox, Reply::Acked(3)), ((2, 3), Next::Rest));
    }

    #[test]
    fn a_restored_aggregator_gets_again_what_it_lacks() {
        let mut outbox = outbox(100, 99);
        assert_eq!(exchange(&mut outbox, Reply::Expected(40)).1, Next::Send);
        assert_eq!(exchange(&mut outbox, Reply::Acked(100)), ((40, 100), Next::Rest));
    }

    #[test]
    fn what_the_ring_lost_begins_a_new_epoch_with_all_it_holds() {
        let head = RING_SLOTS + 10;
        let mut outbox = outbox(head, head - 1);
        let (_, next) = exchange(&mut outbox, Reply::Expected(5));
        assert_eq!(next, Next::NewEpoch { base: 10 });
        outbox.begin_epoch(Epoch([2; 16]), 10);
        assert_eq!(exchange(&mut outbox, Reply::Acked(RING_SLOTS)).0, (1, RING_SLOTS));
        assert!(!outbox.has_backlog());
    }

    #[test]
    fn a_fork_sends_the_unacknowledged_under_a_new_epoch() {
        let mut outbox = outbox(7, 5);
        let (sent, next) = exchange(&mut outbox, Reply::Fork);
        assert_eq!((sent, next), ((6, 7), Next::NewEpoch { base: 5 }));
        outbox.begin_epoch(Epoch([2; 16]), 5);
        assert_eq!(exchange(&mut outbox, Reply::Acked(2)), ((1, 2), Next::Rest));
        assert_eq!(outbox.acked, 7);
    }

    /// A restored shard may have come to numbers that the aggregator knows from before, with other
    /// frames: only those that were sent along were compared.
    #[test]
    fn what_was_not_sent_is_not_acknowledged() {
        let mut outbox = outbox(7, 1);
        outbox.start_send().unwrap();
        assert_eq!(outbox.finish_send((2, 4), Reply::Acked(6)), Next::Send);
        assert_eq!(outbox.acked, 4);
        outbox.start_send().unwrap();
        assert_eq!(outbox.finish_send((5, 7), Reply::Expected(6)), Next::NewEpoch { base: 4 });
    }

    #[test]
    fn numbers_that_were_never_given_begin_a_new_epoch() {
        let mut acked = outbox(7, 5);
        assert_eq!(exchange(&mut acked, Reply::Acked(9)).1, Next::NewEpoch { base: 5 });
        let mut expected = outbox(7, 5);
        assert_eq!(exchange(&mut expected, Reply::Expected(9)).1, Next::NewEpoch { base: 5 });
    }

    #[test]
    fn a_full_ring_takes_no_more() {
        let mut outbox = outbox(0, 0);
        while outbox.has_room() {
            outbox.commit();
        }
        assert_eq!(outbox.head, RING_SLOTS);
        assert!(outbox.is_pressed());
        assert_eq!(exchange(&mut outbox, Reply::Acked(1)).1, Next::Send);
        assert!(outbox.has_room());
    }

    #[test]
    fn the_bucket_frees_slots_and_reaches_further_back() {
        let mut outbox = outbox(0, 0).with_slots(10);
        while outbox.has_room() {
            outbox.commit();
        }
        assert_eq!((outbox.head, outbox.is_spill_urgent(), outbox.unarchived()), (10, true, 10));
        outbox.note_archived(1, 6);
        assert_eq!((outbox.has_room(), outbox.is_spill_urgent()), (true, false));
        assert_eq!((outbox.first_unarchived(), outbox.reach()), (7, 1));
        while outbox.has_room() {
            outbox.commit();
        }
        assert_eq!(outbox.head, 16, "frame 7 is in its slot only");
        assert_eq!(exchange(&mut outbox, Reply::Acked(16)).1, Next::Rest);
        assert!(outbox.has_room());
        // The aggregator fell back: the bucket has what the ring lost.
        outbox.note_archived(7, 7);
        outbox.commit();
        assert_eq!(exchange(&mut outbox, Reply::Expected(3)).1, Next::Send);
        assert_eq!(outbox.next_to_send(), Some(3));
        outbox.note_pruned(4);
        assert_eq!(exchange(&mut outbox, Reply::Expected(3)).1, Next::NewEpoch { base: 4 });
    }

    #[test]
    fn a_gap_between_bucket_and_ring_is_no_bridge() {
        let mut outbox = outbox(30, 30).with_slots(10);
        outbox.note_archived(1, 15);
        assert_eq!((outbox.reach(), outbox.first_unarchived(), outbox.unarchived()), (21, 21, 10));
        outbox.note_archived(21, 25);
        assert_eq!((outbox.reach(), outbox.first_unarchived()), (21, 26));
        outbox.note_archived(26, 30);
        assert_eq!((outbox.reach(), outbox.unarchived()), (21, 0));
    }

    #[test]
    fn storage_that_says_too_much_is_read_with_care() {
        let outbox = Outbox::new(Epoch([1; 16]), 3, 5, 9);
        assert_eq!((outbox.acked, outbox.wire(4)), (5, 1));
    }
}
