//! Readers of file formats against the field's own libraries, and against broken bytes.

mod edf;
mod c3d;
mod mutate;
mod wfdb;
mod image;
mod mutate;
mod nifti;
