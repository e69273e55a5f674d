//! Rows as Parquet. The only file that names arrow and parquet.

use std::sync::Arc;

use arrow_json::ReaderBuilder;
use arrow_json::reader::Decoder;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::ExportError;
use super::columns::{Column, Kind};

/// Rows of a group, which is what is held in memory.
const GROUP_ROWS: usize = 16_384;
/// No currency has more than four decimals, and 34 digits before them hold every sum.
const DIGITS: u8 = 38;
const DECIMALS: i8 = 4;

/// A file that is being written.
pub struct Writer {
    columns: &'static [Column],
    decoder: Decoder,
    file: ArrowWriter<Vec<u8>>,
}

fn failed(error: impl std::fmt::Display) -> ExportError {
    ExportError::Row(error.to_string())
}

impl Writer {
    /// One that has written nothing yet.
    ///
    /// # Errors
    /// If the columns make no schema, which is a fault of the program.
    pub fn new(columns: &'static [Column]) -> Result<Self, ExportError> {
        let schema = Arc::new(Schema::new(columns.iter().flat_map(fields).collect::<Fields>()));
        let decoder = ReaderBuilder::new(schema.clone()).build_decoder().map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let file = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(failed)?;
        Ok(Self { columns, decoder, file })
    }

    /// Writes rows and gives the bytes that are due: those of whole groups.
    ///
    /// # Errors
    /// If a value does not fit its column.
    pub fn write(&mut self, rows: &[Value]) -> Result<Vec<u8>, ExportError> {
        let mut text = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut text, &flat(self.columns, row)).map_err(failed)?;
            text.push(b'\n');
        }
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            // It stops when it holds a whole batch.
            let read = self.decoder.decode(rest).map_err(failed)?;
            rest = rest.get(read..).unwrap_or_default();
            match self.decoder.flush().map_err(failed)? {
                Some(batch) => self.file.write(&batch).map_err(failed)?,
                None if read == 0 => return Err(failed("a row is not read to its end")),
                None => {}
            }
        }
        Ok(std::mem::take(self.file.inner_mut()))
    }

    /// The bytes at the end.
    ///
    /// # Errors
    /// If the last group cannot be written.
    pub fn finish(self) -> Result<Vec<u8>, ExportError> {
        self.file.into_inner().map_err(failed)
    }
}

fn decimal() -> DataType {
    DataType::Decimal128(DIGITS, DECIMALS)
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn fields(column: &Column) -> Vec<Field> {
    let kind = match column.kind {
        Kind::Text | Kind::Json => DataType::Utf8,
        Kind::Whole => DataType::Int64,
        Kind::Truth => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
        Kind::Date => DataType::Date32,
        Kind::Texts => list(DataType::Utf8),
        Kind::Moneys => {
            let currency = Field::new("currency", DataType::Utf8, true);
            let amount = Field::new("amount", decimal(), true);
            list(DataType::Struct(vec![currency, amount].into()))
        }
        Kind::Money => {
            let currency = Field::new(format!("{}_currency", column.name), DataType::Utf8, true);
            return vec![currency, Field::new(column.name, decimal(), true)];
        }
    };
    vec![Field::new(column.name, kind, true)]
}

/// A row with a member for each column.
fn flat(columns: &[Column], row: &Value) -> Map<String, Value> {
    let mut flat = Map::new();
    for Column { name, kind } in columns {
        let value = row.get(*name).unwrap_or(&Value::Null);
        match kind {
            Kind::Money => {
                flat.insert(format!("{name}_currency"), value["currency"].clone());
                flat.insert((*name).to_owned(), value["amount"].clone());
            }
            Kind::Json if !value.is_null() => {
                flat.insert((*name).to_owned(), value.to_string().into());
            }
            _ => {
                flat.insert((*name).to_owned(), value.clone());
            }
        }
    }
    flat
}
