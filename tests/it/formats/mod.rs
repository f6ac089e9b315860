//! Readers of file formats against the field's own libraries, and against broken bytes.

mod blocks;
mod c3d;
mod clinical;
mod deidentify;
mod deidentify_folder;
mod describe;
mod dicom;
mod edf;
mod image;
mod keypoints;
mod kinds;
mod mutate;
mod nifti;
mod open;
mod parquet;
mod recordings;
mod sequences;
mod skeleton;
mod volumes;
mod wfdb;
