//! How a text is cut into fields: separator, header, comments, decimal comma; and what its columns hold.

use std::collections::BTreeSet;
use std::path::Path;

use super::delimited::{DelimitedLayout, DelimitedTable, Header, Separator};

/// Lines that are looked at to find the separator.
const NUM_LINES: usize = 50;
/// In a table, this share of the lines has the usual number of fields.
const MIN_SHARE: f64 = 0.7;

/// A text that is a table.
#[derive(Debug, Clone)]
pub struct Sniffed {
    /// How the table is written.
    pub layout: DelimitedLayout,
    /// The rows.
    pub table: DelimitedTable,
}

/// The layout under which the text is a table of two columns at least, if there is one.
pub fn sniff(bytes: &[u8]) -> Option<Sniffed> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let comment = ["#", "%", "//"]
        .into_iter()
        .find(|mark| text.lines().any(|line| line.starts_with(mark)));
    let kept = |line: &&str| !comment.is_some_and(|mark| line.trim_start().starts_with(mark));
    let mut best = None;
    for separator in [
        Separator::Tab,
        Separator::Semicolon,
        Separator::Comma,
        Separator::Whitespace,
    ] {
        let layout = |header| DelimitedLayout {
            separator,
            header,
            comment: comment.map(String::from),
            ..DelimitedLayout::default()
        };
        let counts: Vec<usize> = text
            .lines()
            .filter(kept)
            .take(NUM_LINES)
            .map(|line| num_fields(separator, line))
            .collect();
        let usual = counts
            .iter()
            .copied()
            .filter(|&count| count > 1)
            .max_by_key(|count| counts.iter().filter(|other| *other == count).count());
        let Some(usual) = usual else { continue };
        let share = counts.iter().filter(|&&count| count == usual).count() as f64 / counts.len() as f64;
        // The earlier separator wins among equals: fields of a tabbed line hold spaces, not the other way round.
        if best.as_ref().is_none_or(|(most, _, _)| share > *most + 0.05) {
            best = Some((share, usual, layout(Header::Numbers)));
        }
    }
    let (share, usual, mut layout) = best.filter(|(share, _, _)| *share > MIN_SHARE)?;
    let lines: Vec<&str> = text.lines().collect();
    let first = lines
        .iter()
        .position(|line| kept(line) && num_fields(layout.separator, line) == usual)?;
    layout.skip_lines = if comment.is_some() { 0 } else { first };
    // A line broken in two has too few fields, and the rest of them in the next.
    layout.join_short_lines = share < 1.0;
    let table = table(&mut layout, bytes, usual)?;
    Some(Sniffed { layout, table })
}

fn num_fields(separator: Separator, line: &str) -> usize {
    match separator {
        Separator::Tab => line.split('\t').count(),
        Separator::Semicolon => line.split(';').count(),
        Separator::Comma => line.split(',').count(),
        Separator::Whitespace => line.split_whitespace().count(),
    }
}

/// Settles the header and the decimal comma.
fn table(layout: &mut DelimitedLayout, bytes: &[u8], num_columns: usize) -> Option<DelimitedTable> {
    let numbers = |rows: &[Vec<String>], column: usize, layout: &DelimitedLayout| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .filter(|field| !field.is_empty())
            .all(|field| number(layout, field))
    };
    let named: Vec<String> = (1..=num_columns).map(|index| format!("column{index}")).collect();
    layout.header = Header::Names(named.clone());
    let all = layout.table(bytes, Path::new("")).ok()?;
    let rows: Vec<Vec<String>> = all.rows.into_iter().map(|row| row.fields).collect();
    let (first, rest) = rows.split_first()?;
    layout.decimal_comma = layout.separator != Separator::Comma
        && rest
            .iter()
            .flatten()
            .any(|field| field.contains(',') && field.replacen(',', ".", 1).parse::<f64>().is_ok())
        && !rest
            .iter()
            .flatten()
            .any(|field| field.contains('.') && field.parse::<f64>().is_ok());
    let is_header = !rest.is_empty()
        && first.iter().all(|field| !number(layout, field))
        && ((0..num_columns).any(|column| numbers(rest, column, layout))
            || first.iter().all(|field| !field.is_empty()));
    layout.header = match is_header {
        false => Header::Numbers,
        true if first.iter().all(|name| !name.is_empty())
            && first.iter().collect::<BTreeSet<_>>().len() == num_columns =>
        {
            Header::FirstLine
        }
        // A header with gaps or twins: the card names the columns.
        true => {
            layout.skip_lines += 1;
            let name = |(name, number): (&String, &String)| if name.is_empty() { number.clone() } else { name.clone() };
            let mut names = Vec::<String>::new();
            for (index, name) in first.iter().zip(&named).map(name).enumerate() {
                names.push(if names.contains(&name) {
                    format!("{name}{}", index + 1)
                } else {
                    name
                });
            }
            Header::Names(names)
        }
    };
    layout.table(bytes, Path::new("")).ok()
}

fn number(layout: &DelimitedLayout, field: &str) -> bool {
    layout.number::<f64>(field).is_some()
}

impl Sniffed {
    /// The fields of a column.
    pub fn column(&self, index: usize) -> impl Iterator<Item = &str> {
        self.table.rows.iter().map(move |row| row.field(index))
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

/// What people write for "missing".
pub fn is_missing_code(field: &str) -> bool {
    ["na", "n/a", "nan", "null", "none", "missing", "-", "?", "."]
        .iter()
        .any(|code| code.eq_ignore_ascii_case(field))
}
