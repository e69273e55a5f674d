//! The shard object: takes the events of its clients, commits them in groups, forwards frames.
//!
//! Requests are held until the frame that their events went into is written. Nothing may be
//! answered earlier; the platform's output gate then holds the answer until the write is durable.
//! Between two writes of one commit there is no await, so they are one transaction.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use edgetally_proto::batch::Batch;
use edgetally_proto::frame;
use edgetally_proto::ids::Epoch;
use edgetally_proto::limits::{
    ALARM_MS, COMMIT_EVENTS, COMMIT_INTERVAL_MS, IDS_MINUTES, WINDOW_BYTES_MAX,
};
use edgetally_proto::time::MINUTE_MS;
use futures_channel::oneshot;
use worker::{
    Delay, DurableObject, Env, Request, Response, Result, State, console_error, durable_object,
};

use super::bindings;
use super::forward;
use super::storage::Storage;
use crate::accumulate::Window;
use crate::known_ids::KnownIds;
use crate::outbox::Outbox;

/// Commits come this far apart while much waits for the aggregator.
const PRESSED_INTERVAL_MS: i64 = 1_000;
/// An alarm that was set less than this ago still lies well ahead.
const ALARM_AGE_MS_MAX: i64 = 20_000;

/// What a shard holds in memory: a copy of what is stored, and what nobody was told is done.
pub(super) struct Memory {
    pub(super) outbox: Outbox,
    pub(super) storage: Storage,
    /// Whether a task forwards frames.
    pub(super) forwarding: bool,
    known_ids: KnownIds,
    /// Ids of minutes before this one are stored.
    ids_minute: i64,
    window: Window,
    parked: Vec<oneshot::Sender<()>>,
    /// Grows with every commit; tells a timer whether its window is still open.
    commits: u64,
    committed_at_ms: i64,
    alarm_set_at_ms: i64,
}

/// What the tasks of a shard share.
pub(super) struct Core {
    pub(super) state: State,
    pub(super) env: Env,
    pub(super) memory: RefCell<Option<Memory>>,
}

/// A share of the clients.
#[durable_object(alarm)]
pub struct Shard(Rc<Core>);

impl DurableObject for Shard {
    fn new(state: State, env: Env) -> Self {
        Self(Rc::new(Core { state, env, memory: RefCell::new(None) }))
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let outcome = match request.path().as_str() {
            bindings::ADMIT => {
                let body = request.bytes().await?;
                Core::admit(&self.0, &body).await
            }
            bindings::WAKE => self.wake().and_then(|()| Response::empty()),
            _ => Response::error("no such route", 404),
        };
        outcome.or_else(|error| {
            console_error!("shard: {error}");
            Response::error(error.to_string(), 503)
        })
    }

    /// The safety net of forwarding: re-armed before anything can fail.
    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = self.wake() {
            console_error!("shard: alarm: {error}");
        }
        Response::empty()
    }
}

impl Shard {
    fn wake(&self) -> Result<()> {
        let backlog = self.0.with(|memory| {
            memory.alarm_set_at_ms = 0;
            Ok(memory.outbox.has_backlog())
        })?;
        if backlog {
            self.0.arm_alarm()?;
            forward::start(&self.0)?;
        }
        Ok(())
    }
}

impl Memory {
    fn load(state: &State, now_ms: i64) -> Result<Self> {
        let storage = Storage::open(state.storage().sql())?;
        let (epoch, base) = match storage.epoch()? {
            Some(known) => known,
            None => {
                let epoch = Epoch(bindings::random()?);
                storage.put_epoch(epoch, 0)?;
                (epoch, 0)
            }
        };
        let (head, acked) = storage.head()?;
        let outbox = Outbox::new(epoch, base, head, acked.max(base));
        let mut memory = Self {
            outbox,
            storage,
            forwarding: false,
            known_ids: KnownIds::default(),
            ids_minute: 0,
            window: Window::default(),
            parked: Vec::new(),
            commits: 0,
            committed_at_ms: 0,
            alarm_set_at_ms: 0,
        };
        memory.load_ids(now_ms)?;
        Ok(memory)
    }

    /// Stored minutes first, then the frames that were committed after them.
    fn load_ids(&mut self, now_ms: i64) -> Result<()> {
        let since = now_ms.div_euclid(MINUTE_MS) - IDS_MINUTES;
        self.ids_minute = since;
        for (minute, part) in self.storage.ids_since(since)? {
            self.ids_minute = minute + 1;
            if let Err(error) = self.known_ids.decode(minute, &part) {
                console_error!("shard: a row of ids is damaged: {error}");
            }
        }
        for sequence in (self.outbox.oldest()..=self.outbox.head).rev() {
            let Some(bytes) = self.storage.frame(sequence)? else {
                break;
            };
            let batch = frame::decode(&bytes).map_err(|error| error.to_string())?;
            if batch.committed_at_ms < self.ids_minute * MINUTE_MS {
                break;
            }
            self.known_ids.insert_batch(&batch);
        }
        Ok(())
    }

