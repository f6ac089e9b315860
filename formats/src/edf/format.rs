//! Row of the registry.

use super::{read, strip};
use crate::format::Format;
use crate::strip::{Deidentify, Stripper};

/// European Data Format, 16 bits, and BioSemi's with 24 bits.
pub static FORMAT: Format = Format {
    signatures: &[&[(0, b"0       ")], &[(0, b"\xffBIOSEMI")]],
    blocks: Some(|path, max_bytes| super::blocks(path, max_bytes).map(Some)),
    deidentify: Deidentify::ByFile(Stripper {
        needs_patient: true,
        identity: Some(strip::identity),
        strip: strip::strip,
    }),
    ..Format::new(
        "EDF",
        "EDF, EDF+C, EDF+D (`.edf`), BDF, BDF+ (`.bdf`), with annotations",
        |input| read(input.bytes, input.path),
    )
};
