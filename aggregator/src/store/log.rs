//! The segment log: what was applied, in order, synced before it is acknowledged.
//!
//! ```text
//! segment  "ETLOG001" number:u64 group*          little endian, name = number
//! group    length:u32 check:u32 payload sum:u64  one for each tick; check is of the length
//! ```
//!
//! A tick is one group, so what is damaged before the last group was acknowledged: that is refused
//! with file and offset. A last group that the crash cut short was never acknowledged: it is cut
//! off. Its checksum stands behind it, since a torn write lacks its end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::files;
use super::room::Room;
use crate::checkpoint::Position;

const MAGIC: &[u8; 8] = b"ETLOG001";
const SEGMENT_HEAD_BYTES: usize = 16;
const GROUP_HEAD_BYTES: usize = 8;
const GROUP_SUM_BYTES: usize = 8;
/// Longest payload of a group; a tick takes far less.
pub const GROUP_BYTES_MAX: usize = 256 << 20;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Bytes that were acknowledged are not what was written.
    #[error(
        "the log is damaged: {file} at offset {offset}: {what}; restore this file, or the data \
         folder from a backup"
    )]
    Damaged {
        /// The segment.
        file: String,
        /// Where the damaged group begins.
        offset: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// Segments that should be there are not.
    #[error("the log begins at segment {found:?}, but segment {needed} is needed to go on")]
    Missing {
        /// The first segment needed.
        needed: u64,
        /// The first one there.
        found: Option<u64>,
    },
    /// A group holds what nobody can apply.
    #[error("{file} at offset {offset}: {what}")]
    Content {
        /// The segment.
        file: String,
        /// Where the group begins.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The disk or the system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Numbers of the segments in a folder, ascending.
///
/// # Errors
/// If the folder cannot be read.
pub fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".log"));
        numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The file of a segment.
#[must_use]
pub fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:020}.log"))
}

