//! Columns of a table: what kind of values, how many are missing, and which may be shown.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{DescribeOptions, Range};
use crate::delimited::{DelimitedTable, is_missing_code};

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
    /// Unit in the row of units below the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
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
    let num_present = present(table, index).count();
    let kind = match num_present {
        0 => ColumnKind::Empty {},
        _ if looks_personal(&name) && !options.personal => ColumnKind::Hidden {
            num_distinct: num_distinct(table, index),
        },
        _ => kind(table, index, options),
    };
    ColumnDescription {
        name,
        unit: table.units.get(index).filter(|unit| !unit.is_empty()).cloned(),
        kind,
        num_missing: table.num_rows() - num_present,
    }
}

/// The fields of a column that are not missing; tables are large, so that nobody collects them.
fn present(table: &DelimitedTable, index: usize) -> impl Iterator<Item = &str> + Clone {
    table
        .rows()
        .map(move |row| row.field(index))
        .filter(|field| !is_missing(field))
}

fn kind(table: &DelimitedTable, index: usize, options: DescribeOptions) -> ColumnKind {
    let fields = present(table, index);
    if fields.clone().all(|field| number(field).is_some()) {
        return ColumnKind::Number {
            range: Range::of(fields.filter_map(number)),
        };
    }
    if fields.clone().all(is_date) {
        let iso = fields.clone().all(|field| field.find('-') == Some(4));
        let range = fields.clone().min().zip(fields.max()).filter(|_| iso);
        return ColumnKind::Date {
            range: range.map(|(first, last)| (first.to_string(), last.to_string())),
        };
    }
    if let Some(values) = categories(fields.clone()) {
        return ColumnKind::Category { values };
    }
    let examples = fields.take(if options.personal { 3 } else { 0 });
    ColumnKind::Text {
        num_distinct: num_distinct(table, index),
        examples: examples.map(String::from).collect(),
    }
}

/// Few short values, each twice in the mean, and how often they occur; the most frequent first.
fn categories<'f>(fields: impl Iterator<Item = &'f str> + Clone) -> Option<Vec<(String, usize)>> {
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut num_fields = 0;
    for field in fields {
        *counts.entry(field).or_default() += 1;
        num_fields += 1;
        if counts.len() > MAX_CATEGORIES || field.chars().count() > MAX_CATEGORY_CHARS {
            return None;
        }
    }
    if 2 * counts.len() > num_fields {
        return None;
    }
    let mut values: Vec<(String, usize)> = counts
        .into_iter()
        .map(|(value, count)| (value.to_owned(), count))
        .collect();
    values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Some(values)
}

/// Different values, counted in the order of the rows sorted by them.
fn num_distinct(table: &DelimitedTable, index: usize) -> usize {
    let field = |row: u32| table.row(row as usize).map_or("", |row| row.field(index));
    let mut rows: Vec<u32> = (0..table.num_rows() as u32)
        .filter(|&row| !is_missing(field(row)))
        .collect();
    rows.sort_unstable_by_key(|&row| field(row));
    rows.dedup_by_key(|row| field(*row));
    rows.len()
}

fn is_missing(field: &str) -> bool {
    field.is_empty() || is_missing_code(field)
}

/// A finite number.
fn number(field: &str) -> Option<f64> {
    field.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The numbers of a column, if all its values are numbers and there is one; and the share of rows without a value.
pub fn column_numbers(table: &DelimitedTable, index: usize) -> Option<(Vec<f64>, f64)> {
    let numbers: Option<Vec<f64>> = present(table, index).map(number).collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    let missing_share = 1.0 - numbers.len() as f64 / table.num_rows() as f64;
    Some((numbers, missing_share))
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
