//! Runs a list of operations and judges where it ends.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use aggregator::apply::{Changed, Entry, Outcome, World};
use aggregator::dedup::Source;
use aggregator::intake;
use aggregator::merge::Measure;
use edge_worker::outbox::{Next, Outbox, Reply};
use edge_worker::shard::{Parcel, Shard, Storage};
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::frame;
use edgetally_proto::ids::{ClientId, Epoch, EventId, EventName, ShardName, SiteId, TransactionId};
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags};
use edgetally_proto::window::Window;

use super::model::{Fate, Operation};

const START_MS: i64 = 1_772_420_400_000;

/// A fault built in on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// The aggregator now and then acknowledges what it has not read.
    AckUnread,
    /// The aggregator now and then acknowledges what it has not logged.
    AckUnlogged,
}

/// What a shard has on disk.
#[derive(Debug, Default)]
struct Disk {
    epoch: Option<(Epoch, u64)>,
    ring: BTreeMap<u64, (u64, u64, Vec<u8>)>,
    ids: BTreeMap<(i64, usize), (i64, Vec<u8>)>,
}

#[derive(Debug, Clone, Default)]
struct Shared(Rc<RefCell<Disk>>);

impl Storage for Shared {
    fn epoch(&self) -> Result<Option<(Epoch, u64)>, String> {
        Ok(self.0.borrow().epoch)
    }
    fn put_epoch(&mut self, epoch: Epoch, base: u64) -> Result<(), String> {
        self.0.borrow_mut().epoch = Some((epoch, base));
        Ok(())
    }
    fn head(&self) -> Result<(u64, u64), String> {
        let disk = self.0.borrow();
        let newest = disk.ring.values().max_by_key(|(sequence, _, _)| *sequence);
        Ok(newest.map_or((0, 0), |(sequence, acked, _)| (*sequence, *acked)))
    }
    fn put_frame(&mut self, sequence: u64, acked: u64, frame: Vec<u8>) -> Result<(), String> {
        self.0.borrow_mut().ring.insert(Outbox::slot(sequence), (sequence, acked, frame));
        Ok(())
    }
    fn frame(&self, sequence: u64) -> Result<Option<Vec<u8>>, String> {
        let disk = self.0.borrow();
        let slot = disk.ring.get(&Outbox::slot(sequence));
        Ok(slot.filter(|(held, _, _)| *held == sequence).map(|(_, _, frame)| frame.clone()))
    }
    fn put_ids(&mut self, minute: i64, parts: Vec<Vec<u8>>) -> Result<(), String> {
        for (at, part) in parts.into_iter().enumerate() {
            self.0.borrow_mut().ids.insert((minute.rem_euclid(16), at), (minute, part));
        }
        Ok(())
    }
    fn ids_since(&self, minute: i64) -> Result<Vec<(i64, Vec<u8>)>, String> {
        let disk = self.0.borrow();
        let mut rows: Vec<_> = disk.ids.values().filter(|(m, _)| *m >= minute).cloned().collect();
        rows.sort();
        Ok(rows)
    }
}

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
    epochs: u8,
    disk: Shared,
    shard: Shard<Shared>,
    world: World,
    log: Vec<Entry>,
    sent: Vec<Parcel>,
    pending: Vec<Pending>,
    /// Events that a client was told are taken, or repeats of such.
    told: BTreeSet<u16>,
    /// Events that were ever sent.
    all: BTreeSet<u16>,
}

fn site() -> SiteId {
    SiteId::parse("demo").unwrap()
}

/// Every fourth event is an order of its own, worth its number.
fn event(number: u16, now_ms: i64) -> Event {
    let is_order = number.is_multiple_of(4);
    let fact = is_order.then(|| Fact {
        transaction: TransactionId::parse(&format!("T{number}")).ok(),
        value: Some(Money { minor: i64::from(number), currency: vnd() }),
        ..Fact::default()
    });
    Event {
        id: EventId::parse(&format!("e{number}")).unwrap(),
        client: ClientId::parse(&format!("c{}", number % 5)).ok(),
        user: None,
        name: EventName::parse(if is_order { "purchase" } else { "page_view" }).unwrap(),
        platform: Platform::Web,
        occurred_at_ms: START_MS + i64::from(number) * 700,
        received_at_ms: now_ms,
        flags: Flags::default(),
        page: Some(format!("/p/{}", number % 7)),
        referrer: None,
        campaign: None,
        grade: None,
        place: None,
        device: None,
        fact,
        user_agent: None,
        page_host: None,
    }
}

fn vnd() -> Currency {
    Currency::parse("VND").unwrap()
}

impl Simulation {
    fn new(sabotage: Sabotage) -> Self {
        let disk = Shared::default();
        let shard = Shard::load(disk.clone(), Epoch([0; 16]), START_MS).unwrap();
        Self {
            sabotage,
            now_ms: START_MS,
            epochs: 0,
            disk,
            shard,
            world: World::default(),
            log: Vec::new(),
            sent: Vec::new(),
            pending: Vec::new(),
            told: BTreeSet::new(),
            all: BTreeSet::new(),
        }
    }

