//! PNG and JPEG without metadata: chunks and segments that pixels do not need are left out, the others copied.

/// Chunks that tell pixels and their colours.
const CHUNKS: [&[u8; 4]; 9] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT",
];

/// The picture without metadata, turned as before; `None` if it is damaged.
pub(super) fn clean(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.starts_with(b"\xff\xd8") {
        jpeg(bytes)
    } else {
        png(bytes)
    }
}

fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let (signature, mut rest) = bytes.split_at_checked(8)?;
    let mut out = signature.to_vec();
    let mut orientation = None;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let (chunk, after) = rest.split_at_checked(length.checked_add(12)?)?;
        let kind = chunk.get(4..8)?;
        if kind == b"eXIf" {
            orientation = turned(chunk.get(8..8 + length)?);
        }
        if kind == b"IDAT"
            && let Some(orientation) = orientation.take()
        {
            let exif = exif(orientation);
            let body = [b"eXIf", &exif[..]].concat();
            let mut checksum = flate2::Crc::new();
            checksum.update(&body);
            out.extend((exif.len() as u32).to_be_bytes());
            out.extend(&body);
            out.extend(checksum.sum().to_be_bytes());
        }
        if CHUNKS.iter().any(|known| *known == kind) {
            out.extend(chunk);
        }
        if kind == b"IEND" {
            return Some(out);
        }
        rest = after;
    }
}

fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"\xff\xd8".to_vec();
    let mut rest = bytes.get(2..)?;
    loop {
        let &[0xff, marker, ref after @ ..] = rest else {
            return None;
        };
        if marker == 0xff {
            rest = rest.get(1..)?;
            continue;
        }
        if marker == 0xd9 {
            out.extend(b"\xff\xd9");
            return Some(out);
        }
        let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
        let (segment, mut after) = after.split_at_checked(length.max(2))?;
        let payload = segment.get(2..)?;
        match marker {
            // What decoders take colours from: that it is JFIF, without its thumbnail, and Adobe's transform.
            0xe0 if payload.starts_with(b"JFIF\0") => {
                out.extend(b"\xff\xe0\0\x10");
                out.extend(payload.get(..12)?);
                out.extend([0, 0]);
            }
            0xee if payload.starts_with(b"Adobe") => {
                out.extend(b"\xff\xee\0\x0e");
                out.extend(payload.get(..12)?);
            }
            0xe1 if payload.starts_with(b"Exif\0\0") => {
                if let Some(orientation) = turned(payload.get(6..)?) {
                    let exif = [b"Exif\0\0", &exif(orientation)[..]].concat();
                    out.extend([0xff, 0xe1]);
                    out.extend((exif.len() as u16 + 2).to_be_bytes());
                    out.extend(exif);
                }
            }
            0xe0..=0xfe => {}
            _ => {
                out.extend([0xff, marker]);
                out.extend(segment);
            }
        }
        if marker == 0xda {
            // Up to the next marker that is neither a stuffed zero nor a restart.
            let ends = |pair: &[u8; 2]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
            let end = after.array_windows().position(ends)?;
            out.extend(after.get(..end)?);
            after = after.get(end..)?;
        }
        rest = after;
    }
}

/// The orientation that a block of EXIF tells, unless it is the usual one.
fn turned(exif: &[u8]) -> Option<u16> {
    let big = match exif.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let pair = *exif.get(at..)?.first_chunk()?;
        Some(if big {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        })
    };
    let start = *exif.get(4..)?.first_chunk()?;
    let start = if big {
        u32::from_be_bytes(start)
    } else {
        u32::from_le_bytes(start)
    } as usize;
    let entries = (0..usize::from(u16_at(start)?)).map(|index| start + 2 + 12 * index);
    let entry = entries.into_iter().find(|&at| u16_at(at) == Some(0x0112))?;
    u16_at(entry + 8).filter(|orientation| (2..=8).contains(orientation))
}

/// A block of EXIF that tells the orientation only.
fn exif(orientation: u16) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    exif.extend(orientation.to_be_bytes());
    exif.extend([0; 6]);
    exif
}
