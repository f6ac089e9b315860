//! A text of known layout as a table.

use std::path::Path;

use super::encoding::decode;
use super::layout::{DelimitedLayout, Header};
use super::number::is_sheet_error;
use super::rows::{Joining, LineList, OddRow, RawRows, wrong};
use super::scan::{Record, Scanner, Unclosed};
use super::table::{DelimitedTable, Fields};
use crate::{FileError, Warning, WarningCode};

/// Odd rows that any table may have; more of them are at most half of the rows.
const MAX_ODD: usize = 1000;

impl DelimitedLayout {
    /// Cuts a file into rows. `file` is for messages.
    ///
    /// # Errors
    /// [`FileError`] for bytes that are no text, for a file without a header where there should be one, and with the line of a
    /// row that has not as many fields as there are columns, or a quote without its end.
    pub fn table(&self, bytes: &[u8], file: &Path) -> Result<DelimitedTable, FileError> {
        let joining = match (self.join_short_lines, self.fill_short_lines) {
            (false, _) => Joining::Never,
            (true, false) => Joining::Declared,
            (true, true) => Joining::Certain,
        };
        read(&decode(bytes, file)?.0, self, joining, file).map(|read| read.table)
    }
}

/// A table, and what was done to its rows.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) table: DelimitedTable,
    pub(super) num_joined: usize,
    pub(super) num_filled: usize,
    /// Lines that begin with the comment mark, those before the header included.
    pub(super) num_comments: usize,
}

/// Reads a text; `file` is for messages.
pub(super) fn read(text: &str, layout: &DelimitedLayout, joining: Joining, file: &Path) -> Result<Read, FileError> {
    let mut reader = Reader::new(text, layout, file)?;
    let header = reader.header()?;
    reader.reserve(text);
    let (columns, raw) = reader.rows(header.columns, joining)?;
    let even = raw.even(layout, joining, &columns, file)?;
    let mut table = DelimitedTable {
        file: file.to_path_buf(),
        units: header.units,
        columns,
        fields: even.fields,
        lines: even.lines,
        ..DelimitedTable::default()
    };
    let num_rows = table.num_rows();
    table.units.resize(
        if table.units.is_empty() { 0 } else { table.columns.len() },
        String::new(),
    );
    let num_comments = header.num_comments + reader.comments.count + even.comments.count;
    let mut warn = |code, lines: &LineList, what: String| {
        if lines.count > 0 {
            let text = format!("{what}: {}", lines.text());
            table.warnings.push(Warning::new(code, text));
        }
    };
    let mark = layout.comment.as_deref().unwrap_or_default();
    for lines in [&reader.comments, &even.comments] {
        let what = format!("comments between the rows, which begin with `{mark}`, are no rows");
        warn(WarningCode::LeftOut, lines, what);
    }
    let what = "lines that break off were joined with the next";
    warn(WarningCode::ShortRows, &even.joined, what.into());
    let num_filled = even.filled.count;
    let what = format!("{num_filled} of {num_rows} rows have too few fields; the last ones are missing");
    warn(WarningCode::ShortRows, &even.filled, what);
    table.drop_empty_end();
    Ok(Read {
        table,
        num_joined: even.joined.count,
        num_filled: even.filled.count,
        num_comments,
    })
}

/// What stands above the rows.
struct HeaderLines {
    /// `None` where the first row tells how many there are.
    columns: Option<Vec<String>>,
    units: Vec<String>,
    num_comments: usize,
}

