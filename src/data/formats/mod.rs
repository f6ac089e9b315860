//! Readers of file formats: bytes in, numbers out, no opinion on what they mean. One file per format.

mod contents;
pub mod delimited;
pub mod image;
pub mod nifti;
pub mod wfdb;

pub use contents::{Annotation, Contents, Images, Part, Points, SignalChannel};