/// What stands at an offset of a segment.
enum Found<'a> {
    End,
    Group(&'a [u8], usize),
    /// Less than a group that was begun.
    Torn,
    Damaged(&'static str),
}

fn group_head(length: u32) -> [u8; GROUP_HEAD_BYTES] {
    let length = length.to_le_bytes();
    // Salted, so that zeros are no head.
    let check = xxh3_64(&[MAGIC.as_slice(), &length].concat()).to_le_bytes();
    let [a, b, c, d] = length;
    let [e, f, g, h, ..] = check;
    [a, b, c, d, e, f, g, h]
}

fn find(rest: &[u8]) -> Found<'_> {
    if rest.is_empty() {
        return Found::End;
    }
    let Some((head, body)) = rest.split_at_checked(GROUP_HEAD_BYTES) else {
        return Found::Torn;
    };
    // A crash may leave the file longer than what reached it; no whole group ends in zeros.
    if body.iter().all(|byte| *byte == 0) {
        return Found::Torn;
    }
    let length = head.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if group_head(length) != *head {
        return Found::Damaged("the head of a group does not fit its check");
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some((payload, after)) = body.split_at_checked(length) else {
        return Found::Torn;
    };
    let Some(sum) = after.first_chunk::<GROUP_SUM_BYTES>() else {
        return Found::Torn;
    };
    if xxh3_64(payload).to_le_bytes() == *sum {
        return Found::Group(payload, GROUP_HEAD_BYTES + length + GROUP_SUM_BYTES);
    }
    if after.iter().all(|byte| *byte == 0) {
        return Found::Torn;
    }
    Found::Damaged("a group does not fit its checksum")
}

/// Reads every group from a position on and gives the position after the last.
///
/// What a crash left of a group at the very end is cut off.
///
/// # Errors
/// If segments are missing, a group is damaged, or `visit` fails.
pub fn replay(
    dir: &Path,
    from: Position,
    visit: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Position, LogError> {
    walk(dir, from, visit, cut)
}

/// Reads every group from a position on like [`replay`], and changes nothing.
///
/// # Errors
/// As [`replay`].
pub fn inspect(
    dir: &Path,
    from: Position,
    visit: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Position, LogError> {
    walk(dir, from, visit, |_, at| Ok(at as u64))
}

/// What is done with a group that a crash cut short: where the log goes on.
type Cut = fn(&Path, usize) -> Result<u64, LogError>;

fn walk(
    dir: &Path,
    from: Position,
    mut visit: impl FnMut(&[u8]) -> Result<(), String>,
    cut: Cut,
) -> Result<Position, LogError> {
    let all = segments(dir)?;
    if all.is_empty() && from == Position::default() {
        return Ok(from);
    }
    let first = from.segment.max(1);
    let needed: Vec<u64> = all.iter().copied().filter(|number| *number >= first).collect();
    let gap = (first..).zip(&needed).find(|(due, number)| due != *number);
    if needed.is_empty() || gap.is_some() {
        let needed = gap.map_or(first, |(due, _)| due);
        return Err(LogError::Missing { needed, found: all.first().copied() });
    }
    let last = needed.last().copied().unwrap_or_default();
    let mut end = from;
    for segment in needed {
        let offset = if segment == from.segment { from.offset } else { 0 };
        end = Position { segment, offset: 0 };
        let cut = (segment == last).then_some(cut);
        end.offset = walk_segment(dir, segment, offset, &mut visit, cut)?;
    }
    Ok(end)
}

fn walk_segment(
    dir: &Path,
    segment: u64,
    from: u64,
    visit: &mut impl FnMut(&[u8]) -> Result<(), String>,
    cut: Option<Cut>,
) -> Result<u64, LogError> {
    let path = path(dir, segment);
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    File::open(&path)?.read_to_end(&mut bytes)?;
    let damaged =
        |offset: usize, what| LogError::Damaged { file: file.clone(), offset: offset as u64, what };
    if bytes.get(..SEGMENT_HEAD_BYTES).is_none_or(|head| *head != segment_head(segment)) {
        let torn = cut.filter(|_| bytes.len() < SEGMENT_HEAD_BYTES);
        let what = "the head of the segment is not what was written";
        return torn.map_or_else(|| Err(damaged(0, what)), |cut| cut(&path, 0));
    }
    let mut at = usize::try_from(from).unwrap_or(usize::MAX).max(SEGMENT_HEAD_BYTES);
    loop {
        // A checkpoint may hold more than a log that was cut short; then nothing is left to read.
        let rest = bytes.get(at..).unwrap_or_default();
        match find(rest) {
            Found::End => return Ok(at.min(bytes.len()) as u64),
            Found::Group(payload, length) => {
                visit(payload).map_err(|what| LogError::Content {
                    file: file.clone(),
                    offset: at as u64,
                    what,
                })?;
                at += length;
            }
            Found::Torn => {
                let what = "the segment ends inside a group";
                return cut.map_or_else(|| Err(damaged(at, what)), |cut| cut(&path, at));
            }
            Found::Damaged(what) => return Err(damaged(at, what)),
        }
    }
}

fn cut(path: &Path, at: usize) -> Result<u64, LogError> {
    let file = path.display().to_string();
    tracing::warn!(file, offset = at, "cut off a group that was never acknowledged");
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(at as u64)?;
    file.sync_all()?;
    Ok(at as u64)
}

fn segment_head(segment: u64) -> [u8; SEGMENT_HEAD_BYTES] {
    let mut head = [0; SEGMENT_HEAD_BYTES];
    let (magic, number) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    number.copy_from_slice(&segment.to_le_bytes());
    head
}

/// The segment that is written to.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    file: File,
    position: Position,
    room: Room,
}

impl Log {
    /// Goes on after `end`, where [`replay`] stopped.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn open(dir: &Path, end: Position, room: Room) -> io::Result<Self> {
        let is_new = end.offset < SEGMENT_HEAD_BYTES as u64;
        if is_new {
            let segment = end.segment.max(1);
            return Self::create(dir, segment, room);
        }
        let mut file = OpenOptions::new().write(true).open(path(dir, end.segment))?;
        file.seek(SeekFrom::Start(end.offset))?;
        Ok(Self { dir: dir.to_owned(), file, position: end, room })
    }

    fn create(dir: &Path, segment: u64, room: Room) -> io::Result<Self> {
        let mut file = File::create(path(dir, segment))?;
        file.write_all(&segment_head(segment))?;
        file.sync_all()?;
        files::sync_dir(dir)?;
        let position = Position { segment, offset: SEGMENT_HEAD_BYTES as u64 };
        Ok(Self { dir: dir.to_owned(), file, position, room })
    }

    /// Writes a group and returns when it is durable.
    ///
    /// # Errors
    /// If it is not known to be durable. Where the disk was full (`room::is_full`) nothing of it
    /// is left, and the same group may be written again; else the log must not be used any more.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let too_long = || io::Error::other("a group of the log is too long");
        let length = u32::try_from(payload.len()).map_err(|_| too_long())?;
        if payload.len() > GROUP_BYTES_MAX {
            return Err(too_long());
        }
        let sum = xxh3_64(payload).to_le_bytes();
        let group = [group_head(length).as_slice(), payload, &sum].concat();
        self.room.check()?;
        let written = self.file.write_all(&group).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What came after the last whole group was never acknowledged. A part of it must not
            // stand before the next one.
            let undone = self.file.set_len(self.position.offset);
            let undone =
                undone.and_then(|()| self.file.seek(SeekFrom::Start(self.position.offset)));
            return Err(undone.map_or_else(io::Error::other, |_| error));
        }
        self.position.offset += group.len() as u64;
        Ok(())
    }

    /// Where the next group goes.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Begins a new segment.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn rotate(&mut self) -> io::Result<()> {
        self.room.check()?;
        *self = Self::create(&self.dir, self.position.segment + 1, self.room.clone())?;
        Ok(())
    }
}

