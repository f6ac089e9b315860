//! Character sets of a data set's texts, SpecificCharacterSet. PS3.3 C.12.1.1.2 and PS3.5 annexes H to K.

use encoding_rs::{
    EUC_KR, Encoding, GB18030, ISO_2022_JP, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7,
    ISO_8859_8, ISO_8859_15, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};

use crate::text::decode;

/// How the texts of a data set are encoded; `None` where it does not tell, or not in a way that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charset(Option<&'static Encoding>);

impl Charset {
    pub const UNKNOWN: Self = Self(None);

    /// From the values of SpecificCharacterSet. Of several the last counts: the first is for texts without escape sequences,
    /// mostly ASCII.
    pub fn parse(values: &str) -> Self {
        let encoding = |name: &str| {
            let number = name
                .strip_prefix("ISO_IR ")
                .or_else(|| name.strip_prefix("ISO 2022 IR "));
            Some(match number.unwrap_or(name) {
                "100" => WINDOWS_1252,
                "101" => ISO_8859_2,
                "109" => ISO_8859_3,
                "110" => ISO_8859_4,
                "144" => ISO_8859_5,
                "127" => ISO_8859_6,
                "126" => ISO_8859_7,
                "138" => ISO_8859_8,
                "148" => WINDOWS_1254,
                "203" => ISO_8859_15,
                "166" => WINDOWS_874,
                "13" => SHIFT_JIS,
                "87" | "159" => ISO_2022_JP,
                "149" => EUC_KR,
                "58" | "GB18030" | "GBK" => GB18030,
                "192" => UTF_8,
                _ => return None,
            })
        };
        Self(values.split('\\').rev().find_map(|name| encoding(name.trim())))
    }

    /// The text of some bytes; of those that the character set does not have, and without one, UTF-8 or windows-1252.
    pub fn decode(self, bytes: &[u8]) -> String {
        let Some(encoding) = self.0.filter(|_| !bytes.is_ascii() || bytes.contains(&ESCAPE)) else {
            return decode(bytes).into_owned();
        };
        // Sets of several bytes whose letters have their high bit set are called in, and need no more than that.
        let plain = if encoding == ISO_2022_JP {
            bytes.to_vec()
        } else {
            without_escapes(bytes)
        };
        match encoding.decode_without_bom_handling_and_without_replacement(&plain) {
            Some(text) => text.into_owned(),
            None => decode(&plain).into_owned(),
        }
    }
}

const ESCAPE: u8 = 0x1b;

/// The bytes without escape sequences: intermediate bytes 20 to 2F, and a final one.
fn without_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut pieces = bytes.split(|&byte| byte == ESCAPE);
    let mut plain = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let num_between = piece.iter().take_while(|byte| (0x20..0x30).contains(*byte)).count();
        plain.extend_from_slice(piece.get(num_between + 1..).unwrap_or_default());
    }
    plain
}
