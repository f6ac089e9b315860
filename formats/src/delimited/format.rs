//! Row of the registry: text tables whose layout is found.

use super::contents::contents;
use super::encoding::head_text;
use super::sniff;
use crate::format::{Format, Head};
use crate::strip::Deidentify;

/// Text tables.
pub static FORMAT: Format = Format {
    sniff: is_table,
    deidentify: Deidentify::ByColumn,
    ..Format::new(
        "delimited text",
        "tables as text (`.csv`, `.tsv`, `.txt`): comma, semicolon, tabulator or blanks, or one column of numbers; decimal \
         point or comma; UTF-8, UTF-16 or windows-1252",
        |input| contents(input.bytes, input.path),
    )
};

fn is_table(head: &Head) -> bool {
    // One line of words is no table, nor is JSON or HTML.
    let is_table = |text: &str| {
        let text = text.trim_matches(['\n', '\r', ' ']);
        text.contains(['\n', '\r']) && !text.starts_with(['{', '[', '<']) && sniff::is_table(text)
    };
    head_text(head.bytes).is_some_and(|text| is_table(&text))
}
