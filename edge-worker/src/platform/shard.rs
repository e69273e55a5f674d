//! The shard object: takes the events of its clients, commits them in groups, forwards frames.
//!
//! Requests are held until the frame that their events went into is written. Nothing may be
//! answered earlier; the platform's output gate then holds the answer until the write is durable.
//! Between two writes of one commit there is no await, so they are one transaction.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use edgetally_proto::limits::{ALARM_MS, RING_SLOTS};
use futures_channel::oneshot;
use worker::{
    Delay, DurableObject, Env, Headers, Request, Response, Result, State, console_error,
    durable_object,
};

use super::storage::Sqlite;
use super::{archive, bindings, forward, glue};
use crate::shard::{self, Due, Setup};
use crate::waiting::decode_admission;

/// Nothing is so urgent that an alarm comes sooner.
const ALARM_MS_MIN: i64 = 1_000;
/// An alarm that is at least this far ahead need not be moved.
const ALARM_AHEAD_MS_MIN: i64 = 10_000;

/// What an object holds in memory.
pub(super) struct Memory {
    pub(super) shard: shard::Shard<Sqlite>,
    /// Whether a task forwards frames.
    pub(super) forwarding: bool,
    /// Whether a task works for the archivist.
    pub(super) archiving: bool,
    /// Which memory of the object this is.
    pub(super) life: u32,
    /// Held requests, with the window that their events went into.
    parked: Vec<(u64, oneshot::Sender<()>)>,
    /// When the alarm goes off, epoch ms; 0 if none is known to be set.
    alarm_at_ms: i64,
}

/// What the tasks of an object share.
pub(super) struct Core {
    pub(super) state: State,
    pub(super) env: Env,
    memory: RefCell<Option<Memory>>,
    lives: Cell<u32>,
}

/// A share of the clients.
#[durable_object(alarm)]
pub struct Shard(Rc<Core>);

impl DurableObject for Shard {
    fn new(state: State, env: Env) -> Self {
        Self(Rc::new(Core { state, env, memory: RefCell::new(None), lives: Cell::new(0) }))
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let outcome = match request.path().as_str() {
            bindings::ADMIT => {
                let body = glue::body(&request).await?;
                Core::admit(&self.0, &body).await
            }
            bindings::WAKE => Core::wake(&self.0).and_then(|()| Response::empty()),
            _ => Response::error("no such route", 404),
        };
        outcome.or_else(|error| {
            console_error!("shard: {error}");
            Response::error(error.to_string(), 503)
        })
    }

    /// The safety net of forwarding: re-armed before anything can fail.
    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = Core::wake(&self.0) {
            console_error!("shard: alarm: {error}");
        }
        Response::empty()
    }
}

impl Core {
    /// Runs a step on the memory, loaded if it is not there. After a failure the memory is thrown
    /// away, held requests with it: storage is the truth.
    pub(super) fn with<T>(&self, step: impl FnOnce(&mut Memory) -> Result<T>) -> Result<T> {
        let mut memory =
            self.memory.try_borrow_mut().map_err(|_| "the shard's memory is in use")?;
        if memory.is_none() {
            *memory = Some(self.load()?);
        }
        let outcome = memory.as_mut().ok_or("the shard has no memory".into()).and_then(step);
        if outcome.is_err() {
            *memory = None;
        }
        outcome
    }

    fn load(&self) -> Result<Memory> {
        let storage = Sqlite::open(self.state.storage().sql())?;
        let setup = Setup { slots: RING_SLOTS, archive: archive::orders(self) };
        let shard = shard::Shard::load(storage, bindings::epoch()?, setup, bindings::now_ms())?;
        self.lives.set(self.lives.get().wrapping_add(1));
        Ok(Memory {
            shard,
            forwarding: false,
            archiving: false,
            life: self.lives.get(),
            parked: Vec::new(),
            alarm_at_ms: 0,
        })
    }

    /// Takes up what waits for the aggregator.
    fn wake(core: &Rc<Self>) -> Result<()> {
        core.with(|memory| {
            memory.alarm_at_ms = 0;
            Ok(())
        })?;
        core.arm_alarm()?;
        core.start_tasks()
    }

