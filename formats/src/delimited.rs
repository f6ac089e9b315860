//! Delimited text: tables with one line per row, as laboratories and spreadsheets write them, quirks included.
//!
//! A byte-order mark and carriage returns before line feeds do not count, nor do empty lines. Bytes that are not UTF-8
//! become U+FFFD; a file in UTF-16 is an error.

pub mod format;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::FileError;
use crate::nearest::did_you_mean;

/// How lines become fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DelimitedLayout {
    /// What stands between fields.
    pub separator: Separator,
    /// Where the columns get their names.
    pub header: Header,
    /// Lines to skip at the beginning, before the header.
    pub skip_lines: usize,
    /// Lines that begin with this, spaces aside, are skipped wherever they stand.
    pub comment: Option<String>,
    /// Whether a line with too few fields goes on in the next one, with its last field.
    pub join_short_lines: bool,
    /// Whether numbers have a comma where others have a point.
    pub decimal_comma: bool,
    /// Fields that stand for a missing value; an empty field always does.
    pub missing: Vec<String>,
}

/// What stands between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Separator {
    /// One comma; fields may be quoted.
    #[default]
    Comma,
    /// One semicolon; fields may be quoted.
    Semicolon,
    /// One tabulator; fields may be quoted.
    Tab,
    /// Any run of spaces and tabulators; no quotes.
    Whitespace,
}

/// Where the columns get their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Header {
    /// `true`: from the first line.
    #[default]
    FirstLine,
    /// `false`: there is none, the columns are called `1`, `2` and so on.
    Numbers,
    /// A list: from the card, for files whose own header is wrong or absent.
    Names(Vec<String>),
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            First(bool),
            Names(Vec<String>),
        }
        match Raw::deserialize(deserializer) {
            Ok(Raw::First(true)) => Ok(Self::FirstLine),
            Ok(Raw::First(false)) => Ok(Self::Numbers),
            Ok(Raw::Names(names)) => Ok(Self::Names(names)),
            Err(_) => Err(D::Error::custom(
                "`header` is true (the first line names the columns), false (they are called 1, 2, ...) or a list of names",
            )),
        }
    }
}

/// A delimited file, cut into fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelimitedTable {
    /// The file, for messages.
    pub file: PathBuf,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows; each has one field per column.
    pub rows: Vec<DelimitedRow>,
}

/// One row of a delimited file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelimitedRow {
    /// Line of its first field, counted from 1.
    pub line: usize,
    /// The fields, without the spaces around them.
    pub fields: Vec<String>,
}

impl DelimitedTable {
    /// Index of a column; `key` is the card's key that asks for it, for the message.
    ///
    /// # Errors
    /// [`FileError`] when no column or more than one has this name.
    pub fn column(&self, name: &str, key: &str) -> Result<usize, FileError> {
        let wrong = |found: String, hint: String| {
            FileError::at(&self.file)
                .place("header")
                .found(found)
                .expected(format!("one column `{name}` (`{key}` in the card)"))
                .hint(hint)
        };
        let mut fitting = self.columns.iter().enumerate().filter(|(_, column)| *column == name);
        match (fitting.next(), fitting.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => {
                let hint = "name the columns yourself: `header = [...]` and `skip_lines = 1` in the card's layout";
                Err(wrong("it twice".into(), hint.into()))
            }
            (None, _) if self.columns.len() == 1 => {
                let hint = "the header is a single field; check `separator` in the card's layout";
                Err(wrong(format!("`{}`", self.columns.concat()), hint.into()))
            }
            (None, _) => {
                let hint = did_you_mean(name, self.columns.iter().map(String::as_str), |name| {
                    format!("`{name}`")
                });
                Err(wrong(list(&self.columns), hint))
            }
        }
    }
}

impl DelimitedRow {
    /// A field by its column's index; empty outside the row.
    pub fn field(&self, column: usize) -> &str {
        self.fields.get(column).map_or("", String::as_str)
    }
}

