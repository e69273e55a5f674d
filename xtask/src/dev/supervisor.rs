//! Keeps the parts running, and ends every process that they started.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::dev::groups;
use crate::dev::guard::Guard;
use crate::dev::http;
use crate::dev::output::{end_of, hear};
use crate::dev::part::Part;
use crate::dev::state::write_private;
use crate::stop;

// A part that dies again and again is tried this often, and never less.
const RESTART_DELAY_MAX: Duration = Duration::from_secs(2);

// A part that lived this long was well; its next death is restarted at once.
const WELL_AFTER: Duration = Duration::from_secs(5);

// The aggregator closes its store in this time; the others need none.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The parts of one run.
pub struct Supervisor {
    slots: Vec<Slot>,
    guard: Guard,
    sender: Sender<Event>,
    events: Receiver<Event>,
    pids_file: PathBuf,
    // Process ids by the names of the contract; a name keeps its last id until a new one is known.
    pids: BTreeMap<&'static str, i32>,
}

struct Slot {
    part: Part,
    running: Option<Running>,
    started: Instant,
    // When to start it again, if it is down.
    due: Option<Instant>,
    delay: Duration,
    announced: bool,
    was_ready: bool,
}

struct Running {
    // The first process, which leads a group of its own.
    leader: i32,
    // Parts that watch their stdin end with us, even if we end by SIGKILL.
    _stdin: Option<ChildStdin>,
}

enum Event {
    Announced { leader: i32, line: Value },
    Ended { leader: i32, status: std::io::Result<ExitStatus> },
}

impl Supervisor {
    /// A run without parts yet, whose process ids will be in `data`.
    pub fn new(data: &Path) -> Result<Self> {
        groups::adopt_orphans();
        let (sender, events) = mpsc::channel();
        Ok(Self {
            slots: Vec::new(),
            guard: Guard::start()?,
            sender,
            events,
            pids_file: data.join("pids.json"),
            pids: BTreeMap::new(),
        })
    }

    /// Starts a part; it is kept running from its first readiness on.
    pub fn start(&mut self, part: Part) -> Result<()> {
        eprintln!("  start {}", part.name);
        self.slots.push(Slot {
            part,
            running: None,
            started: Instant::now(),
            due: None,
            delay: Duration::ZERO,
            announced: false,
            was_ready: false,
        });
        self.spawn(self.slots.len() - 1)
    }

    /// Waits until a part is ready.
    ///
    /// # Errors
    /// When it ends instead, or is not ready in time; the end of its log is in the error.
    pub fn wait_ready(&mut self, name: &str, limit: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            stop::check()?;
            self.pump(Duration::from_millis(25))?;
            let slot = self.slots.iter_mut().find(|slot| slot.part.name == name);
            let slot = slot.with_context(|| format!("there is no part {name}"))?;
            let announced = slot.announced || !slot.part.announces;
            if announced && slot.part.health.as_deref().is_none_or(http::answers) {
                slot.was_ready = true;
                return Ok(());
            }
            if started.elapsed() > limit {
                bail!("{name} is not ready after {limit:?}\n{}", end_of(&slot.part.log));
            }
        }
    }

    /// The process ids of the contract: the aggregator's and workerd's.
    pub fn pids(&self) -> Value {
        json!(self.pids)
    }

    /// Handles what happens within `timeout`, and starts again what is due.
    pub fn pump(&mut self, timeout: Duration) -> Result<()> {
        match self.events.recv_timeout(timeout) {
            Ok(Event::Announced { leader, line }) => self.announced(leader, &line)?,
            Ok(Event::Ended { leader, status }) => self.ended(leader, status)?,
            Err(_) => {}
        }
        for index in 0..self.slots.len() {
            if self.slots[index].due.is_some_and(|due| due <= Instant::now()) {
                self.spawn(index)?;
                eprintln!("  {} is started again", self.slots[index].part.name);
            }
        }
        Ok(())
    }

    /// Ends all parts, the last one started first, with everything they started.
    pub fn stop_all(mut self) {
        eprintln!("  stop");
        while let Some(mut slot) = self.slots.pop() {
            if let Some(running) = slot.running.take() {
                self.end(running);
            }
        }
        // Before the orphans: it is a child of ours as well, and has nothing left to guard.
        self.guard.end();
        groups::end_orphans();
        // Its numbers mean nothing any more, and may soon mean other processes.
        let _ = fs::remove_file(&self.pids_file);
    }

    fn end(&mut self, running: Running) {
        let leader = running.leader;
        drop(running);
        // Only to the first process: it knows best how to end the others.
        let _ = kill(Pid::from_raw(leader), Signal::SIGTERM);
        let limit = Instant::now() + STOP_LIMIT;
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Ended { leader: ended, .. }) if ended == leader => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        groups::end(leader);
        self.guard.remove(leader);
    }

    fn spawn(&mut self, index: usize) -> Result<()> {
        let slot = &mut self.slots[index];
        let name = slot.part.name;
        let log = OpenOptions::new().create(true).append(true).open(&slot.part.log);
        let log = log.with_context(|| format!("{} cannot be opened", slot.part.log.display()))?;
        let mut command = (slot.part.command)();
        command.stdin(Stdio::piped()).stderr(log.try_clone()?).process_group(0);
        if slot.part.announces {
            command.stdout(Stdio::piped());
        } else {
            command.stdout(log);
        }
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("{name}: {program}"))?;
        let leader = child.id().cast_signed();
        self.guard.add(leader);
        slot.running = Some(Running { leader, _stdin: child.stdin.take() });
        slot.started = Instant::now();
        slot.due = None;
        slot.announced = false;
        if let Some(stdout) = child.stdout.take() {
            let sender = self.sender.clone();
            // Without a receiver the run is over, and nobody needs to know.
            hear(stdout, move |line| drop(sender.send(Event::Announced { leader, line })));
        }
        let sender = self.sender.clone();
        thread::spawn(move || {
            // As above.
            let _ = sender.send(Event::Ended { leader, status: child.wait() });
        });
        if name == "aggregator" {
            self.note_pid("aggregator", leader)?;
        }
        Ok(())
    }

    fn announced(&mut self, leader: i32, line: &Value) -> Result<()> {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.leader() == Some(leader)) else {
            return Ok(());
        };
        slot.announced = true;
        match line["workerd_pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()) {
            Some(pid) => self.note_pid("workerd", pid),
            None => Ok(()),
        }
    }

    fn ended(&mut self, leader: i32, status: std::io::Result<ExitStatus>) -> Result<()> {
        groups::end(leader);
        self.guard.remove(leader);
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.leader() == Some(leader)) else {
            return Ok(());
        };
        slot.running = None;
        let name = slot.part.name;
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        if !slot.was_ready && slot.part.health.is_some() {
            bail!("{name} ended before it was ready ({how})\n{}", end_of(&slot.part.log));
        }
        slot.delay = match slot.started.elapsed() >= WELL_AFTER {
            true => Duration::ZERO,
            false => (slot.delay * 2).clamp(Duration::from_millis(100), RESTART_DELAY_MAX),
        };
        slot.due = Some(Instant::now() + slot.delay);
        eprintln!("  {name} ended ({how})");
        Ok(())
    }

    fn note_pid(&mut self, name: &'static str, pid: i32) -> Result<()> {
        self.pids.insert(name, pid);
        write_private(&self.pids_file, &self.pids())
    }
}

impl Slot {
    fn leader(&self) -> Option<i32> {
        self.running.as_ref().map(|running| running.leader)
    }
}
