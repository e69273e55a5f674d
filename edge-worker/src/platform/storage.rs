//! The SQLite of a shard: epoch, ring of frames, rows of ids.
//!
//! ```sql
//! meta(k, v)                  1: epoch (16 bytes) and base (u64, little endian)
//! ring(slot, seq, acked, frame)   slot = seq mod RING_SLOTS; acked: what was known at this commit
//! ids(slot, minute, part)     slot = (minute mod 16) * 16 + part
//! ```
//!
//! All keys are integers that are used again, so a commit writes one row and deletes none.

use edgetally_proto::ids::Epoch;
use worker::{SqlStorage, SqlStorageValue};

use crate::outbox::Outbox;
use crate::shard::Storage;

/// Parts of a minute that are kept at most; ids beyond are left to the aggregator.
const PARTS_MAX: i64 = 16;
const MINUTE_SLOTS: i64 = 16;

/// The tables of a shard.
pub struct Sqlite(SqlStorage);

type Row = Vec<SqlStorageValue>;

fn integer(value: Option<&SqlStorageValue>) -> Option<i64> {
    match value {
        Some(SqlStorageValue::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn value(number: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Sqlite {
    /// Opens the tables, made if the shard is new.
    pub fn open(sql: SqlStorage) -> Result<Self, String> {
        let sqlite = Self(sql);
        for table in [
            "meta(k INTEGER PRIMARY KEY, v BLOB)",
            "ring(slot INTEGER PRIMARY KEY, seq INTEGER, acked INTEGER, frame BLOB)",
            "ids(slot INTEGER PRIMARY KEY, minute INTEGER, part BLOB)",
        ] {
            sqlite.rows(&format!("CREATE TABLE IF NOT EXISTS {table}"), vec![])?;
        }
        Ok(sqlite)
    }

    fn rows(&self, query: &str, bindings: Row) -> Result<Vec<Row>, String> {
        let cursor = self.0.exec(query, bindings).map_err(|error| error.to_string())?;
        cursor.raw().collect::<Result<_, _>>().map_err(|error| error.to_string())
    }
}

impl Storage for Sqlite {
    fn epoch(&self) -> Result<Option<(Epoch, u64)>, String> {
        let rows = self.rows("SELECT v FROM meta WHERE k = 1", vec![])?;
        let Some(SqlStorageValue::Blob(bytes)) = rows.first().and_then(|row| row.first()) else {
            return Ok(None);
        };
        let damaged = "the row of the epoch is damaged";
        let (epoch, base) = bytes.split_at_checked(16).ok_or(damaged)?;
        let epoch: [u8; 16] = epoch.try_into().map_err(|_| damaged)?;
        let base: [u8; 8] = base.try_into().map_err(|_| damaged)?;
        Ok(Some((Epoch(epoch), u64::from_le_bytes(base))))
    }

    fn put_epoch(&mut self, epoch: Epoch, base: u64) -> Result<(), String> {
        let mut bytes = epoch.0.to_vec();
        bytes.extend_from_slice(&base.to_le_bytes());
        let insert = "INSERT OR REPLACE INTO meta(k, v) VALUES (1, ?)";
        self.rows(insert, vec![bytes.into()]).map(|_| ())
    }

    fn head(&self) -> Result<(u64, u64), String> {
        let rows = self.rows("SELECT seq, acked FROM ring ORDER BY seq DESC LIMIT 1", vec![])?;
        let column = |at: usize| integer(rows.first().and_then(|row| row.get(at)));
        let unsigned = |at| column(at).and_then(|number| u64::try_from(number).ok());
        Ok((unsigned(0).unwrap_or(0), unsigned(1).unwrap_or(0)))
    }

    fn put_frame(&mut self, sequence: u64, acked: u64, frame: Vec<u8>) -> Result<(), String> {
        let row = vec![value(Outbox::slot(sequence)), value(sequence), value(acked), frame.into()];
        let insert = "INSERT OR REPLACE INTO ring(slot, seq, acked, frame) VALUES (?, ?, ?, ?)";
        self.rows(insert, row).map(|_| ())
    }

    fn frame(&self, sequence: u64) -> Result<Option<Vec<u8>>, String> {
        let select = "SELECT frame FROM ring WHERE slot = ? AND seq = ?";
        let key = vec![value(Outbox::slot(sequence)), value(sequence)];
        Ok(match self.rows(select, key)?.pop().and_then(|mut row| row.pop()) {
            Some(SqlStorageValue::Blob(frame)) => Some(frame),
            _ => None,
        })
    }

    fn put_ids(&mut self, minute: i64, parts: Vec<Vec<u8>>) -> Result<(), String> {
        let insert = "INSERT OR REPLACE INTO ids(slot, minute, part) VALUES (?, ?, ?)";
        let slot = minute.rem_euclid(MINUTE_SLOTS) * PARTS_MAX;
        (0..PARTS_MAX).zip(parts).try_for_each(|(at, part)| {
            self.rows(insert, vec![(slot + at).into(), minute.into(), part.into()]).map(|_| ())
        })
    }

    fn ids_since(&self, minute: i64) -> Result<Vec<(i64, Vec<u8>)>, String> {
        let select = "SELECT minute, part FROM ids WHERE minute >= ? ORDER BY minute";
        let rows = self.rows(select, vec![minute.into()])?;
        let part = |mut row: Row| match (row.pop(), integer(row.first())) {
            (Some(SqlStorageValue::Blob(part)), Some(minute)) => Some((minute, part)),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(part).collect())
    }
}
