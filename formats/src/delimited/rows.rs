//! Rows with too few fields, and rows that look like comments: which are joined, filled up or left out.

use std::cmp::Ordering;
use std::path::Path;

use super::layout::DelimitedLayout;
use super::table::{Fields, Lines, list};
use crate::FileError;

/// Missing fields that a table may have beyond one per byte of its text.
const MAX_FILLED: usize = 1 << 20;

/// Which short lines are joined with the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joining {
    /// None.
    Never,
    /// All that fit, unless both are plainly rows.
    Declared,
    /// Only those that cannot be rows.
    Certain,
}

/// A row with another number of fields than there are columns, or that begins like a comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct OddRow {
    pub(super) row: u32,
    pub(super) num_fields: u32,
    pub(super) is_marked: bool,
}

/// Rows as they stand in the file.
#[derive(Debug, Default)]
pub(super) struct RawRows {
    pub(super) fields: Fields,
    pub(super) lines: Lines,
    pub(super) num_rows: usize,
    /// In ascending order.
    pub(super) odd: Vec<OddRow>,
}

/// Rows with one field per column.
#[derive(Debug, Default)]
pub(super) struct EvenRows {
    pub(super) fields: Fields,
    pub(super) lines: Lines,
    /// Lines that were joined with the next.
    pub(super) joined: LineList,
    /// Lines whose last fields are missing.
    pub(super) filled: LineList,
    /// Lines that begin like a comment and are one.
    pub(super) comments: LineList,
}

/// Some lines for a message.
#[derive(Debug, Clone, Default)]
pub(super) struct LineList {
    pub(super) count: usize,
    first: Vec<usize>,
}

impl LineList {
    pub(super) fn push(&mut self, line: usize) {
        const MAX_LISTED: usize = 5;
        self.count += 1;
        if self.first.len() < MAX_LISTED {
            self.first.push(line);
        }
    }

    /// `line 3`, `lines 3, 4 and 7 more`.
    pub(super) fn text(&self) -> String {
        let lines: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        let more = match self.count - self.first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "line{} {}{more}",
            if self.count == 1 { "" } else { "s" },
            lines.join(", ")
        )
    }
}

/// What the whole rows tell about the columns.
struct Kinds {
    /// Columns whose values are all numbers.
    numeric: Vec<bool>,
    /// How the first column is ordered throughout.
    order: Option<Ordering>,
}

/// Rows that make a sure order.
const MIN_ORDERED: usize = 3;

impl Kinds {
    fn of(raw: &RawRows, layout: &DelimitedLayout, num_columns: usize) -> Self {
        let mut numeric = vec![true; num_columns];
        let mut seen = vec![false; num_columns];
        let (mut last, mut orders, mut num_ordered) = (None::<f64>, [true, true], 0);
        for (start, _, odd) in raw.starts(num_columns) {
            if odd.is_some() {
                continue;
            }
            for (column, (numeric, seen)) in numeric.iter_mut().zip(&mut seen).enumerate() {
                let field = raw.fields.get(start + column);
                if (*numeric || column == 0) && !layout.is_missing(field) {
                    let number = layout.number::<f64>(field);
                    *numeric &= number.is_some();
                    *seen = true;
                    if column == 0 {
                        if let (Some(last), Some(number)) = (last, number) {
                            orders = [orders[0] && last < number, orders[1] && last > number];
                        }
                        last = number;
                        num_ordered += 1;
                    }
                }
            }
        }
        let is_ordered = num_ordered >= MIN_ORDERED && numeric.first() == Some(&true);
        let order = match orders {
            [true, _] if is_ordered => Some(Ordering::Less),
            [_, true] if is_ordered => Some(Ordering::Greater),
            _ => None,
        };
        numeric
            .iter_mut()
            .zip(seen)
            .for_each(|(numeric, seen)| *numeric &= seen);
        Self { numeric, order }
    }

    fn fits(&self, layout: &DelimitedLayout, column: usize, field: &str) -> bool {
        let numeric = self.numeric.get(column).copied().unwrap_or(false);
        !numeric || layout.is_missing(field) || layout.number::<f64>(field).is_some()
    }
}

impl RawRows {
    /// Index of the first field, number of fields and oddness of each row.
    fn starts(&self, num_columns: usize) -> impl Iterator<Item = (usize, usize, Option<OddRow>)> {
        let (mut start, mut odd) = (0, self.odd.iter().copied().peekable());
        (0..self.num_rows).map(move |row| {
            let own = odd.next_if(|odd| odd.row as usize == row);
            let num_fields = own.map_or(num_columns, |odd| odd.num_fields as usize);
            start += num_fields;
            (start - num_fields, num_fields, own)
        })
    }

