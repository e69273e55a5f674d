//! The door to the thread that owns the state: what it is asked, and what it shows.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use edgetally_proto::sign::Backlog;
use tokio::sync::oneshot;

use super::backup::Wanted;
use crate::apply::{Changed, Outcome};
use crate::audit::Note;
use crate::dedup::Source;
use crate::directory::AdminWrite;
use crate::intake::Incoming;
use crate::local;
use crate::view::View;

/// Requests that may wait; more are refused as overload.
const QUEUE: usize = 256;

/// What the thread is asked.
pub enum Command {
    /// Frames of one shard.
    Frames {
        /// Whose.
        source: Source,
        /// In order.
        frames: Vec<Incoming>,
        /// Whether the shard has more than it sent.
        has_more: bool,
        /// What it says stays behind.
        backlog: Option<Backlog>,
        /// Where the answer goes.
        reply: oneshot::Sender<FramesReply>,
    },
    /// A write of an administrator.
    Write {
        /// What to write.
        write: AdminWrite,
        /// Who, for the audit log.
        note: Note,
        /// Where the version of the directory goes.
        reply: oneshot::Sender<u64>,
    },
    /// Something to take in that no shard sent.
    Local {
        /// What.
        ask: local::Ask,
        /// Who, for the audit log, if somebody asked and something changes.
        note: Option<Note>,
        /// Where the answer goes.
        reply: oneshot::Sender<local::Answer>,
    },
    /// Something for the audit log that changes nothing else.
    Note {
        /// Who did what.
        note: Note,
        /// Told when it is durable.
        reply: oneshot::Sender<()>,
    },
    /// Write a backup with the next checkpoint, which comes at once.
    BackUp(Wanted),
    /// Save a checkpoint and end.
    Stop,
}

/// The answer to a frames request.
#[derive(Debug, Clone, Copy)]
pub struct FramesReply {
    /// How it ended.
    pub outcome: Outcome,
    /// Last number known or applied.
    pub acked: u64,
    /// No restorable state needs frames before this one.
    pub keep_from: u64,
    /// Version of sites and keys.
    pub config_version: u64,
}

/// How far the program has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// The state is being brought back.
    Recovering = 0,
    /// Requests are taken.
    Ready = 1,
    /// The end.
    Stopped = 2,
}

/// What the thread shows to everyone else.
#[derive(Default)]
pub struct Shared {
    /// The snapshot that readers use.
    pub view: ArcSwap<View>,
    /// What changed since it was last taken; for those who watch.
    pub changed: Mutex<Changed>,
    /// Seconds that the last sync took, in microseconds, and how many there were.
    pub syncs: Mutex<Syncs>,
    stage: AtomicU8,
    is_full: AtomicBool,
}

/// What is measured of the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Syncs {
    /// How many ticks were made durable.
    pub count: u64,
    /// How long they took together.
    pub seconds: f64,
    /// Bytes written.
    pub bytes: u64,
}

impl Shared {
    /// How far the program has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Recovering,
            1 => Stage::Ready,
            _ => Stage::Stopped,
        }
    }

    /// Says how far the program has come.
    pub fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Whether the disk has no room for the log, so that nothing can be taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// Says whether the disk has no room for the log.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Release);
    }

    /// Shows a snapshot, and what changed to those who watch.
    pub fn publish(&self, view: View, changed: Changed) {
        self.view.store(Arc::new(view));
        let mut pending = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        pending.directory |= changed.directory;
        for (site, effects) in changed.sites {
            let known = pending.sites.entry(site).or_default();
            known.seconds.extend(effects.seconds);
            known.orders.extend(effects.orders);
            known.alerts.extend(effects.alerts);
        }
    }
}

/// Where requests go in.
#[derive(Clone)]
pub struct Engine {
    sender: SyncSender<Command>,
    /// What the thread shows.
    pub shared: Arc<Shared>,
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many wait already.
    Overloaded,
    /// The program is starting or ending.
    NotReady,
    /// The disk has no room for the log.
    Full,
}

impl Engine {
    /// A door, and where the thread finds what comes through it.
    #[must_use]
    pub fn open() -> (Self, Receiver<Command>) {
        let (sender, receiver) = sync_channel(QUEUE);
        (Self { sender, shared: Arc::default() }, receiver)
    }

    /// Hands a command to the thread.
    ///
    /// # Errors
    /// If it takes none now.
    pub fn send(&self, command: Command) -> Result<(), Refusal> {
        if self.shared.stage() != Stage::Ready {
            return Err(Refusal::NotReady);
        }
        if self.shared.is_full() {
            return Err(Refusal::Full);
        }
        self.sender.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Overloaded,
            TrySendError::Disconnected(_) => Refusal::NotReady,
        })
    }

    /// Asks the thread to save and end, however much waits.
    pub fn stop(&self) {
        // If it has ended already there is nobody to ask.
        let _ = self.sender.send(Command::Stop);
    }
}
