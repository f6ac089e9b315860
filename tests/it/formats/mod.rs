//! Readers of file formats against the field's own libraries, and against broken bytes.

mod edf;
mod mutate;
mod wfdb;
mod image;
mod mutate;
mod nifti;
