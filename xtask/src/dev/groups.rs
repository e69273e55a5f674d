//! Process groups: ending a part together with everything that it started.

use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

// What SIGKILL cannot end in this time waits for a device; nobody can do more.
const LIMIT: Duration = Duration::from_secs(5);

/// Makes this process the parent of its orphaned descendants, so that it can wait for their end.
pub fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    {
        // A kernel without it leaves them to init, which waits for them as well.
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }
}

/// Kills what is left of a group whose first process has ended, and waits until it is gone.
pub fn end(leader: i32) {
    let group = Pid::from_raw(leader);
    let limit = Instant::now() + LIMIT;
    while Instant::now() < limit {
        let killed = killpg(group, Signal::SIGKILL);
        reap(Pid::from_raw(-leader));
        if killed == Err(Errno::ESRCH) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kills the adopted processes that had left their part's group, and waits until they are gone.
pub fn end_orphans() {
    let limit = Instant::now() + LIMIT;
    loop {
        let orphans = children();
        if orphans.is_empty() || Instant::now() > limit {
            return;
        }
        for orphan in orphans {
            let _ = nix::sys::signal::kill(orphan, Signal::SIGKILL);
            reap(orphan);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn reap(which: Pid) {
    while let Ok(status) = waitpid(which, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

#[cfg(target_os = "linux")]
fn children() -> Vec<Pid> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|line| {
            line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
        })
        .map(Pid::from_raw)
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn children() -> Vec<Pid> {
    Vec::new()
}
