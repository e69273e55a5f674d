//! The one thread that owns the state.
//!
//! Requests wait for the tick they fall in: decide, append all, sync, apply, publish, answer. So
//! one sync serves everyone who came meanwhile, and nothing is answered before it is durable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::backup::{Failure, Wanted};
use super::engine::{Command, Engine, FramesReply, Shared, Stage};
use super::log::Log;
use super::recover::{Layout, RecoverError, Recovered, recover};
use super::room;
use super::saver::{self, Checkpoint, Saver};
use super::tick::{Answer, Owed, collect, entry};
use super::vault::Vault;
use crate::apply::{Changed, Entry, World};
use crate::audit::Note;
use crate::checkpoint;
use crate::dedup::Source;
use crate::local;

/// How often it is asked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A checkpoint is due after this long.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);
/// Whether days are over is asked again after this long.
const SEAL_EVERY: Duration = Duration::from_secs(60);
/// A checkpoint is due after this much log.
const CHECKPOINT_LOG_BYTES: u64 = 64 << 20;
/// Checkpoints after which neither log nor snapshot hold what was erased.
const ERASING_CHECKPOINTS: u8 = 2;

/// Why the thread ended.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The state could not be brought back.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The log cannot be written; nothing more may be acknowledged.
    #[error("the log cannot be written: {0}")]
    Log(#[from] io::Error),
    /// Records cannot be read back, so what follows from them would be wrong.
    #[error("the store cannot be read: {0}")]
    Vault(String),
    /// Checkpoints cannot be saved.
    #[error("checkpoints cannot be saved")]
    Saver,
    /// The disk was full at the end; the log holds what was acknowledged.
    #[error("the disk is full: no checkpoint was saved, the next start reads the log")]
    Full,
}

/// Starts the thread; it recovers first. The handle ends with the reason.
///
/// # Errors
/// If the system gives no thread.
pub fn start(
    layout: Layout,
) -> io::Result<(Engine, std::thread::JoinHandle<Result<(), WriterError>>)> {
    let (engine, receiver) = Engine::open();
    let shared = engine.shared.clone();
    let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let end = run(&layout, &shared, &receiver);
        shared.set_stage(Stage::Stopped);
        end
    })?;
    Ok((engine, thread))
}

#[expect(clippy::disallowed_methods, reason = "the thread is where time enters the state")]
fn now_ms() -> i64 {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

struct Writer<'a> {
    world: World,
    log: Log,
    saver: Saver,
    vault: Arc<Vault>,
    shared: &'a Shared,
    saved_at: Instant,
    sealed_at: Instant,
    logged: u64,
    /// Checkpoints that were handed over, and those of them whose end was seen.
    sent: u64,
    seen: u64,
    /// Checkpoints that are due at once after an erasure, because the log is kept two back.
    erasing: u8,
    /// What could not be written down because the disk was full.
    owed: Option<Owed>,
    /// A backup that waits for the saver.
    backup: Option<Wanted>,
    /// Held until the last checkpoint is saved.
    _lock: File,
}

fn marks(world: &World) -> BTreeMap<Source, u64> {
    world.marks.iter().map(|(source, mark)| (source.clone(), mark.last)).collect()
}

