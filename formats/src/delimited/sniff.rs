//! The layout of a text that nobody described: separator, header, units, comments, marks of numbers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use super::encoding::{Encoding, decode, decode_head};
use super::layout::{DelimitedLayout, Header, Separator};
use super::number::{Decimal, Thousands, is_missing_code, is_sheet_error, parse, plain};
use super::read::{Read, comment_fields, read};
use super::rows::Joining;
use super::scan::Scanner;
use super::table::{DelimitedTable, Fields};
use crate::{FileError, Warning, WarningCode};

/// Records that are looked at to find the layout.
const NUM_RECORDS: usize = 50;
/// Wide tables show themselves in fewer.
const SAMPLE_BYTES: usize = 1 << 20;
const MIN_RECORDS: usize = 3;
/// In a table, this share of the lines has the usual number of fields.
const MIN_SHARE: f64 = 0.7;
/// Longer texts are no units.
const MAX_UNIT_CHARS: usize = 12;
/// What lines of comments begin with.
const MARKS: [&str; 3] = ["#", "%", "//"];
const SEPARATORS: [Separator; 4] = [
    Separator::Tab,
    Separator::Semicolon,
    Separator::Comma,
    Separator::Whitespace,
];

/// A text that is a table.
#[derive(Debug, Clone)]
pub struct Sniffed {
    /// How it is read.
    pub layout: DelimitedLayout,
    /// What it holds.
    pub table: DelimitedTable,
    /// How its bytes are read.
    pub encoding: Encoding,
    /// Lines that begin with the comment mark.
    pub num_comments: usize,
    /// Columns whose every comma has three digits behind it, so that `12,345` may be either of two numbers.
    pub ambiguous: Vec<usize>,
}

/// The layout under which the text is a table, if there is one: of two columns at least, or of one column of numbers.
pub fn sniff(bytes: &[u8]) -> Option<Sniffed> {
    try_sniff(bytes, Path::new(""), true).ok()
}

/// As [`sniff`], with the reason why a text is no table. Lines that break off are joined with the next if `may_join`, and
/// otherwise rows of their own. `file` is for messages.
///
/// # Errors
/// [`FileError`] with the line that does not fit.
pub fn try_sniff(bytes: &[u8], file: &Path, may_join: bool) -> Result<Sniffed, FileError> {
    let (text, encoding) = decode(bytes, file)?;
    sniff_text(&text, encoding, file, may_join)
}

/// As [`sniff`], of the beginning of a file whose last line may be cut if `is_cut`.
pub fn sniff_head(head: &[u8], is_cut: bool) -> Option<Sniffed> {
    let text = decode_head(head)?;
    let end = if is_cut { text.rfind(['\n', '\r'])? } else { text.len() };
    sniff_text(text.get(..end)?, Encoding::Utf8, Path::new(""), true).ok()
}

fn sniff_text(text: &str, encoding: Encoding, file: &Path, may_join: bool) -> Result<Sniffed, FileError> {
    let mut guess = Guess::of(text).ok_or_else(|| {
        FileError::at(file)
            .place("text")
            .found("lines with different numbers of fields")
            .expected("a table with one separator")
            .hint("correct the lines, or describe the layout in a dataset card")
    })?;
    guess.find_late_comments(text);
    let joining = if may_join { Joining::Certain } else { Joining::Never };
    let mut layout = guess.layout;
    layout.fill_short_lines = true;
    let Read {
        table,
        num_joined,
        num_filled,
        num_comments,
    } = read(text, &layout, joining, file)?;
    layout.join_short_lines = num_joined > 0;
    layout.fill_short_lines = num_filled > 0;
    let marks = Marks::of(table.columns.len(), |column| {
        table.rows().map(move |row| row.field(column))
    });
    (layout.decimal, layout.thousands) = (marks.decimal, marks.thousands);
    Ok(Sniffed {
        layout,
        table,
        encoding,
        num_comments,
        ambiguous: marks.ambiguous,
    })
}

/// Whether the beginning of a text looks like a table.
pub(crate) fn is_table(text: &str) -> bool {
    Guess::of(text).is_some()
}

