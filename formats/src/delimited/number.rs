//! Numbers with points, commas and marks of thousands, and what people write where there is none.

use std::borrow::Cow;
use std::str::FromStr;

use serde::Deserialize;

/// What stands before the decimals of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Decimal {
    /// A point.
    #[default]
    #[serde(rename = ".")]
    Point,
    /// A comma.
    #[serde(rename = ",")]
    Comma,
}

/// What stands between groups of three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Thousands {
    /// A comma.
    #[serde(rename = ",")]
    Comma,
    /// A point.
    #[serde(rename = ".")]
    Point,
    /// A space, also one that does not break or is thin.
    #[serde(rename = " ")]
    Space,
    /// An apostrophe, straight or curly.
    #[serde(rename = "'")]
    Apostrophe,
}

impl Thousands {
    /// The letters that it may be.
    pub(super) fn marks(self) -> &'static [char] {
        match self {
            Self::Comma => &[','],
            Self::Point => &['.'],
            Self::Space => &[' ', '\u{a0}', '\u{2009}', '\u{202f}'],
            Self::Apostrophe => &['\'', '\u{2019}'],
        }
    }
}

/// What Excel and its like write into a cell that has no value.
const SHEET_ERRORS: [&str; 13] = [
    "#n/a",
    "#n/a n/a",
    "#na",
    "#div/0!",
    "#ref!",
    "#value!",
    "#name?",
    "#num!",
    "#null!",
    "#spill!",
    "#calc!",
    "#getting_data",
    "#error!",
];

/// What R, MATLAB, SAS, pandas, databases and people write for "missing".
const MISSING_CODES: [&str; 20] = [
    "na",
    "n/a",
    "<na>",
    "nan",
    "-nan",
    "+nan",
    "nan(ind)",
    "-nan(ind)",
    "1.#ind",
    "-1.#ind",
    "1.#qnan",
    "-1.#qnan",
    "null",
    "(null)",
    "none",
    "missing",
    "-",
    "--",
    "?",
    ".",
];

/// Whether a field is what people and programs write for "missing"; an empty one is not.
pub fn is_missing_code(field: &str) -> bool {
    MISSING_CODES.iter().any(|code| code.eq_ignore_ascii_case(field)) || is_sheet_error(field)
}

/// Whether a field is a spreadsheet's mark for a cell without a value, such as `#N/A`.
pub(super) fn is_sheet_error(field: &str) -> bool {
    field.starts_with('#') && SHEET_ERRORS.iter().any(|code| code.eq_ignore_ascii_case(field))
}

/// A field as a number, if all its marks stand where numbers have them.
pub(super) fn parse<T: FromStr>(field: &str, decimal: Decimal, thousands: Option<Thousands>) -> Option<T> {
    match (decimal, thousands) {
        (Decimal::Point, None) => field.parse().ok(),
        _ => plain(field, decimal, thousands)?.parse().ok(),
    }
}

/// The number with a point and without marks of thousands.
pub(super) fn plain(field: &str, decimal: Decimal, thousands: Option<Thousands>) -> Option<Cow<'_, str>> {
    let mark = match decimal {
        Decimal::Point => '.',
        Decimal::Comma => ',',
    };
    let other = if mark == ',' { '.' } else { ',' };
    let end = field.find([mark, 'e', 'E']).unwrap_or(field.len());
    let (whole, rest) = field.split_at(end);
    if rest.contains(other) {
        return None;
    }
    let whole = match thousands.filter(|thousands| whole.contains(thousands.marks())) {
        Some(thousands) => Cow::Owned(without_thousands(whole, thousands.marks())?),
        None if whole.contains(other) => return None,
        None => Cow::Borrowed(whole),
    };
    match (decimal, whole) {
        (Decimal::Point, Cow::Borrowed(_)) => Some(Cow::Borrowed(field)),
        (Decimal::Comma, Cow::Borrowed(_)) if !rest.starts_with(',') => Some(Cow::Borrowed(field)),
        (_, whole) => Some(Cow::Owned(format!("{whole}{}", rest.replacen(mark, ".", 1)))),
    }
}

/// Groups of three digits behind one to three, the first of which is no zero.
fn without_thousands(whole: &str, marks: &[char]) -> Option<String> {
    let digits = whole.trim_start_matches(['+', '-']);
    let mark = digits.chars().find(|letter| marks.contains(letter))?;
    let is_group = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = digits.split(mark);
    let first = groups.next()?;
    let fits = (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && is_group(first)
        && groups.all(|group| group.len() == 3 && is_group(group));
    fits.then(|| whole.replace(mark, ""))
}
