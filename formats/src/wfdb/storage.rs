//! How signal files store samples, `signal(5)` of the WFDB Applications Guide.

/// The storage formats, by their codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    F8,
    F16,
    F24,
    F32,
    F61,
    F80,
    F160,
    F212,
    F310,
    F311,
    /// 508, 516, 524: FLAC of at most so many bits.
    Flac(u32),
}

impl Format {
    /// The codes that [`Self::parse`] knows, for messages.
    pub(super) const CODES: &str = "8, 16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516 or 524";

    pub(super) fn parse(code: &str) -> Option<Self> {
        Some(match code {
            "8" => Self::F8,
            "16" => Self::F16,
            "24" => Self::F24,
            "32" => Self::F32,
            "61" => Self::F61,
            "80" => Self::F80,
            "160" => Self::F160,
            "212" => Self::F212,
            "310" => Self::F310,
            "311" => Self::F311,
            "508" => Self::Flac(8),
            "516" => Self::Flac(16),
            "524" => Self::Flac(24),
            _ => return None,
        })
    }

    /// The lowest value of each format. Format 8 has no code for missing samples, and [`i32::MIN`] stands for those that
    /// a skew leaves without one.
    pub(super) fn missing_code(self) -> i32 {
        match self {
            Self::F16 | Self::F61 | Self::F160 => -(1 << 15),
            Self::F24 => -(1 << 23),
            Self::F8 | Self::F32 => i32::MIN,
            Self::F80 => -(1 << 7),
            Self::F212 => -(1 << 11),
            Self::F310 | Self::F311 => -(1 << 9),
            Self::Flac(bits) => -1 << (bits - 1),
        }
    }

    /// Values and bytes of a whole block, and the bytes that one value, two values, ... at the end of a file take.
    fn block(self) -> (usize, usize, &'static [usize]) {
        match self {
            Self::F8 | Self::F80 | Self::Flac(_) => (1, 1, &[]),
            Self::F16 | Self::F61 | Self::F160 => (1, 2, &[]),
            Self::F24 => (1, 3, &[]),
            Self::F32 => (1, 4, &[]),
            Self::F212 => (2, 3, &[2]),
            Self::F310 => (3, 4, &[2, 4]),
            Self::F311 => (3, 4, &[2, 3]),
        }
    }

    /// Bytes of so many values; `None` if no file can have them.
    pub(super) fn num_bytes(self, num_values: usize) -> Option<usize> {
        let (values, bytes, ends) = self.block();
        let end = (num_values % values)
            .checked_sub(1)
            .and_then(|last| ends.get(last))
            .unwrap_or(&0);
        (num_values / values).checked_mul(bytes)?.checked_add(*end)
    }

    /// How many values so many bytes hold.
    pub(super) fn num_values(self, num_bytes: usize) -> usize {
        let (values, bytes, ends) = self.block();
        num_bytes / bytes * values + ends.iter().filter(|&&end| end <= num_bytes % bytes).count()
    }

    /// The values in the order of the file; first differences in format 8. FLAC files have a decoder of their own.
    pub(super) fn decode(self, bytes: &[u8], num_values: usize) -> Vec<i32> {
        let mut values: Vec<i32> = match self {
            Self::F8 => bytes.iter().map(|&byte| i32::from(byte as i8)).collect(),
            Self::F16 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&pair| i16::from_le_bytes(pair).into())
                .collect(),
            Self::F61 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&pair| i16::from_be_bytes(pair).into())
                .collect(),
            // Offset binary: zero stands in the middle of the unsigned range.
            Self::F80 => bytes.iter().map(|&byte| i32::from(byte) - (1 << 7)).collect(),
            Self::F160 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&pair| i32::from(u16::from_le_bytes(pair)) - (1 << 15))
                .collect(),
            Self::F24 => (bytes.as_chunks().0.iter())
                .map(|&[low, middle, high]| i32::from_le_bytes([0, low, middle, high]) >> 8)
                .collect(),
            Self::F32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&word| i32::from_le_bytes(word))
                .collect(),
            Self::F212 => blocks(bytes, unpack_212),
            Self::F310 => blocks(bytes, unpack_310),
            Self::F311 => blocks(bytes, unpack_311),
            Self::Flac(_) => Vec::new(),
        };
        values.truncate(num_values);
        values
    }
}

/// Unpacks block by block; zeros complete the last one, and the values that they make are cut off by the caller.
fn blocks<const BYTES: usize, const VALUES: usize>(bytes: &[u8], unpack: fn([u8; BYTES]) -> [u32; VALUES]) -> Vec<i32> {
    // 12 bits in pairs, 10 bits in triples.
    let unused_bits = if VALUES == 2 { 20 } else { 22 };
    let (whole, rest) = bytes.as_chunks();
    let mut last = [0; BYTES];
    last.iter_mut().zip(rest).for_each(|(last, &byte)| *last = byte);
    let all = whole.iter().copied().chain((!rest.is_empty()).then_some(last));
    all.flat_map(unpack)
        .map(|value| (value << unused_bits) as i32 >> unused_bits)
        .collect()
}

/// The low bytes first and last, both high nibbles between them.
fn unpack_212([first, nibbles, second]: [u8; 3]) -> [u32; 2] {
    let nibbles = u32::from(nibbles);
    [
        u32::from(first) | (nibbles & 15) << 8,
        u32::from(second) | (nibbles >> 4) << 8,
    ]
}

/// Two 16-bit words: a value each above their lowest bit, and five bits each of the third value above those.
fn unpack_310([a, b, c, d]: [u8; 4]) -> [u32; 3] {
    let (low, high) = (
        u32::from(u16::from_le_bytes([a, b])),
        u32::from(u16::from_le_bytes([c, d])),
    );
    [low >> 1, high >> 1, low >> 11 | (high >> 11) << 5]
}

/// One 32-bit word, lowest bits first, two bits unused.
fn unpack_311(bytes: [u8; 4]) -> [u32; 3] {
    let word = u32::from_le_bytes(bytes);
    [word, word >> 10, word >> 20]
}
