//! Text of headers and annotations whose encoding the format does not tell.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;

/// UTF-8, or windows-1252 where it is not: it extends Latin-1, and no two of its bytes are one letter, so that different
/// texts stay different.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}
