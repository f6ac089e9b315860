//! Parquet tables, read as text so that they stand wherever a card names a delimited file, and feature tables written.
//!
//! Reading is the `parquet` crate's, column by column, behind three fences, because it trusts what damaged files say:
//! the headers of pages and the depth of the schema are checked before it sees them (it reserves memory by the former
//! and recurses by the latter), what columns unpack to is counted while they do, and its panics are caught.
//!
//! Nulls become empty fields. Numbers are written so that they parse back to the same bits; dates and times as ISO
//! 8601, with `Z` where the file says that they are in UTC; decimals with all their digits; bytes that are no UTF-8 as
//! hexadecimal. Columns of nested groups are called `group.column`; lists and maps are no columns and an error.

pub mod format;
mod page;
mod text;
mod write;

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::delimited::{DelimitedTable, TableWriter};
use super::{Contents, Part};
use crate::FileError;
use text::Kind;
pub use write::write_table;

/// Memory that a table may take whatever its file, and per byte of it: ample for columns that repeat one value.
const MAX_BYTES: usize = 8 << 20;
const MAX_BYTES_PER_BYTE: usize = 1024;
const ROWS_AT_ONCE: usize = 1024;
/// Memory of one more field beyond its text: its end, in its column and in the rows, and its level.
const FIELD_BYTES: usize = 2 * size_of::<u32>() + size_of::<i16>();

/// Reads a whole file into fields; the line of a row is its number, from 1. `file` is for messages.
///
/// # Errors
/// [`FileError`] for what is no Parquet or a damaged one, a compression other than Snappy, and lists.
pub fn read(bytes: &[u8], file: &Path) -> Result<DelimitedTable, FileError> {
    decode(bytes, file).map(|(table, _)| table)
}

/// The table of [`read`] and what the file says about itself.
///
/// # Errors
/// Errors of [`read`].
pub fn contents(bytes: &[u8], file: &Path) -> Result<Contents, FileError> {
    let (table, facts) = decode(bytes, file)?;
    Ok(Contents {
        format: "Parquet".into(),
        facts,
        parts: vec![Part::Table(table)],
        ..Contents::default()
    })
}

type Facts = Vec<(String, String)>;

fn decode(bytes: &[u8], file: &Path) -> Result<(DelimitedTable, Facts), FileError> {
    let owned = Bytes::copy_from_slice(bytes);
    // The crate panics on some damaged pages; what it leaves behind is not looked at again.
    let decoded = catch_unwind(AssertUnwindSafe(|| table(owned, file)));
    decoded.unwrap_or_else(|_| Err(damaged(file, "file").found("pages that do not decode")))
}

fn damaged(file: &Path, place: impl Display) -> FileError {
    FileError::at(file)
        .place(place)
        .expected("a whole Parquet file")
        .hint("the file is truncated or damaged; copy or export it again")
}

fn table(bytes: Bytes, file: &Path) -> Result<(DelimitedTable, Facts), FileError> {
    page::check_schema(&bytes).map_err(|problem| damaged(file, "footer").found(problem))?;
    let reader = SerializedFileReader::new(bytes.clone()).map_err(|error| damaged(file, "footer").found(error))?;
    let metadata = reader.metadata().file_metadata();
    let schema = metadata.schema_descr();
    let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    let mut rows = TableWriter::new(file, names.clone());
    let mut budget = MAX_BYTES.saturating_add(bytes.len().saturating_mul(MAX_BYTES_PER_BYTE));
    for index in 0..reader.num_row_groups() {
        let place = format!("row group {}", index + 1);
        let group = reader
            .get_row_group(index)
            .map_err(|error| damaged(file, &place).found(error))?;
        let mut columns = Vec::new();
        for (column, name) in names.iter().enumerate() {
            let place = format!("{place}, column `{name}`");
            let chunk = group
                .metadata()
                .columns()
                .get(column)
                .ok_or_else(|| damaged(file, &place).found("no data"))?;
            check_chunk(chunk, &bytes, file, &place)?;
            let max_level = chunk.column_descr().max_def_level();
            let mut fields = Fields {
                max_level,
                column: TableWriter::new(file, vec![name.clone()]),
                taken: 0,
                budget: &mut budget,
            };
            let reader = group
                .get_column_reader(column)
                .map_err(|error| damaged(file, &place).found(error))?;
            fields
                .fill(reader, &Kind::of(chunk))
                .map_err(|problem| damaged(file, &place).found(problem))?;
            if fields.taken as i64 != group.metadata().num_rows() {
                let found = format!("{} of {} rows", fields.taken, group.metadata().num_rows());
                return Err(damaged(file, &place).found(found));
            }
            columns.push(fields.column.finish());
        }
        let num_rows = columns.iter().map(DelimitedTable::num_rows).min().unwrap_or(0);
        for (row, column) in (0..num_rows).flat_map(|row| columns.iter().map(move |column| (row, column))) {
            let field = column.row(row).map_or("", |row| row.field(0));
            rows.push(field)
                .ok_or_else(|| damaged(file, &place).found("more than 4 GiB of text"))?;
        }
    }
    let table = rows.finish();
    let mut facts = vec![("rows".into(), table.num_rows().to_string())];
    facts.extend(metadata.created_by().map(|by| ("created by".into(), by.into())));
    let pairs = metadata.key_value_metadata().into_iter().flatten();
    // Arrow's copy of the schema is base64 of what the columns say already.
    let pairs = pairs.filter(|pair| pair.key != "ARROW:schema");
    facts.extend(pairs.map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default())));
    Ok((table, facts))
}

