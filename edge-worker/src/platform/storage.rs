//! The SQLite of a shard: epoch, ring of frames, rows of ids, and what waits for the bucket.
//!
//! ```sql
//! meta(k, v)                  1: epoch (16 bytes) and base (u64, little endian); 2, 3: last cut of
//!                             lines and of frames, the same way, with the mark as epoch
//! ring(slot, seq, acked, frame, total, at)   slot = seq mod RING_SLOTS; acked: what was known at
//!                             this commit; total: events up to it; at: its time
//! ids(slot, minute, part)     slot = (minute mod 16) * 16 + part
//! raw(id, at, bytes, lines)   lines that wait for the archive
//! spilled(first, last, epoch, totals)   objects of frames in the bucket; epoch: their mark
//! ```
//!
//! All keys are integers. Those of ring and ids are used again, so a commit without an archive
//! writes one row and deletes none. The tables of the version before are read as they are: what it
//! did not write is null, and it names the columns that it writes, so it can be put back.

use edgetally_proto::columns::{Reader, Writer};
use edgetally_proto::ids::{Epoch, Mark};
use worker::{SqlStorage, SqlStorageValue};

use crate::outbox::Outbox;
use crate::store::{Cut, Head, Kind, Row as Lines, Spilled, Storage, Stored, Waiting};

/// Parts of a minute that are kept at most; ids beyond are left to the aggregator.
const PARTS_MAX: i64 = 16;
const MINUTE_SLOTS: i64 = 16;
/// Rows of lines that are read at once at most.
const ROWS_MAX: i64 = 4_096;

/// The tables of a shard.
pub struct Sqlite(SqlStorage);

type Row = Vec<SqlStorageValue>;

