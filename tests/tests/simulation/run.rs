//! Runs a list of operations and judges where it ends.

use std::collections::{BTreeMap, BTreeSet};

use edge_worker::archivist::Orders;
use edge_worker::outbox::{Next, Reply};
use edge_worker::shard::{NO_SLOT, Outgoing, Parcel, Setup, Shard};
use edge_worker::waiting::decode_admission;
use edgetally_proto::error::RejectCode;
use edgetally_proto::ids::{Epoch, Mark};
use edgetally_proto::time::{MINUTE_MS, second_of};
use edgetally_proto::window::Window;

use super::books::{Books, START_MS, admission, event, line, site};
use super::bucket::Bucket;
use super::disk::{Disk, Shared};
use super::model::{Case, Fate, Operation, Service};
use super::receiver::{Receiver, Sabotage, shard_name};

/// So long after it was taken in an event is known to the shard for sure.
const KNOWN_MS: i64 = 14 * MINUTE_MS;
/// Earlier states of the disk that are kept.
pub const BACKUPS: usize = 8;

/// A request of a client that was not answered yet.
#[derive(Debug, Clone)]
struct Pending {
    events: Vec<u16>,
    /// The window that it waits for, and which of its events were new there.
    held: Option<(u64, Vec<bool>)>,
}

struct Simulation {
    sabotage: Sabotage,
    now_ms: i64,
    epochs: u32,
    marks: u128,
    setup: Setup,
    bucket: Bucket,
    disk: Shared,
    backups: Vec<Disk>,
    shard: Shard<Shared>,
    receiver: Receiver,
    /// A restored aggregator keeps at least so many entries: the shard has no others any more.
    floor: usize,
    /// Entries that the aggregator's last backup holds, and the one before.
    kept: (usize, usize),
    sent: Vec<Parcel>,
    pending: Vec<Pending>,
    /// Events that a client was told are taken, or repeats of such.
    told: BTreeSet<u16>,
    /// What the open window took as new, and when.
    open: Vec<(u16, i64)>,
    /// When the shard last took what it has committed.
    taken: BTreeMap<u16, i64>,
    /// Events that were ever sent.
    all: BTreeSet<u16>,
    /// Events whose clients went away.
    given_up: BTreeSet<u16>,
    /// Whether a second epoch began: what went out again may be counted in two frames.
    is_renumbered: bool,
    /// Whether the shard's storage fell back.
    is_restored: bool,
    /// Whether the shard lost its disk, the clock stepped back or the ring is too small: it may
    /// have forgotten ids.
    is_forgetful: bool,
}

fn epoch(number: u32) -> Epoch {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Epoch(bytes)
}

impl Simulation {
    fn new(case: &Case, sabotage: Sabotage) -> Self {
        let orders = || Orders { shard: shard_name(), after_ms: 60_000 };
        let setup = match case.bucket {
            Some(slots) => Setup { slots, archive: Some(orders()) },
            None => Setup::default(),
        };
        let disk = Shared::default();
        disk.0.borrow_mut().slots = setup.slots;
        let shard = Shard::load(disk.clone(), epoch(0), setup.clone(), START_MS).unwrap();
        Self {
            setup,
            bucket: Bucket::default(),
            kept: (0, 0),
            sabotage,
            now_ms: START_MS,
            epochs: 0,
            marks: 0,
            disk,
            backups: Vec::new(),
            shard,
            receiver: Receiver::new(sabotage),
            floor: 0,
            sent: Vec::new(),
            pending: Vec::new(),
            told: BTreeSet::new(),
            open: Vec::new(),
            taken: BTreeMap::new(),
            all: BTreeSet::new(),
            given_up: BTreeSet::new(),
            is_renumbered: false,
            is_restored: false,
            // A ring so small loses frames of the minute whose row of ids is not written yet.
            is_forgetful: case.bucket.is_some(),
        }
    }

