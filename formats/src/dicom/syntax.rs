//! Transfer syntaxes: which pixels can be read. PS3.6 annex A.

use std::path::Path;

use crate::FileError;

/// How pixels are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Rle,
    Jpeg,
}

/// The part of a UID that all transfer syntaxes share.
const ROOT: &str = "1.2.840.10008.1.2";

/// Name of a transfer syntax.
pub(super) fn name(uid: &str) -> &str {
    match uid.strip_prefix(ROOT) {
        Some("") => "Implicit VR Little Endian",
        Some(".1") => "Explicit VR Little Endian",
        Some(".1.99") => "Deflated Explicit VR Little Endian",
        Some(".2") => "Explicit VR Big Endian",
        Some(".5") => "RLE Lossless",
        Some(".4.50") => "JPEG Baseline",
        Some(".4.51") => "JPEG Extended",
        Some(".4.57") => "JPEG Lossless",
        Some(".4.70") => "JPEG Lossless, first-order prediction",
        Some(".4.80") => "JPEG-LS Lossless",
        Some(".4.81") => "JPEG-LS Near-Lossless",
        Some(".4.90") => "JPEG 2000 Lossless",
        Some(".4.91") => "JPEG 2000",
        Some(".4.100" | ".4.101" | ".4.100.1" | ".4.101.1") => "MPEG-2",
        Some(".4.102" | ".4.103" | ".4.104" | ".4.105" | ".4.106") => "MPEG-4",
        Some(".4.107" | ".4.108") => "HEVC",
        Some(".4.110" | ".4.111" | ".4.112") => "JPEG XL",
        Some(".4.201" | ".4.202" | ".4.203") => "High-Throughput JPEG 2000",
        _ => uid,
    }
}

/// The codec of a transfer syntax.
pub(super) fn codec(uid: &str, path: &Path) -> Result<Codec, FileError> {
    match uid.strip_prefix(ROOT) {
        Some("" | ".1" | ".1.99" | ".2") => Ok(Codec::None),
        Some(".5") => Ok(Codec::Rle),
        Some(".4.50" | ".4.51" | ".4.57" | ".4.70") => Ok(Codec::Jpeg),
        _ => {
            let expected = "uncompressed or deflated pixels, RLE, JPEG baseline, extended of 8 bits or lossless";
            Err(FileError::at(path)
                .place("transfer syntax")
                .found(format!("{} ({uid})", name(uid)))
                .expected(expected)
                .hint(UNPACK))
        }
    }
}

pub(super) const UNPACK: &str = "unpack the file first: `gdcmconv --raw IN.dcm OUT.dcm`";