struct Reader<'t> {
    layout: &'t DelimitedLayout,
    file: &'t Path,
    scanner: Scanner<'t>,
    raw: RawRows,
    comments: LineList,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, layout: &'t DelimitedLayout, file: &'t Path) -> Result<Self, FileError> {
        if u32::try_from(text.len()).is_err() {
            return Err(FileError::at(file)
                .place("content")
                .found(format!("{} bytes of text", text.len()))
                .expected("at most 4 GiB")
                .hint("cut the table into parts, or write it as Parquet"));
        }
        Ok(Self {
            layout,
            file,
            scanner: Scanner::behind(text, layout.separator, layout.skip_lines),
            raw: RawRows::default(),
            comments: LineList::default(),
        })
    }

    /// Memory for the rows at once, so that it does not grow beyond them.
    fn reserve(&mut self, text: &str) {
        if let Some(separator) = self.layout.separator.byte() {
            let is_end = |&byte: &u8| byte == separator || byte == b'\n' || byte == b'\r';
            let num_fields = self
                .scanner
                .rest()
                .as_bytes()
                .iter()
                .filter(|byte| is_end(byte))
                .count();
            self.raw.fields.ends.reserve(num_fields + 1);
        }
        self.raw.fields.text.reserve(text.len());
    }

    fn next(&mut self, fields: &mut Fields) -> Result<Option<Record>, FileError> {
        self.scanner.next(fields).map_err(|Unclosed(line)| {
            FileError::at(self.file)
                .place(format!("line {line}"))
                .found("a quote without its end")
                .expected("a second one behind the field")
                .hint("close the quote, or double it where it belongs to the field")
        })
    }

    /// Whether the next line begins with the comment mark, and is not the row of a spreadsheet without a value in front.
    fn is_marked(&self) -> bool {
        let Some(mark) = self.layout.comment.as_deref() else {
            return false;
        };
        let rest = self.scanner.rest();
        // Line ends are spaces, too.
        let line = rest.trim_start_matches([' ', '\t']);
        line.starts_with(mark)
    }

    /// The fields of the next line by themselves: quotes in comments have no end.
    fn line_fields(&self) -> Option<Fields> {
        let mut fields = Fields::default();
        let line = self.scanner.peek_line()?;
        Scanner::behind(line, self.layout.separator, 0).next(&mut fields).ok()?;
        Some(fields)
    }

    fn header(&mut self) -> Result<HeaderLines, FileError> {
        let mut num_comments = 0;
        let mut last_comment = None;
        let named = matches!(self.layout.header, Header::Names(_));
        while let Some(line) = self.scanner.peek_line() {
            let is_marked = self.is_marked() && !self.line_fields().is_some_and(|fields| is_sheet_error(fields.get(0)));
            let is_comment = match &self.layout.header {
                // May be a row.
                Header::Names(names) => {
                    is_marked && self.line_fields().is_none_or(|fields| fields.ends.len() != names.len())
                }
                _ => is_marked,
            };
            if is_comment {
                last_comment = Some(line);
                num_comments += 1;
            } else if named || !line.trim().is_empty() {
                break;
            }
            self.scanner.skip_line();
        }
        let mut fields = Fields::default();
        let expected = |what: &str| {
            FileError::at(self.file)
                .place("content")
                .found("no line")
                .expected(what)
                .hint("give the columns' names in the card: `header = [...]`")
        };
        let columns = match &self.layout.header {
            Header::Names(names) => Some(names.clone()),
            Header::Numbers => None,
            Header::FirstLine => {
                let missing = expected("a header and rows below it");
                self.next(&mut fields)?.ok_or(missing)?;
                Some(fields.to_strings())
            }
            Header::Comment => {
                let line = last_comment.ok_or_else(|| expected("a comment above the rows that names the columns"))?;
                let mark = self.layout.comment.as_deref().unwrap_or_default();
                Some(comment_fields(line, mark, self.layout).to_strings())
            }
        };
        let mut units = Vec::new();
        if self.layout.units_row {
            let mut fields = Fields::default();
            while self.scanner.peek_line().is_some_and(|line| line.trim().is_empty()) {
                self.scanner.skip_line();
            }
            let line = self.scanner.line();
            let record = self.next(&mut fields)?;
            units = fields.to_strings();
            let names = columns.as_deref().unwrap_or_default();
            if record.is_some_and(|record| record.num_fields > names.len()) {
                return Err(wrong(self.file, line, units.len(), names));
            }
        }
        Ok(HeaderLines {
            columns,
            units,
            num_comments,
        })
    }

    fn rows(&mut self, columns: Option<Vec<String>>, joining: Joining) -> Result<(Vec<String>, RawRows), FileError> {
        let mut fields = std::mem::take(&mut self.raw.fields);
        let mut columns = columns;
        // Blank lines so far at the end of a table of one column.
        let mut num_blank = 0;
        loop {
            let is_marked = columns.is_some() && self.is_marked();
            let num_columns = columns.as_ref().map_or(0, Vec::len);
            if is_marked {
                let own = self.line_fields().unwrap_or_default();
                if own.ends.len() != num_columns && !is_sheet_error(own.get(0)) {
                    self.comments.push(self.scanner.line());
                    self.scanner.skip_line();
                    continue;
                }
            }
            let start = fields.ends.len();
            let Some(record) = self.next(&mut fields)? else { break };
            let columns =
                columns.get_or_insert_with(|| (1..=record.num_fields).map(|number| number.to_string()).collect());
            if self.raw.num_rows == 0 {
                // A header that ends in separators, above rows that do not.
                while columns.len() > record.num_fields && columns.last().is_some_and(String::is_empty) {
                    columns.pop();
                }
            }
            if record.is_blank && columns.len() > 1 {
                fields.truncate(start);
                continue;
            }
            num_blank = if record.is_blank { num_blank + 1 } else { 0 };
            let mut num_fields = record.num_fields;
            // Separators behind the last field of a row.
            while num_fields > columns.len() && fields.get(fields.ends.len() - 1).is_empty() {
                num_fields -= 1;
                fields.truncate(start + num_fields);
            }
            if num_fields > columns.len()
                || num_fields < columns.len() && joining == Joining::Never && !self.layout.fill_short_lines
            {
                return Err(wrong(self.file, record.line, num_fields, columns));
            }
            if num_fields < columns.len() || is_marked {
                self.raw.odd.push(OddRow {
                    row: self.raw.num_rows as u32,
                    num_fields: num_fields as u32,
                    is_marked,
                });
                if self.raw.odd.len() > MAX_ODD && self.raw.odd.len() * 2 > self.raw.num_rows {
                    return Err(wrong(self.file, record.line, num_fields, columns));
                }
            }
            self.raw.lines.push(self.raw.num_rows, record.line);
            self.raw.num_rows += 1;
        }
        fields.truncate(fields.ends.len() - num_blank);
        self.raw.num_rows -= num_blank;
        self.raw.fields = fields;
        Ok((columns.unwrap_or_default(), std::mem::take(&mut self.raw)))
    }
}

