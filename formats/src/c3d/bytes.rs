//! Words and floating-point numbers in the three byte orders of C3D.

/// The processor that a file was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Intel: little-endian, IEEE 754.
    Pc,
    /// PDP-11 and VAX: little-endian words, `F_floating`.
    Dec,
    /// SGI and MIPS: big-endian, IEEE 754.
    Sgi,
}

impl Order {
    /// From the fourth byte of the parameter section.
    pub(super) fn from_processor(byte: u8) -> Option<Self> {
        match byte {
            84 => Some(Self::Pc),
            85 => Some(Self::Dec),
            86 => Some(Self::Sgi),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pc => "PC",
            Self::Dec => "DEC",
            Self::Sgi => "SGI",
        }
    }

    /// A signed 16-bit word.
    pub(super) fn word(self, bytes: [u8; 2]) -> i16 {
        match self {
            Self::Pc | Self::Dec => i16::from_le_bytes(bytes),
            Self::Sgi => i16::from_be_bytes(bytes),
        }
    }

    /// A 32-bit floating-point number.
    pub(super) fn float(self, bytes: [u8; 4]) -> f32 {
        match self {
            Self::Pc => f32::from_le_bytes(bytes),
            Self::Sgi => f32::from_be_bytes(bytes),
            Self::Dec => dec_float(bytes),
        }
    }

    /// The word at byte `at`; 0 beyond the end.
    pub(super) fn word_at(self, bytes: &[u8], at: usize) -> i16 {
        bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map_or(0, |&word| self.word(word))
    }

    /// The number at byte `at`; 0 beyond the end.
    pub(super) fn float_at(self, bytes: &[u8], at: usize) -> f32 {
        bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map_or(0.0, |&float| self.float(float))
    }
}

/// `F_floating` of the VAX: two little-endian words, the high one first; sign, 8 bits of exponent with a bias of 128 and
/// 23 bits of a fraction in [0.5, 1) without its leading one. An exponent of 0 is zero, or with a sign no number at all.
fn dec_float([b0, b1, b2, b3]: [u8; 4]) -> f32 {
    let bits = u32::from_le_bytes([b2, b3, b0, b1]);
    let exponent = (bits >> 23 & 0xff) as i32;
    let negative = bits >> 31 == 1;
    match (exponent, negative) {
        (0, false) => 0.0,
        (0, true) => f32::NAN,
        _ => {
            let fraction = f64::from(bits & 0x7f_ffff | 0x80_0000) / f64::from(1 << 24);
            let value = fraction * 2f64.powi(exponent - 128);
            (if negative { -value } else { value }) as f32
        }
    }
}