    /// Closes the window, writes it into the ring and lets the held requests go.
    fn commit(&mut self, now_ms: i64) -> Result<()> {
        if self.window.is_empty() {
            return Ok(());
        }
        let bytes = frame::encode(&self.window.seal(now_ms));
        let acked = self.outbox.acked;
        let sequence = self.outbox.commit();
        self.storage.put_frame(sequence, acked, bytes)?;
        let minute = now_ms.div_euclid(MINUTE_MS);
        for over in self.ids_minute..minute {
            self.storage.put_ids(over, self.known_ids.encode(over))?;
        }
        self.ids_minute = self.ids_minute.max(minute);
        self.known_ids.forget(now_ms);
        self.commits += 1;
        self.committed_at_ms = now_ms;
        for parked in self.parked.drain(..) {
            // A request that went away needs no answer.
            let _gone = parked.send(());
        }
        Ok(())
    }

    fn fold(&mut self, batch: Batch, now_ms: i64) -> Vec<bool> {
        let mut news = Vec::new();
        for site in batch.sites {
            let known_ids = &mut self.known_ids;
            news.extend(self.window.absorb(site, |site, client, record| {
                known_ids.insert(site, client, &record.id, now_ms)
            }));
        }
        news
    }
}

impl Core {
    /// Runs a step on the memory, loaded if it is not there. After a failure the memory is thrown
    /// away, held requests with it: storage is the truth.
    pub(super) fn with<T>(&self, step: impl FnOnce(&mut Memory) -> Result<T>) -> Result<T> {
        let mut memory =
            self.memory.try_borrow_mut().map_err(|_| "the shard's memory is in use")?;
        if memory.is_none() {
            *memory = Some(Memory::load(&self.state, bindings::now_ms())?);
        }
        let outcome = memory.as_mut().ok_or("the shard has no memory".into()).and_then(step);
        if outcome.is_err() {
            *memory = None;
        }
        outcome
    }

    /// Takes a frame of events and holds the request until they are committed. Answers one byte
    /// for each record: 1 if it was new, 0 if it was known.
    async fn admit(core: &Rc<Self>, body: &[u8]) -> Result<Response> {
        let Ok(batch) = frame::decode(body) else {
            return Response::error("no frame", 400);
        };
        let now_ms = bindings::now_ms();
        let (news, committed, due) = core.with(|memory| {
            if !memory.outbox.has_room() {
                return Ok((Vec::new(), None, Due::Never));
            }
            if memory.window.bytes() + body.len() > WINDOW_BYTES_MAX {
                memory.commit(now_ms)?;
            }
            let news = memory.fold(batch, now_ms);
            let (sender, committed) = oneshot::channel();
            memory.parked.push(sender);
            Ok((news, Some(committed), memory.due(now_ms)))
        })?;
        let Some(committed) = committed else {
            return Response::error("the ring is full", 503);
        };
        match due {
            Due::Now => Self::commit(core)?,
            Due::After { after_ms, commits } => Self::commit_later(core, after_ms, commits),
            Due::Never => {}
        }
        match committed.await {
            Ok(()) => Response::from_bytes(news.into_iter().map(u8::from).collect()),
            Err(_) => Response::error("the commit failed", 503),
        }
    }

    fn commit(core: &Rc<Self>) -> Result<()> {
        core.with(|memory| memory.commit(bindings::now_ms()))?;
        core.arm_alarm()?;
        forward::start(core)
    }

    fn commit_later(core: &Rc<Self>, after_ms: i64, commits: u64) {
        let task = Rc::clone(core);
        core.state.wait_until(async move {
            Delay::from(Duration::from_millis(after_ms.unsigned_abs())).await;
            let is_open = task.with(|memory| Ok(memory.commits == commits));
            if let Ok(true) = is_open
                && let Err(error) = Self::commit(&task)
            {
                console_error!("shard: commit: {error}");
            }
        });
    }

    /// Keeps an alarm ahead while something waits for the aggregator.
    fn arm_alarm(&self) -> Result<()> {
        let now_ms = bindings::now_ms();
        let needed = self.with(|memory| {
            let old = now_ms - memory.alarm_set_at_ms >= ALARM_AGE_MS_MAX;
            let needed = old && memory.outbox.has_backlog();
            if needed {
                memory.alarm_set_at_ms = now_ms;
            }
            Ok(needed)
        })?;
        if needed {
            let storage = self.state.storage();
            self.state.wait_until(async move {
                let ahead = Duration::from_millis(ALARM_MS.unsigned_abs());
                if let Err(error) = storage.set_alarm(ahead).await {
                    console_error!("shard: the alarm cannot be set: {error}");
                }
            });
        }
        Ok(())
    }
}

/// When a window is to be committed.
enum Due {
    /// At once.
    Now,
    /// By a timer that starts now, if the window is still open then.
    After { after_ms: i64, commits: u64 },
    /// A timer runs already.
    Never,
}

impl Memory {
    /// The first request of a window starts its timer; a full window does not wait for it, but
    /// there are at most four commits a second unless the window would outgrow its frame.
    fn due(&self, now_ms: i64) -> Due {
        let interval_ms =
            if self.outbox.is_pressed() { PRESSED_INTERVAL_MS } else { COMMIT_INTERVAL_MS };
        let rested = now_ms - self.committed_at_ms >= interval_ms;
        if self.window.bytes() > WINDOW_BYTES_MAX
            || (self.window.events() >= COMMIT_EVENTS && rested)
        {
            Due::Now
        } else if self.parked.len() == 1 {
            Due::After { after_ms: interval_ms, commits: self.commits }
        } else {
            Due::Never
        }
    }
}
