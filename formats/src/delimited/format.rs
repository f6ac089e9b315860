//! Row of the registry: text tables whose layout is guessed.

use super::{Header, Separator};
use crate::FileError;
use crate::contents::{Contents, Part};
use crate::format::{Format, Head, Input};
use crate::sniff::sniff;
use crate::strip::Deidentify;

/// Text tables.
pub static FORMAT: Format = Format {
    sniff: is_table,
    deidentify: Deidentify::ByColumn,
    ..Format::new(
        "delimited text",
        "tables as text (`.csv`, `.tsv`, `.txt`): comma, semicolon, tabulator or blanks, decimal point or comma",
        read,
    )
};

fn is_table(head: &Head) -> bool {
    // One line of words is no table, nor is JSON or HTML.
    let is_table = |text: &str| {
        let text = text.trim();
        text.contains('\n') && !text.starts_with(['{', '[', '<']) && sniff(text.as_bytes()).is_some()
    };
    head.text.is_some_and(is_table)
}

/// A table whose separator, header and decimal comma are guessed; numbers get a decimal point.
fn read(input: &Input) -> Result<Contents, FileError> {
    let Input { bytes, path, .. } = *input;
    let Some(sniffed) = sniff(bytes) else {
        return Err(FileError::at(path)
            .place("text")
            .found("lines with different numbers of fields")
            .expected("a table with one separator, in UTF-8")
            .hint("correct the lines, or describe the layout in a dataset card"));
    };
    let (layout, mut table) = (sniffed.layout, sniffed.table);
    table.file = path.to_path_buf();
    if layout.decimal_comma {
        for field in table.rows.iter_mut().flat_map(|row| &mut row.fields) {
            if let Some(number) = layout.number::<f64>(field).filter(|_| field.contains(',')) {
                *field = number.to_string();
            }
        }
    }
    let mut facts = vec![("separator".to_string(), separator_name(layout.separator).to_string())];
    let header = if layout.header == Header::Numbers {
        "none"
    } else {
        "first line"
    };
    facts.push(("header".into(), header.into()));
    if layout.skip_lines > 0 {
        facts.push(("lines before the table".into(), layout.skip_lines.to_string()));
    }
    if let Some(comment) = &layout.comment {
        facts.push(("comments begin with".into(), comment.clone()));
    }
    if layout.decimal_comma {
        facts.push(("decimal mark".into(), "comma".into()));
    }
    Ok(Contents {
        format: "delimited text".into(),
        facts,
        parts: vec![Part::Table(table)],
        ..Contents::default()
    })
}

fn separator_name(separator: Separator) -> &'static str {
    match separator {
        Separator::Comma => "comma",
        Separator::Semicolon => "semicolon",
        Separator::Tab => "tabulator",
        Separator::Whitespace => "spaces",
    }
}