impl From<DelimitedTable> for Sniffed {
    /// A table that needs no layout, as those of Parquet.
    fn from(table: DelimitedTable) -> Self {
        Self {
            layout: DelimitedLayout::default(),
            table,
            encoding: Encoding::Utf8,
            num_comments: 0,
            ambiguous: Vec::new(),
        }
    }
}

impl Sniffed {
    /// The fields of a column.
    pub fn column(&self, index: usize) -> impl Iterator<Item = &str> + Clone {
        self.table.rows().map(move |row| row.field(index))
    }

    /// The question that commas before three digits pose, if there are such.
    pub fn ambiguity(&self) -> Option<Warning> {
        let first = *self.ambiguous.first()?;
        let example = self.column(first).find(|field| field.contains(','))?;
        let names: Vec<String> = self
            .ambiguous
            .iter()
            .filter_map(|&index| self.table.columns.get(index))
            .map(|name| format!("`{name}`"))
            .collect();
        let text = format!(
            "every comma has three digits behind it in {}: `{example}` is {} (`thousands = \",\"` in a card's layout) or {} \
             (`decimal = \",\"`); until then the fields are text",
            names.join(", "),
            example.replace(',', ""),
            example.replace(',', ".")
        );
        Some(Warning::new(WarningCode::AmbiguousNumbers, text))
    }

    /// The numbers of a column, if all its fields but `missing` ones are numbers and there is one.
    pub fn numbers(&self, index: usize) -> Option<Vec<f64>> {
        let fields = self
            .column(index)
            .filter(|field| !field.is_empty() && !is_missing_code(field));
        let numbers: Option<Vec<f64>> = fields.map(|field| self.layout.number::<f64>(field)).collect();
        numbers.filter(|numbers| !numbers.is_empty() && numbers.iter().all(|number| number.is_finite()))
    }
}

/// Records of the beginning of a text under one separator.
struct Sample<'t> {
    separator: Separator,
    /// Lines before the first record that begin with a mark of comments.
    block: Vec<&'t str>,
    fields: Fields,
    records: Vec<SampleRecord>,
}

struct SampleRecord {
    line: usize,
    start: usize,
    num_fields: usize,
    mark: Option<&'static str>,
}

impl<'t> Sample<'t> {
    fn of(text: &'t str, separator: Separator, marks: &[&'static str]) -> Self {
        let mut sample = Self {
            separator,
            block: Vec::new(),
            fields: Fields::default(),
            records: Vec::new(),
        };
        let mut scanner = Scanner::behind(text, separator, 0);
        while let Some(line) = scanner.peek_line() {
            match mark_of(line, separator, marks) {
                Some(_) => sample.block.push(line),
                None if line.trim().is_empty() => {}
                None => break,
            }
            scanner.skip_line();
        }
        let start = scanner.rest().len();
        while sample.records.len() < NUM_RECORDS
            && (sample.records.len() < MIN_RECORDS || start - scanner.rest().len() < SAMPLE_BYTES)
        {
            let Some(line) = scanner.peek_line() else { break };
            let (mark, first) = (mark_of(line, separator, marks), sample.fields.ends.len());
            let record = match mark {
                // Quotes in comments have no end.
                Some(_) => {
                    let number = scanner.line();
                    let record = Scanner::behind(line, separator, 0).next(&mut sample.fields);
                    scanner.skip_line();
                    record.map(|record| record.map(|record| (number, record)))
                }
                None => scanner
                    .next(&mut sample.fields)
                    .map(|record| record.map(|record| (record.line, record))),
            };
            match record {
                Ok(Some((line, record))) if !record.is_blank => sample.records.push(SampleRecord {
                    line,
                    start: first,
                    num_fields: record.num_fields,
                    mark,
                }),
                Ok(Some(_)) => sample.fields.truncate(first),
                // The end of the text, or of a piece of it within quotes.
                Ok(None) | Err(_) => {
                    sample.fields.truncate(first);
                    break;
                }
            }
        }
        sample
    }

    fn field(&self, record: &SampleRecord, column: usize) -> &str {
        match column < record.num_fields {
            true => self.fields.get(record.start + column),
            false => "",
        }
    }

    fn record_fields(&self, record: &SampleRecord) -> impl Iterator<Item = &str> + Clone {
        (record.start..record.start + record.num_fields).map(|index| self.fields.get(index))
    }

    /// The most frequent number of fields, and the share of records that have it; marked records that do not have it are
    /// comments.
    fn usual(&self, min_fields: usize) -> Option<(usize, f64)> {
        let count = |num_fields: usize| {
            self.records
                .iter()
                .filter(|record| record.num_fields == num_fields)
                .count()
        };
        let usual = self
            .records
            .iter()
            .map(|record| record.num_fields)
            .filter(|&num_fields| num_fields >= min_fields)
            .max_by_key(|&num_fields| count(num_fields))?;
        let num_comments = self
            .records
            .iter()
            .filter(|record| record.mark.is_some() && record.num_fields != usual)
            .count();
        Some((usual, count(usual) as f64 / (self.records.len() - num_comments) as f64))
    }
}

