//! How a delimited file is laid out, as a card says it.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::number::{self, Decimal, Thousands};

/// How lines become fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DelimitedLayout {
    /// What stands between fields.
    pub separator: Separator,
    /// Where the columns get their names.
    pub header: Header,
    /// Whether the line below the header holds the units of the columns.
    pub units_row: bool,
    /// Lines to skip at the beginning, before the header.
    pub skip_lines: usize,
    /// Lines that begin with this, spaces aside, are skipped wherever they stand, unless they are rows: with as many fields as
    /// there are columns, of the columns' kinds, or with a spreadsheet's `#N/A` in front.
    pub comment: Option<String>,
    /// Whether a line that breaks off goes on in the next one, with its last field. Two lines are joined where they have the
    /// fields of one row together and these fit the columns.
    pub join_short_lines: bool,
    /// Whether fields that a line lacks at its end are missing values.
    pub fill_short_lines: bool,
    /// What stands before the decimals of numbers.
    pub decimal: Decimal,
    /// What stands between groups of three digits.
    pub thousands: Option<Thousands>,
    /// Fields that stand for a missing value; an empty field always does, and so do the errors of spreadsheets, such as `#N/A`.
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
    /// Any run of spaces and tabulators; fields may be quoted.
    Whitespace,
}

impl Separator {
    /// The byte between two fields; none for runs of spaces.
    pub(super) fn byte(self) -> Option<u8> {
        match self {
            Self::Comma => Some(b','),
            Self::Semicolon => Some(b';'),
            Self::Tab => Some(b'\t'),
            Self::Whitespace => None,
        }
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tabulator",
            Self::Whitespace => "spaces",
        }
    }
}

/// Where the columns get their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Header {
    /// `true`: from the first line.
    #[default]
    FirstLine,
    /// `false`: there is none, the columns are called `1`, `2` and so on.
    Numbers,
    /// `"comment"`: from the last line of comments before the rows, as `numpy.savetxt` writes it.
    Comment,
    /// A list: from the card, for files whose own header is wrong or absent.
    Names(Vec<String>),
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            First(bool),
            Word(String),
            Names(Vec<String>),
        }
        match Raw::deserialize(deserializer) {
            Ok(Raw::First(true)) => Ok(Self::FirstLine),
            Ok(Raw::First(false)) => Ok(Self::Numbers),
            Ok(Raw::Word(word)) if word == "comment" => Ok(Self::Comment),
            Ok(Raw::Names(names)) => Ok(Self::Names(names)),
            Ok(Raw::Word(_)) | Err(_) => Err(D::Error::custom(
                "`header` is true (the first line names the columns), false (they are called 1, 2, ...), \"comment\" (the last \
                 line of comments names them) or a list of names",
            )),
        }
    }
}

impl DelimitedLayout {
    /// What is wrong with the layout by itself.
    pub fn check(&self) -> Result<(), String> {
        if self.comment.as_deref() == Some("") {
            return Err("`comment` is empty, expected the beginning of a comment line".into());
        }
        let same = matches!(
            (self.decimal, self.thousands),
            (Decimal::Point, Some(Thousands::Point)) | (Decimal::Comma, Some(Thousands::Comma))
        );
        if same {
            return Err("`decimal` and `thousands` are the same mark, expected two different ones".into());
        }
        if self.header == Header::Comment && self.comment.is_none() {
            return Err("`header = \"comment\"` without `comment`, expected the beginning of a comment line".into());
        }
        if self.units_row && self.header == Header::Numbers {
            return Err("`units_row` without a header, expected a header above the units".into());
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
        field.is_empty() || self.missing.iter().any(|code| code == field) || number::is_sheet_error(field)
    }

    /// A field as a number; `None` if it is none.
    pub fn number<T: std::str::FromStr>(&self, field: &str) -> Option<T> {
        number::parse(field, self.decimal, self.thousands)
    }
}
