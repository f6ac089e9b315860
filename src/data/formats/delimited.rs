//! Delimited text: tables with one line per row, as laboratories write them, quirks included.

use std::path::Path;

use serde::Deserialize;

use crate::data::DataError;

/// How lines become fields. The card names the columns, because the files' own headers are often wrong or absent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelimitedLayout {
    /// What stands between fields.
    pub separator: Separator,
    /// Names of all columns, in the order of the file.
    pub header: Vec<String>,
    /// Lines to skip at the beginning, such as the file's own header.
    #[serde(default)]
    pub skip_lines: usize,
    /// Whether a line with too few fields goes on in the next one, with its last field.
    #[serde(default)]
    pub join_short_lines: bool,
    /// Fields that stand for a missing value; an empty field always does.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// What stands between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Separator {
    /// One comma; fields may be quoted.
    Comma,
    /// One semicolon; fields may be quoted.
    Semicolon,
    /// One tabulator; fields may be quoted.
    Tab,
    /// Any run of spaces and tabulators; no quotes.
    Whitespace,
}

/// One row of a delimited file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelimitedRow {
    /// Line of its first field, counted from 1.
    pub line: usize,
    /// As many fields as the layout's header has names, without the spaces around them.
    pub fields: Vec<String>,
}

impl DelimitedLayout {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (index, name) in self.header.iter().enumerate() {
            if self.header.iter().skip(index + 1).any(|other| other == name) {
                return Err(format!("column `{name}` stands twice in the header"));
            }
        }
        match self.header.is_empty() {
            true => Err("empty header, expected at least one column".into()),
            false => Ok(()),
        }
    }

    /// Index of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// Whether a field stands for a missing value.
    pub fn is_missing(&self, field: &str) -> bool {
        field.is_empty() || self.missing.iter().any(|code| code == field)
    }

    /// Cuts `text` into rows; empty lines do not count. `file` is for messages.
    ///
    /// # Errors
    /// [`DataError::File`] with the line of a row that has not as many fields as the header.
    pub fn rows(&self, text: &str, file: &Path) -> Result<Vec<DelimitedRow>, DataError> {
        let mut rows = Vec::<DelimitedRow>::new();
        for DelimitedRow { line, fields } in self.lines(text, file)? {
            let unfinished =
                rows.last_mut().filter(|row| self.join_short_lines && row.fields.len() < self.header.len());
            match unfinished {
                None => rows.push(DelimitedRow { line, fields }),
                Some(row) => {
                    let mut fields = fields.into_iter();
                    if let (Some(last), Some(rest)) = (row.fields.last_mut(), fields.next()) {
                        last.push_str(&rest);
                    }
                    row.fields.extend(fields);
                }
            }
        }
        for row in &mut rows {
            row.fields.iter_mut().for_each(|field| *field = field.trim().to_string());
        }
        match rows.iter().find(|row| row.fields.len() != self.header.len()) {
            None => Ok(rows),
            Some(row) => Err(DataError::File {
                file: file.to_path_buf(),
                place: format!("line {}", row.line),
                found: format!("{} fields", row.fields.len()),
                expected: format!("{} ({})", self.header.len(), self.header.join(", ")),
                hint: "check `separator`, `header` and `join_short_lines` in the card's layout".into(),
            }),
        }
    }

    fn lines(&self, text: &str, file: &Path) -> Result<Vec<DelimitedRow>, DataError> {
        let after = text.split_inclusive('\n').skip(self.skip_lines).map(str::len).sum::<usize>();
        let body = text.get(text.len() - after..).unwrap_or_default();
        let delimiter = match self.separator {
            Separator::Comma => b',',
            Separator::Semicolon => b';',
            Separator::Tab => b'\t',
            Separator::Whitespace => {
                let lines = body.lines().enumerate().map(|(index, line)| DelimitedRow {
                    line: self.skip_lines + index + 1,
                    fields: line.split_whitespace().map(String::from).collect(),
                });
                return Ok(lines.filter(|row| !row.fields.is_empty()).collect());
            }
        };
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true).delimiter(delimiter);
        let mut rows = Vec::new();
        let (mut counted, mut line) = (0, self.skip_lines + 1);
        for record in reader.from_reader(body.as_bytes()).records() {
            let record = record.map_err(|error| DataError::io(file, "read")(std::io::Error::other(error)))?;
            // The reader's own line numbers leave out empty lines and stray line feeds before a record.
            let start = record.position().map_or(0, |position| position.byte() as usize);
            let rest = body.get(start..).unwrap_or_default();
            let start = start + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
            line += body.get(counted..start).unwrap_or_default().matches('\n').count();
            counted = start;
            rows.push(DelimitedRow { line, fields: record.iter().map(String::from).collect() });
        }
        Ok(rows)
    }
}