    /// Gives every row one field per column.
    ///
    /// # Errors
    /// [`FileError`] with the line of a row that has too many fields, or too few where these are not filled up.
    pub(super) fn even(
        self,
        layout: &DelimitedLayout,
        joining: Joining,
        columns: &[String],
        file: &Path,
    ) -> Result<EvenRows, FileError> {
        if self.odd.is_empty() {
            return Ok(EvenRows {
                fields: self.fields,
                lines: self.lines,
                ..EvenRows::default()
            });
        }
        let kinds = Kinds::of(&self, layout, columns.len());
        let mut even = EvenRows::default();
        even.fields.text.reserve(self.fields.text.len());
        even.fields.ends.reserve(self.fields.ends.len());
        let mut num_missing = 0;
        let max_missing = MAX_FILLED + self.fields.text.len();
        let mut rows = self.starts(columns.len()).enumerate().peekable();
        let mut num_rows = 0;
        while let Some((row, (start, num_fields, odd))) = rows.next() {
            let line = self.lines.line(row);
            let next = rows.peek().map(|&(_, next)| next);
            let is_row = match odd {
                Some(odd) if odd.is_marked => !is_comment(&self, layout, &kinds, start, num_fields),
                _ => true,
            };
            if !is_row {
                even.comments.push(line);
                continue;
            }
            even.lines.push(num_rows, line);
            num_rows += 1;
            even.copy(&self.fields, start..start + num_fields);
            let short = num_fields < columns.len();
            let pair = next.filter(|&(_, next_fields, next_odd)| {
                short
                    && next_odd.is_some_and(|odd| !odd.is_marked)
                    && next_fields < columns.len()
                    && num_fields + next_fields == columns.len() + 1
            });
            match pair {
                Some((_, next_fields, _))
                    if joins(&self, layout, &kinds, joining, start, [num_fields, next_fields]) =>
                {
                    even.fields.ends.pop();
                    even.copy(&self.fields, start + num_fields..start + num_fields + next_fields);
                    even.joined.push(line);
                    rows.next();
                }
                _ if short && layout.fill_short_lines => {
                    num_missing += columns.len() - num_fields;
                    if num_missing > max_missing {
                        return Err(wrong(file, line, num_fields, columns)
                            .hint("the rows before it lack more fields than the file has bytes; is this a table?"));
                    }
                    (num_fields..columns.len()).for_each(|_| even.fields.end());
                    even.filled.push(line);
                }
                _ if num_fields != columns.len() => {
                    return Err(wrong(file, line, num_fields, columns));
                }
                _ => {}
            }
        }
        Ok(even)
    }
}

impl EvenRows {
    fn copy(&mut self, from: &Fields, range: std::ops::Range<usize>) {
        for index in range {
            self.fields.text.push_str(from.raw(index));
            self.fields.end();
        }
    }
}

/// The error of a line with another number of fields than there are columns.
pub(super) fn wrong(file: &Path, line: usize, num_fields: usize, columns: &[String]) -> FileError {
    let hint = match num_fields < columns.len() {
        true => {
            "check `separator` and `header` in the card's layout; write `fill_short_lines = true` where rows lack their last \
             fields, or `join_short_lines = true` where they go on in the next line"
        }
        false => "check `separator`, `header` and the quotes of this line",
    };
    FileError::at(file)
        .place(format!("line {line}"))
        .found(format!("{num_fields} fields"))
        .expected(format!("{} ({})", columns.len(), list(columns)))
        .hint(hint)
}

/// Whether a line that begins like a comment is one: its fields do not fit, or are those of a row that is commented out.
fn is_comment(raw: &RawRows, layout: &DelimitedLayout, kinds: &Kinds, start: usize, num_fields: usize) -> bool {
    let first = raw.fields.get(start);
    if super::number::is_sheet_error(first) {
        return false;
    }
    let rest_fits = (1..num_fields).all(|column| kinds.fits(layout, column, raw.fields.get(start + column)));
    !rest_fits || kinds.numeric.first() == Some(&true)
}

/// Whether two short lines are one row: its fields fit, and theirs do not.
fn joins(
    raw: &RawRows,
    layout: &DelimitedLayout,
    kinds: &Kinds,
    joining: Joining,
    start: usize,
    [num_first, num_second]: [usize; 2],
) -> bool {
    if joining == Joining::Never {
        return false;
    }
    let at = |index: usize| raw.fields.get(start + index);
    let broken = format!(
        "{}{}",
        raw.fields.raw(start + num_first - 1),
        raw.fields.raw(start + num_first)
    );
    let fits_together = (0..num_first - 1).all(|column| kinds.fits(layout, column, at(column)))
        && kinds.fits(layout, num_first - 1, broken.trim())
        && (1..num_second).all(|index| kinds.fits(layout, num_first - 1 + index, at(num_first + index)));
    let fits_alone = !at(num_first).is_empty()
        && (0..num_first).all(|column| kinds.fits(layout, column, at(column)))
        && (0..num_second).all(|column| kinds.fits(layout, column, at(num_first + column)));
    // The first fields of the rows around them, which may ascend or descend through both.
    let number = |index: Option<usize>| layout.number::<f64>(raw.fields.get(index?));
    let before = start.checked_sub(kinds.numeric.len());
    let places = [
        before,
        Some(start),
        Some(start + num_first),
        Some(start + num_first + num_second),
    ]
    .map(number);
    let known: Vec<f64> = places.into_iter().flatten().collect();
    let in_order = kinds
        .order
        .map(|order| known.is_sorted_by(|a, b| a.partial_cmp(b) == Some(order)));
    let are_rows = match joining {
        Joining::Certain => fits_alone && in_order != Some(false),
        _ => fits_alone && in_order == Some(true),
    };
    fits_together && !are_rows
}
