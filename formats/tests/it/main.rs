//! The readers and writers against the field's own libraries, and against broken bytes. One binary, so that it links once.
#![allow(clippy::unwrap_used)]

/// Counts the memory that a reader takes: none may believe a length that a file claims.
mod allocation;
/// Recordings longer than memory, read piece by piece, give the values of reading them whole.
mod blocks;
/// C3D against ezc3d, and written files read back bit by bit.
mod c3d;
/// What `data show` says about each kind of contents.
mod describe;
/// DICOM against pydicom, pixels of all compressions, series, and de-identified files.
mod dicom;
/// EDF and BDF against pyEDFlib and MNE, pauses, annotations, written files.
mod edf;
/// Messages of errors: all parts there, nothing of a file reaches the terminal as a command.
mod errors;
/// Modes and atomicity of written files.
mod files;
/// PNG, JPEG and TIFF against Pillow and tifffile.
mod image;
/// Poses as JSON: OpenPose, AlphaPose, BlazePose.
mod keypoints;
/// Each kind of warning has a name, a document and a file that causes it.
mod kinds;
/// Helper: a hundred thousand mutations of a file, each read or refused within bounds of memory.
mod mutate;
/// NIfTI against nibabel.
mod nifti;
/// Any file finds its reader by its bytes; files without one are named for what they are.
mod open;
/// Parquet against pyarrow.
mod parquet;
/// Rates, units and names of recordings as their writers meant them.
mod recordings;
/// The list of formats in README is that of the registry.
mod registry;
/// Folders of frames and slices in the order of what they show.
mod sequences;
/// Skeletons of Kinect and Vicon as text.
mod skeleton;
/// Text tables as laboratories, spreadsheets and programs write them.
mod tables;
/// Volumes from slices and enhanced DICOM.
mod volumes;
/// WFDB against the wfdb package, all storage formats, segments, annotations, damage.
mod wfdb;
