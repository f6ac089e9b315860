//! Texts of marks in time: EDF+ annotations and the notes of WFDB annotation files.

use super::headers::fill;

/// An EDF, EDF+ or BDF file whose header is cleaned already, without free text: transducers, reserved fields and what
/// follows the last record go, and annotations unless `keep`; the time of each record stays. `None` for a header that does
/// not hold.
pub(super) fn clean_edf(bytes: &mut Vec<u8>, keep: bool) -> Option<()> {
    let number = |bytes: &[u8], at: usize, width: usize| -> Option<i64> {
        std::str::from_utf8(bytes.get(at..at + width)?)
            .ok()?
            .trim()
            .trim_start_matches('+')
            .parse()
            .ok()
    };
    let num_signals = usize::try_from(number(bytes, 252, 4)?).ok()?;
    let num_records = number(bytes, 236, 8)?;
    let header_bytes = 256 * (num_signals + 1);
    let wide = bytes.first() == Some(&0xff);
    let field = |offset: usize, width: usize, index: usize| 256 + offset * num_signals + width * index;
    let mut signals = Vec::new();
    let mut offset = 0;
    for index in 0..num_signals {
        let samples = usize::try_from(number(bytes, field(216, 8, index), 8)?).ok()?;
        let end = samples
            .checked_mul(if wide { 3 } else { 2 })
            .and_then(|length| length.checked_add(offset))?;
        let label = bytes.get(field(0, 16, index)..)?.get(..16)?;
        signals.push((offset..end, label.trim_ascii_end().ends_with(b" Annotations")));
        offset = end;
        fill(bytes.get_mut(field(16, 80, index)..)?.get_mut(..80)?, "");
        fill(bytes.get_mut(field(224, 32, index)..)?.get_mut(..32)?, "");
    }
    // `EDF+C` and the like, `24BIT`; the rest is free.
    let reserved = bytes.get_mut(192..236)?;
    let known: &[&[u8]] = &[b"EDF+C", b"EDF+D", b"BDF+C", b"BDF+D", b"24BIT"];
    let kept = if known.iter().any(|kind| reserved.starts_with(kind)) {
        5
    } else {
        0
    };
    fill(reserved.get_mut(kept..)?, "");
    bytes.get(..header_bytes)?;
    let data_bytes = bytes.len() - header_bytes;
    let records = data_bytes.checked_div(offset).unwrap_or(0);
    let records = usize::try_from(num_records).map_or(records, |promised| promised.min(records));
    bytes.truncate(header_bytes + records * offset);
    if !keep && offset > 0 {
        for record in bytes.get_mut(header_bytes..)?.chunks_exact_mut(offset) {
            for (index, (range, _)) in signals.iter().filter(|(_, marks)| *marks).enumerate() {
                drop_texts(record.get_mut(range.clone())?, index == 0);
            }
        }
    }
    Some(())
}

/// Keeps the time of the record, which the first list of the first signal holds.
fn drop_texts(lists: &mut [u8], has_time: bool) {
    let time: Vec<u8> = lists
        .iter()
        .copied()
        .take_while(|&byte| byte != 0x14 && byte != 0x15)
        .collect();
    let signed = matches!(time.first(), Some(b'+' | b'-'));
    let number = signed && time.iter().skip(1).all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let first = lists.get(time.len()..time.len() + 2) == Some(b"\x14\x14");
    let kept = if has_time && first && number {
        [&time[..], b"\x14\x14"].concat()
    } else {
        Vec::new()
    };
    let bytes = kept.into_iter().chain(std::iter::repeat(0));
    lists.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
}

/// A WFDB annotation file without its notes; the resolution of its time and the mnemonics of its types stay. What follows
/// the end goes. `None` for a file that is cut off.
pub(super) fn drop_notes(bytes: &[u8]) -> Option<Vec<u8>> {
    const NOTE: u8 = 22;
    let (mut out, mut at) = (Vec::new(), 0);
    let mut code_before = 0;
    while let Some(&word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>) {
        let [low, high] = word;
        let (code, value) = (high >> 2, usize::from(low) | usize::from(high & 3) << 8);
        at += 2;
        match code {
            0 if value == 0 => break,
            59 => {
                out.extend(word);
                out.extend(bytes.get(at..at + 4)?);
                at += 4;
            }
            63 => {
                let text = bytes.get(at..at + value)?;
                at += value.next_multiple_of(2);
                let kept = if code_before == NOTE { definition(text) } else { None };
                if let Some(text) = kept.filter(|text| text.len() < 1024) {
                    let [low, high] = (text.len() as u16).to_le_bytes();
                    out.extend([low, 63 << 2 | high]);
                    out.extend(text.bytes());
                    out.resize(out.len().next_multiple_of(2), 0);
                }
            }
            60..=62 => out.extend(word),
            _ => {
                code_before = code;
                out.extend(word);
            }
        }
    }
    out.extend([0, 0]);
    Some(out)
}

/// The part of a note that readers need.
fn definition(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
    if let Some(rate) = text.strip_prefix("## time resolution:") {
        return rate.trim().parse::<f64>().ok().map(|_| text.to_string());
    }
    if matches!(text, "## annotation type definitions" | "## end of definitions") {
        return Some(text.to_string());
    }
    let mut fields = text.split_whitespace();
    let (code, symbol) = (fields.next()?.parse::<u8>().ok()?, fields.next()?);
    (code < 59 && symbol.len() <= 4).then(|| format!("{code} {symbol}"))
}
