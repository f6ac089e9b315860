//! `predictions.parquet`: the stored predictions of a run, one row per window and model.
//!
//! Columns are those of [`Prediction`], with one 32-bit column `logit_<class>` per class in the order of the classes.
//! The file's key-value metadata holds the class names (`recoup.classes`, a JSON array), the format version
//! (`recoup.version`) and a CRC-32C of the rows (`recoup.crc32c`), since pages carry no checksum of their own.
//! A file is written beside its place, synced and renamed, so a reader sees the old one or the new one, never a part.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, Repetition};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

use crate::base::error::resumable;
use crate::base::file::write_atomic;
use crate::base::{Class, Classified, FileError};
use crate::cohort::split::Part;
use crate::evaluation::Prediction;

/// File name inside a run directory.
pub const FILE_NAME: &str = "predictions.parquet";

const VERSION: &str = "1";
const CLASSES_KEY: &str = "recoup.classes";
const VERSION_KEY: &str = "recoup.version";
const CHECKSUM_KEY: &str = "recoup.crc32c";
const ROWS_PER_GROUP: usize = 1 << 16;

/// Errors of `predictions.parquet`.
#[derive(Debug, thiserror::Error)]
pub enum PredictionsError {
    /// The file or its folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The rows cannot be written as they are.
    #[error("{}: {problem}", path.display())]
    Rows {
        /// The file to be written.
        path: PathBuf,
        /// Finding and expectation.
        problem: String,
    },
    /// The file is no whole parquet file.
    #[error("{}: not a readable parquet file, truncated or damaged: {source}; evaluate the checkpoint again to rewrite it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Reason of the Parquet library.
        source: ParquetError,
    },
    /// The file is parquet but does not hold predictions as written here.
    #[error("{}: not a predictions file of version {VERSION}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Finding and expectation.
        problem: String,
    },
}

impl Classified for PredictionsError {
    fn class(&self) -> Class {
        Class::Failure
    }
}

/// Predictions and the classes that their logits and targets refer to.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPredictions {
    /// Names of the classes; the last of two is the positive one.
    pub classes: Vec<String>,
    /// One row per window and model.
    pub rows: Vec<Prediction>,
}

/// Writes `path`, replacing it as a whole.
///
/// # Errors
/// When class names repeat, a row's logits or target do not fit the classes, or the disk fails. On error `path` is what
/// it was before.
pub fn write(path: &Path, classes: &[String], rows: &[Prediction]) -> Result<(), PredictionsError> {
    check_rows(classes, rows).map_err(|problem| PredictionsError::Rows {
        path: path.to_owned(),
        problem,
    })?;
    write_atomic(path, |file| {
        write_parquet(file, classes, rows).map_err(io::Error::other)
    })
    .map_err(|error| resumable(error).into())
}

fn check_rows(classes: &[String], rows: &[Prediction]) -> Result<(), String> {
    for (index, class) in classes.iter().enumerate() {
        if classes.iter().take(index).any(|other| other == class) {
            return Err(format!("class `{class}` is declared twice"));
        }
    }
    for (index, row) in rows.iter().enumerate() {
        let place = format!("row {index} (subject `{}`)", row.subject);
        if row.logits.len() != classes.len() {
            return Err(format!(
                "{place} has {} logits for {} classes",
                row.logits.len(),
                classes.len()
            ));
        }
        if row.target as usize >= classes.len() {
            return Err(format!(
                "{place} has target {}, expected less than {}",
                row.target,
                classes.len()
            ));
        }
    }
    Ok(())
}

fn schema(classes: &[String]) -> Result<Type, ParquetError> {
    let fixed = parse_message_type(
        "message predictions {
            required binary variant (utf8);
            required int32 repeat (uint_32);
            required int32 fold (uint_32);
            required int64 seed (uint_64);
            required binary part (utf8);
            required binary subject (utf8);
            required binary session (utf8);
            required double window_start_secs;
            required int32 target (uint_32);
        }",
    )?;
    let mut fields = fixed.get_fields().to_vec();
    for class in classes {
        let name = format!("logit_{class}");
        let field = Type::primitive_type_builder(&name, FloatType::get_physical_type());
        fields.push(Arc::new(field.with_repetition(Repetition::REQUIRED).build()?));
    }
    Type::group_type_builder("predictions").with_fields(fields).build()
}

fn write_parquet(file: &File, classes: &[String], rows: &[Prediction]) -> Result<(), ParquetError> {
    let names = serde_json::to_string(classes).map_err(|error| ParquetError::General(error.to_string()))?;
    let metadata = [
        (CLASSES_KEY, names),
        (VERSION_KEY, VERSION.to_owned()),
        (CHECKSUM_KEY, checksum(rows)),
    ];
    let metadata = metadata
        .into_iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(metadata.collect()))
        .build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema(classes)?), Arc::new(properties))?;
    for rows in rows.chunks(ROWS_PER_GROUP) {
        let mut group = writer.next_row_group()?;
        write_group(&mut group, classes.len(), rows)?;
        group.close()?;
    }
    writer.close().map(|_| ())
}