fn integer(value: Option<&SqlStorageValue>) -> Option<i64> {
    match value {
        Some(SqlStorageValue::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn unsigned(value: Option<&SqlStorageValue>) -> u64 {
    integer(value).and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

fn blob(value: Option<SqlStorageValue>) -> Option<Vec<u8>> {
    match value {
        Some(SqlStorageValue::Blob(bytes)) => Some(bytes),
        _ => None,
    }
}

fn value(number: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The key of a cut in `meta`.
fn key_of(kind: Kind) -> i64 {
    match kind {
        Kind::Raw => 2,
        Kind::Frames => 3,
    }
}

impl Sqlite {
    /// Opens the tables, made if the shard is new.
    pub fn open(sql: SqlStorage) -> Result<Self, String> {
        let sqlite = Self(sql);
        for table in [
            "meta(k INTEGER PRIMARY KEY, v BLOB)",
            "ring(slot INTEGER PRIMARY KEY, seq INTEGER, acked INTEGER, frame BLOB, \
             total INTEGER, at INTEGER)",
            "ids(slot INTEGER PRIMARY KEY, minute INTEGER, part BLOB)",
            "raw(id INTEGER PRIMARY KEY, at INTEGER, bytes INTEGER, lines BLOB)",
            "spilled(first INTEGER PRIMARY KEY, last INTEGER, epoch BLOB, totals BLOB)",
        ] {
            sqlite.query(&format!("CREATE TABLE IF NOT EXISTS {table}"), vec![])?;
        }
        sqlite.widen_ring()?;
        Ok(sqlite)
    }

    /// Rings of before the archive lack two columns.
    fn widen_ring(&self) -> Result<(), String> {
        let columns = self.query("SELECT name FROM pragma_table_info('ring')", vec![])?;
        let has = |name: &str| {
            columns
                .iter()
                .flatten()
                .any(|column| matches!(column, SqlStorageValue::String(known) if known == name))
        };
        ["total", "at"].into_iter().filter(|name| !has(name)).try_for_each(|name| {
            self.query(&format!("ALTER TABLE ring ADD COLUMN {name} INTEGER"), vec![]).map(|_| ())
        })
    }

    /// An epoch or mark, and a number, under a key of `meta`.
    fn pair(&self, key: i64) -> Result<Option<([u8; 16], u64)>, String> {
        let mut rows = self.query("SELECT v FROM meta WHERE k = ?", vec![key.into()])?;
        let Some(bytes) = blob(rows.pop().and_then(|mut row| row.pop())) else { return Ok(None) };
        let damaged = || format!("row {key} of meta is damaged");
        let (name, number) = bytes.split_at_checked(16).ok_or_else(damaged)?;
        let name: [u8; 16] = name.try_into().map_err(|_| damaged())?;
        let number: [u8; 8] = number.try_into().map_err(|_| damaged())?;
        Ok(Some((name, u64::from_le_bytes(number))))
    }

    fn put_pair(&self, key: i64, name: [u8; 16], number: u64) -> Result<(), String> {
        let mut bytes = name.to_vec();
        bytes.extend_from_slice(&number.to_le_bytes());
        let insert = "INSERT OR REPLACE INTO meta(k, v) VALUES (?, ?)";
        self.query(insert, vec![key.into(), bytes.into()]).map(|_| ())
    }

    fn query(&self, query: &str, bindings: Row) -> Result<Vec<Row>, String> {
        let cursor = self.0.exec(query, bindings).map_err(|error| error.to_string())?;
        cursor.raw().collect::<Result<_, _>>().map_err(|error| error.to_string())
    }
}

impl Storage for Sqlite {
    fn epoch(&self) -> Result<Option<(Epoch, u64)>, String> {
        Ok(self.pair(1)?.map(|(epoch, base)| (Epoch(epoch), base)))
    }

    fn put_epoch(&mut self, epoch: Epoch, base: u64) -> Result<(), String> {
        self.put_pair(1, epoch.0, base)
    }

    fn head(&self) -> Result<Head, String> {
        let select = "SELECT seq, acked, total FROM ring ORDER BY seq DESC LIMIT 1";
        let rows = self.query(select, vec![])?;
        let number = |at: usize| unsigned(rows.first().and_then(|row| row.get(at)));
        Ok(Head { sequence: number(0), acked: number(1), total: number(2) })
    }

    fn put_frame(&mut self, sequence: u64, acked: u64, stored: Stored) -> Result<(), String> {
        let slot = value(Outbox::slot(sequence));
        let Stored { frame, total, at_ms } = stored;
        let row =
            vec![slot, value(sequence), value(acked), frame.into(), value(total), at_ms.into()];
        let insert = "INSERT OR REPLACE INTO ring(slot, seq, acked, frame, total, at) \
                      VALUES (?, ?, ?, ?, ?, ?)";
        self.query(insert, row).map(|_| ())
    }

    fn frame(&self, sequence: u64) -> Result<Option<Stored>, String> {
        let select = "SELECT total, at, frame FROM ring WHERE slot = ? AND seq = ?";
        let key = vec![value(Outbox::slot(sequence)), value(sequence)];
        let Some(mut row) = self.query(select, key)?.pop() else { return Ok(None) };
        let frame = blob(row.pop());
        let (total, at_ms) = (unsigned(row.first()), integer(row.get(1)).unwrap_or(0));
        Ok(frame.map(|frame| Stored { frame, total, at_ms }))
    }

    fn put_ids(&mut self, minute: i64, parts: Vec<Vec<u8>>) -> Result<(), String> {
        let insert = "INSERT OR REPLACE INTO ids(slot, minute, part) VALUES (?, ?, ?)";
        let slot = minute.rem_euclid(MINUTE_SLOTS) * PARTS_MAX;
        (0..PARTS_MAX).zip(parts).try_for_each(|(at, part)| {
            self.query(insert, vec![(slot + at).into(), minute.into(), part.into()]).map(|_| ())
        })
    }

    fn ids_since(&self, minute: i64) -> Result<Vec<(i64, Vec<u8>)>, String> {
        let select = "SELECT minute, part FROM ids WHERE minute >= ? ORDER BY minute";
        let rows = self.query(select, vec![minute.into()])?;
        let part = |mut row: Row| match (row.pop(), integer(row.first())) {
            (Some(SqlStorageValue::Blob(part)), Some(minute)) => Some((minute, part)),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(part).collect())
    }

    fn waiting(&self) -> Result<Waiting, String> {
        let sum = self.query("SELECT sum(bytes) FROM raw", vec![])?;
        let first = self.query("SELECT at FROM raw ORDER BY id LIMIT 1", vec![])?;
        let number = |rows: &[Row]| integer(rows.first().and_then(|row| row.first()));
        let bytes = number(&sum).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        Ok(Waiting { bytes, since_ms: number(&first) })
    }

    fn put_row(&mut self, row: Lines) -> Result<(), String> {
        let bytes = value(row.lines.len() as u64);
        let row = vec![value(row.id), row.at_ms.into(), bytes, row.lines.into()];
        let insert = "INSERT OR REPLACE INTO raw(id, at, bytes, lines) VALUES (?, ?, ?, ?)";
        self.query(insert, row).map(|_| ())
    }

    fn rows(&self, last: Option<u64>, bytes: u64) -> Result<Vec<Lines>, String> {
        let select = "SELECT id, at, lines FROM raw WHERE id <= ? ORDER BY id LIMIT ?";
        let limits = vec![value(last.unwrap_or((1 << 53) - 1)), ROWS_MAX.into()];
        let cursor = self.0.exec(select, limits).map_err(|error| error.to_string())?;
        let (mut rows, mut sum) = (Vec::new(), 0);
        for row in cursor.raw() {
            let mut row: Row = row.map_err(|error| error.to_string())?;
            let lines = blob(row.pop()).ok_or("a row of lines holds none")?;
            let (id, at_ms) = (unsigned(row.first()), integer(row.get(1)).unwrap_or(0));
            sum += lines.len() as u64;
            rows.push(Lines { id, at_ms, lines });
            if sum > bytes {
                break;
            }
        }
        Ok(rows)
    }

    fn delete_rows(&mut self, last: u64) -> Result<(), String> {
        self.query("DELETE FROM raw WHERE id <= ?", vec![value(last)]).map(|_| ())
    }

    fn cut(&self, kind: Kind) -> Result<Option<Cut>, String> {
        Ok(self.pair(key_of(kind))?.map(|(mark, last)| Cut { mark: Mark(mark), last }))
    }

    fn put_cut(&mut self, kind: Kind, cut: Cut) -> Result<(), String> {
        self.put_pair(key_of(kind), cut.mark.0, cut.last)
    }

    fn spilled(&self) -> Result<Vec<Spilled>, String> {
        let rows = self.query("SELECT first, last, epoch FROM spilled ORDER BY first", vec![])?;
        let read = |mut row: Row| {
            let mark = blob(row.pop())?.try_into().ok().map(Mark)?;
            Some(Spilled { first: unsigned(row.first()), last: unsigned(row.get(1)), mark })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    fn put_spilled(&mut self, spilled: Spilled, totals: &[u64]) -> Result<(), String> {
        let mut writer = Writer::default();
        let mut before = 0;
        for total in totals {
            writer.unsigned(total.saturating_sub(before));
            before = *total;
        }
        let Spilled { first, last, mark } = spilled;
        let totals = writer.into_bytes();
        let row = vec![value(first), value(last), mark.0.to_vec().into(), totals.into()];
        let insert =
            "INSERT OR REPLACE INTO spilled(first, last, epoch, totals) VALUES (?, ?, ?, ?)";
        self.query(insert, row).map(|_| ())
    }

    fn totals(&self, first: u64) -> Result<Vec<u64>, String> {
        let select = "SELECT totals FROM spilled WHERE first = ?";
        let row = self.query(select, vec![value(first)])?.pop();
        let bytes = blob(row.and_then(|mut row| row.pop())).unwrap_or_default();
        let mut reader = Reader::new(&bytes);
        let (mut totals, mut before) = (Vec::new(), 0u64);
        while !reader.is_at_end() {
            before += reader.unsigned().map_err(|error| error.to_string())?;
            totals.push(before);
        }
        Ok(totals)
    }

    fn forget_spilled(&mut self, first: u64) -> Result<(), String> {
        self.query("DELETE FROM spilled WHERE first = ?", vec![value(first)]).map(|_| ())
    }
}