    fn perform(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Send { events } => {
                self.all.extend(events);
                self.send(Pending { events: events.clone(), held: None })?;
            }
            Operation::Retry => self.retry()?,
            Operation::Commit => self.commit()?,
            Operation::CommitAndCrash => {
                self.shard.commit(self.now_ms)?;
                self.crash_shard()?;
            }
            Operation::Forward(fate) => self.forward(*fate).map(|_| ())?,
            Operation::Stray => {
                let parcel = self.sent.get(self.sent.len() / 2).cloned();
                parcel.map(|parcel| self.receive(&parcel)).transpose()?;
            }
            Operation::CrashShard => self.crash_shard()?,
            Operation::CrashAggregator => self.restart_aggregator(self.log.len())?,
            Operation::RestoreAggregator(share) => {
                let kept = self.log.len() * usize::from(255 - share) / 255;
                self.restart_aggregator(kept)?;
            }
            Operation::Pass(seconds) => self.now_ms += i64::from(*seconds) * 1_000,
        }
        Ok(())
    }

    fn send(&mut self, mut request: Pending) -> Result<(), String> {
        let mut window = Window::default();
        for number in &request.events {
            window.fold(&site(), event(*number, self.now_ms));
        }
        let batch = window.seal(self.now_ms);
        let bytes = frame::encode(&batch).len();
        let folded = self.shard.fold(batch, bytes, self.now_ms)?;
        request.held = folded.map(|folded| (folded.window, folded.news));
        self.pending.push(request);
        Ok(())
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
        self.shard.commit(self.now_ms)?;
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

    /// Held requests fail; their clients will send again.
    fn crash_shard(&mut self) -> Result<(), String> {
        self.epochs += 1;
        let epoch = Epoch([self.epochs; 16]);
        self.shard = Shard::load(self.disk.clone(), epoch, self.now_ms)?;
        self.pending.iter_mut().for_each(|request| request.held = None);
        Ok(())
    }

    fn restart_aggregator(&mut self, kept: usize) -> Result<(), String> {
        self.log.truncate(kept);
        self.world = World::default();
        self.log.iter().try_for_each(|entry| self.world.replay(entry.clone()))
    }

    /// One exchange with the aggregator; says whether anything was left to send.
    fn forward(&mut self, fate: Fate) -> Result<bool, String> {
        let Some(parcel) = self.shard.parcel()? else { return Ok(false) };
        self.sent.push(parcel.clone());
        let reply = match fate {
            Fate::Lost => Reply::Unavailable,
            Fate::Delivered => self.receive(&parcel)?,
            Fate::AnswerLost => {
                self.receive(&parcel)?;
                Reply::Unavailable
            }
            Fate::Twice => {
                self.receive(&parcel)?;
                self.receive(&parcel)?
            }
        };
        self.epochs += 1;
        let next = self.shard.finish(&parcel, reply, Epoch([self.epochs; 16]))?;
        Ok(next != Next::Rest)
    }

    /// The aggregator's side of one request: decide, log, apply, answer.
    fn receive(&mut self, parcel: &Parcel) -> Result<Reply, String> {
        if self.sabotage == Sabotage::AckUnread && parcel.first.is_multiple_of(2) {
            return Ok(Reply::Acked(parcel.last));
        }
        let shard = ShardName::parse("v1|apac|0").map_err(|error| error.to_string())?;
        let source = Source { shard: shard.clone(), epoch: parcel.epoch };
        let read = intake::read(parcel.first, parcel.last, &parcel.body)
            .map_err(|error| error.to_string())?;
        let decision = self.world.decide(&source, read.frames, self.now_ms);
        let mut changed = Changed::default();
        for frame in &decision.fresh {
            let entry = Entry::Frame {
                shard: shard.clone(),
                epoch: parcel.epoch.0,
                sequence: frame.sequence,
                checksum: frame.checksum,
                is_dead: frame.batch.is_none(),
                bytes: frame.bytes.clone(),
            };
            if self.sabotage != Sabotage::AckUnlogged || frame.sequence.is_multiple_of(2) {
                self.log.push(entry);
            }
            self.world.apply(&source, frame.batch.as_ref(), self.now_ms, &mut changed);
        }
        match decision.outcome {
            Outcome::Acked => Ok(Reply::Acked(decision.acked)),
            Outcome::Gap { expected } => Ok(Reply::Expected(expected)),
            Outcome::Fork => Ok(Reply::Fork),
            Outcome::Dead => Err("a good frame was put aside as dead".to_owned()),
        }
    }

    /// Lets everything arrive, then compares.
    fn finish(mut self) -> Result<(), String> {
        self.crash_shard()?;
        self.retry()?;
        self.commit()?;
        let mut exchanges = 0;
        while self.forward(Fate::Delivered)? {
            exchanges += 1;
            if exchanges > 1_000 {
                return Err("the shard never comes to rest".to_owned());
            }
        }
        if self.shard.has_backlog() {
            return Err("a backlog is left".to_owned());
        }
        if self.told != self.all {
            return Err(format!("never answered: {:?}", self.all.difference(&self.told)));
        }
        self.compare(&self.world)?;
        self.restart_aggregator(self.log.len())?;
        self.compare(&self.world).map_err(|error| format!("after a restart: {error}"))
    }

    fn compare(&self, world: &World) -> Result<(), String> {
        let counted = totals(world);
        let orders = self.all.iter().filter(|number| number.is_multiple_of(4));
        let revenue: i64 = orders.clone().map(|number| i64::from(*number)).sum();
        let expected = (self.all.len(), orders.count(), i128::from(revenue));
        if counted == expected {
            return Ok(());
        }
        Err(format!("(events, orders, revenue): counted {counted:?}, sent {expected:?}"))
    }
}

/// Events by the counters, orders, and revenue in VND.
fn totals(world: &World) -> (usize, usize, i128) {
    let Some(site) = world.sites.get(&site()) else { return (0, 0, 0) };
    let (from_ms, to_ms) = (START_MS - 86_400_000, START_MS + 30 * 86_400_000);
    let mut events = 0;
    site.counters.visit(from_ms, to_ms, |measure, count| {
        if let Measure::Events { .. } = measure {
            events += count;
        }
    });
    let sales = site.ledger.sales.between(from_ms, to_ms);
    let revenue = sales.takings.iter().map(|(_, takings)| takings.minor).sum();
    let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    (count(events), count(sales.orders), revenue)
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
