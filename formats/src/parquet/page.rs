//! Sizes that must be known of a file before the `parquet` crate reads it: the lengths that its page headers state, and how
//! deep its schema nests. Both are Thrift structures in the compact protocol, walked here without being kept.

/// Deepest nesting that a schema or a Thrift structure may have.
const MAX_DEPTH: usize = 32;
/// Snappy's shortest instruction that copies takes 2 bytes and writes 64.
const MAX_BYTES_PER_SNAPPY_BYTE: usize = 32;

/// Walks the pages of a column chunk: each must lie within it, and say no larger size than it can unpack to.
pub(super) fn check_pages(chunk: &[u8], snappy: bool) -> Result<(), String> {
    let mut walk = Walk { bytes: chunk, at: 0 };
    while walk.at < chunk.len() {
        let (mut unpacked, mut packed) = (None, None);
        let start = walk.at;
        walk.fields(&mut |walk, field, kind| match field {
            2 => walk.integer(kind).map(|value| unpacked = usize::try_from(value).ok()),
            3 => walk.integer(kind).map(|value| packed = usize::try_from(value).ok()),
            _ => walk.skip(kind, 0),
        })
        .ok_or_else(|| format!("a page header that ends early at byte {start} of the column"))?;
        let sizes = unpacked.zip(packed).filter(|&(unpacked, packed)| {
            let most = if snappy {
                packed.saturating_mul(MAX_BYTES_PER_SNAPPY_BYTE).saturating_add(64)
            } else {
                packed
            };
            packed <= chunk.len() - walk.at && unpacked <= most
        });
        let Some((_, packed)) = sizes else {
            return Err(format!(
                "a page at byte {start} of the column with a size that it cannot have"
            ));
        };
        walk.at += packed;
    }
    Ok(())
}

/// Checks that the schema in the footer of a file nests no deeper than [`MAX_DEPTH`]. What else may be wrong with the
/// footer is left to the reader.
pub(super) fn check_schema(bytes: &[u8]) -> Result<(), String> {
    let Some((rest, end)) = bytes.split_last_chunk::<8>() else {
        return Ok(());
    };
    let [a, b, c, d, ..] = *end;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let footer = rest
        .len()
        .checked_sub(length)
        .and_then(|start| rest.get(start..))
        .unwrap_or_default();
    let mut deepest = 0;
    let mut walk = Walk { bytes: footer, at: 0 };
    walk.fields(&mut |walk, field, kind| match (field, kind) {
        (2, Walk::LIST) => {
            deepest = walk.schema_depth()?;
            Some(())
        }
        _ => walk.skip(kind, 0),
    });
    match deepest <= MAX_DEPTH {
        true => Ok(()),
        false => Err(format!("a schema nested {deepest} deep")),
    }
}

/// A position in bytes of Thrift's compact protocol. `None` is the end of the bytes, or nonsense.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    const LIST: u8 = 9;

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number of a field that should be one.
    fn integer(&mut self, kind: u8) -> Option<i64> {
        let value = matches!(kind, 4..=6).then(|| self.varint())??;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Calls `each` with the number and type of every field of a structure; it must pass over the value.
    fn fields(&mut self, each: &mut dyn FnMut(&mut Self, i64, u8) -> Option<()>) -> Option<()> {
        let mut field = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            field = match head >> 4 {
                0 => self.integer(6)?,
                delta => field + i64::from(delta),
            };
            each(self, field, head & 15)?;
        }
    }

    /// Number and type of the elements of a list, each of which takes a byte or more.
    fn list(&mut self) -> Option<(usize, u8)> {
        let head = self.byte()?;
        let size = match head >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            size => size.into(),
        };
        (size <= self.bytes.len().saturating_sub(self.at)).then_some((size, head & 15))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(|_| ()),
            4..=6 => self.varint().map(|_| ()),
            7 => self.pass(8),
            8 => self
                .varint()
                .and_then(|length| self.pass(usize::try_from(length).ok()?)),
            9 | 10 => {
                let (size, kind) = self.list()?;
                // The truth value of a list's element takes a byte, that of a field is in its type.
                (0..size).try_for_each(|_| {
                    if kind <= 2 {
                        self.pass(1)
                    } else {
                        self.skip(kind, depth + 1)
                    }
                })
            }
            12 => self.fields(&mut |walk, _, kind| walk.skip(kind, depth + 1)),
            _ => None,
        }
    }

    fn pass(&mut self, length: usize) -> Option<()> {
        self.at = self.at.checked_add(length).filter(|&at| at <= self.bytes.len())?;
        Some(())
    }

    /// The nesting of a list of schema elements: each states the number of its children, which follow it.
    fn schema_depth(&mut self) -> Option<usize> {
        let (size, _) = self.list()?;
        let (mut open, mut deepest) = (Vec::<i64>::new(), 0);
        for _ in 0..size {
            let mut children = 0;
            self.fields(&mut |walk, field, kind| match field {
                5 => walk.integer(kind).map(|value| children = value),
                _ => walk.skip(kind, 0),
            })?;
            while open.last().is_some_and(|&left| left <= 0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            open.push(children);
            deepest = deepest.max(open.len());
        }
        Some(deepest)
    }
}