/// Some of many names.
fn list(names: &[String]) -> String {
    const MAX_NAMES: usize = 12;
    let shown: Vec<_> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl DelimitedLayout {
    /// What is wrong with the layout by itself.
    pub fn check(&self) -> Result<(), String> {
        if self.comment.as_deref() == Some("") {
            return Err("`comment` is empty, expected the beginning of a comment line".into());
        }
        let Header::Names(names) = &self.header else {
            return Ok(());
        };
        for (index, name) in names.iter().enumerate() {
            if names.iter().skip(index + 1).any(|other| other == name) {
                return Err(format!("column `{name}` stands twice in the header"));
            }
        }
        match names.is_empty() {
            true => Err("empty header, expected at least one column".into()),
            false => Ok(()),
        }
    }

    /// Whether a field stands for a missing value.
    pub fn is_missing(&self, field: &str) -> bool {
        field.is_empty() || self.missing.iter().any(|code| code == field)
    }

    /// A field as a number; `None` if it is none.
    pub fn number<T: std::str::FromStr>(&self, field: &str) -> Option<T> {
        match self.decimal_comma {
            true if field.contains('.') => None,
            true => field.replacen(',', ".", 1).parse().ok(),
            false => field.parse().ok(),
        }
    }

    /// Cuts a file into rows. `file` is for messages.
    ///
    /// # Errors
    /// [`FileError`] for UTF-16, for a file without a header where there should be one, and with the line of a row
    /// that has not as many fields as the header.
    pub fn table(&self, bytes: &[u8], file: &Path) -> Result<DelimitedTable, FileError> {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            let hint = "save the file as CSV in UTF-8";
            return Err(FileError::at(file)
                .place("byte 0")
                .found("UTF-16")
                .expected("UTF-8")
                .hint(hint));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut lines = self
            .lines(text.strip_prefix('\u{feff}').unwrap_or(&text), file)?
            .into_iter();
        let mut first = None;
        let columns = match &self.header {
            Header::Names(names) => names.clone(),
            Header::FirstLine => {
                let header = lines.next().ok_or_else(|| {
                    let hint = "give the columns' names in the card: `header = [...]`";
                    FileError::at(file)
                        .place("content")
                        .found("no line")
                        .expected("a header and rows below it")
                        .hint(hint)
                })?;
                header.fields.iter().map(|name| name.trim().to_string()).collect()
            }
            Header::Numbers => {
                first = lines.next();
                (1..=first.as_ref().map_or(0, |row| row.fields.len()))
                    .map(|number| number.to_string())
                    .collect()
            }
        };
        let mut rows = Vec::<DelimitedRow>::new();
        for row in first.into_iter().chain(lines) {
            let unfinished = rows
                .last_mut()
                .filter(|row| self.join_short_lines && row.fields.len() < columns.len());
            match unfinished {
                None => rows.push(row),
                Some(unfinished) => {
                    let mut fields = row.fields.into_iter();
                    if let (Some(last), Some(rest)) = (unfinished.fields.last_mut(), fields.next()) {
                        last.push_str(&rest);
                    }
                    unfinished.fields.extend(fields);
                }
            }
        }
        for field in rows.iter_mut().flat_map(|row| &mut row.fields) {
            if field.trim().len() < field.len() {
                *field = field.trim().to_string();
            }
        }
        match rows.iter().find(|row| row.fields.len() != columns.len()) {
            None => Ok(DelimitedTable {
                file: file.to_path_buf(),
                columns,
                rows,
            }),
            Some(row) => {
                let hint = "check `separator`, `header` and `join_short_lines` in the card's layout";
                let expected = format!("{} ({})", columns.len(), list(&columns));
                Err(FileError::at(file)
                    .place(format!("line {}", row.line))
                    .found(format!("{} fields", row.fields.len()))
                    .expected(expected)
                    .hint(hint))
            }
        }
    }

    /// The lines that count, cut at the separators.
    fn lines(&self, text: &str, file: &Path) -> Result<Vec<DelimitedRow>, FileError> {
        let after = text
            .split_inclusive('\n')
            .skip(self.skip_lines)
            .map(str::len)
            .sum::<usize>();
        let body = self.without_comments(text.get(text.len() - after..).unwrap_or_default());
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
            let record = record.map_err(|error| FileError::io(file, "read")(std::io::Error::other(error)))?;
            // The reader's own line numbers leave out empty lines and stray line feeds before a record.
            let start = record.position().map_or(0, |position| position.byte() as usize);
            let rest = body.get(start..).unwrap_or_default();
            let start = start + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
            line += body.get(counted..start).unwrap_or_default().matches('\n').count();
            counted = start;
            rows.push(DelimitedRow {
                line,
                fields: record.iter().map(String::from).collect(),
            });
        }
        Ok(rows)
    }

    /// Comment lines become empty ones, so that line numbers stay.
    fn without_comments<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(comment) = self.comment.as_deref().filter(|comment| text.contains(comment)) else {
            return Cow::Borrowed(text);
        };
        let kept = text
            .split_inclusive('\n')
            .map(|line| match line.trim_start().starts_with(comment) {
                true if line.ends_with('\n') => "\n",
                true => "",
                false => line,
            });
        Cow::Owned(kept.collect())
    }
}
