//! Columns of a table: what kind of values, how many are missing, and which may be shown.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{DescribeOptions, Range};
use crate::delimited::DelimitedTable;
use crate::sniff::is_missing_code;

/// More values than these are free text, not categories.
const MAX_CATEGORIES: usize = 12;
/// Longer fields are free text, not categories.
const MAX_CATEGORY_CHARS: usize = 24;
/// Words in the names of columns and header fields whose values may identify a person.
const PERSONAL: [&str; 28] = [
    "name",
    "surname",
    "forename",
    "firstname",
    "lastname",
    "patient",
    "birth",
    "birthdate",
    "birthday",
    "dob",
    "address",
    "street",
    "zip",
    "postcode",
    "phone",
    "telephone",
    "mobile",
    "fax",
    "email",
    "mail",
    "ssn",
    "mrn",
    "insurance",
    "comment",
    "comments",
    "remark",
    "remarks",
    "physician",
];

/// Words that turn the name of a person into that of a thing.
const THINGS: [&str; 11] = [
    "record",
    "position",
    "file",
    "filename",
    "device",
    "manufacturer",
    "series",
    "marker",
    "channel",
    "protocol",
    "sequence",
];

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnDescription {
    /// Name in the header.
    pub name: String,
    /// Kind of the values.
    #[serde(flatten)]
    pub kind: ColumnKind,
    /// Rows without a value.
    pub num_missing: usize,
}

/// Kinds of values of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ColumnKind {
    /// All of them numbers.
    Number {
        /// Range of the numbers.
        range: Option<Range>,
    },
    /// Few different ones.
    Category {
        /// Each value and how often it occurs, the most frequent first.
        values: Vec<(String, usize)>,
    },
    /// Days, with or without a time, as in ISO 8601 or with the day or month first.
    Date {
        /// The first and the last as text, where all are in ISO 8601.
        range: Option<(String, String)>,
    },
    /// Anything else.
    Text {
        /// Different values.
        num_distinct: usize,
        /// The first values, if they may be shown.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        examples: Vec<String>,
    },
    /// Not told, as the name says that it may identify a person.
    Hidden {
        /// Different values.
        num_distinct: usize,
    },
    /// No value at all.
    Empty {},
}

pub(super) fn describe(table: &DelimitedTable, index: usize, options: DescribeOptions) -> ColumnDescription {
    let name = table.columns.get(index).cloned().unwrap_or_default();
    let fields: Vec<&str> = table
        .rows
        .iter()
        .map(|row| row.field(index))
        .filter(|field| !is_missing(field))
        .collect();
    let num_missing = table.rows.len() - fields.len();
    let kind = match fields.is_empty() {
        true => ColumnKind::Empty {},
        false if looks_personal(&name) && !options.personal => ColumnKind::Hidden {
            num_distinct: counts(&fields).len(),
        },
        false => kind(&fields, options),
    };
    ColumnDescription {
        name,
        kind,
        num_missing,
    }
}

fn kind(fields: &[&str], options: DescribeOptions) -> ColumnKind {
    if let Some(numbers) = numbers(fields) {
        return ColumnKind::Number {
            range: Range::of(numbers.into_iter()),
        };
    }
    if fields.iter().all(|field| is_date(field)) {
        let iso = fields.iter().all(|field| field.find('-') == Some(4));
        let range = fields.iter().min().zip(fields.iter().max()).filter(|_| iso);
        return ColumnKind::Date {
            range: range.map(|(first, last)| (first.to_string(), last.to_string())),
        };
    }
    let counts = counts(fields);
    let short = counts.keys().all(|value| value.chars().count() <= MAX_CATEGORY_CHARS);
    if short && counts.len() <= MAX_CATEGORIES && 2 * counts.len() <= fields.len() {
        let mut values: Vec<(String, usize)> = counts
            .into_iter()
            .map(|(value, count)| (value.to_owned(), count))
            .collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        return ColumnKind::Category { values };
    }
    let examples = fields.iter().take(if options.personal { 3 } else { 0 });
    ColumnKind::Text {
        num_distinct: counts.len(),
        examples: examples.map(ToString::to_string).collect(),
    }
}

fn counts<'f>(fields: &[&'f str]) -> BTreeMap<&'f str, usize> {
    let mut counts = BTreeMap::new();
    for field in fields {
        *counts.entry(*field).or_default() += 1;
    }
    counts
}

fn is_missing(field: &str) -> bool {
    field.is_empty() || is_missing_code(field)
}

/// The numbers, if all fields are finite ones.
fn numbers(fields: &[&str]) -> Option<Vec<f64>> {
    fields
        .iter()
        .map(|field| field.parse().ok().filter(|number: &f64| number.is_finite()))
        .collect()
}

/// The numbers of a column, if all its values are numbers and there is one; and the share of rows without a value.
pub fn column_numbers(table: &DelimitedTable, index: usize) -> Option<(Vec<f64>, f64)> {
    let fields: Vec<&str> = table
        .rows
        .iter()
        .map(|row| row.field(index))
        .filter(|field| !is_missing(field))
        .collect();
    let numbers = numbers(&fields).filter(|numbers| !numbers.is_empty())?;
    Some((numbers, 1.0 - fields.len() as f64 / table.rows.len() as f64))
}

/// `2024-03-01`, `2024/03/01`, `01.03.2024`, `1/3/2024`, each with a time behind it or not.
fn is_date(field: &str) -> bool {
    let date = field.split(['T', ' ']).next().unwrap_or_default();
    let Some(separator) = ['-', '/', '.']
        .into_iter()
        .find(|&separator| date.matches(separator).count() == 2)
    else {
        return false;
    };
    let parts: Vec<&str> = date.split(separator).collect();
    let is_number = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    parts.iter().all(is_number) && matches!(lengths.as_slice(), [4, 1..=2, 1..=2] | [1..=2, 1..=2, 2 | 4])
}

/// Whether the name of a column or header field has a word that announces a person's data.
pub(super) fn looks_personal(name: &str) -> bool {
    let name = name.to_lowercase();
    let has_word = |words: &[&str]| {
        name.split(|letter: char| !letter.is_alphanumeric())
            .any(|word| words.contains(&word))
    };
    // `PatientName`, `BirthDate` and `LastName` are words without a gap.
    let joined = ["patient", "birth"].iter().any(|part| name.contains(part)) || name.ends_with("name");
    (joined || has_word(&PERSONAL)) && !has_word(&THINGS)
}
