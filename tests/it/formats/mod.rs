//! Readers of file formats against the field's own libraries, and against broken bytes.

mod dicom;
mod edf;
mod mutate;
