//! One tick of the thread that owns the state: what it takes in, and who waits for it.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::oneshot;

use super::engine::{Command, FramesReply};
use crate::apply::{Changed, Decision, Entry};
use crate::dedup::Source;
use crate::intake::Incoming;
use crate::local;

/// How long a tick collects requests.
const TICK: Duration = Duration::from_millis(5);
/// A tick with this many bytes does not wait for more.
const TICK_BYTES_MAX: usize = 8 << 20;

/// Collects what arrives within a tick; the flag says that it is the last one.
pub fn collect(first: Command, receiver: &Receiver<Command>) -> (Vec<Command>, bool) {
    let mut commands = vec![first];
    let mut bytes = 0;
    let mut waited = false;
    loop {
        match commands.last() {
            Some(Command::Stop) => {
                commands.pop();
                return (commands, true);
            }
            Some(Command::Frames { frames, .. }) => {
                bytes += frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
            }
            _ => {}
        }
        if bytes > TICK_BYTES_MAX {
            return (commands, false);
        }
        match receiver.try_recv() {
            Ok(command) => commands.push(command),
            Err(_) if waited => return (commands, false),
            Err(_) => {
                waited = true;
                std::thread::sleep(TICK);
                match receiver.try_recv() {
                    Ok(command) => commands.push(command),
                    Err(_) => return (commands, false),
                }
            }
        }
    }
}

/// Whoever waits for the end of a tick.
pub enum Answer {
    /// Frames; nobody waits any more where there is no sender.
    Frames(Option<oneshot::Sender<FramesReply>>, Source, Decision),
    /// A write, with the version after it.
    Write(oneshot::Sender<u64>, u64),
    /// Something of our own, with what came of it.
    Local(oneshot::Sender<local::Answer>, local::Answer),
    /// A note that changes nothing else.
    Noted(oneshot::Sender<()>),
}

impl Answer {
    /// Lets go of whoever waits, who is refused by that. Whether something is left to be done.
    pub fn forget(&mut self) -> bool {
        match self {
            Self::Frames(reply, ..) => {
                *reply = None;
                true
            }
            Self::Write(..) | Self::Local(..) | Self::Noted(..) => false,
        }
    }
}

/// A tick that was decided, and whose group the log could not take. Nobody was told that it is
/// done, and it will be: once decided, frames are not decided upon again.
pub struct Owed {
    /// Its bytes.
    pub group: Vec<u8>,
    /// Who waits, and for what.
    pub answers: Vec<Answer>,
    /// What it has changed so far.
    pub changed: Changed,
    /// When it was decided, epoch ms.
    pub now_ms: i64,
}

/// The log's entry of a frame; its bytes move there, they are not needed any more.
pub fn entry(source: &Source, frame: &mut Incoming) -> Entry {
    Entry::Frame {
        shard: source.shard.clone(),
        epoch: source.epoch.0,
        sequence: frame.sequence,
        checksum: frame.checksum,
        is_dead: frame.batch.is_none(),
        bytes: std::mem::take(&mut frame.bytes),
    }
}