    /// Starts what is due.
    fn start_tasks(self: &Rc<Self>) -> Result<()> {
        archive::start(self)?;
        forward::start(self)
    }

    /// Takes a frame of events and holds the request until they are committed. Answers for
    /// each record whether it was new.
    async fn admit(core: &Rc<Self>, body: &[u8]) -> Result<Response> {
        let Ok(admission) = decode_admission(body) else {
            return Response::error("no frame", 400);
        };
        let held = core.with(|memory| {
            let folded = memory.shard.fold(admission, bindings::now_ms())?;
            // Folding commits a window that would outgrow its frame.
            memory.release();
            Ok(folded.map(|folded| {
                let (sender, committed) = oneshot::channel();
                memory.parked.push((folded.window, sender));
                (folded, committed)
            }))
        })?;
        let Some((folded, committed)) = held else {
            return Response::error("ring or bucket take no more", 503);
        };
        match folded.due {
            Due::Now => Self::commit(core)?,
            Due::After { after_ms } => Self::commit_later(core, after_ms, folded.window),
            Due::Scheduled => {}
        }
        match committed.await {
            Ok(()) => told(&folded.news),
            Err(_) => Response::error("the commit failed", 503),
        }
    }

    fn commit(core: &Rc<Self>) -> Result<()> {
        core.with(|memory| {
            memory.shard.commit(bindings::now_ms())?;
            memory.release();
            Ok(())
        })?;
        core.arm_alarm()?;
        core.start_tasks()
    }

    /// Not tied to the request that began the window: it may go away, the others must not wait.
    fn commit_later(core: &Rc<Self>, after_ms: i64, window: u64) {
        let task = Rc::clone(core);
        core.state.wait_until(async move {
            Delay::from(Duration::from_millis(after_ms.unsigned_abs())).await;
            let is_open = task.with(|memory| Ok(memory.shard.is_open(window)));
            if let Ok(true) = is_open
                && let Err(error) = Self::commit(&task)
            {
                console_error!("shard: commit: {error}");
            }
        });
    }

    /// Keeps an alarm ahead while something waits for the aggregator or for the bucket.
    fn arm_alarm(&self) -> Result<()> {
        let now_ms = bindings::now_ms();
        let wait_ms = self.with(|memory| Ok(memory.arm(now_ms)))?;
        if let Some(wait_ms) = wait_ms {
            let storage = self.state.storage();
            self.state.wait_until(async move {
                let ahead = Duration::from_millis(wait_ms.unsigned_abs());
                if let Err(error) = storage.set_alarm(ahead).await {
                    console_error!("shard: the alarm cannot be set: {error}");
                }
            });
        }
        Ok(())
    }
}

/// The answer to a frame: for each record whether it was new.
fn told(news: &[bool]) -> Result<Response> {
    let news: String = news.iter().map(|new| if *new { '1' } else { '0' }).collect();
    let headers = Headers::new();
    headers.set(bindings::NEWS, &news)?;
    Ok(Response::empty()?.with_headers(headers))
}

impl Memory {
    /// How far ahead the alarm is to be set, if it must be.
    fn arm(&mut self, now_ms: i64) -> Option<i64> {
        let forward = self.shard.has_backlog().then_some(ALARM_MS);
        let archive = self.shard.archive_wait_ms(now_ms);
        let wait_ms = forward.into_iter().chain(archive).min()?.clamp(ALARM_MS_MIN, ALARM_MS);
        let is_ahead = self.alarm_at_ms > now_ms && self.alarm_at_ms <= now_ms + wait_ms;
        let is_soon = self.alarm_at_ms < now_ms + wait_ms.min(ALARM_AHEAD_MS_MIN);
        if is_ahead && !(is_soon && wait_ms == ALARM_MS) {
            return None;
        }
        self.alarm_at_ms = now_ms + wait_ms;
        Some(wait_ms)
    }

    /// Lets the requests go whose window was written.
    fn release(&mut self) {
        let shard = &self.shard;
        for (_, parked) in self.parked.extract_if(.., |(window, _)| !shard.is_open(*window)) {
            // A request that went away needs no answer.
            let _gone = parked.send(());
        }
    }
}