/// Removes the segments before one.
///
/// # Errors
/// If the disk refuses.
pub fn prune(dir: &Path, before: u64) -> io::Result<()> {
    for segment in segments(dir)?.into_iter().filter(|segment| *segment < before) {
        fs::remove_file(path(dir, segment))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path, end: Position) -> Log {
        Log::open(dir, end, Room::of(|| Ok(()))).unwrap()
    }

    fn read(dir: &Path) -> Result<Vec<Vec<u8>>, LogError> {
        let mut groups = Vec::new();
        replay(dir, Position::default(), |group| {
            groups.push(group.to_vec());
            Ok(())
        })?;
        Ok(groups)
    }

    /// Two segments, three groups; the second segment holds the last two.
    fn written() -> (tempfile::TempDir, Vec<Vec<u8>>) {
        let dir = tempfile::tempdir().unwrap();
        let groups: Vec<Vec<u8>> = vec![vec![1; 40], vec![2; 50], vec![0; 60]];
        let mut log = open(dir.path(), Position::default());
        log.append(&groups[0]).unwrap();
        log.rotate().unwrap();
        log.append(&groups[1]).unwrap();
        log.append(&groups[2]).unwrap();
        (dir, groups)
    }

    #[test]
    fn groups_come_back_and_the_log_goes_on() {
        let (dir, mut groups) = written();
        assert_eq!(read(dir.path()).unwrap(), groups);
        let end = replay(dir.path(), Position::default(), |_| Ok(())).unwrap();
        let mut log = open(dir.path(), end);
        groups.push(vec![4; 3]);
        log.append(&groups[3]).unwrap();
        assert_eq!(read(dir.path()).unwrap(), groups);
    }

    /// Cut anywhere, the last segment gives whole groups only, and takes new ones.
    #[test]
    fn a_torn_end_is_cut_off() {
        let (dir, groups) = written();
        let last = path(dir.path(), 2);
        let whole = fs::read(&last).unwrap();
        for length in (0..whole.len()).rev() {
            fs::write(&last, &whole[..length]).unwrap();
            let left = read(dir.path()).unwrap();
            assert!(left.len() < 3 && groups.starts_with(&left), "cut to {length}");
            let end = replay(dir.path(), Position::default(), |_| Ok(())).unwrap();
            open(dir.path(), end).append(b"next").unwrap();
            assert_eq!(read(dir.path()).unwrap().last().unwrap(), b"next");
        }
        fs::write(&last, [&whole[..whole.len() - 70], &[0; 70]].concat()).unwrap();
        assert_eq!(read(dir.path()).unwrap().len(), 2, "zeros after a crash are no group");
    }

    /// Any flipped bit in any segment is refused with file and offset; none changes a group.
    #[test]
    fn damage_is_refused_and_named() {
        let (dir, _) = written();
        for segment in [1, 2] {
            let file = path(dir.path(), segment);
            let whole = fs::read(&file).unwrap();
            for at in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << (at % 8);
                fs::write(&file, &damaged).unwrap();
                let error = read(dir.path()).unwrap_err();
                assert!(matches!(error, LogError::Damaged { .. }), "byte {at}: {error}");
            }
            fs::write(&file, &whole).unwrap();
        }
    }

    #[test]
    fn a_missing_segment_is_refused() {
        let (dir, _) = written();
        let from = Position { segment: 1, offset: 0 };
        fs::remove_file(path(dir.path(), 1)).unwrap();
        let error = replay(dir.path(), from, |_| Ok(())).unwrap_err();
        assert!(matches!(error, LogError::Missing { needed: 1, found: Some(2) }), "{error}");
    }

    /// A group that found no room leaves nothing, and is written when there is some again.
    #[test]
    fn a_full_disk_is_waited_for() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering};
        let is_full = Arc::new(AtomicBool::new(false));
        let asked = is_full.clone();
        let room = Room::of(move || match asked.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        });
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), Position::default(), room).unwrap();
        log.append(b"first").unwrap();
        is_full.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            assert!(crate::store::room::is_full(&log.append(b"second").unwrap_err()));
            assert!(crate::store::room::is_full(&log.rotate().unwrap_err()));
        }
        assert_eq!(read(dir.path()).unwrap(), [b"first".to_vec()]);
        is_full.store(false, Ordering::Relaxed);
        log.append(b"second").unwrap();
        log.rotate().unwrap();
        log.append(b"third").unwrap();
        let groups = read(dir.path()).unwrap();
        assert_eq!(groups, [b"first".to_vec(), b"second".to_vec(), b"third".to_vec()]);
    }
}
