//! Row of the registry.

use super::{deidentify, read, read_series};
use crate::format::{Format, Head};
use crate::strip::{Deidentify, Stripper};

/// Images, series and waveforms of hospitals.
pub static FORMAT: Format = Format {
    signatures: &[&[(128, b"DICM")]],
    sniff: is_bare_dicom,
    read_many: Some(|files, _| read_series(files)),
    deidentify: Deidentify::ByFile(Stripper {
        needs_patient: true,
        identity: Some(deidentify::identity),
        strip: deidentify::strip,
    }),
    ..Format::new(
        "DICOM",
        "images, series and waveforms (`.dcm`), with or without preamble: uncompressed, deflated, RLE, baseline, extended and lossless JPEG",
        |input| read(input.bytes, input.path),
    )
};

/// First element of group 2 or 8 in either byte order, with a value representation or a short length.
fn is_bare_dicom(head: &Head) -> bool {
    let &[a, b, c, d, e, f, g, h, ..] = head.bytes else {
        return false;
    };
    let little = matches!((a, b, d), (2 | 8, 0, 0)) && c <= 0x90;
    let big = matches!((a, b, c), (0, 2 | 8, 0)) && d <= 0x90;
    let representation = e.is_ascii_uppercase() && f.is_ascii_uppercase();
    let short = if little {
        (f, g, h) == (0, 0, 0)
    } else {
        (e, f, g) == (0, 0, 0)
    };
    (little || big) && (representation || short)
}
