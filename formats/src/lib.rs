//! Readers and writers of biomedical files: bytes in, numbers out, no opinion on what they mean. One folder per format, one
//! row per format in [`registry`].

pub mod blocks;
pub mod c3d;
mod contents;
pub mod delimited;
pub mod describe;
pub mod dicom;
pub mod edf;
mod error;
pub mod file;
pub mod format;
pub mod frames;
pub mod image;
pub mod keypoints;
pub mod nearest;
pub mod nifti;
pub mod open;
pub mod order;
pub mod parquet;
mod rates;
pub mod registry;
pub mod skeleton;
pub mod strip;
mod text;
pub mod units;
mod warning;
pub mod wfdb;

pub use contents::{Annotation, Contents, Images, Part, Points, SignalChannel};
pub use delimited::sniff;
pub use describe::{DescribeOptions, Description, describe};
pub use error::{FileError, printable, shortened};
pub use format::Format;
pub use open::open;
pub use rates::rates_agree;
pub use registry::{FORMATS, detect};
pub use warning::{Warning, WarningCode, refuse_unaccepted};

/// Runs the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
