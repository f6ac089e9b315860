//! Row of the registry.

use super::contents;
use crate::format::Format;
use crate::strip::Deidentify;

/// Tables in columns.
pub static FORMAT: Format = Format {
    signatures: &[&[(0, b"PAR1")]],
    deidentify: Deidentify::ByColumn,
    ..Format::new(
        "Parquet",
        "tables (`.parquet`) without lists and maps, uncompressed or Snappy",
        |input| contents(input.bytes, input.path),
    )
};
