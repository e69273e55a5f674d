//! Running commands: with progress while they work, with their output when they fail.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::stop;

// Enough to hold a compiler error with its notes.
const KEPT_LINES: usize = 80;

// Without a terminal a long step speaks this often, so that nobody takes it for dead.
const REMINDER: Duration = Duration::from_secs(30);

/// Writes one line to stdout, where results go; everything else goes to stderr.
pub fn say_out(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("stdout cannot be written")
}

/// Runs a command as a step named `label`, showing its last line while it works.
///
/// # Errors
/// When it cannot start or fails; the error carries the end of its output.
pub fn step(label: &str, command: &mut Command) -> Result<()> {
    stop::check()?;
    let started = Instant::now();
    let bar = spinner(label);
    let (mut child, lines) = spawn_piped(command).with_context(|| label.to_owned())?;
    let group = stop::step_group(child.id().cast_signed());
    let mut tail = VecDeque::new();
    let mut reminder = Instant::now();
    for line in lines {
        bar.set_message(line.trim().to_owned());
        if bar.is_hidden() && reminder.elapsed() >= REMINDER {
            reminder = Instant::now();
            eprintln!("  {label}: {} s, {}", started.elapsed().as_secs(), line.trim());
        }
        if tail.len() == KEPT_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    let status = child.wait().with_context(|| label.to_owned())?;
    drop(group);
    bar.finish_and_clear();
    stop::check()?;
    if !status.success() {
        let output = tail.into_iter().collect::<Vec<_>>().join("\n");
        bail!("{label} failed ({status}):\n{output}");
    }
    eprintln!("  {label}: done in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a command, handing every line of its output to `each`; tells whether it succeeded.
pub fn stream(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    stop::check()?;
    let (mut child, lines) = spawn_piped(command)?;
    let group = stop::step_group(child.id().cast_signed());
    for line in lines {
        each(&line);
    }
    let status = child.wait()?;
    drop(group);
    stop::check()?;
    Ok(status.success())
}

/// What a short command says on stdout; none when it is missing or fails.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn spinner(label: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        eprintln!("  {label}");
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
    {
        bar.set_style(style);
    }
    bar.set_prefix(label.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

// A group of its own, so that the step and all it starts can be ended together.
fn spawn_piped(command: &mut Command) -> Result<(Child, Receiver<String>)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let (sender, lines) = mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    for output in outputs.into_iter().flatten() {
        let sender = sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    Ok((child, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failed_step_shows_what_it_said() {
        let error = step("try", &mut shell("echo seen; echo heard >&2; exit 3")).expect_err("3");
        let text = error.to_string();
        for part in ["try failed", "3", "seen", "heard"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = step("try", &mut Command::new("no-such-program")).expect_err("missing");
        assert!(format!("{error:#}").contains("no-such-program"));
    }

    #[test]
    fn stream_hands_over_every_line_and_the_result() {
        let mut lines = Vec::new();
        let fine = stream(&mut shell("printf 'a\\nb'; exit 1"), |line| lines.push(line.to_owned()));
        assert!(!fine.expect("it runs"));
        assert_eq!(lines, ["a", "b"]);
    }
}
