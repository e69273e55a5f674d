//! Whole lists as files: rows page by page from one snapshot, written as CSV, NDJSON or Parquet.
//!
//! Rows are those of the list routes, so a file says what the routes say. A page at a time is in
//! memory, and of Parquet one group of rows.

pub mod columns;
pub mod rows;
pub mod cells;
pub mod parquet;

use serde_json::Value;

use columns::Column;

/// Why an export ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A value does not fit its column.
    #[error("a row cannot be written: {0}")]
    Row(String),
    /// Rows cannot be read.
    #[error("{0}")]
    Read(String),
}

/// In what form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a head line, as of RFC 4180.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet, compressed with zstd.
    Parquet,
}

impl Format {
    /// The format with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Csv, Self::Ndjson, Self::Parquet].into_iter().find(|format| format.name() == name)
    }

    /// Its name, which is the ending of its files too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// A file that is being written.
pub enum Writer {
    /// Text; whether the head line is due, and what was written.
    Csv(&'static [Column], bool),
    /// Text.
    Ndjson,
    /// Groups of rows.
    Parquet(Box<parquet::Writer>),
}

impl Writer {
    /// One that has written nothing yet.
    ///
    /// # Errors
    /// If the columns make no schema, which is a fault of the program.
    pub fn new(format: Format, columns: &'static [Column]) -> Result<Self, ExportError> {
        Ok(match format {
            Format::Csv => Self::Csv(columns, true),
            Format::Ndjson => Self::Ndjson,
            Format::Parquet => Self::Parquet(Box::new(parquet::Writer::new(columns)?)),
        })
    }

    /// Writes rows and gives the bytes that are due.
    ///
    /// # Errors
    /// If a value does not fit its column.
    pub fn write(&mut self, rows: &[Value]) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Csv(columns, is_head_due) => {
                let bytes = cells::csv(columns, rows, *is_head_due)?;
                *is_head_due = false;
                Ok(bytes)
            }
            Self::Ndjson => Ok(cells::ndjson(rows)),
            Self::Parquet(writer) => writer.write(rows),
        }
    }

    /// The bytes at the end.
    ///
    /// # Errors
    /// If the last rows cannot be written.
    pub fn finish(self) -> Result<Vec<u8>, ExportError> {
        match self {
            // A file without rows has its head line all the same.
            Self::Csv(columns, true) => cells::csv(columns, &[], true),
            Self::Csv(_, false) | Self::Ndjson => Ok(Vec::new()),
            Self::Parquet(writer) => writer.finish(),
        }
    }
}
