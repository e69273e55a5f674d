//! The guard: a small process that ends the parts if `dev` itself is killed.
//!
//! `dev` tells it each process group that starts (`+123`) and ends (`-123`). When the pipe closes,
//! for whatever reason, what is still on the list is killed. Nothing in `dev` could do that after
//! a SIGKILL.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The work of the guard's process: reads until the end, then kills what is left.
pub fn guard(lines: impl BufRead) {
    for group in left_over(lines) {
        // It may have ended in the meantime; that is as good.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

fn left_over(lines: impl BufRead) -> BTreeSet<i32> {
    let mut groups = BTreeSet::new();
    for line in lines.lines().map_while(Result::ok) {
        match line.split_at_checked(1) {
            Some(("+", group)) => groups.extend(group.parse::<i32>()),
            Some(("-", group)) => {
                groups.retain(|known| group.parse() != Ok(*known));
            }
            _ => {}
        }
    }
    groups
}

/// The running guard, as `dev` holds it.
pub struct Guard(Child);

impl Guard {
    /// Starts the guard.
    pub fn start() -> Result<Self> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
        Command::new(program)
            .arg("guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C in the terminal is not for it.
            .process_group(0)
            .spawn()
            .map(Self)
            .context("the guard cannot be started")
    }

    /// Tells the guard that a process group runs.
    pub fn add(&mut self, group: i32) {
        self.say(&format!("+{group}\n"));
    }

    /// Tells the guard that a process group has ended.
    pub fn remove(&mut self, group: i32) {
        self.say(&format!("-{group}\n"));
    }

    /// Ends the guard and waits for it.
    pub fn end(mut self) {
        drop(self.0.stdin.take());
        // Its only trouble would be that it is gone already.
        let _ = self.0.wait();
    }

    fn say(&mut self, line: &str) {
        if let Some(pipe) = self.0.stdin.as_mut() {
            // A guard that was killed is missed only if `dev` is killed as well.
            let _ = pipe.write_all(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_is_forgotten() {
        let left = left_over("+12\n+13\n-12\n\nnoise\n+14\n".as_bytes());
        assert_eq!(Vec::from_iter(left), [13, 14]);
    }

    #[test]
    fn what_is_left_is_killed() {
        let mut command = Command::new("sleep");
        let mut child = command.arg("60").process_group(0).spawn().expect("sleep runs");
        guard(format!("+{}\n", child.id()).as_bytes());
        assert!(!child.wait().expect("it ended").success());
    }
}
