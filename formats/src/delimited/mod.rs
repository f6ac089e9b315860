//! Delimited text: tables with one line per row, as laboratories and spreadsheets write them, quirks included.
//!
//! Text is UTF-8, UTF-16 or windows-1252 ([`encoding`]); lines end in LF, CR LF or CR alone. A line `sep=;` at the very
//! beginning, as Excel writes it, is no row. Fields may be quoted as in RFC 4180, also over several lines, and lose the spaces
//! around them. Blank lines do not count, except in tables of one column, where they are missing values; at the end of a file,
//! neither blank lines nor rows of separators only are rows.
//!
//! [`DelimitedLayout::table`] reads a file whose layout is known, [`sniff::sniff`] finds the layout of one whose layout is not.
//! A table keeps its text in one piece and four bytes per field beside it.

mod contents;
pub mod encoding;
pub mod format;
mod layout;
mod number;
mod read;
mod rows;
mod scan;
pub mod sniff;
mod table;

pub use contents::contents;
pub use layout::{DelimitedLayout, Header, Separator};
pub use number::{Decimal, Thousands, is_missing_code};
pub use table::{DelimitedRow, DelimitedTable, TableWriter};
