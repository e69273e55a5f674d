//! How a run is asked to stop, and the processes that must not outlive it.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static REQUESTED: AtomicBool = AtomicBool::new(false);

// Process groups of build steps. They are ended at once when a stop is asked for: nothing is lost.
static STEPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Whether someone asked this run to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Takes Ctrl-C, SIGTERM and SIGHUP as a request to stop, from now on.
pub fn watch_signals() -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be watched")?;
    thread::spawn(move || {
        for _ in signals.forever() {
            request();
        }
    });
    Ok(())
}

/// Takes the end of stdin as a request to stop, from now on.
pub fn watch_stdin() {
    thread::spawn(|| {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = [0; 1024];
        // What is said there does not matter; a broken stdin is a closed one.
        while matches!(stdin.read(&mut buffer), Ok(count) if count > 0) {}
        request();
    });
}

/// Fails when a stop was asked for, so that a long task can end between its steps.
pub fn check() -> Result<()> {
    anyhow::ensure!(!requested(), "stopped");
    Ok(())
}

/// Remembers a step's process group until the returned value is dropped.
pub fn step_group(group: i32) -> StepGroup {
    steps().insert(group);
    if requested() {
        kill_group(group);
    }
    StepGroup(group)
}

/// A running step; see [`step_group`].
pub struct StepGroup(i32);

impl Drop for StepGroup {
    fn drop(&mut self) {
        steps().remove(&self.0);
    }
}

fn request() {
    REQUESTED.store(true, Ordering::SeqCst);
    for group in steps().iter() {
        kill_group(*group);
    }
}

fn kill_group(group: i32) {
    // A group that has just ended on its own is what we want.
    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
}

fn steps() -> std::sync::MutexGuard<'static, BTreeSet<i32>> {
    STEPS.lock().unwrap_or_else(PoisonError::into_inner)
}
