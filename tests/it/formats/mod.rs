//! Readers of file formats against the field's own libraries, and against broken bytes.

mod clinical;
mod deidentify;
mod mutate;
mod parquet;
