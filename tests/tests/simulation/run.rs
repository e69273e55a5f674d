//! Runs a list of operations and judges where it ends.

use std::collections::{BTreeMap, BTreeSet};

use edge_worker::outbox::{Next, Reply};
use edge_worker::shard::{Parcel, Shard};
use edgetally_proto::error::RejectCode;
use edgetally_proto::frame;
use edgetally_proto::ids::Epoch;
use edgetally_proto::time::{MINUTE_MS, second_of};
use edgetally_proto::window::Window;

use super::books::{Books, START_MS, event, site};
use super::disk::{Disk, Shared};
use super::model::{Fate, Operation};
use super::receiver::{Receiver, Sabotage};

/// So long after it was taken in an event is known to the shard for sure.
const KNOWN_MS: i64 = 14 * MINUTE_MS;
/// Earlier states of the disk that are kept.
const BACKUPS: usize = 8;

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
    disk: Shared,
    backups: Vec<Disk>,
    shard: Shard<Shared>,
    receiver: Receiver,
    /// A restored aggregator keeps at least so many entries: the shard has no others any more.
    floor: usize,
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
    /// Whether the shard lost its disk or the clock stepped back: it may have forgotten ids.
    is_forgetful: bool,
}

fn epoch(number: u32) -> Epoch {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Epoch(bytes)
}

impl Simulation {
    fn new(sabotage: Sabotage) -> Self {
        let disk = Shared::default();
        let shard = Shard::load(disk.clone(), epoch(0), START_MS).unwrap();
        Self {
            sabotage,
            now_ms: START_MS,
            epochs: 0,
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
            is_forgetful: false,
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
                self.write()?;
                self.crash_shard()?;
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
                let kept = self.receiver.log.len() * usize::from(255 - share) / 255;
                self.receiver.restart(kept.max(self.floor))?;
            }
            Operation::Pass(seconds) => {
                self.is_forgetful |= *seconds < 0;
                self.now_ms += i64::from(*seconds) * 1_000;
            }
        }
        Ok(())
    }

    fn send(&mut self, mut request: Pending) -> Result<(), String> {
        let mut window = Window::default();
        for number in &request.events {
            window.fold(&site(), event(*number, self.now_ms));
        }
        if request.events.first().is_some_and(|number| number.is_multiple_of(3)) {
            window.count_reject(&site(), second_of(self.now_ms), RejectCode::NameInvalid);
        }
        let batch = window.seal(self.now_ms);
        let bytes = frame::encode(&batch).len();
        let folded = self.shard.fold(batch, bytes, self.now_ms)?;
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
        self.write()?;
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

    fn write(&mut self) -> Result<(), String> {
        self.shard.commit(self.now_ms)?;
        self.taken.extend(self.open.drain(..));
        Ok(())
    }

    fn next_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        epoch(self.epochs)
    }

    /// Held requests fail; their clients will send again.
    fn crash_shard(&mut self) -> Result<(), String> {
        let epoch = self.next_epoch();
        self.shard = Shard::load(self.disk.clone(), epoch, self.now_ms)?;
        self.open.clear();
        self.pending.iter_mut().for_each(|request| request.held = None);
        Ok(())
    }

    /// The disk falls back to an earlier state, if the aggregator holds what it loses: the loss of
    /// what nobody else has is nobody's fault.
    fn restore_shard(&mut self) -> Result<(), String> {
        self.deliver()?;
        let is_held = self.told.is_subset(&Books::of(&self.receiver.world).held);
        let Some(backup) = self.backups.first().filter(|_| is_held).cloned() else {
            return Ok(());
        };
        self.floor = self.receiver.log.len();
        *self.disk.0.borrow_mut() = backup;
        self.backups.clear();
        (self.is_forgetful, self.is_renumbered) = (true, true);
        self.crash_shard()
    }

    /// One exchange with the aggregator; says whether anything was left to send.
    fn forward(&mut self, fate: Fate) -> Result<bool, String> {
        let Some(parcel) = self.shard.parcel()? else { return Ok(false) };
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
        self.retry()?;
        self.commit()?;
        self.deliver()?;
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
        if self.is_renumbered { Ok(()) } else { books.check_frames(&self.disk.0.borrow()) }
    }
}

/// Runs a case.
pub fn run(operations: &[Operation]) -> Result<(), String> {
    run_with(operations, Sabotage::None)
}

/// Runs a case with a fault built in.
pub fn run_with(operations: &[Operation], sabotage: Sabotage) -> Result<(), String> {
    let mut simulation = Simulation::new(sabotage);
    operations.iter().try_for_each(|operation| simulation.perform(operation))?;
    simulation.finish()
}