fn write_group(
    group: &mut SerializedRowGroupWriter<'_, &File>,
    num_classes: usize,
    rows: &[Prediction],
) -> Result<(), ParquetError> {
    write_text(group, rows, |row| &row.variant)?;
    write_column::<Int32Type>(group, rows, |row| row.repeat.cast_signed())?;
    write_column::<Int32Type>(group, rows, |row| row.fold.cast_signed())?;
    write_column::<Int64Type>(group, rows, |row| row.seed.cast_signed())?;
    write_column::<ByteArrayType>(group, rows, |row| ByteArray::from(row.part.to_string().into_bytes()))?;
    write_text(group, rows, |row| &row.subject)?;
    write_text(group, rows, |row| &row.session)?;
    write_column::<DoubleType>(group, rows, |row| row.window_start_secs)?;
    write_column::<Int32Type>(group, rows, |row| row.target.cast_signed())?;
    for class in 0..num_classes {
        write_column::<FloatType>(group, rows, |row| row.logits.get(class).copied().unwrap_or(f32::NAN))?;
    }
    Ok(())
}

fn write_text<F>(
    group: &mut SerializedRowGroupWriter<'_, &File>,
    rows: &[Prediction],
    text: F,
) -> Result<(), ParquetError>
where
    F: Fn(&Prediction) -> &str,
{
    write_column::<ByteArrayType>(group, rows, |row| ByteArray::from(text(row)))
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &File>,
    rows: &[Prediction],
    value: impl Fn(&Prediction) -> T::T,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = rows.iter().map(value).collect();
    let column = group.next_column()?;
    let mut column = column.ok_or_else(|| ParquetError::General("more columns than the schema holds".to_owned()))?;
    column.typed::<T>().write_batch(&values, None, None)?;
    column.close()
}

/// CRC-32C over every field of every row, texts with their length, numbers as little-endian bits.
fn checksum(rows: &[Prediction]) -> String {
    let mut bytes = Vec::new();
    let mut crc = 0;
    for row in rows {
        bytes.clear();
        for text in [&row.variant, &row.part.to_string(), &row.subject, &row.session] {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(
            [row.repeat, row.fold, row.target]
                .into_iter()
                .flat_map(u32::to_le_bytes),
        );
        bytes.extend(row.seed.to_le_bytes());
        bytes.extend(row.window_start_secs.to_bits().to_le_bytes());
        bytes.extend(row.logits.iter().flat_map(|logit| logit.to_bits().to_le_bytes()));
        crc = crc32c::crc32c_append(crc, &bytes);
    }
    format!("{crc:08x}")
}

/// Reads what [`write()`] wrote, bit for bit.
///
/// # Errors
/// When the file cannot be opened, is truncated or damaged, or is a parquet file of another kind.
pub fn read(path: &Path) -> Result<StoredPredictions, PredictionsError> {
    let file = File::open(path).map_err(FileError::io(path, "read"))?;
    let damaged = |source| PredictionsError::Damaged {
        path: path.to_owned(),
        source,
    };
    let format = |problem| PredictionsError::Format {
        path: path.to_owned(),
        problem,
    };
    // The parquet library panics on some damaged pages (a dictionary page whose length lies, for one).
    let decode = std::panic::AssertUnwindSafe(|| decode(file, &damaged, &format));
    let panicked = |_| Err(damaged(ParquetError::General("a page does not decode".to_owned())));
    std::panic::catch_unwind(decode).unwrap_or_else(panicked)
}

fn decode(
    file: File,
    damaged: &dyn Fn(ParquetError) -> PredictionsError,
    format: &dyn Fn(String) -> PredictionsError,
) -> Result<StoredPredictions, PredictionsError> {
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let classes = classes_of(&reader).map_err(format)?;
    let expected = schema(&classes).map_err(damaged)?;
    let found = reader.metadata().file_metadata().schema();
    if let Some(problem) = schema_difference(found, &expected) {
        return Err(format(problem));
    }
    let mut rows = Vec::new();
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index).map_err(damaged)?;
        read_group(group.as_ref(), classes.len(), &mut rows).map_err(damaged)?;
    }
    let stored = metadata_value(&reader, CHECKSUM_KEY).map_err(format)?;
    if checksum(&rows) != stored {
        return Err(damaged(ParquetError::General(format!(
            "rows have CRC-32C {}, expected {stored}",
            checksum(&rows)
        ))));
    }
    check_rows(&classes, &rows).map_err(format)?;
    Ok(StoredPredictions { classes, rows })
}

