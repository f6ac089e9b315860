//! Readers of file formats against the field's own libraries, and against broken bytes.

mod c3d;
mod describe;
mod dicom;
mod edf;
mod image;
mod clinical;
mod deidentify;
mod mutate;
mod nifti;
mod open;
mod parquet;
mod wfdb;
mod keypoints;
mod mutate;
mod skeleton;