    fn perform(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Send { events } => {
                self.all.extend(events);
                self.send(Pending { events: events.clone(), held: None })?;
            }
            Operation::Retry => self.retry()?,
            Operation::GiveUp => {
                let gone = std::mem::take(&mut self.pending);
                self.given_up.extend(gone.into_iter().flat_map(|request| request.events));
            }
            Operation::Commit => self.commit()?,
            Operation::CommitAndCrash => {
                if self.write()? {
                    self.crash_shard()?;
                }
            }
            Operation::Forward(fate) => self.forward(*fate).map(|_| ())?,
            Operation::Stray => {
                let parcel = self.sent.get(self.sent.len() / 2).cloned();
                parcel.map(|parcel| self.receiver.receive(&parcel, self.now_ms)).transpose()?;
            }
            Operation::CrashShard => self.crash_shard()?,
            Operation::RestoreShard => self.restore_shard()?,
            Operation::CrashAggregator => self.receiver.restart(usize::MAX)?,
            Operation::RestoreAggregator(share) => {
                let oldest = if self.has_bucket() { self.kept.1 } else { 0 };
                let since = self.receiver.log.len() - oldest;
                let kept = oldest + since * usize::from(255 - share) / 255;
                self.receiver.restart(kept.max(self.floor))?;
                let entries = self.receiver.log.len();
                self.kept = (self.kept.0.min(entries), self.kept.1.min(entries));
            }
            Operation::Backup => self.kept = (self.receiver.log.len(), self.kept.0),
            Operation::Archive(service) => self.archive(*service).map(|_| ())?,
            Operation::ArchiveAll => while self.archive(Service::Done)? {},
            Operation::Pass(seconds) => {
                self.is_forgetful |= *seconds < 0;
                self.now_ms += i64::from(*seconds) * 1_000;
            }
        }
        Ok(())
    }

    fn send(&mut self, mut request: Pending) -> Result<(), String> {
        // A copy received in the same millisecond is the same delivery to the aggregator; time
        // passes in whole seconds otherwise, so no two requests share one.
        self.now_ms += 1;
        let mut window = Window::default();
        for number in &request.events {
            window.fold(&site(), event(*number, self.now_ms));
        }
        if request.events.first().is_some_and(|number| number.is_multiple_of(3)) {
            window.count_reject(&site(), second_of(self.now_ms), RejectCode::NameInvalid);
        }
        self.spare_slots()?;
        let lines = request.events.iter().map(|number| line(*number, self.now_ms));
        let lines: Vec<String> = lines.filter(|_| self.has_bucket()).collect();
        let body = admission(&mut window, &lines, self.now_ms);
        let admission = decode_admission(&body).map_err(|error| error.to_string())?;
        let folded = self.shard.fold(admission, self.now_ms)?;
        if let Some(folded) = &folded {
            self.check_known(&request.events, &folded.news)?;
            let new = request.events.iter().zip(&folded.news).filter(|(_, new)| **new);
            self.open.extend(new.map(|(event, _)| (*event, self.now_ms)));
            let repeats_only = folded.news.iter().all(|new| !new);
            if self.sabotage == Sabotage::RepeatNotHeld && repeats_only {
                self.told.extend(request.events);
                return Ok(());
            }
        }
        request.held = folded.map(|folded| (folded.window, folded.news));
        self.pending.push(request);
        Ok(())
    }

    /// What was taken and committed a while ago is a repeat to the shard.
    fn check_known(&self, events: &[u16], news: &[bool]) -> Result<(), String> {
        let recent = |event| self.taken.get(event).is_some_and(|at| self.now_ms - at <= KNOWN_MS);
        let forgotten = events.iter().zip(news).find(|(event, new)| **new && recent(event));
        match forgotten {
            Some((event, _)) if !self.is_forgetful => Err(format!("the shard forgot {event}")),
            _ => Ok(()),
        }
    }

    fn retry(&mut self) -> Result<(), String> {
        let waiting = std::mem::take(&mut self.pending);
        for request in waiting {
            match request.held {
                Some(_) => self.pending.push(request),
                None => self.send(request)?,
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), String> {
        self.backups.push(self.disk.0.borrow().clone());
        if self.backups.len() > BACKUPS {
            self.backups.remove(0);
        }
        if !self.write()? {
            return Ok(());
        }
        for request in std::mem::take(&mut self.pending) {
            match &request.held {
                Some((window, _)) if !self.shard.is_open(*window) => {
                    self.told.extend(request.events);
                }
                _ => self.pending.push(request),
            }
        }
        Ok(())
    }

    /// Writes the open window; says whether a slot was free for it. If not, the aggregator fell
    /// back while it was open, and the shard is loaded again.
    fn write(&mut self) -> Result<bool, String> {
        self.spare_slots()?;
        match self.shard.commit(self.now_ms) {
            Err(error) if error == NO_SLOT => {
                self.crash_shard()?;
                return Ok(false);
            }
            committed => committed?,
        };
        self.taken.extend(self.open.drain(..));
        Ok(true)
    }

    fn has_bucket(&self) -> bool {
        self.setup.archive.is_some()
    }

    /// The bucket is never away for so long that acknowledged frames lose their slots: were the
    /// aggregator restored at that time, two things would have failed at once, and only the
    /// archive of events would help.
    fn spare_slots(&mut self) -> Result<(), String> {
        if self.has_bucket() && self.disk.0.borrow().would_lose() {
            self.now_ms += 61_000;
            while self.archive(Service::Done)? {}
        }
        Ok(())
    }

    /// One operation on the bucket; says whether one was due.
    fn archive(&mut self, service: Service) -> Result<bool, String> {
        self.marks += u128::from(self.sabotage != Sabotage::MarkKept);
        let mark = Mark(self.marks.to_le_bytes());
        let Some(operation) = self.shard.archive(mark, self.now_ms)? else { return Ok(false) };
        let outcome = self.bucket.perform(operation, service);
        self.shard.archived(outcome, self.now_ms)?;
        Ok(true)
    }

    fn next_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        epoch(self.epochs)
    }

    /// Held requests fail; their clients will send again.
    fn crash_shard(&mut self) -> Result<(), String> {
        let epoch = self.next_epoch();
        self.shard = Shard::load(self.disk.clone(), epoch, self.setup.clone(), self.now_ms)?;
        self.open.clear();
        self.pending.iter_mut().for_each(|request| request.held = None);
        Ok(())
    }

    /// The disk falls back to an earlier state, if aggregator and bucket hold what it loses: the
    /// loss of what nobody else has is nobody's fault.
    fn restore_shard(&mut self) -> Result<(), String> {
        self.deliver()?;
        // A clock that stepped back puts off what is due by as much.
        for _ in 0..4 * u32::from(self.has_bucket()) {
            self.now_ms += 61_000;
            while self.archive(Service::Done)? {}
        }
        if self.shard.archive_wait_ms(self.now_ms).is_some() {
            return Ok(());
        }
        let is_held = self.told.is_subset(&Books::of(&self.receiver.world).held);
        let Some(backup) = self.backups.first().filter(|_| is_held).cloned() else {
            return Ok(());
        };
        self.floor = self.receiver.log.len();
        *self.disk.0.borrow_mut() = backup;
        self.backups.clear();
        (self.is_forgetful, self.is_renumbered, self.is_restored) = (true, true, true);
        self.crash_shard()
    }

    /// One exchange with the aggregator; says whether anything was left to send.
    fn forward(&mut self, fate: Fate) -> Result<bool, String> {
        let parcel = match self.shard.parcel()? {
            None => return Ok(false),
            Some(Outgoing::Parcel(parcel)) => parcel,
            Some(Outgoing::Missing { .. }) if fate == Fate::Lost => return Ok(true),
            Some(Outgoing::Missing { spilled, name }) => {
                let object = self.bucket.read(&name);
                let epoch = self.next_epoch();
                let is_lost = self.shard.refill(spilled, object.as_deref(), epoch)?;
                // Storage that fell back may know objects that were deleted since.
                if is_lost && (object.is_some() || !self.is_restored) {
                    return Err(format!("{name} is damaged or gone"));
                }
                return Ok(true);
            }
        };
        self.sent.push(parcel.clone());
        let mut receive = || self.receiver.receive(&parcel, self.now_ms);
        let reply = match fate {
            Fate::Lost => Reply::Unavailable,
            Fate::Delivered => receive()?,
            Fate::AnswerLost => {
                receive()?;
                Reply::Unavailable
            }
            Fate::Twice => {
                receive()?;
                receive()?
            }
        };
        let epoch = self.next_epoch();
        let next = self.shard.finish(&parcel, reply, epoch)?;
        self.is_renumbered |= matches!(next, Next::NewEpoch { .. });
        let may_end = self.is_restored || !self.has_bucket() || self.sabotage != Sabotage::None;
        if self.is_renumbered && !may_end {
            return Err(format!("an epoch ended with {reply:?}"));
        }
        self.shard.note_keep_from(parcel.epoch, self.receiver.last(parcel.epoch, self.kept.1) + 1);
        Ok(next != Next::Rest)
    }

    fn deliver(&mut self) -> Result<(), String> {
        let mut exchanges = 0;
        while self.forward(Fate::Delivered)? {
            exchanges += 1;
            if exchanges > 1_000 {
                return Err("the shard never comes to rest".to_owned());
            }
        }
        if self.shard.has_backlog() { Err("a backlog is left".to_owned()) } else { Ok(()) }
    }

    /// Lets everything arrive, then compares.
    fn finish(mut self) -> Result<(), String> {
        self.crash_shard()?;
        for round in 0..100 {
            self.retry()?;
            self.commit()?;
            self.deliver()?;
            self.now_ms += 61_000;
            while self.archive(Service::Done)? {}
            // A clock that stepped back puts off what is due by as much.
            if self.pending.is_empty() && round >= 4 {
                break;
            }
        }
        let silent: Vec<&u16> = self
            .all
            .iter()
            .filter(|e| !self.told.contains(e) && !self.given_up.contains(e))
            .collect();
        if !silent.is_empty() {
            return Err(format!("never answered: {silent:?}"));
        }
        self.compare()?;
        self.receiver.restart(usize::MAX)?;
        self.compare().map_err(|error| format!("after a restart: {error}"))
    }

    fn compare(&self) -> Result<(), String> {
        let books = Books::of(&self.receiver.world);
        if !self.told.is_subset(&books.held) {
            let lost: Vec<&u16> = self.told.difference(&books.held).collect();
            return Err(format!("lost: {lost:?}"));
        }
        if !books.held.is_subset(&self.all) {
            let made_up: Vec<&u16> = books.held.difference(&self.all).collect();
            return Err(format!("never sent: {made_up:?}"));
        }
        books.check()?;
        if self.has_bucket() {
            return self.compare_archive(&books.held);
        }
        if self.is_renumbered { Ok(()) } else { books.check_frames(&self.disk.0.borrow()) }
    }

    /// The archive holds what the aggregator holds, and nothing waits for the bucket any more.
    fn compare_archive(&self, held: &BTreeSet<u16>) -> Result<(), String> {
        let archived: BTreeSet<u16> = self.bucket.archived()?.into_iter().collect();
        // Where shard and aggregator both fell back, only the archive has what nobody was told.
        let has_more = self.is_restored && archived.is_superset(held);
        if archived != *held && !(has_more && archived.is_subset(&self.all)) {
            let missing: Vec<&u16> = held.symmetric_difference(&archived).collect();
            return Err(format!("not in both aggregator and archive: {missing:?}"));
        }
        match self.shard.archive_wait_ms(self.now_ms) {
            None => Ok(()),
            Some(wait_ms) => Err(format!("the bucket is not done with, in {wait_ms} ms")),
        }
    }
}

/// Runs a case.
pub fn run(case: &Case) -> Result<(), String> {
    run_with(case, Sabotage::None)
}

/// Runs a case with a fault built in.
pub fn run_with(case: &Case, sabotage: Sabotage) -> Result<(), String> {
    let mut simulation = Simulation::new(case, sabotage);
    case.operations.iter().try_for_each(|operation| simulation.perform(operation))?;
    simulation.finish()
}
