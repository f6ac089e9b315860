//! Feature tables.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayView2;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::FileError;
use crate::file::write_atomic;

const ROWS_PER_GROUP: usize = 1 << 16;
/// JSON: name of each column of numbers to its unit.
const UNITS_KEY: &str = "recoup.units";

/// Writes a table of features, replacing `path` as a whole: text columns `ids` (name, one value per row) that say what
/// a row is of, then one column of 64-bit numbers per name and unit, from `values`, `[rows, columns]`. No column has
/// nulls: a missing number is NaN, and all bits are kept. Units stand in the file's metadata under `recoup.units`.
///
/// # Errors
/// When lengths or names contradict each other, or the disk fails; `path` is then what it was before.
pub fn write_table(
    path: &Path,
    ids: &[(&str, &[String])],
    columns: &[(&str, &str)],
    values: ArrayView2<f64>,
) -> Result<(), FileError> {
    check(path, ids, columns, values)?;
    write_atomic(path, |file| write(file, ids, columns, values).map_err(io::Error::other))
}

fn check(
    path: &Path,
    ids: &[(&str, &[String])],
    columns: &[(&str, &str)],
    values: ArrayView2<f64>,
) -> Result<(), FileError> {
    let wrong = |place: String, found: String, expected: String| {
        Err(FileError::at(path)
            .place(place)
            .found(found)
            .expected(expected)
            .hint("this is a mistake of the caller, not of the data"))
    };
    if let Some((name, column)) = ids.iter().find(|(_, column)| column.len() != values.nrows()) {
        let expected = format!("{}, as many as rows of numbers", values.nrows());
        return wrong(format!("column `{name}`"), format!("{} values", column.len()), expected);
    }
    if columns.len() != values.ncols() {
        return wrong(
            "columns".into(),
            format!("{} names", columns.len()),
            format!("{} columns", values.ncols()),
        );
    }
    let mut names: Vec<&str> = ids
        .iter()
        .map(|(name, _)| *name)
        .chain(columns.iter().map(|(name, _)| *name))
        .collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(twice) => wrong(
            format!("column `{}`", twice.first().unwrap_or(&"")),
            "it twice".into(),
            "different names".into(),
        ),
        None if names.is_empty() => wrong("columns".into(), "none".into(), "at least one".into()),
        None => Ok(()),
    }
}

fn write(
    file: &File,
    ids: &[(&str, &[String])],
    columns: &[(&str, &str)],
    values: ArrayView2<f64>,
) -> Result<(), ParquetError> {
    let units: BTreeMap<&str, &str> = columns.iter().copied().collect();
    let units = serde_json::to_string(&units).map_err(|error| ParquetError::General(error.to_string()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![KeyValue::new(UNITS_KEY.to_string(), units)]))
        .build();
    let text = |(name, _): &(&str, &[String])| {
        let builder = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
        builder
            .with_logical_type(Some(LogicalType::String))
            .with_repetition(Repetition::REQUIRED)
            .build()
    };
    let number = |(name, _): &(&str, &str)| {
        Type::primitive_type_builder(name, Physical::DOUBLE)
            .with_repetition(Repetition::REQUIRED)
            .build()
    };
    let fields: Result<Vec<Type>, _> = ids.iter().map(text).chain(columns.iter().map(number)).collect();
    let schema = Type::group_type_builder("table")
        .with_fields(fields?.into_iter().map(Arc::new).collect())
        .build()?;
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
    for start in (0..values.nrows()).step_by(ROWS_PER_GROUP) {
        let rows = start..values.nrows().min(start + ROWS_PER_GROUP);
        let mut group = writer.next_row_group()?;
        for (_, texts) in ids {
            let texts = texts.get(rows.clone()).unwrap_or_default();
            write_column::<ByteArrayType>(&mut group, texts.iter().map(|text| ByteArray::from(text.as_str())))?;
        }
        for column in values.columns() {
            write_column::<DoubleType>(&mut group, column.iter().skip(start).take(rows.len()).copied())?;
        }
        group.close()?;
    }
    writer.close().map(|_| ())
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &File>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    let column = group.next_column()?;
    let mut column = column.ok_or_else(|| ParquetError::General("more columns than the schema holds".into()))?;
    column
        .typed::<T>()
        .write_batch(&values.collect::<Vec<_>>(), None, None)?;
    column.close()
}