/// The fields of a comment line behind its mark.
pub(super) fn comment_fields(line: &str, mark: &str, layout: &DelimitedLayout) -> Fields {
    let mut fields = Fields::default();
    let names = line.trim_start().trim_start_matches(mark).trim_start();
    // A quote without its end leaves the fields before it.
    let _ = Scanner::behind(names, layout.separator, 0).next(&mut fields);
    fields
}

impl Fields {
    /// Drops all fields from an index on.
    pub(super) fn truncate(&mut self, num_fields: usize) {
        self.ends.truncate(num_fields);
        self.text.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    fn to_strings(&self) -> Vec<String> {
        (0..self.ends.len()).map(|index| self.get(index).to_string()).collect()
    }
}

impl DelimitedTable {
    /// Drops rows at the end that hold nothing but separators.
    fn drop_empty_end(&mut self) {
        let num_columns = self.columns.len();
        let mut lines = LineList::default();
        while let Some(row) = self.num_rows().checked_sub(1).and_then(|last| self.row(last)) {
            if num_columns < 2 || row.fields().any(|field| !field.is_empty()) {
                break;
            }
            lines.push(row.line());
            let num_fields = self.fields.ends.len() - num_columns;
            self.fields.truncate(num_fields);
        }
        if lines.count > 0 {
            let text = format!("rows of separators only at the end are no rows: {}", lines.text());
            self.warnings.push(Warning::new(WarningCode::LeftOut, text));
        }
    }
}
