//! A text table whose layout is found, as any other file.

use std::path::Path;

use super::encoding::Encoding;
use super::layout::Header;
use super::number::{Decimal, Thousands};
use super::sniff::{plain_numbers, try_sniff};
use crate::{Contents, FileError, Part};

/// Reads a table whose layout is found; numbers get a decimal point. Lines are never joined. `path` is for messages.
///
/// # Errors
/// [`FileError`] with the line that does not fit, for a text that is no table.
pub fn contents(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let sniffed = try_sniff(bytes, path, false)?;
    let layout = &sniffed.layout;
    let header = match layout.header {
        Header::Numbers => "none",
        Header::Comment => "last line of comments",
        Header::FirstLine | Header::Names(_) => "first line",
    };
    let mut facts = vec![("separator".to_string(), layout.separator.name().to_string())];
    facts.push(("header".into(), header.into()));
    if layout.units_row {
        facts.push(("row of units".into(), "below the header".into()));
    }
    if sniffed.encoding != Encoding::Utf8 {
        facts.push(("encoding".into(), sniffed.encoding.name().into()));
    }
    if layout.skip_lines > 0 {
        facts.push(("lines before the table".into(), layout.skip_lines.to_string()));
    }
    if let Some(mark) = &layout.comment {
        let count = sniffed.num_comments;
        facts.push(("lines left out".into(), format!("{count} that begin with `{mark}`")));
    }
    let converts = layout.decimal == Decimal::Comma || layout.thousands.is_some();
    if layout.decimal == Decimal::Comma {
        facts.push(("decimal mark".into(), "comma".into()));
    }
    if layout.thousands == Some(Thousands::Comma) {
        facts.push(("thousands mark".into(), "comma".into()));
    }
    let mut warnings = sniffed.table.warnings.clone();
    warnings.extend(sniffed.ambiguity());
    let table = if converts {
        plain_numbers(sniffed)
    } else {
        sniffed.table
    };
    Ok(Contents {
        format: "delimited text".into(),
        facts,
        parts: vec![Part::Table(table)],
        warnings,
        ..Contents::default()
    })
}
