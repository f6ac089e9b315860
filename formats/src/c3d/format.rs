//! Row of the registry.

use super::{deidentify, read};
use crate::format::{Format, Head};
use crate::strip::{Deidentify, Stripper};

/// Motion capture.
pub static FORMAT: Format = Format {
    sniff: is_c3d,
    deidentify: Deidentify::ByFile(Stripper {
        needs_patient: false,
        identity: Some(deidentify::identity),
        strip: deidentify::strip,
    }),
    ..Format::new(
        "C3D",
        "motion capture (`.c3d`) of PC, DEC and SGI processors, integer or real: points, analog channels, force plates, events",
        |input| read(input.bytes, input.path),
    )
};

/// The parameters begin in block 2 to 31, and `P` follows; the letters that texts have below 32 do not count.
fn is_c3d(head: &Head) -> bool {
    matches!(head.bytes, [2..=8 | 11 | 12 | 14..=31, 0x50, ..])
}