fn check_chunk(chunk: &ColumnChunkMetaData, bytes: &Bytes, file: &Path, place: &str) -> Result<(), FileError> {
    if chunk.column_descr().max_rep_level() > 0 {
        return Err(FileError::at(file)
            .place(place)
            .found("a list or map")
            .expected("one value per row")
            .hint("write one column per element, or one row per element"));
    }
    let snappy = match chunk.compression() {
        Compression::UNCOMPRESSED => false,
        Compression::SNAPPY => true,
        other => {
            let hint = "write the file again with Snappy; in Python: table.to_parquet(path, compression=\"snappy\")";
            let name = format!("{other:?}");
            let name = name.split('(').next().unwrap_or_default();
            return Err(FileError::at(file)
                .place(place)
                .found(format!("compression {name}"))
                .expected("no compression or Snappy")
                .hint(hint));
        }
    };
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let range = usize::try_from(start)
        .ok()
        .zip(usize::try_from(chunk.compressed_size()).ok());
    let pages = range.and_then(|(start, length)| bytes.get(start..start.checked_add(length)?));
    let pages = pages.ok_or_else(|| damaged(file, place).found("an offset outside the file"))?;
    page::check_pages(pages, snappy).map_err(|problem| damaged(file, place).found(problem))
}

/// One column of one row group on its way into the rows.
struct Fields<'a> {
    /// The definition level of a value that is no null.
    max_level: i16,
    column: TableWriter,
    taken: usize,
    budget: &'a mut usize,
}

impl Fields<'_> {
    fn fill(&mut self, reader: ColumnReader, kind: &Kind) -> Result<(), ParquetError> {
        match reader {
            ColumnReader::BoolColumnReader(reader) => self.read(reader, |&value| Some(value.to_string())),
            ColumnReader::Int32ColumnReader(reader) => self.read(reader, |&value| kind.integer(value.into(), 32)),
            ColumnReader::Int64ColumnReader(reader) => self.read(reader, |&value| kind.integer(value, 64)),
            ColumnReader::Int96ColumnReader(reader) => self.read(reader, |value| text::int96(value.data())),
            ColumnReader::FloatColumnReader(reader) => self.read(reader, |&value| Some(text::float(value))),
            ColumnReader::DoubleColumnReader(reader) => self.read(reader, |&value| Some(text::float(value))),
            ColumnReader::ByteArrayColumnReader(reader) => self.read(reader, |value| kind.bytes(value.data())),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => self.read(reader, |value| kind.bytes(value.data())),
        }
    }

    fn read<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        show: impl Fn(&T::T) -> Option<String>,
    ) -> Result<(), ParquetError> {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        loop {
            values.clear();
            levels.clear();
            let (records, ..) = reader.read_records(ROWS_AT_ONCE, Some(&mut levels), None, &mut values)?;
            if records == 0 {
                return Ok(());
            }
            let mut values = values.iter();
            for row in 0..records {
                // A column that cannot have nulls has no levels.
                let text = match levels.get(row).is_some_and(|&level| level < self.max_level) {
                    true => String::new(),
                    false => {
                        let value = values
                            .next()
                            .ok_or_else(|| ParquetError::General("too few values".into()))?;
                        show(value).ok_or_else(|| ParquetError::General(format!("{value:?}, which is out of range")))?
                    }
                };
                self.push(text)?;
            }
        }
    }

    fn push(&mut self, text: String) -> Result<(), ParquetError> {
        let large = || ParquetError::General("values that unpack to a thousand times the file".into());
        let left = self
            .budget
            .checked_sub(FIELD_BYTES + 2 * text.len())
            .ok_or_else(large)?;
        *self.budget = left;
        self.column.push(&text).ok_or_else(large)?;
        self.taken += 1;
        Ok(())
    }
}
