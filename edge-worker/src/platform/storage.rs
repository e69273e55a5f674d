//! The SQLite of a shard: epoch, ring of frames, rows of ids.
//!
//! ```sql
//! meta(k, v)                  1: epoch (16 bytes) and base (u64, little endian); written once an epoch
//! ring(slot, seq, acked, frame)   slot = seq mod RING_SLOTS; acked: what was known at this commit
//! ids(slot, minute, part)     slot = (minute mod 16) * 16 + part
//! ```
//!
//! All keys are integers that are used again, so a commit writes one row and deletes none.

use edgetally_proto::ids::Epoch;
use edgetally_proto::limits::{FRAMES_BYTES_MAX, FRAMES_PER_REQUEST_MAX};
use worker::{Result, SqlStorage, SqlStorageValue};

use crate::outbox::Outbox;

/// Parts of a minute that are kept at most; ids beyond are left to the aggregator.
const PARTS_MAX: i64 = 16;
const MINUTE_SLOTS: i64 = 16;

/// The tables of a shard.
pub struct Storage(SqlStorage);

fn integer(value: Option<&SqlStorageValue>) -> Option<i64> {
    match value {
        Some(SqlStorageValue::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn unsigned(value: Option<&SqlStorageValue>) -> u64 {
    integer(value).and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}

fn value(number: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Storage {
    /// Opens the tables, made if the shard is new.
    pub fn open(sql: SqlStorage) -> Result<Self> {
        for table in [
            "meta(k INTEGER PRIMARY KEY, v BLOB)",
            "ring(slot INTEGER PRIMARY KEY, seq INTEGER, acked INTEGER, frame BLOB)",
            "ids(slot INTEGER PRIMARY KEY, minute INTEGER, part BLOB)",
        ] {
            sql.exec(&format!("CREATE TABLE IF NOT EXISTS {table}"), None)?;
        }
        Ok(Self(sql))
    }

    fn rows(
        &self,
        query: &str,
        bindings: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>> {
        self.0.exec(query, bindings)?.raw().collect()
    }

    /// Epoch and base, if the shard ever committed.
    pub fn epoch(&self) -> Result<Option<(Epoch, u64)>> {
        let rows = self.rows("SELECT v FROM meta WHERE k = 1", vec![])?;
        let Some(SqlStorageValue::Blob(bytes)) = rows.first().and_then(|row| row.first()) else {
            return Ok(None);
        };
        let (epoch, base) =
            bytes.split_at_checked(16).ok_or("the row of the epoch is too short")?;
        let epoch: [u8; 16] = epoch.try_into().map_err(|_| "the row of the epoch is damaged")?;
        let base: [u8; 8] = base.try_into().map_err(|_| "the row of the epoch is damaged")?;
        Ok(Some((Epoch(epoch), u64::from_le_bytes(base))))
    }

    /// Writes down an epoch.
    pub fn put_epoch(&self, epoch: Epoch, base: u64) -> Result<()> {
        let mut bytes = epoch.0.to_vec();
        bytes.extend_from_slice(&base.to_le_bytes());
        self.0.exec("INSERT OR REPLACE INTO meta(k, v) VALUES (1, ?)", vec![bytes.into()])?;
        Ok(())
    }

    /// Sequence of the newest frame and what was acknowledged when it was committed.
    pub fn head(&self) -> Result<(u64, u64)> {
        let rows = self.rows("SELECT seq, acked FROM ring ORDER BY seq DESC LIMIT 1", vec![])?;
        let row = rows.first();
        let column = |at: usize| unsigned(row.and_then(|row| row.get(at)));
        Ok((column(0), column(1)))
    }

    /// Writes a frame into its slot.
    pub fn put_frame(&self, sequence: u64, acked: u64, frame: Vec<u8>) -> Result<()> {
        let row = vec![value(Outbox::slot(sequence)), value(sequence), value(acked), frame.into()];
        let insert = "INSERT OR REPLACE INTO ring(slot, seq, acked, frame) VALUES (?, ?, ?, ?)";
        self.0.exec(insert, row)?;
        Ok(())
    }

    /// The frame with a sequence, if the ring still holds it.
    pub fn frame(&self, sequence: u64) -> Result<Option<Vec<u8>>> {
        let select = "SELECT frame FROM ring WHERE slot = ? AND seq = ?";
        let key = vec![value(Outbox::slot(sequence)), value(sequence)];
        Ok(match self.rows(select, key)?.pop().and_then(|mut row| row.pop()) {
            Some(SqlStorageValue::Blob(frame)) => Some(frame),
            _ => None,
        })
    }

    /// The frames of a range as far as one request takes them: the body, and the last sequence.
    pub fn body(&self, range: std::ops::RangeInclusive<u64>) -> Result<(Vec<u8>, u64)> {
        let first = *range.start();
        let (mut body, mut last) = (Vec::new(), first);
        for sequence in range.take(FRAMES_PER_REQUEST_MAX) {
            let frame = self.frame(sequence)?.ok_or("a frame is missing from the ring")?;
            if sequence > first && body.len() + frame.len() > FRAMES_BYTES_MAX {
                break;
            }
            body.extend_from_slice(&frame);
            last = sequence;
        }
        Ok((body, last))
    }

    /// Writes down the ids of a minute that is over.
    pub fn put_ids(&self, minute: i64, parts: Vec<Vec<u8>>) -> Result<()> {
        let insert = "INSERT OR REPLACE INTO ids(slot, minute, part) VALUES (?, ?, ?)";
        let slot = minute.rem_euclid(MINUTE_SLOTS) * PARTS_MAX;
        for (at, part) in (0..PARTS_MAX).zip(parts) {
            self.0.exec(insert, vec![(slot + at).into(), minute.into(), part.into()])?;
        }
        Ok(())
    }

    /// The stored ids since a minute, by minute.
    pub fn ids_since(&self, minute: i64) -> Result<Vec<(i64, Vec<u8>)>> {
        let select = "SELECT minute, part FROM ids WHERE minute >= ? ORDER BY minute";
        let rows = self.rows(select, vec![minute.into()])?;
        Ok(rows
            .into_iter()
            .filter_map(|mut row| match (row.pop(), integer(row.first())) {
                (Some(SqlStorageValue::Blob(part)), Some(minute)) => Some((minute, part)),
                _ => None,
            })
            .collect())
    }
}
