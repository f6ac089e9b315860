//! DICOM files: images, volumes and waveforms (ECG).
//!
//! Read are implicit and explicit data sets of both byte orders, deflated ones, and files without preamble. Pixels are
//! uncompressed, RLE, JPEG baseline, JPEG extended of 8 bits, or JPEG lossless; other compressions are refused by name.
//!
//! The parser is our own, after a look at `dicom-object` and `dicom-pixeldata` 0.10.1: they allocate what a length in the
//! file says before they read (up to 4 GB), have no bound on sequences in sequences (a stack overflow ends the process and
//! cannot be caught), take sequences of undefined length and unknown representation as explicit although PS3.5 6.2.2 has
//! them implicit, index out of bounds for short RLE segments and large JPEG frames, and have no RLE of 32 bits. A guard
//! against the first two would be a parser. From the same authors: the dictionary. JPEG is `jpeg-decoder`'s.

mod charset;
mod dataset;
pub mod deidentify;
mod file;
pub mod format;
mod frame;
mod geometry;
mod image;
mod pixels;
mod profile;
mod series;
mod syntax;
mod waveform;

use std::path::Path;

pub use series::read_series;

use self::dataset::{Dataset, PIXEL_DATA, Tag};
use self::file::Envelope;
use crate::FileError;
use crate::{Contents, Part};

const MODALITY: Tag = Tag(0x0008, 0x0060);
/// Facts that are told of a file; nothing that names or dates a patient.
const FACTS: [(&str, Tag); 16] = [
    ("modality", MODALITY),
    ("manufacturer", Tag(0x0008, 0x0070)),
    ("model", Tag(0x0008, 0x1090)),
    ("body_part", Tag(0x0018, 0x0015)),
    ("image_type", Tag(0x0008, 0x0008)),
    ("photometric_interpretation", Tag(0x0028, 0x0004)),
    ("bits_stored", Tag(0x0028, 0x0101)),
    ("pixel_padding_value", Tag(0x0028, 0x0120)),
    ("slice_thickness_mm", Tag(0x0018, 0x0050)),
    ("tube_voltage_kv", Tag(0x0018, 0x0060)),
    ("convolution_kernel", Tag(0x0018, 0x1210)),
    ("repetition_time_ms", Tag(0x0018, 0x0080)),
    ("echo_time_ms", Tag(0x0018, 0x0081)),
    ("field_strength_tesla", Tag(0x0018, 0x0087)),
    ("flip_angle_degrees", Tag(0x0018, 0x1314)),
    ("patient_position", Tag(0x0018, 0x5100)),
];

/// Reads a file; `path` is for messages. An affine maps to RAS+ millimetres.
///
/// # Errors
/// [`FileError`] for a damaged file, one without image or waveform, and pixels that cannot be unpacked.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let envelope = Envelope::open(bytes, path)?;
    let dataset = envelope.dataset()?;
    let mut contents = describe(&envelope, &dataset);
    if !dataset.items(waveform::WAVEFORMS).is_empty() {
        let waveforms = waveform::read(&dataset, path)?;
        contents.warnings.extend(waveforms.warnings);
        (contents.parts, contents.annotations) = (waveforms.parts, waveforms.annotations);
    } else if dataset.get(PIXEL_DATA).is_some() {
        let reading = image::read(&dataset, &envelope.transfer_syntax, path)?;
        contents.parts.push(Part::Images(reading.images));
        contents.warnings.extend(reading.warnings);
    } else {
        let modality = dataset.text(MODALITY).unwrap_or_else(|| "unknown".into());
        let found = format!("neither, modality {modality}");
        let hint = "reports, plans and structures have nothing to learn from here; leave them out";
        return Err(FileError::at(path)
            .place("data set")
            .found(found)
            .expected("PixelData or a WaveformSequence")
            .hint(hint));
    }
    Ok(contents)
}

fn describe(envelope: &Envelope, dataset: &Dataset) -> Contents {
    let number = |tag| dataset.number(tag).map(|number| number.to_string());
    // Texts of the file may stand for numbers; binary numbers need their representation.
    let value = |tag| match dataset.get(tag).map(|element| element.vr) {
        Some([b'U' | b'S', b'S']) => number(tag),
        _ => dataset.text(tag),
    };
    let mut facts: Vec<(String, String)> = FACTS
        .iter()
        .filter_map(|&(name, tag)| Some((name.to_string(), value(tag)?)))
        .collect();
    facts.insert(
        0,
        (
            "transfer_syntax".into(),
            syntax::name(&envelope.transfer_syntax).to_string(),
        ),
    );
    let format = match dataset.text(MODALITY) {
        Some(modality) => format!("DICOM, {modality}"),
        None => "DICOM".into(),
    };
    Contents {
        format,
        facts,
        warnings: envelope.warnings.clone(),
        ..Contents::default()
    }
}