#[expect(clippy::disallowed_methods, reason = "checkpoints are due by the clock")]
fn run(layout: &Layout, shared: &Shared, receiver: &Receiver<Command>) -> Result<(), WriterError> {
    let Recovered { mut world, log, store, vault, checkpoint, lock } = recover(layout, now_ms())?;
    world.seal(now_ms(), &mut Changed::default());
    shared.publish(world.view_all(), Changed::default());
    let saver = saver::start(store, layout.clone(), checkpoint, |error| {
        tracing::error!(%error, "a checkpoint cannot be saved");
    })?;
    let (saved_at, logged) = (Instant::now(), 0);
    let sealed_at = saved_at;
    let (sent, seen, erasing, _lock) = (0, 0, 0, lock);
    let mut writer = Writer {
        world,
        log,
        saver,
        vault,
        shared,
        saved_at,
        sealed_at,
        logged,
        sent,
        seen,
        erasing,
        _lock,
        owed: None,
        backup: None,
    };
    // The next start shall not replay what this one did.
    writer.save(None)?;
    shared.set_stage(Stage::Ready);
    loop {
        let received = receiver.recv_timeout(LOOK_EVERY);
        if writer.owed.is_some() {
            if matches!(received, Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected)) {
                return Err(writer.abandon());
            }
            // Whoever got in before the door was closed hears nothing, which is a refusal.
            drop(received);
            writer.settle()?;
            continue;
        }
        match received {
            Ok(first) => {
                let (commands, is_last) = collect(first, receiver);
                writer.tick(commands)?;
                match (is_last, writer.owed.is_some()) {
                    // What is owed is decided, so a checkpoint without it would lose it.
                    (true, true) => return Err(writer.abandon()),
                    (false, true) => continue,
                    (true, false) => return writer.finish(),
                    (false, false) => {}
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return writer.finish(),
        }
        writer.seal();
        writer.make_room()?;
        if writer.is_save_due() {
            writer.save(None)?;
        }
    }
}

impl Writer<'_> {
    fn tick(&mut self, commands: Vec<Command>) -> Result<(), WriterError> {
        let now_ms = now_ms();
        let mut entries = Vec::new();
        let mut answers = Vec::new();
        let mut changed = Changed::default();
        for command in commands {
            match command {
                Command::Frames { source, frames, has_more, backlog, reply } => {
                    let mut decision = self.world.decide(&source, frames, now_ms);
                    self.world.note_backlog(&source, has_more, backlog);
                    entries.extend(decision.fresh.iter_mut().map(|frame| entry(&source, frame)));
                    answers.push(Answer::Frames(Some(reply), source, decision));
                }
                Command::Write { write, note, reply } => {
                    entries.push(self.note(note));
                    entries.push(Entry::Admin(serde_json::to_string(&write).unwrap_or_default()));
                    // Settings take effect between the frames around them, as in the log.
                    self.apply(&mut answers, now_ms, &mut changed);
                    self.world.write(&write, &mut changed);
                    answers.push(Answer::Write(reply, self.world.directory.version));
                }
                Command::Local { ask, note, reply } => {
                    // Looked up in a state that holds every frame before it.
                    self.apply(&mut answers, now_ms, &mut changed);
                    if matches!(ask, local::Ask::Erase { .. }) {
                        self.erasing = ERASING_CHECKPOINTS;
                    }
                    let (more, answer) = self.world.take_in(ask, now_ms, &mut changed);
                    if let Some(note) = note.filter(|_| !more.is_empty()) {
                        entries.push(self.note(note));
                    }
                    entries.extend(more);
                    answers.push(Answer::Local(reply, answer));
                }
                Command::Note { note, reply } => {
                    entries.push(self.note(note));
                    answers.push(Answer::Noted(reply));
                }
                Command::BackUp(wanted) => self.want_backup(wanted),
                Command::Stop => {}
            }
        }
        let mut group = Vec::new();
        if !entries.is_empty() {
            ciborium::into_writer(&entries, &mut group).map_err(io::Error::other)?;
        }
        self.owed = Some(Owed { group, answers, changed, now_ms });
        self.settle()
    }

    /// Makes durable what is owed, shows it and answers. While the disk is full it stays owed, and
    /// whoever waits is refused.
    fn settle(&mut self) -> Result<(), WriterError> {
        let Some(mut owed) = self.owed.take() else { return Ok(()) };
        match self.append(&owed.group) {
            Err(error) if room::is_full(&error) => {
                if !self.shared.is_full() {
                    tracing::error!(%error, "nothing can be taken: make room on the disk");
                    self.shared.set_full(true);
                }
                owed.answers.retain_mut(Answer::forget);
                self.owed = Some(owed);
                return Ok(());
            }
            appended => appended?,
        }
        if self.shared.is_full() {
            tracing::info!("there is room on the disk again");
            self.shared.set_full(false);
        }
        let Owed { mut answers, mut changed, now_ms, .. } = owed;
        self.apply(&mut answers, now_ms, &mut changed);
        self.check()?;
        self.shared.publish(self.world.view(&changed), changed);
        self.answer(answers);
        Ok(())
    }

    /// Takes a note; the entry goes into the log in one group with the change that it tells of.
    fn note(&mut self, note: Note) -> Entry {
        self.world.audit.push(note.clone());
        Entry::Audit(note)
    }

    fn want_backup(&mut self, wanted: Wanted) {
        match &self.backup {
            None => self.backup = Some(wanted),
            // Whoever asked may have gone.
            Some(_) => drop(wanted.reply.send(Err(Failure::UnderWay))),
        }
    }

    fn apply(&mut self, answers: &mut [Answer], now_ms: i64, changed: &mut Changed) {
        for answer in answers {
            let Answer::Frames(_, source, decision) = answer else {
                continue;
            };
            for frame in decision.fresh.drain(..) {
                self.world.apply(source, frame.batch.as_ref(), now_ms, changed);
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the time of a sync is measured")]
    fn append(&mut self, group: &[u8]) -> io::Result<()> {
        if group.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        self.log.append(group)?;
        self.logged += group.len() as u64;
        let mut syncs = self.shared.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        syncs.count += 1;
        syncs.seconds += started.elapsed().as_secs_f64();
        syncs.bytes += group.len() as u64;
        Ok(())
    }

    fn answer(&self, answers: Vec<Answer>) {
        let kept = self.saver.saved.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in answers {
            match answer {
                Answer::Frames(reply, source, decision) => {
                    let reply_value = FramesReply {
                        outcome: decision.outcome,
                        acked: decision.acked,
                        keep_from: kept.get(&source).map_or(1, |last| last + 1),
                        config_version: self.world.directory.version,
                    };
                    // Whoever gave up asks again and is told that it is a replay.
                    let _ = reply.map(|reply| reply.send(reply_value));
                }
                Answer::Write(reply, version) => {
                    let _ = reply.send(version);
                }
                Answer::Local(reply, answer) => {
                    let _ = reply.send(answer);
                }
                Answer::Noted(reply) => {
                    let _ = reply.send(());
                }
            }
        }
    }

    /// Nothing that is worked out without all records may be shown or saved.
    fn check(&self) -> Result<(), WriterError> {
        self.vault.failure().map_or(Ok(()), |why| Err(WriterError::Vault(why)))
    }

    /// Keeps to the bound of memory once a checkpoint holds what there is no room for.
    fn make_room(&mut self) -> Result<(), WriterError> {
        self.check()?;
        let is_saved = self.saver.saved.count.load(Ordering::Acquire) == self.sent;
        if !is_saved || self.seen == self.sent {
            return Ok(());
        }
        self.seen = self.sent;
        self.world.note_saved();
        let mut changed = Changed::default();
        self.world.make_room(&mut changed);
        if !changed.sites.is_empty() {
            tracing::debug!(sites = changed.sites.len(), "left blocks of records to the store");
            self.shared.publish(self.world.view(&changed), changed);
        }
        Ok(())
    }

    /// Seals the days that ended long enough ago, about as often as a day can end somewhere.
    #[expect(clippy::disallowed_methods, reason = "days are sealed by the clock")]
    fn seal(&mut self) {
        if self.sealed_at.elapsed() < SEAL_EVERY {
            return;
        }
        self.sealed_at = Instant::now();
        let mut changed = Changed::default();
        self.world.seal(now_ms(), &mut changed);
        if !changed.sites.is_empty() {
            self.shared.publish(self.world.view(&changed), changed);
        }
    }

    fn is_save_due(&self) -> bool {
        let is_due = self.saved_at.elapsed() >= CHECKPOINT_EVERY;
        let is_wanted = self.erasing > 0 || self.backup.is_some();
        let is_changed =
            is_wanted || self.logged > 0 && (is_due || self.logged >= CHECKPOINT_LOG_BYTES);
        is_changed && !self.saver.saved.is_busy.load(Ordering::Acquire)
    }

    #[expect(clippy::disallowed_methods, reason = "checkpoints are due by the clock")]
    fn save(&mut self, done: Option<SyncSender<()>>) -> Result<(), WriterError> {
        self.check()?;
        match self.log.rotate() {
            // The log holds everything; a checkpoint comes when there is room again.
            Err(error) if room::is_full(&error) && done.is_none() => {
                self.saved_at = Instant::now();
                self.refuse_backup(&error);
                return Ok(());
            }
            Err(error) if room::is_full(&error) => return Err(WriterError::Full),
            rotated => rotated?,
        }
        let position = self.log.position();
        let pieces = checkpoint::take_dirty(&mut self.world, position);
        let marks = marks(&self.world);
        self.saver.saved.is_busy.store(true, Ordering::Release);
        let sent = self.saver.sender.send(Checkpoint {
            pieces,
            position,
            marks,
            at_ms: now_ms(),
            is_snapshot_due: self.erasing > 0,
            backup: self.backup.take(),
            done,
        });
        self.erasing = self.erasing.saturating_sub(1);
        self.sent += 1;
        (self.saved_at, self.logged) = (Instant::now(), 0);
        sent.map_err(|_| WriterError::Saver)
    }

    fn refuse_backup(&mut self, error: &io::Error) {
        tracing::error!(%error, "no room for a checkpoint: make room on the disk");
        let reply = self.backup.take().map(|wanted| wanted.reply);
        // Whoever asked may have gone.
        let _ = reply.map(|reply| reply.send(Err(Failure::Full)));
    }

    /// Ends without a checkpoint, which would hold what the log does not.
    fn abandon(self) -> WriterError {
        self.saver.saved.is_ending.store(true, Ordering::Release);
        drop(self.saver.sender);
        // How it ended was logged there.
        let _ = self.saver.thread.join();
        WriterError::Full
    }

    fn finish(mut self) -> Result<(), WriterError> {
        self.saver.saved.is_ending.store(true, Ordering::Release);
        let (sender, receiver) = sync_channel(1);
        self.save(Some(sender))?;
        receiver.recv().map_err(|_| WriterError::Saver)?;
        drop(self.saver.sender);
        self.saver.thread.join().map_err(|_| WriterError::Saver)?;
        tracing::info!("saved a checkpoint");
        Ok(())
    }
}
