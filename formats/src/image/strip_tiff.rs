//! TIFF without metadata: a file of the same length that holds what pixels need at its old places, and zeros elsewhere.

use std::collections::BTreeSet;

/// Tags that tell pixels, their places and their colours.
const TAGS: [u16; 31] = [
    254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 292, 293, 296, 301, 317, 320,
    322, 323, 324, 325, 338, 339, 340, 341,
];
/// Where pixels lie and how many bytes they have: strips, tiles.
const PLACES: [(u16, u16); 2] = [(273, 279), (324, 325)];

struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// BigTIFF has offsets of eight bytes.
    wide: bool,
}

impl Reader<'_> {
    fn number(&self, at: usize, width: usize) -> Option<usize> {
        let field = self.bytes.get(at..at.checked_add(width)?)?.iter();
        let digit = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        let number = if self.big_endian {
            field.fold(0, digit)
        } else {
            field.rev().fold(0, digit)
        };
        usize::try_from(number).ok()
    }
}

/// The file without metadata; `None` if it is damaged. Old JPEG inside of TIFF has no places that are known.
pub(super) fn clean(bytes: &[u8]) -> Option<Vec<u8>> {
    let big_endian = bytes.starts_with(b"M");
    let mut reader = Reader {
        bytes,
        big_endian,
        wide: false,
    };
    reader.wide = reader.number(2, 2)? == 43;
    let (word, count_bytes, head) = if reader.wide { (8, 8, 16) } else { (4, 2, 8) };
    let mut out = vec![0; bytes.len()];
    copy(bytes, &mut out, 0, head)?;
    let mut at = reader.number(head - word, word)?;
    let mut seen = BTreeSet::new();
    while at != 0 {
        if !seen.insert(at) {
            return None;
        }
        let entries = at.checked_add(count_bytes)?;
        let length = reader.number(at, count_bytes)?;
        let entry_bytes = 4 + 2 * word;
        let end = length.checked_mul(entry_bytes)?.checked_add(entries)?;
        bytes.get(entries..end.checked_add(word)?)?;
        let mut kept = Vec::new();
        for entry in (entries..end).step_by(entry_bytes) {
            let tag = u16::try_from(reader.number(entry, 2)?).ok()?;
            if TAGS.contains(&tag) {
                kept.push((tag, entry));
            }
        }
        copy_pixels(&reader, &kept, &mut out)?;
        for &(_, entry) in &kept {
            let (start, length, _) = values(&reader, entry)?;
            if length > word {
                copy(bytes, &mut out, start, length)?;
            }
        }
        // The directory ends earlier, with the place of the next one behind it.
        let count = kept.len() as u64;
        let count = if big_endian {
            count.to_be_bytes().to_vec()
        } else {
            count.to_le_bytes().to_vec()
        };
        let count = if big_endian {
            count.get(8 - count_bytes..)?
        } else {
            count.get(..count_bytes)?
        };
        let mut directory = count.to_vec();
        for (_, entry) in kept {
            let mut field = bytes.get(entry..entry + entry_bytes)?.to_vec();
            let (_, length, _) = values(&reader, entry)?;
            // What a short value leaves of its field is free.
            if length < word {
                field.get_mut(4 + word + length..)?.fill(0);
            }
            directory.extend(field);
        }
        directory.extend(bytes.get(end..end + word)?);
        out.get_mut(at..at + directory.len())?.copy_from_slice(&directory);
        at = reader.number(end, word)?;
    }
    Some(out)
}

/// Where the values of an entry lie, how many bytes they have, and how many each of them has.
fn values(reader: &Reader, entry: usize) -> Option<(usize, usize, usize)> {
    let word = if reader.wide { 8 } else { 4 };
    let width = match reader.number(entry + 2, 2)? {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => return None,
    };
    let length = reader.number(entry + 4, word)?.checked_mul(width)?;
    let start = if length > word {
        reader.number(entry + 4 + word, word)?
    } else {
        entry + 4 + word
    };
    reader.bytes.get(start..start.checked_add(length)?)?;
    Some((start, length, width))
}

fn copy_pixels(reader: &Reader, kept: &[(u16, usize)], out: &mut [u8]) -> Option<()> {
    let mut any = false;
    for (places, lengths) in PLACES {
        let list = |tag: u16| {
            let &(_, entry) = kept.iter().find(|(known, _)| *known == tag)?;
            let (start, length, width) = values(reader, entry)?;
            (start..start + length)
                .step_by(width)
                .map(|at| reader.number(at, width))
                .collect::<Option<Vec<_>>>()
        };
        if let (Some(places), Some(lengths)) = (list(places), list(lengths)) {
            any = true;
            for (start, length) in places.into_iter().zip(lengths) {
                copy(reader.bytes, out, start, length)?;
            }
        }
    }
    any.then_some(())
}

fn copy(bytes: &[u8], out: &mut [u8], start: usize, length: usize) -> Option<()> {
    let range = start..start.checked_add(length)?;
    out.get_mut(range.clone())?.copy_from_slice(bytes.get(range)?);
    Some(())
}