/// The mark that a line of comments begins with; a spreadsheet's `#N/A` is none.
fn mark_of(line: &str, separator: Separator, marks: &[&'static str]) -> Option<&'static str> {
    let line = line.trim_start();
    let mark = marks.iter().find(|mark| line.starts_with(**mark))?;
    let mut fields = Fields::default();
    let is_error = Scanner::behind(line, separator, 0).next(&mut fields).is_ok() && is_sheet_error(fields.get(0));
    (!is_error).then_some(*mark)
}

/// A layout, and how many columns it has.
struct Guess {
    layout: DelimitedLayout,
    num_columns: usize,
}

impl Guess {
    fn of(text: &str) -> Option<Self> {
        // Where all lines begin with a mark, none is a comment.
        let is_all_marked = Sample::of(text, Separator::Comma, &MARKS).records.is_empty();
        let marks = if is_all_marked { &[][..] } else { &MARKS[..] };
        let guess = Self::among(text, marks)?;
        // A header such as `%MVC,time` has the unit of percent in front.
        match guess.layout.header == Header::Comment && guess.starts_with_percent(text) {
            true => Self::among(text, &MARKS[..1]),
            false => Some(guess),
        }
    }

    fn among(text: &str, marks: &[&'static str]) -> Option<Self> {
        let mut best: Option<(f64, usize, Sample)> = None;
        for separator in SEPARATORS {
            let sample = Sample::of(text, separator, marks);
            let Some((usual, share)) = sample.usual(2) else {
                continue;
            };
            // The earlier separator wins among equals: fields of a tabbed line hold spaces, not the other way round.
            if best.as_ref().is_none_or(|(most, ..)| share > *most + 0.05) {
                best = Some((share, usual, sample));
            }
        }
        match best.filter(|(share, ..)| *share > MIN_SHARE) {
            Some((_, usual, sample)) => {
                decimal_column(text, &sample, usual, marks).or_else(|| Self::table(&sample, usual))
            }
            None => one_column(text, marks),
        }
    }

    fn starts_with_percent(&self, text: &str) -> bool {
        let mut letters = text.trim_start().chars();
        letters.next() == Some('%') && letters.next().is_some_and(char::is_alphabetic)
    }

    /// The layout of a sample whose records have `usual` fields.
    fn table(sample: &Sample, usual: usize) -> Option<Self> {
        let is_usual = |record: &&SampleRecord| record.num_fields == usual;
        let mut first = sample
            .records
            .iter()
            .position(|record| is_usual(&record) && record.mark.is_none())?;
        let mut layout = DelimitedLayout {
            separator: sample.separator,
            header: Header::Numbers,
            ..DelimitedLayout::default()
        };
        let comments = sample.records.iter().filter(|record| record.num_fields != usual);
        let inline = comments.filter_map(|record| record.mark).next();
        let above = sample
            .block
            .last()
            .and_then(|line| mark_of(line, sample.separator, &MARKS));
        layout.comment = above.or(inline).map(String::from);
        let rows_from = |index: usize| sample.records.iter().skip(index).filter(is_usual);
        let is_header = |record: &SampleRecord, index: usize| {
            let is_word = |field: &str| !is_any_number(field);
            let numeric = |column: usize| {
                rows_from(index + 1)
                    .map(|row| sample.field(row, column))
                    .filter(|field| !field.is_empty() && !is_missing_code(field))
                    .all(is_any_number)
            };
            rows_from(index + 1).next().is_some()
                && sample.record_fields(record).all(is_word)
                && (sample.record_fields(record).all(|field| !field.is_empty()) || (0..usual).any(numeric))
        };
        let record = sample.records.get(first)?;
        let mut num_columns = usual;
        let before = first.checked_sub(1).and_then(|before| sample.records.get(before));
        if is_header(record, first) {
            sample.name_columns(&mut layout, first, usual, &[]);
            layout.units_row = sample.has_units(first, usual);
        } else if let Some(header) = before.filter(|header| sample.is_header_of_fewer(header, usual)) {
            first -= 1;
            let last_is_empty = |row: &SampleRecord| sample.record_fields(row).last().is_some_and(str::is_empty);
            let (fewer, lead) = match rows_from(first).all(last_is_empty) {
                true => (usual - 1, &[][..]),
                // Names of rows, which R does not name.
                false => (usual, &["column1"][..]),
            };
            num_columns = fewer;
            sample.name_columns(&mut layout, first, header.num_fields, lead);
        } else if first == 0 {
            if let Some(line) = sample.block.last().filter(|_| rows_from(0).next().is_some()) {
                let mark = layout.comment.as_deref().unwrap_or_default();
                let names = comment_fields(line, mark, &layout);
                let are_words = (0..names.ends.len()).all(|index| {
                    let name = names.get(index);
                    !name.is_empty() && !is_any_number(name)
                });
                if names.ends.len() == usual && are_words {
                    layout.header = Header::Comment;
                }
            }
        } else {
            // Short rows before the first whole one.
            let is_row = |record: &SampleRecord| {
                record.mark.is_none()
                    && (2..usual).contains(&record.num_fields)
                    && sample
                        .record_fields(record)
                        .all(|field| is_any_number(field) || field.is_empty())
            };
            while first > 0 && sample.records.get(first - 1).is_some_and(is_row) {
                first -= 1;
                layout.header = Header::Names((1..=usual).map(|number| number.to_string()).collect());
            }
        }
        if first > 0 && layout.skip_lines == 0 {
            layout.skip_lines = sample.records.get(first)?.line - 1;
        }
        let marks = Marks::of(num_columns, |column| {
            rows_from(first + 1 + usize::from(layout.units_row)).map(move |row| sample.field(row, column))
        });
        (layout.decimal, layout.thousands) = (marks.decimal, marks.thousands);
        Some(Self { layout, num_columns })
    }

    /// The mark of comments that come behind the sample only.
    fn find_late_comments(&mut self, text: &str) {
        if self.layout.comment.is_some() {
            return;
        }
        let mut scanner = Scanner::behind(text, self.layout.separator, self.layout.skip_lines);
        let is_candidate = |line: &str| MARKS.iter().any(|mark| line.trim_start().starts_with(mark));
        while let Some(line) = scanner.peek_line() {
            if is_candidate(line) {
                let mut fields = Fields::default();
                let whole = Scanner::behind(line, self.layout.separator, 0)
                    .next(&mut fields)
                    .is_ok();
                let is_usual = whole && fields.ends.len() == self.num_columns;
                let is_note = self.num_columns == 1 && !is_sheet_error(fields.get(0));
                if let Some(mark) = mark_of(line, self.layout.separator, &MARKS).filter(|_| !is_usual || is_note) {
                    self.layout.comment = Some(mark.into());
                    return;
                }
            }
            scanner.skip_line();
        }
    }
}

impl Sample<'_> {
    /// Takes the names of a record for those of the columns, in the file or, where they are empty or the same, in the layout.
    fn name_columns(&self, layout: &mut DelimitedLayout, index: usize, num_names: usize, lead: &[&str]) {
        let Some(record) = self.records.get(index) else { return };
        let own: Vec<&str> = lead
            .iter()
            .copied()
            .chain(self.record_fields(record).take(num_names))
            .collect();
        let distinct = own.iter().collect::<BTreeSet<_>>().len() == own.len();
        if lead.is_empty() && distinct && own.iter().all(|name| !name.is_empty()) {
            layout.header = Header::FirstLine;
            return;
        }
        let mut names = Vec::<String>::new();
        let mut known = BTreeSet::new();
        for (number, name) in (1..).zip(own) {
            let name = if name.is_empty() {
                format!("column{number}")
            } else {
                name.to_string()
            };
            let is_new = known.insert(name.clone());
            names.push(if is_new { name } else { format!("{name}{number}") });
        }
        layout.header = Header::Names(names);
        // Behind the header, and not before a comment or a blank line below it.
        layout.skip_lines = self.records.get(index + 1).map_or(record.line, |next| next.line - 1);
    }

    /// Words, one fewer than the rows have fields.
    fn is_header_of_fewer(&self, record: &SampleRecord, usual: usize) -> bool {
        record.mark.is_none()
            && record.num_fields + 1 == usual
            && record.num_fields > 1
            && self
                .record_fields(record)
                .all(|field| !field.is_empty() && !is_any_number(field))
    }

    /// Whether the record below the header holds units: short words over columns of numbers.
    fn has_units(&self, header: usize, usual: usize) -> bool {
        let Some(units) = self.records.get(header + 1).filter(|record| record.mark.is_none()) else {
            return false;
        };
        let rows = || {
            self.records
                .iter()
                .skip(header + 2)
                .filter(|record| record.num_fields == usual)
        };
        let is_unit = |(column, unit): (usize, &str)| {
            let mut fields = rows()
                .map(|row| self.field(row, column))
                .filter(|field| !field.is_empty() && !is_missing_code(field))
                .peekable();
            let numeric = fields.peek().is_some() && fields.all(is_any_number);
            numeric && unit.chars().count() <= MAX_UNIT_CHARS && !is_any_number(unit) && !is_missing_code(unit)
        };
        let mut own = self
            .record_fields(units)
            .enumerate()
            .filter(|(_, unit)| !unit.is_empty())
            .peekable();
        units.num_fields == usual
            && own.peek().is_some()
            && own.all(|field| field.1 == "-" || is_unit(field))
            && self
                .record_fields(units)
                .any(|unit| unit.chars().any(char::is_alphabetic) || unit.contains(['%', '°']))
    }
}

/// Numbers with decimal commas under a header of one word are one column, although commas may separate.
fn decimal_column(text: &str, sample: &Sample, usual: usize, marks: &[&'static str]) -> Option<Guess> {
    if sample.separator != Separator::Comma || usual != 2 {
        return None;
    }
    let [header, rows @ ..] = &sample.records[..] else {
        return None;
    };
    let is_word = header.num_fields == 1 && !is_any_number(sample.fields.get(header.start));
    let is_decimal = |record: &SampleRecord| {
        let mut fields = sample.record_fields(record);
        let joined = format!(
            "{},{}",
            fields.next().unwrap_or_default(),
            fields.next().unwrap_or_default()
        );
        record.num_fields == 1 || parse::<f64>(&joined, Decimal::Comma, None).is_some()
    };
    if is_word && rows.iter().all(is_decimal) {
        one_column(text, marks)
    } else {
        None
    }
}

/// One number per line below a header or none.
fn one_column(text: &str, marks: &[&'static str]) -> Option<Guess> {
    let is_single = |sample: &Sample| sample.records.iter().all(|record| record.num_fields == 1);
    let separators = [Separator::Comma, Separator::Semicolon, Separator::Tab];
    let sample = separators
        .into_iter()
        .map(|separator| Sample::of(text, separator, marks))
        .find(|sample| sample.usual(1).is_some() && is_single(sample))?;
    let is_value = |record: &SampleRecord| {
        let field = sample.fields.get(record.start);
        is_any_number(field) || field.is_empty() || is_missing_code(field) || record.mark.is_some()
    };
    let rows = sample.records.get(1..)?;
    let numbers = |records: &[SampleRecord]| {
        records
            .iter()
            .filter(|record| is_any_number(sample.fields.get(record.start)))
            .count()
    };
    let fits = rows.iter().skip(usize::from(sample.has_units(0, 1))).all(is_value) && numbers(rows) > 0;
    fits.then(|| Guess::table(&sample, 1)).flatten()
}

/// Whether a field is a number under any convention.
fn is_any_number(field: &str) -> bool {
    let comma = || parse::<f64>(field, Decimal::Comma, None).is_some();
    let thousands = || parse::<f64>(field, Decimal::Point, Some(Thousands::Comma)).is_some();
    parse::<f64>(field, Decimal::Point, None).is_some() || field.contains(',') && (comma() || thousands())
}

/// The marks of numbers, as all columns of a table use them.
struct Marks {
    decimal: Decimal,
    thousands: Option<Thousands>,
    /// Columns whose commas may be either.
    ambiguous: Vec<usize>,
}

/// What the commas of a column are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Commas {
    None,
    Points,
    Decimals,
    Thousands,
    Either,
}

impl Marks {
    /// Decimal commas or thousands where one column shows them and none shows the contrary.
    fn of<'f, I: Iterator<Item = &'f str>>(num_columns: usize, column: impl Fn(usize) -> I) -> Self {
        let columns: Vec<Commas> = (0..num_columns).map(|index| commas(column(index))).collect();
        let has = |kind: Commas| columns.contains(&kind);
        let indices = |kind: Commas| {
            (0..num_columns)
                .filter(|&index| columns.get(index) == Some(&kind))
                .collect()
        };
        let (decimal, thousands) = match (has(Commas::Decimals), has(Commas::Thousands)) {
            (true, false) if !has(Commas::Points) => (Decimal::Comma, None),
            (false, true) => (Decimal::Point, Some(Thousands::Comma)),
            _ => (Decimal::Point, None),
        };
        let is_settled = decimal == Decimal::Comma || thousands.is_some();
        Self {
            decimal,
            thousands,
            ambiguous: if is_settled {
                Vec::new()
            } else {
                indices(Commas::Either)
            },
        }
    }
}

fn commas<'f>(fields: impl Iterator<Item = &'f str>) -> Commas {
    let (mut as_decimals, mut as_thousands, mut has_comma, mut has_point) = (true, true, false, false);
    for field in fields.filter(|field| !field.is_empty() && !is_missing_code(field)) {
        // Without a comma, a point is decimal under both.
        as_decimals &= parse::<f64>(field, Decimal::Comma, None).is_some();
        as_thousands &= parse::<f64>(field, Decimal::Point, Some(Thousands::Comma)).is_some();
        has_comma |= field.contains(',');
        has_point |= field.contains('.');
        if !as_decimals && !as_thousands {
            return Commas::None;
        }
    }
    match (has_comma, as_decimals, as_thousands) {
        (false, _, true) if has_point => Commas::Points,
        (false, ..) => Commas::None,
        (true, true, true) => Commas::Either,
        (true, true, false) => Commas::Decimals,
        (true, ..) => Commas::Thousands,
    }
}

/// The table with points in its numbers and without marks of thousands, in columns that hold numbers only.
pub(super) fn plain_numbers(sniffed: Sniffed) -> DelimitedTable {
    let layout = &sniffed.layout;
    let numeric: Vec<bool> = (0..sniffed.table.columns.len())
        .map(|column| {
            let mut fields = sniffed
                .column(column)
                .filter(|field| !field.is_empty() && !is_missing_code(field));
            fields.all(|field| layout.number::<f64>(field).is_some())
        })
        .collect();
    let mut fields = Fields::default();
    fields.text.reserve(sniffed.table.fields.text.len());
    fields.ends.reserve(sniffed.table.fields.ends.len());
    for row in sniffed.table.rows() {
        for (field, &numeric) in row.fields().zip(&numeric) {
            let number = plain(field, layout.decimal, layout.thousands).filter(|_| numeric);
            fields.text.push_str(&number.unwrap_or(Cow::Borrowed(field)));
            fields.end();
        }
    }
    let mut table = sniffed.table;
    table.fields = fields;
    table
}