fn metadata_value(reader: &SerializedFileReader<File>, key: &str) -> Result<String, String> {
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let value = pairs
        .into_iter()
        .flatten()
        .find(|pair| pair.key == key)
        .and_then(|pair| pair.value.clone());
    value.ok_or_else(|| format!("its metadata lacks `{key}`"))
}

fn classes_of(reader: &SerializedFileReader<File>) -> Result<Vec<String>, String> {
    let version = metadata_value(reader, VERSION_KEY)?;
    if version != VERSION {
        return Err(format!("`{VERSION_KEY}` is {version}"));
    }
    let names = metadata_value(reader, CLASSES_KEY)?;
    serde_json::from_str(&names).map_err(|error| format!("`{CLASSES_KEY}` is no JSON array of names: {error}"))
}

fn schema_difference(found: &Type, expected: &Type) -> Option<String> {
    let columns = |schema: &Type| -> Vec<(String, Option<parquet::basic::Type>, bool)> {
        let describe = |field: &Arc<Type>| {
            let physical = field.is_primitive().then(|| field.get_physical_type());
            (field.name().to_owned(), physical, field.is_optional())
        };
        schema.get_fields().iter().map(describe).collect()
    };
    let (found, expected) = (columns(found), columns(expected));
    if let Some(differing) = expected.iter().zip(&found).find(|(expected, found)| expected != found) {
        let ((expected, ..), (found, ..)) = differing;
        return Some(format!(
            "column `{found}` where a required `{expected}` of its type was expected"
        ));
    }
    (found.len() != expected.len()).then(|| format!("{} columns, expected {}", found.len(), expected.len()))
}

fn read_group(group: &dyn RowGroupReader, num_classes: usize, rows: &mut Vec<Prediction>) -> Result<(), ParquetError> {
    let num_rows = group.metadata().num_rows();
    let num_rows = usize::try_from(num_rows).map_err(|_| ParquetError::General(format!("{num_rows} rows")))?;
    let mut variant = read_text(group, 0, num_rows)?.into_iter();
    let mut repeat = read_column::<Int32Type>(group, 1, num_rows)?.into_iter();
    let mut fold = read_column::<Int32Type>(group, 2, num_rows)?.into_iter();
    let mut seed = read_column::<Int64Type>(group, 3, num_rows)?.into_iter();
    let mut part = read_text(group, 4, num_rows)?.into_iter();
    let mut subject = read_text(group, 5, num_rows)?.into_iter();
    let mut session = read_text(group, 6, num_rows)?.into_iter();
    let mut start = read_column::<DoubleType>(group, 7, num_rows)?.into_iter();
    let mut target = read_column::<Int32Type>(group, 8, num_rows)?.into_iter();
    let mut logits = Vec::with_capacity(num_classes);
    for class in 0..num_classes {
        logits.push(read_column::<FloatType>(group, 9 + class, num_rows)?.into_iter());
    }
    // Every column was checked to hold num_rows values, so the zip ends with all of them.
    let mut next = || {
        let part = part.next()?;
        let part = Part::ALL
            .into_iter()
            .find(|known| known.to_string() == part)
            .ok_or(part);
        Some(part.map(|part| {
            Some(Prediction {
                variant: variant.next()?,
                repeat: repeat.next()?.cast_unsigned(),
                fold: fold.next()?.cast_unsigned(),
                seed: seed.next()?.cast_unsigned(),
                part,
                subject: subject.next()?,
                session: session.next()?,
                window_start_secs: start.next()?,
                target: target.next()?.cast_unsigned(),
                logits: logits.iter_mut().map(Iterator::next).collect::<Option<_>>()?,
            })
        }))
    };
    while let Some(row) = next() {
        let row = row.map_err(|part| ParquetError::General(format!("part `{part}` is not train, valid or test")))?;
        rows.extend(row);
    }
    Ok(())
}

fn read_text(group: &dyn RowGroupReader, column: usize, num_rows: usize) -> Result<Vec<String>, ParquetError> {
    let values = read_column::<ByteArrayType>(group, column, num_rows)?;
    values.iter().map(|value| value.as_utf8().map(str::to_owned)).collect()
}

fn read_column<T: DataType>(
    group: &dyn RowGroupReader,
    column: usize,
    num_rows: usize,
) -> Result<Vec<T::T>, ParquetError> {
    let mut values = Vec::new();
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column)?);
    reader.read_records(num_rows, None, None, &mut values)?;
    if values.len() != num_rows {
        return Err(ParquetError::General(format!(
            "column {column} holds {} of {num_rows} rows",
            values.len()
        )));
    }
    Ok(values)
}
